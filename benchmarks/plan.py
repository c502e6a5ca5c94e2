"""How long a dry run of a large workflow takes, and how much memory, beside `make -n` and `ninja -n` on the same graph.

Two states: nothing built, and everything up to date. Whole processes, from start to end, in turns. doit says which
tasks are up to date (`doit list --status`); it, Snakemake and ninja are left out where they would take minutes (ninja's
time grows with the square of the width of the merge).
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from generate import build_plan_graph, plan_graph
from hot import profile_command
from measure import Case, flowrules, in_turns, peer, run_once, save, scratch, table

SIZES = (1_000, 10_000, 100_000)
MOST_SNAKEMAKE, MOST_DOIT, MOST_NINJA = 10_000, 100_000, 300_000


def programs(size: int) -> list[Case]:
    """flowrules and the others."""
    cases = [Case("flowrules -n", [flowrules(), "-n"]), Case("make -n", ["make", "-n"])]
    if size <= MOST_NINJA:
        cases.append(Case("ninja -n", ["ninja", "-n"]))
    if size <= MOST_DOIT:
        listing = ["doit", "list", "-f", str(peer("plan_dodo.py")), "-d", ".", "--status", "--all", "-q"]
        cases.append(Case("doit list", listing, rounds=1))
    if size <= MOST_SNAKEMAKE:
        snakefile = str(peer("plan_Snakefile"))
        command = ["snakemake", "-n", "-q", "--rerun-triggers", "mtime", "-s", snakefile, "-d", ".", "--cores", "2"]
        cases.append(Case("snakemake -n", command, rounds=1))
    return cases


def nothing_built(folder: Path, jobs: int, size: int, rounds: int) -> None:
    """The dry run of a workflow of which only the sources exist."""
    measured = in_turns(programs(size), folder, rounds)
    print(table(f"plan, nothing built, {jobs:,} jobs", measured))
    save("plan", "nothing built", size, measured)


def up_to_date(folder: Path, jobs: int, size: int, rounds: int) -> None:
    """The dry run when there is nothing to do.

    Only a real build writes the log without which ninja takes everything for changed, so ninja builds where it is
    there; flowrules takes over what it finds (`--touch`), and make asks for nothing but times.
    """
    if shutil.which("ninja") and size <= MOST_NINJA:
        run_once(["ninja"], folder)
    else:
        build_plan_graph(folder)
    run_once([flowrules(), "--touch"], folder)
    cases = [case for case in programs(size) if case.name != "doit list"]  # it has a record of its own, of real runs
    measured = in_turns(cases, folder, rounds)
    print(table(f"plan, up to date, {jobs:,} jobs", measured))
    save("plan", "up to date", size, measured)


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, help="jobs (1000, then 10000, then 100000)")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each program (3)")
    options = parser.parse_args()
    for size in [options.size] if options.size else SIZES:
        base = scratch("flowrules-plan-")
        folder = base / "work"
        folder.mkdir()
        try:
            jobs = plan_graph(folder, size)
            nothing_built(folder, jobs, size, options.rounds)
            if size >= 10_000:
                profile_command("plan", f"a dry run of {jobs:,} jobs, nothing built", ["-n"], folder)
            up_to_date(folder, jobs, size, options.rounds)
            if size >= 10_000:
                profile_command("plan, up to date", f"a dry run of {jobs:,} jobs, up to date", ["-n"], folder)
        finally:
            shutil.rmtree(base)


if __name__ == "__main__":
    main()
