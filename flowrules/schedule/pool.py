"""What a machine has to give and what of it is taken: cores, memory, GPUs by name, and counted resources.

Amounts are whole numbers inside, so that a million additions and subtractions come out even: shares of a GPU and custom
resources are counted in millionths.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass
from heapq import heappop, heappush
from math import ceil, inf
from typing import Final

from flowrules.model.events import Capacity, Need, Slot

MILLION: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Shape:
    """A `Need` in the pool's numbers.

    Attributes:
        gpus: whole GPUs; ``share``: millionths of one that is shared. At most one of them is not 0.
        custom: index of a limited resource, and millionths of it.
    """

    cores: int
    memory: int
    gpus: int = 0
    share: int = 0
    custom: tuple[tuple[int, int], ...] = ()


@dataclass(slots=True)
class Grant:
    """What a running job holds: its shape, and which GPUs."""

    shape: Shape
    gpus: tuple[int, ...] = ()


class Pool:
    """The free part of a capacity."""

    def __init__(self, capacity: Capacity) -> None:
        self.capacity = capacity
        self.cores = capacity.cores
        self.memory: float = inf if capacity.memory is None else capacity.memory
        self._limits = {name: i for i, name in enumerate(sorted(capacity.limits))}
        self.custom = [_millionths(capacity.limits[name]) for name in sorted(capacity.limits)]
        self.gpus = _Gpus(len(capacity.gpus))

    def shape(self, need: Need) -> Shape:
        """A need in the pool's numbers. More than one GPU and a part of another counts as whole ones.

        Raises:
            ValueError: the need makes no sense, or exceeds the capacity outright.
        """
        custom = tuple(
            (self._limits[name], _millionths(amount)) for name, amount in need.custom if name in self._limits
        )
        gpus, share = (0, _millionths(need.gpus)) if need.gpus < 1 else (ceil(need.gpus), 0)
        shape = Shape(need.cores, need.memory, gpus, share, custom)
        self._check(need, shape)
        return shape

    def _check(self, need: Need, shape: Shape) -> None:
        limits = self.capacity.limits
        if need.cores < 1 or need.memory < 0 or need.gpus < 0 or any(amount < 0 for _, amount in need.custom):
            raise ValueError(f"a need has at least one core and nothing negative: {need}")
        over = []
        if shape.cores > self.capacity.cores:
            over.append(f"{shape.cores} cores of {self.capacity.cores}")
        if self.capacity.memory is not None and shape.memory > self.capacity.memory:
            over.append(f"{shape.memory} bytes of {self.capacity.memory}")
        if max(shape.gpus, shape.share > 0) > len(self.capacity.gpus):
            over.append(f"{need.gpus:g} GPUs of {len(self.capacity.gpus)}")
        over += [f"{a:g} {name} of {limits[name]:g}" for name, a in need.custom if name in limits and a > limits[name]]
        if over:
            raise ValueError(f"a need exceeds the capacity: {', '.join(over)}")

    def fits(self, shape: Shape, reserved: Shape | None = None) -> bool:
        """Whether there is room now, with as much left over as ``reserved`` needs of what both use."""
        if reserved is None:
            return (
                shape.cores <= self.cores
                and shape.memory <= self.memory
                and (not (shape.gpus or shape.share) or self.gpus.fits(shape.gpus, shape.share))
                and all(amount <= self.custom[i] for i, amount in shape.custom)
            )
        if shape.cores > self.cores - reserved.cores:
            return False
        if shape.memory and shape.memory > self.memory - reserved.memory:
            return False
        held = dict(reserved.custom)
        if any(amount > self.custom[i] - held.get(i, 0) for i, amount in shape.custom):
            return False
        if not (shape.gpus or shape.share):
            return True
        kept = reserved.gpus or (1 if reserved.share else 0)
        left = self.gpus.whole - max(shape.gpus, 1)
        return self.gpus.fits(shape.gpus, shape.share) and (not kept or left >= kept)

    def take(self, shape: Shape) -> tuple[Grant, Slot]:
        """Occupy room that is there."""
        self.cores -= shape.cores
        self.memory -= shape.memory
        for i, amount in shape.custom:
            self.custom[i] -= amount
        gpus = self.gpus.take(shape.gpus, shape.share) if shape.gpus or shape.share else ()
        return Grant(shape, gpus), Slot(shape.cores, tuple(self.capacity.gpus[i] for i in gpus))

    def give(self, grant: Grant) -> None:
        """Hand back what a job held."""
        shape = grant.shape
        self.cores += shape.cores
        self.memory += shape.memory
        for i, amount in shape.custom:
            self.custom[i] += amount
        for gpu in grant.gpus:
            self.gpus.give(gpu, shape.share or MILLION)

    def is_whole(self) -> bool:
        """Whether nothing is taken."""
        full = Pool(self.capacity)
        mine = (self.cores, self.memory, self.custom, self.gpus.free)
        return mine == (full.cores, full.memory, full.custom, full.gpus.free)


class _Gpus:
    """Shares of indexed GPUs. Shared ones are filled up before a free one is begun; lower indices go first."""

    def __init__(self, count: int) -> None:
        self.free = [MILLION] * count
        self.whole = count
        self._levels = [MILLION] if count else []  # amounts that some GPU has free, sorted, none of them 0
        self._counts = {MILLION: count}
        self._heaps: dict[int, list[int]] = {MILLION: list(range(count))}  # may hold GPUs that have moved on

    def fits(self, gpus: int, share: int) -> bool:
        return gpus <= self.whole and (not share or (bool(self._levels) and share <= self._levels[-1]))

    def take(self, gpus: int, share: int) -> tuple[int, ...]:
        if gpus:
            return tuple([self._take_one(MILLION, MILLION) for _ in range(gpus)])
        level = self._levels[bisect_left(self._levels, share)]
        return (self._take_one(level, share),)

    def _take_one(self, level: int, amount: int) -> int:
        heap = self._heaps[level]
        while self.free[heap[0]] != level:
            heappop(heap)
        gpu = heap[0]
        self._move(gpu, level, level - amount)
        return gpu

    def give(self, gpu: int, amount: int) -> None:
        self._move(gpu, self.free[gpu], self.free[gpu] + amount)

    def _move(self, gpu: int, before: int, after: int) -> None:
        self.free[gpu] = after
        self.whole += (after == MILLION) - (before == MILLION)
        if before:
            self._counts[before] -= 1
            if not self._counts[before]:
                del self._counts[before], self._heaps[before], self._levels[bisect_left(self._levels, before)]
        if after:
            if after not in self._counts:
                self._counts[after] = 0
                self._heaps[after] = []
                insort(self._levels, after)
            self._counts[after] += 1
            heappush(self._heaps[after], gpu)


def _millionths(amount: float) -> int:
    """A fraction rounded down, so that six sixths fit one whole."""
    return int(amount * MILLION + 1e-3)
