"""Targets to jobs: finds every rule that could make a path, sets aside what cannot be had, chooses one maker a path.

A file *can be had* if it exists or some rule's inputs can all be had; what needs itself cannot. The walk is depth first
with an explicit stack, so that each candidate is judged when all its inputs have been; only where the walk meets a
path that is still being judged (a circle) are the candidates judged again by counting, in time linear in their inputs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from flowrules.errors import FlowfileError
from flowrules.expr.world import World
from flowrules.model.job import Job
from flowrules.model.rule import Rule
from flowrules.plan.index import RuleIndex
from flowrules.plan.recipe import Recipe
from flowrules.ports import FileView

VIABLE, LACKING = 1, 2
"""Values of `Job.mark`: all inputs can be had, or not."""

GROWTH_LIMIT = 20
"""How often in a row a rule may ask itself for a longer path before it is set aside."""

DEPTH_LIMIT = 200_000
"""How often in a row a rule may ask itself for a path of any length."""

PATH_LIMIT = 4096
"""Longest path that is looked for, as on Linux."""

STEPS_PER_JOB = 2_000
"""By how much each job raises the budget of all expressions."""


class Resolution:
    """Who could make each path that the targets lead to, and which of these can be had."""

    def __init__(self, index: RuleIndex, rules: Sequence[Rule], world: World, files: FileView) -> None:
        self.index = index
        self.files = files
        self.world = world
        self.recipes = [Recipe(rule, world) for rule in rules]
        self.makers: dict[str, tuple[Job, ...]] = {}
        self.had: dict[str, bool] = {}
        self.broken: dict[tuple[int, tuple[str, ...]], FlowfileError] = {}
        self.endless: dict[str, Rule] = {}
        self.knot_of: dict[str, frozenset[str]] = {}
        self._excluded: set[tuple[str, int]] = set()
        self._jobs: dict[tuple[int, tuple[str, ...]], Job] = {}
        self._depths: dict[tuple[int, tuple[str, ...]], tuple[int, int]] = {}
        self._circular = False

    def want(self, paths: Iterable[str]) -> None:
        """Explores everything these paths could be made from."""
        stack: list[tuple[str, Job | None, bool]] = [(path, None, False) for path in paths]
        stack.reverse()
        makers, had = self.makers, self.had
        while stack:
            path, parent, leaving = stack.pop()
            if leaving:
                self._judge(path)
                continue
            if path in makers:
                if path not in had:  # it is being judged further up the stack
                    self._circular = True
                continue
            makers[path] = jobs = self._candidates(path, parent)
            if not jobs:
                had[path] = self.files.stat(path) is not None
                continue
            stack.append((path, None, True))
            for job in jobs:
                if not job.mark:
                    stack.extend([(p, job, False) for p in job.inputs if p not in had])
                    if job.waits:
                        stack.extend([(p, job, False) for p in sorted(job.waits) if p not in had])
        if self._circular:
            self._judge_by_counting()
            self._set_aside_what_needs_itself()

    def wanted_job(self, rule: Rule) -> Job:
        """The job of a rule without wildcards, explored."""
        key = (rule.index, ())
        job = self._jobs.get(key)
        if job is None:
            job = self._jobs[key] = self.recipes[rule.index].job(())
            self.world.meter.grow(STEPS_PER_JOB)
        self.want((*job.inputs, *job.waits))
        self._settle(job)
        return job

    def _candidates(self, path: str, parent: Job | None) -> tuple[Job, ...]:
        if len(path) > PATH_LIMIT:
            return ()
        found = []
        for rule, values in self.index.candidates(path):
            key = (rule.index, values)
            job = self._jobs.get(key)
            if job is None:
                if parent is not None and parent.rule is rule and not self._may_descend(path, parent, key):
                    self.endless[path] = rule
                    continue
                if key in self.broken:
                    continue
                try:
                    job = self.recipes[rule.index].job(values)
                except FlowfileError as error:
                    self.broken[key] = error
                    continue
                self._jobs[key] = job
                self.world.meter.grow(STEPS_PER_JOB)
            found.append(job)
        return tuple(found)

    def _may_descend(self, path: str, parent: Job, key: tuple[int, tuple[str, ...]]) -> bool:
        """Whether a rule that asks itself may go on: not for ever longer paths, nor without end."""
        growth, depth = self._depths.get((parent.rule.index, parent.values), (0, 0))
        longer = any(len(path) > len(output) for output in parent.outputs[:1])
        growth, depth = (growth + 1 if longer else 0), depth + 1
        self._depths[key] = (growth, depth)
        return growth < GROWTH_LIMIT and depth < DEPTH_LIMIT

    def _judge(self, path: str) -> None:
        """Every candidate's inputs have been explored: can the path be had?"""
        viable = False
        for job in self.makers[path]:
            if not job.mark:
                self._settle(job)
            viable = viable or job.mark == VIABLE
        self.had[path] = viable or self.files.stat(path) is not None

    def _settle(self, job: Job) -> None:
        had = self.had
        for path in job.inputs:
            if not had.get(path):
                if path not in had:
                    self._circular = True
                job.mark = LACKING
                return
        job.mark = LACKING if any(not had.get(path) for path in job.waits) else VIABLE

    def _judge_by_counting(self) -> None:
        """The least fixpoint: begins with what exists, and goes on from each path that can be had to its users."""
        self._circular = False
        missing: dict[int, int] = {}
        users: dict[str, list[Job]] = {}
        for job in self._jobs.values():
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
        ready_jobs = [job for job in self._jobs.values() if not missing[id(job)]]
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
        self.had = had

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
            for path in sorted(knot):
                self.knot_of[path] = knot
                for job in self.makers.get(path, ()):
                    own = path in job.inputs  # needs its own output directly: an error in any case
                    if job.rule.wildcards and not own and not self._had_without(job, path, knot):
                        self._excluded.add((path, id(job)))

    def _had_without(self, job: Job, path: str, knot: frozenset[str]) -> bool:
        """Whether a job's inputs can be had where a path cannot; outside of the knot nothing depends on the path."""
        had = {p for p in knot if p != path and self.files.stat(p) is not None}
        grown = True

        def ready(candidate: Job) -> bool:
            return all(p in had if p in knot else self.had.get(p) for p in (*candidate.inputs, *candidate.waits))

        while grown:
            more = {p for p in knot if p not in had and p != path and any(map(ready, self.makers.get(p, ())))}
            had |= more
            grown = bool(more)
        return ready(job)

    def viable(self, path: str) -> list[Job]:
        """The candidates for a path whose inputs can be had."""
        jobs = [job for job in self.makers.get(path, ()) if job.mark == VIABLE]
        if self._excluded:
            jobs = [job for job in jobs if (path, id(job)) not in self._excluded]
        return jobs

    def lacks(self, job: Job) -> list[str]:
        """The inputs of a job that cannot be had, in order, each once."""
        return [path for path in dict.fromkeys((*job.inputs, *sorted(job.waits))) if not self.had.get(path)]

    @property
    def jobs(self) -> Mapping[tuple[int, tuple[str, ...]], Job]:
        """Every candidate by rule index and wildcard values."""
        return self._jobs
