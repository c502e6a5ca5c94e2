"""What the driver knows of one block that is not over: how far it has come, and what the batch system says of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from flowrules.app.drive.fleet_news import Began, News, Shuts, TaskEnded, TasksGiven, TaskStarted
from flowrules.model.batch import BatchState, BatchStatus
from flowrules.model.dispatch import BlockPlan
from flowrules.model.progress import BlockLine
from flowrules.ports import Waiting
from flowrules.record.blockfiles import SUBMITTED
from flowrules.record.messages import Begin, Closing, Damaged, Ended, Given, LogMessage, Sick, Started
from flowrules.record.spool import BlockFolder
from flowrules.record.state import write_atomically
from flowrules.show.text import counted

if TYPE_CHECKING:
    from flowrules.app.plain_log import Scribe

SCRIPT: Final = "job.sh"
"""A block's job script."""

VANISHED, VANISHED_ANSWERS = 60.0, 3
"""Seconds, and answers, after which a block that never began and that nobody knows of is given up."""

SILENT: Final = 300.0
"""Seconds after which the silence of a block is worth telling."""

TWICE: Final = 30.0
"""Seconds between two answers that a block has ended, before it is believed without its own word."""


@dataclass(slots=True)
class Live:
    """A block that is not over.

    Attributes:
        id: what the batch system calls it; "" before it was submitted.
        tasks: names of those it holds.
        fed: it was handed tasks; begun: its runner works; used: a task was started; shut: it takes nothing more.
        doubtful: an earlier driver may have submitted it without writing down the answer.
        unwanted: it was told to end; one that has not begun is taken out of its queue.
        withdrawn: since when it is out of it, by the monotonic clock.
        troubled: that its submission goes wrong was told.
        submitting, cancelling: its submission or its end, under way; next_at: when that goes on, by that clock.
        first_end: when, and in which answer, the batch system first said that it has ended.
        since: since when it runs, by the monotonic clock; None where it does not, as far as is known.
        heard: when it said something last; None where it has not.
        quiet: that it is silent was told. overdue: it is silent long after its walltime, and counts as ended.
        early: what it said before the driver began to listen.
        absent: in how many answers nothing was known of it, one after another, and since when.
        lost_since: when it was known to have ended, or vanished, without having said so.
        scribe: writes the log of a block that has no runner; None where there is one.
    """

    folder: BlockFolder
    plan: BlockPlan
    id: str = ""
    tasks: dict[str, None] = field(default_factory=dict)
    doubtful: bool = False
    fed: bool = False
    begun: bool = False
    used: bool = False
    shut: bool = False
    full: bool = False
    troubled: bool = False
    unwanted: bool = False
    submitting: Waiting[str] | None = None
    cancelling: Waiting[None] | None = None
    withdrawn: float | None = None
    next_at: float = 0.0
    status: BatchStatus | None = None
    first_end: tuple[float, int] | None = None
    since: float | None = None
    heard: float | None = None
    quiet: bool = False
    overdue: bool = False
    early: list[LogMessage | Damaged] = field(default_factory=list)
    absent: int = 0
    absent_since: float = 0.0
    lost_since: float | None = None
    scribe: Scribe | None = None

    @property
    def name(self) -> str:
        return self.folder.spec.block

    def line(self, now: float) -> BlockLine:
        """How it looks now."""
        spec = self.folder.spec
        state = "ends" if self.shut else "runs" if self.begun else "waits" if self.id else "made"
        left = None if self.since is None else max(0.0, self.since + spec.walltime - now)
        return BlockLine(self.name, state, spec.nodes, spec.queue, self.id, left, len(self.tasks))

    def hours(self, now: float) -> float:
        """Node-hours it has taken."""
        return 0.0 if self.since is None else self.folder.spec.nodes * (now - self.since) / 3600

    def submitted(self, id: str) -> None:
        """The batch system has it."""
        self.id, self.submitting, self.doubtful, self.troubled = id, None, False, False
        write_atomically(f"{self.folder.path}/{SUBMITTED}", json.dumps({"id": id}).encode())

    def hear(self, said: LogMessage | Damaged, now: float) -> tuple[list[News], str]:
        """What a line of its log means, and in words what is worth telling."""
        self.heard, self.quiet = now, False
        match said:
            case Begin():
                self.begun = True
                self.since = now - self.folder.age(said)
                if not self.id and said.batch:
                    self.submitted(said.batch)  # its submission lost the answer
                nodes = some(said.nodes or (said.host,))
                again = "was started again by the batch system, and " if said.incarnation > 1 else ""
                began = Began(self.name, self.since + self.folder.spec.walltime)
                return [began], f"block {self.name} {again}runs on {nodes}"
            case Started():
                self.used = True
                return [TaskStarted(self.name, said)], ""
            case Ended():
                self.tasks.pop(said.end.task, None)
                return [TaskEnded(self.name, said.end)], ""
            case Given():
                back = tuple(name for name in said.tasks if name in self.tasks)
                for name in back:
                    del self.tasks[name]
                return [TasksGiven(self.name, back, said.unfit)], ""
            case Sick():
                return [], f"block {self.name} uses node {said.node} no more: {said.why}"
            case Closing():
                self.shut = True
                return [Shuts(self.name)], f"block {self.name} ends: {said.why}" if said.why else ""
            case Damaged():
                return [], f"`{said.file}` of block {self.name} has {counted(said.lines, 'damaged line')}"
            case _:
                return [], ""

    def heed(self, status: BatchStatus | None, answer: int, now: float, every: float) -> str:
        """What the batch system said of it, None where it knows nothing; in words what is worth telling.

        Args:
            answer: number of the batch system's answer.
            every: seconds between two of them.
        """
        if status is None:
            return self._absent(now, every)
        self.absent = 0
        was, self.status = self.status, status
        if status.state is not BatchState.ENDED:
            self.first_end = None
        elif self.first_end is None:
            self.first_end = now, answer
        elif self.lost_since is None and answer > self.first_end[1] and now - self.first_end[0] >= min(TWICE, every):
            self.lost_since = now
        if status.state is BatchState.HELD and (was is None or was.state is not BatchState.HELD):
            return f"block {self.name} is held{': ' + status.detail if status.detail else ''}"
        return self._silence(now)

    def _silence(self, now: float) -> str:
        """That a block which beats says nothing for long is told once; it is no end, as its node may be cut off.

        But one that is still silent long after its walltime has ended, whatever the batch system says: some never learn
        that a node which lost its power does not run its batch job any more.
        """
        if self.heard is None or now - self.heard < SILENT or self.lost_since is not None:
            return ""
        known = self.status.state.value if self.status is not None and not self.absent else "unknown"
        said = f"nothing was heard of block {self.name} for {SILENT / 60:g}min; the batch system says it is {known}"
        if self._is_overdue(now) and known in (BatchState.RUNNING.value, "unknown"):
            self.overdue, self.lost_since = True, now
            return f"{said}: its walltime is long over, so it counts as ended"
        if self.quiet:
            return ""
        self.quiet = True
        return f"{said}: waiting on"

    def _is_overdue(self, now: float) -> bool:
        return self.since is not None and now >= self.since + self.folder.spec.walltime + SILENT

    def _absent(self, now: float, every: float) -> str:
        """That nothing is known of it is no end; but a block that never began is not waited for without end."""
        if not self.absent:
            self.absent_since = now
        self.absent += 1
        if self.begun or self.lost_since is not None:
            return self._silence(now)
        if self.absent < VANISHED_ANSWERS or now - self.absent_since < min(VANISHED, 2 * every):
            return ""
        self.lost_since = now
        return f"block {self.name} has vanished: the batch system knows nothing of {self.id}"


def minutes(seconds: float) -> str:
    """A walltime in words."""
    return f"{-(-int(seconds) // 60)}min"


def some(names: Sequence[str]) -> str:
    """A list in words, without most of a long one."""
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
