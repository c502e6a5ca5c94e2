"""Plans made by hand, small enough to read."""

from __future__ import annotations

from dataclasses import dataclass

from flowrules.model.job import Job
from flowrules.model.plan import Cause, Decision, Plan, Reason
from flowrules.model.rule import Entry, Rule, RunAction
from flowrules.span import Source, Span

HERE = Span(Source("Flowfile", "rule x:\n"), 0, 6)
ACTION = RunAction("pass", "pass", "Flowfile", 1, HERE)

RUN, MAY, SKIP = Decision.RUN, Decision.MAY, Decision.SKIP
MISSING = (Reason(Cause.MISSING, "out"),)


@dataclass(frozen=True)
class Const:
    """An expression that is a value."""

    value: object
    per_job: bool = False
    span: Span = HERE
    uses: frozenset = frozenset()

    def __call__(self, world, local):
        return self.value


def rule(name, index, wildcards=(), action=ACTION, **more):
    return Rule(name, index, HERE, wildcards=tuple(wildcards), action=action, **more)


def entry(name, value, per_job=False):
    return Entry(name, Const(value, per_job), HERE)


class Builder:
    """Collects jobs: `add` gives the id of a new one."""

    def __init__(self):
        self.plan = Plan(producer={})
        self.rules = {}

    def rule(self, name, wildcards=(), **more):
        if name not in self.rules:
            self.rules[name] = rule(name, len(self.rules), wildcards, **more)
        return self.rules[name]

    def add(self, rule, needs=(), inputs=(), outputs=(), decision=RUN, reasons=MISSING, waits=(), **values):
        plan = self.plan
        if isinstance(rule, str):
            rule = self.rule(rule, values)
        job = Job(len(plan.jobs), rule, tuple(values.values()), tuple(inputs), tuple(outputs), {}, {}, frozenset(waits))
        plan.jobs.append(job)
        plan.needs.append(tuple(needs))
        plan.decisions.append(decision)
        plan.reasons.append(() if decision is SKIP else tuple(reasons))
        for path in outputs:
            plan.producer[path] = job.id
        return job.id


def molecules(count=3, decision=RUN):
    """`relax` and `score` for each molecule, a `summary` of all, and the collector `all`."""
    b = Builder()
    collector = b.rule("all", action=None)
    scores = []
    for i in range(count):
        mol = f"m{i}"
        relaxed = b.add("relax", (), [f"in/{mol}.xyz"], [f"out/{mol}.traj"], decision, mol=mol)
        scores.append(b.add("score", (relaxed,), [f"out/{mol}.traj"], [f"out/{mol}.csv"], decision, mol=mol))
    paths = [f"out/m{i}.csv" for i in range(count)]
    upstream = (Reason(Cause.UPSTREAM, "out/m0.csv"),)
    summary = b.add("summary", scores, paths, ["out/summary.csv"], decision, upstream)
    last = b.add(collector, (summary,), ["out/summary.csv"], [], decision, upstream)
    b.plan.targets = ("out/summary.csv",)
    b.plan.target_jobs = (last,)
    return b.plan
