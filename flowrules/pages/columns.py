"""Jobs of a plan as columns for a page: texts, states and needs by position, jobs of one rule after another.

A page holds at most so many jobs, paths, needs and characters; what is left out is counted, and the page says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from flowrules.model.job import Job
from flowrules.model.plan import Decision, Plan
from flowrules.pages.states import NUMBER
from flowrules.show.text import escape

JOBS: Final = 100_000
"""Jobs of a page at most; those that will run come first."""

CHUNK: Final = 1_000
"""Jobs whose details are packed together: a page unpacks them when somebody looks at one."""

PATHS: Final = 500
"""Inputs of a job that are listed; ``ALL_PATHS``: of all jobs together."""

ALL_PATHS: Final = 2_000_000

NEEDS: Final = 1_000_000
"""Needs of all jobs together that are kept."""

COMMAND: Final = 20_000
"""Characters of a command that are kept."""

_LAST: Final = {NUMBER["may"]: 1, NUMBER["skip"]: 2, NUMBER["done"]: 2}
"""States whose jobs are left out of a page that is too small for all: those with the highest number first."""

NOTHING: Final[Mapping[int, str]] = MappingProxyType({})
"""States of jobs of which nothing but the plan is known."""

_STATES: Final = {
    Decision.RUN: NUMBER["run"],
    Decision.MAY: NUMBER["may"],
    Decision.SKIP: NUMBER["skip"],
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of jobs beyond the plan.

    Attributes:
        command: the command of a job, or what stands for it.
        needs: threads and resources by name, as text.
        groups: the group of each job, None where it has none.
        states: of jobs that are not only planned, by id: keys of `flowrules.pages.states.STATES`.
    """

    command: Callable[[Job], str] = lambda job: ""
    needs: Callable[[Job], Mapping[str, str]] = lambda job: {}
    groups: Sequence[str | None] = ()
    states: Mapping[int, str] = field(default_factory=dict)


@dataclass(slots=True)
class Kept:
    """Which jobs a page holds.

    Attributes:
        order: their ids, rule after rule; first: for each rule where its jobs begin in it, and at last where all end.
        number: for each job of the plan its position in ``order``, -1 where it is left out.
        totals: for each rule how many jobs are in each state of `STATES`.
        states: of each job of the plan, as a position in `STATES`.
    """

    order: list[int] = field(default_factory=list)
    first: list[int] = field(default_factory=list)
    number: list[int] = field(default_factory=list)
    totals: list[dict[int, int]] = field(default_factory=list)
    states: list[int] = field(default_factory=list)


def _planned(plan: Plan, job: Job) -> int:
    """The state of a job of which nothing but the plan is known."""
    return _STATES[plan.decisions[job.id]] if job.rule.action is not None else NUMBER["collector"]


def keep(plan: Plan, rules: Mapping[int, int], most: int = JOBS, states: Mapping[int, str] = NOTHING) -> Kept:
    """Choose the jobs of a page.

    Args:
        rules: position on the page of each rule, by its index.
        states: of jobs that are not only planned, by id.
        most: of all rules together; small rules are kept whole.
    """
    by_rule: list[list[int]] = [[] for _ in rules]
    kept = Kept(number=[-1] * len(plan.jobs), totals=[{} for _ in rules])
    for job in plan.jobs:
        rule = rules[job.rule.index]
        by_rule[rule].append(job.id)
        state, totals = NUMBER[states[job.id]] if job.id in states else _planned(plan, job), kept.totals[rule]
        kept.states.append(state)
        totals[state] = totals.get(state, 0) + 1
    share = _share([len(jobs) for jobs in by_rule], most)
    for jobs in by_rule:
        kept.first.append(len(kept.order))
        if len(jobs) > share:
            urgent = sorted(jobs, key=lambda job: _LAST.get(kept.states[job], 0))
            jobs = sorted(urgent[:share])
        for job_id in jobs:
            kept.number[job_id] = len(kept.order)
            kept.order.append(job_id)
    kept.first.append(len(kept.order))
    return kept


def _share(counts: Sequence[int], most: int) -> int:
    """The largest number of jobs each rule may have so that all together are not too many."""
    left = most
    for i, count in enumerate(ordered := sorted(counts)):
        share = left // (len(ordered) - i)
        if count > share:
            return share
        left -= count
    return max(counts, default=0)


def index_columns(plan: Plan, kept: Kept) -> dict[str, object]:
    """What a page knows of every job: its name, state, outputs, and the jobs it needs.

    ``needs`` has positions of jobs; of those that are left out only the number is told, in ``unseen`` by position.
    """
    labels, states, outputs, needs = [], [], [], []
    unseen: dict[int, int] = {}
    budget = NEEDS
    for at, number in enumerate(kept.order):
        job = plan.jobs[number]
        labels.append(escape(", ".join(job.values)))
        states.append(kept.states[number])
        outputs.append([escape(path) for path in job.outputs])
        wanted = dict.fromkeys(plan.needs[number])
        found = [n for n in [kept.number[need] for need in wanted] if n >= 0][: max(0, budget)]
        budget -= len(found)
        needs.append(found)
        if len(found) < len(wanted):
            unseen[at] = len(wanted) - len(found)
    return {"labels": labels, "states": states, "outputs": outputs, "needs": needs, "unseen": unseen}


def detail_chunks(plan: Plan, kept: Kept, facts: Facts) -> Iterator[tuple[str, object]]:
    """What a page shows of a chosen job, `CHUNK` jobs at a time: `details-N` has the jobs from N*CHUNK on."""
    budget = ALL_PATHS
    for start in range(0, len(kept.order), CHUNK):
        jobs = [plan.jobs[number] for number in kept.order[start : start + CHUNK]]
        inputs = []
        for job in jobs:
            shown = job.inputs[: min(PATHS, budget)]
            budget -= len(shown)
            inputs.append([escape(path) for path in shown])
        yield (
            f"details-{start // CHUNK}",
            {
                "inputs": inputs,
                "input_counts": [len(job.inputs) for job in jobs],
                "wildcards": [{escape(k): escape(v) for k, v in job.wildcards.items()} for job in jobs],
                "commands": [_command(facts.command(job)) for job in jobs],
                "needs": [{escape(k): escape(v) for k, v in facts.needs(job).items()} for job in jobs],
                "reasons": [[escape(str(reason)) for reason in plan.reasons[job.id][:10]] for job in jobs],
                "groups": [facts.groups[job.id] if facts.groups else None for job in jobs],
            },
        )


def _command(text: str) -> str:
    """A command, its lines kept, hostile characters spelt out."""
    shown = text if len(text) <= COMMAND else f"{text[:COMMAND]}\n… {len(text) - COMMAND:,} more characters"
    return "\n".join(["\t".join([escape(part) for part in line.split("\t")]) for line in shown.split("\n")])
