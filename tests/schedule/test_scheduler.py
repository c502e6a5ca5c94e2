"""Tables of events and the actions they must lead to."""

from __future__ import annotations

import pytest

from flowrules.model.events import (
    Blocked,
    Capacity,
    Check,
    Checked,
    Ended,
    Finished,
    Kill,
    Need,
    Planned,
    SchedJob,
    Skipped,
    Slot,
    Start,
    StopAsked,
)
from flowrules.schedule.core import Scheduler
from flowrules.schedule.states import State

ONE = Slot(1)


def job(id: int, *needs: int, **more: object) -> SchedJob:
    return SchedJob(id, needs, **more)  # type: ignore[arg-type]


def plan(*jobs: SchedJob) -> Planned:
    return Planned(0, jobs)


def start(id: int, attempt: int = 1, cores: int = 1, *gpus: str) -> Start:
    return Start(id, attempt, Slot(cores, gpus))


def ok(id: int) -> Ended:
    return Ended(0, id, True)


def bad(id: int, **more: object) -> Ended:
    return Ended(0, id, False, **more)  # type: ignore[arg-type]


def table(scheduler: Scheduler, *rows: tuple[object, list[object]]) -> None:
    """Tell the scheduler each event and compare its actions."""
    for event, actions in rows:
        assert scheduler.advance(event) == actions, event  # type: ignore[arg-type]
        scheduler.sanity()


def machine(cores: int = 2, **more: object) -> Scheduler:
    names = ("memory", "gpus", "limits")
    capacity = Capacity(cores, **{k: v for k, v in more.items() if k in names})  # type: ignore[arg-type]
    return Scheduler(capacity, **{k: v for k, v in more.items() if k not in names})  # type: ignore[arg-type]


def starts(actions: list[object]) -> list[int]:
    return [a.job for a in actions if isinstance(a, Start)]


def test_nothing_to_do_is_finished_at_once() -> None:
    table(machine(), (plan(), [Finished()]))


def test_a_chain_runs_in_order() -> None:
    table(
        machine(),
        (plan(job(0), job(1, 0), job(2, 1)), [start(0)]),
        (ok(0), [start(1)]),
        (ok(1), [start(2)]),
        (ok(2), [Finished()]),
    )


def test_cores_are_counted() -> None:
    table(
        machine(4),
        (plan(job(0, need=Need(3)), job(1, need=Need(2)), job(2, need=Need(1))), [start(0, 1, 3), start(2)]),
        (ok(2), []),
        (ok(0), [start(1, 1, 2)]),
        (ok(1), [Finished()]),
    )


def test_at_most_so_many_jobs_at_once() -> None:
    table(machine(8, max_jobs=1), (plan(job(0), job(1)), [start(0)]), (ok(0), [start(1)]), (ok(1), [Finished()]))


def test_needs_that_are_no_jobs_count_as_settled() -> None:
    table(machine(), (plan(job(5, 1, 2, 99)), [start(5)]), (ok(5), [Finished()]))


def test_priority_goes_before_the_longest_path_and_that_before_the_id() -> None:
    jobs = [job(0), job(1), job(2, expected=5), job(3, priority=1), job(4, 1, expected=3), job(5, 0, expected=3)]
    table(
        machine(1),
        (plan(*jobs), [start(3)]),
        (ok(3), [start(2)]),
        (ok(2), [start(0)]),
        (ok(0), [start(1)]),
        (ok(1), [start(4)]),
        (ok(4), [start(5)]),
        (ok(5), [Finished()]),
    )


def test_jobs_of_a_begun_group_go_first_among_equals() -> None:
    jobs = [job(0, group="a"), job(1, group="b"), job(2, group="c"), job(3, group="a"), job(4, group="b")]
    table(
        machine(1),
        (plan(*jobs), [start(0)]),
        (ok(0), [start(3)]),
        (ok(3), [start(1)]),
        (ok(1), [start(4)]),
        (ok(4), [start(2)]),
        (ok(2), [Finished()]),
    )


