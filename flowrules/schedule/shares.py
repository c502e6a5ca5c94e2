"""Limits that hold over a whole campaign: how much of each resource blocks, and jobs beside the driver, may hold.

A block is given its share together with the tasks it is handed. It never holds more than its share, nor more than all
tasks it was handed need together, and the driver counts the lesser of both as taken: what a block cannot use any more
is free at once, without a word to its runner, which is told of the lower share before it is handed more. A task is
handed over where the share suffices for it, so a block can do all it holds by itself, whatever becomes of the driver.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Final

from flowrules.model.dispatch import LOCAL
from flowrules.model.events import Need
from flowrules.schedule.room import MILLION, Amounts, millionths

AHEAD: Final = 30.0
"""Seconds of work beyond what runs at once that a block is handed: it does not wait for the driver, and a share that is
wanted elsewhere is soon free."""

DEPTH: Final = 2
"""Times its share that a block may be handed in any case, however long jobs take."""


@dataclass(slots=True)
class _Held:
    """What a block, or the driver, holds of one resource, in millionths.

    Attributes:
        amount: of all its jobs together; most: of one of them.
        nodes, work, jobs: what these occupy, the resource times seconds, and how many they are.
        share: most at once; inf where its runner knows no limit.
        lowered: the share was lowered below what may run there: no more is handed over before that has ended.
    """

    amount: int = 0
    most: int = 0
    nodes: float = 0.0
    work: float = 0.0
    jobs: int = 0
    share: float = 0
    lowered: float | None = None

    @property
    def taken(self) -> float:
        """What it may hold at this moment."""
        return min(self.share, self.amount)


@dataclass(frozen=True, slots=True)
class Place:
    """A block that may be handed jobs: its nodes, and most jobs at once (inf: as many as fit)."""

    name: str
    nodes: int
    running: float = inf


@dataclass(slots=True)
class _Block:
    """What a block holds, and the shares its runner was told last."""

    told: dict[str, float]
    held: dict[str, _Held] = field(default_factory=dict)


class Shares:
    """The shares of all blocks.

    Args:
        limits: of the campaign, by name.
    """

    def __init__(self, limits: Mapping[str, float]) -> None:
        self._limits = {name: millionths(most) for name, most in limits.items()}
        self._blocks: dict[str, _Block] = {}
        self._wanted: set[str] = set()
        self.know(LOCAL, {})

    def wants(self, amounts: Amounts) -> Amounts:
        """What of a job's needs is limited."""
        return tuple([(name, amount) for name, amount in amounts if name in self._limits]) if self._limits else ()

    def know(self, block: str, told: Mapping[str, float]) -> None:
        """There is a block; ``told``: the shares it was granted last."""
        known = _Block({name: millionths(most) for name, most in told.items()})
        for name in self._limits:
            known.held[name] = _Held(share=known.told.get(name, inf))
        self._blocks[block] = known

    def forget(self, block: str) -> None:
        """A block is over, and all it held was taken back."""
        self._blocks.pop(block, None)

    # ── what is held ─────────────────────────────────────────────────────────────────────────────────────────

    def adopt(self, block: str, wants: Amounts, nodes: float, expected: float) -> None:
        """A block holds a job already, within the share it has."""
        known = self._blocks.get(block)
        for name, amount in wants if known is not None else ():
            assert known is not None
            held = known.held[name]
            held.amount += amount
            held.most = max(held.most, amount)
            held.nodes += nodes
            held.work += amount * expected
            held.jobs += 1

    def hand(self, place: Place, wants: Amounts, nodes: float, expected: float) -> None:
        """A block is handed a job for which `takes` said yes, and with it the share for that."""
        for name, amount in wants:
            share = self._share(place, name, amount, nodes)
            self._blocks[place.name].held[name].share = share
        self.adopt(place.name, wants, nodes, expected)

    def remove(self, block: str, wants: Amounts, nodes: float, expected: float) -> None:
        """A job has left its block; a share that it leaves unused is free."""
        known = self._blocks.get(block)
        for name, amount in wants if known is not None else ():
            assert known is not None
            held = known.held[name]
            held.amount -= amount
            held.nodes -= nodes
            held.work -= amount * expected
            held.jobs -= 1
            held.share = held.taken
            if not held.jobs:
                held.most, held.nodes, held.work = 0, 0.0, 0.0
            if held.lowered is not None and held.amount <= held.lowered:
                held.lowered = None

    # ── what may be handed over ──────────────────────────────────────────────────────────────────────────────

    def begin(self) -> None:
        """Jobs are handed over from here on, in their order."""
        self._wanted.clear()

    def takes(self, place: Place, wants: Amounts, nodes: float) -> bool:
        """Whether a block may be handed a job: it can run it, and has not far more to do than it has a share for."""
        for name, amount in wants:
            held = self._blocks[place.name].held[name]
            share = self._share(place, name, amount, nodes)
            if name in self._wanted or held.lowered is not None or share < amount:
                return False
            # what is ahead is counted without this job: a large one would else wait behind small ones for ever
            ahead = held.amount >= DEPTH * share and held.work >= AHEAD * share
            if held.amount + amount > share and (ahead or place.name == LOCAL):
                return False
        return True

    def _share(self, place: Place, name: str, amount: int, nodes: float) -> float:
        """What a block's share would be with one more job: as much as is free and it can use at once."""
        held = self._blocks[place.name].held[name]
        total = held.amount + amount
        use = min(total, max(amount, _usable(place, total, held.nodes + nodes, held.jobs + 1)))
        return max(held.taken, min(use, held.taken + self._free(name)))

    def _free(self, name: str) -> float:
        return max(0.0, self._limits[name] - sum(block.held[name].taken for block in self._blocks.values()))

    def refuse(self, wants: Amounts, places: Iterable[Place]) -> None:
        """A job found no place. If none has a share for it, jobs behind it are not handed what it waits for."""
        if not any(all(self._can_run(place, name, amount) for name, amount in wants) for place in places):
            self._wanted.update(name for name, _ in wants)

    def _can_run(self, place: Place, name: str, amount: int) -> bool:
        own = 0.0 if place.name == LOCAL else self._blocks[place.name].held[name].taken
        return own + self._free(name) >= amount

    def is_short(self, wants: Amounts) -> bool:
        """Whether a job waits for others to end: no further block would help it."""
        return any(self._free(name) < amount for name, amount in wants)

    # ── what runners are told ────────────────────────────────────────────────────────────────────────────────

    def grants(self, places: Iterable[Place], readers: Iterable[str]) -> Iterator[str]:
        """Blocks that have to be told of their shares before they are handed what was handed since.

        Args:
            places: that may be given more; readers: all that still read what they are told.
        """
        there = list(places)
        for name in self._limits:
            self._lower(name)
            if name not in self._wanted:
                self._raise(name, there)
        for block in readers:
            known = self._blocks[block]
            told = {name: self._to_tell(known, name) for name in self._limits}
            if told != known.told:
                known.told = told
                yield block

    def told(self, block: str) -> dict[str, float]:
        """The shares of a block as its runner is to know them."""
        return {name: share / MILLION for name, share in self._blocks[block].told.items()}

    def none(self) -> dict[str, float]:
        """The shares of a block that is new."""
        return dict.fromkeys(self._limits, 0.0)

    def _to_tell(self, block: _Block, name: str) -> float:
        """What a runner was told stands as long as it cannot use more than its share."""
        held, told = block.held[name], block.told.get(name, inf)
        if held.lowered is not None:
            return held.lowered
        if told == inf or told < held.taken or held.amount > held.taken:
            return held.taken
        return told

    def _raise(self, name: str, places: Iterable[Place]) -> None:
        """Give what is free to blocks that have more to do than their share allows, the shortest of it first."""
        free = self._free(name)
        for place in sorted(places, key=lambda place: self._blocks[place.name].held[name].share):
            held = self._blocks[place.name].held[name]
            if held.lowered is None and free > 0 and held.amount > held.taken:
                use = min(held.amount, _usable(place, held.amount, held.nodes, held.jobs))
                more = min(free, max(0.0, use - held.taken))
                held.share = held.taken + more
                free -= more

    def _lower(self, name: str) -> None:
        """Blocks of an earlier driver with a higher limit, or none, keep as much as their largest job needs."""
        left: float = self._limits[name]
        if sum(block.held[name].taken for block in self._blocks.values()) <= left:
            return
        for block in self._blocks.values():
            held = block.held[name]
            kept = min(held.taken, max(held.most, left))
            left -= kept
            if kept < held.taken and (held.lowered is None or kept < held.lowered):
                held.lowered = kept


def _usable(place: Place, amount: int, nodes: float, jobs: int) -> float:
    """How much of what its jobs need a block can use at once, by its nodes and its part of the most jobs at once."""
    return amount * min(1.0, place.nodes / nodes if nodes else 1.0, place.running / jobs if jobs else 1.0)


def split(limits: Mapping[str, float], blocks: Sequence[Sequence[Need]]) -> list[dict[str, float]]:
    """Shares of blocks that run at the same time and have no driver; they stay as they are.

    Each has as much as its largest job needs, then more of that size the more it has to do; nothing where none is left.
    """
    found: list[dict[str, float]] = [{} for _ in blocks]
    for name, limit in limits.items():
        wanted = [[millionths(dict(need.custom).get(name, 0)) for need in needs] for needs in blocks]
        total, most = [sum(amounts) for amounts in wanted], [max(amounts, default=0) for amounts in wanted]
        shares, left = [0] * len(blocks), millionths(limit)
        while able := [i for i, one in enumerate(most) if one and one <= left and shares[i] < total[i]]:
            first = max(able, key=lambda i: (not shares[i], total[i] - shares[i], -i))
            shares[first] += most[first]
            left -= most[first]
        for i, share in enumerate(shares):
            found[i][name] = share / MILLION
    return found
