"""A second process that ends all jobs when the driver dies, and holds the directory's lock until they are dead.

It is forked from the driver while that has one thread and little memory, and keeps nothing of it but the read end of a
pipe and the descriptors of the lock. The pipe is its only source of news: the byte of a good end, or the end of file
that the kernel makes when the driver is gone, however it went.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Collection, Sequence
from contextlib import suppress

from flowrules.errors import FlowrulesError
from flowrules.execute.actions import reason
from flowrules.execute.processes import sweep

__all__ = ["Guard", "start_guard", "sweep"]

_GOODBYE = b"."
_IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE, signal.SIGTSTP)


class Guard:
    """The driver's end of its guard; made by `start_guard`."""

    def __init__(self, pid: int, pipe: int) -> None:
        self.pid = pid
        self._pipe = pipe

    def close(self) -> None:
        """Let the guard go: no job runs any more. May be called twice."""
        if self._pipe < 0:
            return
        with suppress(BrokenPipeError):  # somebody killed the guard: nothing to let go
            os.write(self._pipe, _GOODBYE)
        os.close(self._pipe)
        self._pipe = -1
        with suppress(ChildProcessError):
            os.waitpid(self.pid, 0)


def start_guard(run_id: str, keep_fds: Collection[int] = (), *, scratch: Sequence[str] = ()) -> Guard:
    """Fork the guard of a run.

    Call it before anything starts a thread, and before the driver holds other pipes whose far end waits for an end of
    file: the guard closes what it inherits, but a moment later.

    Args:
        run_id: as given to `LocalExecutor`.
        keep_fds: descriptors it keeps open as long as it lives, such as that of the lock.
        scratch: private folders it removes when the driver died.

    Raises:
        FlowrulesError: there is no room for a process.
    """
    read, write = os.pipe()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _IGNORED)  # none may come before the guard ignores them
    try:
        pid = os.fork()
    except OSError as error:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(read)
        os.close(write)
        raise FlowrulesError(f"no process can be started: {reason(error).lower()}") from error
    if pid:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(read)
        return Guard(pid, write)
    try:
        os.close(write)
        _watch(run_id, read, frozenset(keep_fds), scratch)
    finally:
        os._exit(0)


def _watch(run_id: str, pipe: int, keep: frozenset[int], scratch: Sequence[str]) -> None:
    """The life of the guard."""
    signal.set_wakeup_fd(-1)
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _IGNORED)
    os.setsid()
    _close_all_but({pipe, *keep})
    null = os.open(os.devnull, os.O_RDWR)
    for fd in {0, 1, 2} - keep - {pipe}:
        os.dup2(null, fd)
    if os.read(pipe, 1) == _GOODBYE:
        return
    sweep(run_id, limit=60.0)
    for folder in scratch:
        from shutil import rmtree

        rmtree(folder, ignore_errors=True)


def _close_all_but(keep: set[int]) -> None:
    low = 0
    for fd in [*sorted(keep), None]:
        os.closerange(low, _highest_fd() if fd is None else fd)
        low = fd + 1 if fd is not None else low


def _highest_fd() -> int:
    try:
        return max(int(name) for name in os.listdir("/dev/fd")) + 1
    except (OSError, ValueError):
        return os.sysconf("SC_OPEN_MAX")
