"""How long a dry run of a large workflow takes, and how much memory, beside `make -n` and `ninja -n` on the same graph.

Two states: nothing built, and everything up to date. Whole processes, from start to end, in turns.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from generate import build_plan_graph, plan_graph
from measure import Case, flowrules, in_turns, run_once, scratch, table


def peers() -> list[Case]:
    """The others."""
    return [Case("make -n", ["make", "-n"]), Case("ninja -n", ["ninja", "-n"])]


def nothing_built(folder: Path, jobs: int, rounds: int) -> str:
    """The dry run of a workflow of which only the sources exist."""
    cases = [Case("flowrules -n", [flowrules(), "-n"]), *peers()]
    return table(f"plan, nothing built, {jobs:,} jobs", in_turns(cases, folder, rounds))


def up_to_date(folder: Path, jobs: int, rounds: int) -> str:
    """The dry run when there is nothing to do.

    Only a real build writes the log without which ninja takes everything for changed, so ninja builds where it is
    there; flowrules takes over what it finds (`--touch`), and make asks for nothing but times.
    """
    if shutil.which("ninja"):
        run_once(["ninja"], folder)
    else:
        build_plan_graph(folder)
    run_once([flowrules(), "--touch"], folder)
    cases = [Case("flowrules -n", [flowrules(), "-n"]), *peers()]
    return table(f"plan, up to date, {jobs:,} jobs", in_turns(cases, folder, rounds))


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=100_000, help="jobs (100000)")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each program (3)")
    options = parser.parse_args()
    base = scratch("flowrules-plan-")
    folder = base / "work"
    folder.mkdir()
    try:
        jobs = plan_graph(folder, options.size)
        print(nothing_built(folder, jobs, options.rounds))
        print(up_to_date(folder, jobs, options.rounds))
    finally:
        shutil.rmtree(base)


if __name__ == "__main__":
    main()
