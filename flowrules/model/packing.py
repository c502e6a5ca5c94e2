"""How jobs would be packed into blocks: what a dry run shows and what the driver asks the batch system for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class Unfit(Enum):
    """Why a job is in no block."""

    NODE = "node"
    """It needs more than a node has, or more nodes than a block."""
    WALLTIME = "walltime"
    """It takes longer than a block may last."""
    NEEDS = "needs"
    """It needs a job that is in no block."""


@dataclass(frozen=True, slots=True)
class Span:
    """One job in a block: seconds since the block's start, on which of its nodes (from 0), and how much of each.

    The share is 1 divided by how many such jobs fit one node.

    Attributes:
        gpus: names of its GPUs, the same on each of its nodes; threads: hardware threads, of all its nodes together.
    """

    job: int
    start: float
    end: float
    nodes: tuple[int, ...]
    share: float
    gpus: tuple[str, ...] = ()
    threads: int = 0


@dataclass(frozen=True, slots=True)
class PackedBlock:
    """One block.

    Attributes:
        wave: blocks of one wave run at once; the next wave begins when they are over.
        walltime: seconds to ask for; makespan: seconds the jobs are expected to take.
        busy: percent of the nodes' slots that are expected to be busy over the makespan.
        spans: its jobs, by start.
    """

    wave: int
    nodes: int
    walltime: float
    makespan: float
    busy: float
    spans: tuple[Span, ...]

    @property
    def jobs(self) -> tuple[int, ...]:
        """Ids, in the order in which they start."""
        return tuple([span.job for span in self.spans])

    @property
    def node_hours(self) -> float:
        """What it is expected to cost; ``asked_hours``: at most."""
        return self.nodes * self.makespan / 3600

    @property
    def asked_hours(self) -> float:
        return self.nodes * self.walltime / 3600

    def picture(self, width: int) -> tuple[tuple[float, ...], ...]:
        """For each node its busy share, 0 to 1, in ``width`` equal parts of the makespan: one line of a picture."""
        step = self.makespan / width if self.makespan else 1.0
        lines = [[0.0] * width for _ in range(self.nodes)]
        for span in self.spans:
            first = min(int(span.start / step), width - 1)
            last = min(int(span.end / step), width - 1)
            for part in range(first, last + 1):
                inside = min(span.end, (part + 1) * step) - max(span.start, part * step)
                for node in span.nodes:
                    lines[node][part] += span.share * max(inside, 0.0) / step
        return tuple([tuple([min(value, 1.0) for value in line]) for line in lines])


@dataclass(frozen=True, slots=True)
class Packing:
    """All blocks.

    Attributes:
        per_node: how many jobs of this mix fit one node at once, on average.
        nodes: how many nodes are worth having at once, all blocks together.
        unfit: jobs that are in no block, and why.
    """

    blocks: tuple[PackedBlock, ...] = ()
    per_node: float = 0.0
    nodes: int = 0
    unfit: Mapping[int, Unfit] = field(default_factory=dict)

    @property
    def makespan(self) -> float:
        """Seconds from the first start to the last end, queue waits apart."""
        waves: dict[int, float] = {}
        for block in self.blocks:
            waves[block.wave] = max(waves.get(block.wave, 0.0), block.makespan)
        return sum(waves.values())

    @property
    def node_hours(self) -> float:
        return sum(block.node_hours for block in self.blocks)
