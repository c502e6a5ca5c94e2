"""Tables of events of a block, and the actions they must lead to: nodes, grants, withdrawals, the end of the block."""

from __future__ import annotations

import pytest

from flowrules.model.events import (
    Blocked,
    Capacity,
    Closing,
    Cluster,
    Ended,
    Finished,
    Forgotten,
    Granted,
    Impossible,
    Kill,
    Need,
    NodeBack,
    NodeCapacity,
    NodeGone,
    Planned,
    SchedJob,
    Slot,
    Start,
    StopAsked,
    Tick,
    TooLate,
    Withdrawn,
)
from flowrules.schedule.core import Scheduler
from flowrules.schedule.states import State


def job(id: int, *needs: int, **more: object) -> SchedJob:
    return SchedJob(id, needs, **more)  # type: ignore[arg-type]


def plan(*jobs: SchedJob, now: float = 0) -> Planned:
    return Planned(now, jobs)


def start(id: int, node: int, *cpus: int, attempt: int = 1) -> Start:
    return Start(id, attempt, Slot(len(cpus), (), (f"n{node}",), cpus))


def ok(id: int, now: float = 0) -> Ended:
    return Ended(now, id, True)


def block(count: int = 2, threads: int = 2, **more: object) -> Scheduler:
    cluster = Cluster(tuple(NodeCapacity(f"n{i}", tuple(range(threads))) for i in range(count)))
    return Scheduler(cluster, keep_going=True, **more)  # type: ignore[arg-type]


def table(scheduler: Scheduler, *rows: tuple[object, list[object]]) -> None:
    """Tell the scheduler each event and compare its actions."""
    for event, actions in rows:
        assert scheduler.advance(event) == actions, event  # type: ignore[arg-type]
        scheduler.sanity()


def test_jobs_are_placed_on_nodes_in_their_order() -> None:
    table(
        block(),
        (plan(*[job(i) for i in range(5)]), [start(0, 0, 0), start(1, 0, 1), start(2, 1, 0), start(3, 1, 1)]),
        (ok(2), [start(4, 1, 0)]),
    )


def test_nodes_are_refilled_while_a_wide_job_runs() -> None:
    wide = Start(0, 1, Slot(4, (), ("n1", "n2"), (0, 1)))
    table(
        block(3),
        (
            plan(job(0, need=Need(nodes=2), expected=9), job(1), job(2), job(3), job(4, need=Need(nodes=1))),
            [wide, start(1, 0, 0), start(2, 0, 1)],
        ),
        (ok(1), [start(3, 0, 0)]),
        (ok(2), []),
        (ok(3), [Start(4, 1, Slot(2, (), ("n0",), (0, 1)))]),
        (ok(0), []),
        (ok(4), [Finished()]),
    )


def test_nothing_is_placed_on_a_node_that_is_gone_until_it_is_back() -> None:
    table(
        block(),
        (plan(job(0), job(1)), [start(0, 0, 0), start(1, 0, 1)]),
        (NodeGone(0, "n0"), []),
        (plan(job(2), job(3), job(4)), [start(2, 1, 0), start(3, 1, 1)]),
        (ok(0), []),
        (NodeBack(0, "n0"), [start(4, 0, 0)]),
    )


def test_nodes_that_come_together_are_all_there_before_anything_starts() -> None:
    wide = Start(0, 1, Slot(4, (), ("n1", "n2"), (0, 1)))
    jobs = plan(job(0, need=Need(nodes=2), expected=9), *[job(i) for i in range(1, 5)])
    table(
        block(3),
        *[(NodeGone(0, f"n{i}", waited=True), []) for i in range(3)],
        (jobs, []),
        (NodeBack(0, "n0", ("n1", "n2")), [wide, start(1, 0, 0), start(2, 0, 1)]),
    )


def test_what_no_longer_fits_is_impossible_and_what_needs_it_forgotten() -> None:
    scheduler = block()
    table(
        scheduler,
        (
            plan(job(0, expected=9), job(1, need=Need(nodes=2)), job(2, 1), job(3, 2), job(4, expected=9)),
            [start(0, 0, 0), start(4, 0, 1)],
        ),
        (NodeGone(0, "n1"), [Impossible(1), Forgotten(2), Forgotten(3)]),
        (
            plan(job(5, 3), job(6, need=Need(nodes=2)), job(7, need=Need(3))),
            [Forgotten(5), Impossible(6), Impossible(7)],
        ),
        (ok(0), []),
        (ok(4), [Finished()]),
    )
    assert scheduler.state(3) is State.WITHDRAWN
    assert scheduler.counts[State.WITHDRAWN] == 6


def test_jobs_wait_for_a_node_that_is_expected_back() -> None:
    table(
        block(1),
        (NodeGone(0, "n0", waited=True), []),
        (plan(job(0), job(1, 0)), []),
        (NodeBack(0, "n0"), [start(0, 0, 0)]),
        (NodeGone(0, "n0"), [Impossible(1)]),
        (ok(0), [Finished()]),
    )


def test_a_further_attempt_may_have_become_impossible() -> None:
    table(
        block(),
        (plan(job(0, retries=1), job(1, 0)), [start(0, 0, 0)]),
        (Ended(0, 0, False, Need(3)), [Impossible(0), Forgotten(1), Finished()]),
    )


