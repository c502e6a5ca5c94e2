"""Jobs that blocks end before they do: again, as it costs them no attempt, but not for ever."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import Final

from flowrules.app.attempt import log_path
from flowrules.model.job import Job
from flowrules.model.record import Record
from flowrules.plan.build import Planned

CUT: Final = 2
"""How often a job may be cut off after more than half of a block's walltime: it takes longer than blocks last."""


@dataclass(slots=True)
class Handed:
    """A task that a block holds, as far as the driver needs it: all else is the task's own, and comes back in its end.

    Attributes:
        job, attempt: what it is an attempt of; run, threads, reason: as its record has them.
        stale: the job would be another today; it was cancelled, and runs anew when its end is known.
        began: when it was heard of that it started, by the monotonic clock; None before. node: where.
    """

    job: int
    attempt: int
    block: str
    run: str
    threads: int
    reason: str
    stale: bool = False
    began: float | None = None
    node: str = ""


class CutOffs:
    """How often each job was cut off."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()

    def are_enough(self, handed: Handed, walltime: float, now: float) -> bool:
        """Whether a job whose task comes back will never end in a block of so many seconds."""
        if handed.began is None or now - handed.began <= walltime / 2:
            return False
        self._counts[handed.job] += 1
        return self._counts[handed.job] >= CUT


def cut_off_record(planned: Planned, job: Job, handed: Handed, now: float) -> Record:
    """The last attempt of a job that was cut off too often; its block did not write one, as it did not fail there."""
    fingerprints, ended = planned.judge.fingerprints, time.time()
    return Record(
        job.rule.name,
        job.wildcards,
        [],
        code=fingerprints.code(job.rule),
        params=fingerprints.params(job),
        environment=fingerprints.environment(job.rule),
        status="failed",
        exit=-15,
        reason=handed.reason,
        error=f"it was cut off {CUT} times, after more than half of a block's walltime: it needs longer blocks",
        attempt=handed.attempt,
        started=ended - (now - (now if handed.began is None else handed.began)),
        ended=ended,
        threads=handed.threads,
        host=handed.node,
        log=log_path(job, handed.attempt),
        run=handed.run,
    )
