"""Starts processes: each in a session of its own, with nothing of the driver's but three streams."""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

_TO_DEFAULT = [signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM]
"""Signals that Python or a shell that put the driver into the background may have set to be ignored."""

_LONG_STACK = 32 << 20
"""Stack limit for jobs with very long argument lists: Linux allows arguments a quarter of it, at most 6 MiB."""

_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


class Ended(NamedTuple):
    """How a process ended; ``exit`` is the negative number of the signal where one ended it; ``at``: when, if known."""

    exit: int
    cpu: float
    memory: int
    at: float = 0.0


class Spawner:
    """Starts processes in a working directory, one driver thread assumed.

    Descriptors 0 to 2 of the driver are made sure to be open, so that no later file takes their place; all others are
    marked not to be inherited, those too that the driver itself inherited.
    """

    def __init__(self) -> None:
        while (null := os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)) <= 2:
            pass
        self._null = null
        _keep_to_ourselves()

    def start(
        self,
        argv: tuple[str, ...],
        env: Mapping[bytes, bytes],
        directory: str,
        log: int,
        *,
        long: bool = False,
        channels: Sequence[int] = (),
    ) -> int:
        """Start a process; returns its id, which is that of its session and process group too.

        Args:
            log: descriptor of its output and error; -1 to discard them.
            long: raise its stack limit, for programs with very long argument lists.
            channels: descriptors it gets as numbers 3, 4, …

        Raises:
            OSError: it cannot be started.
            ValueError: an argument or variable holds a NUL character.
        """
        out = self._null if log < 0 else log
        actions = [
            (os.POSIX_SPAWN_DUP2, self._null, 0),
            (os.POSIX_SPAWN_DUP2, out, 1),
            (os.POSIX_SPAWN_DUP2, out, 2),
        ]
        before = _enter(directory)
        limit = _raise_stack() if long else None
        high: list[int] = []
        try:
            for number, fd in enumerate(channels, 3):
                high.append(fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10))  # out of the way of numbers to be given
                actions.append((os.POSIX_SPAWN_DUP2, high[-1], number))
            return os.posix_spawn(
                argv[0], argv, env, file_actions=actions, setsid=True, setsigmask=(), setsigdef=_TO_DEFAULT
            )
        finally:
            for fd in high:
                os.close(fd)
            if limit is not None:
                resource.setrlimit(resource.RLIMIT_STACK, limit)
            if before >= 0:
                os.fchdir(before)
                os.close(before)

    def close(self) -> None:
        """Release the descriptor it holds. May be called twice."""
        if self._null >= 0:
            os.close(self._null)
            self._null = -1


def has_ended(pid: int) -> bool:
    """Whether a child has ended; its end is left to be taken by `reap`."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def reap(pid: int) -> Ended:
    """Take the end of a child that has ended.

    The kernel counts the driver's own memory into the peak of what it starts, so a peak not above it says nothing
    and is given as 0, unknown.
    """
    try:
        _, status, usage = os.wait4(pid, 0)
    except ChildProcessError:
        return Ended(1, 0.0, 0)
    peak = usage.ru_maxrss if usage.ru_maxrss > resource.getrusage(resource.RUSAGE_SELF).ru_maxrss else 0
    return Ended(os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime, peak * _RSS_UNIT)


def _keep_to_ourselves() -> None:
    try:
        names = os.listdir("/dev/fd")
    except OSError:
        return
    for name in names:
        if name.isdigit() and int(name) > 2:
            with suppress(OSError):  # that of the listing itself
                os.set_inheritable(int(name), False)


def _enter(directory: str) -> int:
    """Go into a folder; returns a descriptor of the one before, -1 where nothing had to be done."""
    if directory in (".", ""):
        return -1
    before = os.open(".", os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.chdir(directory)
    except OSError:
        os.close(before)
        raise
    return before


def _raise_stack() -> tuple[int, int] | None:
    soft, hard = resource.getrlimit(resource.RLIMIT_STACK)
    if soft == resource.RLIM_INFINITY or soft >= _LONG_STACK:
        return None
    new = _LONG_STACK if hard == resource.RLIM_INFINITY else min(hard, _LONG_STACK)
    resource.setrlimit(resource.RLIMIT_STACK, (new, hard))
    return soft, hard
