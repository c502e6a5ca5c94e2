"""Campaigns in virtual time: everything ends whatever befalls it, limits hold, and what is kept does not grow."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowrules.model.dispatch import BlockPlan
from flowrules.model.events import Need, SchedJob
from flowrules.model.profile import BlockShape, NodeShape, Profile, Queue
from flowrules.schedule import virtual
from flowrules.schedule.core import Scheduler
from flowrules.schedule.virtual import simulate_campaign


class Calm:
    """A world in which nothing goes wrong."""

    def runs(self, job: SchedJob, attempt: int) -> tuple[float, bool]:
        return job.expected, True

    def waits(self, block: int, plan: BlockPlan) -> float:
        return 10.0

    def losses(self, block: int, plan: BlockPlan) -> Iterable[tuple[float, int]]:
        return ()


class Rough(Calm):
    """A world in which much does."""

    def __init__(self, seed: int) -> None:
        self.draw = Random(seed)

    def runs(self, job: SchedJob, attempt: int) -> tuple[float, bool]:
        return job.expected * self.draw.choice([0.5, 1.0, 1.0, 6.0]), self.draw.random() > 0.1

    def waits(self, block: int, plan: BlockPlan) -> float:
        return self.draw.uniform(0.0, 500.0)

    def losses(self, block: int, plan: BlockPlan) -> Iterable[tuple[float, int]]:
        return [(self.draw.uniform(0.0, plan.walltime), n) for n in range(plan.nodes) if self.draw.random() < 0.1]


def profile(nodes: int = 2, blocks: int = 3, at_once: int = 2) -> Profile:
    queue = Queue("q", (1, nodes), (0.0, 7200.0), jobs_per_user=at_once)
    return Profile("p", "", node=NodeShape(4), blocks=BlockShape(nodes, 1800.0, max=blocks), queues=(queue,))


def chains(count: int, seconds: float = 60.0) -> list[SchedJob]:
    return [SchedJob(n, (n - 1,) if n % 3 else (), expected=seconds, retries=9) for n in range(count)]


def test_a_calm_campaign_takes_its_work_over_the_slots_and_the_wait() -> None:
    outcome = simulate_campaign(chains(96), profile(blocks=1), Calm())
    assert (outcome.done, outcome.failed, outcome.blocks, outcome.cut) == (96, 0, 1, 0)
    assert outcome.makespan == pytest.approx(10 + 96 * 60 / 8, abs=4)
    assert outcome.utilization > 0.99


def test_no_more_blocks_run_than_the_queue_takes() -> None:
    outcome = simulate_campaign(chains(900), profile(blocks=4, at_once=2), Calm())
    assert outcome.done == 900
    assert outcome.most == 2
    assert outcome.blocks > 2


def test_what_is_cut_off_by_the_walltime_or_a_lost_node_costs_no_attempt() -> None:
    class Losing(Calm):
        def losses(self, block: int, plan: BlockPlan) -> Iterable[tuple[float, int]]:
            return [(70.0, 0)] if not block else ()

    jobs = [replace(job, retries=0) for job in chains(96)]
    outcome = simulate_campaign(jobs, profile(blocks=2), Losing())
    assert outcome.cut == 4
    assert (outcome.done, outcome.failed, outcome.attempts) == (96, 0, 100)


def test_a_job_that_fails_for_good_blocks_those_behind_it_and_no_others() -> None:
    class Failing(Calm):
        def runs(self, job: SchedJob, attempt: int) -> tuple[float, bool]:
            return 5.0, job.id != 3

    jobs = [replace(job, retries=1) for job in chains(9)]
    outcome = simulate_campaign(jobs, profile(), Failing())
    assert (outcome.done, outcome.failed, outcome.attempts) == (6, 3, 8)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_every_job_ends_once_whatever_befalls(seed: int) -> None:
    draw = Random(seed)
    jobs = [
        SchedJob(
            n,
            tuple(draw.sample(range(n), min(n, draw.choice([0, 1, 1, 3])))),
            need=Need(draw.choice([1, 1, 2, 4]), nodes=draw.choice([0, 0, 0, 0, 2])),
            expected=draw.choice([5.0, 50.0, 400.0]),
            limit=draw.choice([None, 900.0]),
            retries=draw.choice([0, 3]),
            group=draw.choice([None, "g"]),
        )
        for n in range(draw.randint(1, 60))
    ]
    at_once = draw.randint(1, 3)
    outcome = simulate_campaign(
        jobs, profile(2, draw.randint(1, 4), at_once), Rough(seed), max_jobs=draw.choice([None, 5])
    )
    assert outcome.done + outcome.failed == len(jobs)
    assert outcome.most <= at_once


def test_the_schedulers_books_are_right_at_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    class Checked(Scheduler):
        def advance(self, *events):  # type: ignore[no-untyped-def]
            actions = super().advance(*events)
            self.sanity()
            return actions

    monkeypatch.setattr(virtual, "Scheduler", Checked)
    outcome = simulate_campaign(chains(150, 100.0), profile(), Rough(3))
    assert outcome.done == 150


def test_the_calls_for_an_event_do_not_grow_with_the_number_of_jobs() -> None:
    import cProfile

    def each(count: int) -> float:
        calls = cProfile.Profile(builtins=False)
        jobs = [*chains(count), SchedJob(count, tuple(range(2, count, 3)), retries=9)]
        outcome = calls.runcall(simulate_campaign, jobs, profile(max(1, count // 150), 4, 3), Rough(1))
        assert outcome.done == count + 1
        return sum(entry.callcount for entry in calls.getstats()) / outcome.events

    each(150)
    assert each(3000) < 1.3 * each(450)
