"""Waits for descriptors and for the ends of child processes, in one thread, and can be woken from a signal handler."""

from __future__ import annotations

import os
import resource
import select
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

from flowrules.execute.spawn import has_ended

Ready = Callable[[], None]

_RESERVE = 32
"""Descriptors that are left to all else where many children are watched."""


class Reactor:
    """Calls back what was asked to be called when something happens; everything happens inside `poll`.

    Args:
        pidfds: whether ends of children are noticed by descriptors (Linux 5.3) rather than SIGCHLD; None to find out.
    """

    def __init__(self, pidfds: bool | None = None) -> None:
        self._epoll = select.epoll()
        self._ready: dict[int, Ready] = {}
        self._pidfds = _has_pidfds() if pidfds is None else pidfds
        self._fds: dict[int, int] = {}
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self._highest = sys.maxsize if limit == resource.RLIM_INFINITY else limit - _RESERVE
        self._children: dict[int, Ready] = {}
        self._woken = False
        self._read, self._write = os.pipe()
        for fd in (self._read, self._write):
            os.set_blocking(fd, False)
        self.add(self._read, self._drain)
        self._main = threading.current_thread() is threading.main_thread()
        self._before_fd = -1
        self._before_handler: Callable[[int, FrameType | None], object] | int | None = None
        if self._main:
            # any signal ends the waiting, also one that comes just before it begins
            self._before_fd = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
            if not self._pidfds or signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:
                # where SIGCHLD is ignored the kernel throws away how children ended
                self._before_handler = signal.signal(signal.SIGCHLD, _noted)

    def add(self, fd: int, ready: Ready) -> None:
        """Call back whenever a descriptor can be read, until `remove`."""
        self._epoll.register(fd, select.EPOLLIN)
        self._ready[fd] = ready

    def remove(self, fd: int) -> None:
        """No longer look at a descriptor."""
        self._epoll.unregister(fd)
        del self._ready[fd]

    def watch(self, pid: int, ended: Ready) -> None:
        """Call back once when a child process has ended; taking its end (`wait4`) is the callee's."""
        try:
            fd = os.pidfd_open(pid) if self._pidfds else -1
        except OSError:
            fd = -1
        if fd >= self._highest:
            os.close(fd)
            fd = -1
        if fd < 0:  # out of descriptors: it is looked at now and then
            self._children[pid] = ended
            return
        self._fds[pid] = fd
        self.add(fd, lambda: self._ended(pid, ended))

    def wake(self) -> None:
        """End a `poll` that waits, or the next one; may be called in a signal handler."""
        self._woken = True
        with suppress(OSError):  # full, so a wake-up is there already; or closed
            os.write(self._write, b"w")

    def take_wake(self) -> bool:
        """Whether `wake` was called since the last time this was asked."""
        woken, self._woken = self._woken, False
        return woken

    def poll(self, timeout: float | None) -> None:
        """Wait up to some seconds for something to happen, and call back."""
        if self._children:
            timeout = 0.1 if timeout is None else min(timeout, 0.1)  # SIGCHLD may have gone to another thread
        for fd, _ in self._epoll.poll(timeout):
            if (ready := self._ready.get(fd)) is not None:  # one before it may have removed it
                ready()
        if self._children:
            self._look_at_children()

    def close(self) -> None:
        """Release everything. May be called twice."""
        if self._read < 0:
            return
        if self._main:
            if signal.set_wakeup_fd(-1) == self._write and self._before_fd >= 0:
                signal.set_wakeup_fd(self._before_fd)
            if self._before_handler is not None:
                signal.signal(signal.SIGCHLD, self._before_handler)
        self._epoll.close()
        self._ready.clear()
        for fd in (self._read, self._write, *self._fds.values()):
            os.close(fd)
        self._fds.clear()
        self._children.clear()
        self._read = self._write = -1

    def _ended(self, pid: int, ended: Ready) -> None:
        fd = self._fds.pop(pid)
        self.remove(fd)
        os.close(fd)
        ended()

    def _look_at_children(self) -> None:
        for pid, ended in list(self._children.items()):
            if has_ended(pid):
                del self._children[pid]
                ended()

    def _drain(self) -> None:
        try:
            while os.read(self._read, 512):
                pass
        except BlockingIOError:
            pass


def _has_pidfds() -> bool:
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return False
    return True


def _noted(number: int, frame: object) -> None:
    """A handler that does nothing: its being there makes the signal end a wait."""
