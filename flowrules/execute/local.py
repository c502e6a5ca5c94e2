"""Runs attempts as processes of this machine: one thread, one event loop, no process left behind.

Each attempt is a session, hence a process group, of its own. What it starts in the background and leaves in its group
has a second to end (a `> >(tee log)` needs that), and is then killed and mentioned; the job's exit status stands. An
attempt that is killed gets TERM, then KILL after the grace, then a search for processes that left its group.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from flowrules.execute import machine
from flowrules.execute.actions import CannotStart, Preparer, Scratch, reason
from flowrules.execute.pool import Pool, Worker
from flowrules.execute.processes import ATTEMPT, RUN, chained, find, group_lives, send, signal_group, sweep
from flowrules.execute.reactor import Reactor
from flowrules.execute.spawn import Ended, Spawner, reap
from flowrules.jobdoc import VARIABLE
from flowrules.model.order import Order, Outcome
from flowrules.model.rule import CallAction

_LINGER = 1.0
"""Seconds that processes of a group may outlive the command."""

_HARD = 5.0
"""Seconds after which killed processes are no longer waited for: they hang in the kernel."""


_LEFT_BEHIND = "processes it had left in the background were killed"


class State(Enum):
    """Where an attempt is; it moves down this list only."""

    RUNNING = "its process lives and nobody wants it dead"
    STOPPING = "it was asked to end; KILL follows at the deadline"
    LINGERING = "its process ended, others of its group have until the deadline"
    DYING = "its group was killed; at the deadline it is no longer waited for"


@dataclass(slots=True, eq=False)
class _Attempt:
    order: Order
    pid: int
    started: float
    files: tuple[str, ...] = ()
    worker: Worker | None = None
    state: State = State.RUNNING
    stopped: bool = False
    deadline: float = 0.0
    gone: bool = False
    outcome: Outcome | None = None
    note: str = ""

    @property
    def name(self) -> str:
        return f"J{self.order.job}.{self.order.attempt}"


class LocalExecutor:
    """An executor (`flowrules.ports.Executor`) for this machine. It starts what it is told and counts no cores.

    Output and error of an attempt are appended to its log; without a log they are discarded.

    Args:
        run_id: marks every process of this run (`FLOWRULES_RUN`), for `guard.sweep`.
        grace: seconds between TERM and KILL.
        python: interpreter of scripts, run blocks, templates and calls.
        pidfds: see `Reactor`.
    """

    def __init__(
        self, run_id: str, *, grace: float = 10.0, python: str = sys.executable, pidfds: bool | None = None
    ) -> None:
        self.run_id = run_id
        self._grace = grace
        self._env = {k: v for k, v in os.environb.items() if k not in (ATTEMPT.encode(), VARIABLE.encode())}
        self._env[RUN.encode()] = os.fsencode(chained(RUN, run_id))
        self._spawner = Spawner()
        self._reactor = Reactor(pidfds)
        self._scratch = Scratch()
        self._preparer = Preparer(python, self._scratch)
        self._pool = Pool(python, self._env, self._reactor, self._spawner, self._scratch, machine.cores())
        self._running: dict[int, _Attempt] = {}
        self._timed: dict[_Attempt, None] = {}
        self._to_warn: set[str] = set()
        self._to_sweep: list[_Attempt] = []
        self._done: list[Outcome] = []
        self._closed = False

    def start(self, order: Order) -> None:
        """Start an attempt. A command that cannot be started is reported by `wait`, not raised."""
        now = time.time()
        try:
            if isinstance(order.action, CallAction):
                self._start_call(order, now)
            else:
                self._start_process(order, now)
        except CannotStart as error:
            self._done.append(Outcome(order.job, order.attempt, error.exit, str(error), now, now))

    def kill(self, job: int) -> None:
        """Kill the attempt of a job with all its processes; its outcome still comes by `wait`."""
        attempt = self._running.get(job)
        if attempt is None or attempt.stopped:
            return
        attempt.stopped = True
        if attempt.state is State.RUNNING:
            attempt.state = State.STOPPING
        attempt.deadline = time.monotonic() + self._grace
        self._timed[attempt] = None
        for number in (signal.SIGTERM, signal.SIGCONT):
            signal_group(attempt.pid, number)
        self._to_warn.add(attempt.name)

    def wait(self, timeout: float | None) -> list[Outcome]:
        """Outcomes since the last call; waits up to ``timeout`` seconds (None: until there is one or `wake`).

        With None and nothing running, it returns at once: nothing could come.
        """
        if self._closed:
            return []
        if self._to_warn:  # one look at all processes for all attempts that were killed since the last call
            send(find(self.run_id, self._to_warn), signal.SIGTERM, self.run_id, self._to_warn)
            self._to_warn.clear()
        end = None if timeout is None else time.monotonic() + timeout
        pause: float | None = 0.0
        while True:
            self._reactor.poll(pause)
            next_look = self._attend()
            woken = self._reactor.take_wake()
            if self._done or woken:
                break
            now = time.monotonic()
            if end is None:
                if not self._running:
                    break
                pause = None
            else:
                pause = end - now
                if pause <= 0:
                    break
            if next_look is not None:
                rest = max(0.0, next_look - now)
                pause = rest if pause is None else min(pause, rest)
        done, self._done = self._done, []
        return done

    def wake(self) -> None:
        """Make a `wait` that waits, or the next one, return; may be called in a signal handler."""
        self._reactor.wake()

    def close(self) -> None:
        """Kill what runs at once, release everything. May be called twice."""
        if self._closed:
            return
        self._closed = True
        for attempt in self._running.values():
            signal_group(attempt.pid, signal.SIGKILL)
        self._pool.close()
        sweep(self.run_id)
        end = time.monotonic() + _HARD
        while self._running and time.monotonic() < end:
            self._reactor.poll(0.05)
            self._attend()
        self._reactor.close()
        self._spawner.close()
        self._scratch.close()

    def _start_process(self, order: Order, now: float) -> None:
        launch = self._preparer.prepare(order)
        log = -1
        try:
            log = _open_log(order)
            env = self._environment(order, launch.env)
            pid = self._spawner.start(launch.argv, env, order.directory, log, long=launch.long)
        except (OSError, ValueError, CannotStart) as error:
            _remove(launch.files)
            if isinstance(error, CannotStart):
                raise
            why = reason(error) if isinstance(error, OSError) else str(error)
            raise CannotStart(f"the command could not be started: {why}") from error
        finally:
            if log >= 0:
                os.close(log)
        attempt = _Attempt(order, pid, now, launch.files)
        self._running[order.job] = attempt
        self._reactor.watch(pid, lambda: self._process_ended(attempt, reap(pid)))

    def _start_call(self, order: Order, now: float) -> None:
        attempt = _Attempt(order, 0, now)
        worker, attempt.files = self._pool.hand(
            order,
            {ATTEMPT: chained(ATTEMPT, attempt.name)},
            lambda: _open_log(order),
            lambda answer: self._answered(attempt, answer),
            lambda ended: self._worker_ended(attempt, ended),
        )
        attempt.worker, attempt.pid = worker, worker.pid
        self._running[order.job] = attempt

    def _environment(self, order: Order, more: Mapping[str, str]) -> dict[bytes, bytes]:
        env = self._env.copy()
        env[ATTEMPT.encode()] = os.fsencode(chained(ATTEMPT, f"J{order.job}.{order.attempt}"))
        for variables in (order.env, more):
            for name, value in variables.items():
                env[os.fsencode(name)] = os.fsencode(value)
        return env

    def _process_ended(self, attempt: _Attempt, ended: Ended) -> None:
        """The first process of an attempt is gone; the others of its group may not be."""
        attempt.gone = True
        if attempt.outcome is None:
            attempt.outcome = Outcome(
                attempt.order.job,
                attempt.order.attempt,
                ended.exit,
                "",
                attempt.started,
                time.time(),
                ended.cpu,
                ended.memory,
            )
        if not group_lives(attempt.pid):
            self._finish(attempt)
        elif attempt.state is State.RUNNING:
            attempt.state = State.LINGERING
            attempt.deadline = time.monotonic() + _LINGER
            self._timed[attempt] = None

    def _answered(self, attempt: _Attempt, answer: Mapping[str, Any]) -> None:
        worker = attempt.worker
        assert worker is not None
        if answer.get("stale"):
            if not attempt.stopped:
                self._start_anew(attempt, worker)
            return
        attempt.outcome = _answer_outcome(attempt.order, answer)
        if answer.get("children") or attempt.stopped:
            self._pool.let_go(worker)  # its group is looked at when it has ended
            return
        self._pool.release(worker, retire=bool(answer.get("retire")))
        self._finish(attempt)

    def _start_anew(self, attempt: _Attempt, worker: Worker) -> None:
        """The module changed since the worker imported it: the job goes to a new one."""
        order = attempt.order
        try:
            attempt.worker = self._pool.again(worker, order, lambda: _open_log(order))
            attempt.pid = attempt.worker.pid
        except CannotStart as error:
            attempt.outcome = Outcome(order.job, order.attempt, error.exit, str(error), attempt.started, time.time())
            self._finish(attempt)

    def _worker_ended(self, attempt: _Attempt, ended: Ended) -> None:
        if attempt.outcome is None and not attempt.stopped:
            how = f"signal {-ended.exit}" if ended.exit < 0 else f"exit status {ended.exit}"
            attempt.note = f"the Python process ended before the function did ({how})"
            ended = ended._replace(exit=ended.exit or 1)
        self._process_ended(attempt, ended)

    def _attend(self) -> float | None:
        """Move attempts whose time has come; returns when to look again."""
        now = time.monotonic()
        soonest = self._pool.kill_late(now)
        for attempt in list(self._timed):
            look = self._attend_to(attempt, now)
            if look is not None:
                soonest = look if soonest is None else min(soonest, look)
        if self._to_sweep:
            self._sweep()
        return soonest

    def _attend_to(self, attempt: _Attempt, now: float) -> float | None:
        if attempt.gone and not group_lives(attempt.pid):
            self._finish(attempt)
            return None
        if now < attempt.deadline:
            return min(attempt.deadline, now + 0.02) if attempt.gone else attempt.deadline
        if attempt.state is not State.DYING:
            if attempt.state is State.LINGERING and not attempt.stopped:
                attempt.note = _LEFT_BEHIND
            attempt.state = State.DYING
            attempt.deadline = now + _HARD
            signal_group(attempt.pid, signal.SIGKILL)
            return now + 0.005
        if not attempt.gone:
            attempt.deadline = now + _HARD  # not before the kernel gives it up
            return attempt.deadline
        attempt.note = "processes of it hang in the kernel and could not be killed"
        self._finish(attempt)
        return None

    def _finish(self, attempt: _Attempt) -> None:
        """The group of an attempt is empty; where it matters, who left it is looked for before it is reported."""
        self._timed.pop(attempt, None)
        if attempt.stopped or any(name in attempt.order.env for name in machine.GPU_VARIABLES):
            self._to_sweep.append(attempt)
        else:
            self._report(attempt)

    def _sweep(self) -> None:
        """Kill what left the groups of killed attempts, and of those whose GPU the next job wants; then report them."""
        batch, self._to_sweep = self._to_sweep, []
        stopped = {attempt.name for attempt in batch if attempt.stopped}
        if stopped:
            sweep(self.run_id, stopped, limit=_HARD)
        others = [attempt for attempt in batch if not attempt.stopped]
        if others and find(self.run_id, {attempt.name for attempt in others}):
            for attempt in others:
                if sweep(self.run_id, {attempt.name}, limit=_HARD):
                    attempt.note = _LEFT_BEHIND
        for attempt in batch:
            self._report(attempt)

    def _report(self, attempt: _Attempt) -> None:
        outcome = attempt.outcome
        assert outcome is not None
        if attempt.note:
            error = f"{outcome.error}; {attempt.note}" if outcome.error else attempt.note
            outcome = replace(outcome, error=error)
        del self._running[attempt.order.job]
        _remove(attempt.files)
        self._done.append(outcome)


def _answer_outcome(order: Order, answer: Mapping[str, Any]) -> Outcome:
    """How a call ended, as its worker tells it."""
    return Outcome(
        order.job,
        order.attempt,
        answer["exit"],
        answer.get("error", ""),
        answer["started"],
        answer["ended"],
        answer.get("cpu", 0.0),
        answer.get("memory", 0),
    )


def _open_log(order: Order) -> int:
    if not order.log:
        return -1
    path = order.log if order.directory in (".", "") else os.path.join(order.directory, order.log)
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
    except (OSError, ValueError) as error:
        why = reason(error) if isinstance(error, OSError) else str(error)
        raise CannotStart(f"the log cannot be written: {why}") from error


def _remove(files: tuple[str, ...]) -> None:
    for path in files:
        with suppress(OSError):
            os.unlink(path)
