"""From the plan to the scheduler: which jobs may be handed over, what they occupy, how long they may take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
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
from flowrules.schedule.expected import LEAST, Expected

Held: TypeAlias = Mapping[int, tuple[str, int]]
"""Jobs that blocks of earlier drivers hold, each with the block and the number of the attempt."""


class Intake:
    """Turns jobs of a plan into what the scheduler takes, each once.

    Attributes:
        known: ids of jobs that were handed over.
        basis: how many of them are expected to take what they took last (`job`), what the record says of their rule
            (`rule`), their walltime (`walltime`), or, with nothing known, a second (`nothing`).
    """

    def __init__(self, planned: Planned, sizer: Sizer | NodeSizer, retries: int, held: Held | None = None) -> None:
        self.known: set[int] = set()
        self.basis: Counter[str] = Counter()
        self._sizer = sizer
        self._retries = retries
        self._history = planned.judge.history
        self._expected = Expected(self._history.timings())
        self._took: dict[int, float] = {}  # seconds of jobs that have run before
        self._held = held or {}
        self._groups: list[str | None] = []
        self._sizes: dict[int, tuple[Need, float | None]] = {}

    def jobs(self, planned: Planned, book: Book) -> tuple[SchedJob, ...]:
        """Every job that will or may run, may be started, and was not handed over yet."""
        plan = book.plan
        held = blocked_by_unknown(plan) if plan.unknown else set()
        groups = self._groups = groups_of(plan.jobs, plan.needs)
        active = [decision is not Decision.SKIP for decision in plan.decisions]
        new = [job for job in plan.jobs if active[job.id] and job.id not in self.known and job.id not in held]
        self._remember(new)
        jobs = []
        for job in new:
            number = job.id
            self.known.add(number)
            need, limit = self._sized(planned, job, 1)
            self.basis[self._basis(job, limit)] += 1
            jobs.append(
                SchedJob(
                    id=number,
                    needs=tuple([n for n in plan.needs[number] if active[n]]),
                    check=plan.decisions[number] is Decision.MAY,
                    need=need,
                    priority=planned.commands.priority(job),
                    expected=self._expect(planned, job, limit),
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
        """What a job occupies, and the seconds it is expected to take.

        Raises:
            FlowfileError: it asks for more than there is.
        """
        need, limit = self._sized(planned, job, attempt)
        return need, self._expect(planned, job, limit)

    def _remember(self, jobs: Sequence[Job]) -> None:
        """Looks up what jobs took when they ran last."""
        made = [job for job in jobs if job.outputs]
        took = self._history.took([(job.outputs[0], job.rule.name) for job in made])
        self._took.update((job.id, seconds) for job, seconds in zip(made, took, strict=True) if seconds is not None)

    def _expect(self, planned: Planned, job: Job, limit: float | None) -> float:
        """What a job took when it ran last, else what its rule lets expect (see `Expected`)."""
        took = self._took.get(job.id)
        if took is not None:
            return max(took, LEAST)
        rule = job.rule.name
        size = self._size(planned, job) if self._expected.wants_size(rule) else None
        return self._expected.seconds(rule, limit, size)

    def _basis(self, job: Job, limit: float | None) -> str:
        if job.id in self._took:
            return "job"
        if self._expected.knows(job.rule.name):
            return "rule"
        return "nothing" if limit is None else "walltime"

    def _size(self, planned: Planned, job: Job) -> int | None:
        """Bytes of a job's inputs; None where one is not there yet."""
        stamps = [planned.judge.files.stat(path) for path in job.inputs]
        return None if None in stamps else sum(stamp.size for stamp in stamps if stamp is not None)

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
