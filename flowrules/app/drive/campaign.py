"""The loop of a batch campaign: as any run's, but jobs are handed to blocks, and blocks tell how they ended."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from flowrules.app.drive.cutoff import CutOffs, Handed, cut_off_record
from flowrules.app.drive.fleet import Fleet
from flowrules.app.drive.fleet_news import Began, News, Over, Refused, Shuts, TaskEnded, TasksGiven, TaskStarted
from flowrules.app.drive.tasks import TaskMaker
from flowrules.app.loop import TAIL_LINES, Loop, text_of
from flowrules.app.parts import Parts
from flowrules.errors import FlowfileError, FlowrulesError, StateError, UsageError
from flowrules.execute.actions import CannotStart
from flowrules.model.block import Task
from flowrules.model.dispatch import (
    LOCAL,
    BlockBegan,
    BlockClosing,
    BlockKnown,
    BlockOver,
    Close,
    DispatchAction,
    Freed,
    Grant,
    Hand,
    NotYet,
    Open,
    OpenRefused,
    Returned,
)
from flowrules.model.events import Ended, Kill, Need, Slot, Start
from flowrules.model.job import Job
from flowrules.model.progress import JobEnded, JobStarted
from flowrules.model.record import Record
from flowrules.show.text import counted

LEAVE: Final = 5.0
"""Seconds after the first interrupt in which a second one cancels the blocks instead of leaving them."""

KILL_GRACE: Final = 10.0

GATHERED: Final = 1_000
"""So many tasks for a block are handed over at once: tasks are large, and need not all be in memory."""

BARREN: Final = 3
"""So many blocks in a row that end before a job has started are enough to ask for no more."""


class CampaignLoop(Loop):
    """Runs a plan in blocks.

    Args:
        adopted: tasks that blocks of earlier drivers hold, by name, with the jobs of this plan.
        told: names of tasks whose ends are in the journal already.
        strange: tasks of earlier drivers that are none of this plan, with their blocks and needs.
    """

    def __init__(
        self,
        parts: Parts,
        fleet: Fleet,
        maker: TaskMaker,
        adopted: Mapping[str, Handed],
        told: Collection[str],
        strange: Mapping[str, tuple[str, Need]],
    ) -> None:
        super().__init__(parts)
        self._fleet = fleet
        self._observer.blocks(fleet.look)
        self._maker = maker
        self._handed: dict[str, Handed] = dict(adopted)
        self._told = set(told)
        self._strange = dict(strange)
        self._task_of: dict[int, str] = {handed.job: name for name, handed in adopted.items()}
        self._to_hand: dict[str, list[Task]] = {}
        self._cut_offs = CutOffs()
        self._barren = 0
        self._leave_at: float | None = None
        self._hung_up = False

    def know_block(self, block: str) -> None:
        """Tell of a block that an earlier driver left, before the run begins."""
        plan, last = self._fleet.plan_of(block), self._fleet.grant_of(block)
        strange = tuple(need for where, need in self._strange.values() if where == block)
        self._events.append(BlockKnown(time.monotonic(), block, plan, last.running, last.tokens, strange))
        if not self._fleet.takes(block):
            self._events.append(BlockClosing(time.monotonic(), block))

    def hang_up(self) -> None:
        """The user is gone: leave the blocks to themselves, at once. Safe in a signal handler."""
        self._hung_up = True

    # ── actions ──────────────────────────────────────────────────────────────────────────────────────────────

    def _perform(self, action: DispatchAction) -> None:
        match action:
            case Hand():
                self._hand(action)
            case Open():
                self._open(action)
            case Grant():
                try:
                    self._fleet.grant(action.block, action.running, action.tokens)
                except StateError as error:
                    self._observer.message(f"{error.message}; trying again")
            case Close():
                self._heed(self._fleet.close(action.block), time.monotonic())
            case Kill() if action.job in self._task_of:
                self._killed.add(action.job)
                self._fleet.cancel([self._task_of[action.job]])
            case _:
                super()._perform(action)

    def _hand(self, hand: Hand) -> None:
        job = self.book.plan.jobs[hand.job]
        if hand.block == LOCAL:
            cores = self._intake.need(self.planned, job, hand.attempt).cores
            self._prepare(Start(hand.job, hand.attempt, Slot(cores)))
            return
        after = [self._task_of.get(n) for n in hand.after]
        apart = any(name is None or self._handed[name].block != hand.block for name in after)
        if apart or not self._fleet.takes(hand.block):  # it may be over in this very turn
            self._events.append(Returned(time.monotonic(), (hand.job,)))
            return
        made = frozenset(path for n in hand.after for path in self.book.plan.jobs[n].outputs)
        reasons = self.book.plan.reasons[hand.job]
        try:
            need, expected = self._intake.sized(self.planned, job, hand.attempt)
            task = self._maker.make(
                self.planned,
                job,
                hand.attempt,
                need,
                str(reasons[0]) if reasons else "",
                folder=self._fleet.cmd_folder(hand.block),
                after=tuple(name for name in after if name is not None),
                made=made,
                expected=expected,
                group=self._intake.group(hand.job),
                last=not self._settings.keep_going and hand.attempt > self._intake.retries(self.planned, job),
            )
        except (FlowrulesError, CannotStart, OSError) as error:
            if hand.after and isinstance(error, FlowfileError):
                self._events.append(NotYet(time.monotonic(), hand.job))
            else:
                self._cannot(job, hand.attempt, text_of(error))
            return
        draft = task.draft
        self._handed[task.name] = Handed(job.id, hand.attempt, hand.block, draft.run, draft.threads, draft.reason)
        self._task_of[job.id] = task.name
        self._store.remember_text(draft.code, self.planned.judge.fingerprints.code_text(job.rule))
        gathered = self._to_hand.setdefault(hand.block, [])
        gathered.append(task)
        if len(gathered) >= GATHERED:
            self._hand_gathered()

    def _cannot(self, job: Job, attempt: int, error: str, record: Record | None = None) -> None:
        """A job that cannot be handed over at all, or cannot end where it is, has failed."""
        took, exit, log = (0.0, 1, "") if record is None else (record.elapsed, record.exit, record.log)
        tail = self._workshop.tail(log, TAIL_LINES) if log else ""
        self._observer.job_ended(
            JobEnded(job.id, job.label, job.rule.name, False, exit, took, error, log, log_tail=tail, attempt=attempt)
        )
        self.result.failed.append(job.id)
        self._events.append(Ended(time.monotonic(), job.id, False, fatal=True))

    def _open(self, action: Open) -> None:
        now = time.monotonic()
        try:
            block = self._fleet.open(action.plan, action.running, tokens=action.tokens)
        except (UsageError, StateError) as error:
            hint = f" ({error.hint})" if error.hint else ""
            self._observer.message(f"no block can be had: {error.message}{hint}")
            self.result.refused.append(error.message)
            self._events.append(OpenRefused(now, action.plan))
            return
        self._events.append(BlockKnown(now, block, action.plan, action.running, action.tokens))

    def _start_prepared(self) -> None:
        """Hands over what was gathered in this turn, then submits blocks that are new: their inbox is there before."""
        super()._start_prepared()
        if self._to_hand:
            self._hand_gathered()
        if not self._events:
            self._heed(self._fleet.submit(time.monotonic()), time.monotonic())

    def _hand_gathered(self) -> None:
        """Hands over what was gathered, once the texts it names are recorded."""
        self._flush()
        for block, tasks in self._to_hand.items():
            if not self._fleet.takes(block):  # it was told to end since
                jobs = tuple(self._forget(task.name) for task in tasks)
                self._events.append(Returned(time.monotonic(), jobs))
                continue
            try:
                self._fleet.hand(block, tasks)
            except StateError as error:
                self._observer.message(f"{error.message}; trying again")
        self._to_hand.clear()

    # ── news ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _is_busy(self) -> bool:
        return super()._is_busy() or bool(self._handed)

    def _patience(self) -> float:
        return min(super()._patience(), self._fleet.pause)

    def _collect(self) -> None:
        super()._collect()
        now = time.monotonic()
        self._heed(self._fleet.poll(now), now)

    def _heed(self, news: list[News], now: float) -> None:
        """Records what began and ended with one write, then concludes from it, both in the order it was told in."""
        for item in news:
            if isinstance(item, TaskStarted):
                self._record_start(item)
            elif isinstance(item, TaskEnded):
                self._record_end(item)
        if news:
            self._flush()
        for item in news:
            self._heed_one(item, now)

    def _record_start(self, item: TaskStarted) -> None:
        handed = self._handed.get(item.said.task)
        if handed is not None:
            job = self.book.plan.jobs[handed.job]
            self._store.started(job.outputs, job.rule.name, job.wildcards, handed.attempt, handed.run)

    def _record_end(self, item: TaskEnded) -> None:
        if item.end.task in self._told:
            return
        self._told.add(item.end.task)
        handed = self._handed.get(item.end.task)
        record = item.end.record
        if handed is not None and record.status != "done" and handed.job in self._killed:
            record.status = "killed"
        if record.status == "done" or handed is not None:
            self._store.ended(record, self.book.plan.jobs[handed.job].outputs if handed is not None else ())

    def _heed_one(self, item: News, now: float) -> None:
        match item:
            case Began():
                self._events.append(BlockBegan(now, item.block, item.until))
            case TaskStarted():
                self._started(item, now)
            case TaskEnded():
                self._free([item.end.task], now)
                self._task_ended(item)
            case TasksGiven():
                self._free(item.tasks, now)
                back = [name for name in item.tasks if name in self._handed]
                jobs = tuple(job for name in back if (job := self._given(name, item.block, now)) is not None)
                if jobs:
                    self._events.append(Returned(now, jobs, item.unfit))
            case Shuts():
                self._events.append(BlockClosing(now, item.block))
            case Over():
                self._count_barren(item, now)
                self._fleet.bury(item.block)
                self._events.append(BlockOver(now, item.block))
            case Refused():
                if item.why.final:
                    self.result.refused.append(item.why.message)
                self._events.append(OpenRefused(now, item.plan))

    def _free(self, tasks: Iterable[str], now: float) -> None:
        """Of tasks that are none of this plan it only matters what they shared."""
        for name in tasks:
            if name in self._strange:
                self._events.append(Freed(now, *self._strange.pop(name)))

    def _given(self, name: str, block: str, now: float) -> int | None:
        """A job whose task comes back; None where it will never end in a block, and has failed."""
        handed, number = self._handed[name], self._forget(name)
        if not self._cut_offs.are_enough(handed, self._fleet.plan_of(block).walltime, now):
            return number
        job = self.book.plan.jobs[number]
        record = cut_off_record(self.planned, job, handed, now)
        self._store.ended(record, job.outputs)
        self._flush()
        self._cannot(job, handed.attempt, record.error, record)
        return None

    def _count_barren(self, over: Over, now: float) -> None:
        """Blocks that end before a job has started cost much and bring nothing: after some no more are asked for."""
        self._barren = self._barren + 1 if over.barren else 0
        if self._barren == BARREN:
            self._observer.message(
                f"{BARREN} blocks in a row ended before a job started: no more are asked for; what the last one said "
                f"is in `.flowrules/blocks/{over.block}`"
            )
            self._events.append(OpenRefused(now, self._fleet.plan_of(over.block)))

    def _forget(self, name: str) -> int:
        job = self._handed.pop(name).job
        if self._task_of.get(job) == name:
            del self._task_of[job]
        return job

    def _started(self, item: TaskStarted, now: float) -> None:
        handed = self._handed.get(item.said.task)
        if handed is None:
            return
        job = self.book.plan.jobs[handed.job]
        action = job.rule.action
        handed.began, handed.node = now, item.said.node
        self._observer.job_started(
            JobStarted(
                job.id,
                job.label,
                job.rule.name,
                handed.attempt,
                handed.threads,
                item.said.gpus,
                handed.reason,
                f"{action.kind if action else 'nothing'} of rule {job.rule.name}",
                "",
                item.said.node,
            )
        )

    def _task_ended(self, item: TaskEnded) -> None:
        handed = self._handed.get(item.end.task)
        if handed is None:
            return
        number = self._forget(item.end.task)
        if handed.stale:
            self._events.append(Returned(time.monotonic(), (number,)))
            return
        job, record = self.book.plan.jobs[number], item.end.record
        self._killed.discard(number)
        self._disk.forget(job.outputs)
        if record.status == "done":
            self._workshop.fresh.update((made.path, made) for made in record.outputs)
        self._conclude(job, handed.attempt, record)

    # ── the end ──────────────────────────────────────────────────────────────────────────────────────────────

    def _heed_stops(self) -> None:
        """First interrupt: blocks are left running, unless a second one comes soon and cancels them; a third leaves."""
        now = time.monotonic()
        if self._hung_up or (self._stops > 2 and self._fleet.names):
            self._leave_at = now
            self.result.interrupted = self._finished = True
            return
        if self._stops > self._told_stops and not self._told_stops and self._stops == 1:
            self._told_stops = 1
            self.result.interrupted = True
            blocks = len(self._fleet.names)
            if blocks:
                self._observer.message(
                    f"leaving in {LEAVE:g}s: {counted(blocks, 'block')} will go on, and the next "
                    "`flowrules` collects what they did (interrupt again to cancel them)"
                )
                self._leave_at = now + LEAVE
                return
            self._told_stops = 0
        if self._leave_at is not None and self._stops > 1:
            self._leave_at = None
            self._observer.message("cancelling all blocks; killing what runs")
            self._fleet.cancel_all(KILL_GRACE)
        if self._leave_at is not None and now >= self._leave_at:
            self._finished = True
            return
        if self._leave_at is None:
            super()._heed_stops()

    def wind_up(self) -> None:
        """Waits for blocks that have nothing more to do to say that they are closed, or leaves them."""
        left = [job.id for job in self.book.plan.to_run() if job.rule.action is not None]
        settled = {*self.result.done, *self.result.failed, *self.result.blocked, *self.result.skipped}
        self.result.stranded = [] if self.result.interrupted else [n for n in left if n not in settled]
        if self._leave_at is not None:
            self._fleet.leave()
            return
        stops = self._stops
        while self._fleet.names and self._stops == stops and not self._hung_up:
            now = time.monotonic()
            self._heed(self._fleet.poll(now), now)
            self._events.clear()
            self._keep_beating(now)
            self._observer.tick()
            if self._fleet.names:
                self._executor.wait(min(1.0, self._fleet.pause))
        if self._fleet.names:
            self._observer.message("blocks that are still to end are left to themselves")
        self._fleet.leave()
