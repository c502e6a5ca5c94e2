"""Peak memory for each job, while planning and while running, against a budget; ends with 1 where that is exceeded.

Two sizes each: what the larger one takes beyond the smaller, over the jobs it has more, so that the interpreter and the
modules do not count.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import results
from generate import launch_graph, plan_graph
from measure import flowrules, run_once, scratch, settle

BUDGET = {"plan": 1900, "run": 4000}
"""Bytes for each job. Planning: what `make -n` takes for the same graph (1,885 MB for a million jobs)."""


def peak(write: Callable[[Path, int], object], jobs: int, arguments: list[str]) -> float:
    """MiB of a whole process."""
    base = scratch("flowrules-memory-")
    folder = base / "work"
    folder.mkdir()
    try:
        write(folder, jobs)
        return run_once([flowrules(), *arguments], folder).memory
    finally:
        shutil.rmtree(base)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--size", type=int, default=100_000, help="jobs that are planned; a tenth of them runs (100000)"
    )
    options = parser.parse_args()
    settle()
    print("### memory for each job\n\n| | jobs | MiB | bytes for each job | budget | |\n|---|--:|--:|--:|--:|---|")
    over = False
    for what, size, write, arguments in (
        ("plan", options.size, plan_graph, ["-n"]),
        ("run", options.size // 10, launch_graph, ["-q", "-j", "2"]),
    ):
        few, many = peak(write, size // 10, arguments), peak(write, size, arguments)
        each = (many - few) * 2**20 / (size - size // 10)
        over = over or each > BUDGET[what]
        said = "within" if each <= BUDGET[what] else "**over budget**"
        print(f"| {what} | {size:,} | {many:.0f} | {each:,.0f} | {BUDGET[what]:,} | {said} |", flush=True)
        row = {"program": "flowrules", "memory": many, "bytes_per_job": each, "budget": BUDGET[what]}
        results.save("memory", what, size, [row])
    if over:
        sys.exit("memory is over budget: see the table")


if __name__ == "__main__":
    main()
