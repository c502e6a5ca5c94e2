"""Jobs that could be handed to a block, the longest way to the end first, looked at by likeness and not one by one.

Jobs that last about as long and are about as much work wait in one line, so that one that finds no block holds up
those like it and no others; and to see that nothing finds a block takes a look at each line, not at each job.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from math import log2
from typing import Final, TypeAlias

from flowrules.schedule.room import Amounts

Entry: TypeAlias = tuple[float, float, int]
"""Negative priority, negative rank, id: the least goes first."""

Likeness: TypeAlias = tuple[int, int, int, frozenset[str], Amounts]

BESIDE: Final[Likeness] = (0, 0, -1, frozenset(), ())
"""Jobs that run beside the driver, and share nothing."""


@dataclass(slots=True)
class _Line:
    """Jobs that are alike; `shown` is the one that stands for them among the heads."""

    heap: list[Entry] = field(default_factory=list)
    shown: Entry | None = None


class Backlog:
    """Jobs that may be handed over."""

    def __init__(self) -> None:
        self._lines: dict[Likeness, _Line] = {}
        self._heads: list[tuple[Entry, Likeness]] = []

    def add(self, entry: Entry, likeness: Likeness) -> None:
        """Line a job up."""
        line = self._lines.get(likeness)
        if line is None:
            line = self._lines[likeness] = _Line()
        heappush(line.heap, entry)
        self._show(line, likeness)

    def _show(self, line: _Line, likeness: Likeness) -> None:
        """Let the first of a line stand for it; a line without jobs goes."""
        if not line.heap:
            self._lines.pop(likeness, None)
        elif line.heap[0] is not line.shown:
            line.shown = line.heap[0]
            heappush(self._heads, (line.shown, likeness))

    def hand_out(self, hand: Callable[[int], bool]) -> None:
        """Offer jobs in their order; where one is not taken, neither are those behind it in its line.

        Args:
            hand: takes a job, or says that it finds no place. It may line up further ones.
        """
        aside: list[tuple[Entry, Likeness]] = []
        while self._heads:
            head = heappop(self._heads)
            entry, likeness = head
            line = self._lines.get(likeness)
            if line is None or line.shown is not entry:
                continue
            heappop(line.heap)
            if hand(entry[2]):
                self._show(line, likeness)
            else:
                heappush(line.heap, entry)
                aside.append(head)
        for head in aside:
            heappush(self._heads, head)

    def heads(self) -> Iterator[int]:
        """The first job of each line."""
        return (line.heap[0][2] for line in self._lines.values())


def likeness(seconds: float, work: float, nodes: int, but: Iterable[str], wants: Amounts = ()) -> Likeness:
    """What jobs have in common: about these seconds and node-seconds, so many whole nodes, blocks they are not for, and
    what they take of resources that all share."""
    return _step(seconds), _step(work), nodes, frozenset(but), wants


def _step(amount: float) -> int:
    """Steps of a fifth."""
    return int(4 * log2(amount)) if amount > 0 else -9999
