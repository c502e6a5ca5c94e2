"""Jobs of several nodes by a real MPI: hosts with sshd in namespaces, blocks over every launcher."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from campaign_box import Campaign

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from cluster import Cluster, missing

MACHINE = """
scheduler: pbs
launcher: LAUNCHER
node:
  cpus: 4
  gpus:
    env: CUDA_VISIBLE_DEVICES
    slots: [{id: "a"}, {id: "b"}, {id: "c"}, {id: "d"}]
blocks: {nodes: 4, walltime: 20min, max: 1}
worker_init: "PATH=SITE/bin:$PATH"
"""

FLOWFILE = """
let TWO = ["0", "1"]
rule all:
    input: expand("wide/{n}", n=TWO), "three", expand("small/{n}", n=["0", "1", "2", "3"])
rule wide:
    output: "wide/{n}"
    priority: 1
    resources: nodes=2, ranks_per_node=4, gpus_per_rank=1, walltime=5min
    shell: '''
        touch seen/wide{wildcards.n}; until [[ -e seen/wide0 && -e seen/wide1 ]]; do sleep 0.05; done
        {mpirun} bash -c 'echo $HOSTNAME $MPI_LOCALRANKID $CUDA_VISIBLE_DEVICES' > {output}
    '''
rule three:
    input: expand("wide/{n}", n=TWO)
    output: "three"
    priority: 1
    resources: nodes=3, ranks=5, threads_per_rank=2, walltime=1min
    shell: '''
        touch seen/three; until [[ -e seen/small ]]; do sleep 0.05; done
        {mpirun} bash -c 'echo $HOSTNAME $OMP_NUM_THREADS $PMI_SIZE' > {output}
    '''
rule small:
    input: expand("wide/{n}", n=TWO)
    output: "small/{n}"
    resources: gpus=4, walltime=1min
    shell: "touch seen/small; until [[ -e seen/three ]]; do sleep 0.05; done; echo $HOSTNAME > {output}"
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    if why := missing() or ("" if shutil.which("mpiexec") else "no `mpiexec` is installed"):
        pytest.skip(why)
    made = Cluster(tmp_path_factory.mktemp("cluster"), 4)
    yield made
    made.close()


@pytest.fixture
def block_of(cluster: Cluster, campaign: Callable[..., Campaign], monkeypatch: pytest.MonkeyPatch):
    def make(flowfile: str, launcher: str) -> Campaign:
        if launcher == "parallel" and not shutil.which("parallel"):
            pytest.skip("GNU Parallel is not installed")
        machine = MACHINE.replace("LAUNCHER", launcher).replace("SITE", str(cluster.folder))
        box = campaign(flowfile, {"seen/.keep": ""}, machine=machine)
        box.batch = lambda *args: ("--profile", "./machine", *args)
        monkeypatch.setenv("PATH", cluster.environ["PATH"])
        return box

    return make


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["ssh", "mpiexec", "parallel"])
def test_jobs_of_several_nodes_side_by_side(cluster: Cluster, block_of, launcher: str) -> None:
    box = block_of(FLOWFILE, launcher)
    said = box.campaign()
    assert box.blocks == ["b001"], said
    used = []
    for n in "01":
        lines = sorted(box.read(f"wide/{n}").splitlines())
        hosts = sorted({line.split()[0] for line in lines})
        used += hosts
        assert lines == [f"{host} {rank} {gpu}" for host in hosts for rank, gpu in enumerate("abcd")]
    assert sorted(used) == sorted(cluster.hosts.names), "two at once, on two hosts each"
    five = [line.split() for line in box.read("three").splitlines()]
    assert {tuple(rest) for _, *rest in five} == {("2", "5")}
    assert sorted(sum(host == name for host, *_ in five) for name in {host for host, *_ in five}) == [1, 2, 2]
    small = {box.read(f"small/{n}").strip() for n in range(4)}
    assert small - {host for host, *_ in five}, "one ran beside the three nodes"


KILLED = """
rule all:
    input: "after"
rule stubborn:
    output: "never"
    resources: nodes=2, ranks_per_node=2, gpus_per_rank=1, walltime=5s
    shell: '''
        {mpirun} bash -c 'trap "" TERM; echo $HOSTNAME >> up; setsid bash -c "exec -a stubborn-MARK sleep 1000" &
            exec -a stubborn-MARK sleep 1000'
    '''
rule after:
    output: "after"
    shell: "echo > {output}"
"""


def called(mark: str) -> list[int]:
    """Processes on any host that were started with a mark in their command line."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = Path(f"/proc/{name}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0] == mark.encode():
            found.append(int(name))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["ssh", "mpiexec", "parallel"])
def test_no_rank_outlives_a_job_that_is_stopped(block_of, launcher: str) -> None:
    """Though they do not mind being asked, and some left their session, on hosts that are not the job's first."""
    mark = f"stubborn-{os.getpid()}{launcher}"
    box = block_of(KILLED.replace("stubborn-MARK", mark), launcher)
    driver = box.driver("-k", "never", "after")
    box.until(lambda: len(called(mark)) == 8, "the ranks do not run")
    assert driver.wait(120) == 1, box.read("said")
    assert "it was stopped after its walltime of 5s" in box.read("said")
    assert len(set(box.read("up").split())) == 2
    box.until(lambda: not called(mark), "ranks are left")
