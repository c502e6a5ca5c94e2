"""Processes that wait for jobs: which are there, which one a job gets, and what becomes of those that die.

A process may be given further work while it is busy. It reads exactly one request at a time, so what it has not begun
waits in its socket, and can be taken back from there.

What they are told and what they answer is for others to know (`calls`, `slots`): here a request is bytes, and an answer
a line.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from flowrules.execute.actions import CannotStart, reason
from flowrules.execute.processes import signal_group
from flowrules.execute.reactor import Reactor
from flowrules.execute.spawn import Ended, Spawner, has_ended, reap

Key = tuple[object, ...]

LONGEST_REQUEST = 32_000
"""Bytes that surely fit into a socket's buffer, so that writing never waits for the process that reads."""

_FAREWELL = 3.0
"""Seconds a process has to end by itself when it was let go."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What a warm process is.

    Attributes:
        key: what it can be used for; a job gets a process with an equal key.
        argv: how it is started. It hears and answers on descriptor 3.
        env: variables on top of those of all jobs.
        directory: where it starts.
        side: whether it gets descriptor 4, a pipe for words that need not be heard at once.
    """

    key: Key
    argv: tuple[str, ...]
    env: Mapping[str, str]
    directory: str
    side: bool = False


class Work:
    """What a warm process is given to do.

    Attributes:
        request: at most `LONGEST_REQUEST` bytes.
    """

    __slots__ = ("request",)
    request: bytes

    def begun(self) -> None:
        """It is the first of the work of its process now."""

    def answered(self, line: bytes) -> None:
        """The process said a line about it."""

    def ended(self, ended: Ended) -> None:
        """The process ended while it was at it."""

    def back(self) -> None:
        """The process ended and had not begun with it."""


@dataclass(slots=True, eq=False)
class Warm:
    """One warm process.

    Attributes:
        pid: its id, that of its process group too.
        channel: our end of what it hears and answers on; far: its end.
        side: our end of the side pipe, -1 without; said: what was read there, where somebody reads it.
        work: what it does, the first, and is to do afterwards; empty while idle.
        heard: how many lines came at once.
        spent: CPU seconds of its jobs so far, where somebody keeps count; share: of the job that is told next;
            accounts: a descriptor for that, or -1.
        free: when its last job ended, by its own clock; since: when it began with the first of its work, monotonic.
    """

    pid: int
    kind: Kind
    channel: socket.socket
    far: socket.socket
    side: int = -1
    work: deque[Work] = field(default_factory=deque)
    said: dict[int, int] = field(default_factory=dict)
    heard: int = 0
    spent: float = 0.0
    share: float = 0.0
    accounts: int = -1
    free: float = 0.0
    since: float = 0.0
    buffer: bytes = field(default=b"", repr=False)


