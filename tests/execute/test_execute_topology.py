"""Which hardware threads are beside a GPU: a driver's answer as one was recorded, and the kernel's files in a folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flowrules.execute.topology import gpu_neighbours, hardware_threads

ANSWER = "0, 00000000:07:00.0\n1, 00000000:46:00.0\n2, 00000001:85:00.0\n"


@pytest.fixture
def smi(tmp_path: Path, monkeypatch):
    """Writes an `nvidia-smi` that gives an answer and a status."""

    def write(answer: str, status: int = 0) -> None:
        (tmp_path / "answer").write_text(answer)
        program = tmp_path / "nvidia-smi"
        program.write_text(f"#!/bin/sh\ncat {tmp_path}/answer\nexit {status}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    return write


def device(pci: Path, name: str, threads: str) -> None:
    folder = pci / name
    folder.mkdir(parents=True)
    (folder / "local_cpulist").write_text(f"{threads}\n")


def test_neighbours(smi, tmp_path):
    smi(ANSWER)
    device(tmp_path, "0000:07:00.0", "24-27,56")
    device(tmp_path, "0000:46:00.0", "3")
    assert gpu_neighbours(str(tmp_path)) == {"0": (24, 25, 26, 27, 56), "1": (3,)}, "of the third nothing is known"


def test_no_answer(smi, tmp_path, monkeypatch):
    smi("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n", 9)
    assert gpu_neighbours(str(tmp_path)) == {}
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert gpu_neighbours(str(tmp_path)) == {}


def test_threads_of_the_machine():
    assert hardware_threads() >= len(os.sched_getaffinity(0))
