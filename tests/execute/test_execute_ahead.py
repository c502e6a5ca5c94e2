"""Jobs that last no time are sent to a warm process before it is done with the one before; nobody waits for long."""

import os
import sys
import time
from itertools import pairwise

import pytest
from execute_box import PATIENCE, Box, boxes

from flowrules.execute.local import LocalExecutor
from flowrules.model.order import Order

WORK = """
import os, time
def make(job):
    open("made" + str(job.params[0]), "w").close()
def hang(job):
    open("hangs", "w").close()
    while not os.path.exists("go"):
        time.sleep(0.01)
def die(job):
    os.abort()
def leave(job):
    import subprocess
    subprocess.Popen(["sleep", "300"])
"""


@pytest.fixture(params=["slot", "call"])
def box(request, tmp_path, monkeypatch):
    """An executor of one core that knows its rule to last no time."""
    for box in boxes(tmp_path, monkeypatch):
        box.executor._cores = 1
        box.kind = request.param
        with open("work.py", "w") as file:
            file.write(WORK)
        box.executor._warm.slots._usable = False
        box.executor._warm.slots.learn(make(box, 0), 0.001)
        for _ in range(20):
            box.executor._warm.slots.learn(make(box, 0), 0.001)
        box.executor._warm.slots._usable = True
        for _ in range(3):
            assert box.run(make(box, 0)).exit == 0
        yield box


def make(box: Box, number: int) -> Order:
    if box.kind == "slot":
        return box.shell(f"echo > made{number}", env=box.__dict__.setdefault("env", {"K": "v"}), log=f"log{number}")
    return box.call("work.py:make", document=document(number), log=f"log{number}")


def hang(box: Box) -> Order:
    if box.kind == "slot":
        return box.shell("echo > hangs; while [ ! -e go ]; do sleep 0.01; done", env=box.env)
    return box.call("work.py:hang", document=document(0))


def document(number: int) -> dict:
    empty = {"items": [], "names": {}}
    return {
        **{"rule": "a job", "input": empty, "output": empty, "log": empty, "benchmark": empty, "wildcards": {}},
        **{"params": {"items": [number], "names": {}}, "threads": 1, "resources": {}, "config": {}, "attempt": 1},
    }


def start(box: Box, order: Order) -> Order:
    box.executor.start(order)
    return order


def waiting(box: Box) -> list[int]:
    """Jobs that stand behind another one in its process."""
    return [job for job, attempt in box.executor._running.items() if attempt.waits]


def still_short(box: Box) -> None:
    """Whatever was seen on a busy machine, the rule counts as quick again."""
    habit = box.executor._warm.slots._habits["a job"]
    habit.mean, habit.attempts = 0.001, 101


def test_quick_jobs_are_sent_ahead_and_all_are_done(box: Box):
    still_short(box)
    orders = [start(box, make(box, number)) for number in range(1, 8)]
    assert waiting(box)
    outcomes = box.outcomes(7)
    assert {outcome.exit for outcome in outcomes} == {0}
    assert [outcome.job for outcome in outcomes] == [order.job for order in orders]
    assert sorted(name for name in os.listdir() if name.startswith("made")) == [f"made{n}" for n in range(8)]
    times = [(outcome.started, outcome.ended) for outcome in outcomes]
    assert all(before[1] <= after[0] + 1e-3 for before, after in pairwise(times))
    assert box.executor._busy == 0


def test_what_is_not_known_to_be_quick_waits_for_its_turn(box: Box):
    still_short(box)
    first = start(box, hang(box))
    other = start(box, Order(99, 1, "another rule", first.action, "echo > made99", log="log99", document=document(99)))
    assert waiting(box) == []
    with open("go", "w"):
        pass
    assert [outcome.job for outcome in box.outcomes(2)] == [first.job, other.job]


def test_nobody_waits_behind_a_job_that_takes_longer_than_was_thought(box: Box):
    still_short(box)
    box.executor._cores = 2
    stuck = start(box, hang(box))
    box.until(lambda: os.path.exists("hangs"))
    box.executor._cores = 1
    orders = [start(box, make(box, number)) for number in (1, 2, 3)]
    assert waiting(box) == [order.job for order in orders]
    box.executor._cores = 2
    assert {outcome.job for outcome in box.outcomes(3)} == {order.job for order in orders}
    assert all(os.path.exists(f"made{number}") for number in (1, 2, 3))
    with open("go", "w"):
        pass
    assert box.outcome(stuck).exit == 0


