"""The blocks a campaign has, as amounts: nodes, time left, and how much work each was handed.

Work is counted in node-seconds, and what jobs occupy at once in nodes: a job that takes a quarter of a node for a
minute is 15 node-seconds, and occupies 0.25.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from math import ceil, inf
from typing import Final

from flowrules.model.block import usable
from flowrules.model.dispatch import BlockBegan, BlockClosing, BlockKnown, BlockOver, BlockPlan
from flowrules.model.events import Need
from flowrules.model.profile import BlockShape, NodeShape
from flowrules.schedule.shares import Place

FILLED: Final = 0.95
"""Part of the node-seconds of a block that it is handed: jobs never fit without a gap."""

AHEAD: Final = 0.75
"""Part of its share of all work that a block is handed at once where there are several: the rest evens them out."""

DEPTH: Final = 2.0
"""How many times what runs at once a block always holds, so that it never waits for the driver."""


def share_of(need: Need, node: NodeShape) -> float:
    """Nodes that a job occupies: the largest share of any resource of a node, or its whole nodes."""
    if need.nodes:
        return float(need.nodes)
    shares = [need.cores / max(1, node.cpus - len(node.reserved))]
    if node.mem:
        shares.append(need.memory / node.mem)
    if node.gpus:
        shares.append(need.gpus / len(node.gpus))
    shares += [amount / node.resources[name] for name, amount in need.custom if node.resources.get(name)]
    return min(1.0, max(shares))


@dataclass(slots=True)
class Block:
    """One block.

    Attributes:
        running: at most so many jobs at once; None: as many as fit.
        until: when it ends, once it has begun; None while it waits in a queue.
        work, nodes_held, jobs: what it holds: node-seconds, nodes, and how many.
        usable: seconds of its walltime for jobs; reserve: those after them.
    """

    name: str
    plan: BlockPlan
    running: int | None = None
    until: float | None = None
    closing: bool = False
    work: float = 0.0
    nodes_held: float = 0.0
    jobs: int = 0
    usable: float = field(init=False)
    reserve: float = field(init=False)

    def __post_init__(self) -> None:
        self.usable = usable(self.plan.walltime)
        self.reserve = self.plan.walltime - self.usable

    def seconds_left(self, now: float) -> float:
        """Walltime in which jobs may still run; all of it for a block that has not begun."""
        left = self.usable if self.until is None else self.until - self.reserve - now
        return left if left > 0.0 else 0.0


class Blocks:
    """All blocks that are not over.

    Args:
        shape: how many there may be.
        max_jobs: most jobs at once in all of them together.
    """

    def __init__(self, shape: BlockShape, max_jobs: int | None) -> None:
        self._shape = shape
        self._max_jobs = max_jobs
        self._blocks: dict[str, Block] = {}
        self._asked: list[tuple[BlockPlan, int | None]] = []
        self._now = 0.0  # of this round, as the following
        self._each: float | None = None  # node-seconds for each node of a block; None for a single one
        self._hungry: list[Block] = []
        self._nodes: int | None = None  # of all that may be handed jobs, 0 for a single block; None: to be counted

    def heed(self, event: BlockKnown | BlockBegan | BlockClosing | BlockOver) -> None:
        """Learn of a block."""
        self._nodes = None
        if isinstance(event, BlockKnown):
            self._forget_asked(event.plan)
            self._blocks[event.block] = Block(event.block, event.plan, event.running)
        elif event.block not in self._blocks:
            raise ValueError(f"there is no block `{event.block}`")
        elif isinstance(event, BlockBegan):
            self._blocks[event.block].until = event.until
        elif isinstance(event, BlockClosing):
            self._blocks[event.block].closing = True
        else:
            del self._blocks[event.block]

    def refused(self, plan: BlockPlan) -> None:
        """A block that was asked for will not come."""
        self._nodes = None
        self._forget_asked(plan)

    def _forget_asked(self, plan: BlockPlan) -> None:
        at = next((i for i, (asked, _) in enumerate(self._asked) if asked == plan), None)
        if at is not None:
            del self._asked[at]

    def readers(self) -> list[str]:
        """Blocks that still read what they are told."""
        return [block.name for block in self._blocks.values() if not block.closing]

    def places(self) -> list[Place]:
        """Blocks that work and are not closing."""
        return [
            Place(block.name, block.plan.nodes, inf if block.running is None else block.running)
            for block in self._blocks.values()
            if not block.closing and block.until is not None
        ]

    def running_of(self, name: str) -> int | None:
        """Most jobs at once of a block."""
        return self._blocks[name].running

    # ── what they hold ───────────────────────────────────────────────────────────────────────────────────────

    def add(self, name: str, work: float, share: float) -> None:
        """A block was handed a job."""
        block = self._blocks[name]
        block.work += work
        block.nodes_held += share
        block.jobs += 1

    def remove(self, name: str, work: float, share: float) -> None:
        """A job has left a block; one that is over is forgotten already."""
        block = self._blocks.get(name)
        if block is not None:
            block.work -= work
            block.nodes_held -= share
            block.jobs -= 1

    def takes(self, name: str, work: float, share: float, expected: float, now: float) -> bool:
        """Whether a job may be handed to a block: it has time for it, and enough nodes."""
        block = self._blocks.get(name)
        return block is not None and self._takes(block, work, share, expected, now)

    def _takes(self, block: Block, work: float, share: float, expected: float, now: float) -> bool:
        left = block.seconds_left(now)
        if block.closing or share > block.plan.nodes or expected > left:
            return False
        return not block.jobs or block.work + work <= block.plan.nodes * left * FILLED

    def any_takes(self, work: float, share: float, expected: float, now: float, but: Collection[str]) -> bool:
        """Whether a job may be handed to any block that is not one of ``but``."""
        return any(name not in but and self.takes(name, work, share, expected, now) for name in self._blocks)

    def could_take(self, share: float, expected: float) -> bool:
        """Whether a job would fit an empty block, of those that may be asked for or there are."""
        if share <= self._shape.nodes and expected <= usable(self._shape.walltime):
            return True
        return any(share <= block.plan.nodes and expected <= block.usable for block in self._blocks.values())

    # ── who is handed what ───────────────────────────────────────────────────────────────────────────────────

    def begin_round(self, now: float, left: float) -> bool:
        """Look which blocks may be handed anything, however little; whether there are such. `emptiest` asks only them.

        Args:
            left: node-seconds of all jobs that have not ended. Where there are several blocks, each is handed at most
                the part `AHEAD` of its share of it, so that the last jobs go to whoever is done first; one that has
                not begun, and may wait for long, only what it runs at once, and as much again.
        """
        self._now = now
        if self._nodes is None:
            sizes = [block.plan.nodes for block in self._blocks.values() if not block.closing]
            sizes += [plan.nodes for plan, _ in self._asked]
            self._nodes = sum(sizes) if len(sizes) > 1 else 0
        self._each = AHEAD * left / self._nodes if self._nodes else None
        self._hungry = [block for block in self._blocks.values() if self._wants(block, 0.0, 0.0, 0.0)]
        return bool(self._hungry)

    def emptiest(self, work: float, share: float, expected: float, but: Collection[str]) -> str | None:
        """The block with the least to do for its size that may be handed a job in this round, none of ``but``."""
        best: Block | None = None
        least = inf
        for block in self._hungry:
            load = block.work / block.plan.nodes
            if load < least and block.name not in but and self._wants(block, work, share, expected):
                best, least = block, load
        return None if best is None else best.name

    def wants(self, name: str, work: float, share: float, expected: float) -> bool:
        """Whether a block that may be handed a job does not hold its part yet, in this round."""
        block = self._blocks.get(name)
        return block is not None and self._wants(block, work, share, expected)

    def _wants(self, block: Block, work: float, share: float, expected: float) -> bool:
        if not self._takes(block, work, share, expected, self._now):
            return False
        each = self._each
        if each is None or not block.jobs or (not self._asked and block.nodes_held < DEPTH * block.plan.nodes):
            return True
        return block.until is not None and block.work + work <= each * block.plan.nodes

    # ── how many there are ───────────────────────────────────────────────────────────────────────────────────

    def wanted(self, plans: Sequence[BlockPlan]) -> Iterator[tuple[BlockPlan, int | None]]:
        """Of blocks that would be of use those that may be asked for, each with its part of the most jobs at once."""
        plans = plans[: self._shape.max - len(self._blocks) - len(self._asked)]
        left = self._ungranted()
        for at, plan in enumerate(plans):
            running = None if left is None else -(-left // (len(plans) - at))
            if running == 0:
                return
            left = None if left is None or running is None else left - running
            self._asked.append((plan, running))
            self._nodes = None
            yield plan, running

    def _ungranted(self) -> int | None:
        if self._max_jobs is None:
            return None
        granted = [block.running for block in self._blocks.values()] + [running for _, running in self._asked]
        return max(0, self._max_jobs - sum(running or 0 for running in granted))

    @property
    def may_grow(self) -> bool:
        """Whether one more block may be asked for."""
        return len(self._blocks) + len(self._asked) < self._shape.max and self._ungranted() != 0

    @property
    def are_asked(self) -> bool:
        """Whether a block is on its way."""
        return bool(self._asked)

    def grants(self) -> Iterator[tuple[str, int]]:
        """Raises of blocks, where others have ended and left their part of the most jobs at once.

        Blocks of an earlier driver that was allowed more are lowered, each to its part of what there is now.
        """
        takers = [block for block in self._blocks.values() if not block.closing]
        if self._max_jobs is None or self._asked or not takers:
            return
        left = self._max_jobs - sum(inf if block.running is None else block.running for block in self._blocks.values())
        lower = left < 0
        if lower:
            left = self._max_jobs - sum(block.running or 0 for block in self._blocks.values() if block.closing)
        for at, block in enumerate(takers):
            more = max(0, ceil(left / (len(takers) - at)))
            left -= more
            was = block.running
            if lower:
                block.running = max(1, more)  # with nothing its jobs would wait for ever
            elif was is not None:
                block.running = was + more
            if block.running is not None and block.running != was:
                yield block.name, block.running

    def end(self, *, idle: bool) -> Iterator[str]:
        """Blocks that are not closing yet, of those that hold nothing or of all; they are from then on."""
        for block in self._blocks.values():
            if not block.closing and not (idle and block.jobs):
                block.closing = True
                self._nodes = None
                yield block.name

    def any_idle(self) -> bool:
        """Whether a block that is not closing holds nothing."""
        return any(not block.jobs and not block.closing for block in self._blocks.values())

    def any_open(self) -> bool:
        """Whether there is a block that may be handed jobs, or one on its way."""
        return bool(self._asked) or any(not block.closing for block in self._blocks.values())
