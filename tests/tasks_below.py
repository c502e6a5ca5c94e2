"""How many tasks a process is: what a login node counts."""

from __future__ import annotations

import os
from pathlib import Path


def tasks_below(pid: int) -> int:
    """Threads of a process and of all its descendants."""
    count, todo = 0, [pid]
    for each in todo:
        try:
            threads = os.listdir(f"/proc/{each}/task")
            count += len(threads)
            for thread in threads:
                todo += [int(child) for child in Path(f"/proc/{each}/task/{thread}/children").read_text().split()]
        except OSError:  # it ended meanwhile
            continue
    return count
