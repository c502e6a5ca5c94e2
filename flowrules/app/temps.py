"""Temp files: each is deleted when the last job that needs it is settled, unless it was asked for."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from flowrules.model.job import Job
from flowrules.model.plan import Decision, Plan
from flowrules.record.disk import Disk
from flowrules.record.outputs import remove


class Temps:
    """Counts who still needs each temp file of a run; who needs a file in a temp folder needs the folder.

    While it is not known what checkpoints lead to, nothing is deleted: a job that nobody knows yet may need the file.
    """

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._users: dict[str, set[int]] = {}
        self._settled: set[int] = set()
        self._due: dict[str, None] = {}
        self._folders: set[str] = set()
        self._asked: set[str] = set()
        self._any = False

    def learn(self, plan: Plan, active: Sequence[bool]) -> None:
        """Notes which active jobs need which temp files; called again when the DAG was derived again."""
        temp = {path for job in plan.jobs for path in temp_outputs(job)}
        if not temp:
            return
        self._any = True
        self._folders = temp_folders(plan)
        self._asked = set(holders(plan.targets, self._folders))
        for job in plan.jobs:
            if active[job.id] and job.id not in self._settled:
                for path in holders(job.inputs, self._folders):
                    if path in temp:
                        self._users.setdefault(path, set()).add(job.id)
                        self._due.pop(path, None)

    def settled(self, job: Job, *, made: bool) -> None:
        """A job needs its inputs no more; what it made and nobody needs is due as well."""
        self._settled.add(job.id)
        if not self._any:
            return
        for path in holders(job.inputs, self._folders):
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

    def sweep(self) -> list[str]:
        """Deletes what is due and was not asked for; returns it."""
        if not self._due:
            return []
        gone = [path for path in self._due if path not in self._asked]
        self._due.clear()
        for path in gone:
            remove(self._disk, path)
        return gone


def remove_leftovers(plan: Plan, disk: Disk) -> list[str]:
    """Deletes temp files a killed driver left behind although nobody needs them any more; returns them."""
    if plan.unknown:
        return []
    folders = temp_folders(plan)
    needed = set(holders(plan.targets, folders))
    for job, decision in zip(plan.jobs, plan.decisions, strict=True):
        if decision is not Decision.SKIP:
            needed.update(holders(job.inputs, folders), job.outputs)
    gone = [path for job in plan.jobs for path in temp_outputs(job) if path not in needed and remove(disk, path)]
    disk.forget(gone)
    return gone


def temp_folders(plan: Plan) -> set[str]:
    """The folders among the temp outputs of a plan."""
    return {
        path
        for job in plan.jobs
        for output, path in zip(job.rule.outputs, job.outputs, strict=True)
        if output.flags.temp and output.flags.directory
    }


def holders(paths: Sequence[str], folders: Collection[str]) -> Sequence[str]:
    """Paths, with a folder in place of each that lies in one of some folders."""
    return [holder(path, folders) for path in paths] if folders else paths


def holder(path: str, folders: Collection[str]) -> str:
    """The one of some folders that a path lies in, or else the path itself."""
    above = path
    while folders and (above := above.rpartition("/")[0]):
        if above in folders:
            return above
    return path


def temp_outputs(job: Job) -> list[str]:
    """The outputs of a job that are marked `temp`."""
    return [path for output, path in zip(job.rule.outputs, job.outputs, strict=True) if output.flags.temp]
