"""Groups: connected jobs whose rules carry the same label travel together; every other job is alone."""

from __future__ import annotations

from collections.abc import Sequence

from flowrules.model.job import Job


def groups_of(jobs: Sequence[Job], needs: Sequence[Sequence[int]]) -> list[str | None]:
    """For each job the name of its group, `label:number`, or None where its rule has no label."""
    parent = list(range(len(jobs)))

    def root(job: int) -> int:
        while parent[job] != job:
            parent[job] = parent[parent[job]]
            job = parent[job]
        return job

    labels = [job.rule.group for job in jobs]
    for job, wants in enumerate(needs):
        label = labels[job]
        if label is not None:
            for need in wants:
                if labels[need] == label:
                    parent[root(need)] = root(job)
    return [None if label is None else f"{label}:{root(job)}" for job, label in enumerate(labels)]