def test_a_job_that_is_killed_before_its_turn_never_begins(box: Box):
    still_short(box)
    first = start(box, hang(box))
    box.until(lambda: os.path.exists("hangs"))
    second, third = start(box, make(box, 2)), start(box, make(box, 3))
    box.executor.kill(second.job)
    killed = box.outcome(second)
    assert (killed.exit, killed.error) == (-15, "it was not started")
    with open("go", "w"):
        pass
    assert [(outcome.job, outcome.exit) for outcome in box.outcomes(2)] == [(first.job, 0), (third.job, 0)]
    assert (os.path.exists("made2"), os.path.exists("made3")) == (False, True)


def test_killing_all_leaves_nothing(box: Box):
    still_short(box)
    orders = [start(box, hang(box)), *[start(box, make(box, number)) for number in (1, 2, 3)]]
    for order in orders:
        box.executor.kill(order.job)
    assert len(box.outcomes(4)) == 4
    assert (box.executor._busy, box.executor._running) == (0, {})


def test_the_death_of_a_process_costs_only_the_job_it_was_at(box: Box):
    still_short(box)
    first = start(box, hang(box))
    box.until(lambda: os.path.exists("hangs"))
    others = [start(box, make(box, number)) for number in (1, 2, 3)]
    os.kill(box.executor._running[first.job].warm.pid, 9)
    outcomes = {outcome.job: outcome for outcome in box.outcomes(4)}
    assert outcomes[first.job].exit != 0
    assert "ended before" in outcomes[first.job].error
    assert [outcomes[order.job].exit for order in others] == [0, 0, 0]


@pytest.mark.parametrize("function", ["die", "leave"])
def test_a_call_that_ends_its_process_costs_no_other(box: Box, function: str):
    still_short(box)
    box.kind = "call"
    bad = start(box, box.call(f"work.py:{function}", document=document(0)))
    others = [start(box, make(box, number)) for number in (1, 2, 3)]
    outcomes = {outcome.job: outcome.exit for outcome in box.outcomes(4)}
    assert (outcomes[bad.job] == 0) == (function == "leave")
    assert [outcomes[order.job] for order in others] == [0, 0, 0]


def test_a_thousand_jobs_taken_back_at_any_time(box: Box):
    """However often what was sent ahead is taken back, each job runs once."""
    count, done = 300, 0
    end = time.monotonic() + 4 * PATIENCE
    orders = iter([make(box, number) for number in range(1, count + 1)])
    open_now: set[int] = set()
    while done < count and time.monotonic() < end:
        still_short(box)
        while len(open_now) < 6 and (order := next(orders, None)) is not None:
            box.executor.start(order)
            open_now.add(order.job)
        for warm in list(box.executor._pool._all.values()):
            if warm.work:
                box.executor._warm.take_back(warm)
        for outcome in box.executor.wait(0.05):
            assert outcome.exit == 0
            open_now.remove(outcome.job)
            done += 1
    assert done == count
    assert len([name for name in os.listdir() if name.startswith("made")]) == count + 1


def test_without_a_number_of_cores_nothing_is_sent_ahead(box: Box):
    still_short(box)
    box.executor._cores = None
    assert box.executor.ahead("a job") == 0
    box.executor._cores = 2
    assert box.executor.ahead("a job") == 16
    assert box.executor.ahead("another rule") == 0


def test_the_executor_of_a_run_keeps_to_its_cores(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    executor = LocalExecutor(f"test-{os.getpid()}-cores", grace=0.3, python=sys.executable, cores=2)
    box = Box(executor)
    try:
        command = "echo > run$BASHPID; set -- run*; sleep 0.01; rm run$BASHPID; test $# -le 2"
        for _ in range(12):
            executor.start(box.shell(command))
        assert {outcome.exit for outcome in box.outcomes(12)} == {0}
    finally:
        executor.close()
