"""The books of one node of a block: which hardware threads, GPUs, bytes and counted resources of it are free."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from math import inf

from flowrules.model.events import NodeCapacity
from flowrules.schedule.room import MILLION, Grant, Shape, millionths


class Kind:
    """What nodes that are alike have in common.

    Threads are bits: bit i stands for ``cpus[i]``.

    Attributes:
        near: for each GPU the threads beside it.
        order: threads in the order in which jobs without a GPU take them: those beside no GPU, then those beside the
            last GPU, which is handed out last, and so on.
        usable: how many nodes may be used now or are expected back; ``idle``: how many of those in use are empty.
        idle_heap: negative indices of empty nodes, and of some that have been taken since.
    """

    def __init__(self, node: NodeCapacity, limits: Mapping[str, int]) -> None:
        self.cpus = node.cpus
        self.gpus = node.gpus
        self.cores = len(node.cpus)
        self.memory: float = inf if node.memory is None else node.memory
        self.custom: list[float] = [inf] * len(limits)
        for name, amount in node.limits.items():
            self.custom[limits[name]] = millionths(amount)
        self.all = (1 << self.cores) - 1
        bit = {cpu: 1 << i for i, cpu in enumerate(node.cpus)}
        self.near = [sum(bit[cpu] for cpu in set(cpus) if cpu in bit) for cpus in node.near]
        self.near += [0] * (len(node.gpus) - len(self.near))
        owned, order = 0, []
        for mask in self.near:
            order.append(mask & ~owned)
            owned |= mask
        self.order = [self.all & ~owned, *reversed(order)]
        self.usable = 0
        self.idle = 0
        self.idle_heap: list[int] = []

    def holds(self, shape: Shape) -> bool:
        """Whether an empty node has room for a job, or is enough for one of its nodes."""
        return (
            shape.cores <= self.cores
            and shape.memory <= self.memory
            and (shape.gpus or (1 if shape.share else 0)) <= len(self.gpus)
            and all(amount <= self.custom[i] for i, amount in shape.custom)
        )


class Presence(Enum):
    """Whether a node may be used."""

    UP = "up"
    WAITED = "waited"
    """Not now; it is expected back."""
    GONE = "gone"


class Node:
    """One node.

    Attributes:
        threads: free ones, as bits; ``cores``: how many.
        gpus: free millionths of each; ``whole``: how many are whole; ``room``: millionths that one job could get.
        jobs: how many run.
        closed: kept for a job that waits for whole nodes.
        lined: it has an entry in the heap of idle nodes.
    """

    __slots__ = (
        *("closed", "cores", "custom", "gpus", "jobs", "kind", "lined", "memory", "name", "presence", "room"),
        *("threads", "whole"),
    )

    def __init__(self, name: str, kind: Kind) -> None:
        self.name = name
        self.kind = kind
        self.presence = Presence.UP
        self.closed = False
        self.lined = False
        self.fill()

    def fill(self) -> None:
        """Make everything free."""
        kind = self.kind
        self.threads = kind.all
        self.cores = kind.cores
        self.memory = kind.memory
        self.custom = list(kind.custom)
        self.gpus = [MILLION] * len(kind.gpus)
        self.jobs = 0
        self.recount()

    def recount(self) -> None:
        """Derive what is known of all GPUs together from each."""
        gpus = self.gpus
        self.whole = whole = gpus.count(MILLION)
        self.room = whole * MILLION or max(gpus, default=0)

    def fits(self, shape: Shape) -> bool:
        """Whether there is room for a job that shares the node."""
        return (
            shape.cores <= self.cores
            and shape.memory <= self.memory
            and (shape.gpus * MILLION or shape.share) <= self.room
            and all([amount <= self.custom[i] for i, amount in shape.custom])
        )

    def leaves(self, shape: Shape, other: Shape) -> bool:
        """Whether a job takes nothing of what another, which waits for this node, will need."""
        if shape.cores > self.cores - other.cores or (shape.memory and shape.memory > self.memory - other.memory):
            return False
        held = dict(other.custom)
        if any(amount > self.custom[i] - held.get(i, 0) for i, amount in shape.custom):
            return False
        mine = shape.gpus or (1 if shape.share else 0)
        kept = other.gpus or (1 if other.share else 0)
        return not (mine and kept) or self.whole - mine >= kept

    def lacks(self, shape: Shape) -> float:
        """How far it is from having room for a job: the sum of the parts of it that are missing."""
        wants = [(shape.cores, self.cores), (shape.memory, self.memory)]
        wants.append((shape.gpus * MILLION or shape.share, self.room))
        wants += [(amount, self.custom[i]) for i, amount in shape.custom]
        return sum((want - has) / want for want, has in wants if want > has)

    def take(self, shape: Shape) -> tuple[tuple[int, ...], int]:
        """Occupy room that is there: which GPUs, and which threads as bits."""
        self.jobs += 1
        self.cores -= shape.cores
        self.memory -= shape.memory
        for i, amount in shape.custom:
            self.custom[i] -= amount
        gpus: tuple[int, ...] = ()
        if shape.gpus:
            gpus = tuple([g for g, free in enumerate(self.gpus) if free == MILLION][: shape.gpus])
        elif shape.share:  # the fullest that will do, so that no other is begun
            gpus = (min([(free, g) for g, free in enumerate(self.gpus) if free >= shape.share])[1],)
        for g in gpus:
            self.gpus[g] -= shape.share or MILLION
        if gpus:
            self.recount()
        threads = self._pick(shape.cores, gpus)
        self.threads &= ~threads
        return gpus, threads

    def _pick(self, count: int, gpus: tuple[int, ...]) -> int:
        """Free threads, the best first: beside the job's own GPUs, then as jobs without a GPU take them."""
        free, picked = self.threads, 0
        for mask in (*[self.kind.near[g] for g in gpus], *self.kind.order):
            here = free & mask
            found = here.bit_count()
            if found > count:
                here, found = lowest(here, count), count
            picked |= here
            free &= ~here
            count -= found
            if not count:
                break
        return picked

    def take_all(self) -> None:
        """Occupy everything for one job."""
        self.jobs = 1
        self.threads = self.cores = 0
        self.memory = 0
        self.custom = [0.0] * len(self.custom)
        self.gpus = [0] * len(self.gpus)
        self.recount()

    def give(self, grant: Grant) -> None:
        """Hand back what a job held here."""
        shape = grant.shape
        if shape.nodes:
            self.fill()
            return
        self.jobs -= 1
        self.cores += shape.cores
        self.memory += shape.memory
        for i, amount in shape.custom:
            self.custom[i] += amount
        for g in grant.gpus:
            self.gpus[g] += shape.share or MILLION
        if grant.gpus:
            self.recount()
        self.threads |= grant.threads

    def books(self) -> tuple[object, ...]:
        """All that is free, to compare."""
        return self.threads, self.cores, self.memory, self.custom, self.gpus, self.whole, self.room, self.jobs


def lowest(bits: int, count: int) -> int:
    """The lowest set bits."""
    kept = 0
    for _ in range(count):
        bit = bits & -bits
        kept |= bit
        bits ^= bit
    return kept


def positions(bits: int) -> list[int]:
    """Which bits are set, ascending."""
    found = []
    while bits:
        bit = bits & -bits
        found.append(bit.bit_length() - 1)
        bits ^= bit
    return found
