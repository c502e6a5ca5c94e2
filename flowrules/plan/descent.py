"""Keeps the walk from a file to what it could be made from finite: rules that ask for ever longer paths, or for ever.

Nothing here depends on how fast the machine is: what is set aside is always the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Final

from flowrules.errors import Diagnostic, FlowfileError, Related
from flowrules.model.job import Job
from flowrules.model.rule import Rule

GROWTH_LIMIT: Final = 20
"""How often in a row a rule may ask itself for a longer path before it is set aside."""

MIXED_LIMIT: Final = 2
"""How often a rule may come back for a longer path where other rules stand between."""

DEPTH_LIMIT: Final = 50_000
"""How many rules may ask one another in a row."""

PATH_LIMIT: Final = 4096
"""Longest path that is looked for, as on Linux."""

WINDOW: Final = 64
"""How many steps back a rule is looked for."""

MOST_DEAD_ENDS: Final = 50_000
"""How many paths that rules came to ask for again and again may lead nowhere, before the search is given up."""

PER_JOB: Final = 200
"""How many of them are allowed for each job that can run."""

AGAIN: Final = 20
"""How often a rule must have come back for its dead ends to count."""


class Descent:
    """The paths that are being looked into, outermost first.

    Args:
        rules: how many there are.

    Attributes:
        endless: paths that were set aside, with the rule that asked for them once more.
        longer: those of them that were set aside because paths became longer and longer.
    """

    def __init__(self, rules: int) -> None:
        self.endless: dict[str, Rule] = {}
        self.longer: set[str] = set()
        self._chain: list[tuple[str, Job | None]] = []
        self._open = [0] * rules
        self._lost: dict[int, Rule] = {}
        self._dead_ends = self._viable = 0

    # ── going down ───────────────────────────────────────────────────────────────────────────────────────────────

    def enter(self, path: str, parent: Job | None, jobs: Sequence[Job]) -> None:
        """A path, asked for by a job, is looked into: what its candidates need comes next."""
        self._chain.append((path, parent))
        for job in jobs:
            self._open[job.rule.index] += 1

    def leave(self, jobs: Sequence[Job]) -> None:
        """All that the candidates of the innermost path need has been looked into."""
        self._chain.pop()
        for job in jobs:
            self._open[job.rule.index] -= 1

    def allows(self, path: str, parent: Job | None, rule: Rule) -> bool:
        """Whether a rule is a candidate for a path that a job asks for, however often it was one on the way here."""
        if parent is None or not self._open[rule.index]:
            return True
        if len(self._chain) >= DEPTH_LIMIT:
            self.endless[path] = rule
            return False
        if self._comes_back_longer(path, parent, rule):
            self.endless[path] = rule
            self.longer.add(path)
            return False
        return True

    def too_long(self, path: str, parent: Job | None) -> bool:
        """Whether a path is longer than any file's."""
        if len(path) <= PATH_LIMIT:
            return False
        if parent is not None:
            self.endless[path] = parent.rule
            self.longer.add(path)
        return True

    def _comes_back_longer(self, path: str, parent: Job, rule: Rule) -> bool:
        shortest, count = len(path), 0
        between = mixed = False
        job: Job | None = parent
        for made, asker in islice(reversed(self._chain), WINDOW):
            if job is None:
                break
            if job.rule is not rule:
                between = True
            elif len(made) >= shortest:
                break
            else:
                shortest, count, mixed = len(made), count + 1, mixed or between
            job = asker
        return count >= (MIXED_LIMIT if mixed else GROWTH_LIMIT)

    # ── coming back ──────────────────────────────────────────────────────────────────────────────────────────────

    def can_run(self, jobs: int) -> None:
        """So many jobs were found whose inputs can be had."""
        self._viable += jobs

    def dead_end(self, path: str, parent: Job | None) -> None:
        """There is no such file and no candidate for it.

        Raises:
            FlowfileError: there are so many of them that it makes no sense to go on.
        """
        if parent is None or (path not in self.endless and self._open[parent.rule.index] < AGAIN):
            return
        self._lost[parent.rule.index] = parent.rule
        self._dead_ends += 1 + len(path) // 64
        if self._dead_ends > MOST_DEAD_ENDS + PER_JOB * self._viable:
            raise self._gave_up()

    def _gave_up(self) -> FlowfileError:
        """Rules ask one another for more and more files, in ever new combinations."""
        rules = [self._lost[index] for index in sorted(self._lost)]
        names = ", ".join(f"`{rule.name}`" for rule in rules[:6]) + (" and others" if len(rules) > 6 else "")
        message = (
            f"rules {names} ask one another for ever more files"
            if len(rules) > 1
            else (f"rule {names} asks itself for ever more files")
        )
        related = tuple(Related(f"rule `{rule.name}` is one of them", rule.span) for rule in rules[1:6])
        hint = "constrain their wildcards, so that what one asks for is nothing that another makes"
        return FlowfileError([Diagnostic("F505", message, rules[0].span, hint, related)])
