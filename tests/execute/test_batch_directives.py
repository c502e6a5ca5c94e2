"""What job scripts ask for, as the sandbox reads it."""

import pytest

from flowrules.errors import BatchError
from flowrules.execute.batch.directives import Request, pbs_seconds, read_request, slurm_seconds


def test_pbs():
    script = """#!/bin/bash -l
#PBS -N block-1
#PBS -A project
#PBS -q debug@server
#PBS -l select=2:ncpus=64:ngpus=4:system=x+1:ngpus=2
#PBS -l place=scatter,walltime=01:02:03,filesystems=home:scratch
#PBS -j oe -k doe
#PBS -o "/a folder/"
# a comment
cd "$PBS_O_WORKDIR"
#PBS -q too-late
"""
    assert read_request(script) == Request(("debug",), 3, 3723.0, 64, 4, "/a folder/", "", True)


def test_slurm():
    script = """#!/bin/bash
#SBATCH --job-name=block-1 --nodes=4
#SBATCH -A project -q regular --constraint gpu
#SBATCH -t 1-02:00
#SBATCH --gpus-per-node=a100:4 --exclusive
#SBATCH -o out-%j

srun true
#SBATCH -N 9
"""
    assert read_request(script) == Request(("regular",), 4, 93600.0, None, 4, "out-%j", "", True)


def test_partition_and_qos_may_both_be_meant():
    assert read_request("#SBATCH -p gpu --qos=high\n").queues == ("gpu", "high")


def test_what_it_waits_for():
    assert read_request("#PBS -W depend=afterany:1.x:2.x\n").after == ("1.x", "2.x")
    assert read_request("#SBATCH --dependency=afterany:7\n").after == ("7",)
    for text in ("afterok:1", "afterany", "afterany:1:", "1"):
        with pytest.raises(BatchError, match="knows `afterany:ID:…` only"):
            read_request(f"#PBS -W depend={text}\n")


def test_nothing_is_asked_for():
    assert read_request("#!/bin/sh\ntrue\n") == read_request("") == Request()


def test_a_chunk_without_a_number_is_one_node():
    assert read_request("#PBS -l select=ncpus=4\n").nodes == 1
    assert read_request("#PBS -l select=1:vnode=a+62:system=x\n").nodes == 63


@pytest.mark.parametrize(
    "line",
    [
        "#PBS -l select=many",
        "#PBS -l walltime=1h",
        "#PBS -Z",
        "#PBS -o 'open",
        "#SBATCH -N many",
        "#SBATCH --time=1h",
        "#SBATCH --gpus-per-node=all",
    ],
)
def test_what_cannot_be_understood(line):
    with pytest.raises(BatchError, match="cannot be understood") as error:
        read_request(f"#!/bin/sh\n{line}\n")
    assert error.value.final


@pytest.mark.parametrize("text, seconds", [("90", 90), ("1:30", 90), ("02:00:00", 7200), ("1.5", 1.5)])
def test_walltimes_of_pbs(text, seconds):
    assert pbs_seconds(text) == seconds


@pytest.mark.parametrize(
    "text, seconds",
    [("5", 300), ("1:30", 90), ("2:00:00", 7200), ("1-2", 93600), ("1-2:30", 95400), ("1-0:0:1", 86401)],
)
def test_time_limits_of_slurm(text, seconds):
    assert slurm_seconds(text) == seconds
