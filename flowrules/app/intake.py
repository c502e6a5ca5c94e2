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

SAMPLE = 50
"""Records of a rule that are looked at for its expected run time."""


class Intake:
    """Turns jobs of a plan into what the scheduler takes, each once.

    Attributes:
        known: ids of jobs that were handed over.
    """

    def __init__(self, planned: Planned, sizer: Sizer | NodeSizer, retries: int, held: Held | None = None) -> None:
        self.known: set[int] = set()
        self._sizer = sizer
        self._retries = retries
        self._expected = expected_times(planned)
        self._held = held or {}
        self._groups: list[str | None] = []

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
            jobs.append(
                SchedJob(
                    id=number,
                    needs=tuple([n for n in plan.needs[number] if active[n]]),
                    check=plan.decisions[number] is Decision.MAY,
                    need=self.need(planned, job),
                    priority=planned.commands.priority(job),
                    expected=self.expected(planned, job),
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

    def expected(self, planned: Planned, job: Job) -> float:
        """Seconds a job is expected to take: what its rule took before, else its walltime, else one."""
        known = self._expected.get(job.rule.index)
        if known is not None:
            return known
        try:
            limit = planned.commands.values(job, params=False).resources.get("walltime")
        except FlowfileError:
            return 1.0
        return max(float(limit.amount), 1e-3) if isinstance(limit, Quantity) else 1.0

    def need(self, planned: Planned, job: Job, attempt: int = 1) -> Need:
        """What a job occupies; sizes of inputs that do not exist yet count as nothing until it starts.

        Raises:
            FlowfileError: it asks for more than this machine has.
        """
        try:
            values = planned.commands.values(job, attempt, params=False)
        except FlowfileError:
            return self._sizer.clip(job, 1, {})
        return self._sizer.clip(job, values.threads, values.resources)

    def retries(self, planned: Planned, job: Job) -> int:
        """How many further attempts a failure of a job is given."""
        return planned.commands.retries(job, self._retries)


def expected_times(planned: Planned) -> dict[int, float]:
    """Mean run time of each rule, seconds, from the records of jobs in this plan."""
    sums: dict[int, list[float]] = {}
    history = planned.judge.history
    for job, decision in zip(planned.plan.jobs, planned.plan.decisions, strict=True):
        times = sums.setdefault(job.rule.index, [])
        if decision is Decision.SKIP or len(times) >= SAMPLE or not job.outputs:
            continue
        record = history.last(job.outputs[0])
        if record is not None:
            times.append(record.elapsed)
    return {rule: max(sum(times) / len(times), 1e-3) for rule, times in sums.items() if times}
