"""A small campaign on a real Slurm of two nodes, which is started here where it is installed."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import real_slurm
from campaign_box import Campaign, gpus_of

PROFILES = Path(__file__).parents[2] / "profiles"

MACHINE = """
scheduler: slurm
launcher: LAUNCHER
node:
  cpus: 8
  gpus:
    env: CUDA_VISIBLE_DEVICES
    slots:
      - {id: "0", cpus: "0-1"}
      - {id: "1", cpus: "2-3"}
      - {id: "2", cpus: "4-5"}
      - {id: "3", cpus: "6-7"}
blocks: {nodes: 2, walltime: 5min, min: 0, max: 1}
queues: {debug: {rerunnable: true}}
slurm: {gpus_per_node: 4}
"""

# both nodes are this machine under names that only Slurm knows: whom `ssh` would reach there is here
SSH = """#!/bin/sh
while [ "$1" != -- ]; do shift; done
echo "$2" >> asked
exec sh -c "$3"
"""

FLOWFILE = """
let N = [f"{n:02}" for n in range(30)]
rule all:
    input: "total"
rule hold:
    output: "hold/{n}"
    resources: gpus=1
    shell: "echo {n} $CUDA_VISIBLE_DEVICES >> ledger; until [[ -e go ]]; do sleep 0.1; done; echo {n} > {output}"
rule total:
    input: expand("hold/{n}", n=N)
    output: "total"
    shell: "cat {input} > {output}"
"""

# a block of five minutes has no room for two jobs of three, one after the other: there are two waves
CHAIN = """
rule all:
    input: "table.txt"
rule first:
    output: "first/{n}.txt"
    resources: gpus=1, walltime=3min
    shell: "echo first {wildcards.n} >> ran; [ {wildcards.n} != 2 ] || [ -e allowed ]; echo {wildcards.n} > {output}"
rule second:
    input: "first/{n}.txt"
    output: "second/{n}.txt"
    resources: gpus=1, walltime=3min
    shell: "echo second {wildcards.n} >> ran; cat {input} > {output}"
rule table:
    input: expand("second/{n}.txt", n=range(8))
    output: "table.txt"
    local: true
    shell: "cat {input} > {output}"
"""
EACH = sorted(f"{rule} {n}" for rule in ("first", "second") for n in range(8))
TOTAL = "".join(f"{n:02}\n" for n in range(30))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    if why := real_slurm.missing():
        pytest.skip(why)
    yield from real_slurm.slurm(tmp_path_factory.mktemp("slurm"))


@pytest.fixture(params=["srun", "ssh"])
def launcher(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def box(cluster: Path, campaign: Callable[..., Campaign], launcher: str, monkeypatch: pytest.MonkeyPatch) -> Campaign:
    monkeypatch.setenv("SLURM_CONF", str(cluster))
    made = campaign(FLOWFILE, machine=MACHINE.replace("LAUNCHER", launcher))
    made.write("bin/ssh", SSH)
    (made.path / "bin/ssh").chmod(0o755)
    script = (PROFILES / "slurm/job.sh.j2").read_text()
    made.write("machine/job.sh.j2", script.replace("exec {{ command }}", "PATH=$PWD/bin:$PATH\nexec {{ command }}"))
    made.batch = lambda *args: ("--profile", "./machine", "-j", "8", *args)
    return made


def running(box: Campaign) -> list[str]:
    """What was started, a line for each start."""
    return box.read("ledger").splitlines() if box.exists("ledger") else []


def batch_job(box: Campaign, block: str) -> str:
    return json.loads(box.read(f".flowrules/blocks/{block}/submitted"))["id"]


def state(id: str) -> str:
    asked = ["squeue", "--noheader", f"--jobs={id}", "--format=%T"]
    return subprocess.run(asked, capture_output=True, text=True, timeout=60).stdout.strip()


def check(box: Campaign) -> None:
    """All is made, each once, on both nodes, and no GPU was in two hands."""
    assert box.read("total") == TOTAL
    assert box.made_twice() == []
    done = [r for r in box.history() if r["rule"] == "hold" and r["status"] == "done"]
    used = gpus_of(done)
    assert {host for host, _ in used} == {"n1", "n2"}
    assert not box.exists("asked") or set(box.read("asked").split()) == {"n1", "n2"}
    for records in used.values():
        spans = sorted((r["started"], r["ended"]) for r in records)
        assert all(end <= start for (_, end), (start, _) in pairwise(spans))
    assert not queued()
    box.alone()


@pytest.mark.slurm
@pytest.mark.slow
class TestRealSlurm:
    def test_a_killed_driver(self, box: Campaign) -> None:
        driver = box.driver()
        box.until(lambda: len(running(box)) == 8)
        driver.kill()
        driver.wait()
        driver = box.driver()
        box.write("go", "")
        assert driver.wait(120) == 0, box.read("said")
        assert len(running(box)) == 30, "what ran when the driver died did not run again"
        assert box.blocks == ["b001"]
        check(box)

    def test_a_cancelled_block(self, box: Campaign) -> None:
        driver = box.driver()
        box.until(lambda: len(running(box)) == 8)
        subprocess.run(["scancel", batch_job(box, "b001")], check=True, timeout=60)
        box.until(lambda: len(running(box)) == 16, "no other block began")
        box.write("go", "")
        assert driver.wait(120) == 0, box.read("said")
        assert len(running(box)) == 38, "only what ran in the cancelled block ran again"
        assert box.blocks == ["b001", "b002"]
        check(box)

    def test_a_block_that_is_cancelled_behind_a_dead_driver(self, box: Campaign) -> None:
        driver = box.driver()
        box.until(lambda: len(running(box)) == 8)
        driver.kill()
        driver.wait()
        subprocess.run(["scancel", batch_job(box, "b001")], check=True, timeout=60)
        driver = box.driver()
        box.until(lambda: len(running(box)) == 16, "no other block began")
        box.write("go", "")
        assert driver.wait(120) == 0, box.read("said")
        assert len(running(box)) == 38
        check(box)

    def test_a_requeued_block(self, box: Campaign) -> None:
        """Its runner cannot tell that from an end, and gives its jobs back; what Slurm runs again under its id ends."""
        driver = box.driver()
        box.until(lambda: len(running(box)) == 8)
        id = batch_job(box, "b001")
        subprocess.run(["scontrol", "requeue", id], check=True, timeout=60)
        box.until(lambda: state(id) == "PENDING", "it was not requeued")
        subprocess.run(["scontrol", "update", f"JobId={id}", "StartTime=now"], check=True, timeout=60)
        box.until(lambda: len(running(box)) == 16, "what it gave back did not run again")
        box.write("go", "")
        assert driver.wait(120) == 0, box.read("said")
        assert len(running(box)) == 38, "only what ran when the block was requeued ran again"
        assert box.blocks == ["b001", "b002"]
        box.until(lambda: state(id) in ("", "COMPLETED"), "its second run does not end")
        check(box)


RANKS = """
rule all:
    input: "both", expand("one/{n}", n=["0", "1"])
