"""Slurm, spoken to by its commands.

`squeue` tells what the controller remembers, with exit statuses, for some minutes after an end; where the site keeps
accounts `sacct` tells the rest. `scontrol show job` knows no more than `squeue`, and answers for one id at a time.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence

from flowrules.errors import BatchError, BatchFull
from flowrules.execute.batch.commands import Answer, asking
from flowrules.model.batch import BatchState, BatchStatus, QueueToday
from flowrules.ports import Waiting

_ID = re.compile(r"\d+")
_FORMAT = "JobID:20,State:20,exit_code:20,Reason:160"
_HISTORY = "now-14days"

_WAITING = frozenset({"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_FED"})
_KEPT_BACK = frozenset({"REQUEUE_HOLD", "SPECIAL_EXIT", "RESV_DEL_HOLD", "SUSPENDED", "STOPPED"})
_GOING = frozenset({"RUNNING", "COMPLETING", "SIGNALING", "STAGE_OUT", "RESIZING"})
_ENDS = {
    "COMPLETED": "",
    "FAILED": "failed",
    "CANCELLED": "was cancelled",
    "TIMEOUT": "was ended at its walltime",
    "DEADLINE": "was ended at its deadline",
    "NODE_FAIL": "was ended because one of its nodes was lost",
    "BOOT_FAIL": "could not be started: a node did not boot",
    "LAUNCH_FAILED": "could not be started",
    "OUT_OF_MEMORY": "was ended because it used more memory than it asked for",
    "PREEMPTED": "was ended in favour of another batch job",
    "REVOKED": "was taken over by another cluster",
}
_ATTRIBUTE = re.compile(r"(?:^|\s)(\w+)=(\S*)")
_TIME = re.compile(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)")
_SOON = 10.0
"""Seconds in which partitions are to be told of: what is not known then is taken as the profile says."""

_HELD_REASON = re.compile(r"held", re.IGNORECASE)
_NO_REASON = frozenset({"", "None", "(null)", "NonZeroExitCode"})

_UNKNOWN_ID = re.compile(r"invalid job id", re.IGNORECASE)
_OVER = re.compile(r"already complet", re.IGNORECASE)
_NO_ACCOUNTS = re.compile(r"accounting storage is disabled|no accounting storage", re.IGNORECASE)
_FULL = re.compile(r"Max(Submit)?Jobs?|(Grp|Max)Submit|submit limit reached", re.IGNORECASE)
_PASSING = re.compile(
    r"unable to contact|unable to connect|could not establish|timed? ?out|connection (refused|reset)|temporarily"
    r"|try again|zero bytes|transport endpoint|communication|standby mode|authentication|munge|persist"
    r"|no route to host",
    re.IGNORECASE,
)


class Slurm:
    """A `BatchSystem`. Exit statuses are the script's, or 256 and the number of the signal that ended it."""

    def __init__(self, *, directory: str | None = None, limit: float = 60.0) -> None:
        """
        Args:
            directory: from where batch jobs are submitted, and where they start; the current one by default.
            limit: seconds each command may take.
        """
        self._directory = directory
        self._limit = limit
        self._accounts = True

    def submit(self, script: str, name: str) -> Waiting[str]:
        """See `BatchSystem`."""
        argv = ["sbatch", "--parsable", f"--job-name={name}"]
        answer = yield from asking(argv, limit=self._limit, text=script, directory=self._directory)
        if answer.status:
            raise _refusal(answer, "sbatch", f"Slurm did not take batch job `{name}`")
        for line in reversed(answer.lines()):  # `ID` or `ID;CLUSTER`
            if _ID.fullmatch(id := line.partition(";")[0]):
                return id
        raise BatchError(f"`sbatch` did not say the id of batch job `{name}`")

    def find(self, name: str) -> Waiting[list[str]]:
        """See `BatchSystem`."""
        answer = yield from self._ask("squeue", "--noheader", "--states=all", f"--name={name}", "--format=%i")
        if answer.status:
            raise _refusal(answer, "squeue", f"Slurm did not say whether there is a batch job `{name}`")
        found = dict.fromkeys(line for line in answer.lines() if _ID.fullmatch(line))
        accounts = yield from self._sacct(f"--name={name}", f"--starttime={_HISTORY}", "--format=JobIDRaw")
        return [*found, *(line for line in accounts if _ID.fullmatch(line) and line not in found)]

    def status(self, ids: Sequence[str]) -> Waiting[Mapping[str, BatchStatus]]:
        """See `BatchSystem`."""
        wanted = [id for id in ids if _ID.fullmatch(id)]
        if not wanted:
            return {}
        answer = yield from self._ask(
            "squeue", "--noheader", "--states=all", f"--jobs={','.join(wanted)}", f"--Format={_FORMAT}"
        )
        if answer.status and not _UNKNOWN_ID.search(answer.err):
            raise _refusal(answer, "squeue", "Slurm did not say how batch jobs are")
        if answer.out and not answer.out.endswith("\n"):
            raise BatchError("`squeue` answered by half")
        found = _read(line.split(None, 3) for line in answer.lines())
        if missing := [id for id in wanted if id not in found]:
            fields = "--format=JobIDRaw,State,ExitCode,Reason"
            accounts = yield from self._sacct(f"--jobs={','.join(missing)}", fields)
            found |= _read(line.split("|", 3) for line in accounts)
        return {id: found[id] for id in wanted if id in found}

    def queues(self) -> Waiting[Mapping[str, QueueToday]]:
        """See `BatchSystem`; the queues are partitions. Those of which one should not know are among them."""
        argv = ["scontrol", "--all", "--oneliner", "show", "partition"]
        answer = yield from asking(argv, limit=min(self._limit, _SOON))
        if answer.status:
            raise _refusal(answer, "scontrol", "Slurm did not say what its partitions are")
        if not answer.out.endswith("\n"):
            raise BatchError("`scontrol` answered by half")
        partitions = [dict(_ATTRIBUTE.findall(line)) for line in answer.lines()]
        return {said["PartitionName"]: _partition(said) for said in partitions if said.get("PartitionName")}

    def cancel(self, id: str) -> Waiting[None]:
        """See `BatchSystem`."""
        if not _ID.fullmatch(id):
            return
        answer = yield from self._ask("scancel", id)
        if answer.status and not (_UNKNOWN_ID.search(answer.err) or _OVER.search(answer.err)):
            raise _refusal(answer, "scancel", f"Slurm did not end batch job `{id}`")

    def _sacct(self, *options: str) -> Waiting[list[str]]:
        """Lines of the site's accounts; none where it keeps none."""
        if not self._accounts:
            return []
        try:
            answer = yield from self._ask("sacct", "--allocations", "--noheader", "--parsable2", *options)
        except BatchError as error:
            if not error.final:
                raise
            self._accounts = False  # where there are no accounts, there may be no command
            return []
        if _NO_ACCOUNTS.search(answer.err):
            self._accounts = False
            return []
        if answer.status and not _UNKNOWN_ID.search(answer.err):
            raise _refusal(answer, "sacct", "Slurm did not say what became of batch jobs")
        return answer.lines()

    def _ask(self, *argv: str) -> Waiting[Answer]:
        # what people set for themselves would change what is asked
        env = {k: v for k, v in os.environ.items() if not k.startswith(("SQUEUE_", "SACCT_", "SCANCEL_"))}
        return asking(argv, limit=self._limit, env=env)


