"""Parts jobs over blocks: what belongs together stays together as far as a block can hold it, and loads are even."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from heapq import heapify, heapreplace
from typing import Final

from flowrules.model.events import SchedJob

SLACK: Final = 1.1
"""A block that is loaded by so much more than its part takes no more jobs for being where their inputs are."""


def part_jobs(
    jobs: Sequence[SchedJob], weights: Mapping[int, float], count: int, most: float
) -> tuple[tuple[SchedJob, ...], ...]:
    """Each job in one of ``count`` parts.

    Connected jobs of one group, and chains, stay together as long as they weigh at most ``most``; whatever else is
    connected, as long as it weighs no more than one even part. These bundles go to the lightest part, the heaviest
    first; one with inputs from several bundles (a final join) goes where most of its inputs are.

    Args:
        jobs: each after those it needs; needs that are not among them do not count.
        weights: for each job, such as the seconds of a node it takes up.
    """
    if count == 1:
        return (tuple(jobs),)
    bundles = _Bundles(jobs, weights)
    bundles.join_groups(most)
    bundles.join_chains(most)
    fair = sum(weights[job.id] for job in jobs) / count
    bundles.join_rest(fair)
    homes = _place(jobs, bundles, count, fair)
    parts: list[list[SchedJob]] = [[] for _ in range(count)]
    for job in jobs:
        parts[homes[bundles.root(job.id)]].append(job)
    return tuple([tuple(part) for part in parts])


class _Bundles:
    """Jobs that stay together: a forest in which each job points towards the root of its bundle."""

    def __init__(self, jobs: Sequence[SchedJob], weights: Mapping[int, float]) -> None:
        self._jobs = jobs
        self._up = {job.id: job.id for job in jobs}
        self.weight = {job.id: weights[job.id] for job in jobs}

    def root(self, job: int) -> int:
        up = self._up
        while up[job] != job:
            up[job] = up[up[job]]
            job = up[job]
        return job

    def needs(self, job: SchedJob) -> list[int]:
        """What a job needs, of the jobs that are parted."""
        return [need for need in job.needs if need in self._up]

    def _join(self, job: int, others: list[int], most: float) -> None:
        """Make one bundle of several, unless it would be too heavy."""
        roots = list(dict.fromkeys([self.root(job), *map(self.root, others)]))
        weight = sum([self.weight[root] for root in roots])
        if len(roots) > 1 and weight <= most:
            roots.sort(key=lambda root: -self.weight[root])
            for root in roots[1:]:
                self._up[root] = roots[0]
            self.weight[roots[0]] = weight

    def join_groups(self, most: float) -> None:
        label = {job.id: job.group for job in self._jobs if job.group is not None}
        for job in self._jobs if label else ():
            for need in self.needs(job):
                if job.group is not None and label.get(need) == job.group:
                    self._join(job.id, [need], most)

    def join_chains(self, most: float) -> None:
        users = Counter([need for job in self._jobs for need in self.needs(job)])
        for job in self._jobs:
            needs = self.needs(job)
            if len(needs) == 1 and users[needs[0]] == 1:
                self._join(job.id, needs, most)

    def join_rest(self, most: float) -> None:
        for job in self._jobs:
            needs = self.needs(job)
            if needs:
                self._join(job.id, needs, most)


def _place(jobs: Sequence[SchedJob], bundles: _Bundles, count: int, fair: float) -> dict[int, int]:
    """The part of each bundle, by its root."""
    inputs: dict[int, list[int]] = {}  # of each bundle, in the order of jobs: the bundles it needs, one for each need
    for job in jobs:
        mine = bundles.root(job.id)
        found = inputs.setdefault(mine, [])
        found += [root for root in map(bundles.root, bundles.needs(job)) if root != mine]
    weight = bundles.weight
    alone = sorted([root for root in inputs if len(set(inputs[root])) < 2], key=lambda root: -weight[root])
    loads = [(0.0, part) for part in range(count)]
    heapify(loads)
    homes: dict[int, int] = {}
    for root in alone:
        load, part = loads[0]
        homes[root] = part
        heapreplace(loads, (load + weight[root], part))
    carried = {part: load for load, part in loads}
    for root, needed in inputs.items():
        if root in homes:
            continue
        where = Counter([homes[need] for need in needed if need in homes])
        part = min(where, key=lambda part: (-where[part], part), default=0)
        if not where or carried[part] > SLACK * fair:
            part = min(carried, key=lambda part: (carried[part], part))
        homes[root] = part
        carried[part] += weight[root]
    return homes