rule wide:
    output: "both"
    resources: nodes=2, ranks_per_node=4, gpus_per_rank=1
    shell: '''{mpirun} bash -c 'echo $SLURMD_NODENAME $SLURM_LOCALID $CUDA_VISIBLE_DEVICES' > {output}'''
rule narrow:
    output: "one/{n}"
    resources: ranks=2, gpus_per_rank=1
    shell: '''
        {mpirun} bash -c 'echo $SLURMD_NODENAME $SLURM_LOCALID $CUDA_VISIBLE_DEVICES' > {output}
        srun --nodes=1 --ntasks=1 true
    '''
"""


@pytest.mark.slurm
@pytest.mark.slow
def test_ranks_by_srun(box: Campaign) -> None:
    """There is no `mpiexec`, as on most machines with Slurm: ranks start as steps of the block, beside the agents."""
    box.write("Flowfile", RANKS)
    box.write("bin/mpiexec", '#!/bin/sh\nexec srun "$@"\n')
    (box.path / "bin/mpiexec").chmod(0o755)
    assert box.driver().wait(120) == 0, box.read("said")
    assert sorted(box.read("both").splitlines()) == [f"n{node} {n} {n}" for node in (1, 2) for n in range(4)]
    record = {record["outputs"][0]: record for record in box.history()}
    for name in ("one/0", "one/1"):
        mine = record[name]
        wanted = [f"{mine['host']} {n} {gpu}" for n, gpu in enumerate(mine["gpus"])]
        assert sorted(box.read(name).splitlines()) == wanted
    box.alone()


@pytest.mark.slurm
@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["ssh"])
@pytest.mark.parametrize("more", [pytest.param((), id="runner"), pytest.param(("--launcher", "parallel"), id="plain")])
def test_blocks_that_wait_for_each_other(box: Campaign, more: tuple[str, ...]) -> None:
    if more and not shutil.which("parallel"):
        pytest.skip("`parallel` is not installed")
    box.write("Flowfile", CHAIN)
    said = box.campaign(*more, "--submit")
    assert "16 jobs handed to 2 blocks; nobody drives" in said
    assert f"#SBATCH --dependency=afterany:{batch_job(box, 'b001')}\n" in box.read(".flowrules/blocks/b002/job.sh")
    box.until(lambda: not queued(), "the blocks do not end", 300)
    # without its maker's good end there is no `second 2`
    assert sorted(box.read("ran").splitlines()) == [job for job in EACH if job != "second 2"]
    assert "n2" in box.read("asked").split(), "the second node was reached"
    box.write("allowed", "")
    said = box.campaign()
    assert "found 2 blocks of an earlier run: 15 jobs ended there" in said
    assert sorted(box.read("ran").splitlines()) == sorted([*EACH, "first 2"])
    assert box.read("table.txt") == "".join(f"{n}\n" for n in range(8))
    assert box.made_twice() == []
    box.alone()


def queued() -> str:
    """What Slurm still has to do."""
    return subprocess.run(["squeue", "--noheader"], capture_output=True, text=True, timeout=60, check=True).stdout
