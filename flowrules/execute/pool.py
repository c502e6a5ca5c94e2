"""Warm Python processes for `call`: which are there, which one a job gets, and what becomes of those that die."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from flowrules.execute import machine
from flowrules.execute.actions import CannotStart, Scratch, as_json, child_argv, reason
from flowrules.execute.processes import signal_group
from flowrules.execute.reactor import Reactor
from flowrules.execute.spawn import Ended, Spawner, has_ended, reap
from flowrules.model.order import Order
from flowrules.model.rule import CallAction

_LONGEST_REQUEST = 32_000
"""Bytes that surely fit into a socket's buffer, so that writing never waits for a worker; longer ones go by file."""

_READ_AT_IMPORT = (*machine.GPU_VARIABLES, "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""Variables that libraries look at once; a worker is only given jobs with the values it was started with."""

_FAREWELL = 3.0
"""Seconds a worker has to end by itself when it was let go."""


@dataclass(slots=True, eq=False)
class Worker:
    """One warm process.

    Attributes:
        pid: its id, that of its process group too.
        key: what it can be used for.
        answered: what to call with an answer, while it works on a job; None while idle.
        ended: what to call when it ended while it worked on a job.
        request: the line it was sent last.
    """

    pid: int
    channel: socket.socket
    key: tuple[object, ...]
    answered: Callable[[Mapping[str, Any]], None] | None = None
    ended: Callable[[Ended], None] | None = None
    request: bytes = b""
    buffer: bytes = field(default=b"", repr=False)


class Pool:
    """All warm processes of an executor.

    Args:
        base: the environment they start with.
        idle: how many may wait for work, or as many as once worked at the same time; the longest idle go first.
    """

    def __init__(
        self, python: str, base: Mapping[bytes, bytes], reactor: Reactor, spawner: Spawner, scratch: Scratch, idle: int
    ) -> None:
        self._argv = child_argv(python)
        self._folder = os.getcwd()
        self._base = base
        self._reactor = reactor
        self._spawner = spawner
        self._scratch = scratch
        self._most_idle = idle
        self._workers: dict[int, Worker] = {}
        self._idle: dict[Worker, None] = {}
        self._leaving: dict[Worker, float] = {}
        self._most_busy = 0

    def hand(
        self,
        order: Order,
        marks: Mapping[str, str],
        open_log: Callable[[], int],
        answered: Callable[[Mapping[str, Any]], None],
        ended: Callable[[Ended], None],
    ) -> tuple[Worker, tuple[str, ...]]:
        """Give a job to a worker; returns it, and private files to be removed after the job.

        Args:
            marks: variables by which the job's processes are known.
            open_log: opens the job's log; what a new worker says before it opens the log itself goes there.

        Raises:
            CannotStart: there is no worker and none can be started.
        """
        action = order.action
        assert isinstance(action, CallAction)
        directory = self._folder if order.directory in (".", "") else os.path.join(self._folder, order.directory)
        request = as_json(
            {
                "path": action.path,
                "module": action.module,
                "function": action.function,
                "document": order.document,
                "directory": directory,
                "log": order.log,
                "env": {**order.env, **marks},
            }
        )
        files: tuple[str, ...] = ()
        if len(request) > _LONGEST_REQUEST:
            files = (self._scratch.write(f"J{order.job}.{order.attempt}.call", request),)
            request = as_json({"file": files[0]})
        sticky = tuple((name, order.env[name]) for name in _READ_AT_IMPORT if name in order.env)
        key = (action.path, action.module, directory, sticky)
        worker = None if order.fresh else self._take_idle(key)
        if worker is None:
            worker = self._start(order, (*key, "fresh") if order.fresh else key, open_log)
        worker.answered, worker.ended, worker.request = answered, ended, request + b"\n"
        self._send(worker)
        return worker, files

    def again(self, worker: Worker, order: Order, open_log: Callable[[], int]) -> Worker:
        """Give what a worker would not do, because its module changed, to a new one."""
        answered, ended, request = worker.answered, worker.ended, worker.request
        worker.answered = worker.ended = None
        self.let_go(worker)
        new = self._start(order, worker.key, open_log)
        new.answered, new.ended, new.request = answered, ended, request
        self._send(new)
        return new

    def release(self, worker: Worker, retire: bool = False) -> None:
        """A worker is done with its job and may have another, unless it is of no more use."""
        worker.answered = worker.ended = None
        if retire or worker.key[-1] == "fresh":
            self.let_go(worker)
            return
        self._idle[worker] = None
        if len(self._idle) > max(self._most_idle, self._most_busy):
            self.let_go(next(iter(self._idle)))

    def let_go(self, worker: Worker) -> None:
        """Let a worker end; what it still works on is not waited for longer than a moment."""
        self._idle.pop(worker, None)
        self._leaving[worker] = time.monotonic() + _FAREWELL
        self._hang_up(worker)

    def kill_late(self, now: float) -> float | None:
        """Kill workers that were let go and did not end; returns when to look again."""
        for worker, until in self._leaving.items():
            if until <= now:
                signal_group(worker.pid, signal.SIGKILL)
                self._leaving[worker] = now + _FAREWELL
        return min(self._leaving.values(), default=None)

    def close(self) -> None:
        """Let all idle workers go, kill the rest, and wait for their ends."""
        for worker in list(self._workers.values()):
            if worker.answered is None:
                self.let_go(worker)
            else:
                signal_group(worker.pid, signal.SIGKILL)
        end = time.monotonic() + 1.0
        while self._workers and time.monotonic() < end:
            self._reactor.poll(0.05)
        for worker in self._workers.values():
            signal_group(worker.pid, signal.SIGKILL)
        end = time.monotonic() + 5.0
        while self._workers and time.monotonic() < end:
            self._reactor.poll(0.05)

    def _take_idle(self, key: tuple[object, ...]) -> Worker | None:
        """The worker that fits and was used last, so that the others grow old."""
        for worker in reversed(self._idle):
            if worker.key == key and not has_ended(worker.pid):
                del self._idle[worker]
                return worker
        return None

    def _start(self, order: Order, key: tuple[object, ...], open_log: Callable[[], int]) -> Worker:
        env = {**self._base}
        for name in _READ_AT_IMPORT:
            if name in order.env:
                env[name.encode()] = os.fsencode(order.env[name])
        log = open_log()
        try:
            ours, theirs = socket.socketpair()
        except OSError as error:
            if log >= 0:
                os.close(log)
            raise CannotStart(f"a Python process could not be started: {reason(error)}") from error
        try:
            pid = self._spawner.start(self._argv, env, order.directory, log, channel=theirs.fileno())
        except (OSError, ValueError) as error:
            ours.close()
            why = reason(error) if isinstance(error, OSError) else str(error)
            raise CannotStart(f"a Python process could not be started: {why}") from error
        finally:
            theirs.close()
            if log >= 0:
                os.close(log)
        worker = Worker(pid, ours, key)
        self._workers[pid] = worker
        self._most_busy = max(self._most_busy, len(self._workers) - len(self._idle) - len(self._leaving))
        self._reactor.add(ours.fileno(), lambda: self._hear(worker))
        self._reactor.watch(pid, lambda: self._bury(worker))
        return worker

    def _send(self, worker: Worker) -> None:
        with suppress(OSError):  # it has died: its end is about to be noticed, and fails the job
            worker.channel.sendall(worker.request)

    def _hear(self, worker: Worker) -> None:
        try:
            data = worker.channel.recv(1 << 16)
        except OSError:
            data = b""
        if not data:
            self._hang_up(worker)
            return
        worker.buffer += data
        while b"\n" in worker.buffer:
            line, _, worker.buffer = worker.buffer.partition(b"\n")
            if worker.answered is not None:
                worker.answered(json.loads(line))

    def _hang_up(self, worker: Worker) -> None:
        if worker.channel.fileno() >= 0:
            self._reactor.remove(worker.channel.fileno())
            worker.channel.close()

    def _bury(self, worker: Worker) -> None:
        if worker.channel.fileno() >= 0:
            self._hear(worker)  # an answer may have come just before the end
        self._hang_up(worker)
        self._idle.pop(worker, None)
        self._leaving.pop(worker, None)
        self._workers.pop(worker.pid, None)
        ended = reap(worker.pid)
        if worker.ended is not None:
            worker.ended(ended)
        else:
            signal_group(worker.pid, signal.SIGKILL)
