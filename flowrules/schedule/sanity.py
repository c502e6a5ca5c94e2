"""Checks the scheduler's books from scratch, for tests."""

from __future__ import annotations

from collections.abc import Mapping

from flowrules.schedule.queue import Queue
from flowrules.schedule.room import Grant, Room
from flowrules.schedule.states import OPEN, SETTLED, UNMET, Jobs, State


def check_books(jobs: Jobs, queue: Queue, room: Room, running: Mapping[int, Grant], closed: bool) -> None:
    """Check all that must always be true between two events.

    Args:
        closed: nothing new may start.

    Raises:
        AssertionError: something is not.
    """
    room.check(running.values())
    assert sorted(running) == [n for n in range(len(jobs)) if jobs.state(n) is State.RUNNING]
    ready = []
    for job in range(len(jobs)):
        state = jobs.state(job)
        needs = [jobs.state(need) for need in jobs.needs(job)]
        if state is State.WAITING:
            assert jobs.waiting[job] == jobs.unsettled(job)
            assert jobs.waiting[job] or (jobs.ask[job] and closed)
        elif state in (State.ASKED, State.READY):
            assert all(need in SETTLED for need in needs)
        if state in OPEN:
            assert not any(need in UNMET for need in needs)
        if state is State.READY:
            ready.append(job)
    assert queue.ready() == ready
    counted = [0] * len(State)
    for job in range(len(jobs)):
        counted[jobs.state(job)] += 1
    assert counted == jobs.counts
