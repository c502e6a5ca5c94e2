"""Jobs that wait to be handed over, in order; those that wait for the same shared resources line up together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from heapq import heappop, heappush
from typing import Final, TypeAlias

from flowrules.schedule.room import Amounts

Entry: TypeAlias = tuple[float, float, int]
"""Negative priority, negative rank, id: the least goes first."""

LOOK: Final = 64
"""So many jobs of a line that find no block are looked at, one after another."""


class Ready:
    """Lines of jobs, one for each combination of shared resources: who waits for a licence holds nobody else up."""

    def __init__(self) -> None:
        self._lines: dict[Amounts, list[Entry]] = {}
        self._aside: list[tuple[Amounts, Entry]] = []
        self._passed: Counter[Amounts] = Counter()

    def push(self, wants: Amounts, entry: Entry) -> None:
        heappush(self._lines.setdefault(wants, []), entry)

    def __iter__(self) -> Iterator[tuple[Amounts, int]]:
        """What they share and ids, in no order; some are not ready any more, or stand there twice."""
        return ((wants, entry[2]) for wants, line in self._lines.items() for entry in line)

    def in_order(self) -> Iterator[int]:
        """Take jobs, the first of all lines each time; those set aside meanwhile are back when it ends."""
        while True:
            heads = [(line[0], wants) for wants, line in self._lines.items() if line and self._passed[wants] < LOOK]
            if not heads:
                break
            self._now = min(heads)[::-1]
            heappop(self._lines[self._now[0]])
            yield self._now[1][2]
        for wants, entry in self._aside:
            heappush(self._lines[wants], entry)
        self._aside.clear()
        self._passed.clear()

    def set_aside(self) -> None:
        """The job that was taken last found no block."""
        self._aside.append(self._now)
        self._passed[self._now[0]] += 1
