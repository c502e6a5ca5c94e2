"""Temp files: each is deleted when the last job that needs it is settled, unless it was asked for."""

from __future__ import annotations

from collections.abc import Sequence

from flowrules.model.job import Job
from flowrules.model.plan import Plan
from flowrules.record.disk import Disk
from flowrules.record.outputs import remove


class Temps:
    """Counts who still needs each temp file of a run."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._users: dict[str, set[int]] = {}
        self._known: set[tuple[str, int]] = set()

    def learn(self, plan: Plan, active: Sequence[bool]) -> None:
        """Notes which active jobs need which temp files; jobs noted before stay as they are."""
        temp = {
            path
            for job in plan.jobs
            for output, path in zip(job.rule.outputs, job.outputs, strict=True)
            if output.flags.temp
        }
        if not temp:
            return
        for job in plan.jobs:
            if active[job.id]:
                for path in job.inputs:
                    if path in temp and (path, job.id) not in self._known:
                        self._known.add((path, job.id))
                        self._users.setdefault(path, set()).add(job.id)

    def settled(self, job: Job, plan: Plan, keep: frozenset[str]) -> list[str]:
        """A job needs its inputs no more; returns the temp files that were deleted."""
        gone = []
        for path in job.inputs:
            users = self._users.get(path)
            if users is None:
                continue
            users.discard(job.id)
            if not users:
                del self._users[path]
                if path not in keep:
                    gone.append(path)
        for path in gone:
            remove(self._disk, path)
        return gone
