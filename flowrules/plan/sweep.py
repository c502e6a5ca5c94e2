"""Finds all that targets are made from in strides, rule by rule, where nothing is out of the ordinary.

One of the hot paths of planning: what is done here for a path or a job is done by few calls for thousands of them. The
sweep gives up, and leaves everything as it was, where it would have to decide anything: a file that is missing, inputs
that cannot be computed or wait for a checkpoint, rules that need one another in a circle. `Resolution` then walks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from flowrules.errors import FlowfileError
from flowrules.model.job import Job
from flowrules.plan.descent import PATH_LIMIT

if TYPE_CHECKING:
    from flowrules.plan.resolve import Resolution

VIABLE, LACKING = 1, 2
"""Values of `Job.mark`: all inputs can be had, or not."""


class Sweeper:
    """Sweeps, and remembers which rules need files of which, so that a circle among them is seen.

    Args:
        rules: how many there are.

    Attributes:
        rivals: whether there are paths that several rules can make.
    """

    def __init__(self, rules: int) -> None:
        self.rivals = False
        self._needs: list[set[int]] = [set() for _ in range(rules)]

    def sweep(self, found: Resolution, paths: Sequence[str], user: int | None) -> bool:
        """Explores all that new paths could be made from; every job that is found can run.

        Args:
            found: what was found before; grows where the sweep comes to an end.
            user: number of the rule that asks; None for the call.

        Returns:
            False where it gave up.
        """
        meter = found.world.meter
        left = meter.left
        sweep = _Sweep(found, self._needs)
        try:
            done = sweep.run(paths, user)
        except (FlowfileError, _GiveUp):
            done = False
        if not done:
            meter.left = left
            return False
        sweep.keep()
        self.rivals = self.rivals or sweep.rivals
        return True


class _GiveUp(Exception):
    """Something is out of the ordinary."""


class Jobs:
    """The candidates of one rule by their wildcard values; looked up by these only where there is need."""

    __slots__ = ("_by_values", "_waiting")

    def __init__(self) -> None:
        self._by_values: dict[tuple[str, ...], Job] = {}
        self._waiting: list[tuple[Sequence[tuple[str, ...]], Sequence[Job]]] = []

    def add(self, many: Sequence[tuple[str, ...]], jobs: Sequence[Job]) -> None:
        """These values have these jobs."""
        self._waiting.append((many, jobs))

    def take(self, others: Jobs) -> None:
        """The jobs of others too."""
        self._by_values.update(others._by_values)
        self._waiting += others._waiting

    def get(self, values: tuple[str, ...]) -> Job | None:
        """The job for wildcard values, if there is one."""
        return self._known().get(values)

    def __iter__(self) -> Iterator[Job]:
        return iter(self._known().values())

    def __bool__(self) -> bool:
        return bool(self._by_values or self._waiting)

    def _known(self) -> dict[tuple[str, ...], Job]:
        for many, jobs in self._waiting:
            self._by_values.update(zip(many, jobs, strict=True))
        self._waiting.clear()
        return self._by_values


class _Sweep:
    def __init__(self, found: Resolution, needs: list[set[int]]) -> None:
        self._found = found
        self._needs = needs
        self._makers: dict[str, tuple[Job, ...]] = {}
        self._jobs: dict[int, Jobs] = {}
        self._count = 0
        self.rivals = False

    def keep(self) -> None:
        """Adds what was found to the resolution."""
        found = self._found
        if found.makers:
            found.makers.update(self._makers)
        else:
            found.makers = self._makers
        for rule, jobs in self._jobs.items():
            found.jobs[rule].take(jobs)
        found.descent.can_run(self._count)

    def run(self, paths: Sequence[str], user: int | None) -> bool:
        """Wave after wave: who makes these paths, and what do the makers need?"""
        wave: list[tuple[int | None, Sequence[str]]] = [(user, paths)]
        while wave:
            fresh: list[Job] = []
            for asking, wanted in wave:
                before = None if asking is None else len(self._needs[asking])
                fresh += self._makers_of(asking, wanted)
                if asking is not None and before != len(self._needs[asking]) and self._circular(asking):
                    return False
            wave = self._next(fresh)
        return True

    def _next(self, jobs: Iterable[Job]) -> list[tuple[int | None, Sequence[str]]]:
        """The inputs of new jobs, by the rule that asks for them; a list that many jobs share is taken once."""
        lists: dict[int, dict[int, tuple[str, ...]]] = {}
        for job in jobs:
            rule = job.rule.index
            if rule not in lists:
                lists[rule] = {}
            inputs = job.inputs
            if inputs:
                lists[rule][id(inputs)] = inputs
        return [(rule, list(dict.fromkeys(chain.from_iterable(of_rule.values())))) for rule, of_rule in lists.items()]

    def _makers_of(self, user: int | None, paths: Sequence[str]) -> list[Job]:
        """Finds who makes these paths. Returns the jobs that are new."""
        found, makers = self._found, self._makers
        known, lacking = found.makers, found.lacking
        needs = set() if user is None else self._needs[user]
        fresh_paths = []
        for path in paths:
            if path in makers:
                jobs = makers[path]
            elif path in known:
                jobs = known[path]
                if path in lacking:
                    raise _GiveUp
            else:
                fresh_paths.append(path)
                continue
            for job in jobs:
                needs.add(job.rule.index)
        if len(max(fresh_paths, key=len, default="")) > PATH_LIMIT:
            raise _GiveUp
        alone, several, nobody = found.index.assign(fresh_paths)
        stat = found.files.stat
        for path in nobody:
            if stat(path) is None:
                raise _GiveUp
            makers[path] = ()
        fresh: list[Job] = []
        for rule, (wanted, values) in alone.items():
            needs.add(rule)
            jobs_of = self._make(rule, values, fresh)
            makers.update(zip(wanted, zip(jobs_of), strict=True))
        for path, candidates in several.items():
            self.rivals = True
            needs.update(rule.index for rule, _ in candidates)
            makers[path] = tuple(self._make(rule.index, (one,), fresh)[0] for rule, one in candidates)
        return fresh

    def _make(self, rule: int, values: Sequence[tuple[str, ...]], fresh: list[Job]) -> Sequence[Job]:
        """The jobs of a rule for wildcard values; those that were not made yet are added to ``fresh``."""
        known, jobs = self._found.jobs[rule], self._jobs.setdefault(rule, Jobs())
        once = dict.fromkeys(values)
        missing: Sequence[tuple[str, ...]]
        if known or jobs:
            missing = [one for one in once if jobs.get(one) is None and known.get(one) is None]
        else:
            missing = values if len(once) == len(values) else list(once)
        made: list[Job] = []
        if missing:
            made = self._found.make_all(rule, missing) or []
            if not made:
                raise _GiveUp
            for job in made:
                job.mark = VIABLE
            jobs.add(missing, made)
            fresh += made
            self._count += len(made)
        if len(made) == len(values):
            return made
        return [jobs.get(one) or known.get(one) for one in values]  # type: ignore[misc]

    def _circular(self, rule: int) -> bool:
        """Whether a rule needs, by way of others, files of itself: then jobs may, or ask for more and more."""
        seen: set[int] = set()
        stack = list(self._needs[rule])
        while stack:
            below = stack.pop()
            if below == rule:
                return True
            if below not in seen:
                seen.add(below)
                stack += self._needs[below]
        return False