def test_memory_and_named_resources_are_counted() -> None:
    scheduler = machine(8, memory=100, limits={"licence": 1.5})
    heavy, licensed = Need(memory=60), Need(custom=(("licence", 0.75), ("free", 1000.0)))
    jobs = [job(0, need=heavy), job(1, need=heavy), *[job(n, need=licensed) for n in (2, 3, 4)]]
    table(
        scheduler,
        (plan(*jobs), [start(0), start(2), start(3)]),
        (ok(3), [start(4)]),
        (ok(0), [start(1)]),
        (ok(1), []),
        (ok(2), []),
        (ok(4), [Finished()]),
    )


def test_whole_gpus_are_not_shared_and_fractions_fill_one_up() -> None:
    scheduler = machine(16, gpus=("g0", "g1", "g2"))
    quarter = Need(gpus=0.25)
    jobs = [*[job(n, need=quarter) for n in range(5)], job(5, need=Need(gpus=1)), job(6, need=Need(gpus=2))]
    table(
        scheduler,
        (
            plan(*jobs),
            [*[start(n, 1, 1, "g0") for n in range(4)], start(4, 1, 1, "g1"), start(5, 1, 1, "g2")],
        ),
        (ok(4), []),
        (ok(5), [start(6, 1, 1, "g1", "g2")]),
        *[(ok(n), []) for n in range(4)],
        (ok(6), [Finished()]),
    )


def test_thirds_and_sixths_of_a_gpu_add_up() -> None:
    scheduler = machine(16, gpus=("g",))
    table(
        scheduler, (plan(*[job(n, need=Need(gpus=1 / 6)) for n in range(7)]), [start(n, 1, 1, "g") for n in range(6)])
    )
    scheduler = machine(16, gpus=("g",))
    needs = [2 / 3, 1 / 3, 1 / 3]
    table(
        scheduler,
        (plan(*[job(n, need=Need(gpus=g)) for n, g in enumerate(needs)]), [start(0, 1, 1, "g"), start(1, 1, 1, "g")]),
    )


def test_more_than_one_gpu_and_a_part_is_rounded_up() -> None:
    table(machine(2, gpus=("a", "b")), (plan(job(0, need=Need(gpus=1.5))), [start(0, 1, 1, "a", "b")]))


@pytest.mark.parametrize(
    ("need", "message"),
    [
        (Need(3), "a need exceeds the capacity: 3 cores of 2"),
        (Need(memory=11), "a need exceeds the capacity: 11 bytes of 10"),
        (Need(gpus=2), "a need exceeds the capacity: 2 GPUs of 1"),
        (Need(custom=(("x", 2.5),)), "a need exceeds the capacity: 2.5 x of 2"),
        (Need(0), "a need has at least one core and nothing negative"),
        (Need(gpus=-0.5), "a need has at least one core and nothing negative"),
    ],
)
def test_a_need_beyond_the_capacity_is_refused_and_changes_nothing(need: Need, message: str) -> None:
    scheduler = machine(2, memory=10, gpus=("g",), limits={"x": 2})
    with pytest.raises(ValueError, match=message):
        scheduler.advance(plan(job(0), job(1, need=need)))
    table(scheduler, (plan(job(0)), [start(0)]), (ok(0), [Finished()]))


def test_a_circle_is_refused() -> None:
    with pytest.raises(ValueError, match=r"jobs need each other in a circle, among them \[1, 2\]"):
        machine().advance(plan(job(0), job(1, 2), job(2, 1)))
    with pytest.raises(ValueError, match="circle"):
        machine().advance(plan(job(0, 0)))


def test_a_circle_that_comes_with_a_later_plan_is_told_when_it_is_reached() -> None:
    scheduler = machine()
    table(scheduler, (plan(job(0), job(1, 0)), [start(0)]), (plan(job(1, 2), job(2, 1)), []))
    with pytest.raises(ValueError, match=r"circle, among them \[1, 2\]"):
        scheduler.advance(ok(0))


# ── jobs that may run ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_job_that_may_run_is_asked_about_when_its_needs_are_settled() -> None:
    table(
        machine(),
        (plan(job(0), job(1, 0, check=True), job(2, 1, check=True), job(3, 1)), [start(0)]),
        (ok(0), [Check(1)]),
        (Checked(0, 1, False), [Skipped(1), Check(2), start(3)]),
        (Checked(0, 2, True), [start(2)]),
        (ok(2), []),
        (ok(3), [Finished()]),
    )


