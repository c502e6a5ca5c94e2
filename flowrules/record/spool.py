"""A block as its driver holds it: tasks go into its inbox, news come out of its logs."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

from flowrules.errors import StateError
from flowrules.model.block import BlockSpec, Task
from flowrules.record.blockfiles import (
    Fate,
    assigned,
    block_path,
    damage,
    decoded,
    epochs,
    held_cuts,
    inbox_path,
    log_path,
    read_spec,
    unusable,
    write_spec,
)
from flowrules.record.messages import (
    Accept,
    After,
    Begin,
    Cancel,
    Closed,
    Closing,
    Damaged,
    Ended,
    Given,
    Grant,
    Have,
    InboxMessage,
    LogMessage,
    Stop,
    Take,
    encode_message,
)
from flowrules.record.numbered import numbers
from flowrules.record.polled import Appender, Follower
from flowrules.record.state import sync_folder


class BlockFolder:
    """A block of a driver. Made by `create`, or by `open` for one that an earlier driver made.

    What an append could not write is kept and goes out with the next one, or with `retry`: it must be taken for told.

    Attributes:
        path: the folder; spec: what was asked for; epoch: number of the driver's ownership.
        accepted: no earlier inbox is read any more. Before that the driver assigns nothing to any block (or waits
            for 60 s), as an older driver may still be writing.
        closing: the block reads nothing any more; closed: it has ended.
    """

    def __init__(self, path: str, spec: BlockSpec, epoch: int, look: Callable[[], None]) -> None:
        self.path = path
        self.spec = spec
        self.epoch = epoch
        self.closing: Closing | None = None
        self.closed: Closed | None = None
        self._look = look
        self._run = 0
        self._follower: Follower | None = None
        self._told: list[tuple[int, InboxMessage]] = []
        earlier = [number for number in epochs(path) if number < epoch]
        self.accepted = not earlier
        new = epoch not in epochs(path)
        self._inbox = Appender(inbox_path(path, epoch))
        if new:
            self._say(After(earlier[-1] if earlier else 0))
            sync_folder(path)

    @classmethod
    def create(cls, spec: BlockSpec, epoch: int, look: Callable[[], None] = lambda: None) -> BlockFolder:
        """Make a block's folder, before its job script is submitted.

        Args:
            epoch: number of the driver's ownership (`HeldLock.number`).
            look: called before each append; raises where another driver is in charge (`HeldLock.look`).

        Raises:
            StateError: there is such a block, or it cannot be made.
        """
        path = block_path(spec.directory, spec.block)
        try:
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            os.mkdir(path, 0o700)
            for name in ("runs", "cmd"):
                os.mkdir(f"{path}/{name}", 0o700)
            write_spec(path, spec)
            sync_folder(os.path.dirname(path))
        except OSError as error:
            raise unusable(path, error) from error
        return cls(path, spec, epoch, look)

    @classmethod
    def open(cls, path: str, epoch: int, look: Callable[[], None] = lambda: None) -> BlockFolder:
        """Hold a block that an earlier driver, or this one, made. Arguments as in `create`.

        Raises:
            StateError: there is no such block, or it cannot be used.
        """
        return cls(path, read_spec(path), epoch, look)

    # ── to the runner ────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def has_begun(self) -> bool:
        """Whether a runner was ever started for it."""
        return bool(self._runs())

    def age(self, begin: Begin) -> float:
        """About how many seconds ago an incarnation began, by the clock of the file system."""
        try:
            return max(0.0, time.time() - os.path.getmtime(f"{self.path}/runs/{begin.incarnation:02d}/nodes"))
        except OSError:
            return 0.0

    def take(self, tasks: Iterable[Task]) -> None:
        """Hand tasks over, in one append. The caller has written down before that they belong to this block.

        Raises:
            StateError: not all of them are in the inbox yet, see `retry`; they belong to the block all the same.
            DirectoryHeld: another driver is in charge.
        """
        self._say(*(Take(task) for task in tasks))

    def have(self, tasks: Iterable[str]) -> None:
        """Tell that tasks ended well, whatever the block knows. Raises as `take`."""
        self._say(Have(tuple(tasks)))

    def cancel(self, tasks: Iterable[str]) -> None:
        """Tell that tasks are not wanted any more; what became of them still comes as news. Raises as `take`."""
        self._say(Cancel(tuple(tasks)))

    def grant(self, running: int | None, tokens: Mapping[str, float] | None = None) -> None:
        """Change the block's share; it holds when `Granted` comes. Raises as `take`."""
        self._say(Grant(running, dict(tokens or {})))

    def stop(self, grace: float | None = None) -> None:
        """Have the block end: nothing new starts, what runs is killed after some seconds (None: is waited for).

        Raises as `take`.
        """
        self._say(Stop(grace))

    @property
    def waiting(self) -> int:
        """Lines that could not be written yet."""
        return self._inbox.waiting

    def retry(self) -> None:
        """Try again to write what could not be written. Raises as `take`."""
        self._look()
        self._inbox.sync()

    def close(self) -> None:
        """Let go of the files. May be called twice."""
        self._inbox.close()

    def _say(self, *messages: InboxMessage) -> None:
        if not messages:
            return
        for message in messages:
            self._inbox.append(*encode_message(message))
        self.retry()

    def last_grant(self) -> Grant:
        """The share this block was granted last, by any driver.

        Raises:
            StateError: an inbox cannot be read.
        """
        last = Grant(self.spec.running, dict(self.spec.tokens))
        for epoch in epochs(self.path):
            follower = Follower(inbox_path(self.path, epoch))
            for message, _ in decoded(follower, follower.poll()):
                if isinstance(message, Grant):
                    last = message
        return last

    # ── from the runner ──────────────────────────────────────────────────────────────────────────────────────────

    def news(self) -> list[LogMessage | Damaged]:
        """What the block said since the last call, in order.

        While a new incarnation has not yet said up to where the log of the one before counts, nothing is read. Tasks
        that the block will never read, as they came after it began to close, come as `Given`.

        Raises:
            StateError: a log cannot be read.
        """
        events: list[LogMessage | Damaged] = []
        while True:
            runs = self._runs()
            if self._follower is None:
                if not runs:
                    return events
                self._run = runs[0]
                self._follower = Follower(log_path(self.path, self._run))
            later = [run for run in runs if run > self._run]
            if not later:
                self._read(events)
                return events
            cut = held_cuts(self.path, runs).get(self._run)
            if cut is None:
                return events
            self._follower.until = cut
            self._read(events)
            self._stand_by_what_was_read(cut)
            self._run = later[0]
            self._follower = Follower(log_path(self.path, self._run))

    def _read(self, events: list[LogMessage | Damaged]) -> None:
        assert self._follower is not None
        for message, end in decoded(self._follower, self._follower.poll()):
            events.append(message)  # type: ignore[arg-type] # an inbox's message in a log is none of ours to judge
            if isinstance(message, Ended) and message.end.record.status == "done":
                self._told.append((end, Have((message.end.task,))))
            elif isinstance(message, Given):
                self._told.append((end, Cancel(message.tasks)))
            elif isinstance(message, Accept):
                self.accepted = self.accepted or message.epoch == self.epoch
            elif isinstance(message, Closing):
                self.closing = message
                self.accepted = True
                left = self._never_read(message)
                if left:
                    events.append(Given(left, "the block began to close before it read of them"))
            elif isinstance(message, Closed):
                self.closed = message
        if (lost := damage(self._follower)) is not None:
            events.append(lost)

    def _never_read(self, closing: Closing) -> tuple[str, ...]:
        """Tasks in the inboxes that the block closed before reading."""
        left: list[str] = []
        for epoch in epochs(self.path):
            if epoch < closing.epoch:
                continue
            follower = Follower(inbox_path(self.path, epoch))
            if epoch == closing.epoch:
                follower.offset = closing.offset  # all before was read, and may be tens of thousands of tasks
            for message, _ in decoded(follower, follower.poll()):
                if isinstance(message, Take):
                    left.append(message.task.name)
        return tuple(left)

    def _stand_by_what_was_read(self, cut: int) -> None:
        """What was believed and was then cut away stands, and the new incarnation is told so."""
        beyond = [message for end, message in self._told if end > cut]
        self._told.clear()
        with suppress(StateError):  # it is kept, and goes out with what is said next
            self._say(*beyond)

    def _runs(self) -> list[int]:
        try:
            return numbers(f"{self.path}/runs")
        except OSError as error:
            raise unusable(f"{self.path}/runs", error) from error

    def assigned(self) -> dict[str, Fate]:
        """Every task this block was ever handed, by any driver, and what became of it as far as its logs say.

        For a driver that takes over; right once `accepted` is. Does not change what `news` will tell.

        Raises:
            StateError: a file cannot be read.
        """
        return assigned(self.path, self._runs())
