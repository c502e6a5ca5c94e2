"""What a node is made of, as far as a profile speaks of it: hardware threads, and which of them are beside each GPU."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping

_PCI = "/sys/bus/pci/devices"


def hardware_threads() -> int:
    """Hardware threads of the whole machine, whoever may use them."""
    return os.cpu_count() or 1


def gpu_neighbours(pci: str = _PCI) -> Mapping[str, tuple[int, ...]]:
    """For each NVIDIA GPU, by index, the hardware threads the kernel calls local to it; empty where nothing is known.

    Args:
        pci: folder in which the kernel lists devices.
    """
    try:
        answer = subprocess.run(
            ["nvidia-smi", "--query-gpu=index,pci.bus_id", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return {}
    if answer.returncode != 0:
        return {}
    found = {}
    for index, bus in re.findall(r"^(\d+), *([0-9A-Fa-f:.]+)$", answer.stdout, flags=re.MULTILINE):
        # nvidia-smi writes the domain with eight digits, the kernel with four
        threads = _local(os.path.join(pci, bus.lower()[-12:], "local_cpulist"))
        if threads:
            found[index] = threads
    return found


def _local(path: str) -> tuple[int, ...]:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            text = file.read().strip()
    except OSError:
        return ()
    threads: list[int] = []
    for first, last in re.findall(r"(\d+)(?:-(\d+))?", text):
        threads += range(int(first), int(last or first) + 1)
    return tuple(threads)