def test_all_skipped() -> None:
    table(
        machine(),
        (plan(job(0, check=True), job(1, 0, check=True)), [Check(0)]),
        (Checked(0, 0, False), [Skipped(0), Check(1)]),
        (Checked(0, 1, False), [Skipped(1), Finished()]),
    )


def test_demanded_jobs_run_first_in_their_own_order() -> None:
    chain = [job(n, *([n - 1] if n else []), check=True) for n in range(3)]
    table(
        machine(),
        (plan(*chain, job(3, 2, check=True)), [Check(0)]),
        (Checked(0, 0, False), [Skipped(0), Check(1)]),
        (Checked(0, 1, False), [Skipped(1), Check(2)]),
        (Checked(0, 2, False), [Skipped(2), Check(3)]),
        (Checked(0, 3, True, (1, 2)), [start(1)]),
        (ok(1), [start(2)]),
        (ok(2), [start(3)]),
        (ok(3), [Finished()]),
    )


def test_a_job_demanded_twice_runs_once_and_both_wait() -> None:
    table(
        machine(),
        (plan(job(0, check=True), job(1, 0, check=True), job(2, 0, check=True)), [Check(0)]),
        (Checked(0, 0, False), [Skipped(0), Check(1), Check(2)]),
        (Checked(0, 1, True, (0,)), [start(0)]),
        (Checked(0, 2, True, (0,)), []),
        (ok(0), [start(1), start(2)]),
        (ok(1), []),
        (ok(2), [Finished()]),
    )


def test_who_was_asked_is_asked_again_when_a_job_it_needs_runs_after_all() -> None:
    table(
        machine(),
        (plan(job(0, check=True), job(1, 0, check=True), job(2, 0, check=True)), [Check(0)]),
        (Checked(0, 0, False), [Skipped(0), Check(1), Check(2)]),
        (Checked(0, 1, True, (0,)), [start(0)]),
        (Checked(0, 2, False), []),
        (ok(0), [Check(2), start(1)]),
        (Checked(0, 2, False), [Skipped(2)]),
        (ok(1), [Finished()]),
    )


def test_a_ready_job_waits_for_one_it_needs_that_runs_after_all() -> None:
    table(
        machine(1),
        (plan(job(0, check=True), job(1, 0, expected=2), job(2, 0, check=True, priority=1), job(3, 0)), [Check(0)]),
        (Checked(0, 0, False), [Skipped(0), Check(2), start(1)]),
        (Checked(0, 2, True, (0,)), []),
        (ok(1), [start(0)]),
        (ok(0), [start(2)]),
        (ok(2), [start(3)]),
        (ok(3), [Finished()]),
    )


def test_a_further_attempt_waits_for_a_job_it_needs_that_runs_after_all() -> None:
    table(
        machine(2),
        (plan(job(0, check=True), job(1, 0, retries=1), job(2, 0, check=True, expected=0.5)), [Check(0)]),
        (Checked(0, 0, False), [Skipped(0), Check(2), start(1)]),
        (Checked(0, 2, True, (0,)), [start(0)]),
        (bad(1), []),
        (ok(0), [start(1, 2), start(2)]),
        (ok(1), []),
        (ok(2), [Finished()]),
    )


def test_a_demanded_job_that_fails_blocks_who_demanded_it() -> None:
    table(
        machine(),
        (plan(job(0, check=True), job(1, 0, check=True), job(2, 1)), [Check(0)]),
        (Checked(0, 0, False), [Skipped(0), Check(1)]),
        (Checked(0, 1, True, (0,)), [start(0)]),
        (bad(0), [Blocked(1, 0), Blocked(2, 0), Finished()]),
    )


def test_events_about_jobs_nobody_planned_are_refused() -> None:
    scheduler = machine()
    table(scheduler, (plan(job(0, check=True)), [Check(0)]))
    for event in (ok(7), ok(0), Checked(0, 7, True), Checked(0, 0, True, (9,))):
        with pytest.raises(ValueError, match=r"never planned|not running"):
            scheduler.advance(event)
    table(scheduler, (Checked(0, 0, False), [Skipped(0), Finished()]))


