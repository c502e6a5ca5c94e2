"""What a call left behind: children of this process."""

from __future__ import annotations

import os
import sys


def has_left() -> bool:
    """Whether this process has children that live; those that `multiprocessing` keeps for itself do not count."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    known = set()
    for name, attribute in (("resource_tracker", "_resource_tracker"), ("forkserver", "_forkserver")):
        module = sys.modules.get(f"multiprocessing.{name}")
        helper = getattr(module, attribute, None)
        known |= {getattr(helper, "_pid", None), getattr(helper, "_forkserver_pid", None)}
    return any(pid not in known for pid in living())


def living() -> list[int]:
    """Children of this process that are not dead."""
    living = []
    for task in os.listdir("/proc/self/task"):
        try:
            with open(f"/proc/self/task/{task}/children", encoding="ascii") as file:
                pids = [int(pid) for pid in file.read().split()]
        except OSError:
            continue
        for pid in pids:
            try:
                with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
                    if file.read().rpartition(")")[2].split()[0] not in "ZX":
                        living.append(pid)
            except OSError:
                continue
    return living
