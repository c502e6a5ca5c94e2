"""Runs the scheduler in virtual time: how long jobs would take on a machine or in blocks, without running any."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

from flowrules.model.events import (
    Action,
    Capacity,
    Check,
    Checked,
    Cluster,
    Ended,
    Event,
    Impossible,
    Planned,
    SchedJob,
    Slot,
    Start,
    Tick,
)
from flowrules.schedule.core import Scheduler
from flowrules.schedule.ranks import in_order
from flowrules.schedule.tokens import Tokens


@dataclass(frozen=True, slots=True)
class Simulation:
    """What came of a simulated run.

    Attributes:
        makespan: seconds from the first start to the last end.
        busy: core seconds that jobs occupied.
        starts: for each job when it started, if asked for; slots: and where.
        events, looks: how many events the scheduler was told, and how many lines of ready jobs it looked at.
    """

    makespan: float
    busy: float
    starts: Mapping[int, float]
    slots: Mapping[int, Slot]
    events: int
    looks: int


def simulate(
    jobs: Iterable[SchedJob],
    capacity: Capacity | Cluster,
    durations: Mapping[int, float] | None = None,
    *,
    max_jobs: int | None = None,
    keep_starts: bool = False,
    until: float | None = None,
) -> Simulation:
    """Run jobs in virtual time; every one succeeds, and what may run does.

    Args:
        durations: seconds each job takes; those not named take what is expected of them.
        keep_starts: note when and where each job started.
        until: the end of the block, from its start; what cannot end before is left out.

    Raises:
        ValueError: a job exceeds the capacity, or jobs need each other in a circle.
    """
    return simulate_blocks([tuple(jobs)], capacity, durations, [max_jobs], keep_starts=keep_starts, until=until)[0]


def simulate_blocks(
    parts: Sequence[Sequence[SchedJob]],
    capacity: Capacity | Cluster,
    durations: Mapping[int, float] | None = None,
    max_jobs: Sequence[int | None] = (None,),
    *,
    keep_starts: bool = False,
    until: float | None = None,
    limits: Mapping[str, float] | None = None,
) -> list[Simulation]:
    """Run blocks that start together, each with jobs of its own on the same capacity, as `simulate` does.

    A job that needs one of another block is handed to its own when that has ended, as a driver does it.

    Args:
        limits: of resources for all blocks together.
    """
    tokens = Tokens(limits)
    blocks = [
        _Block(i, Scheduler(capacity, max_jobs=most, keep_going=True, until=until, tokens=tokens), keep_starts)
        for i, most in enumerate(max_jobs)
    ]
    took = {job.id: expected_time(job) for part in parts for job in part}
    took.update(durations or {})
    desk = _Desk(parts)
    ends: list[tuple[float, int, int]] = []
    for block, first in zip(blocks, desk.first, strict=True):
        block.take(0.0, first, took, ends)
    while ends:
        now, index, number = heappop(ends)
        blocks[index].tell(Ended(now, number, True), took, ends)
        for other, handed in desk.ended(blocks[index].ids[number]).items():
            blocks[other].take(now, handed, took, ends)
        for block in blocks if limits else ():  # what one gave back another may wait for
            if block is not blocks[index]:
                block.tell(Tick(now), took, ends)
    return [block.result() for block in blocks]


def expected_time(job: SchedJob) -> float:
    """Seconds a job is expected to run; it is stopped at its limit."""
    return job.expected if job.limit is None else min(job.expected, job.limit)


class _Block:
    """One scheduler in virtual time. It numbers its jobs itself: what it keeps is as much as it has jobs.

    Attributes:
        makespan: when the last of its jobs ended.
        ids: of its jobs, by number.
    """

    def __init__(self, index: int, scheduler: Scheduler, keep: bool) -> None:
        self.makespan = 0.0
        self.ids: list[int] = []
        self._index = index
        self._numbers: dict[int, int] = {}
        self._scheduler = scheduler
        self._keep = keep
        self._busy = 0.0
        self._events = 0
        self._starts: dict[int, float] = {}
        self._slots: dict[int, Slot] = {}

    def take(
        self, now: float, jobs: Sequence[SchedJob], took: Mapping[int, float], ends: list[tuple[float, int, int]]
    ) -> None:
        """Take jobs; what they need elsewhere has ended."""
        numbers = self._numbers
        for job in jobs:
            numbers[job.id] = len(self.ids)
            self.ids.append(job.id)
        here = [job.numbered(numbers[job.id], [numbers[n] for n in job.needs if n in numbers]) for job in jobs]
        self.tell(Planned(now, tuple(here)), took, ends)

    def tell(self, event: Event, took: Mapping[int, float], ends: list[tuple[float, int, int]]) -> None:
        """Tell an event and do what follows; ends of jobs that start go into the heap."""
        now = event.now
        if isinstance(event, Ended):
            self.makespan = now
        todo: list[Action] = self._scheduler.advance(event)
        self._events += 1
        while todo:
            checks: list[Event] = []
            for action in todo:
                if isinstance(action, Start):
                    job = self.ids[action.job]
                    heappush(ends, (now + took[job], self._index, action.job))
                    self._busy += took[job] * action.slot.cores
                    if self._keep:
                        self._starts[job] = now
                        self._slots[job] = action.slot
                elif isinstance(action, Check):
                    checks.append(Checked(now, action.job, True))
                elif isinstance(action, Impossible):
                    raise ValueError(f"job {self.ids[action.job]} exceeds the capacity")
            todo = self._scheduler.advance(*checks) if checks else []
            self._events += len(checks)

    def result(self) -> Simulation:
        looks = self._scheduler.looks
        return Simulation(self.makespan, self._busy, self._starts, self._slots, self._events, looks)


class _Desk:
    """Which jobs a block may be handed: all they need has ended elsewhere, or was handed to the same block.

    Attributes:
        first: for each block what it is handed at the start.
    """

    def __init__(self, parts: Sequence[Sequence[SchedJob]]) -> None:
        self.first: list[list[SchedJob]] = [list(part) for part in parts]
        self._home: dict[int, int] = {}
        self._held: dict[int, tuple[SchedJob, int]] = {}  # with how many needs it waits for
        self._users: dict[int, list[int]] = {}
        if len(parts) < 2:
            return
        self._home = {job.id: i for i, part in enumerate(parts) for job in part}
        self.first = [[] for _ in parts]
        for job in in_order({job.id: job for part in parts for job in part}):
            home = self._home[job.id]
            waits = [n for n in job.needs if self._home.get(n, home) != home or n in self._held]
            if not waits:
                self.first[home].append(job)
                continue
            self._held[job.id] = (job, len(waits))
            for need in waits:
                self._users.setdefault(need, []).append(job.id)

    def ended(self, job: int) -> dict[int, list[SchedJob]]:
        """Jobs that may be handed over, by block, now that one has ended."""
        handed: dict[int, list[SchedJob]] = {}
        met = [user for user in self._users.get(job, ()) if self._home[user] != self._home[job]]
        for user in met:
            waiting, count = self._held[user]
            self._held[user] = (waiting, count - 1)
            if count > 1:
                continue
            del self._held[user]
            home = self._home[user]
            handed.setdefault(home, []).append(waiting)
            met += [later for later in self._users.get(user, ()) if self._home[later] == home]
        return handed
