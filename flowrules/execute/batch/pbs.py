"""PBS Pro and OpenPBS, spoken to by their commands."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from flowrules.errors import BatchError
from flowrules.execute.batch import pbs_answers as answers
from flowrules.execute.batch.commands import Answer, asking
from flowrules.execute.batch.pbs_queues import read_queues
from flowrules.model.batch import BatchState, BatchStatus, QueueToday
from flowrules.ports import Waiting

_ID = re.compile(r"\d+(\[\d*\])?(\.\S+)?")
_USAGE = 2
_SOON = 10.0
"""Seconds in which queues are to be told of: what is not known then is taken as the profile says."""

_UNKNOWN_OPTION = re.compile(r"(invalid|illegal|unrecognized|unknown) option")


class Pbs:
    """A `BatchSystem`."""

    def __init__(self, *, directory: str | None = None, limit: float = 60.0) -> None:
        """
        Args:
            directory: from where batch jobs are submitted (their `PBS_O_WORKDIR`); the current one by default.
            limit: seconds each command may take.
        """
        self._directory = directory
        self._limit = limit
        self._leaves_helper = False
        self._history = True

    def submit(self, script: str, name: str) -> Waiting[str]:
        """See `BatchSystem`."""
        # -f: no helper process that stays; it is not known to older ones
        answer = yield from self._qsub(script, name, *([] if self._leaves_helper else ["-f"]))
        if answer.status == _USAGE and not self._leaves_helper and _UNKNOWN_OPTION.search(answer.err):
            self._leaves_helper = True
            answer = yield from self._qsub(script, name)
        if answer.status:
            raise answers.refusal(answer, "qsub", f"PBS did not take batch job `{name}`")
        for line in reversed(answer.lines()):  # sites print greetings before it
            if _ID.fullmatch(line):
                return line
        raise BatchError(f"`qsub` did not say the id of batch job `{name}`")

    def find(self, name: str) -> Waiting[list[str]]:
        """See `BatchSystem`."""
        answer = yield from self._ask("qselect", *self._with_history(), "-N", name)
        if answers.lacks_history(answer):
            self._history = False
            answer = yield from self._ask("qselect", "-N", name)
        if answer.status:
            raise answers.refusal(answer, "qselect", f"PBS did not say whether there is a batch job `{name}`")
        return [line for line in answer.lines() if _ID.fullmatch(line)]

    def status(self, ids: Sequence[str]) -> Waiting[Mapping[str, BatchStatus]]:
        """See `BatchSystem`."""
        missing = {id for id in ids if _ID.fullmatch(id)}
        found: dict[str, BatchStatus] = {}
        # -E because some versions answer for the first id only without it; the text where even so it is not whole
        for form in (["-F", "json", "-E"], ["-w"]):
            if not missing:
                break
            answer = yield from self._qstat(form, sorted(missing))
            jobs = answers.read_json(answer.out) if "json" in form else answers.read_text(answer.out)
            found |= {id: answers.status_of(said) for id, said in answers.of_ids(jobs, missing).items()}
            over = answers.finished(answer, missing) - found.keys()
            found |= dict.fromkeys(over, BatchStatus(BatchState.ENDED, "PBS keeps no history of it"))
            missing -= found.keys() | answers.unknown(answer, missing)
        if missing:
            raise BatchError(f"`qstat` did not answer for {', '.join(f'`{id}`' for id in sorted(missing))}")
        return found

    def cancel(self, id: str) -> Waiting[None]:
        """See `BatchSystem`."""
        if not _ID.fullmatch(id):
            return
        answer = yield from self._ask("qdel", id)
        if answer.status and answer.status not in {answers.UNKNOWN, answers.FINISHED, *answers.EXITING}:
            raise answers.refusal(answer, "qdel", f"PBS did not end batch job `{id}`")

    def queues(self) -> Waiting[Mapping[str, QueueToday]]:
        """See `BatchSystem`."""
        for form in (["-F", "json"], ["-w"], []):  # older ones know neither form
            answer = yield from asking(["qstat", "-Q", "-f", *form], limit=min(self._limit, _SOON))
            if found := read_queues(answer.out):
                return found
        raise answers.refusal(answer, "qstat", "PBS did not say what its queues are")

    def _qsub(self, script: str, name: str, *options: str) -> Waiting[Answer]:
        argv = ["qsub", *options, "-N", name]
        return asking(argv, limit=self._limit, text=script, directory=self._directory)

    def _qstat(self, form: list[str], ids: list[str]) -> Waiting[Answer]:
        answer = yield from self._ask("qstat", *self._with_history(), "-f", *form, *ids)
        if answers.lacks_history(answer):
            self._history = False
            answer = yield from self._ask("qstat", "-f", *form, *ids)
        if answer.status not in (0, _USAGE, answers.UNKNOWN, answers.FINISHED):
            raise answers.refusal(answer, "qstat", "PBS did not say how batch jobs are")
        return answer

    def _with_history(self) -> list[str]:
        return ["-x"] if self._history else []

    def _ask(self, *argv: str) -> Waiting[Answer]:
        return asking(argv, limit=self._limit)
