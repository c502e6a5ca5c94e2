"""Handing a whole DAG over: which jobs can go, into which blocks, which wait for which. Blocks are made by the yard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Final, Protocol

from flowrules.app.book import Book
from flowrules.app.drive.campaign import GATHERED
from flowrules.app.drive.tasks import TaskMaker
from flowrules.app.intake import Intake
from flowrules.app.loop import text_of
from flowrules.app.resources import NodeSizer
from flowrules.app.settings import Request
from flowrules.errors import FlowfileError, FlowrulesError, StateError, UsageError
from flowrules.execute.actions import CannotStart
from flowrules.model.block import Task
from flowrules.model.dispatch import BlockPlan
from flowrules.model.events import SchedJob
from flowrules.model.job import Job
from flowrules.model.packing import PackedBlock
from flowrules.model.profile import Profile
from flowrules.plan.build import Planned
from flowrules.schedule.packing import pack
from flowrules.schedule.ranks import in_order
from flowrules.schedule.shares import split

LOCAL: Final = "beside a driver (`local: true`)"
MAY: Final = "that may not have to run"
FILES: Final = "whose texts need files that are not there yet"
NEEDS: Final = "that need one of those, or a job of a block that was not taken"
BETWEEN: Final = 60.0
"""Seconds for nodes to be made ready and left, and for the last jobs of each stage, in a block without a runner."""

UNFIT: Final = "that fit no block"
LIMITED: Final = "that need more of a limited resource (`--resources`) than other blocks leave them"


class Yard(Protocol):
    """Where blocks are made."""

    def open(self, plan: BlockPlan, running: int | None, after: Sequence[str], tokens: Mapping[str, float]) -> str:
        """Make a block that begins when others are over. Raises UsageError, StateError.

        Args:
            tokens: its part of limited resources.
        """

    def cmd_folder(self, block: str) -> str:
        """Where private files of its tasks lie."""

    def remember(self, job: Job, task: Task) -> None:
        """Note that a task of a job is about to belong to a block."""

    def hand(self, block: str, tasks: Sequence[Task]) -> None:
        """Give tasks to a block."""

    def is_taken(self, block: str) -> bool:
        """Let go of a block that has all its tasks. Whether it will run."""

    def drop(self, block: str) -> None:
        """Give up a block that nothing was given to."""

    def tell(self, text: str) -> None:
        """Something to tell the user."""


@dataclass(slots=True)
class Given:
    """What was handed over.

    Attributes:
        task: of each job, its name; where: its block.
        left: how many jobs are left to the next run, by why.
        refused: what went wrong, in words.
    """

    task: dict[int, str] = field(default_factory=dict)
    where: dict[int, str] = field(default_factory=dict)
    left: Counter[str] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)

    @property
    def blocks(self) -> int:
        """How many blocks hold jobs."""
        return len(set(self.where.values()))


class Handing:
    """Hands a plan over.

    Args:
        max_jobs: at most so many jobs at once, or None.
        overhead: seconds of a slot that each job costs beside its own.
    """

    def __init__(
        self,
        planned: Planned,
        request: Request,
        profile: Profile,
        max_jobs: int | None,
        maker: TaskMaker,
        yard: Yard,
        overhead: float = 0.0,
    ) -> None:
        self.given = Given()
        self._planned = planned
        self._plan = planned.plan
        self._profile = profile
        self._most = max_jobs
        self._overhead = overhead
        self._limits = request.run.limits
        fit = NodeSizer(profile.node, profile.blocks.nodes, self._limits)
        self._intake = Intake(planned, fit, request.run.retries)
        self._maker = maker
        self._yard = yard

    def run(self) -> Given:
        """Hand over all that can be."""
        profile, most = self._profile, self._most
        jobs = {job.id: job for job in self._ready()}
        sized = [replace(job, expected=job.expected + self._overhead) for job in jobs.values()]
        packing = pack(sized, profile.node, profile.blocks, max_jobs=most, limits=self._limits)
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
        return self.given

    def _ready(self) -> Iterator[SchedJob]:
        """Jobs that can be handed over now, makers before users."""
        jobs = self._intake.jobs(self._planned, Book(self._plan))
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
            block = self._yard.open(BlockPlan(packed.nodes, self._walltime(packed)), running, after, tokens)
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
            self._yard.drop(block)
            return None
        return block

    def _walltime(self, packed: PackedBlock) -> float:
        """What to ask for; where jobs cost more than their own time, so does what is between them."""
        wanted = packed.walltime + (BETWEEN if self._overhead else 0.0)
        return max(packed.walltime, min(wanted, self._profile.blocks.walltime))

    def _hand(self, block: str, tasks: list[Task]) -> None:
        if tasks:
            self._yard.hand(block, tasks)
        tasks.clear()

    def _task(self, job: SchedJob, block: str, after: Sequence[str]) -> Task | None:
        """The task of a job, which the block is to hold; None where it has to be left."""
        given, planned = self.given, self._planned
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
                folder=self._yard.cmd_folder(block),
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
        self._yard.remember(own, task)
        given.task[job.id], given.where[job.id] = task.name, block
        return task

    def _is_taken(self, block: str) -> bool:
        if self._yard.is_taken(block):
            return True
        for number in [number for number, where in self.given.where.items() if where == block]:
            del self.given.task[number], self.given.where[number]
            self.given.left[NEEDS] += 1
        self.given.refused.append(f"block {block} was not taken")
        return False

    def _refuse(self, why: str) -> None:
        self._yard.tell(why)
        self.given.refused.append(why)
