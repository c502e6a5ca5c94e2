"""What a machine offers."""

import os

import pytest

from flowrules.execute import machine


def test_cores_are_those_this_process_may_use():
    before = os.sched_getaffinity(0)
    assert 1 <= machine.cores() <= len(before)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert machine.cores() == 1
    finally:
        os.sched_setaffinity(0, before)


def test_memory():
    assert machine.memory_bytes() > 1 << 26


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"CUDA_VISIBLE_DEVICES": "2,0"}, ("2", "0")),
        ({"CUDA_VISIBLE_DEVICES": ""}, ()),
        ({"CUDA_VISIBLE_DEVICES": "-1"}, ()),
        ({"CUDA_VISIBLE_DEVICES": "0,-1,2"}, ("0",)),
        ({"CUDA_VISIBLE_DEVICES": " GPU-8932f937 , MIG-1 "}, ("GPU-8932f937", "MIG-1")),
        ({"ROCR_VISIBLE_DEVICES": "0,1"}, ("0", "1")),
        ({"ZE_AFFINITY_MASK": "0.0,0.1"}, ("0.0", "0.1")),
    ],
)
def test_a_variable_that_is_set_is_believed(environ: dict[str, str], expected: tuple[str, ...]):
    assert machine.gpus(environ) == expected
    assert machine.gpu_variable(environ) == next(iter(environ))


def test_without_a_variable_devices_are_counted(monkeypatch):
    monkeypatch.setattr(os, "listdir", lambda folder: ["nvidia10", "nvidia2", "nvidiactl", "nvidia-uvm", "null"])
    assert machine.gpus({}) == ("2", "10")
    assert machine.gpu_variable({}) == "CUDA_VISIBLE_DEVICES"


def test_a_machine_that_shows_no_devices_is_asked(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "listdir", lambda folder: ["null"])
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machine.gpus({}) == ()
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'GPU 0: NVIDIA A100 (UUID: GPU-1)'\necho 'GPU 1: NVIDIA A100 (UUID: GPU-2)'\n")
    program.chmod(0o755)
    assert machine.gpus({}) == ("0", "1")


CGROUP2 = {"/proc/self/cgroup": "0::/user/job\n", "/sys/fs/cgroup/user/cpu.max": "150000 100000"}
CGROUP1 = {
    "/proc/self/cgroup": "4:memory:/slurm\n3:cpu,cpuacct:/slurm\n",
    "/sys/fs/cgroup/cpu/slurm/cpu.cfs_quota_us": "150000",
    "/sys/fs/cgroup/cpu/slurm/cpu.cfs_period_us": "100000",
}


@pytest.mark.parametrize("files", [CGROUP2, CGROUP1], ids=["v2", "v1"])
def test_a_control_group_holds_cores(monkeypatch, files: dict[str, str]):
    monkeypatch.setattr(machine, "_read", lambda path: files.get(path, ""))
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(64)))
    assert machine.cores() == 2


@pytest.mark.parametrize("limit", ["1048576", "max", "9223372036854771712"])
def test_a_control_group_holds_memory(monkeypatch, limit: str):
    files = {"/proc/self/cgroup": "0::/a/b\n", "/sys/fs/cgroup/a/memory.max": limit}
    monkeypatch.setattr(machine, "_read", lambda path: files.get(path, ""))
    memory = machine.memory_bytes()
    assert memory == 1048576 if limit == "1048576" else 1 << 26 < memory < 1 << 50


LOGIN = {
    "/proc/self/cgroup": "0::/user.slice/user-7.slice/session-1.scope\n",
    "/sys/fs/cgroup/user.slice/pids.max": "max",
    "/sys/fs/cgroup/user.slice/pids.current": "4000",
    "/sys/fs/cgroup/user.slice/user-7.slice/pids.max": "1000",
    "/sys/fs/cgroup/user.slice/user-7.slice/pids.current": "20",
}


@pytest.mark.parametrize(
    ("more", "user", "found"),
    [
        ({}, "ada", (20, 1000)),
        # as Polaris has it: a control group of the user's name
        ({"/sys/fs/cgroup/users/ada/pids.max": "128", "/sys/fs/cgroup/users/ada/pids.current": "31"}, "ada", (31, 128)),
        ({"/sys/fs/cgroup/users/ada/pids.max": "128", "/sys/fs/cgroup/users/ada/pids.current": "31"}, "", (20, 1000)),
        ({"/sys/fs/cgroup/user.slice/user-7.slice/pids.max": "max"}, "ada", None),
        ({"/sys/fs/cgroup/user.slice/user-7.slice/pids.current": ""}, "ada", None),
    ],
)
def test_a_control_group_holds_processes(monkeypatch, more, user, found):
    files = {**LOGIN, **more}
    monkeypatch.setattr(machine, "_read", lambda path: files.get(path, ""))
    assert machine.tasks({"USER": user}) == found


def test_the_host_has_a_short_name():
    assert machine.host()
    assert "." not in machine.host()
