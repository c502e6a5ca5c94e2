"""Runs attempts as processes of this machine: one thread, one event loop, no process left behind.

Each attempt is a session, hence a process group, of its own. What it starts in the background and leaves in its group
has a second to end (a `> >(tee log)` needs that), and is then killed and mentioned; the job's exit status stands. An
attempt that is killed gets TERM, then KILL after the grace, then a search for processes that left its group.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import replace

from flowrules.execute import machine
from flowrules.execute.actions import CannotStart, Preparer, Scratch, reason
from flowrules.execute.attempt import Attempt, State, open_log, remove
from flowrules.execute.processes import ATTEMPT, RUN, chained, find, group_lives, send, signal_group, sweep
from flowrules.execute.reactor import Reactor
from flowrules.execute.spawn import Ended, Spawner, reap
from flowrules.execute.warm import WarmPool
from flowrules.execute.warmjobs import WarmJobs
from flowrules.jobdoc import VARIABLE
from flowrules.model.order import Order, Outcome
from flowrules.model.rule import ShellAction

_LINGER = 1.0
"""Seconds that processes of a group may outlive the command."""

_HARD = 5.0
"""Seconds after which killed processes are no longer waited for: they hang in the kernel."""


_PASSING = frozenset({errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOMEM})
"""Why a process could not be started that passes when others have ended."""

_GPU_VARIABLES = frozenset(machine.GPU_VARIABLES)

_LEFT_BEHIND = "processes it had left in the background were killed"


class LocalExecutor:
    """An executor (`flowrules.ports.Executor`) for this machine. It starts what it is told and counts no cores.

    Output and error of an attempt are appended to its log; without a log they are discarded.

    Args:
        run_id: marks every process of this run (`FLOWRULES_RUN`), for `guard.sweep`.
        grace: seconds between TERM and KILL.
        python: interpreter of scripts, run blocks, templates and calls.
        pidfds: see `Reactor`.
        cores: attempts that occupy more than so many at once wait for others, unless they are alone; None: none waits.
    """

    def __init__(
        self,
        run_id: str,
        *,
        grace: float = 10.0,
        python: str = sys.executable,
        pidfds: bool | None = None,
        cores: int | None = None,
    ) -> None:
        self.run_id = run_id
        self._grace = grace
        self._env = {k: v for k, v in os.environb.items() if k not in (ATTEMPT.encode(), VARIABLE.encode())}
        self._env[RUN.encode()] = os.fsencode(chained(RUN, run_id))
        self._spawner = Spawner()
        self._reactor = Reactor(pidfds)
        self._scratch = Scratch()
        self._preparer = Preparer(python, self._scratch)
        self._pool = WarmPool(self._env, self._reactor, self._spawner, machine.cores())
        self._warm = WarmJobs(self, self._pool, self._env, self._preparer, self._scratch, python, os.getcwd())
        self._cores = cores
        self._busy = 0
        self._returned = False
        self._running: dict[int, Attempt] = {}
        self._timed: dict[Attempt, None] = {}
        self._to_warn: set[str] = set()
        self._to_sweep: list[Attempt] = []
        self._put_off: deque[Order] = deque()
        self._done: list[Outcome] = []
        self._closed = False

    def start(self, order: Order) -> None:
        """Start an attempt. A command that cannot be started is reported by `wait`, not raised.

        Where there is no room for it, or the system has none for a process, it is put off until another has ended.
        """
        if not self._put_off and self._has_room(order):
            self._begin(order)
        elif self._cores is None or not self._begin_behind(order):
            self._put_off.append(order)

    def ahead(self, rule: str) -> int:
        """How many attempts of a rule are worth starting before there is room for them: they last no time."""
        return 0 if self._cores is None else self._cores * self._warm.depth(rule)

    def _has_room(self, order: Order) -> bool:
        return self._cores is None or not self._busy or self._busy + order.cores <= self._cores

    def occupy(self, attempt: Attempt) -> None:
        """An attempt has begun, or is next where it was sent to."""
        attempt.cores = attempt.order.cores
        self._busy += attempt.cores

    def _begin(self, order: Order) -> bool:
        """Start an attempt, report that it cannot be started, or put it off; False in that case."""
        now = time.time()
        try:
            attempt = self._warm.start(order, now)
            if attempt is None:
                attempt = self._start_process(order, now)
                self.occupy(attempt)
            self._running[order.job] = attempt
        except CannotStart as error:
            cause = error.__cause__
            if self._running and isinstance(cause, OSError) and cause.errno in _PASSING:
                self._put_off.appendleft(order)
                return False
            self._done.append(Outcome(order.job, order.attempt, error.exit, str(error), now, now))
        return True

    def _begin_behind(self, order: Order) -> bool:
        """Have an attempt begin when another one ends, where that suits; whether it does."""
        try:
            attempt = self._warm.start_behind(order, time.time())
        except CannotStart:
            return False  # it will be told when it is its turn
        if attempt is not None:
            self._running[order.job] = attempt
        return attempt is not None

    def _fill(self) -> None:
        """Begin what was put off, now that others have ended or it came back from where it was sent to."""
        while (self._done or self._returned) and self._put_off and self._has_room(self._put_off[0]):
            if not self._begin(self._put_off.popleft()):
                break
        self._returned = False

    def kill(self, job: int) -> None:
        """Kill the attempt of a job with all its processes; its outcome still comes by `wait`."""
        attempt = self._running.get(job)
        if attempt is not None and attempt.waits and attempt.warm is not None:
            self._warm.take_back(attempt.warm)
            attempt = self._running.get(job)
        if attempt is None:
            for order in [order for order in self._put_off if order.job == job]:
                self._put_off.remove(order)
                now = time.time()
                self._done.append(Outcome(job, order.attempt, -signal.SIGTERM, "it was not started", now, now))
        if attempt is None or attempt.stopped:
            return
        attempt.stopped = True
        if attempt.state is State.RUNNING:
            attempt.state = State.STOPPING
        attempt.deadline = time.monotonic() + self._grace
        self._timed[attempt] = None
        self._ask_to_end(attempt)
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
        now = time.monotonic()
        end = None if timeout is None else now + timeout
        while True:
            pause = None if end is None else max(0.0, end - now)
            next_look = self._attend(now)
            if self._returned:
                self._fill()
            if self._done or (end is None and not self._running):
                pause = 0.0
            elif next_look is not None:
                rest = max(0.0, next_look - now)
                pause = rest if pause is None else min(pause, rest)
            self._reactor.poll(pause)
            now = time.monotonic()
            if self._timed or self._to_sweep:
                self._attend(now)
            if self._reactor.take_wake() or self._done or (not self._running if end is None else now >= end):
                break
        self._fill()
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
            self._attend(time.monotonic())
        self._reactor.close()
        self._spawner.close()
        self._scratch.close()

    def _start_process(self, order: Order, now: float) -> Attempt:
        launch = self._preparer.prepare(order)
        log = -1
        try:
            log = open_log(order)
            env = self._environment(order, launch.env)
            pid = self._spawner.start(launch.argv, env, order.directory, log, long=launch.long)
        except (OSError, ValueError, CannotStart) as error:
            remove(launch.files)
            if isinstance(error, CannotStart):
                raise
            why = reason(error) if isinstance(error, OSError) else str(error)
            raise CannotStart(f"the command could not be started: {why}") from error
        finally:
            if log >= 0:
                os.close(log)
        attempt = Attempt(order, pid, now, launch.files)
        self._reactor.watch(pid, lambda: self.process_ended(attempt, reap(pid)))
        return attempt

    def _environment(self, order: Order, more: Mapping[str, str]) -> dict[bytes, bytes]:
        env = self._env.copy()
        env[ATTEMPT.encode()] = os.fsencode(self._warm.mark(f"J{order.job}.{order.attempt}"))
        for variables in (order.env, more):
            for name, value in variables.items():
                env[os.fsencode(name)] = os.fsencode(value)
        return env

    def process_ended(self, attempt: Attempt, ended: Ended) -> None:
        """The first process of an attempt is gone; the others of its group may not be."""
        attempt.gone = True
        order = attempt.order
        if attempt.outcome is None:
            now, began = ended.at or time.time(), attempt.started
            attempt.outcome = Outcome(order.job, order.attempt, ended.exit, "", began, now, ended.cpu, ended.memory)
            if isinstance(order.action, ShellAction):
                self._warm.slots.learn(order, now - began)
        if not group_lives(attempt.pid):
            self.finish(attempt)
        elif attempt.state is State.RUNNING:
            attempt.state = State.LINGERING
            attempt.deadline = time.monotonic() + _LINGER
            self._timed[attempt] = None

    def _ask_to_end(self, attempt: Attempt) -> None:
        """TERM to the group of an attempt; that of a job in a slot may not be there yet."""
        if attempt.in_slot and not attempt.pid and attempt.warm is not None:
            attempt.pid = self._warm.slots.job_group(attempt.warm, attempt.number)
        for number in (signal.SIGTERM, signal.SIGCONT):
            signal_group(attempt.pid, number)

    def _kill_group(self, attempt: Attempt) -> None:
        """KILL to the group of an attempt, or to its slot if it is not known."""
        if not signal_group(attempt.pid, signal.SIGKILL) and attempt.warm is not None and not attempt.gone:
            signal_group(attempt.warm.pid, signal.SIGKILL)

    def _attend(self, now: float) -> float | None:
        """Move attempts whose time has come; returns when to look again."""
        soonest = self._pool.kill_late(now)
        if self._cores is not None and (stuck := self._warm.look(now)) is not None:
            soonest = stuck if soonest is None else min(soonest, stuck)
        for attempt in list(self._timed) if self._timed else ():
            look = self._attend_to(attempt, now)
            if look is not None:
                soonest = look if soonest is None else min(soonest, look)
        if self._to_sweep:
            self._sweep()
        return soonest

    def _attend_to(self, attempt: Attempt, now: float) -> float | None:
        if attempt.gone and not group_lives(attempt.pid):
            self.finish(attempt)
            return None
        if attempt.in_slot and not attempt.pid:
            self._ask_to_end(attempt)
        if now < attempt.deadline:
            return min(attempt.deadline, now + 0.02) if attempt.gone or not attempt.pid else attempt.deadline
        if attempt.state is not State.DYING:
            if attempt.state is State.LINGERING and not attempt.stopped:
                attempt.note = _LEFT_BEHIND
            attempt.state = State.DYING
            attempt.deadline = now + _HARD
            self._kill_group(attempt)
            return now + 0.005
        if not attempt.gone:
            attempt.deadline = now + _HARD  # not before the kernel gives it up
            return attempt.deadline
        attempt.note = "processes of it hang in the kernel and could not be killed"
        self.finish(attempt)
        return None

    def put_off(self, attempt: Attempt) -> None:
        """An attempt did not begin where it was sent to: it begins when there is room."""
        del self._running[attempt.order.job]
        remove(attempt.files)
        self._put_off.append(attempt.order)
        self._returned = True

    def finish(self, attempt: Attempt) -> None:
        """The group of an attempt is empty; where it matters, who left it is looked for before it is reported."""
        if self._timed:
            self._timed.pop(attempt, None)
        if attempt.stopped or not _GPU_VARIABLES.isdisjoint(attempt.order.env):
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

    def _report(self, attempt: Attempt) -> None:
        outcome = attempt.outcome
        assert outcome is not None
        if attempt.note:
            error = f"{outcome.error}; {attempt.note}" if outcome.error else attempt.note
            outcome = replace(outcome, error=error)
        del self._running[attempt.order.job]
        self._busy -= attempt.cores
        if attempt.files:
            remove(attempt.files)
        self._done.append(outcome)
