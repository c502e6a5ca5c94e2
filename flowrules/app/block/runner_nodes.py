"""The nodes of a block as its runner knows them: which are ready, and what may still run on those that are not."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import replace

from flowrules.app.block.runner_work import Work, draft_of
from flowrules.app.block.salvage import good_ends
from flowrules.execute.launchers import numbers
from flowrules.model.agent import NodeLost, NodeReady, TaskEnded
from flowrules.model.block import Task
from flowrules.model.events import Slot
from flowrules.record.spool_runner import QUARANTINE_SECONDS, RunnerFolder

GATHER_SECONDS = 30.0
"""For how long at most the first nodes wait for the others where tasks need several."""


class Nodes:
    """Which node is ready, lost or sick, and which attempts are in question.

    An attempt is in question where an earlier incarnation started it and nobody wrote its end: it may still run until
    its node was swept by this incarnation's agent, or the quarantine is over.

    Args:
        quarantine_ends: when attempts of earlier incarnations are dead wherever they ran, monotonic seconds.

    Attributes:
        names: of all nodes, the first is this one.
    """

    def __init__(self, block: RunnerFolder, names: Sequence[str], quarantine_ends: float) -> None:
        self.names = tuple(names)
        self._block = block
        self._quarantine_ends = quarantine_ends
        self._ready: dict[str, NodeReady] = {}
        self._new: list[str] = []
        self._gather_until = 0.0
        self._swept: set[str] = set()
        self._losses: dict[str, int] = {}
        self._sick: set[str] = set()
        self._taken: dict[str, set[int]] = {name: set() for name in names}
        self._orphans: dict[str, tuple[Work, float]] = {}
        past = block.past
        self._questions = {
            name: started for name, started in past.started.items() if name not in past.ended and name not in past.given
        }
        self._said: dict[str, TaskEnded] | None = None

    # ── nodes ────────────────────────────────────────────────────────────────────────────────────────────────────

    def ready(self, event: NodeReady) -> None:
        """A node takes tasks; its agent has made sure that nothing older runs there."""
        self._ready[event.node] = event
        self._swept.add(event.node)
        if event.node not in self._sick:
            self._new.append(event.node)

    def usable(self, now: float, is_wide: Callable[[], bool]) -> list[str]:
        """Nodes that got ready and may be given tasks from now on.

        Where a task of several nodes waits (``is_wide``), nodes are used when all of them have answered, or after a
        while: taken as they come, each would be given to a small task that should have gone later.
        """
        if not self._new:
            return []
        self._gather_until = self._gather_until or now + GATHER_SECONDS
        answered = self._swept.union(self._losses)
        if now < self._gather_until and not answered.issuperset(self.names) and is_wide():
            return []
        new, self._new = self._new, []
        return new

    def lost(self, event: NodeLost, works: Sequence[Work], now: float) -> bool:
        """A node is gone with what ran there. Whether it is worth to start its agent anew, which is so once."""
        self._ready.pop(event.node, None)
        self._new = [node for node in self._new if node != event.node]
        count = self._losses[event.node] = self._losses.get(event.node, 0) + 1
        until = now if event.reaped else now + QUARANTINE_SECONDS
        for work in works:
            if work.node == event.node and work.begun is not None and not work.ended:
                self._orphans.setdefault(work.task.name, (work, until))
        again = count == 1 and event.node not in self._sick
        if count > 1:
            self._sick.add(event.node)
        return again

    def give_up(self, node: str, keep: int) -> bool:
        """Use a node no more whose agent lives, where so many others are left. Whether that is new."""
        if node in self._sick or not self.has_others(node, keep):
            return False
        self._sick.add(node)
        self._new = [other for other in self._new if other != node]
        return True

    def has_others(self, node: str, keep: int = 1) -> bool:
        """Whether so many nodes beside this one are not given up."""
        return len(self._sick.union([node])) + keep <= len(self.names)

    def is_sick(self, node: str) -> bool:
        """Whether a node is used no more."""
        return node in self._sick

    @property
    def all_sick(self) -> bool:
        """Whether no node is left."""
        return self._sick.issuperset(self.names)

    # ── attempts ─────────────────────────────────────────────────────────────────────────────────────────────────

    def work(self, task: Task, slot: Slot, until: float) -> Work:
        """An attempt that has its slot; it has the lowest number that no other on its node has."""
        node = slot.nodes[0]
        taken = self._taken[node]
        number = next(n for n in range(len(taken) + 1) if n not in taken)
        taken.add(number)
        return Work(task, slot, node, number, draft_of(task, slot, node), until)

    def leave(self, work: Work) -> None:
        """An attempt is over, its number is free."""
        self._taken[work.slot.nodes[0]].discard(work.number)

    def is_ready(self, work: Work) -> bool:
        """Whether the nodes of an attempt take tasks."""
        return all(node in self._ready for node in work.slot.nodes)

    def bindable(self, work: Work) -> Sequence[int]:
        """Hardware threads to bind an attempt to: none where its node lacks some, as in an emulation."""
        there = self._ready[work.node].cpus
        return work.slot.cpus if not there or set(work.slot.cpus) <= set(there) else ()

    # ── attempts of lost nodes ───────────────────────────────────────────────────────────────────────────────────

    @property
    def orphans(self) -> Set[str]:
        """Attempts of lost nodes that may still run."""
        return self._orphans.keys()

    def settled_orphans(self, now: float, node: str = "") -> list[Work]:
        """Attempts of lost nodes that are dead now: the quarantine is over, or their node is ``node``, which was swept.

        What ended well before was told before.
        """
        found = [work for work, until in self._orphans.values() if now >= until or work.node == node]
        for work in found:
            del self._orphans[work.task.name]
        return found

    def forget(self, work: Work) -> None:
        """An attempt ended after all."""
        self._orphans.pop(work.task.name, None)

    # ── attempts of earlier incarnations ─────────────────────────────────────────────────────────────────────────

    def is_in_question(self, task: str, now: float) -> bool:
        """Whether an attempt of an earlier incarnation may still run."""
        started = self._questions.get(task)
        return started is not None and started.node not in self._swept and now < self._quarantine_ends

    def has_questions(self, now: float) -> bool:
        """Whether any attempt of an earlier incarnation may still run."""
        return any(self.is_in_question(task, now) for task in self._questions)

    def has_said(self, task: str) -> bool:
        """Whether an earlier incarnation started a task and did not say how it ended."""
        return task in self._questions

    def ended_before(self, work: Work) -> TaskEnded | None:
        """The good end of an attempt of an earlier incarnation that only the log of its node has; told once."""
        started = self._questions.pop(work.task.name)
        if self._said is None:
            nodes = {said.node for said in self._block.past.started.values()}
            self._said = good_ends(self._block.path, self._block.spec.nonce, nodes, before=self._block.incarnation)
        ended = self._said.get(work.task.name)
        if ended is not None:
            work.node = work.record.host = started.node
            work.record.gpus = list(started.gpus)
            work.slot = replace(work.slot, gpus=started.gpus, cpus=numbers(started.cpus))
        return ended
