"""What every run is set in: workflow, call, disk, record, lock; and the parts of a loop that are made from it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from flowrules.app.attempt import Workshop
from flowrules.app.book import Key
from flowrules.app.intake import Intake
from flowrules.app.parts import Decider, Parts
from flowrules.app.session import replanner
from flowrules.app.settings import Request
from flowrules.execute import machine
from flowrules.execute.local import LocalExecutor
from flowrules.model.plan import Decision, Plan
from flowrules.model.workflow import Workflow
from flowrules.plan.build import Planned
from flowrules.ports import Observer
from flowrules.record.disk import Disk
from flowrules.record.expected_jobs import ToldJobs, tell_jobs
from flowrules.record.lock import BEAT_SECONDS, HeldLock
from flowrules.record.store import Store


@dataclass(frozen=True, slots=True)
class Setting:
    """One run.

    Attributes:
        stack: closes what is opened for it.
    """

    workflow: Workflow
    request: Request
    disk: Disk
    observer: Observer
    lock: HeldLock
    store: Store
    planned: Planned
    run_id: str
    stack: ExitStack

    def workshop(self, gpu_variable: str | None) -> Workshop:
        """What prepares attempts; ``gpu_variable`` tells jobs on this machine their GPUs."""
        hash_limit = self.request.policy.hash_limit
        config = self.workflow.config
        return Workshop(self.disk, self.request.run, config, gpu_variable, machine.host(), self.run_id, hash_limit)

    def parts(self, scheduler: Decider, executor: LocalExecutor, workshop: Workshop, intake: Intake) -> Parts:
        """What a loop is put together from."""
        return Parts(
            self.planned,
            self._replan(),
            scheduler,
            executor,
            workshop,
            intake,
            self.store,
            self.disk,
            self.observer,
            self.request.run,
            (self.lock.beat, BEAT_SECONDS),
        )

    def _replan(self) -> Callable[[frozenset[Key]], Planned]:
        """What derives the DAG again, and tells others of it."""
        again = replanner(self.workflow, self.request, self.disk, self.store)

        def replan(ran: frozenset[Key]) -> Planned:
            planned = again(ran)
            tell_plan(self.lock, planned.plan)
            return planned

        return replan


def tell_plan(lock: HeldLock, plan: Plan) -> None:
    """Leave for `status` how many jobs of each rule will or may run."""
    counts = Counter(
        job.rule.name
        for job, decision in zip(plan.jobs, plan.decisions, strict=True)
        if decision is not Decision.SKIP and job.rule.action is not None
    )
    tell_jobs(lock.number, ToldJobs(time.time(), counts))
