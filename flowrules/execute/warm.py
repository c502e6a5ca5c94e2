"""Processes that wait for jobs: which are there, which one a job gets, and what becomes of those that die.

What they are told and what they answer is for others to know (`calls`, `slots`): here a request is bytes, and an answer
a line.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from flowrules.execute.actions import CannotStart, reason
from flowrules.execute.processes import signal_group
from flowrules.execute.reactor import Reactor
from flowrules.execute.spawn import Ended, Spawner, has_ended, reap

Key = tuple[object, ...]
Answered = Callable[[bytes], None]
OnEnd = Callable[[Ended], None]

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


@dataclass(slots=True, eq=False)
class Warm:
    """One warm process.

    Attributes:
        pid: its id, that of its process group too.
        side: our end of the side pipe, -1 without.
        answered, ended: what to call with an answer and at its end, while it works on a job; None while idle.
        request: what it was sent last.
        spent: CPU seconds of its jobs so far, where somebody keeps count; accounts: a descriptor for that, or -1.
    """

    pid: int
    kind: Kind
    channel: socket.socket
    side: int = -1
    answered: Answered | None = None
    ended: OnEnd | None = None
    request: bytes = b""
    spent: float = 0.0
    accounts: int = -1
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
        theirs: list[int] = []
        try:
            channel, far = socket.socketpair()
            ours.append(channel.detach())
            theirs.append(far.detach())
            if kind.side:
                read, write = os.pipe()
                os.set_blocking(read, False)
                ours.append(read)
                theirs.append(write)
            pid = self._spawner.start(kind.argv, env, kind.directory, log, channels=theirs)
        except (OSError, ValueError) as error:
            for fd in ours:
                os.close(fd)
            why = reason(error) if isinstance(error, OSError) else str(error)
            raise CannotStart(f"`{os.path.basename(kind.argv[0])}` could not be started: {why}") from error
        finally:
            for fd in theirs:
                os.close(fd)
        warm = Warm(pid, kind, socket.socket(fileno=ours[0]), ours[1] if kind.side else -1)
        self._all[pid] = warm
        self._most_busy = max(self._most_busy, len(self._all) - len(self._idle) - len(self._leaving))
        self._reactor.add(ours[0], lambda: self._hear(warm))
        self._reactor.watch(pid, lambda: self._bury(warm))
        return warm

    def send(self, warm: Warm, request: bytes, answered: Answered, ended: OnEnd) -> None:
        """Give it a job; one of the two is called afterwards, ``answered`` for each line it says.

        A request has at most `LONGEST_REQUEST` bytes.
        """
        warm.answered, warm.ended, warm.request = answered, ended, request
        try:  # noqa: SIM105 - for each job: quicker than `suppress`
            warm.channel.sendall(request)
        except OSError:
            pass  # it has died: its end is about to be noticed, and fails the job

    def release(self, warm: Warm, retire: bool = False) -> None:
        """It is done with its job and may have another, unless it is of no more use."""
        warm.answered = warm.ended = None
        if retire:
            self.let_go(warm)
            return
        self._idle[warm] = None
        if len(self._idle) > max(self._most_idle, self._most_busy):
            self.let_go(next(iter(self._idle)))

    def let_go(self, warm: Warm) -> None:
        """Let it end; one that does not is killed after a moment."""
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
            if warm.answered is None:
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
        for line in lines:
            if warm.answered is not None:
                warm.answered(line)

    def _hang_up(self, warm: Warm) -> None:
        if warm.channel.fileno() >= 0:
            self._reactor.remove(warm.channel.fileno())
            warm.channel.close()

    def _bury(self, warm: Warm) -> None:
        if warm.channel.fileno() >= 0:
            self._hear(warm)  # an answer may have come just before the end
        self._hang_up(warm)
        self._idle.pop(warm, None)
        self._leaving.pop(warm, None)
        self._all.pop(warm.pid, None)
        ended = reap(warm.pid)
        if warm.ended is not None:
            warm.ended(ended)
        else:
            signal_group(warm.pid, signal.SIGKILL)
        for fd in (warm.side, warm.accounts):
            if fd >= 0:
                os.close(fd)
        warm.side = warm.accounts = -1
