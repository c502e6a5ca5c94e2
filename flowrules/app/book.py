"""The jobs of a run by numbers that stay what they are, however often the DAG is derived again."""

from __future__ import annotations

from collections.abc import Iterable

from flowrules.model.job import Job
from flowrules.model.plan import Decision, Plan

Key = tuple[int, tuple[str, ...]]


class Book:
    """Every job a run has come to know, in the order in which it did.

    Attributes:
        plan: the union of all plans so far, numbered by this book. A job that a later plan changed (its inputs became
            known) is the later one.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._numbers: dict[Key, int] = {(job.rule.index, job.values): job.id for job in plan.jobs}

    def merge(self, fresh: Plan, settled: set[int]) -> list[int]:
        """Takes a plan that was derived again; jobs in ``settled`` (started or ended) stay as they are.

        Returns:
            The numbers of jobs that are new or were changed.
        """
        plan, numbers = self.plan, self._numbers
        number_of = [numbers.setdefault((job.rule.index, job.values), len(numbers)) for job in fresh.jobs]
        changed: list[int] = []
        waiting = set(plan.unknown)
        for at in sorted(range(len(fresh.jobs)), key=number_of.__getitem__):
            number = number_of[at]
            if number in settled:
                continue
            job, needs = fresh.jobs[at], tuple(number_of[n] for n in fresh.needs[at])
            if number == len(plan.jobs):
                plan.jobs.append(job)
                plan.needs.append(needs)
                plan.decisions.append(fresh.decisions[at])
                plan.reasons.append(fresh.reasons[at])
                changed.append(number)
            elif number in waiting or _rises(plan.decisions[number], fresh.decisions[at]):
                plan.jobs[number], plan.needs[number] = job, needs
                plan.decisions[number], plan.reasons[number] = fresh.decisions[at], fresh.reasons[at]
                changed.append(number)
        plan.producer = {
            **plan.producer,
            **{path: number_of[maker] for path, maker in fresh.producer.items()},
        }
        plan.unknown = tuple(number_of[at] for at in fresh.unknown)
        plan.targets = fresh.targets
        plan.target_jobs = tuple(number_of[at] for at in fresh.target_jobs)
        for number, known in enumerate(plan.jobs):
            known.id = number
        return changed

    def keys(self, numbers: Iterable[int]) -> frozenset[Key]:
        """Jobs by what they are, whatever their numbers."""
        return frozenset((self.plan.jobs[n].rule.index, self.plan.jobs[n].values) for n in numbers)

    def number(self, job: Job) -> int:
        """The number of a job."""
        return self._numbers[(job.rule.index, job.values)]


def _rises(before: Decision, after: Decision) -> bool:
    order = (Decision.SKIP, Decision.MAY, Decision.RUN)
    return order.index(after) > order.index(before)


def blocked_by_unknown(plan: Plan) -> set[int]:
    """Jobs that cannot be started yet: their inputs are not known, or they need such a job."""
    users: dict[int, list[int]] = {}
    for user, needs in enumerate(plan.needs):
        for need in needs:
            users.setdefault(need, []).append(user)
    held: set[int] = set()
    queue = list(plan.unknown)
    while queue:
        job = queue.pop()
        if job not in held:
            held.add(job)
            queue += users.get(job, ())
    return held