def test_what_is_withdrawn_is_forgotten_with_all_that_need_it() -> None:
    table(
        block(1),
        (plan(job(0), job(1, 0), job(2, 1), job(3), job(4)), [start(0, 0, 0), start(3, 0, 1)]),
        (Withdrawn(0, (1, 4, 1)), [Forgotten(1), Forgotten(2), Forgotten(4)]),
        (plan(job(5, 2), job(1)), [Forgotten(5)]),
        (ok(0), []),
        (ok(3), [Finished()]),
        (Withdrawn(0, (0, 1)), []),
    )


def test_a_running_job_that_is_withdrawn_is_killed_once_and_neither_done_nor_failed() -> None:
    scheduler = block(1, 3)
    table(
        scheduler,
        (plan(job(0, retries=3), job(1, 0), job(2), job(3, 2)), [start(0, 0, 0), start(2, 0, 1)]),
        (Withdrawn(0, (0, 2)), [Kill(0), Kill(2)]),
        (Withdrawn(0, (0,)), []),
        (StopAsked(0, kill=True), []),
        (Ended(0, 0, False), [Forgotten(0), Forgotten(1)]),
        (ok(2), [Finished()]),
    )
    assert scheduler.counts[State.FAILED] == 0
    assert scheduler.state(2) is State.DONE


def test_an_attempt_whose_node_died_is_forgotten_and_blocks_nobody() -> None:
    scheduler = Scheduler(Capacity(1))
    table(
        scheduler,
        (plan(job(0, retries=3), job(1, 0), job(2)), [Start(0, 1, Slot(1))]),
        (Ended(0, 0, False, withdrawn=True), [Forgotten(0), Forgotten(1), Start(2, 1, Slot(1))]),
        (ok(2), [Finished()]),
    )


def test_a_job_that_needs_a_failed_and_a_forgotten_one_is_blocked() -> None:
    table(
        block(),
        (plan(job(0), job(1)), [start(0, 0, 0), start(1, 0, 1)]),
        (Ended(0, 0, False, withdrawn=True), [Forgotten(0)]),
        (Ended(0, 1, False), [Finished()]),
        (plan(job(2, 0, 1), job(3, 2)), [Blocked(2, 1), Blocked(3, 1), Finished()]),
    )


def test_grants_change_how_many_run() -> None:
    table(
        block(max_jobs=1),
        (plan(*[job(i) for i in range(5)]), [start(0, 0, 0)]),
        (Granted(0, 3), [start(1, 0, 1), start(2, 1, 0)]),
        (Granted(0, 0), []),
        (ok(0), []),
        (ok(1), []),
        (ok(2), []),
        (Granted(0, 1), [start(3, 0, 0)]),
        (Granted(0, None), [start(4, 0, 1)]),
    )


def test_a_block_that_closes_hands_back_what_has_not_started() -> None:
    table(
        block(1, 1),
        (plan(job(0, retries=2), job(1, 0), job(2)), [start(0, 0, 0)]),
        (Closing(0), [Forgotten(1), Forgotten(2)]),
        (plan(job(3)), [Forgotten(3)]),
        (Ended(0, 0, False), [Finished()]),
    )


def test_nothing_starts_that_cannot_end_before_the_block() -> None:
    table(
        block(1, 1, until=10),
        (
            plan(job(0, expected=4), job(1, expected=3, limit=8), job(2, 1), job(3, expected=20, limit=10), job(4, 3)),
            [start(3, 0, 0)],
        ),
        (Tick(2), []),
        (Tick(2.5), [TooLate(1), Forgotten(2)]),
        (Ended(6, 3, True), [start(0, 0, 0)]),
        (ok(0, 9), [start(4, 0, 0)]),
        (plan(job(5), job(6, expected=2), now=9.5), [TooLate(6), TooLate(5)]),
        (ok(4, 10), [Finished()]),
    )


def test_a_further_attempt_that_is_too_late_is_not_made() -> None:
    table(
        block(until=10),
        (plan(job(0, expected=6, retries=5)), [start(0, 0, 0)]),
        (Ended(4, 0, False), [start(0, 0, 0, attempt=2)]),
        (Ended(5, 0, False), [TooLate(0), Finished()]),
    )


def test_events_that_make_no_sense_are_refused() -> None:
    scheduler = block()
    scheduler.advance(plan(job(0), job(1, 0)))
    for event, message in [
        (Withdrawn(0, (1, 7)), "never planned"),
        (NodeGone(0, "n9"), "the block has no node n9"),
        (NodeBack(0, "n9"), "the block has no node n9"),
        (Granted(0, -1), "not fewer than 0 jobs"),
        (plan(job(2, need=Need(0))), "at least one core"),
    ]:
        with pytest.raises(ValueError, match=message):
            scheduler.advance(event)  # type: ignore[arg-type]
        scheduler.sanity()
    assert scheduler.state(1) is State.WAITING
    with pytest.raises(ValueError, match="one machine has no node n0"):
        Scheduler(Capacity(1)).advance(NodeGone(0, "n0"))
    with pytest.raises(ValueError, match="one machine has no node n0"):
        Scheduler(Capacity(1)).advance(NodeBack(0, "n0"))


def test_a_wide_job_is_not_starved_by_small_ones() -> None:
    scheduler = block(4, 4)
    running = [a.job for a in scheduler.advance(plan(*[job(i) for i in range(200)])) if isinstance(a, Start)]
    scheduler.advance(plan(job(900, need=Need(nodes=4), priority=1)))
    ended = 0
    while 900 not in running:
        running += [a.job for a in scheduler.advance(ok(running.pop(0))) if isinstance(a, Start)]
        ended += 1
    assert ended <= 16 + 2 * 16
