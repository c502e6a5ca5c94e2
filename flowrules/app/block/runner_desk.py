"""The tasks of a block as its scheduler sees them: numbers for names, and what it decides in terms of tasks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from flowrules.model.block import BlockSpec, Task
from flowrules.model.events import (
    Blocked,
    Closing,
    Cluster,
    Ended,
    Event,
    Forgotten,
    Granted,
    Impossible,
    Kill,
    NodeBack,
    NodeCapacity,
    NodeGone,
    Planned,
    SchedJob,
    Slot,
    Start,
    Tick,
    TooLate,
    Withdrawn,
)
from flowrules.record.blockfiles import Past
from flowrules.schedule.core import Scheduler

NOT_HERE = "what it needs is not to be had in this block"


@dataclass(frozen=True, slots=True)
class Place:
    """A task starts in a slot."""

    task: Task
    slot: Slot


@dataclass(frozen=True, slots=True)
class Back:
    """A task that was not started goes back to the driver; why, in words. ``unfit``: this block cannot run it."""

    task: str
    why: str
    unfit: bool = False


@dataclass(frozen=True, slots=True)
class End:
    """A running task is to be killed."""

    task: str


Move: TypeAlias = Place | Back | End


def cluster_of(spec: BlockSpec, hosts: Sequence[str]) -> Cluster:
    """What the nodes of a block have to give."""
    node = spec.node
    free = tuple(cpu for cpu in range(node.cpus) if cpu not in node.reserved)
    near = tuple(tuple(cpu for cpu in gpu.cpus if cpu in free) for gpu in node.gpus)
    gpus = tuple(gpu.id for gpu in node.gpus)
    return Cluster(tuple(NodeCapacity(host, free, node.mem, gpus, near, dict(node.resources)) for host in hosts))


class Desk:
    """Takes tasks in, says where they go and which go back.

    Args:
        until: when the block ends, monotonic seconds; no task starts that would go beyond.
        past: what earlier incarnations said of tasks.

    Attributes:
        waiting: tasks that were taken and have not started, by name.
    """

    def __init__(self, spec: BlockSpec, hosts: Sequence[str], until: float, past: Past) -> None:
        self.waiting: dict[str, Task] = {}
        self._scheduler = Scheduler(cluster_of(spec, hosts), keep_going=True, until=until)
        self._scheduler.advance(Granted(0.0, spec.running, spec.tokens))
        self._ids: dict[str, int] = {}
        self._names: list[str] = []
        self._done = {name for name, end in past.ended.items() if end.record.status == "done"}
        self._lost = (set(past.ended) | past.given) - self._done

    # ── tasks ────────────────────────────────────────────────────────────────────────────────────────────────────

    def knows(self, task: str) -> bool:
        """Whether a task was taken before, by this or an earlier incarnation."""
        return task in self._ids or task in self._done or task in self._lost

    def take(self, now: float, tasks: Sequence[Task]) -> list[Move]:
        """Take tasks; those that are known are passed over."""
        moves: list[Move] = []
        new = list({task.name: task for task in tasks if not self.knows(task.name)}.values())
        for task in new:
            self._ids[task.name] = len(self._names)
            self._names.append(task.name)
        jobs = []
        for task in new:
            lost = [name for name in task.after if name in self._lost or not self.knows(name)]
            if lost:
                moves.append(self._back(task.name, NOT_HERE))
            else:
                jobs.append(self._job(task))
                self.waiting[task.name] = task
        if jobs:
            moves += self._plan(now, jobs)
        return moves

    def _job(self, task: Task) -> SchedJob:
        return SchedJob(
            id=self._ids[task.name],
            needs=tuple(self._ids[name] for name in task.after if name in self._ids),
            need=task.need,
            priority=task.priority,
            expected=task.expected,
            group=task.group,
            limit=task.limit,
        )

    def _plan(self, now: float, jobs: Sequence[SchedJob]) -> list[Move]:
        """Hand jobs to the scheduler; where it refuses them, those to blame go back one by one."""
        try:
            return self._advance(Planned(now, tuple(jobs)))
        except ValueError as error:
            if len(jobs) == 1:
                return [self._back(self._names[jobs[0].id], str(error))]
        moves: list[Move] = []
        for job in jobs:
            if any(self._names[need] in self._lost for need in job.needs):
                moves.append(self._back(self._names[job.id], NOT_HERE))
            else:
                moves += self._plan(now, [job])
        return moves

    def have(self, tasks: Iterable[str]) -> None:
        """Know that tasks ended well; those that have not started are not run."""
        self._done.update(tasks)
        self._lost.difference_update(tasks)

    def cancel(self, now: float, tasks: Iterable[str]) -> list[Move]:
        """Tasks are not wanted any more."""
        ids = tuple(self._ids[name] for name in tasks if name in self._ids)
        return self._advance(Withdrawn(now, ids)) if ids else []

    def ended(self, now: float, task: str, *, ok: bool) -> list[Move]:
        """A running task ended."""
        (self._done if ok or task in self._done else self._lost).add(task)
        return self._advance(Ended(now, self._ids[task], ok or task in self._done, fatal=True))

    def withdrawn(self, now: float, task: str) -> list[Move]:
        """A running task was taken away: it neither ended well nor failed, and goes back."""
        self._lost.add(task)
        return self._advance(Ended(now, self._ids[task], False, fatal=True, withdrawn=True))

    # ── the block ────────────────────────────────────────────────────────────────────────────────────────────────

    def grant(self, now: float, running: int | None, tokens: Mapping[str, float]) -> list[Move]:
        """So many tasks run at once from now on, and hold so much of what all blocks share."""
        return self._advance(Granted(now, running, tokens))

    def node_gone(self, now: float, node: str, *, waited: bool) -> list[Move]:
        """A node takes no tasks, for the time being or for good."""
        return self._advance(NodeGone(now, node, waited))

    def nodes_back(self, now: float, nodes: Sequence[str]) -> list[Move]:
        """Nodes take tasks."""
        return self._advance(NodeBack(now, nodes[0], tuple(nodes[1:]))) if nodes else []

    def is_wide(self) -> bool:
        """Whether a task of several nodes waits."""
        return any(task.need.nodes > 1 for task in self.waiting.values())

    def close(self, now: float) -> list[Move]:
        """Nothing starts any more: all that waits goes back."""
        return self._advance(Closing(now))

    def tick(self, now: float) -> list[Move]:
        """Time went by: what cannot end in time any more goes back."""
        return self._advance(Tick(now))

    # ── what the scheduler wants ─────────────────────────────────────────────────────────────────────────────────

    def _advance(self, event: Event) -> list[Move]:
        moves: list[Move] = []
        events = [event]
        for step in events:
            for action in self._scheduler.advance(step):
                if isinstance(action, Start):
                    name = self._names[action.job]
                    task = self.waiting.pop(name)
                    if name in self._done:
                        events.append(Ended(step.now, action.job, True))
                    else:
                        moves.append(Place(task, action.slot))
                elif isinstance(action, Kill):
                    moves.append(End(self._names[action.job]))
                elif isinstance(action, Blocked | Impossible | TooLate | Forgotten):
                    name = self._names[action.job]
                    if name in self.waiting:  # else it ran, and what becomes of it is known where it ended
                        moves.append(self._back(name, _why(action), isinstance(action, Impossible | TooLate)))
        return moves

    def _back(self, task: str, why: str, unfit: bool = False) -> Back:
        self.waiting.pop(task, None)
        self._lost.add(task)
        return Back(task, why, unfit)


def _why(action: Blocked | Impossible | TooLate | Forgotten) -> str:
    if isinstance(action, Blocked):
        return "a job it needs failed"
    if isinstance(action, Impossible):
        return "it needs more than the nodes of this block have"
    return "it cannot end before the block does" if isinstance(action, TooLate) else NOT_HERE
