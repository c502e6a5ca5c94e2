"""What a batch system says of a batch job."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class BatchState(Enum):
    """Where a batch job is in its life."""

    QUEUED = "queued"
    HELD = "held"
    """It waits for somebody to release it, or it failed to start too often."""
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
