"""From the plan to the scheduler: which jobs may be handed over, what they occupy, how long they may take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from flowrules.app.book import Book, blocked_by_unknown
from flowrules.app.resources import NodeSizer, Sizer
from flowrules.errors import FlowfileError
from flowrules.model.events import Need, SchedJob
from flowrules.model.job import Job
from flowrules.model.plan import Decision
from flowrules.model.quantity import Quantity
from flowrules.plan.build import Planned
from flowrules.plan.group import groups_of

Held: TypeAlias = Mapping[int, tuple[str, int]]
"""Jobs that blocks of earlier drivers hold, each with the block and the number of the attempt."""


class Intake:
    """Turns jobs of a plan into what the scheduler takes, each once.

    Attributes:
        known: ids of jobs that were handed over.
    """

    def __init__(self, planned: Planned, sizer: Sizer | NodeSizer, retries: int, held: Held | None = None) -> None:
        self.known: set[int] = set()
        self._sizer = sizer
        self._retries = retries
        self._expected = planned.judge.history.rule_times()
        self._held = held or {}
        self._groups: list[str | None] = []
        self._sizes: dict[int, tuple[Need, float | None]] = {}

    def jobs(self, planned: Planned, book: Book) -> tuple[SchedJob, ...]:
        """Every job that will or may run, may be started, and was not handed over yet."""
        plan = book.plan
        held = blocked_by_unknown(plan) if plan.unknown else set()
        groups = self._groups = groups_of(plan.jobs, plan.needs)
        active = [decision is not Decision.SKIP for decision in plan.decisions]
        jobs = []
        for job in plan.jobs:
            number = job.id
            if not active[number] or number in self.known or number in held:
                continue
            self.known.add(number)
            need, limit = self._sized(planned, job, 1)
            jobs.append(
                SchedJob(
                    id=number,
                    needs=tuple([n for n in plan.needs[number] if active[n]]),
                    check=plan.decisions[number] is Decision.MAY,
                    need=need,
                    priority=planned.commands.priority(job),
                    expected=self._expect(job, limit),
                    limit=limit,
                    retries=self.retries(planned, job),
                    group=groups[number],
                    local=job.rule.local,
                    held=self._held.get(number),
                )
            )
        return tuple(jobs)

    def group(self, number: int) -> str | None:
        """The group of a job of the last plan."""
        return self._groups[number] if number < len(self._groups) else None

    def sized(self, planned: Planned, job: Job, attempt: int) -> tuple[Need, float]:
        """What a job occupies, and the seconds it is expected to take: what its rule took, else its walltime, else one.

        Raises:
            FlowfileError: it asks for more than there is.
        """
        need, limit = self._sized(planned, job, attempt)
        return need, self._expect(job, limit)

    def _expect(self, job: Job, limit: float | None) -> float:
        known = self._expected.get(job.rule.name, limit)
        return 1.0 if known is None else max(known, 1e-3)

    def need(self, planned: Planned, job: Job, attempt: int = 1) -> Need:
        """What a job occupies; sizes of inputs that do not exist yet count as nothing until it starts.

        Raises:
            FlowfileError: it asks for more than there is.
        """
        return self._sized(planned, job, attempt)[0]

    def _sized(self, planned: Planned, job: Job, attempt: int) -> tuple[Need, float | None]:
        """What a job occupies, and its declared walltime in seconds."""
        known = self._sizes.get(job.rule.index)
        if known is not None:
            return known
        try:
            values = planned.commands.values(job, attempt, params=False)
        except FlowfileError:
            return self._sizer.clip(job, 1, {}), None
        limit = values.resources.get("walltime")
        need = self._sizer.clip(job, values.threads, values.resources)
        sized = need, float(limit.amount) if isinstance(limit, Quantity) else None
        if planned.commands.are_alike(job.rule):
            self._sizes[job.rule.index] = sized
        return sized

    def retries(self, planned: Planned, job: Job) -> int:
        """How many further attempts a failure of a job is given."""
        return planned.commands.retries(job, self._retries)
