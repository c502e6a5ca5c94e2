"""What the blocks of a campaign bring: the driver's loop makes events of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from flowrules.errors import BatchError
from flowrules.model.block import TaskEnd
from flowrules.model.dispatch import BlockPlan
from flowrules.record.messages import Started


@dataclass(frozen=True, slots=True)
class Began:
    """A block's runner works; ``until``: when its walltime is over, by this host's monotonic clock."""

    block: str
    until: float


@dataclass(frozen=True, slots=True)
class TaskStarted:
    block: str
    said: Started


@dataclass(frozen=True, slots=True)
class TaskEnded:
    block: str
    end: TaskEnd


@dataclass(frozen=True, slots=True)
class TasksGiven:
    """Tasks a block will not run; ``unfit``: because it cannot."""

    block: str
    tasks: tuple[str, ...]
    unfit: bool = False


@dataclass(frozen=True, slots=True)
class Shuts:
    """A block takes nothing more."""

    block: str


@dataclass(frozen=True, slots=True)
class Over:
    """A block is over; tasks it never told the end of come before, as given.

    Attributes:
        barren: it was handed tasks and not told to end, and yet none of them started.
    """

    block: str
    barren: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """The batch system does not take a block."""

    block: str
    plan: BlockPlan
    why: BatchError


News: TypeAlias = Began | TaskStarted | TaskEnded | TasksGiven | Shuts | Over | Refused