def _read(rows: Iterable[list[str]]) -> dict[str, BatchStatus]:
    """Of rows with id, state, exit status and perhaps a reason; others are passed over."""
    found = {}
    for row in rows:
        if len(row) >= 3 and _ID.fullmatch(row[0]):
            status = _status(row[1], row[2], row[3].strip() if len(row) > 3 else "")
            if status is not None:
                found[row[0]] = status
    return found


def _status(state: str, exit: str, reason: str) -> BatchStatus | None:
    state = state.split()[0].rstrip("+") if state.strip() else ""  # `CANCELLED by 1000`
    reason = "" if reason in _NO_REASON else reason
    if state in _WAITING:
        return BatchStatus(BatchState.HELD if _HELD_REASON.search(reason) else BatchState.QUEUED, reason)
    if state in _KEPT_BACK:
        return BatchStatus(BatchState.HELD, reason)
    if state in _GOING:
        return BatchStatus(BatchState.RUNNING, reason)
    if state not in _ENDS:
        return None
    status = _exit(exit)
    if status == 0 and state != "COMPLETED":  # it did not end by itself
        status = None
    said = _ENDS[state]
    if state == "FAILED" and status is not None:
        said = f"its script ended with status {status}" if status < 256 else f"was ended by signal {status - 256}"
    return BatchStatus(BatchState.ENDED, f"{said} ({reason})" if said and reason else said, status)


def _partition(said: Mapping[str, str]) -> QueueToday:
    state = said.get("State", "UP")
    return QueueToday(
        said["PartitionName"],
        enabled=state not in ("DRAIN", "INACTIVE"),
        started=state not in ("DOWN", "INACTIVE"),
        nodes=(max(1, _count(said.get("MinNodes")) or 1), _count(said.get("MaxNodes"))),
        walltime=(0.0, _seconds(said.get("MaxTime", ""))),
    )


def _count(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() else None


def _seconds(text: str) -> float | None:
    """Of `DAYS-HH:MM:SS` or `MM:SS`; None for `UNLIMITED`."""
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)


def _exit(text: str) -> int | None:
    """Of `CODE:SIGNAL` as `sacct` writes it, or of the kernel's number as `squeue` does."""
    code, colon, number = text.partition(":")
    if not (code.isdecimal() and (number.isdecimal() or not colon)):
        return None
    ended, by = (int(code), int(number)) if colon else (int(code) >> 8, int(code) & 0x7F)
    return 256 + by if by else ended


def _refusal(answer: Answer, program: str, what: str) -> BatchError:
    """A command that failed; Slurm's commands have one exit status for everything, so the words decide."""
    words = answer.words(program) or "it said nothing"
    message = f"{what}: {words} (`{program}` ended with status {answer.status})"
    if _FULL.search(words):
        return BatchFull(message)
    return BatchError(message, final=answer.status > 0 and bool(answer.err.strip()) and not _PASSING.search(words))
