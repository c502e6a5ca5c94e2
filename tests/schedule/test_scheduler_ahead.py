"""Jobs started before there is a core for them: as many as was said, and none that needs more than a core."""

from __future__ import annotations

from test_scheduler import ONE, bad, job, machine, ok, plan, start, table

from flowrules.model.events import Ahead, Finished, Need, Start, StopAsked


def ahead(id: int, attempt: int = 1) -> Start:
    return Start(id, attempt, ONE, ahead=True)


def test_as_many_as_was_said_and_then_one_for_each_that_ends() -> None:
    table(
        machine(1),
        (plan(*map(job, range(5))), [start(0)]),
        (Ahead(0, 2), [ahead(1), ahead(2)]),
        (ok(0), [ahead(3)]),
        (Ahead(0, 0), []),
        (ok(1), []),
        (ok(2), []),
        (ok(3), [start(4)]),
        (ok(4), [Finished()]),
    )


def test_one_that_comes_back_waits_for_its_turn_and_is_not_tried_twice() -> None:
    table(
        machine(1),
        (plan(*map(job, range(3))), [start(0)]),
        (Ahead(0, 1), [ahead(1)]),
        (Ahead(0, 0, (1,)), []),
        (ok(0), [start(1)]),
        (bad(1), [Finished()]),
    )


def test_a_job_of_several_cores_or_with_a_gpu_waits_until_they_are_free() -> None:
    table(
        machine(2, gpus=("0",)),
        (plan(job(0), job(1), job(2, need=Need(2)), job(3, need=Need(gpus=1)), job(4)), [start(0), start(1)]),
        (Ahead(0, 4), [ahead(4)]),
        (ok(0), []),
        (ok(1), [start(3, 1, 1, "0")]),
        (ok(4), []),
        (ok(3), [start(2, 1, 2)]),
    )


def test_other_resources_are_counted_all_the_same() -> None:
    need = Need(custom=(("licence", 1),))
    table(
        machine(1, limits={"licence": 2}),
        (plan(*[job(number, need=need) for number in range(4)]), [start(0)]),
        (Ahead(0, 3), [ahead(1)]),
        (ok(0), [ahead(2)]),
    )


def test_nothing_starts_ahead_after_a_failure_or_a_stop() -> None:
    table(
        machine(1),
        (plan(*map(job, range(4))), [start(0)]),
        (Ahead(0, 1), [ahead(1)]),
        (bad(0), []),
        (ok(1), [Finished()]),
    )
    table(
        machine(1),
        (plan(*map(job, range(4))), [start(0)]),
        (Ahead(0, 1), [ahead(1)]),
        (StopAsked(0), []),
        (ok(0), []),
        (ok(1), [Finished()]),
    )
