"""Whether `flowrules simulate` tells the truth: five campaigns in the sandbox, and what was said of them before.

Each campaign runs once, so that the record knows what jobs take; then it is simulated, and runs again.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cluster
from measure import flowrules, scratch

GOAL = 0.05
SLOTS = 4


@dataclass(frozen=True, slots=True)
class Case:
    """One campaign: its rules, and how many nodes its block has at most."""

    name: str
    flowfile: str
    nodes: int


def _seconds(count: int, seed: int) -> str:
    """A list of run times, heavy-tailed: most around half a second, some of two or three."""
    rng = random.Random(seed)
    return json.dumps([f"{at}_{min(0.3 + rng.paretovariate(2.5) - 1, 3):.2f}" for at in range(count)])


CASES = (
    Case(
        "heavy tail, a GPU each",
        f"""\
let JOBS = {_seconds(120, 1)}
rule all:
    input: expand("out/{{job}}", job=JOBS)
rule wait:
    output: "out/{{number}}_{{seconds}}"
    resources: gpus=1, walltime=1min
    shell: "sleep {{seconds}}; : > {{output}}"
""",
        4,
    ),
    Case(
        "chains of three",
        """\
rule all:
    input: expand("c/{n}", n=range(24))
rule a:
    output: "a/{n}"
    resources: gpus=1, walltime=1min
    shell: "sleep $((1 + {n} % 3)); : > {output}"
rule b:
    input: "a/{n}"
    output: "b/{n}"
    resources: gpus=1, walltime=1min
    shell: "sleep 0.5; : > {output}"
rule c:
    input: "b/{n}"
    output: "c/{n}"
    resources: gpus=1, walltime=1min
    shell: "sleep 1; : > {output}"
""",
        2,
    ),
    Case(
        "fan out, fan in",
        """\
rule all:
    input: "end"
rule begin:
    output: "begin"
    resources: gpus=1, walltime=1min
    shell: "sleep 2; : > {output}"
rule part:
    input: "begin"
    output: "part/{n}"
    resources: gpus=1, walltime=1min
    shell: "sleep 1.$(({n} % 7)); : > {output}"
rule end:
    input: expand("part/{n}", n=range(40))
    output: "end"
    resources: gpus=1, walltime=1min
    shell: "sleep 2; : > {output}"
""",
        2,
    ),
    Case(
        "whole nodes and single GPUs",
        """\
rule all:
    input: expand("big/{n}", n=range(4)), expand("small/{n}", n=range(40))
rule big:
    output: "big/{n}"
    resources: nodes=2, walltime=1min
    shell: "sleep 2; : > {output}"
rule small:
    output: "small/{n}"
    resources: gpus=1, walltime=1min
    shell: "sleep 0.8; : > {output}"
""",
        4,
    ),
    Case(
        "halves of GPUs and threads",
        """\
rule all:
    input: expand("half/{n}", n=range(48)), expand("cpu/{n}", n=range(24))
rule half:
    output: "half/{n}"
    resources: gpus=0.5, walltime=1min
    shell: "sleep 1.2; : > {output}"
rule cpu:
    output: "cpu/{n}"
    threads: 2
    resources: walltime=1min
    shell: "sleep 1.5; : > {output}"
""",
        2,
    ),
)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", help=argparse.SUPPRESS)
    parser.parse_args(arguments)
    print("| campaign | jobs | simulated s | measured s | off by |")
    print("|---|---|---|---|---|")
    worst = 0.0
    base = scratch("simulated")
    try:
        for number, case in enumerate(CASES):
            jobs, said, took = _compare(case, base / str(number))
            off = abs(said - took) / took
            worst = max(worst, off)
            print(f"| {case.name} | {jobs} | {said:.2f} | {took:.2f} | {100 * off:.1f} % |", flush=True)
    finally:
        shutil.rmtree(base)
    print(f"\nlargest difference {100 * worst:.1f} %, goal {100 * GOAL:.0f} %: {'met' if worst <= GOAL else 'missed'}")
    return 0


def _compare(case: Case, folder: Path) -> tuple[int, float, float]:
    """Jobs, simulated and measured seconds from the first start to the last end."""
    folder.mkdir()
    (folder / "Flowfile").write_text(case.flowfile)
    profile = ["--profile", str(cluster.write_profile(folder / "profile", case.nodes, SLOTS))]
    _call(folder, ["-q", *profile, "--sandbox"])
    text = _call(folder, ["simulate", *profile, "--nodes", str(case.nodes), "-F", "--format", "json"])
    simulated = json.loads(text)
    before = len(_records(folder))
    _call(folder, ["-q", *profile, "--sandbox", "-F"])
    records = _records(folder)[before:]
    took = max(record["ended"] for record in records) - min(record["started"] for record in records)
    return len(records), simulated["choices"][0]["makespan"], took


def _records(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in _call(folder, ["history", "--format", "json"]).splitlines()]


def _call(folder: Path, words: Sequence[str]) -> str:
    """What a call of flowrules prints.

    Raises:
        RuntimeError: it did not end well; with what it said.
    """
    done = subprocess.run(
        [flowrules(), *words], cwd=folder, env=dict(os.environ), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)} ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
