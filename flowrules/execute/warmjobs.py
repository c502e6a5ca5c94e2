"""Commands and calls in warm processes: which process an attempt goes to, what it is told, what its answers mean.

An attempt may be sent ahead, to a process that is busy with one that is about to end: the process then goes on without
waiting for the driver, and the driver hears of several ends at once.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from typing import Protocol

from flowrules.execute.actions import NOT_STARTED, CannotStart, Preparer, Scratch
from flowrules.execute.attempt import Attempt, how, open_log, remove, why_no_log
from flowrules.execute.calls import CallAnswer, call_kind, call_request
from flowrules.execute.processes import ATTEMPT, chained, signal_group
from flowrules.execute.slots import NO_LOG, Slots
from flowrules.execute.spawn import Ended
from flowrules.execute.warm import Kind, Warm, WarmPool, Work
from flowrules.model.order import Order, Outcome
from flowrules.model.rule import CallAction, ShellAction

_DEEPEST = 8
"""Attempts a process may have before it, at most."""

_AHEAD = 0.02
"""Seconds of work a process may have before it, as far as is known."""

_STUCK = 0.1
"""Seconds after which what stands behind an attempt is given to others."""

_SMALL = 4_096
"""Bytes up to which a request is sent ahead: all of them together fit into a socket's buffer."""


class Host(Protocol):
    """Whose attempts they are."""

    def occupy(self, attempt: Attempt) -> None:
        """An attempt has begun, or is next."""

    def process_ended(self, attempt: Attempt, ended: Ended) -> None:
        """The process that carried out an attempt is done; others of its group may not be."""

    def finish(self, attempt: Attempt) -> None:
        """An attempt is over, with all its processes."""

    def put_off(self, attempt: Attempt) -> None:
        """An attempt did not begin where it was sent to."""


class WarmJobs:
    """Runs attempts in warm processes.

    Args:
        base: the environment of all jobs.
        folder: what the folders of orders are relative to.
    """

    def __init__(
        self,
        host: Host,
        pool: WarmPool,
        base: Mapping[bytes, bytes],
        preparer: Preparer,
        scratch: Scratch,
        python: str,
        folder: str,
    ) -> None:
        self.slots = Slots(base)
        self.pool = pool
        self.host = host
        self._preparer = preparer
        self._scratch = scratch
        self._python = python
        self._folder = folder
        self._outer = chained(ATTEMPT, "")
        self._count = 0

    def mark(self, name: str) -> str:
        """What the processes of an attempt carry in their environment."""
        return self._outer + name

    def start(self, order: Order, now: float) -> Attempt | None:
        """Begin an attempt; None where it needs a process of its own.

        Raises:
            CannotStart: as it says.
        """
        made = self._made(order, now)
        if made is None:
            return None
        job, kind = made
        attempt = job.attempt
        try:
            warm = None if order.fresh else self.pool.take(kind.key)
            attempt.warm = warm or self._new(kind, None if attempt.in_slot else order)
        except CannotStart:
            remove(attempt.files)
            raise
        self.pool.send(attempt.warm, job)
        return attempt

    def start_behind(self, order: Order, now: float) -> Attempt | None:
        """Have an attempt begin when another one ends; None where that does not suit."""
        deep = self.depth(order.rule)
        if not deep or order.cores != 1 or order.fresh:
            return None
        made = self._made(order, now)
        if made is None:
            return None
        job, kind = made
        attempt = job.attempt
        attempt.warm = self.pool.shortest(kind.key, deep + 1) if len(job.request) <= _SMALL else None
        if attempt.warm is None:
            remove(attempt.files)
            return None
        attempt.waits = True
        self.pool.send(attempt.warm, job)
        return attempt

    def depth(self, rule: str) -> int:
        """How many attempts of a rule are worth sending ahead to one process."""
        mean = self.slots.quick(rule)
        return min(_DEEPEST, int(_AHEAD / mean)) if mean else 0

    def take_back(self, warm: Warm) -> None:
        """Take from a process what it has not begun with."""
        for work in self.pool.take_back(warm):
            work.back()

    def look(self, now: float) -> float | None:
        """Take back what stands behind attempts that take long; when to look again."""
        soonest = None
        for warm in self.pool.laden():
            until = warm.since + _STUCK
            if until <= now:
                self.take_back(warm)
            elif soonest is None or until < soonest:
                soonest = until
        return soonest

    def _made(self, order: Order, now: float) -> tuple[SlotJob | CallJob, Kind] | None:
        """An attempt with what is to be said to a process, and to which; None where there can be no such process."""
        self._count = self._count % 99_999_999 + 1
        action = order.action
        if isinstance(action, CallAction):
            attempt = Attempt(order, 0, now)
            marks = {ATTEMPT: self.mark(attempt.name)}
            request, attempt.files = call_request(order, action, marks, self._folder, self._scratch)
            return CallJob(request, attempt, self), call_kind(order, action, self._python)
        if not isinstance(action, ShellAction) or not self.slots.suits(order):
            return None
        kind = self.slots.kind(order, lambda: self._preparer.program(order.shell[0], order))
        if kind is None:
            return None
        attempt = Attempt(order, 0, now, in_slot=True, number=self._count)
        said = self.slots.request(order, self.mark(attempt.name), self._count)
        return None if said is None else (SlotJob(said, attempt, self), kind)

    def _new(self, kind: Kind, order: Order | None) -> Warm:
        """A new process; what it says before its first job has a log goes to that of an order."""
        log = -1 if order is None else open_log(order)
        try:
            return self.pool.start(kind, log)
        finally:
            if log >= 0:
                os.close(log)

    def hand_anew(self, job: CallJob) -> None:
        """Give a call to a new process, since the module changed after the one it was given to had imported it."""
        attempt, order = job.attempt, job.attempt.order
        assert isinstance(order.action, CallAction)
        try:
            attempt.warm = self._new(call_kind(order, order.action, self._python), order)
        except CannotStart as error:
            attempt.outcome = Outcome(order.job, order.attempt, error.exit, str(error), attempt.started, time.time())
            self.host.finish(attempt)
            return
        self.pool.send(attempt.warm, job)

    def let_go(self, warm: Warm, *, done: bool) -> None:
        """Let a process go that says nothing more; ``done``: with the first of its work too."""
        self.take_back(warm)
        if done:
            self.pool.release(warm, retire=True)
        else:
            self.pool.let_go(warm)