# ── failures ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_failed_job_is_tried_again_with_what_it_needs_then() -> None:
    table(
        machine(4),
        (plan(job(0, retries=2)), [start(0)]),
        (bad(0, next_need=Need(4)), [start(0, 2, 4)]),
        (bad(0), [start(0, 3, 4)]),
        (bad(0), [Finished()]),
    )


def test_a_fatal_failure_is_not_tried_again() -> None:
    table(machine(), (plan(job(0, retries=5)), [start(0)]), (bad(0, fatal=True), [Finished()]))


def test_without_keep_going_nothing_new_starts_after_a_failure() -> None:
    jobs = [job(0, expected=9), job(1, expected=8, retries=1), job(2), job(3, 0), job(4, 3), job(5, 1, check=True)]
    table(
        machine(2),
        (plan(*jobs), [start(0), start(1)]),
        (bad(0), [Blocked(3, 0), Blocked(4, 0)]),
        (bad(1), [start(1, 2)]),
        (ok(1), [Finished()]),
    )


def test_an_attempt_that_waits_for_room_is_still_made_after_a_failure() -> None:
    jobs = [job(0, expected=9, retries=1), job(1, expected=8), job(2)]
    table(
        machine(2),
        (plan(*jobs), [start(0), start(1)]),
        (bad(0, next_need=Need(2)), [start(2)]),
        (bad(1), []),
        (ok(2), [start(0, 2, 2)]),
        (ok(0), [Finished()]),
    )


def test_with_keep_going_what_does_not_depend_goes_on() -> None:
    jobs = [job(0), job(1, 0), job(2), job(3, 1, 2), job(4, 2)]
    table(
        machine(1, keep_going=True),
        (plan(*jobs), [start(0)]),
        (bad(0), [Blocked(1, 0), Blocked(3, 0), start(2)]),
        (ok(2), [start(4)]),
        (ok(4), [Finished()]),
    )


# ── stopping, planning again ─────────────────────────────────────────────────────────────────────────────────────


def test_a_stop_lets_running_jobs_end() -> None:
    table(
        machine(1),
        (plan(job(0, retries=3), job(1)), [start(0)]),
        (StopAsked(0), []),
        (bad(0), [Finished()]),
    )


def test_a_stop_before_anything_runs() -> None:
    table(machine(), (plan(job(0, check=True)), [Check(0)]), (StopAsked(0), [Finished()]), (Checked(0, 0, True), []))


def test_a_kill_kills_each_job_once() -> None:
    table(
        machine(2),
        (plan(job(0), job(1), job(2, 0)), [start(0), start(1)]),
        (StopAsked(0), []),
        (StopAsked(0, kill=True), [Kill(0), Kill(1)]),
        (StopAsked(0, kill=True), []),
        (bad(0), [Blocked(2, 0)]),
        (ok(1), [Finished()]),
    )


def test_a_later_plan_adds_jobs() -> None:
    table(
        machine(),
        (plan(job(0), job(1, 0)), [start(0)]),
        (ok(0), [start(1)]),
        (plan(job(0), job(1, 0), job(2, 0), job(3, 1, 2)), [start(2)]),
        (ok(1), []),
        (ok(2), [start(3)]),
        (ok(3), [Finished()]),
        (plan(job(4, 3)), [start(4)]),
        (ok(4), [Finished()]),
        (plan(job(4, 3)), [Finished()]),
    )


def test_a_later_plan_adds_needs_to_a_job_that_has_not_started() -> None:
    table(
        machine(1),
        (plan(job(0, expected=5), job(1), job(2, 0)), [start(0)]),
        (plan(job(3, priority=-1), job(1, 3), job(2, 0, 3), job(0, 3)), []),
        (ok(0), [start(3)]),
        (ok(3), [start(1)]),
        (ok(1), [start(2)]),
        (ok(2), [Finished()]),
    )


def test_a_later_plan_may_need_what_failed() -> None:
    table(
        machine(1, keep_going=True),
        (plan(job(0), job(1)), [start(0)]),
        (bad(0), [start(1)]),
        (plan(job(2, 0, 1), job(3, 2), job(1)), [Blocked(2, 0), Blocked(3, 0)]),
        (ok(1), [Finished()]),
    )


