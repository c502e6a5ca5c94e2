"""The nodes of a block as its runner knows them: which are ready, and what may still run on those that are not."""

from __future__ import annotations

import os
from collections.abc import Sequence

from flowrules.app.runner_work import Work
from flowrules.execute.agentlines import node_log
from flowrules.model.agent import NodeLost, NodeReady, TaskEnded
from flowrules.record.numbered import numbers
from flowrules.record.spool_runner import QUARANTINE_SECONDS, RunnerFolder


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
        self._swept: set[str] = set()
        self._losses: dict[str, int] = {}
        self._sick: set[str] = set()
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

    def lost(self, event: NodeLost, works: Sequence[Work], now: float) -> bool:
        """A node is gone with what ran there. Whether it is worth to start its agent anew, which is so once."""
        self._ready.pop(event.node, None)
        count = self._losses[event.node] = self._losses.get(event.node, 0) + 1
        until = now if event.reaped else now + QUARANTINE_SECONDS
        for work in works:
            if work.begun is not None:
                self._orphans.setdefault(work.task.name, (work, until))
        if count > 1:
            self._sick.add(event.node)
        return count == 1

    def is_ready(self, node: str) -> bool:
        """Whether a node takes tasks."""
        return node in self._ready

    @property
    def all_sick(self) -> bool:
        """Whether no node is left."""
        return self._sick.issuperset(self.names)

    def bindable(self, node: str, cpus: Sequence[int]) -> Sequence[int]:
        """Hardware threads to bind an attempt to: none where the node does not have them all, as in an emulation."""
        ready = self._ready[node]
        return cpus if not ready.cpus or set(cpus) <= set(ready.cpus) else ()

    # ── attempts of lost nodes ───────────────────────────────────────────────────────────────────────────────────

    @property
    def orphans(self) -> Sequence[str]:
        """Attempts of lost nodes that may still run."""
        return tuple(self._orphans)

    def settled_orphans(self, now: float, node: str | None = None) -> list[Work]:
        """Attempts of lost nodes that are dead now: the quarantine is over, or ``node`` was swept."""
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

    def ended_before(self, work: Work, *, own: bool = False) -> TaskEnded | None:
        """The good end of an attempt that only the log of its node has; told once.

        Args:
            own: it was started by this incarnation; else by an earlier one.
        """
        name = work.task.name
        if own:
            return _good(self._read(self._block.incarnation, work.node)).get(name)
        started = self._questions.pop(name, None)
        if started is None:
            return None
        if self._said is None:
            self._said = {}
            for run in numbers(f"{self._block.path}/runs"):
                if run < self._block.incarnation:
                    for node in sorted({s.node for s in self._block.past.started.values()}):
                        self._said.update(_good(self._read(run, node)))
        ended = self._said.get(name)
        if ended is not None:
            work.node = work.record.host = started.node
            work.record.gpus = list(started.gpus)
        return ended

    def _read(self, run: int, node: str) -> list[TaskEnded]:
        path = f"{self._block.path}/runs/{run:02d}/node-{node}.log"
        folder, name = os.path.split(path)
        if name not in os.listdir(folder):
            return []
        with open(path, "rb") as file:
            return node_log(file.read(), node, self._block.spec.nonce)


def _good(ends: Sequence[TaskEnded]) -> dict[str, TaskEnded]:
    return {end.task: end for end in ends if end.exit == 0 and not end.killed}
