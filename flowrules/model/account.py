"""Why a file will be made, or not: all that speaks for it, and where that came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from flowrules.model.files import FileRecord, Stamp
from flowrules.model.job import Job
from flowrules.model.plan import Decision, Reason
from flowrules.model.record import Record


class Finding(NamedTuple):
    """One thing that speaks for running a job.

    Attributes:
        reason: the cause, and what it is about.
        then, now: for a changed input, what it was when the job last started and what it is; None where it is gone.
    """

    reason: Reason
    then: FileRecord | None = None
    now: Stamp | None = None


@dataclass(slots=True)
class Account:
    """Why a file will be made, or not.

    Attributes:
        path: the file; job: its maker, None for a source.
        decision: about the job.
        stamp: what is there now; None where nothing is.
        last: the attempt that made it as it is remembered.
        findings: all that speaks for running the job, what decided first.
        makers: accounts of inputs that will or may be made anew, one for each rule; also: how many more of that rule.
        users: for a source, labels of the jobs that take it.
        kept: a rule once made it, whose own inputs are gone.
        deeper: there are makers, and the account does not go as far back.
    """

    path: str
    job: Job | None
    decision: Decision
    stamp: Stamp | None = None
    last: Record | None = None
    findings: tuple[Finding, ...] = ()
    makers: tuple[tuple[Account, int], ...] = ()
    users: tuple[str, ...] = ()
    kept: bool = False
    deeper: bool = False