def test_after_a_failure_a_later_plan_starts_nothing() -> None:
    table(machine(), (plan(job(0)), [start(0)]), (bad(0), [Finished()]), (plan(job(1)), [Finished()]))


# ── no starvation ────────────────────────────────────────────────────────────────────────────────────────────────


def run_against_small_ones(wide: Need, small: Need, scheduler: Scheduler) -> int:
    """How many small jobs start before the wide one, when every one that ends is followed by another."""
    first = plan(
        job(0, need=small, expected=9), job(1, need=wide, expected=5), *[job(n, need=small) for n in range(2, 500)]
    )
    running = starts(scheduler.advance(first))
    count = 0
    while 1 not in running:
        running += starts(scheduler.advance(ok(running.pop(0))))
        count += 1
    scheduler.sanity()
    return count


def test_a_job_that_finds_no_room_gets_it_after_at_most_as_many_as_the_machine_has_cores() -> None:
    assert run_against_small_ones(Need(32), Need(1), machine(32)) <= 2 * 32
    assert run_against_small_ones(Need(4), Need(1), machine(4)) <= 16 + 4
    assert run_against_small_ones(Need(1, memory=10), Need(1, memory=3), machine(4, memory=10)) <= 16 + 4
    assert run_against_small_ones(Need(custom=(("x", 4),)), Need(custom=(("x", 1),)), machine(8, limits={"x": 4})) <= 24


def test_a_job_for_whole_gpus_is_not_starved_by_fractions() -> None:
    scheduler = machine(16, gpus=("a", "b"))
    assert run_against_small_ones(Need(gpus=2), Need(gpus=0.5), scheduler) <= 16 + 4
    scheduler = machine(16, gpus=("a",))
    assert run_against_small_ones(Need(gpus=0.75), Need(gpus=0.5), scheduler) <= 16 + 4


def test_kept_room_does_not_hold_up_jobs_that_need_something_else() -> None:
    scheduler = machine(64, memory=10)
    jobs = [job(0, need=Need(memory=6), expected=99), job(1, need=Need(memory=10), expected=50)]
    jobs += [job(n, need=Need(memory=1), expected=20) for n in range(2, 100)]
    jobs += [job(n, expected=1) for n in range(100, 200)]
    started = starts(scheduler.advance(plan(*jobs)))
    ended = 0
    while ended < len(started) - 1:
        ended += 1
        started += starts(scheduler.advance(ok(started[ended])))
    assert set(range(100, 200)) < set(started)
    assert 1 not in started
    assert len(started) < 150
    assert starts(scheduler.advance(ok(0)))[0] == 1


def test_many_shapes_do_not_hang() -> None:
    scheduler = machine(200, memory=1000)
    jobs = [job(n, need=Need(1, memory=900 + n % 100), expected=200 - n) for n in range(150)]
    running = starts(scheduler.advance(plan(*jobs)))
    ended = 0
    while running:
        actions = scheduler.advance(ok(running.pop()))
        running += starts(actions)
        ended += 1
    assert ended == 150
    assert actions[-1] == Finished()


def test_states_are_counted() -> None:
    scheduler = machine(1)
    scheduler.advance(plan(job(0), job(1), job(2, 1)))
    assert {s.name: n for s, n in scheduler.counts.items() if n} == {"RUNNING": 1, "READY": 1, "WAITING": 1}
    assert scheduler.state(2) is State.WAITING
    assert scheduler.state(99) is State.ABSENT


def test_jobs_may_come_in_any_order() -> None:
    table(
        machine(1),
        (plan(job(2, 1), job(1, 0), job(0), job(3, expected=2.5)), [start(0)]),
        (ok(0), [start(3)]),
        (ok(3), [start(1)]),
        (ok(1), [start(2)]),
        (ok(2), [Finished()]),
    )


def test_old_heads_of_lines_are_forgotten() -> None:
    """Jobs that come ever better first leave old entries behind, which are not kept for ever."""
    scheduler = machine(1)
    running = starts(scheduler.advance(plan(job(0, priority=9999))))
    for n in range(1, 300):
        scheduler.advance(plan(job(n, priority=n)))
    order = []
    while running:
        order += running
        running = starts(scheduler.advance(ok(running[0])))
    assert order == [0, *range(299, 0, -1)]
