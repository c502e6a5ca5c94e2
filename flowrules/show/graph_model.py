"""What a picture of the DAG shows: nodes with a state and what each needs, at the level of jobs, rules or files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from flowrules.model.job import Job
from flowrules.model.plan import Decision, Plan
from flowrules.show.plan_text import RuleTally, tally, totals
from flowrules.show.text import counted

Level = Literal["jobs", "rules", "files"]
LEVELS: Final[tuple[Level, ...]] = ("jobs", "rules", "files")

State = Literal["run", "may", "skip", "source", "collector"]
"""What becomes of a node; ``source`` is a file that no job makes, ``collector`` a job or rule without action."""

STATE_TEXTS: Final[dict[State, str]] = {
    "run": "will run",
    "may": "may run",
    "skip": "up to date",
    "source": "source",
    "collector": "collects",
}

_STATES: Final[dict[Decision, State]] = {Decision.RUN: "run", Decision.MAY: "may", Decision.SKIP: "skip"}


@dataclass(slots=True)
class Node:
    """A vertex.

    Attributes:
        kind: what it stands for.
        name: rule or path; ``detail`` is what tells it from others: wildcard values, counts.
        state: what becomes of it.
        ref: the job's id, the rule's index, or -1.
        loop: it needs others of its own kind (a rule whose jobs need each other).
    """

    kind: Literal["job", "rule", "file"]
    name: str
    detail: str
    state: State
    ref: int = -1
    loop: bool = False


@dataclass(slots=True)
class Graph:
    """Nodes, and for each the nodes it needs; each node comes after those it needs, but for rules in a cycle.

    Attributes:
        roots: nodes that were asked for, and those that nothing else shown here needs.
        headline: counts in one line.
        note: what a reader should know of the picture, "" for nothing.
        tooltip: all that is worth telling of a node, one line each.
    """

    level: Level
    nodes: list[Node] = field(default_factory=list)
    needs: list[tuple[int, ...]] = field(default_factory=list)
    roots: tuple[int, ...] = ()
    headline: str = ""
    note: str = ""
    tooltip: Callable[[int], list[str]] = lambda node: []

    @property
    def edges(self) -> int:
        """How many there are."""
        return sum(map(len, self.needs))


def graph_of(plan: Plan, level: Level) -> Graph:
    """The picture of a plan at a level."""
    graph = {"jobs": _jobs, "rules": _rules, "files": _files}[level](plan)
    graph.headline = totals(tally(plan))
    return graph


def _jobs(plan: Plan) -> Graph:
    nodes = [_job_node(job, plan.decisions[job.id]) for job in plan.jobs]
    needs = [tuple(dict.fromkeys(found)) for found in plan.needs]
    return Graph("jobs", nodes, needs, _job_roots(plan), tooltip=lambda i: _job_tooltip(plan, plan.jobs[i]))


def _job_node(job: Job, decision: Decision) -> Node:
    state: State = _STATES[decision] if job.rule.action is not None else "collector"
    detail = ", ".join([f"{name}={value}" for name, value in zip(job.rule.wildcards, job.values, strict=True)])
    return Node("job", job.rule.name, detail, state, job.id)


def _job_roots(plan: Plan) -> tuple[int, ...]:
    return tuple(dict.fromkeys([*plan.target_jobs, *_only_read(plan)]))


def _only_read(plan: Plan) -> list[int]:
    """Jobs that no job needs and nobody asked for: checkpoints whose outputs are read while planning."""
    needed = {need for needs in plan.needs for need in needs}.union(plan.target_jobs)
    return [job.id for job in plan.jobs if job.id not in needed]


def _job_tooltip(plan: Plan, job: Job) -> list[str]:
    lines = [f"{job.label} ({STATE_TEXTS[_STATES[plan.decisions[job.id]]]})"]
    lines += [f"why: {reason}" for reason in plan.reasons[job.id][:3]]
    lines += [
        f"{word}: {path}" for word, paths in (("input", job.inputs), ("output", job.outputs)) for path in paths[:5]
    ]
    return lines


def _rules(plan: Plan) -> Graph:
    counts = {row.rule.index: row for row in tally(plan)}
    where: dict[int, int] = {}
    graph = Graph("rules")
    found: list[dict[int, None]] = []
    rule_of = []
    for job, needs in zip(plan.jobs, plan.needs, strict=True):
        node = where.get(job.rule.index)
        if node is None:
            node = where[job.rule.index] = len(graph.nodes)
            graph.nodes.append(_rule_node(job, counts.get(job.rule.index)))
            found.append({})
        rule_of.append(node)
        found[node].update(dict.fromkeys([rule_of[need] for need in needs]))
    for node, other in enumerate(found):
        graph.nodes[node].loop = other.pop(node, 0) is None
    graph.needs = [tuple(other) for other in found]
    graph.roots = tuple(dict.fromkeys(rule_of[root] for root in _job_roots(plan)))
    graph.tooltip = lambda i: [f"{graph.nodes[i].name}: {graph.nodes[i].detail}"]
    return graph


def _rule_node(job: Job, row: RuleTally | None) -> Node:
    if row is None:
        return Node("rule", job.rule.name, "", "collector", job.rule.index)
    state: State = "run" if row.run else "may" if row.may else "skip"
    parts = [(row.run, "will run"), (row.may, "may run"), (row.skip, "up to date")]
    told = [f"{number:,} {text}" for number, text in parts if number]
    detail = (
        ", ".join(told)
        if len(told) > 1
        else f"{counted(row.run + row.may + row.skip, 'job')} {told[0].split(' ', 1)[1]}"
    )
    return Node("rule", job.rule.name, detail, state, job.rule.index)


def _files(plan: Plan) -> Graph:
    """Files and, between them, the jobs that make them."""
    graph = Graph("files")
    where: dict[str, int] = {}
    jobs: dict[int, int] = {}

    def add(node: Node, needs: tuple[int, ...]) -> int:
        graph.nodes.append(node)
        graph.needs.append(needs)
        return len(graph.nodes) - 1

    for job in plan.jobs:
        needs = []
        for path in dict.fromkeys(job.inputs):
            maker = plan.producer.get(path)
            if path not in where:  # a source, or a file below a folder that a job makes
                below = jobs.get(maker) if maker is not None else None
                state: State = "source" if below is None else graph.nodes[below].state
                where[path] = add(Node("file", path, "", state), () if below is None else (below,))
            needs.append(where[path])
        made = _job_node(job, plan.decisions[job.id])
        node = jobs[job.id] = add(made, tuple(needs))
        for path in job.outputs:
            where[path] = add(Node("file", path, "", made.state), (node,))
    collectors = [jobs[root] for root in _job_roots(plan) if not plan.jobs[root].outputs]
    collected = {need for root in collectors for need in graph.needs[root]}
    wanted = [where[path] for path in plan.targets if path in where and where[path] not in collected]
    wanted += [where[path] for job in _only_read(plan) for path in plan.jobs[job].outputs]
    graph.roots = tuple(dict.fromkeys(collectors + wanted)) or tuple(jobs[root] for root in _job_roots(plan))
    graph.tooltip = lambda i: _file_tooltip(plan, graph.nodes[i])
    return graph


def _file_tooltip(plan: Plan, node: Node) -> list[str]:
    if node.kind == "job":
        return _job_tooltip(plan, plan.jobs[node.ref])
    maker = plan.producer.get(node.name)
    made = f"made by {plan.jobs[maker].label}" if maker is not None else "source"
    return [node.name, made]


def ranked(needs: Sequence[Sequence[int]]) -> tuple[list[int], list[tuple[int, ...]]]:
    """An order in which every node comes after those it needs, and the needs without those that close a cycle."""
    order: list[int] = []
    kept: list[tuple[int, ...]] = [()] * len(needs)
    state = bytearray(len(needs))  # 1: on the path, 2: done
    for start in range(len(needs)):
        if state[start]:
            continue
        stack = [(start, iter(needs[start]))]
        kept_here: list[list[int]] = [[]]
        state[start] = 1
        while stack:
            node, rest = stack[-1]
            for need in rest:
                if state[need] == 1:
                    continue
                kept_here[-1].append(need)
                if not state[need]:
                    state[need] = 1
                    stack.append((need, iter(needs[need])))
                    kept_here.append([])
                    break
            else:
                state[node] = 2
                order.append(node)
                kept[node] = tuple(kept_here.pop())
                stack.pop()
    return order, kept
