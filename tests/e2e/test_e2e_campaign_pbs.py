"""A small campaign on a real PBS, where its commands are on the PATH and its server answers.

`FLOWRULES_TEST_PBS_PROFILE` names a profile for the machine; without it blocks are one node as PBS gives it by default.
The folder of the test must be seen by the nodes: `pytest --basetemp` chooses another place for it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess

import pytest

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


def no_pbs() -> str:
    """Why there is no PBS to try, "" where there is one."""
    if not shutil.which("qsub"):
        return "there is no `qsub` on the PATH"
    try:
        asked = subprocess.run(["qstat", "-B"], capture_output=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return "the PBS server does not answer"
    return "" if asked.returncode == 0 else "the PBS server does not answer"


@pytest.mark.pbs
def test_a_killed_driver_and_a_deleted_block(campaign) -> None:
    if why := no_pbs():
        pytest.skip(why)
    box = campaign(FLOWFILE, machine=MACHINE)
    arguments = ("--profile", os.environ.get("FLOWRULES_TEST_PBS_PROFILE", "./machine"), "-j", "4")
    box.batch = lambda *args: (*arguments, *args)
    driver = box.driver()
    box.until(lambda: box.exists("ledger") and box.read("ledger").count("\n") == 4)
    driver.kill()
    driver.wait()
    id = json.loads(box.read(".flowrules/blocks/b001/submitted"))["id"]
    subprocess.run(["qdel", id], check=True, capture_output=True)
    driver = box.driver()
    box.until(lambda: box.read("ledger").count("\n") == 8)
    box.write("go", "")
    assert driver.wait(120) == 0, box.read("said")
    assert box.read("total") == "".join(f"{n}\n{n}\n" for n in range(24))
    assert box.read("ledger").count("\n") == 28, "only what ran in the deleted block ran again"
    assert box.made_twice() == [] and box.blocks == ["b001", "b002"]
    assert not subprocess.run(["qselect"], capture_output=True, text=True).stdout.count(id)
