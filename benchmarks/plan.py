"""How long a dry run of a large workflow takes, and how much memory, beside `make -n` and `ninja -n` on the same graph.

Three states: nothing built, everything up to date, and one input touched. Whole processes, from start to end, in turns.
doit says which tasks are up to date (`doit list --status`); it, Snakemake and ninja are left out where they would take
minutes (ninja's time grows with the square of the width of the merge).

Up to date, flowrules has remembered its plan (docs/decisions/011-fast-plans.md), as after any run; the row *the same,
without what is remembered* has it plan anew. Then other shapes, each at two sizes, to see how cost grows (`--shapes`).
"""

from __future__ import annotations

import argparse
import shutil
from math import isqrt
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
    for state in ("up to date", "one input touched"):
        cases = [
            case for case in programs(size) if case.name != "doit list"
        ]  # it has a record of its own, of real runs
        cases.insert(
            1, Case("the same, without what is remembered", ["env", "FLOWRULES_PLAN_CACHE=0", flowrules(), "-n"])
        )
        measured = in_turns(cases, folder, rounds)
        print(table(f"plan, {state}, {jobs:,} jobs", measured))
        save("plan", state, size, measured)
        (folder / "src/s0.txt").touch()


def shapes(rounds: int) -> None:
    """How cost grows where the DAG is no bundle of chains; flowrules alone, nothing built."""
    for name, sizes, write in SHAPES:
        for size in sizes:
            base = scratch("flowrules-shape-")
            folder = base / "work"
            folder.mkdir()
            try:
                (folder / "Flowfile").write_text(write(size))
                if name == "aggregation":
                    (folder / "one").mkdir()
                    for number in range(isqrt(size)):
                        (folder / f"one/{number}.in").touch()
                measured = in_turns([Case("flowrules -n", [flowrules(), "-n"])], folder, rounds)
                print(table(f"plan, {name}, {size:,} {'edges' if name == 'aggregation' else 'jobs'}", measured))
                save("plan", name, size, measured)
            finally:
                shutil.rmtree(base)


def _aggregation(edges: int) -> str:
    """Every one of many files goes into every one of as many sums, each with an input of its own besides."""
    return (
        f"let N = range({isqrt(edges)})\n"
        'rule all:\n    input: expand("sum/{j}.txt", j=N)\n'
        'rule sum:\n    input: expand("part/{i}.txt", i=N), "one/{j}.in"\n    output: "sum/{j}.txt"\n'
        '    shell: "cat {input} > {output}"\n'
        'rule part:\n    output: "part/{i}.txt"\n    shell: "echo > {output}"\n'
    )


def _deep(jobs: int) -> str:
    """One chain, each step made from the one before."""
    return (
        f'rule all:\n    input: "step/{jobs}"\n'
        'rule first:\n    output: "step/0"\n    shell: "echo > {output}"\n'
        'rule step:\n    input: f"step/{int(wildcards.n) - 1}"\n    output: "step/{n,[1-9][0-9]*}"\n'
        '    shell: "cp {input} {output}"\n'
    )


def _ten_wildcards(jobs: int) -> str:
    names = "/".join("{" + f"w{n}" + "}" for n in range(10))
    values = ", ".join(f'w{n}=["v{n}"]' for n in range(9))
    return (
        f'rule all:\n    input: expand("out/{names}.txt", {values}, w9=range({jobs}))\n'
        f'rule made:\n    output: "out/{names}.txt"\n    shell: "echo > {{output}}"\n'
    )


def _overlapping_rules(jobs: int) -> str:
    """200 rules whose patterns begin alike, each for a 200th of the jobs."""
    asked = ", ".join(f'expand("out/a{{k}}_b.kind{n}.txt", k=range({jobs // 200}))' for n in range(200))
    rules = "".join(
        f'rule r{n}:\n    output: "out/{{a}}_{{b}}.kind{n}.txt"\n    shell: "echo > {{output}}"\n' for n in range(200)
    )
    return f"rule all:\n    input: {asked}\n{rules}"


SHAPES = (
    ("aggregation", (1_000_000, 9_000_000), _aggregation),
    ("one deep chain", (4_000, 40_000), _deep),
    ("ten wildcards", (10_000, 100_000), _ten_wildcards),
    ("200 overlapping rules", (10_000, 100_000), _overlapping_rules),
)


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, help="jobs (1000, then 10000, then 100000)")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each program (3)")
    parser.add_argument("--shapes", action="store_true", help="other shapes only")
    options = parser.parse_args()
    if options.shapes:
        shapes(options.rounds)
        return
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
    if not options.size:
        shapes(options.rounds)


if __name__ == "__main__":
    main()
