"""A block as its runner holds it: tasks come out of its inboxes, its log tells what became of them.

Each start of a runner is an incarnation. It owns the next number below `runs/`, sees that those before are dead, says
up to where their logs count, and goes on from there.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Final

from flowrules.errors import DirectoryHeld, StateError
from flowrules.model.block import BlockSpec, Task, TaskEnd, epoch_of
from flowrules.record.blockfiles import (
    Past,
    block_path,
    damage,
    decoded,
    epochs,
    has_failed,
    inbox_path,
    log_name,
    log_path,
    mark_failed,
    read_spec,
    said,
    unusable,
)
from flowrules.record.messages import (
    Accept,
    After,
    Begin,
    Closing,
    Cut,
    Damaged,
    Ended,
    Given,
    InboxMessage,
    LogMessage,
    Stop,
    encode_message,
)
from flowrules.record.numbered import highest, numbers, take_next
from flowrules.record.owner import Owner, describe, is_local, read_owner
from flowrules.record.polled import Appender, Follower
from flowrules.record.state import sync_folder, write_atomically

QUARANTINE_SECONDS: Final = 150.0
"""After so long what could not be reached is dead: the lease of agents, the visibility of a new number, and 30 s."""

SILENCE_SECONDS: Final = 60.0
"""For how long the log of a runner on another host must not have grown for it to count as dead."""

NAME_SECONDS: Final = 5.0
"""For how long a number without an owner may yet get one."""

SYNC_SECONDS: Final = 1.0
SYNC_LINES: Final = 1_000
_POLL_SECONDS = 0.2


class RunnerFolder:
    """A block of a runner. Made by `begin`.

    Attributes:
        path: the folder; spec: what was asked for; incarnation: number of this start.
        past: what earlier incarnations said.
    """

    def __init__(self, path: str, spec: BlockSpec, incarnation: int) -> None:
        self.path = path
        self.spec = spec
        self.incarnation = incarnation
        self.past = Past.empty()
        self._log = Appender(log_path(path, incarnation))
        self._unsynced_since: float | None = None
        self._urgent = False
        self._follower: Follower | None = None
        self._epoch = 0
        self._switch: tuple[int, int] | None = None

    @classmethod
    def begin(
        cls,
        path: str,
        batch: str,
        hosts: Sequence[str],
        *,
        quarantine: float = QUARANTINE_SECONDS,
        silence: float = SILENCE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> RunnerFolder | None:
        """Become the next incarnation of a block.

        Args:
            batch: the batch system's id of this batch job.
            hosts: the nodes of the block, this one first.
            quarantine: seconds after which an earlier incarnation on a host that cannot be asked is dead.
            silence: seconds for which another batch job's log must not grow for that job to be dead.

        Returns:
            None where another batch job holds this block or has closed it: this one is a duplicate, and ends.

        Raises:
            StateError: the folder cannot be used.
            DirectoryHeld: a later incarnation took over meanwhile.
        """
        spec = read_spec(path)
        patience = _Patience(path, clock, sleep)
        try:
            before = numbers(f"{path}/runs")
            if any(patience.is_taken(run, batch, silence) for run in before):
                return None
            incarnation = take_next(f"{path}/runs", 2)
            place = f"{path}/runs/{incarnation:02d}"
            folder = cls(path, spec, incarnation)
            write_atomically(f"{place}/nodes", "".join(f"{host}\n" for host in hosts).encode())
            owner = Owner.here(run=batch)
            write_atomically(f"{place}/owner", json.dumps(asdict(owner)).encode())
            sync_folder(f"{path}/runs")
        except OSError as error:
            raise unusable(f"{path}/runs", error) from error
        folder.write(Begin(incarnation, owner.host, owner.pid, batch, tuple(hosts)))
        folder.sync()
        before = [run for run in numbers(f"{path}/runs") if run < incarnation]
        for run in before:
            patience.until_dead(run, quarantine)
        folder._collect(before)
        folder.look()
        return folder

    def _collect(self, before: Sequence[int]) -> None:
        """Learn what earlier incarnations said, and cut their logs there."""
        cuts: dict[int, int] = {}
        said = []
        for run in reversed(before):
            follower = Follower(log_path(self.path, run), cuts.get(run))
            messages = [message for message, _ in decoded(follower, follower.poll())]
            if run not in cuts:
                cuts[run] = follower.offset
                self.write(Cut(log_name(run), follower.offset))
            for message in messages:
                if isinstance(message, Cut):
                    cuts.setdefault(int(message.file.partition("/")[0]), message.offset)
            said.append(messages)
        for messages in reversed(said):
            for message in messages:
                self.past.learn(message)
        self.sync()

    def ends_before(self) -> dict[str, TaskEnd]:
        """What ended well in the blocks that this one comes after. What cannot be read there has not ended."""
        found: dict[str, TaskEnd] = {}
        for block in self.spec.after:
            path = block_path(self.spec.directory, block)
            with suppress(StateError, OSError):
                for message in said(path, numbers(f"{path}/runs")):
                    if isinstance(message, Ended) and message.end.record.status == "done":
                        found[message.end.task] = message.end
        return found

    # ── in charge ────────────────────────────────────────────────────────────────────────────────────────────────

    def look(self) -> None:
        """Look whether this incarnation is still in charge; what it does outwards needs a look at most 5 s old.

        Raises:
            DirectoryHeld: a later one took over: this one kills its jobs, writes nothing more, and ends.
        """
        try:
            last = highest(f"{self.path}/runs")
        except OSError as error:
            raise unusable(f"{self.path}/runs", error) from error
        if last > self.incarnation:
            taker, _, _ = read_owner(f"{self.path}/runs/{last:02d}")
            raise DirectoryHeld(f"a later start of this block took over: {describe(taker)}", "this one ends")

    # ── from the driver ──────────────────────────────────────────────────────────────────────────────────────────

    def inbox(self) -> list[InboxMessage | Damaged]:
        """What drivers said since the last call, in order.

        The folder is listed first: where a later driver has opened its inbox, the one before is read no further, and
        that is written down before anything of the later one is read.

        Raises:
            StateError: an inbox cannot be read, or the log cannot be written.
        """
        found: list[InboxMessage | Damaged] = []
        listed = epochs(self.path)
        if self._follower is None:
            if not listed:
                return found
            self._follow(listed[0])
        while True:
            if self._switch is None:
                self._read(found)
            later = next((epoch for epoch in listed if epoch > self._epoch and self._is_open(epoch)), None)
            if later is None or (self.past.closing is not None and later > self.past.closing.epoch):
                return [*found, Stop()] if has_failed(self.spec.directory, self._epoch) else found
            if self._epoch not in self.past.read:
                self._accept(later)
            self._follow(later)

    def _accept(self, epoch: int) -> None:
        assert self._follower is not None
        if self._switch is None:
            self._switch = epoch, self._follower.offset
            self.write(Accept(epoch, self._epoch, self._follower.offset))
        self.sync()
        self._switch = None

    def _follow(self, epoch: int) -> None:
        self._epoch = epoch
        self._follower = Follower(inbox_path(self.path, epoch), self.past.read.get(epoch))

    def _is_open(self, epoch: int) -> bool:
        """Whether the driver of an epoch has said that it is there."""
        if epoch in self.past.read or epoch <= self.past.last:
            return True
        lines = Follower(inbox_path(self.path, epoch)).poll()
        return bool(lines) and lines[0].kind == "after"

    def _read(self, found: list[InboxMessage | Damaged]) -> None:
        assert self._follower is not None
        for message, _ in decoded(self._follower, self._follower.poll()):
            if not isinstance(message, After):
                found.append(message)  # type: ignore[arg-type] # a log's message in an inbox is passed over later
        if (lost := damage(self._follower)) is not None:
            found.append(lost)

    def ends_run(self, task: Task) -> bool:
        """Whether the failure of a task ends the run of the driver in charge; a later one than its own decides anew."""
        return task.last and epoch_of(task.name) == self._epoch

    def tell_others(self) -> None:
        """Have all blocks of the driver in charge start no further job: a failure ends its run.

        They look for that whenever they look into their inboxes, so they know before the driver does, and without one.
        """
        with suppress(OSError):  # then the driver tells them
            mark_failed(self.spec.directory, self._epoch)

    def closing(self, why: str) -> Closing:
        """The message that ends the reading of inboxes: nothing after it will be read."""
        offset = 0 if self._follower is None else self._follower.offset
        return Closing(self._epoch, offset, why)

    # ── to the driver ────────────────────────────────────────────────────────────────────────────────────────────

    def write(self, message: LogMessage) -> None:
        """Add a line to the log; it is in the file after `flush`."""
        self._log.append(*encode_message(message))
        self._urgent = self._urgent or isinstance(message, Closing | Given)  # the driver may go on at once

    def flush(self) -> None:
        """Have all lines in the file, with one write.

        Raises:
            StateError: not all of them are: nothing must be concluded from any. The next call tries again.
        """
        self._log.flush()

    def sync(self) -> None:
        """Have all lines on disk, where other hosts see them. Raises as `flush`."""
        self._log.sync()
        self._unsynced_since = None
        self._urgent = False

    def tick(self, now: float) -> None:
        """Sync once a second, after 1,000 lines, or where the driver waits for one. Raises as `flush`.

        Args:
            now: seconds of a monotonic clock.
        """
        if not self._log.unsynced:
            return
        if self._unsynced_since is None:
            self._unsynced_since = now
        if self._urgent or self._log.unsynced >= SYNC_LINES or now - self._unsynced_since >= SYNC_SECONDS:
            self.sync()

    @property
    def unsynced(self) -> bool:
        """Whether there are lines that are perhaps not on disk."""
        return self._log.unsynced > 0

    def close(self) -> None:
        """Let go of the files. May be called twice."""
        self._log.close()

    def __enter__(self) -> RunnerFolder:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class _Patience:
    """Asks of earlier incarnations whether they live, and waits until they do not."""

    def __init__(self, path: str, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._path = path
        self._clock = clock
        self._sleep = sleep

    def is_taken(self, run: int, batch: str, silence: float) -> bool:
        """Whether an incarnation has closed the block, or lives and is another batch job's."""
        if self._has_closed(run):
            return True
        owner = self._owner(run)
        if owner is None or owner.run == batch:
            return False
        if is_local(owner):
            return owner.alive()
        return self._grows(run, silence)

    def until_dead(self, run: int, quarantine: float) -> None:
        """Wait until an incarnation of this batch job is known to be dead; it ends when it sees the new number."""
        owner = self._owner(run)
        begun = self._clock()
        while self._clock() - begun < quarantine:
            if owner is None or (is_local(owner) and not owner.alive()):
                return
            self._sleep(_POLL_SECONDS)

    def _owner(self, run: int) -> Owner | None:
        """Who an incarnation is; None for a number that nobody owns."""
        place, begun = f"{self._path}/runs/{run:02d}", self._clock()
        while True:
            owner = read_owner(place)[0]
            if owner is not None or self._clock() - begun >= NAME_SECONDS or highest(f"{self._path}/runs") > run:
                return owner
            self._sleep(_POLL_SECONDS)

    def _grows(self, run: int, silence: float) -> bool:
        path, begun = log_path(self._path, run), self._clock()
        follower = Follower(path)
        follower.poll()
        while self._clock() - begun < silence:
            self._sleep(_POLL_SECONDS)
            if follower.poll():
                return True
        return False

    def _has_closed(self, run: int) -> bool:
        follower = Follower(log_path(self._path, run))
        return any(line.kind == "closed" for line in follower.poll())
