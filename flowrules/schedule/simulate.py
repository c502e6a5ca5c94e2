"""Runs the scheduler in virtual time: how long jobs would take on a machine, without running any."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from heapq import heappop, heappush

from flowrules.model.events import Action, Capacity, Check, Checked, Ended, Planned, SchedJob, Start
from flowrules.schedule.core import Scheduler


@dataclass(frozen=True, slots=True)
class Simulation:
    """What came of a simulated run.

    Attributes:
        makespan: seconds from the first start to the last end.
        busy: core seconds that jobs occupied.
        starts: for each job when it started, if asked for.
        events, looks: how many events the scheduler was told, and how many lines of ready jobs it looked at.
    """

    makespan: float
    busy: float
    starts: Mapping[int, float]
    events: int
    looks: int


def simulate(
    jobs: Iterable[SchedJob],
    capacity: Capacity,
    durations: Mapping[int, float] | None = None,
    *,
    max_jobs: int | None = None,
    keep_starts: bool = False,
) -> Simulation:
    """Run jobs in virtual time; every one succeeds, and what may run does.

    Args:
        durations: seconds each job takes; those not named take what is expected of them.
        keep_starts: note when each job started.

    Raises:
        ValueError: a job exceeds the capacity, or jobs need each other in a circle.
    """
    listed = tuple(jobs)
    took = {job.id: job.expected for job in listed}
    took.update(durations or {})
    scheduler = Scheduler(capacity, max_jobs=max_jobs, keep_going=True)
    ends: list[tuple[float, int]] = []
    starts: dict[int, float] = {}
    now, busy, events = 0.0, 0.0, 1
    todo: list[Action] = scheduler.advance(Planned(now, listed))
    while todo or ends:
        for action in todo:
            if isinstance(action, Start):
                job = action.job
                heappush(ends, (now + took[job], job))
                busy += took[job] * action.slot.cores
                if keep_starts:
                    starts[job] = now
        checks = [action.job for action in todo if isinstance(action, Check)]
        if checks:
            todo = [a for job in checks for a in scheduler.advance(Checked(now, job, True))]
            events += len(checks)
        elif ends:
            now, job = heappop(ends)
            todo = scheduler.advance(Ended(now, job, True))
            events += 1
        else:
            break
    return Simulation(now, busy, starts, events, scheduler.looks)
