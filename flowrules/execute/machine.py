"""What this machine offers to jobs: cores, memory, GPUs; and how many processes it lets a user have."""

from __future__ import annotations

import math
import os
import re
import socket
import subprocess
from collections.abc import Mapping

GPU_VARIABLES = ("CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "ZE_AFFINITY_MASK")
"""Variables by which a process is told its GPUs: NVIDIA, AMD, Intel."""


def cores() -> int:
    """Cores this process may use: its affinity, and the share its control group is held to."""
    try:
        count = len(os.sched_getaffinity(0))
    except (AttributeError, OSError):
        count = os.cpu_count() or 1
    quotas = [share for folder in _cgroups("cpu") if (share := _cpu_share(folder)) is not None]
    return max(1, min([count, *(math.ceil(q) for q in quotas)]))


def memory_bytes() -> int:
    """Memory for this process and its jobs: the machine's, or less where its control group says so; 0 if unknown."""
    try:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 0
    limits = [total]
    for folder in _cgroups("memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            text = _read(f"{folder}/{name}")
            if text.isdigit():
                limits.append(int(text))
    return min(limits)


def tasks(environ: Mapping[str, str] | None = None) -> tuple[int, int] | None:
    """Processes and threads there are, and may be, in the control group of this user here; None where it has no limit.

    Login nodes have such limits; beyond them programs fail to start, or hang. Of several the tightest counts.
    """
    environ = os.environ if environ is None else environ
    folders = _cgroups("pids")
    if user := environ.get("USER", ""):
        folders.append(f"/sys/fs/cgroup/users/{user}")
    found = []
    for folder in folders:
        most, now = _read(f"{folder}/pids.max"), _read(f"{folder}/pids.current")
        if most.isdigit() and now.isdigit():
            found.append((int(now), int(most)))
    return min(found, key=lambda pair: pair[1] - pair[0], default=None)


def gpus(environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Names of the GPUs jobs may be given, as the machine's variable (`CUDA_VISIBLE_DEVICES`, …) wants them.

    A variable that is set is believed; else NVIDIA's devices are counted.
    """
    environ = os.environ if environ is None else environ
    for variable in GPU_VARIABLES:
        if variable in environ:
            return _visible(environ[variable])
    try:
        found = [m[1] for name in os.listdir("/dev") if (m := re.fullmatch(r"nvidia([0-9]+)", name))]
    except OSError:
        found = []
    if found:
        return tuple(sorted(found, key=int))
    return _asked_of_nvidia_smi()


def gpu_variable(environ: Mapping[str, str] | None = None) -> str:
    """The variable that tells a process its GPUs here: the one that is set, else NVIDIA's."""
    environ = os.environ if environ is None else environ
    return next((v for v in GPU_VARIABLES if v in environ), GPU_VARIABLES[0])


def host() -> str:
    """This machine's name, without its domain."""
    return socket.gethostname().partition(".")[0]


def _visible(value: str) -> tuple[str, ...]:
    """The devices of a list; CUDA stops reading at -1."""
    names: list[str] = []
    for name in value.split(","):
        name = name.strip()
        if not name or name.startswith("-") or name in ("NoDevFiles", "none", "void"):
            break
        if name not in names:
            names.append(name)
    return tuple(names)


def _asked_of_nvidia_smi() -> tuple[str, ...]:
    """Names from `nvidia-smi -L`, for machines that show devices only to those who ask (WSL)."""
    try:
        answer = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(re.findall(r"^GPU (\d+):", answer.stdout, flags=re.MULTILINE)) if answer.returncode == 0 else ()


def _cgroups(controller: str) -> list[str]:
    """Folders of this process's control group and those above it, both versions."""
    folders: list[str] = []
    for line in _read("/proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        if names == "":
            root = "/sys/fs/cgroup"
        elif controller in names.split(","):
            root = (
                f"/sys/fs/cgroup/{names}"
                if os.path.isdir(f"/sys/fs/cgroup/{names}")
                else f"/sys/fs/cgroup/{controller}"
            )
        else:
            continue
        while True:
            folders.append(root + path.rstrip("/"))
            if path in ("/", ""):
                break
            path = path.rpartition("/")[0] or "/"
    return folders


def _cpu_share(folder: str) -> float | None:
    """Cores a control group may use at once; None where it is not held."""
    quota, _, period = _read(f"{folder}/cpu.max").partition(" ")
    if not period:
        quota, period = _read(f"{folder}/cpu.cfs_quota_us"), _read(f"{folder}/cpu.cfs_period_us")
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() and int(period) else None


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""
