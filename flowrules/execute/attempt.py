"""An attempt while it runs: where it is in its life, and what must be tidied up after it."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum

from flowrules.execute.actions import CannotStart, reason
from flowrules.execute.spawn import Ended
from flowrules.execute.warm import Warm
from flowrules.model.order import Order, Outcome


class State(Enum):
    """Where an attempt is; it moves down this list only."""

    RUNNING = "its process lives and nobody wants it dead"
    STOPPING = "it was asked to end; KILL follows at the deadline"
    LINGERING = "its process ended, others of its group have until the deadline"
    DYING = "its group was killed; at the deadline it is no longer waited for"


@dataclass(slots=True, eq=False)
class Attempt:
    """One attempt, from its start to its report.

    Attributes:
        pid: its process group; 0 while that is not known.
        files: private files to be removed after it.
        warm: the warm process that carries it out; ``in_slot`` if that is a shell; number: of what it is asked.
        waits: it stands behind another one that this process is at.
        cores: those it occupies.
        stopped: it was killed on request.
        deadline: monotonic time at which its state asks for something.
        gone: its first process has ended.
        note: what is added to its outcome's error.
    """

    order: Order
    pid: int
    started: float
    files: tuple[str, ...] = ()
    warm: Warm | None = None
    in_slot: bool = False
    number: int = 0
    waits: bool = False
    cores: int = 0
    state: State = State.RUNNING
    stopped: bool = False
    deadline: float = 0.0
    gone: bool = False
    outcome: Outcome | None = None
    note: str = ""

    @property
    def name(self) -> str:
        return f"J{self.order.job}.{self.order.attempt}"


def how(ended: Ended) -> str:
    """How a process ended, in words."""
    return f"signal {-ended.exit}" if ended.exit < 0 else f"exit status {ended.exit}"


def open_log(order: Order) -> int:
    """A descriptor to append to the log of an order; -1 where it has none.

    Raises:
        CannotStart: it cannot be written.
    """
    if not order.log:
        return -1
    path = order.log if order.directory in (".", "") else os.path.join(order.directory, order.log)
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
    except (OSError, ValueError) as error:
        why = reason(error) if isinstance(error, OSError) else str(error)
        raise CannotStart(f"the log cannot be written: {why}") from error


def why_no_log(order: Order) -> str:
    """Why something else could not open the log of an order, in the words of `open_log`."""
    try:
        log = open_log(order)
    except CannotStart as error:
        return str(error)
    if log >= 0:
        os.close(log)
    return "the log cannot be written: it could not be opened"


def remove(files: tuple[str, ...]) -> None:
    """Remove private files."""
    for path in files:
        with suppress(OSError):
            os.unlink(path)
