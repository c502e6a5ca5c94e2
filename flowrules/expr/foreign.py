"""What resources are called elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

RESOURCES: Final[Mapping[str, tuple[str, str]]] = {
    "mem_mb": ("mem", "MB"),
    "mem_mib": ("mem", "MiB"),
    "mem_gb": ("mem", "GB"),
    "mem_gib": ("mem", "GiB"),
    "memory": ("mem", "MB"),
    "disk_mb": ("disk", "MB"),
    "disk_mib": ("disk", "MiB"),
    "disk_gb": ("disk", "GB"),
    "runtime": ("walltime", "min"),
    "time": ("walltime", "min"),
    "time_min": ("walltime", "min"),
    "runtime_min": ("walltime", "min"),
    "walltime_min": ("walltime", "min"),
}
"""Names of resources elsewhere, with ours and the unit that is meant there."""
