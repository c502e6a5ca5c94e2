"""What a call may change of the Python process that makes it, and how that is put back before the next one."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TextIO


class State:
    """What a call may change of the process, as it was before the first one.

    Variables that calls are given stay until the next call has others.
    """

    def __init__(self) -> None:
        self.null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        self.raw: dict[bytes, bytes] = dict(os.environ._data)  # type: ignore[attr-defined]  # quick to compare
        self.given: dict[str, str] = {}
        self.set = self.raw
        self.umask = os.umask(0o022)
        os.umask(self.umask)
        self.path = list(sys.path)
        self.signals = b""
        self.handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}
        self.mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        self.folder = ""
        self.streams = (sys.stdin, sys.stdout, sys.stderr)
        self._fresh_streams()

    def enter(self, request: dict[str, Any]) -> str:
        """Take a job's folder, log and variables; returns what went wrong, or nothing."""
        try:
            if self.folder != request["directory"]:
                os.chdir(request["directory"])
                self.folder = os.getcwd()
            log = os.open(request["log"] or os.devnull, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        except OSError as error:
            return f"the log cannot be written: {error.strerror}: {error.filename}"
        os.dup2(self.null, 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.close(log)
        self._set_variables(request["env"], request.get("unset"))
        sys.argv = [request.get("path") or request["module"]]
        return ""

    def _set_variables(self, given: dict[str, str], unset: list[str] | None) -> None:
        """Give a call its variables; most are those of the call before.

        Args:
            given: those on top of what this process was started with; with ``unset`` those that differ from now.
            unset: names to be removed.
        """
        if unset is None:
            for name in self.given.keys() - given.keys():
                before = self.raw.get(os.fsencode(name))
                if before is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = os.fsdecode(before)
        for name in unset or ():
            del os.environ[name]
        for name, value in given.items():
            if unset is not None or self.given.get(name) != value:
                os.environ[name] = value
        self.given = given
        self.set = dict(os.environ._data)  # type: ignore[attr-defined]

    def restore(self, status: bytes) -> None:
        """Put back what a call may have changed; ``status`` is what the kernel says of the process after it."""
        _flush(sys.stdout, sys.stderr, *self.streams[1:])
        for fd in range(3):
            os.dup2(self.null, fd)
        _flush(*self.streams[1:])  # what could not be written to this job's log must not come into the next one's
        if any(stream.closed for stream in self.streams):
            self._fresh_streams()
        sys.stdin, sys.stdout, sys.stderr = self.streams
        os.umask(self.umask)
        try:
            if os.getcwd() != self.folder:
                os.chdir(self.folder)
        except OSError:
            self.folder = ""
        if os.environ._data != self.set:  # type: ignore[attr-defined]
            self._restore_env()
        self._restore_signals(status)
        if sys.path != self.path:
            sys.path[:] = self.path

    def _restore_env(self) -> None:
        now: dict[bytes, bytes] = os.environ._data  # type: ignore[attr-defined]
        for name in now.keys() - self.set.keys():
            del os.environ[os.fsdecode(name)]
        for name, value in self.set.items():
            if now.get(name) != value:
                os.environ[os.fsdecode(name)] = os.fsdecode(value)

    def _restore_signals(self, status: bytes) -> None:
        """Put handlers and mask back; the kernel's view of them tells whether it is worth a look at each."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        at = status.find(b"SigBlk:")
        end = status.find(b"\n", status.find(b"SigCgt:"))
        seen = status[at:end] if at >= 0 else b""
        if seen and seen == self.signals and signal.getsignal(signal.SIGINT) is self.handlers[signal.SIGINT]:
            return
        for number, handler in self.handlers.items():
            if signal.getsignal(number) is not handler and handler is not None:
                signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, self.mask)
        again = proc_status()
        self.signals = again[again.find(b"SigBlk:") : again.find(b"\n", again.find(b"SigCgt:"))]

    def _fresh_streams(self) -> None:
        self.streams = (_stream(0, "r"), _stream(1, "w"), _stream(2, "w"))
        sys.stdin, sys.stdout, sys.stderr = self.streams


def _flush(*streams: TextIO) -> None:
    for stream in streams:
        with suppress(OSError, ValueError, AttributeError):  # full, closed, or replaced by something else
            stream.flush()


def _stream(fd: int, mode: str) -> TextIO:
    errors = "backslashreplace" if fd == 2 else "surrogateescape"
    return open(fd, mode, encoding="utf-8", errors=errors, buffering=1, closefd=False)  # type: ignore[return-value]


def proc_status() -> bytes:
    """What the kernel says of this process; b"" where there is no /proc."""
    try:
        fd = os.open("/proc/self/status", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(fd, 8192)
    finally:
        os.close(fd)