class _Job(Work):
    """An attempt as the work of a warm process."""

    __slots__ = ("attempt", "jobs")

    def __init__(self, request: bytes, attempt: Attempt, jobs: WarmJobs) -> None:
        self.request = request
        self.attempt = attempt
        self.jobs = jobs

    def begun(self) -> None:
        self.attempt.waits = False
        self.jobs.host.occupy(self.attempt)

    def back(self) -> None:
        self.jobs.host.put_off(self.attempt)


class SlotJob(_Job):
    """A command in a warm shell."""

    __slots__ = ()

    def answered(self, line: bytes) -> None:
        attempt, slots = self.attempt, self.jobs.slots
        slot, order = attempt.warm, attempt.order
        assert slot is not None
        if line == NO_LOG:
            now = time.time()
            attempt.outcome = Outcome(order.job, order.attempt, NOT_STARTED, why_no_log(order), attempt.started, now)
            return
        status, _, at = line.partition(b" ")
        exit = int(status)
        if attempt.stopped and exit > 128:
            exit = 128 - exit  # a shell cannot tell a signal from a status, but here it was ours
        ended = float(at.replace(b",", b".")) if at else time.time()
        attempt.started = max(attempt.started, slot.free)
        slot.free = ended
        attempt.pid = slots.job_group(slot, attempt.number) or attempt.pid
        slot.said.pop(attempt.number, None)
        cpu = slots.cpu(slot)
        self.jobs.pool.release(slot)
        self.jobs.host.process_ended(attempt, Ended(exit, cpu, 0, ended))

    def ended(self, ended: Ended) -> None:
        attempt = self.attempt
        slot = attempt.warm
        assert slot is not None
        attempt.pid = self.jobs.slots.job_group(slot, attempt.number) or attempt.pid
        signal_group(attempt.pid, signal.SIGKILL)
        if attempt.pid and ended.exit in (-signal.SIGINT, 128 + signal.SIGINT):
            ended = ended._replace(exit=-signal.SIGINT)  # of which a shell dies with what it waits for
        elif not attempt.stopped:
            attempt.note = f"the shell that ran it ended before it did ({how(ended)})"
        self.jobs.host.process_ended(attempt, ended._replace(exit=ended.exit or 1))


class CallJob(_Job):
    """A call in a warm Python process."""

    __slots__ = ()

    def begun(self) -> None:
        assert self.attempt.warm is not None
        self.attempt.pid = self.attempt.warm.pid
        super().begun()

    def answered(self, line: bytes) -> None:
        attempt, jobs = self.attempt, self.jobs
        worker = attempt.warm
        assert worker is not None
        answer = CallAnswer(line)
        if answer.stale:
            if not attempt.stopped:
                jobs.let_go(worker, done=True)
                jobs.hand_anew(self)
            return
        attempt.outcome = answer.outcome(attempt.order)
        jobs.slots.learn(attempt.order, attempt.outcome.ended - attempt.outcome.started)
        if answer.children or attempt.stopped:
            jobs.let_go(worker, done=False)  # its group is looked at when it has ended
        elif answer.retire or attempt.order.fresh:
            jobs.let_go(worker, done=True)
            jobs.host.finish(attempt)
        else:
            jobs.pool.release(worker)
            jobs.host.finish(attempt)

    def ended(self, ended: Ended) -> None:
        attempt = self.attempt
        if attempt.outcome is None and not attempt.stopped:
            attempt.note = f"the Python process ended before the function did ({how(ended)})"
            ended = ended._replace(exit=ended.exit or 1)
        self.jobs.host.process_ended(attempt, ended)
