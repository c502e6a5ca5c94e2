"""What a run tells its observer: attempts that start and end, and how it all ended."""

from __future__ import annotations

from typing import NamedTuple


class JobStarted(NamedTuple):
    """An attempt starts.

    Attributes:
        job: id in the plan.
        label: name for people; ``rule`` is the rule's.
        attempt: counted from 1.
        threads, gpus: the slot it got, GPUs by name.
        reason: why it runs, the deciding cause as text.
        command: as it will be run, or a description of an action that is no shell text.
        message: the rule's `message` filled in, "" where it has none.
        node: where, in a block; "" on this machine.
    """

    job: int
    label: str
    rule: str
    attempt: int = 1
    threads: int = 1
    gpus: tuple[str, ...] = ()
    reason: str = ""
    command: str = ""
    message: str = ""
    node: str = ""


class JobEnded(NamedTuple):
    """An attempt ended.

    Attributes:
        job, label, rule, attempt: as when it started.
        exit: exit status; negative signal number where a signal ended it.
        elapsed: wall time, seconds.
        error: what is known beyond the exit status ("output `x` was not made"), else "".
        log: file that holds its output and error, "" where there is none.
        will_retry: a further attempt follows.
        log_tail: last lines of the log, read only for attempts that failed.
    """

    job: int
    label: str
    rule: str
    ok: bool
    exit: int = 0
    elapsed: float = 0.0
    error: str = ""
    log: str = ""
    will_retry: bool = False
    log_tail: str = ""
    attempt: int = 1


class RunSummary(NamedTuple):
    """How a run ended.

    Attributes:
        elapsed: wall time of the run, seconds.
        interrupted: the user ended it.
        handed: how many jobs were left with blocks that go on without it.
        log: file that holds everything about the run, "" where there is none.
    """

    elapsed: float = 0.0
    interrupted: bool = False
    log: str = ""
    handed: int = 0


class BlockLine(NamedTuple):
    """A block of a campaign as a driver sees it now.

    Attributes:
        state: `made`, `waits` in its queue, `runs`, or `ends`.
        batch: what the batch system calls it; "" where that is not known.
        left: seconds of its walltime, None where it does not run; held: tasks it has.
    """

    name: str
    state: str
    nodes: int
    queue: str
    batch: str
    left: float | None
    held: int


class Blocks(NamedTuple):
    """All blocks that are not over, and the node-hours of this driver's blocks so far."""

    lines: tuple[BlockLine, ...]
    node_hours: float
