"""What a batch system says of a batch job, and of its queues."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class BatchState(Enum):
    """Where a batch job is in its life."""

    QUEUED = "queued"
    HELD = "held"
    """It waits for somebody to release it, is suspended, or failed to start too often."""
    RUNNING = "running"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class BatchStatus:
    """State of a batch job.

    Attributes:
        detail: what the batch system says of it: a reason, a comment; "" where nothing.
        exit: exit status where it has ended and that is known.
    """

    state: BatchState
    detail: str = ""
    exit: int | None = None


@dataclass(frozen=True, slots=True)
class QueueToday:
    """A queue as the batch system has it now; None where there is no limit.

    Attributes:
        enabled: it takes batch jobs; started: it starts them; direct: users may name it.
        nodes, walltime: least and most nodes and seconds of one batch job.
        jobs_per_user, jobs_per_project: batch jobs at once, waiting and running.
        leads_to: names of queues behind it; empty where batch jobs run in it.
    """

    name: str
    enabled: bool = True
    started: bool = True
    direct: bool = True
    nodes: tuple[int, int | None] = (1, None)
    walltime: tuple[float, float | None] = (0.0, None)
    jobs_per_user: int | None = None
    jobs_per_project: int | None = None
    leads_to: tuple[str, ...] = ()
