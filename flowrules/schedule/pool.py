"""What a machine has to give and what of it is taken: cores, memory, GPUs by name, and counted resources."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from heapq import heappop, heappush
from math import inf

from flowrules.model.events import Capacity, Need, Slot
from flowrules.schedule.room import MILLION, Grant, Shape, millionths, shape_of


class Pool:
    """The free part of a machine, a `Room`."""

    def __init__(self, capacity: Capacity) -> None:
        self.capacity = capacity
        self.size = self.cores = capacity.cores
        self.ahead = 0
        self.memory: float = inf if capacity.memory is None else capacity.memory
        self._limits = {name: i for i, name in enumerate(sorted(capacity.limits))}
        self.custom = [millionths(capacity.limits[name]) for name in sorted(capacity.limits)]
        self.gpus = _Gpus(len(capacity.gpus))
        self._kept: Shape | None = None
        self._slots: dict[int, Slot] = {}  # those without GPUs, by their cores

    def shape(self, need: Need) -> Shape:
        shape = shape_of(need, self._limits)
        limits = self.capacity.limits
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
        return shape

    def possible(self, shape: Shape) -> bool:
        """Always: a machine stays as it is, and what exceeds it has no shape."""
        return True

    def keep(self, shape: Shape | None) -> None:
        self._kept = shape

    def is_rival(self, shape: Shape, waiting: Shape) -> bool:
        return True

    def fits(self, shape: Shape) -> bool:
        reserved = self._kept
        if reserved is None or reserved == shape:
            gpus = shape.gpus or shape.share
            return (
                (shape.cores <= self.cores or (shape.cores == 1 and not gpus and self.cores + self.ahead >= 1))
                and shape.memory <= self.memory
                and (not gpus or self.gpus.fits(shape.gpus, shape.share))
                and (not shape.custom or all(amount <= self.custom[i] for i, amount in shape.custom))
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
        self.cores -= shape.cores
        self.memory -= shape.memory
        for i, amount in shape.custom:
            self.custom[i] -= amount
        if not (shape.gpus or shape.share):
            slot = self._slots.get(shape.cores) or self._slots.setdefault(shape.cores, Slot(shape.cores))
            return Grant(shape), slot
        gpus = self.gpus.take(shape.gpus, shape.share)
        return Grant(shape, gpus), Slot(shape.cores, tuple(self.capacity.gpus[i] for i in gpus))

    def give(self, grant: Grant) -> None:
        shape = grant.shape
        self.cores += shape.cores
        self.memory += shape.memory
        for i, amount in shape.custom:
            self.custom[i] += amount
        for gpu in grant.gpus:
            self.gpus.give(gpu, shape.share or MILLION)

    def gone(self, node: str, waited: bool) -> None:
        raise ValueError(f"one machine has no node {node}")

    def back(self, node: str) -> None:
        raise ValueError(f"one machine has no node {node}")

    def check(self, grants: Iterable[Grant]) -> None:
        full = Pool(self.capacity)
        for grant in grants:
            full.cores -= grant.shape.cores
            full.memory -= grant.shape.memory
            for i, amount in grant.shape.custom:
                full.custom[i] -= amount
            for gpu in grant.gpus:
                full.gpus.free[gpu] -= grant.shape.share or MILLION
        mine = (self.cores, self.memory, self.custom, self.gpus.free)
        assert mine == (full.cores, full.memory, full.custom, full.gpus.free)
        assert min([0, self.memory, *self.custom, *self.gpus.free]) == 0


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
