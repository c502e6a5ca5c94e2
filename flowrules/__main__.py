"""`python -m flowrules`, and what the installed command calls."""

from __future__ import annotations


def main() -> None:
    """Run the command line; ends the process."""
    from flowrules.cli.main import main as run

    run()


if __name__ == "__main__":
    main()
