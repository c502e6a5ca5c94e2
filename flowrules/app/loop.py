"""The loop of a run: events in, actions out. The scheduler decides, this carries out and tells.

plan ──▶ scheduler ──actions──▶ executor ──outcomes──▶ record, disk ──events──▶ scheduler
             ▲                                              │
             └──── new jobs, when a checkpoint has ended ◀──┘
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from flowrules.app.attempt import Attempt
from flowrules.app.book import Book
from flowrules.app.parts import Parts, Result
from flowrules.app.temps import Temps
from flowrules.errors import DirectoryHeld, FlowfileError, FlowrulesError, StateError
from flowrules.model.events import (
    Ahead,
    Blocked,
    Check,
    Checked,
    Ended,
    Finished,
    Kill,
    Skipped,
    Start,
    StopAsked,
)
from flowrules.model.events import Planned as PlannedEvent
from flowrules.model.job import Job
from flowrules.model.order import Outcome
from flowrules.model.plan import Decision
from flowrules.model.progress import JobEnded, JobStarted
from flowrules.model.record import Record
from flowrules.plan.build import protected_outputs
from flowrules.show.text import counted

if TYPE_CHECKING:  # with its many classes it takes time to import, and runs on one machine dispatch nothing
    from flowrules.model.dispatch import DispatchAction, DispatchEvent

TAIL_LINES = 20
FULL_DISK_PAUSE = 5.0
"""Seconds between two tries to write the record while the disk is full."""

LATE_PAUSE = 0.2
"""Seconds between two looks for an output that has not appeared yet."""

AHEAD_AGAIN = 100
"""Jobs that must have ended before others are started ahead again, when one was not of the kind."""

REPLAN_SHARE = 5.0
"""A DAG is derived again at once when nothing else can start, else after so many times the time it took last."""


class Loop:
    """Runs a plan to its end."""

    def __init__(self, parts: Parts) -> None:
        self.planned = parts.planned
        self.book = Book(parts.planned.plan)
        self.result = Result()
        self._replan = parts.replan
        self._scheduler = parts.scheduler
        self._executor = parts.executor
        self._workshop = parts.workshop
        self._intake = parts.intake
        self._error: FlowrulesError | None = None
        self._store = parts.store
        self._disk = parts.disk
        self._observer = parts.observer
        self._settings = parts.settings
        self._beat, self._beat_seconds = parts.beat
        self._beat_at = time.monotonic()
        self._temps = Temps(parts.disk)
        self._events: list[DispatchEvent] = []
        self._running: dict[int, Attempt] = {}
        self._to_start: list[Attempt] = []
        self._late: list[tuple[Attempt, Outcome, float]] = []
        self._killed: set[int] = set()
        self._stops = 0
        self._told_stops = 0
        self._replan_wanted = False
        self._replan_cost = 0.0
        self._replan_at = 0.0
        self._plans_on_the_way = 0
        self._asked: frozenset[str] = frozenset()
        self._finished = False
        self._ahead = 0
        self._ahead_from = 0

    def stop(self) -> None:
        """Ask the run to end: once, and running jobs end; twice, and they are killed. Safe in a signal handler."""
        self._stops += 1

    def hang_up(self) -> None:
        """The terminal is gone, or the system ends the process: kill what runs. Safe in a signal handler."""
        self._stops += 2

    def run(self) -> Result:
        """Runs until nothing more can be done.

        Raises:
            FlowrulesError: the DAG could not be derived again after a checkpoint; what ran until then is recorded.
        """
        self._submit()
        while not self._finished:
            self._turn()
        if self._error is not None:
            raise self._error
        return self.result

    def wind_up(self) -> None:
        """What is left to be waited for when all jobs are settled; on this machine nothing is."""

    def _turn(self) -> None:
        """Handle what is known, then wait for something to happen."""
        while self._events and not self._finished:
            events, self._events = self._events, []
            self._plans_on_the_way -= sum(isinstance(event, PlannedEvent) for event in events)
            for action in self._scheduler.advance(*events):
                self._perform(action)
            self._start_prepared()
            self._maybe_replan()
        if self._finished:
            return
        self._collect()
        self._heed_stops()
        self._maybe_replan()
        self._keep_record()
        self._observer.tick()

    def _patience(self) -> float:
        """Seconds to wait at most."""
        often = self._observer.refresh_seconds
        return min(1.0 if often is None else often, LATE_PAUSE if self._late else 1.0)

    def _heed_stops(self) -> None:
        while self._told_stops < self._stops:
            self._told_stops += 1
            kill = self._told_stops > 1
            self.result.interrupted = True
            if kill:
                self._observer.message("killing running jobs")
            else:
                running = counted(len(self._running), "running job")
                more = f": {running} will end, no new ones start (interrupt again to kill them)"
                self._observer.message(f"stopping{more if self._running else ''}")
            self._events.append(StopAsked(time.monotonic(), kill))

    def _keep_beating(self, now: float) -> None:
        if now - self._beat_at >= self._beat_seconds:
            self._beat_at = now
            self._beat()

    def _keep_record(self) -> None:
        now = time.monotonic()
        self._keep_beating(now)
        try:
            self._store.tick(now)
        except DirectoryHeld:
            raise
        except StateError as error:
            self._observer.warn(f"{error.message}; trying again")
            time.sleep(FULL_DISK_PAUSE)

    # ── from plan to scheduler ───────────────────────────────────────────────────────────────────────────────────

    def _submit(self) -> None:
        """Hands the scheduler every job that may be started and is not known to it yet."""
        plan = self.book.plan
        jobs = self._intake.jobs(self.planned, self.book)
        self._asked = frozenset(plan.targets)
        self._temps.learn(plan, [decision is not Decision.SKIP for decision in plan.decisions])
        self._plans_on_the_way += 1
        self._events.append(PlannedEvent(time.monotonic(), jobs))

    def _is_busy(self) -> bool:
        """Whether anything runs meanwhile."""
        return bool(self._running)

    def _maybe_replan(self) -> None:
        """Derives the DAG again after a checkpoint, at once if nothing runs, else not more often than it costs."""
        if not self._replan_wanted or self._stops:
            return
        now = time.monotonic()
        if self._is_busy() and now - self._replan_at < REPLAN_SHARE * self._replan_cost:
            return
        self._replan_wanted = False
        begin = now
        try:
            self.planned = self._replan(self.book.keys(self.result.done))
            self.book.merge(self.planned.plan, self._intake.known)
            self._submit()
        except FlowrulesError as error:
            self._observer.warn("the DAG cannot be derived again; running jobs will end, no new ones start")
            self._error = error
            self._events.append(StopAsked(now))
            return
        self._replan_at = time.monotonic()
        self._replan_cost = self._replan_at - begin
        self._sweep()
        self._observer.plan_ready(self.book.plan)

    # ── actions ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _perform(self, action: DispatchAction) -> None:
        if isinstance(action, Start):
            if action.ahead and not self._executor.ahead(self.book.plan.jobs[action.job].rule.name):
                self._put_back(action.job)
            else:
                self._prepare(action)
        elif isinstance(action, Check):
            self._check(action.job)
        elif isinstance(action, Skipped):
            self.result.skipped.append(action.job)
            self._observer.job_skipped(action.job)
            self._settled(self.book.plan.jobs[action.job], made=False)
        elif isinstance(action, Blocked):
            self.result.blocked.append(action.job)
            self._observer.job_blocked(action.job, action.because)
        elif isinstance(action, Kill):
            self._killed.add(action.job)
            self._executor.kill(action.job)
        elif isinstance(action, Finished):
            more = self._plans_on_the_way or (self._replan_wanted and not self._stops)
            self._finished = not more

    def _put_back(self, job: int) -> None:
        """A job was to be started before there is room for it, and may last."""
        self._ahead, self._ahead_from = 0, len(self.result.done) + AHEAD_AGAIN
        self._events.append(Ahead(time.monotonic(), 0, (job,)))

    def _prepare(self, start: Start) -> None:
        job = self.book.plan.jobs[start.job]
        rule, label = job.rule, job.label
        reasons = self.book.plan.reasons[start.job]
        reason = str(reasons[0]) if reasons else ""
        try:
            for _, path in protected_outputs([job], self._disk):
                raise FlowrulesError(f"the protected file `{path}` would be overwritten")
            attempt = self._workshop.prepare(self.planned, job, start.attempt, start.slot, reason)
            message = self._workshop.message(self.planned, job, start.attempt, start.slot)
        except (FlowrulesError, OSError) as error:
            self._observer.job_ended(
                JobEnded(job.id, label, rule.name, False, 1, error=text_of(error), attempt=start.attempt)
            )
            self.result.failed.append(job.id)
            self._events.append(Ended(time.monotonic(), job.id, False, fatal=True))
            return
        record, command = attempt.record, attempt.order.command or f"{attempt.order.action.kind} of rule {rule.name}"
        self._store.remember_text(record.code, self.planned.judge.fingerprints.code_text(rule))
        self._store.started(job.outputs, rule.name, record.wildcards, start.attempt, record.run)
        self._to_start.append(attempt)
        slot = start.slot
        self._observer.job_started(
            JobStarted(job.id, label, rule.name, start.attempt, slot.cores, slot.gpus, reason, command, message)
        )

    def _start_prepared(self) -> None:
        """Starts what was prepared, once the record of it is in the file: after a crash no start is unknown."""
        if not self._to_start:
            return
        self._flush()
        for attempt in self._to_start:
            self._store.in_charge()  # it may have been stopped since
            self._running[attempt.job.id] = attempt
            self._executor.start(attempt.order)
        self._to_start.clear()

    def _check(self, number: int) -> None:
        """Everything a job that may run depends on is settled: must it run?"""
        job = self.book.plan.jobs[number]
        reason = self.planned.judge.first(job)
        asked = job.outputs if job.rule.checkpoint else [path for path in job.outputs if path in self._asked]
        if reason is None and any(self._disk.stat(path) is None for path in asked):
            reason = self.book.plan.reasons[number][0]
        demand: list[int] = []
        if reason is not None:
            self.book.plan.reasons[number] = (reason,)
            self._demand(job, demand, set())
        self._events.append(Checked(time.monotonic(), number, reason is not None, tuple(demand)))

    def _demand(self, job: Job, order: list[int], seen: set[int]) -> None:
        """Jobs that were not run and whose missing outputs a job needs, makers first."""
        plan = self.book.plan
        for path in job.inputs:
            maker = plan.producer.get(path)
            if maker is None or maker in seen or self._disk.stat(path) is not None:
                continue
            if maker in self._intake.known and maker not in self.result.done and maker not in self._running:
                seen.add(maker)
                self._demand(plan.jobs[maker], order, seen)
                order.append(maker)

    # ── outcomes ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _collect(self) -> None:
        """Waits for attempts to end, and records them with one write before anything is concluded from them."""
        deadline = time.monotonic() + self._settings.latency_wait
        ended = [(self._running.pop(o.job), o, deadline) for o in self._executor.wait(self._patience())]
        # stopped for long, it may be in charge no more: outputs are then another's, and none is removed
        self._keep_beating(time.monotonic())
        late, self._late = self._late, []
        recorded = []
        for attempt, outcome, until in (*late, *ended):
            record = self._workshop.finish(attempt, outcome, patient=time.monotonic() < until and not self._stops)
            if record is None:
                self._late.append((attempt, outcome, until))
                continue
            if record.status != "done" and attempt.job.id in self._killed:
                record.status = "killed"
            self._killed.discard(attempt.job.id)
            self._store.ended(record, attempt.job.outputs)
            recorded.append((attempt, record))
        if recorded:
            self._flush()
            for attempt, record in recorded:
                self._conclude(attempt.job, attempt.order.attempt, record)
            self._look_ahead(recorded[-1][0].order.rule)

    def _look_ahead(self, rule: str) -> None:
        """Where jobs last no time they are started before there is room, so that nobody waits for this loop."""
        ahead = self._executor.ahead(rule)
        if ahead != self._ahead and len(self.result.done) >= self._ahead_from:
            self._ahead = ahead
            self._events.append(Ahead(time.monotonic(), ahead))

    def _flush(self) -> None:
        """Has everything recorded in the file. While the disk is full nothing starts and nothing is concluded."""
        while True:
            try:
                return self._store.flush()
            except DirectoryHeld:
                raise
            except StateError as error:
                self._observer.warn(f"{error.message}; nothing starts until this is mended")
                time.sleep(FULL_DISK_PAUSE)
                self._heed_stops()
                if self._stops > 1:
                    raise

    def _conclude(self, job: Job, number: int, record: Record) -> None:
        """What follows from an attempt of a job that ended."""
        ok = record.status == "done"
        will_retry = not (ok or record.status == "killed" or self._stops)
        will_retry = will_retry and number <= self._intake.retries(self.planned, job)
        next_need = None
        if will_retry:
            try:
                next_need = self._intake.need(self.planned, job, number + 1)
            except FlowfileError as error:  # it would ask for more than there is
                will_retry = False
                record.error = "; ".join(filter(None, [record.error, f"not tried again: {text_of(error)}"]))
        self._observer.job_ended(
            JobEnded(
                job.id,
                job.label,
                job.rule.name,
                ok,
                record.exit,
                record.elapsed,
                record.error,
                record.log,
                will_retry,
                "" if ok else self._workshop.tail(record.log, TAIL_LINES),
                number,
            )
        )
        if ok:
            self.result.done.append(job.id)
            self._workshop.tidy_log(record.log)
            self._settled(job, made=True)
        elif not will_retry:
            self.result.failed.append(job.id)
        self._events.append(Ended(time.monotonic(), job.id, ok, next_need, fatal=not ok and not will_retry))

    def _settled(self, job: Job, *, made: bool) -> None:
        """A job is done or need not run: temp files it was the last to need go, and a checkpoint is looked at."""
        self._temps.settled(job, made=made)
        self._sweep()
        if job.rule.checkpoint and self.book.plan.unknown:
            self._replan_wanted = True

    def _sweep(self) -> None:
        """Deletes temp files nobody needs, once it is known who may need them."""
        if not self.book.plan.unknown:
            for path in self._temps.sweep():
                self._workshop.fresh.pop(path, None)


def text_of(error: Exception) -> str:
    """What went wrong, in one line, each mistake with its place."""
    if isinstance(error, FlowfileError):
        return "; ".join(f"{d.span}: {d.message}" if d.span else d.message for d in error.diagnostics)
    return error.message if isinstance(error, FlowrulesError) else str(error)
