"""How long the way from each job to the end of the workflow is, by expected times: the longest goes first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flowrules.model.events import SchedJob


def longest_paths(jobs: Sequence[SchedJob]) -> dict[int, float]:
    """For each job the longest sum of expected seconds over it and jobs that wait for it, one after another.

    Takes time linear in jobs and needs. Needs that are not among ``jobs`` do not count.

    Raises:
        ValueError: jobs need each other in a circle.
    """
    by_id = {job.id: job for job in jobs}
    rest: dict[int, float] = {}
    for job in reversed(in_order(by_id)):
        path = rest[job.id] = job.expected + rest.get(job.id, 0.0)
        for need in job.needs:
            if need in by_id and rest.get(need, 0.0) < path:
                rest[need] = path
    return rest


def in_order(by_id: Mapping[int, SchedJob]) -> list[SchedJob]:
    """Jobs, each after those it needs.

    Raises:
        ValueError: jobs need each other in a circle.
    """
    jobs = list(by_id.values())
    place = -1
    sorted_by_id = True
    for job in jobs:
        if job.id < place or any(need >= job.id and need in by_id for need in job.needs):
            sorted_by_id = False
            break
        place = job.id
    if sorted_by_id:  # as a plan has them
        return jobs
    waiting = {job.id: sum(need in by_id for need in job.needs) for job in jobs}
    users: dict[int, list[int]] = {}
    for job in jobs:
        for need in job.needs:
            users.setdefault(need, []).append(job.id)
    order = [job for job in jobs if not waiting[job.id]]
    for job in order:
        for user in users.get(job.id, ()):
            waiting[user] -= 1
            if not waiting[user]:
                order.append(by_id[user])
    if len(order) < len(jobs):
        circle = sorted(job for job, count in waiting.items() if count)[:10]
        raise ValueError(f"jobs need each other in a circle, among them {circle}")
    return order
