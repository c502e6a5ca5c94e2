"""Targets to jobs: finds every rule that could make a path, and sets aside what cannot be had.

A file *can be had* if it exists or some rule's inputs can all be had; what needs itself cannot. Where nothing is out of
the ordinary, a sweep (`plan/sweep.py`) finds everything in a few strides. Else the walk is depth first with an explicit
stack, so that each candidate is judged when all its inputs have been; only where it meets a path that is still being
judged (a circle) are the candidates judged again by counting, in time linear in their inputs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from flowrules.errors import Diagnostic, FlowfileError, Related
from flowrules.expr.world import World
from flowrules.model.job import Job
from flowrules.model.rule import Rule
from flowrules.plan.command import Commands
from flowrules.plan.descent import Descent
from flowrules.plan.index import RuleIndex
from flowrules.plan.later import Later
from flowrules.plan.recipe import STEPS_PER_JOB, Recipe
from flowrules.plan.sweep import LACKING, VIABLE, Jobs, Sweeper
from flowrules.ports import FileView

MOST_KNOTTED = 2_000
"""How many files may need one another where several rules could make each."""


class Resolution:
    """Who could make each path that the targets lead to, and which of these can be had.

    Attributes:
        makers: the candidates for each path that was explored; none for a source.
        lacking: the paths among them that cannot be had.
        jobs: every candidate, by the number of its rule and its wildcard values.
        broken: why candidates have no inputs.
        ever_circular: whether files were met that need themselves.
    """

    def __init__(
        self, index: RuleIndex, rules: Sequence[Rule], world: World, files: FileView, commands: Commands
    ) -> None:
        self.index = index
        self.files = files
        self.world = world
        self.recipes = [Recipe(rule, world) for rule in rules]
        self._later = Later(rules, commands)
        self._sweeper: Sweeper | None = Sweeper(len(rules))
        self.makers: dict[str, tuple[Job, ...]] = {}
        self.lacking: set[str] = set()
        self.jobs: list[Jobs] = [Jobs() for _ in rules]
        self.broken: dict[tuple[int, tuple[str, ...]], FlowfileError] = {}
        self.descent = Descent(len(rules))
        self.knot_of: dict[str, frozenset[str]] = {}
        self._excluded: set[tuple[str, int]] = set()
        self._judging: set[str] = set()
        self._circular = self.ever_circular = False

    def want(self, paths: Iterable[str], user: int | None = None) -> None:
        """Explores everything these paths could be made from; ``user`` is the number of a rule that asks for them."""
        fresh = [path for path in dict.fromkeys(paths) if path not in self.makers]
        if fresh and not (self._sweeper is not None and self._sweeper.sweep(self, fresh, user)):
            self._sweeper = None
            self._descend(fresh)

    @property
    def simple(self) -> bool:
        """Whether all is settled: every path that was explored is needed and has one maker that can run, or none."""
        return self._sweeper is not None and not self._sweeper.rivals

    def can_be_had(self, path: str) -> bool:
        """Whether a path that was explored exists or can be made."""
        return path in self.makers and path not in self.lacking

    def _descend(self, paths: Sequence[str]) -> None:
        stack: list[tuple[str, Job | None, bool]] = [(path, None, False) for path in reversed(paths)]
        makers, judging, descent = self.makers, self._judging, self.descent
        while stack:
            path, parent, leaving = stack.pop()
            if leaving:
                descent.leave(makers[path])
                judging.discard(path)
                self._judge(path)
                continue
            if path in makers:
                if path in judging:  # further up the stack
                    self._circular = True
                continue
            makers[path] = jobs = self._candidates(path, parent)
            if not jobs:
                if self.files.stat(path) is None:
                    self.lacking.add(path)
                    descent.dead_end(path, parent)
                continue
            stack.append((path, None, True))
            judging.add(path)
            descent.enter(path, parent, jobs)
            for job in jobs:
                if not job.mark:
                    stack.extend([(p, job, False) for p in job.inputs if p in judging or p not in makers])
                    if job.waits:
                        stack.extend([(p, job, False) for p in sorted(job.waits) if p in judging or p not in makers])
        if self._circular:
            self.ever_circular = True
            self._judge_by_counting()
            self._set_aside_what_needs_itself()

    def wanted_job(self, rule: Rule) -> Job:
        """The job of a rule without wildcards, explored."""
        job = self.jobs[rule.index].get(())
        if job is None:
            job = self._make(rule, ())
            self.jobs[rule.index].add(((),), [job])
        self.want((*job.inputs, *job.waits), rule.index)
        self._settle(job)
        return job

    def _candidates(self, path: str, parent: Job | None) -> tuple[Job, ...]:
        if self.descent.too_long(path, parent):
            return ()
        found = []
        for rule, values in self.index.candidates(path):
            job = self.jobs[rule.index].get(values)
            if job is None:
                if (rule.index, values) in self.broken or not self.descent.allows(path, parent, rule):
                    continue
                try:
                    job = self._make(rule, values)
                except FlowfileError as error:
                    self.broken[rule.index, values] = error
                    continue
                self.jobs[rule.index].add((values,), [job])
            found.append(job)
        return tuple(found)

    def _make(self, rule: Rule, values: tuple[str, ...]) -> Job:
        job = self.recipes[rule.index].job(values)
        self.world.meter.grow(STEPS_PER_JOB)
        job.waits |= self._later.waits(job)
        return job

    def make_all(self, rule: int, many: Sequence[tuple[str, ...]]) -> list[Job] | None:
        """The jobs of a rule for many wildcard values; None where some may wait for a checkpoint.

        Raises:
            FlowfileError: the inputs of one cannot be computed.
        """
        if self._later.may_wait(rule):
            return None
        jobs = self.recipes[rule].jobs(many)
        return None if any(job.waits for job in jobs) else jobs

    def _judge(self, path: str) -> None:
        """Every candidate's inputs have been explored: can the path be had?"""
        viable = False
        for job in self.makers[path]:
            if not job.mark:
                self._settle(job)
            viable = viable or job.mark == VIABLE
        if not viable and self.files.stat(path) is None:
            self.lacking.add(path)

    def only_lacking(self, path: str) -> bool:
        """Whether there are rules for a path, but none whose inputs can be had."""
        makers = self.makers.get(path, ())
        return bool(makers) and all(job.mark != VIABLE for job in makers)

    def _settle(self, job: Job) -> None:
        lacking, judging = self.lacking, self._judging
        for path in (*job.inputs, *job.waits) if job.waits else job.inputs:
            if path in lacking or path in judging:
                self._circular = self._circular or path in judging
                job.mark = LACKING
                return
        job.mark = VIABLE
        self.descent.can_run(1)

    def _judge_by_counting(self) -> None:
        """The least fixpoint: begins with what exists, and goes on from each path that can be had to its users."""
        self._circular = False
        missing: dict[int, int] = {}
        users: dict[str, list[Job]] = {}
        for job in self._all_jobs():
            needs = set(job.inputs) | job.waits
            missing[id(job)] = len(needs)
            job.mark = LACKING
            for path in needs:
                users.setdefault(path, []).append(job)
        made: dict[int, list[str]] = {}
        for path, jobs in self.makers.items():
            for job in jobs:
                made.setdefault(id(job), []).append(path)
        had = {path: self.files.stat(path) is not None for path in self.makers}
        ready = [path for path, present in had.items() if present]
        ready_jobs = [job for job in self._all_jobs() if not missing[id(job)]]
        while ready or ready_jobs:
            while ready_jobs:
                job = ready_jobs.pop()
                job.mark = VIABLE
                for path in made.get(id(job), ()):
                    if not had[path]:
                        had[path] = True
                        ready.append(path)
            if ready:
                for job in users.get(ready.pop(), ()):
                    missing[id(job)] -= 1
                    if not missing[id(job)]:
                        ready_jobs.append(job)
        self.lacking = {path for path, can_be_had in had.items() if not can_be_had}

    def _all_jobs(self) -> Iterator[Job]:
        return chain.from_iterable(self.jobs)

    def _set_aside_what_needs_itself(self) -> None:
        """In circles: a candidate for a path whose inputs cannot be had without that very path is none.

        So `gzip` and `gunzip` rules live together. A circle of rules without wildcards stays one, and is reported.
        """
        from flowrules.model.dag import knots

        edges = {
            path: [need for job in jobs if job.mark == VIABLE for need in (*job.inputs, *job.waits)]
            for path, jobs in self.makers.items()
        }
        for knot in knots(edges):
            if len(knot) > MOST_KNOTTED:
                raise self._too_tangled(knot)
            for path in sorted(knot):
                self.knot_of[path] = knot
                had = self._had_without(path, knot)
                for job in self.makers.get(path, ()):
                    own = path in job.inputs  # needs its own output directly: an error in any case
                    if job.rule.wildcards and not own and not self._ready(job, knot, had):
                        self._excluded.add((path, id(job)))

    def _had_without(self, path: str, knot: frozenset[str]) -> set[str]:
        """What of a knot can be had where one path of it cannot; outside of the knot nothing depends on that path."""
        missing: dict[tuple[str, int], int] = {}
        users: dict[str, list[tuple[str, int]]] = {}
        ready = [p for p in knot if p != path and self.files.stat(p) is not None]
        for made in knot - {path}:
            for job in self.makers.get(made, ()):
                needs = set(job.inputs) | job.waits
                if all(map(self.can_be_had, needs - knot)):
                    inside = needs & knot
                    missing[made, id(job)] = len(inside)
                    for need in inside:
                        users.setdefault(need, []).append((made, id(job)))
                    if not inside:
                        ready.append(made)
        had: set[str] = set()
        while ready:
            p = ready.pop()
            if p not in had:
                had.add(p)
                for way in users.get(p, ()):
                    missing[way] -= 1
                    if not missing[way]:
                        ready.append(way[0])
        return had

    def _ready(self, job: Job, knot: frozenset[str], had: set[str]) -> bool:
        return all(p in had if p in knot else self.can_be_had(p) for p in (*job.inputs, *job.waits))

    def _too_tangled(self, knot: frozenset[str]) -> FlowfileError:
        found = {j.rule.index: j.rule for path in knot for j in self.makers[path] if j.mark == VIABLE}
        rules = [found[index] for index in sorted(found)]
        names = ", ".join(f"`{rule.name}`" for rule in rules[:6])
        related = tuple(Related(f"rule `{rule.name}` is one of them", rule.span) for rule in rules[1:6])
        message = f"{len(knot):,} files that rules {names} make need one another, such as `{min(knot)}`"
        hint = "a file cannot be made from itself: constrain their wildcards"
        return FlowfileError([Diagnostic("F503", message, rules[0].span, hint, related)])

    def viable(self, path: str) -> list[Job]:
        """The candidates for a path whose inputs can be had."""
        jobs = [job for job in self.makers.get(path, ()) if job.mark == VIABLE]
        if self._excluded:
            jobs = [job for job in jobs if (path, id(job)) not in self._excluded]
        return jobs

    def lacks(self, job: Job) -> list[str]:
        """The inputs of a job that cannot be had, in order, each once."""
        return [path for path in dict.fromkeys((*job.inputs, *sorted(job.waits))) if not self.can_be_had(path)]
