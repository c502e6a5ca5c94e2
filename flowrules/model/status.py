"""A campaign, or a run, as one look from outside shows it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Drives(Enum):
    """What is known of the last driver."""

    YES = "drives"
    PERHAPS = "drives elsewhere"
    """It is on another host, and gave a sign of life not long ago."""
    ENDED = "ended"
    DIED = "died"


@dataclass(frozen=True, slots=True)
class DriverStatus:
    """The last driver of a directory.

    Attributes:
        words: who it is, in words.
        since: seconds since the epoch by its host's clock.
        silent: seconds since its last sign of life.
    """

    drives: Drives
    words: str
    host: str
    pid: int
    command: str
    since: float
    silent: float


@dataclass(frozen=True, slots=True)
class RuleStatus:
    """How many jobs of a rule are in which state; a job counts once.

    Attributes:
        handed: a block holds them, and they have not started.
        waiting: the driver means to run them, and nobody has them yet; 0 where nobody drives.
    """

    rule: str
    done: int
    running: int
    handed: int
    failed: int
    waiting: int = 0


class BlockState(Enum):
    """Where a block is in its life."""

    MADE = "made"
    SUBMITTED = "submitted"
    RUNS = "runs"
    CLOSING = "closing"
    CLOSED = "closed"
    """It has ended, and no driver has collected what it did."""
    OVER = "over"


@dataclass(frozen=True, slots=True)
class BlockStatus:
    """A block.

    Attributes:
        batch: what the batch system calls it; "" where that is not known.
        walltime: seconds that were asked for; left: of them, as far as known.
        held, running, ended, back: its tasks; those that are back will not run there.
        notes: what else is to be known of it, in words.
    """

    name: str
    batch: str
    state: BlockState
    nodes: int
    hosts: tuple[str, ...]
    queue: str
    walltime: float
    left: float | None
    held: int
    running: int
    ended: int
    back: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Status:
    """One look.

    Attributes:
        driver: None where nobody ever drove.
        go_on: the command that goes on with what blocks left; "" where there is nothing to go on with.
        left: seconds that the rest takes, if as many jobs run at once as now and take what their rules took; None where
            that cannot be told.
    """

    driver: DriverStatus | None
    rules: tuple[RuleStatus, ...]
    blocks: tuple[BlockStatus, ...]
    go_on: str = ""
    left: float | None = None
