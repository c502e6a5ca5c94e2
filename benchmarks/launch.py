"""How fast small jobs are started: 2,000 shell jobs of one small file each, two at once, whole process, on tmpfs.

flowrules records every one of them, as ninja does; make and xargs record nothing.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from generate import launch_graph
from measure import Case, flowrules, in_turns, scratch, table


def cases(folder: Path) -> list[Case]:
    """The programs, each of which finds nothing built and nothing remembered."""

    def prepare() -> None:
        shutil.rmtree(folder / "out")
        (folder / "out").mkdir()
        shutil.rmtree(folder / ".flowrules", ignore_errors=True)
        (folder / ".ninja_log").unlink(missing_ok=True)

    return [
        Case("flowrules", [flowrules(), "-q", "-j", "2"], prepare),
        Case("make", ["make", "-j", "2"], prepare),
        Case("ninja", ["ninja", "-j", "2"], prepare),
        Case("xargs", ["xargs", "-a", "names.txt", "-P", "2", "-I{}", "sh", "-c", "echo {} > out/{}"], prepare),
    ]


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=2000, help="jobs (2000)")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each program (3)")
    options = parser.parse_args()
    base = scratch("flowrules-launch-")
    folder = base / "work"
    try:
        launch_graph(folder, options.size)
        measured = in_turns(cases(folder), folder, options.rounds)
        complete = len(list((folder / "out").iterdir()))
        if complete != options.size:
            raise RuntimeError(f"{complete} of {options.size} files were made")
        title = f"launch, {options.size:,} shell jobs, two at once"
        print(table(title, measured, lambda case: f"{options.size / case.seconds:,.0f}", "jobs/s"))
    finally:
        shutil.rmtree(base)


if __name__ == "__main__":
    main()
