"""Ready jobs in the order in which they should start, looked at by shape and not one by one.

Jobs of equal resources share one heap, and only the first of each heap is compared and tried. A job that finds no room
is passed over by later ones that do, but not for ever: after `patience` of them room is kept for it.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import Final, TypeAlias

from flowrules.schedule.room import Room, Shape
from flowrules.schedule.states import READY, Jobs

Entry: TypeAlias = tuple[float, float, int, int]
"""Negative priority, negative rank, 0 where the job's group has begun (else 1), id: the least goes first."""

_Head: TypeAlias = tuple[Entry, int, int]  # with the index of the line, and its version

LOOK: Final = 32
"""How many shapes without room are passed over in one search."""


class _Line:
    """Ready jobs of one shape.

    Attributes:
        passed: how many jobs that come after its first have started while that found no room.
        version: how often the job that stands for it has changed.
    """

    __slots__ = ("heap", "index", "passed", "shape", "version")

    def __init__(self, index: int, shape: Shape) -> None:
        self.index = index
        self.shape = shape
        self.heap: list[Entry] = []
        self.passed = 0
        self.version = 0


class Queue:
    """Ready jobs.

    Args:
        patience: how often a job may be passed over before room is kept for it.

    Attributes:
        looks: how many lines were ever looked at; what a growth test counts.
    """

    def __init__(self, jobs: Jobs, pool: Room, patience: int) -> None:
        self._jobs = jobs
        self._pool = pool
        self._patience = patience
        self._lines: list[_Line] = []
        self._by_shape: dict[Shape, int] = {}
        self._heads: list[_Head] = []  # the first entry of each line; those of old versions are dropped when met
        self._reserved: _Line | None = None
        self._groups: dict[str, int] = {}
        self._begun: list[bool] = []
        self._members: list[list[int]] = []
        self.looks = 0

    def line_of(self, shape: Shape) -> int:
        """The index under which jobs of a shape line up."""
        index = self._by_shape.get(shape)
        if index is None:
            index = self._by_shape[shape] = len(self._lines)
            self._lines.append(_Line(index, shape))
        return index

    def shape(self, line: int) -> Shape:
        return self._lines[line].shape

    @property
    def shapes(self) -> int:
        """How many shapes were ever seen."""
        return len(self._lines)

    def group_of(self, label: str) -> int:
        """The index of a group."""
        index = self._groups.get(label)
        if index is None:
            index = self._groups[label] = len(self._begun)
            self._begun.append(False)
            self._members.append([])
        return index

    def add(self, job: int) -> None:
        """Line a ready job up."""
        jobs = self._jobs
        group = jobs.group[job]
        later = 1
        if group >= 0:
            if self._begun[group]:
                later = 0
            else:
                self._members[group].append(job)
        self._push(job, later)

    def _push(self, job: int, later: int) -> None:
        jobs = self._jobs
        line = self._lines[jobs.shape[job]]
        entry = (-jobs.priority[job], -jobs.rank[job], later, job)
        heappush(line.heap, entry)
        if line.heap[0] is entry:
            self._show(line)

    def begin_group(self, job: int) -> None:
        """The group of a job that starts has begun: its other ready jobs move forward."""
        group = self._jobs.group[job]
        if group < 0 or self._begun[group]:
            return
        self._begun[group] = True
        members, self._members[group] = self._members[group], []
        for member in members:
            if member != job and self._jobs.state(member) is READY:
                self._push(member, 0)

    def pop(self) -> int | None:
        """The job to start next, taken from its line; None where no ready job finds room."""
        reserved = self._reserved
        if reserved is not None:
            if not self._has_jobs(reserved):
                self._reserve(None)
            elif self._pool.fits(reserved.shape):
                return self._take(reserved)
        aside: list[_Head] = []
        found: int | None = None
        while self._heads and len(aside) < LOOK:
            head = heappop(self._heads)
            line = self._lines[head[1]]
            if head[2] != line.version:
                continue
            if not self._is_valid(head[0], line.index):
                self._show(line)
                continue
            self.looks += 1
            if self._pool.fits(line.shape):
                self._pass_over(aside, line.shape)
                found = self._take(line)
                break
            aside.append(head)
        for head in aside:
            heappush(self._heads, head)
        if len(self._heads) > 4 * len(self._lines) + LOOK:
            self._forget_old_heads()
        return found

    def _take(self, line: _Line) -> int:
        line.passed = 0
        if self._reserved is line:
            self._reserve(None)
        self._has_jobs(line)
        job = heappop(line.heap)[3]
        self._show(line)
        return job

    def _pass_over(self, aside: list[_Head], shape: Shape) -> None:
        """A job of a shape starts before those set aside, which should have gone first."""
        for _, index, _ in aside:
            line = self._lines[index]
            if not self._pool.is_rival(shape, line.shape):
                continue
            line.passed += 1
            if line.passed >= self._patience and self._reserved is None:
                self._reserve(line)

    def _reserve(self, line: _Line | None) -> None:
        """Keep room for the first job of a line."""
        self._reserved = line
        self._pool.keep(None if line is None else line.shape)

    def _show(self, line: _Line) -> None:
        """Let the first job of a line stand for it, and nothing that did before."""
        line.version += 1
        if self._has_jobs(line):
            heappush(self._heads, (line.heap[0], line.index, line.version))

    def _has_jobs(self, line: _Line) -> bool:
        """Whether any job is left, once those that are no longer ready or have moved are dropped from the front."""
        heap = line.heap
        while heap and not self._is_valid(heap[0], line.index):
            heappop(heap)
        return bool(heap)

    def _is_valid(self, entry: Entry, line: int) -> bool:
        job = entry[3]
        jobs = self._jobs
        if jobs.state(job) is not READY or jobs.shape[job] != line:
            return False
        group = jobs.group[job]
        return group < 0 or entry[2] == (0 if self._begun[group] else 1)

    def _forget_old_heads(self) -> None:
        self._heads = [head for head in self._heads if head[2] == self._lines[head[1]].version]
        heapify(self._heads)

    def ready(self) -> list[int]:
        """Ids of the jobs that line up, for tests."""
        return sorted({e[3] for line in self._lines for e in line.heap if self._is_valid(e, line.index)})
