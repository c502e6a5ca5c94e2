"""`--until` and `--omit-from`: cuts a DAG at the jobs of a rule or the maker of a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flowrules.errors import FlowfileError
from flowrules.model.job import Job
from flowrules.plan.policy import Policy
from flowrules.plan.targets import Targets, not_in_plan, path_of

Needs = list[tuple[int, ...]]


def cut(
    jobs: list[Job], needs: Needs, producer: dict[str, Job | None], targets: Targets, policy: Policy
) -> tuple[list[Job], Needs, Targets]:
    """The DAG up to the jobs of ``policy.until``, without those of ``policy.omit_from`` and what needs them.

    Jobs are numbered anew. What remains and nobody needs becomes the targets.

    Raises:
        FlowfileError: a name is neither a rule nor a file of this DAG.
    """
    if not policy.until and not policy.omit_from:
        return jobs, needs, targets
    keep = set(range(len(jobs)))
    if policy.until:
        keep = _ancestors(_named(jobs, producer, policy.until, "--until"), needs)
    if policy.omit_from:
        keep -= _descendants(_named(jobs, producer, policy.omit_from, "--omit-from"), needs)
    order = sorted(keep)
    number = {old: new for new, old in enumerate(order)}
    left = [jobs[old] for old in order]
    left_needs = [tuple([number[n] for n in needs[old] if n in number]) for old in order]
    for old, job in enumerate(jobs):
        job.id = number.get(old, -1)
    for path, maker in producer.items():
        if maker is not None and maker.id < 0:
            producer[path] = None
    needed = {need for wants in left_needs for need in wants}
    ends = [job for job in left if job.id not in needed]
    return left, left_needs, Targets((), tuple(ends))


def _named(jobs: Sequence[Job], producer: Mapping[str, Job | None], names: Sequence[str], option: str) -> set[int]:
    found: set[int] = set()
    errors = []
    for name in names:
        ids = {job.id for job in jobs if job.rule.name == name}
        maker = producer.get(path_of(name))
        if not ids and maker is not None:
            ids = {maker.id}
        if not ids:
            rules = {job.rule.name for job in jobs}
            errors.append(not_in_plan(option, name, "no rule and no made file", rules, producer))
        found |= ids
    if errors:
        raise FlowfileError(errors)
    return found


def _ancestors(ends: set[int], needs: Needs) -> set[int]:
    """The jobs themselves and all they need; makers stand before users."""
    kept = set(ends)
    for job in range(len(needs) - 1, -1, -1):
        if job in kept:
            kept.update(needs[job])
    return kept


def _descendants(starts: set[int], needs: Needs) -> set[int]:
    """The jobs themselves and all that need them."""
    reached = set(starts)
    for job, wants in enumerate(needs):
        if job not in reached and not reached.isdisjoint(wants):
            reached.add(job)
    return reached
