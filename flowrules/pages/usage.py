"""What attempts used, over time and by rule: an axis without pauses, curves as steps, and sums with distributions."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import log10
from typing import Final, NamedTuple

from flowrules.model.record import Record

PAUSE: Final = 300.0
"""Seconds in which nothing runs after which time stands still on the axis."""

BINS: Final = 24
"""Parts of a distribution."""

Steps = list[tuple[float, float]]
"""A curve that changes in steps: times in seconds on the axis, and the value from then on."""


class Axis:
    """Time while something ran: pauses of more than `PAUSE` seconds are left out.

    Attributes:
        length: seconds; pauses: how long each pause was, in order; start: seconds since the epoch.
    """

    def __init__(self, spans: Iterable[tuple[float, float]]) -> None:
        starts: list[float] = []
        self._until: list[float] = []
        for begin, end in sorted(spans):
            if starts and begin <= self._until[-1] + PAUSE:
                self._until[-1] = max(self._until[-1], end)
            else:
                starts.append(begin)
                self._until.append(end)
        self._starts = starts
        lengths = [end - begin for begin, end in zip(starts, self._until, strict=True)]
        self._offsets = [0.0, *accumulate(lengths)]
        self.length = self._offsets[-1]
        self.start = starts[0] if starts else 0.0
        self.pauses = [begin - end for begin, end in zip(starts[1:], self._until, strict=False)]

    def at(self, time: float) -> float:
        """The place of a time (seconds since the epoch) on the axis."""
        part = max(bisect_right(self._starts, time) - 1, 0)
        if not self._starts:
            return 0.0
        inside = min(max(time, self._starts[part]), self._until[part]) - self._starts[part]
        return min(self._offsets[part] + inside, self._offsets[part + 1])


def level(changes: Iterable[tuple[float, float]]) -> Steps:
    """A sum over time from its changes (time, by how much), one step for each time."""
    steps: Steps = []
    value = 0.0
    for time, change in sorted(changes):
        value += change
        if steps and steps[-1][0] == time:
            steps[-1] = (time, value)
        else:
            steps.append((time, value))
    return steps


def area(steps: Steps, until: float) -> float:
    """The integral of a curve from its first step to a time."""
    total = 0.0
    for (time, value), (after, _) in zip(steps, [*steps[1:], (until, 0.0)], strict=True):
        total += value * max(0.0, min(after, until) - time)
    return total


def thinned(steps: Steps, most: int, length: float) -> Steps:
    """A curve with at most about so many steps: of each part of the axis the highest and the last."""
    if len(steps) <= most or not length:
        return steps
    parts = most // 2
    kept: dict[int, list[tuple[float, float]]] = {}
    for step in steps:
        part = min(int(step[0] / length * parts), parts - 1)
        known = kept.setdefault(part, [step, step])
        if step[1] > known[0][1]:
            known[0] = step
        known[1] = step
    return [step for part in sorted(kept) for step in sorted(set(kept[part]))]


class RuleUse(NamedTuple):
    """What the attempts of one rule took.

    Attributes:
        done, failed: attempts; seconds: of wall time of each that ended well, sorted.
        cpu: seconds of all attempts together; wall: seconds of them times their threads.
        memory: peak bytes of the largest; 0 where it was not measured.
        wasted: seconds of attempts that did not end well.
    """

    rule: str
    done: int
    failed: int
    seconds: list[float]
    cpu: float
    wall: float
    memory: int
    wasted: float

    @property
    def total(self) -> float:
        """Seconds of the attempts that ended well."""
        return sum(self.seconds)

    def quantile(self, part: float) -> float:
        """The time that this part of the attempts did not exceed."""
        if not self.seconds:
            return 0.0
        return self.seconds[min(int(part * len(self.seconds)), len(self.seconds) - 1)]


def by_rule(records: Iterable[Record]) -> list[RuleUse]:
    """One row a rule, in the order in which their first attempts ended."""
    found: dict[str, list[Record]] = {}
    for record in records:
        if record.status != "touched":
            found.setdefault(record.rule, []).append(record)
    rows = []
    for rule, attempts in found.items():
        well = [record for record in attempts if record.status == "done"]
        rows.append(
            RuleUse(
                rule,
                len(well),
                sum(record.status == "failed" for record in attempts),
                sorted(record.elapsed for record in well),
                sum(record.cpu for record in attempts),
                sum(record.elapsed * record.threads for record in attempts),
                max(record.memory for record in attempts),
                sum(record.elapsed for record in attempts if record.status != "done"),
            )
        )
    return rows


@dataclass(frozen=True, slots=True)
class Spread:
    """A distribution of positive times: how many are in each of `BINS` parts, and where the parts begin and end.

    The parts are equally wide by the logarithm where the times span more than a factor of twenty.
    """

    counts: tuple[int, ...]
    least: float
    most: float
    logarithmic: bool


def spread(seconds: Sequence[float]) -> Spread | None:
    """The distribution of some times; None for fewer than two that differ."""
    if len(seconds) < 2 or min(seconds) == max(seconds):
        return None
    least, most = max(min(seconds), 1e-3), max(seconds)
    logarithmic = most > 20 * least
    low, high = (log10(least), log10(most)) if logarithmic else (min(seconds), most)
    counts = [0] * BINS
    for value in seconds:
        at = log10(max(value, least)) if logarithmic else value
        counts[min(int((at - low) / (high - low) * BINS), BINS - 1) if high > low else 0] += 1
    return Spread(tuple(counts), min(seconds), most, logarithmic)
