"""`python -m flowrules`, and what the installed command calls."""

from __future__ import annotations

import sys

from flowrules.version import __version__


def main() -> None:
    """Run the command line; ends the process."""
    if sys.argv[1:] in (["--version"], ["-V"]):  # asked for often by programs: without loading anything
        print(f"flowrules {__version__}")  # noqa: T201
        return
    from flowrules.cli.main import main as run

    run()


if __name__ == "__main__":
    main()
