"""The blocks of a campaign as the driver keeps them: made, submitted once, fed, watched, ended, and found again.

What a block is called is written down before it is submitted, and what the batch system answered right after. So a
driver that finds a block without an answer asks the batch system for its name before it submits anything.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from flowrules.app.fleet_news import Began, News, Over, Refused, Shuts, TaskEnded, TasksGiven, TaskStarted
from flowrules.app.packing import taken_by
from flowrules.errors import BatchError, BatchFull, StateError
from flowrules.execute.batch.patience import Patient, Waiting
from flowrules.execute.jobscript import ScriptBlock, render_script
from flowrules.model.batch import BatchState, BatchStatus
from flowrules.model.block import BlockSpec, Task
from flowrules.model.dispatch import BlockPlan
from flowrules.model.profile import Profile
from flowrules.record.blockfiles import OVER, SUBMITTED, Fate, block_names, block_path, submitted_id
from flowrules.record.messages import Begin, Closed, Closing, Damaged, Ended, Given, Sick, Started
from flowrules.record.spool import BlockFolder
from flowrules.record.state import write_atomically
from flowrules.schedule.queues import Offer, choose

SCRIPT: Final = "job.sh"
"""A block's job script."""

QUICK, SLOW = 0.2, 2.0
"""Seconds between two looks at the logs while lines come, and while none do."""

QUARANTINE: Final = 150.0
"""Seconds until processes of a block that did not say that it reaped them are dead: their lease, and some more."""

VANISHED, VANISHED_ANSWERS = 60.0, 3
"""Seconds, and answers, after which a block that never began and that nobody knows of is given up."""

TWICE: Final = 30.0
"""Seconds between two answers that a block has ended, before it is believed without its own word."""


@dataclass(slots=True)
class _Live:
    """A block that is not over.

    Attributes:
        id: what the batch system calls it; "" before it was submitted.
        tasks: names of those it holds.
        doubtful: an earlier driver may have submitted it without writing down the answer.
        submitting: its submission, under way; next_at: when that goes on, by the monotonic clock.
        first_end: when, and in which answer, the batch system first said that it has ended.
        absent: in how many answers nothing was known of it, one after another, and since when.
        lost_since: when it was known to have ended, or vanished, without having said so.
    """

    folder: BlockFolder
    plan: BlockPlan
    id: str = ""
    tasks: dict[str, None] = field(default_factory=dict)
    doubtful: bool = False
    begun: bool = False
    shut: bool = False
    full: bool = False
    submitting: Waiting[str] | None = None
    next_at: float = 0.0
    status: BatchStatus | None = None
    first_end: tuple[float, int] | None = None
    absent: int = 0
    absent_since: float = 0.0
    lost_since: float | None = None

    @property
    def name(self) -> str:
        return self.folder.spec.block


