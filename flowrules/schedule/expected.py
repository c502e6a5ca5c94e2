"""How long jobs are expected to take, by what the record says of their rules and by what the rules declare."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import sqrt
from typing import Final

from flowrules.model.record import Timing

LEAST: Final = 1e-3
"""Seconds that any job takes."""

UNKNOWN: Final = 1.0
"""Seconds of a job of which nothing is known."""

ENOUGH: Final = 8
"""So many records of a rule are needed before sizes of inputs say anything of its times."""

SPREAD: Final = 2.0
"""And the largest inputs have to be so many times the smallest."""

SUPPORT: Final = 0.8
"""And the correlation of sizes and times has to be as good as this."""


class Expected:
    """What jobs of each rule are expected to take that have never run themselves.

    Where walltimes are declared, jobs of a rule keep the order that these give them, and the record says how much of
    its walltime a job of the rule takes. Where they are all the same, or none are, a rule whose times have followed the
    sizes of its inputs goes on doing so, and any other takes what it took on average.

    Args:
        timings: attempts that succeeded.
    """

    def __init__(self, timings: Iterable[Timing]) -> None:
        by_rule: dict[str, list[Timing]] = {}
        for timing in timings:
            by_rule.setdefault(timing.rule, []).append(timing)
        self._rules = {rule: _Rule(known) for rule, known in by_rule.items()}

    def knows(self, rule: str) -> bool:
        """Whether the record says anything of a rule."""
        return rule in self._rules

    def wants_size(self, rule: str) -> bool:
        """Whether the size of a job's inputs says how long it takes."""
        known = self._rules.get(rule)
        return known is not None and known.line is not None

    def seconds(self, rule: str, declared: float | None, size: int | None = None) -> float:
        """What a job is expected to take.

        Args:
            declared: its walltime in seconds, None without one.
            size: bytes of all its inputs; None where they are not known.
        """
        known = self._rules.get(rule)
        if known is None:
            return max(UNKNOWN if declared is None else declared, LEAST)
        return max(known.seconds(declared, size), LEAST)


class _Rule:
    """What is known of one rule.

    Attributes:
        mean: seconds on average; line: seconds without inputs and for each byte, where times follow sizes.
        ratio: the part of a declared walltime that is taken; None where none was declared.
        declared: the walltime that all declared; None where they differ.
    """

    __slots__ = ("declared", "least", "line", "mean", "ratio")

    def __init__(self, timings: Sequence[Timing]) -> None:
        self.mean = sum([t.seconds for t in timings]) / len(timings)
        self.least = min([t.seconds for t in timings])
        self.line = _line(timings)
        limited = [(t.seconds, t.declared) for t in timings if t.declared]
        total = sum([declared for _, declared in limited])
        self.ratio = sum([seconds for seconds, _ in limited]) / total if limited else None
        self.declared = limited[0][1] if len({declared for _, declared in limited}) == 1 else None

    def seconds(self, declared: float | None, size: int | None) -> float:
        if self.ratio is not None and declared is not None and declared != self.declared:
            return self.ratio * declared
        if self.line is not None and size is not None:
            return max(self.line[0] + self.line[1] * size, self.least)
        return self.mean if self.ratio is None or declared is None else self.ratio * declared


def _line(timings: Sequence[Timing]) -> tuple[float, float] | None:
    """The line through times over sizes, least squares; None where it is not well supported."""
    sizes = [float(t.size) for t in timings]
    if len(timings) < ENOUGH or max(sizes) < SPREAD * max(min(sizes), 1.0):
        return None
    count = len(timings)
    middle, mean = sum(sizes) / count, sum([t.seconds for t in timings]) / count
    both = sum([(size - middle) * (t.seconds - mean) for size, t in zip(sizes, timings, strict=True)])
    across = sum([(size - middle) ** 2 for size in sizes])
    up = sum([(t.seconds - mean) ** 2 for t in timings])
    if not up or both / sqrt(across * up) < SUPPORT:
        return None
    slope = both / across
    return mean - slope * middle, slope
