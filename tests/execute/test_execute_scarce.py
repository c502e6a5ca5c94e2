"""Where the system has no room for another process or descriptor, jobs wait for one another instead of failing."""

import errno
import os
import resource

import pytest
from execute_box import Box, boxes

from flowrules.execute.spawn import Spawner


@pytest.fixture
def few_processes(monkeypatch):
    """At most three processes at once can be started."""
    running: set[int] = set()
    start = Spawner.start

    def scarce(self, *args, **more):
        running.intersection_update(pid for pid in set(running) if os.path.exists(f"/proc/{pid}"))
        if len(running) >= 3:
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        pid = start(self, *args, **more)
        running.add(pid)
        return pid

    monkeypatch.setattr(Spawner, "start", scarce)


def test_what_cannot_be_started_now_is_started_later(box: Box, few_processes):
    orders = [box.shell(f"sleep 0.05; echo {i} >> done", log=f"log{i}") for i in range(12)]
    for order in orders:
        box.executor.start(order)
    outcomes = box.outcomes(12)
    assert {(outcome.exit, outcome.error) for outcome in outcomes} == {(0, "")}
    assert sorted(map(int, box.log("done").split())) == list(range(12))


def test_what_was_put_off_can_be_killed(box: Box, few_processes):
    orders = [box.shell("sleep 0.3", log="") for _ in range(5)]
    for order in orders:
        box.executor.start(order)
    box.executor.kill(orders[4].job)
    (killed,) = box.outcomes(1)
    assert (killed.job, killed.exit, killed.error) == (orders[4].job, -15, "it was not started")
    assert {outcome.exit for outcome in box.outcomes(4)} == {0}


def test_with_nothing_to_wait_for_it_fails(box: Box, monkeypatch):
    def never(self, *args, **more):
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(Spawner, "start", never)
    outcome = box.run(box.shell("true"))
    assert outcome.exit == 126
    assert "see `ulimit -u`" in outcome.error


def test_few_descriptors(tmp_path, monkeypatch):
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 40, limits[1]))
    try:
        for box in boxes(tmp_path, monkeypatch):
            for i in range(60):
                box.executor.start(box.shell("sleep 0.1", log=f"log{i}"))
            assert {(outcome.exit, outcome.error) for outcome in box.outcomes(60)} == {(0, "")}
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_few_descriptors_in_a_warm_worker(box: Box):
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with open("m.py", "w") as file:
        file.write("def f(job): print('called')\n")
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 40, limits[1]))
    try:
        assert box.run(box.call("m.py:f")).exit == 0
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert box.log() == "called\n"
