"""Temp files: each is deleted when the last job that needs it is settled, unless it was asked for."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from flowrules.model.job import Job
from flowrules.model.plan import Decision, Plan
from flowrules.record.disk import Disk
from flowrules.record.outputs import remove


class Temps:
    """Counts who still needs each temp file of a run.

    While it is not known what checkpoints lead to, nothing is deleted: a job that nobody knows yet may need the file.
    """

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._users: dict[str, set[int]] = {}
        self._settled: set[int] = set()
        self._due: dict[str, None] = {}

    def learn(self, plan: Plan, active: Sequence[bool]) -> None:
        """Notes which active jobs need which temp files; called again when the DAG was derived again."""
        temp = {path for job in plan.jobs for path in temp_outputs(job)}
        if not temp:
            return
        for job in plan.jobs:
            if active[job.id] and job.id not in self._settled:
                for path in job.inputs:
                    if path in temp:
                        self._users.setdefault(path, set()).add(job.id)
                        self._due.pop(path, None)

    def settled(self, job: Job, *, made: bool) -> None:
        """A job needs its inputs no more; what it made and nobody needs is due as well."""
        self._settled.add(job.id)
        for path in job.inputs:
            users = self._users.get(path)
            if users is not None:
                users.discard(job.id)
                if not users:
                    del self._users[path]
                    self._due[path] = None
        if made:
            for path in temp_outputs(job):
                if path not in self._users:
                    self._due[path] = None

    def sweep(self, keep: Collection[str]) -> list[str]:
        """Deletes what is due and not to be kept; returns it."""
        gone = [path for path in self._due if path not in keep]
        self._due.clear()
        for path in gone:
            remove(self._disk, path)
        return gone


def remove_leftovers(plan: Plan, disk: Disk) -> list[str]:
    """Deletes temp files a killed driver left behind although nobody needs them any more; returns them."""
    if plan.unknown:
        return []
    needed = set(plan.targets)
    for job, decision in zip(plan.jobs, plan.decisions, strict=True):
        if decision is not Decision.SKIP:
            needed.update(job.inputs, job.outputs)
    gone = [path for job in plan.jobs for path in temp_outputs(job) if path not in needed and remove(disk, path)]
    disk.forget(gone)
    return gone


def temp_outputs(job: Job) -> list[str]:
    """The outputs of a job that are marked `temp`."""
    return [path for output, path in zip(job.rule.outputs, job.outputs, strict=True) if output.flags.temp]
