"""What a driver takes of a login node, and whether there is room for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from flowrules.execute.machine import tasks

MOST_TASKS: Final = 16
"""Processes and threads of a driver with a batch profile, whatever `-j`; jobs with `local: true` come on top."""

A_LOCAL_JOB: Final = 4
"""Processes and threads of a job beside the driver, as they mostly are: a shell, and a pipe in it."""


def room(environ: Mapping[str, str] | None = None) -> tuple[bool, str] | None:
    """Whether a driver has room beside what its user runs here, and how it stands in words; None without a limit."""
    found = tasks(environ)
    if found is None:
        return None
    now, most = found
    said = f"{now} of {most} processes and threads that you may have on this host are there"
    if most - now < MOST_TASKS:
        more = f"a driver takes up to {MOST_TASKS}, and beyond the limit programs fail to start, or hang"
        return False, f"{said}; {more}: end some, or go to another login node"
    return True, f"{said}; a driver takes up to {MOST_TASKS}"


def local_cores(cores: int, environ: Mapping[str, str] | None = None) -> int:
    """Cores for jobs with `local: true` where the call names none: all of this host, or what there is room for."""
    found = tasks(environ)
    if found is None:
        return cores
    now, most = found
    return max(1, min(cores, (most - now - MOST_TASKS) // A_LOCAL_JOB))