class WarmPool:
    """All warm processes of an executor.

    Args:
        base: the environment of all jobs.
        idle: how many may wait for work, or as many as once worked at the same time; the longest idle go first.
    """

    def __init__(self, base: Mapping[bytes, bytes], reactor: Reactor, spawner: Spawner, idle: int) -> None:
        self._base = base
        self._reactor = reactor
        self._spawner = spawner
        self._most_idle = idle
        self._most_busy = 0
        self._all: dict[int, Warm] = {}
        self._idle: dict[Warm, None] = {}
        self._leaving: dict[Warm, float] = {}
        self._laden: dict[Warm, None] = {}

    def take(self, key: Key) -> Warm | None:
        """An idle process of a kind, the one used last, so that the others grow old; None where there is none."""
        for warm in reversed(self._idle):
            if warm.kind.key == key and not has_ended(warm.pid):
                del self._idle[warm]
                return warm
        return None

    def start(self, kind: Kind, log: int) -> Warm:
        """A new process.

        Args:
            log: descriptor for what it says before its first job has a log; -1 to discard that.

        Raises:
            CannotStart: it cannot be started.
        """
        env = {**self._base, **{os.fsencode(name): os.fsencode(value) for name, value in kind.env.items()}}
        ours: list[int] = []
        write = -1
        try:
            ours += [end.detach() for end in socket.socketpair()]
            if kind.side:
                read, write = os.pipe()
                os.set_blocking(read, False)
                ours.append(read)
            channels = [ours[1], write] if kind.side else [ours[1]]
            pid = self._spawner.start(kind.argv, env, kind.directory, log, channels=channels)
        except (OSError, ValueError) as error:
            for fd in ours:
                os.close(fd)
            why = reason(error) if isinstance(error, OSError) else str(error)
            raise CannotStart(f"`{os.path.basename(kind.argv[0])}` could not be started: {why}") from error
        finally:
            if write >= 0:
                os.close(write)
        near, far = (socket.socket(fileno=fd) for fd in ours[:2])
        warm = Warm(pid, kind, near, far, ours[2] if kind.side else -1)
        self._all[pid] = warm
        self._most_busy = max(self._most_busy, len(self._all) - len(self._idle) - len(self._leaving))
        self._reactor.add(ours[0], lambda: self._hear(warm))
        self._reactor.watch(pid, lambda: self._bury(warm))
        return warm

    def send(self, warm: Warm, work: Work) -> None:
        """Give it work, which it does after what it has already."""
        warm.work.append(work)
        if len(warm.work) == 1:
            warm.since = time.monotonic()
            work.begun()
        else:
            self._laden[warm] = None
        try:  # noqa: SIM105 - for each job: quicker than `suppress`
            warm.channel.sendall(work.request)
        except OSError:
            pass  # it has died: its end is about to be noticed, and fails the job

    def shortest(self, key: Key, most: int) -> Warm | None:
        """A busy process of a kind with the least work, less than ``most``; None where there is none."""
        found = None
        for warm in self._all.values():
            if 0 < len(warm.work) < most and warm.kind.key == key and warm not in self._leaving:
                most, found = len(warm.work), warm
                if most == 1:
                    break
        return found

    def laden(self) -> list[Warm]:
        """Processes that have more work than that they are at."""
        for warm in [warm for warm in self._laden if len(warm.work) < 2]:
            del self._laden[warm]
        return list(self._laden)

    def take_back(self, warm: Warm) -> list[Work]:
        """Take back all that it has not begun with. Nothing, where it just begins with it."""
        first, *waiting = [work.request for work in warm.work]
        size = sum(map(len, waiting))
        try:
            data = warm.far.recv(size + len(first), socket.MSG_DONTWAIT)  # all there is, in one look
        except OSError:
            data = b""
        taken = len(data) in (size, size + len(first))
        if unread := data[: len(data) - size] if taken else data:
            warm.channel.sendall(unread)  # it waits for this, or comes to it later, and has missed nothing
        return [warm.work.pop() for _ in waiting][::-1] if taken else []

    def release(self, warm: Warm, retire: bool = False) -> None:
        """It is done with the first of its work, and goes on with the next, unless it is of no more use."""
        warm.work.popleft()
        if retire:
            self.let_go(warm)
        elif warm.work:
            warm.since = time.monotonic()
            warm.work[0].begun()
        else:
            self._idle[warm] = None
            if len(self._idle) > max(self._most_idle, self._most_busy):
                self.let_go(next(iter(self._idle)))

    def let_go(self, warm: Warm) -> None:
        """Let it end; one that does not is killed after a moment. What it has not begun with, others do.

        It is done with the first of its work, or says nothing more about it.
        """
        self._idle.pop(warm, None)
        self._leaving[warm] = time.monotonic() + _FAREWELL
        self._hang_up(warm)

    def kill_late(self, now: float) -> float | None:
        """Kill processes that were let go and did not end; returns when to look again."""
        if not self._leaving:
            return None
        for warm, until in self._leaving.items():
            if until <= now:
                signal_group(warm.pid, signal.SIGKILL)
                self._leaving[warm] = now + _FAREWELL
        return min(self._leaving.values())

    def close(self) -> None:
        """Let all idle processes go, kill the rest, and wait for their ends."""
        for warm in list(self._all.values()):
            if not warm.work:
                self.let_go(warm)
            else:
                signal_group(warm.pid, signal.SIGKILL)
        for patience in (1.0, 5.0):
            end = time.monotonic() + patience
            while self._all and time.monotonic() < end:
                self._reactor.poll(0.05)
            for warm in self._all.values():
                signal_group(warm.pid, signal.SIGKILL)

    def _hear(self, warm: Warm) -> None:
        try:
            data = warm.channel.recv(1 << 16, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return  # what was to be heard was for the one that had this descriptor before
        except OSError:
            data = b""
        if not data:
            self._hang_up(warm)
            return
        *lines, warm.buffer = (warm.buffer + data).split(b"\n")
        warm.heard = len(lines)
        for line in lines:
            if warm.work:
                warm.work[0].answered(line)

    def _hang_up(self, warm: Warm) -> None:
        if warm.channel.fileno() >= 0:
            self._reactor.remove(warm.channel.fileno())
            warm.channel.close()
            warm.far.close()

    def _bury(self, warm: Warm) -> None:
        if warm.channel.fileno() >= 0:
            self._hear(warm)  # an answer may have come just before the end
        self._hang_up(warm)
        self._idle.pop(warm, None)
        self._leaving.pop(warm, None)
        self._all.pop(warm.pid, None)
        ended = reap(warm.pid)
        work = list(warm.work)
        warm.work.clear()
        if work:
            work[0].ended(ended)
        else:
            signal_group(warm.pid, signal.SIGKILL)
        for unbegun in work[1:]:
            unbegun.back()
        for fd in (warm.side, warm.accounts):
            if fd >= 0:
                os.close(fd)
        warm.side = warm.accounts = -1
