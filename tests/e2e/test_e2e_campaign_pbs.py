"""A small campaign on a real PBS, where its commands are on the PATH and its server answers.

`FLOWRULES_TEST_PBS_PROFILE` names a profile for the machine; without it blocks are one node as PBS gives it by default.
The folder of the test must be seen by the nodes: `pytest --basetemp` chooses another place for it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable

import pytest
from campaign_box import Campaign

MACHINE = """
scheduler: pbs
launcher: local
node: {cpus: 4}
blocks: {nodes: 1, walltime: 5min, min: 0, max: 2}
pbs: {select: "ncpus=4", place: scatter}
"""

FLOWFILE = """
let N = [f"{n}" for n in range(24)]
rule all:
    input: "total"
rule hold:
    output: "hold/{n}"
    shell: "echo {n} >> ledger; until [[ -e go ]]; do sleep 0.1; done; echo {n} > {output}"
rule twice:
    input: "hold/{n}"
    output: temp("twice/{n}")
    shell: "cat {input} {input} > {output}"
rule total:
    input: expand("twice/{n}", n=N)
    output: "total"
    shell: "cat {input} > {output}"
"""


# a block of five minutes has no room for two jobs of three, one after the other: there are two waves
CHAIN = """
rule all:
    input: "table.txt"
rule first:
    output: "first/{n}.txt"
    resources: walltime=3min
    shell: "echo first {wildcards.n} >> ran; [ {wildcards.n} != 2 ] || [ -e allowed ]; echo {wildcards.n} > {output}"
rule second:
    input: "first/{n}.txt"
    output: "second/{n}.txt"
    resources: walltime=3min
    shell: "echo second {wildcards.n} >> ran; cat {input} > {output}"
rule table:
    input: expand("second/{n}.txt", n=range(4))
    output: "table.txt"
    local: true
    shell: "cat {input} > {output}"
"""
SMALL = ("--set", "blocks.nodes=1", "--set", "blocks.walltime=5min")
EACH = sorted(f"{rule} {n}" for rule in ("first", "second") for n in range(4))


def no_pbs() -> str:
    """Why there is no PBS to try, "" where there is one."""
    if not shutil.which("qsub"):
        return "there is no `qsub` on the PATH"
    try:
        asked = subprocess.run(["qstat", "-B"], capture_output=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return "the PBS server does not answer"
    return "" if asked.returncode == 0 else "the PBS server does not answer"


@pytest.fixture
def box(campaign: Callable[..., Campaign]) -> Campaign:
    """A campaign on the machine's PBS."""
    if why := no_pbs():
        pytest.skip(why)
    made = campaign(FLOWFILE, machine=MACHINE)
    profile = os.environ.get("FLOWRULES_TEST_PBS_PROFILE", "./machine")
    made.batch = lambda *args: ("--profile", profile, "-j", "4", *args)
    return made


def batch_job(box: Campaign, block: str) -> str:
    return json.loads(box.read(f".flowrules/blocks/{block}/submitted"))["id"]


@pytest.mark.pbs
def test_a_killed_driver_and_a_deleted_block(box: Campaign) -> None:
    driver = box.driver()
    box.until(lambda: box.exists("ledger") and box.read("ledger").count("\n") == 4)
    driver.kill()
    driver.wait()
    id = batch_job(box, "b001")
    subprocess.run(["qdel", id], check=True, capture_output=True)
    driver = box.driver()
    box.until(lambda: box.read("ledger").count("\n") == 8)
    box.write("go", "")
    assert driver.wait(120) == 0, box.read("said")
    assert box.read("total") == "".join(f"{n}\n{n}\n" for n in range(24))
    assert box.read("ledger").count("\n") == 28, "only what ran in the deleted block ran again"
    assert box.made_twice() == [] and box.blocks == ["b001", "b002"]
    box.until(lambda: is_over(id))


@pytest.mark.pbs
@pytest.mark.parametrize("more", [pytest.param((), id="runner"), pytest.param(("--launcher", "parallel"), id="plain")])
def test_blocks_that_wait_for_each_other(box: Campaign, more: tuple[str, ...]) -> None:
    if more and not shutil.which("parallel"):
        pytest.skip("`parallel` is not installed")
    box.write("Flowfile", CHAIN)
    said = box.campaign(*SMALL, *more, "--submit")
    assert "8 jobs handed to 2 blocks; nobody drives" in said
    assert f"#PBS -W depend=afterany:{batch_job(box, 'b001')}\n" in box.read(".flowrules/blocks/b002/job.sh")
    ids = [batch_job(box, block) for block in box.blocks]
    box.until(lambda: all(is_over(id) for id in ids), "the blocks do not end", 300)
    # without its maker's good end there is no `second 2`
    assert sorted(box.read("ran").split("\n")[:-1]) == [job for job in EACH if job != "second 2"]
    box.write("allowed", "")
    said = box.campaign(*SMALL)
    assert "found 2 blocks of an earlier run: 7 jobs ended there" in said
    assert sorted(box.read("ran").split("\n")[:-1]) == sorted([*EACH, "first 2"])
    assert box.read("table.txt") == "0\n1\n2\n3\n"
    assert box.made_twice() == []


def is_over(id: str) -> bool:
    """Whether PBS knows a job only from its history."""
    return subprocess.run(["qstat", id], capture_output=True, timeout=60).returncode == 35