class Fleet:
    """The blocks of one working directory.

    Args:
        campaign: marks all blocks of this directory; epoch: number of this driver's ownership.
        look: raises where another driver is in charge.
        every: seconds between two questions to the batch system.
        swept: the batch system itself ends all processes of a block: no quarantine.
    """

    def __init__(
        self,
        profile: Profile,
        batch: Patient,
        directory: str,
        campaign: str,
        epoch: int,
        tell: Callable[[str], None],
        look: Callable[[], None],
        *,
        launcher: str,
        hash_limit: int,
        keep_incomplete: bool,
        every: float = 30.0,
        swept: bool = False,
    ) -> None:
        self._profile = profile
        self._batch = batch
        self._directory = directory
        self._campaign = campaign
        self._epoch = epoch
        self._tell = tell
        self._look = look
        self._launcher = launcher
        self._hash_limit = hash_limit
        self._keep_incomplete = keep_incomplete
        self._every = every
        self._quarantine = 0.0 if swept else QUARANTINE
        self._live: dict[str, _Live] = {}
        self._asked_at = float("-inf")
        self._pause = QUICK
        self._silent = False

    @property
    def pause(self) -> float:
        """Seconds until the next look is worth it."""
        return self._pause

    @property
    def names(self) -> list[str]:
        """Blocks that are not over."""
        return list(self._live)

    def cmd_folder(self, block: str) -> str:
        """Where private files of a block's tasks lie."""
        return f"{self._live[block].folder.path}/cmd"

    def plan_of(self, block: str) -> BlockPlan:
        """What was asked for."""
        return self._live[block].plan

    def running_of(self, block: str) -> int | None:
        """Most jobs at once it was made with."""
        return self._live[block].folder.spec.running

    # ── blocks of earlier drivers ────────────────────────────────────────────────────────────────────────────

    def attach(self) -> dict[str, dict[str, Fate]]:
        """Hold the blocks that earlier drivers left; for each what became of its tasks so far."""
        found: dict[str, dict[str, Fate]] = {}
        for name in block_names(self._directory):
            path = block_path(self._directory, name)
            if os.path.exists(f"{path}/{OVER}"):
                continue
            if not os.path.exists(f"{path}/{SCRIPT}"):  # its driver died while it made it: it was never submitted
                write_atomically(f"{path}/{OVER}", b"")
                continue
            folder = BlockFolder.open(path, self._epoch, self._look)
            id = submitted_id(path)
            live = _Live(folder, BlockPlan(folder.spec.nodes, folder.spec.walltime), id, doubtful=not id)
            self._live[name] = live
            live.begun = folder.has_begun
            fates = folder.assigned()
            live.tasks = dict.fromkeys(n for n, fate in fates.items() if fate.end is None and not fate.given)
            found[name] = fates
        return found

    # ── making ───────────────────────────────────────────────────────────────────────────────────────────────

    def open(self, plan: BlockPlan, running: int | None) -> str:
        """Make a block's folder and job script; `submit` hands it in. Returns its name.

        Raises:
            UsageError: no queue takes such a block.
            StateError: the folder cannot be made.
        """
        profile = self._profile
        taken = taken_by([live.folder.spec.queue for live in self._live.values()])
        offer = choose(profile, plan.nodes, plan.walltime, taken)
        block = self._next_name()
        shown, script = self._script(block, offer)  # before there is a folder: the profile may lack something
        spec = BlockSpec(
            campaign=self._campaign,
            block=block,
            name=shown.name,
            nonce=os.urandom(12).hex(),
            directory=self._directory,
            nodes=offer.nodes,
            walltime=offer.walltime,
            node=profile.node,
            launcher=self._launcher,
            worker_init=profile.worker_init,
            running=running,
            idle=profile.blocks.idle,
            latency_wait=profile.latency_wait,
            hash_limit=self._hash_limit,
            keep_incomplete=self._keep_incomplete,
            python=sys.executable,
            queue=offer.queue.name,
        )
        folder = BlockFolder.create(spec, self._epoch, self._look)
        write_atomically(f"{folder.path}/{SCRIPT}", script.encode())
        self._live[block] = _Live(folder, plan)
        return block

    def _script(self, block: str, offer: Offer) -> tuple[ScriptBlock, str]:
        path = block_path(self._directory, block)
        name = f"fr-{self._campaign}-{block}"
        shown = ScriptBlock(name, offer.nodes, offer.walltime, offer.queue.name, path, self._directory)
        command = shlex.join([sys.executable, "-m", "flowrules", "run-block", path])
        return shown, render_script(self._profile, shown, command)

    def _next_name(self) -> str:
        taken = [int(name[1:]) for name in (*block_names(self._directory), *self._live) if name[1:].isdigit()]
        return f"b{max(taken, default=0) + 1:03d}"

    def submit(self, now: float) -> list[News]:
        """Hand blocks in that were not yet, a step each: what takes longer goes on in later calls."""
        news: list[News] = []
        for live in [live for live in self._live.values() if not live.id and not live.begun and not live.shut]:
            if now < live.next_at:
                continue
            spec = live.folder.spec
            try:
                if live.submitting is None:
                    with open(f"{live.folder.path}/{SCRIPT}", encoding="utf-8") as file:
                        live.submitting = self._batch.submitting(file.read(), spec.name, doubtful=live.doubtful)
                live.next_at = now + next(live.submitting)
            except StopIteration as done:
                self._submitted(live, str(done.value))
            except BatchFull as error:
                live.submitting, live.next_at = None, now + self._every
                if not live.full:
                    self._tell(f"block {live.name} waits to be submitted: {error.message}")
                live.full = True
            except BatchError as error:
                news += self._not_submitted(live, error)
        return news

    def _submitted(self, live: _Live, id: str) -> None:
        spec = live.folder.spec
        live.id = id
        write_atomically(f"{live.folder.path}/{SUBMITTED}", json.dumps({"id": id}).encode())
        where = f" in queue {spec.queue}" if spec.queue else ""
        nodes = f"{spec.nodes} node{'' if spec.nodes == 1 else 's'}"
        self._tell(f"block {spec.block} submitted as {id}: {nodes} for {_minutes(spec.walltime)}{where}")

    def _not_submitted(self, live: _Live, error: BatchError) -> list[News]:
        self._tell(f"block {live.name} was not taken: {error.message}")
        left = tuple(live.tasks)
        self._finish(live)
        return [Shuts(live.name), TasksGiven(live.name, left), Refused(live.name, live.plan, error), Over(live.name)]

    # ── telling ──────────────────────────────────────────────────────────────────────────────────────────────

    def holds(self, block: str, tasks: Iterable[str]) -> bool:
        """Whether a block holds all of these tasks."""
        return all(name in self._live[block].tasks for name in tasks)

    def hand(self, block: str, tasks: Sequence[Task]) -> None:
        """Hand tasks to a block.

        Raises:
            StateError: not all of it is written; it is tried again with what is said next.
        """
        live = self._live[block]
        live.tasks.update(dict.fromkeys(task.name for task in tasks))
        live.folder.take(tasks)
        self._pause = QUICK

    def cancel(self, tasks: Iterable[str]) -> None:
        """Have tasks given back, or killed where they run."""
        wanted = set(tasks)
        for live in self._live.values():
            mine = wanted.intersection(live.tasks)
            if mine:
                live.folder.cancel(sorted(mine))

    def grant(self, block: str, running: int) -> None:
        """Let a block run so many jobs at once."""
        if block in self._live:
            self._live[block].folder.grant(running)

    def close(self, block: str, grace: float | None = None) -> list[News]:
        """Have a block end; one that waits in a queue is taken out of it."""
        live = self._live.get(block)
        if live is None:
            return []
        live.folder.stop(grace)
        if not live.begun and live.id:
            with suppress(BatchError):  # it ends by itself: the first thing it reads is that it shall
                self._batch.cancel(live.id)
        if not live.id and not live.begun and not live.submitting and not live.doubtful:
            self._finish(live)
            return [Shuts(block), TasksGiven(block, tuple(live.tasks)), Over(block)]
        return []

    # ── watching ─────────────────────────────────────────────────────────────────────────────────────────────

    def poll(self, now: float) -> list[News]:
        """What happened since the last look, by the logs of the blocks and, now and then, the batch system."""
        news = self.submit(now)
        for live in list(self._live.values()):
            news += self._read(live, now)
        if now - self._asked_at >= self._every and any(live.id for live in self._live.values()):
            self._asked_at = now
            self._ask(now)
        for live in list(self._live.values()):
            news += self._judge(live, now)
        self._pause = QUICK if news else min(SLOW, self._pause * 1.5)
        return news

    def _read(self, live: _Live, now: float) -> list[News]:
        news: list[News] = []
        if live.folder.waiting:
            with suppress(StateError):
                live.folder.retry()
        for said in live.folder.news():
            match said:
                case Begin():
                    live.begun = True
                    news.append(Began(live.name, now + live.folder.spec.walltime))
                    self._tell(f"block {live.name} runs on {_some(said.nodes or (said.host,))}")
                case Started():
                    news.append(TaskStarted(live.name, said))
                case Ended():
                    live.tasks.pop(said.end.task, None)
                    news.append(TaskEnded(live.name, said.end))
                case Given():
                    back = tuple(name for name in said.tasks if name in live.tasks)
                    for name in back:
                        del live.tasks[name]
                    news.append(TasksGiven(live.name, back))
                case Sick():
                    self._tell(f"block {live.name} uses node {said.node} no more: {said.why}")
                case Closing():
                    live.shut = True
                    news.append(Shuts(live.name))
                    if said.why:
                        self._tell(f"block {live.name} ends: {said.why}")
                case Damaged():
                    self._tell(f"{said.lines} lines of `{said.file}` of block {live.name} are damaged")
                case _:
                    pass
        return news

    def _ask(self, now: float) -> None:
        """One question to the batch system for all blocks."""
        ids = {live.id: live for live in self._live.values() if live.id}
        before = self._batch.answers
        try:
            answers = self._batch.status(list(ids))
        except BatchError as error:
            if not self._silent:
                self._tell(f"{error.message}; asking again")
            self._silent = True
            return
        self._silent = False
        if self._batch.answers == before:
            return  # from memory
        for id, live in ids.items():
            status = answers.get(id)
            if status is None:
                self._absent(live, now)
                continue
            live.absent = 0
            if status.state is BatchState.HELD and (live.status is None or live.status.state is not BatchState.HELD):
                self._tell(f"block {live.name} is held{': ' + status.detail if status.detail else ''}")
            live.status = status
            if status.state is not BatchState.ENDED:
                live.first_end = None
            elif live.first_end is None:
                live.first_end = now, self._batch.answers
            elif live.lost_since is None and self._said_again(live.first_end, now):
                live.lost_since = now

    def _said_again(self, first: tuple[float, int], now: float) -> bool:
        """Whether what was first said then was said again since, in another answer, and not at once."""
        return self._batch.answers > first[1] and now - first[0] >= min(TWICE, self._every)

    def _absent(self, live: _Live, now: float) -> None:
        """The batch system knows nothing of a block. That is no end; but one that never began is not waited for."""
        if not live.absent:
            live.absent_since = now
        live.absent += 1
        if live.begun or live.lost_since is not None:
            return
        if live.absent >= VANISHED_ANSWERS and now - live.absent_since >= min(VANISHED, 2 * self._every):
            self._tell(f"block {live.name} has vanished: the batch system knows nothing of {live.id}")
            live.lost_since = now - self._quarantine  # nothing of it ever ran

    def _judge(self, live: _Live, now: float) -> list[News]:
        """A block that said that it closed is over; so is one that ended without a word, after its quarantine."""
        closed: Closed | None = live.folder.closed
        if closed is None and live.lost_since is None:
            return []
        if closed is not None and not closed.reaped and live.lost_since is None:
            live.lost_since = now
        if not (closed is not None and closed.reaped):
            assert live.lost_since is not None
            if now - live.lost_since < self._quarantine and live.tasks:
                return []
        if closed is None and not live.absent:
            detail = live.status.detail if live.status is not None else ""
            self._tell(f"block {live.name} ended without a word{': ' + detail if detail else ''}")
        if closed is None:
            with suppress(StateError):
                live.folder.stop()  # should it start after all, it ends at once
        news: list[News] = [] if live.shut else [Shuts(live.name)]
        news += self._salvaged(live) if live.tasks else ()
        news += [TasksGiven(live.name, tuple(live.tasks)), Over(live.name)]
        self._finish(live)
        return news

    def _salvaged(self, live: _Live) -> list[TaskEnded]:
        """Ends that only the logs of its nodes have, as its runner died before it could write them down."""
        from flowrules.app.salvage import salvage

        try:
            ends = salvage(live.folder, self._directory)
        except StateError as error:
            self._tell(f"block {live.name}: {error.message}; what it did not report runs again")
            return []
        for end in ends:
            live.tasks.pop(end.task, None)
        return [TaskEnded(live.name, end) for end in ends]

    def _finish(self, live: _Live) -> None:
        del self._live[live.name]
        write_atomically(f"{live.folder.path}/{OVER}", b"")
        live.folder.close()

    def cancel_all(self, grace: float) -> None:
        """Have all blocks end, killing what runs after some seconds."""
        for name in list(self._live):
            self.close(name, grace)

    def leave(self) -> None:
        """Let go of all blocks; they go on."""
        for live in self._live.values():
            live.folder.close()


def _minutes(seconds: float) -> str:
    return f"{-(-int(seconds) // 60)} min"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
