"""Writes the workflows that are measured, the same graph for each program: Flowfile, ninja file, Makefile, or a list.

Snakemake, doit and the programs with an interface in Python read the same list by a file of `peers`.

`plan_graph`: for each sample a chain of three rules, then one merge of all; what planning is measured with.
`launch_graph`: one small file a job and nothing between them; what starting jobs is measured with.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

RULES_PER_SAMPLE = 3


def samples_of(jobs: int) -> int:
    """How many chains make about this many jobs, the merge included."""
    return max(1, (jobs - 1) // RULES_PER_SAMPLE)


def plan_graph(folder: Path, jobs: int) -> int:
    """Writes the chains and the merge, with one source file a sample.

    Returns:
        the number of jobs.
    """
    samples = samples_of(jobs)
    names = [f"s{number}" for number in range(samples)]
    for part in ("src", "a", "b", "c"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / "src" / f"{name}.txt").write_text(f"{name}\n")
    (folder / "samples.txt").write_text("".join(f"{name}\n" for name in names))
    (folder / "Flowfile").write_text(_PLAN_FLOWFILE)
    with open(folder / "build.ninja", "w") as ninja:
        ninja.write("rule copy\n  command = cp $in $out\nrule merge\n  command = xargs cat < names > $out\n")
        ninja.write("  rspfile = names\n  rspfile_content = $in\n")
        for name in names:
            for source, target in (("src", "a"), ("a", "b"), ("b", "c")):
                ninja.write(f"build {target}/{name}.txt: copy {source}/{name}.txt\n")
        ninja.write("build merged.txt: merge " + " ".join(f"c/{name}.txt" for name in names) + "\n")
    with open(folder / "Makefile", "w") as makefile:
        makefile.write("SAMPLES := $(shell cat samples.txt)\n")
        makefile.write("merged.txt: $(SAMPLES:%=c/%.txt)\n\tcat $^ > $@\n")
        for source, target in (("src", "a"), ("a", "b"), ("b", "c")):
            makefile.write(f"{target}/%.txt: {source}/%.txt\n\tcp $< $@\n")
        makefile.write(".SECONDARY:\n.SUFFIXES:\nMAKEFLAGS += -rR\nMakefile samples.txt: ;\n")
    return samples * RULES_PER_SAMPLE + 1


def build_plan_graph(folder: Path) -> None:
    """Makes the files of the graph without any of the programs, each newer than its inputs."""
    names = (folder / "samples.txt").read_text().split()
    outputs = [folder / part / f"{name}.txt" for part in ("a", "b", "c") for name in names]
    start = time.time_ns() - 10**9
    for order, path in enumerate([*outputs, folder / "merged.txt"]):
        path.write_text("x\n")
        os.utime(path, ns=(start + order, start + order))
    for path in (folder / "src").iterdir():
        os.utime(path, ns=(start - 1, start - 1))


def write_names(folder: Path, jobs: int) -> list[str]:
    """Writes the list of jobs that programs without rules read."""
    names = [f"j{number}" for number in range(jobs)]
    (folder / "names.txt").write_text("".join(f"{name}\n" for name in names))
    return names


def launch_graph(folder: Path, jobs: int) -> None:
    """Writes jobs that each make one small file with nothing but the shell, and depend on nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "out").mkdir()
    names = write_names(folder, jobs)
    (folder / "Flowfile").write_text(_LAUNCH_FLOWFILE)
    (folder / "Makefile").write_text(
        "all: $(patsubst %,out/%,$(shell cat names.txt))\nout/%:\n\t@echo $* > $@\n.SUFFIXES:\nMAKEFLAGS += -rR\n"
    )
    with open(folder / "build.ninja", "w") as ninja:
        ninja.write("rule echo\n  command = echo $out > $out\n")
        for name in names:
            ninja.write(f"build out/{name}: echo\n")


def call_graph(folder: Path, jobs: int) -> None:
    """Writes jobs that each call a Python function, which makes an empty file."""
    (folder / "out").mkdir(parents=True)
    write_names(folder, jobs)
    (folder / "Flowfile").write_text(_CALL_FLOWFILE)
    (folder / "lib.py").write_text("def touch(job):\n    open(job.output[0], 'w').close()\n")


def sleep_graph(folder: Path, times: Sequence[float]) -> None:
    """Writes jobs that sleep; flowrules is told by a walltime in proportion, long enough for nothing to be stopped.

    The same time may come twice, so that a job is named by its number and its time; who reads `times.txt` only sleeps.
    """
    (folder / "out").mkdir(parents=True)
    names = [f"{number}_{seconds}" for number, seconds in enumerate(times)]
    (folder / "names.txt").write_text("".join(f"{name}\n" for name in names))
    (folder / "times.txt").write_text("".join(f"{seconds}\n" for seconds in times))
    (folder / "Flowfile").write_text(_SLEEP_FLOWFILE)
    recipe = "out/%:\n\t@sleep $(lastword $(subst _, ,$*)); : > $@\n"
    (folder / "Makefile").write_text(
        f"all: $(patsubst %,out/%,$(shell cat names.txt))\n{recipe}.SUFFIXES:\nMAKEFLAGS += -rR\n"
    )
    with open(folder / "build.ninja", "w") as ninja:
        ninja.write("rule wait\n  command = sleep $seconds; : > $out\n")
        for name, seconds in zip(names, times, strict=True):
            ninja.write(f"build out/{name}: wait\n  seconds = {seconds}\n")


def many_rules(folder: Path, count: int) -> None:
    """Writes a Flowfile of so many rules, each with what rules usually have, and the source of the first."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "a.txt").write_text("a\n")
    (folder / "Flowfile").write_text("".join(_ONE_OF_MANY.replace("@", str(number)) for number in range(count)))


_SLEEP_FLOWFILE = """\
let JOBS = lines("names.txt")

rule all:
    input: expand("out/{job}", job=JOBS)

rule wait:
    output: "out/{number}_{seconds}"
    resources: walltime=float(wildcards.seconds) * 100s
    shell: "sleep {seconds}; : > {output}"
"""

_ONE_OF_MANY = (
    """\
# The @th of many rules.
rule rule@:
    input:
        "{name}.txt",
    output:
        "out@/{name}.txt",
    params:
        level=@,
        label="level @ of {wildcards.name}",
    threads: 2
    resources: mem=1GB, walltime=10min
    shell:
        """
    + '"' * 3
    + """
        sort {input[0]} > {output}
        echo {params.label} {params.level} >> {output}
        """
    + '"' * 3
    + """

"""
)

_CALL_FLOWFILE = """\
let NAMES = lines("names.txt")

rule all:
    input: expand("out/{name}", name=NAMES)

rule touch:
    output: "out/{name}"
    call: "lib.py:touch"
"""

_PLAN_FLOWFILE = """\
let SAMPLES = lines("samples.txt")

rule merge:
    input: expand("c/{sample}.txt", sample=SAMPLES)
    output: "merged.txt"
    shell: "cat {input} > {output}"

rule first:
    input: "src/{sample}.txt"
    output: "a/{sample}.txt"
    shell: "cp {input} {output}"

rule second:
    input: "a/{sample}.txt"
    output: "b/{sample}.txt"
    shell: "cp {input} {output}"

rule third:
    input: "b/{sample}.txt"
    output: "c/{sample}.txt"
    shell: "cp {input} {output}"
"""

_LAUNCH_FLOWFILE = """\
let NAMES = lines("names.txt")

rule all:
    input: expand("out/{name}", name=NAMES)

rule echo:
    output: "out/{name}"
    shell: "echo {name} > {output}"
"""
