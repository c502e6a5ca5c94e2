"""One launcher's process, such as an ssh client, with its streams: lines go in through the feeder and come out here."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from flowrules.execute.feeder import Feeder
from flowrules.execute.launchers import message
from flowrules.execute.processes import signal_group
from flowrules.execute.reactor import Reactor

_CHUNK = 1 << 16
_LONGEST = 1 << 16
"""Bytes of a line; a longer one is noise and is cut."""

Told = Callable[[bytes], None]


class Link:
    """A running launcher.

    Args:
        first: what its far end reads first.
        line, noise: called with each line of its output, of its error stream.
        gone: called once when it has ended by itself, after its last lines.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        first: bytes,
        reactor: Reactor,
        feeder: Feeder,
        *,
        line: Told,
        noise: Told,
        gone: Callable[[], None],
    ) -> None:
        self._reactor = reactor
        self._feeder = feeder
        self._gone = gone
        self._tell = (line, noise)
        self._rest = (bytearray(), bytearray())
        self.heard = time.monotonic()
        """When something was last heard of it, monotonic."""
        pipes = [os.pipe() for _ in range(3)]
        (stdin, self._in), (out, stdout), (err, stderr) = pipes
        self._outs = [out, err]
        try:
            self._process = subprocess.Popen(
                argv, bufsize=0, stdin=stdin, stdout=stdout, stderr=stderr, start_new_session=True, env=env
            )
        except OSError:
            for fd in (self._in, out, err):
                os.close(fd)
            raise
        finally:
            for fd in (stdin, stdout, stderr):
                os.close(fd)
        for stream, fd in enumerate(self._outs):
            os.set_blocking(fd, False)
            reactor.add(fd, lambda stream=stream: self._read(stream))  # type: ignore[misc]
        feeder.add(self._in, first)

    def send(self, text: str) -> None:
        """Write a message to the agent at the far end, without waiting for it.

        Raises:
            ValueError: it is longer than a message can be.
        """
        self._feeder.send(self._in, message(text))

    def drop(self) -> int:
        """Kill the launcher and close its streams; returns its exit status, negative for a signal.

        What it started elsewhere reads an end of file.
        """
        self._feeder.drop(self._in)
        for stream in (1, 0):
            self._forget(stream)
        if self._process.poll() is None:
            signal_group(self._process.pid, signal.SIGKILL)
        return self._process.wait()

    def _read(self, stream: int) -> None:
        """Take what there is of a stream; the end of its output is the end of the launcher."""
        try:
            data = os.read(self._outs[stream], _CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            if stream == 1:
                self._forget(stream)
                return
            if self._outs[1] >= 0:
                self._read(1)  # why it ended
            self._flush(1)
            self._gone()
            return
        self.heard = time.monotonic()
        rest = self._rest[stream]
        rest += data
        *lines, last = bytes(rest).split(b"\n")
        rest[:] = last if len(last) < _LONGEST else b""
        for line in lines:
            self._tell[stream](line)
            if self._outs[stream] < 0:  # dropped because of what it said
                return

    def _flush(self, stream: int) -> None:
        if self._rest[stream]:
            self._tell[stream](bytes(self._rest[stream]))
            self._rest[stream].clear()

    def _forget(self, stream: int) -> None:
        fd, self._outs[stream] = self._outs[stream], -1
        if fd >= 0:
            with suppress(KeyError):
                self._reactor.remove(fd)
            os.close(fd)
