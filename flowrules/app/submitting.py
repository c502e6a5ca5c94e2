"""`--submit`: the DAG goes to the batch system as blocks that wait for each other, and no driver stays.

Blocks of one wave of the packing run at once; those of the next begin when they are over, well or not. A job that needs
files of an earlier block starts if their makers ended well there. What cannot be handed over before it is known (jobs
beside a driver, jobs that may not have to run, texts that need files) is left to the next run, and so are retries.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

from flowrules.app.batch import Campaign
from flowrules.app.book import Book
from flowrules.app.campaign import GATHERED
from flowrules.app.fleet_news import Over
from flowrules.app.intake import Intake
from flowrules.app.loop import text_of
from flowrules.app.parts import Result
from flowrules.app.resources import NodeSizer
from flowrules.app.setting import Setting
from flowrules.app.tasks import TaskMaker
from flowrules.errors import FlowfileError, FlowrulesError, StateError, UsageError
from flowrules.execute.actions import CannotStart
from flowrules.model.block import Task
from flowrules.model.dispatch import BlockPlan
from flowrules.model.events import SchedJob
from flowrules.model.packing import PackedBlock
from flowrules.record.campaign import campaign_call
from flowrules.schedule.packing import pack
from flowrules.schedule.ranks import in_order
from flowrules.schedule.shares import split

LOCAL: Final = "beside a driver (`local: true`)"
MAY: Final = "that may not have to run"
FILES: Final = "whose texts need files that are not there yet"
NEEDS: Final = "that need one of those, or a job of a block that was not taken"
UNFIT: Final = "that fit no block"
LIMITED: Final = "that need more of a limited resource (`--resources`) than other blocks leave them"

_PAUSE: Final = 0.1


@dataclass(slots=True)
class _Given:
    """What was handed over so far.

    Attributes:
        task: of each job, its name; where: its block.
        left: how many jobs are left to the next run, by why.
    """

    task: dict[int, str] = field(default_factory=dict)
    where: dict[int, str] = field(default_factory=dict)
    left: Counter[str] = field(default_factory=Counter)


def submit(campaign: Campaign, setting: Setting) -> Result:
    """Hand over all that can be, submit its blocks, and let go of them. There are no blocks of an earlier campaign.

    Raises:
        StateError: a file cannot be written.
    """
    submission = _Submission(campaign, setting)
    submission.run()
    given, tell = submission.given, setting.observer.message
    go_on = f"`{campaign_call('.')}` collects what they did, and goes on"
    blocks = len(set(given.where.values()))
    if blocks:
        jobs = f"{len(given.task):,} job{'s' if len(given.task) > 1 else ''}"
        tell(f"{jobs} handed to {blocks} block{'s' if blocks > 1 else ''}; nobody drives: {go_on}")
    for why, count in given.left.items():
        tell(f"left to that run: {count:,} job{'s' if count > 1 else ''} {why}")
    campaign.fleet.leave()
    result = Result(handed=len(given.task), refused=submission.refused)
    if not blocks and submission.refused:
        result.stranded = [job.id for job in setting.planned.plan.to_run() if job.rule.action is not None]
    return result


class _Submission:
    def __init__(self, campaign: Campaign, setting: Setting) -> None:
        profile, request = campaign.profile, setting.request
        self.given = _Given()
        self.refused: list[str] = []
        self._campaign = campaign
        self._fleet = campaign.fleet
        self._setting = setting
        self._plan = setting.planned.plan
        self._limits = request.run.limits
        fit = NodeSizer(profile.node, profile.blocks.nodes, self._limits)
        self._intake = Intake(setting.planned, fit, request.run.retries)
        self._maker = TaskMaker(setting.workshop(None), campaign.epoch)

    def run(self) -> None:
        profile, most = self._campaign.profile, self._campaign.settings.max_jobs
        jobs = {job.id: job for job in self._ready()}
        packing = pack(jobs.values(), profile.node, profile.blocks, max_jobs=most, limits=self._limits)
        self.given.left[UNFIT] += len(packing.unfit)
        taken: list[str] = []
        before: list[str] = []
        for _, group in groupby(packing.blocks, lambda block: block.wave):
            wave = list(group)
            made = []
            shares = split(self._limits, [[jobs[n].need for n in packed.jobs] for packed in wave])
            for number, packed in enumerate(wave):
                running = None if most is None else most // len(wave) + (number < most % len(wave))
                needed = {self.given.where.get(n) for number in packed.jobs for n in jobs[number].needs}
                after = [block for block in taken if block in before or block in needed]
                block = self._block(packed, jobs, running, after, shares[number])
                if block is not None:
                    made.append(block)
            before = [block for block in made if self._is_taken(block)] or before
            taken += [block for block in before if block not in taken]
        self.given.left += Counter()  # drops what is 0

    def _ready(self) -> Iterator[SchedJob]:
        """Jobs that can be handed over now, makers before users."""
        jobs = self._intake.jobs(self._setting.planned, Book(self._plan))
        left: set[int] = set()
        for job in in_order({job.id: job for job in jobs}):
            why = LOCAL if job.local else MAY if job.check else NEEDS if left.intersection(job.needs) else ""
            if not why:
                yield job
                continue
            left.add(job.id)
            if self._plan.jobs[job.id].rule.action is not None:
                self.given.left[why] += 1

    def _block(
        self,
        packed: PackedBlock,
        jobs: dict[int, SchedJob],
        running: int | None,
        after: Sequence[str],
        tokens: Mapping[str, float],
    ) -> str | None:
        """Make a block with its tasks; None where there is none to be had, or nothing for it."""
        try:
            block = self._fleet.open(BlockPlan(packed.nodes, packed.walltime), running, after, tokens)
        except (UsageError, StateError) as error:
            self._refuse(error.message)
            self.given.left[NEEDS] += len(packed.jobs)
            return None
        tasks: list[Task] = []
        for number in packed.jobs:
            if any(amount > tokens.get(name, amount) for name, amount in jobs[number].need.custom):
                self.given.left[LIMITED] += 1
                continue
            task = self._task(jobs[number], block, after)
            tasks += [] if task is None else [task]
            if len(tasks) >= GATHERED:
                self._hand(block, tasks)
        self._hand(block, tasks)
        if block not in self.given.where.values():
            self._drop(block)
            return None
        return block

    def _drop(self, block: str) -> None:
        """Give up a block that was not submitted."""
        if any(isinstance(news, Over) for news in self._fleet.close(block)):
            self._fleet.bury(block)

    def _hand(self, block: str, tasks: list[Task]) -> None:
        """Hand over what was gathered, once the texts it names are recorded."""
        self._setting.store.flush()
        self._fleet.hand(block, tasks)
        tasks.clear()

    def _task(self, job: SchedJob, block: str, after: Sequence[str]) -> Task | None:
        """The task of a job, which the block is to hold; None where it has to be left."""
        given, planned, store = self.given, self._setting.planned, self._setting.store
        own = self._plan.jobs[job.id]
        needs = [n for n in job.needs if n in self._intake.known]
        if not {given.where.get(n) for n in needs} <= {block, *after}:
            given.left[NEEDS] += 1
            return None
        reasons = self._plan.reasons[job.id]
        try:
            task = self._maker.make(
                planned,
                own,
                1,
                job.need,
                str(reasons[0]) if reasons else "",
                folder=self._fleet.cmd_folder(block),
                after=tuple(given.task[n] for n in needs),
                made=frozenset(path for n in needs for path in self._plan.jobs[n].outputs),
                expected=job.expected,
                group=job.group,
            )
        except FlowfileError:
            given.left[FILES] += 1
            return None
        except (FlowrulesError, CannotStart, OSError) as error:
            self._refuse(f"{own.label}: {text_of(error)}")
            given.left[NEEDS] += 1
            return None
        store.remember_text(task.draft.code, planned.judge.fingerprints.code_text(own.rule))
        store.started(own.outputs, own.rule.name, task.draft.wildcards, 1, task.draft.run)
        given.task[job.id], given.where[job.id] = task.name, block
        return task

    def _is_taken(self, block: str) -> bool:
        """Submit a block. One that the batch system does not take now is given up: nobody stays to try again."""
        while (id := self._fleet.submission(block)) == "":
            self._fleet.submit(time.monotonic())
            time.sleep(_PAUSE)
        if id is not None:
            return True
        self._drop(block)
        for number in [number for number, where in self.given.where.items() if where == block]:
            del self.given.task[number], self.given.where[number]
            self.given.left[NEEDS] += 1
        self.refused.append(f"block {block} was not taken")
        return False

    def _refuse(self, why: str) -> None:
        self._setting.observer.message(why)
        self.refused.append(why)
