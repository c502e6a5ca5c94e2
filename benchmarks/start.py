"""How long flowrules takes to start: `--version`, the dry run of three jobs, and a Flowfile of 1,000 rules."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from generate import many_rules, plan_graph
from hot import profile_command
from measure import Case, flowrules, in_turns, peer, save, scratch, table


def version(folder: Path, rounds: int) -> None:
    """Programs that only say what they are."""
    names = ("make", "ninja", "parallel", "doit", "snakemake")
    cases = [Case("flowrules", [flowrules(), "--version"]), *[Case(name, [name, "--version"]) for name in names]]
    measured = in_turns(cases, folder, rounds)
    print(table("start-up: --version", measured))
    save("start", "--version", 0, measured)


def three_jobs(folder: Path, rounds: int) -> None:
    """The dry run of one chain; the merge is left out."""
    plan_graph(folder, 3)
    snakefile = str(peer("plan_Snakefile"))
    measured = in_turns(
        [
            Case("flowrules -n", [flowrules(), "-n", "c/s0.txt"]),
            Case("make -n", ["make", "-n", "c/s0.txt"]),
            Case("ninja -n", ["ninja", "-n", "c/s0.txt"]),
            Case("snakemake -n", ["snakemake", "-n", "-q", "-s", snakefile, "--cores", "2", "c/s0.txt"]),
        ],
        folder,
        rounds,
    )
    print(table("start-up: dry run of 3 jobs", measured))
    save("start", "dry run of 3 jobs", 3, measured)


def rules(folder: Path, size: int, rounds: int) -> None:
    """The dry run of one target where there are many rules: what is measured is reading them."""
    many_rules(folder, size)
    measured = in_turns([Case("flowrules -n", [flowrules(), "-n", "out0/a.txt"])], folder, rounds)
    print(table(f"start-up: a Flowfile of {size:,} rules", measured))
    save("start", "a Flowfile of many rules", size, measured)
    profile_command("start", f"reading a Flowfile of {size:,} rules", ["-n", "out0/a.txt"], folder)


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=1000, help="rules (1000)")
    parser.add_argument("--rounds", type=int, default=9, help="measurements of each program (9)")
    options = parser.parse_args()
    base = scratch("flowrules-start-")
    try:
        for name in ("version", "three", "rules"):
            (base / name / "work").mkdir(parents=True)
        version(base / "version" / "work", options.rounds)
        three_jobs(base / "three" / "work", options.rounds)
        rules(base / "rules" / "work", options.size, max(3, options.rounds // 3))
    finally:
        shutil.rmtree(base)


if __name__ == "__main__":
    main()
