"""Calls of a campaign: as many imports as slots, not as jobs."""

from __future__ import annotations

from pathlib import Path

import pytest
from box import Box

FLOWFILE = """
rule all:
    input: expand("out/{n}", n=range(16))

rule make:
    output: temp("made/{n}")
    call: "lib.py:make"

rule work:
    input: "made/{n}"
    output: "out/{n}"
    resources: gpus=1
    call: "lib.py:work"

rule alone:
    output: "alone/{n}"
    fresh: true
    call: "lib.py:make"
"""

LIB = """
import os

GPU = os.environ["CUDA_VISIBLE_DEVICES"]
with open("imports", "a") as file:
    file.write(f"{os.getpid()} {GPU or '-'}\\n")


def make(job):
    open(job.output[0], "w").write(job.wildcards.n)


def work(job):
    assert os.environ["CUDA_VISIBLE_DEVICES"] == GPU
    open(job.output[0], "w").write(open(job.input[0]).read())
"""

SANDBOX = ("--profile", "polaris", "--sandbox", "-j", "4", "--set", "blocks.nodes=1")


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path, FLOWFILE, {"lib.py": LIB})


def imports(box: Box) -> list[str]:
    """The GPU of each import of the module, `-` for none."""
    return [line.split()[1] for line in box.read("imports").splitlines()]


@pytest.mark.slow
def test_each_slot_imports_a_module_once(box: Box) -> None:
    box.ok(*SANDBOX)
    assert [box.read(f"out/{n}") for n in range(16)] == [str(n) for n in range(16)]
    gpus = sorted(gpu for gpu in imports(box) if gpu != "-")
    assert gpus == sorted(set(gpus)) and gpus
    assert 1 <= imports(box).count("-") <= 4
    works = [end for end in box.history() if end["rule"] in ("make", "work")]
    assert len(works) == 32 and all(end["memory"] > 0 and end["cpu"] > 0 for end in works)


@pytest.mark.slow
def test_a_fresh_call_imports_for_itself(box: Box) -> None:
    box.ok(*SANDBOX, *(f"alone/{n}" for n in range(6)))
    assert len(imports(box)) == 6
