"""Writes to the agents of a block without ever waiting for one, and keeps their leases, from a thread of its own.

The thread touches nothing but pipes: a file system that hangs must not end a lease.
"""

from __future__ import annotations

import os
import select
import threading
import time
from contextlib import suppress

from flowrules.execute.launchers import message

_TICK = message("tick")
_PATIENCE = 4096
"""Bytes that may wait for an agent before it is no longer sent ticks: one that does not read needs none."""


class Feeder:
    """What is to be written to each of some pipes.

    Args:
        interval: seconds between ticks.
    """

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._waiting: dict[int, bytearray] = {}
        self._lock = threading.Lock()
        self._closed = False
        self._read, self._write = os.pipe()
        for fd in (self._read, self._write):
            os.set_blocking(fd, False)
        self._thread = threading.Thread(target=self._run, name="agents", daemon=True)
        self._thread.start()

    def add(self, fd: int, first: bytes) -> None:
        """Take over the write end of a pipe, write something and then ticks."""
        os.set_blocking(fd, False)
        with self._lock:
            self._waiting[fd] = bytearray()
        self.send(fd, first)

    def send(self, fd: int, data: bytes) -> None:
        """Write, now or as soon as the other side reads. Nothing happens where it no longer does."""
        with self._lock:
            waiting = self._waiting.get(fd)
            if waiting is None:
                return
            waiting += data
            self._flush(fd, waiting)
            if not waiting:
                return
        with suppress(BlockingIOError):
            os.write(self._write, b"w")

    def drop(self, fd: int) -> None:
        """Close a pipe; what was not written is lost. May be called twice."""
        with self._lock:
            if self._waiting.pop(fd, None) is not None:
                os.close(fd)

    def close(self) -> None:
        """Close everything. May be called twice."""
        if self._closed:
            return
        self._closed = True
        with suppress(BlockingIOError):
            os.write(self._write, b"w")
        self._thread.join()
        for fd in list(self._waiting):
            self.drop(fd)
        os.close(self._read)
        os.close(self._write)

    def _flush(self, fd: int, waiting: bytearray) -> None:
        try:
            while waiting:
                del waiting[: os.write(fd, waiting[:65536])]
        except BlockingIOError:
            pass
        except OSError:  # the agent is gone, which its other pipe will say
            waiting.clear()

    def _run(self) -> None:
        due = time.monotonic() + self._interval
        while not self._closed:
            poll = select.poll()
            poll.register(self._read, select.POLLIN)
            with self._lock:
                for fd, waiting in self._waiting.items():
                    if waiting:
                        poll.register(fd, select.POLLOUT)
            poll.poll(max(0.0, due - time.monotonic()) * 1000)
            with suppress(BlockingIOError):
                os.read(self._read, 512)
            tick = time.monotonic() >= due
            if tick:
                due = time.monotonic() + self._interval
            with self._lock:
                for fd, waiting in self._waiting.items():
                    if tick and len(waiting) < _PATIENCE:
                        waiting += _TICK
                    self._flush(fd, waiting)
