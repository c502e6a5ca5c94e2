"""The dry run: what would run and why, per rule and per job, as text or as one JSON object."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Final, TypeAlias

from flowrules.model.plan import Cause, Decision, Plan, Reason
from flowrules.show.grid import Column, grid
from flowrules.show.params import param_changes
from flowrules.show.text import counted, escape, json_line, paint, shorten, shorten_middle

if TYPE_CHECKING:
    from flowrules.model.job import Job
    from flowrules.model.rule import Rule

Needs: TypeAlias = "Callable[[Job], Mapping[str, object]]"
"""Threads and resources of a job at its first attempt, as text by name; `?` for what is not known yet."""

Command: TypeAlias = "Callable[[Job], str]"
"""The command of a job, or a description of an action that is no shell text."""

FILES: Final = 4
"""Files named in a list before the rest is only counted."""

PATH: Final = 60
"""Columns of a path in a list."""

SAMPLED: Final = 20
"""Jobs of a rule that are asked for their threads and resources."""

_MARKS: Final = {Decision.RUN: ("●", "run"), Decision.MAY: ("◐", "may"), Decision.SKIP: ("✓", "good")}


@dataclass(slots=True)
class RuleTally:
    """The jobs of one rule, counted by decision; ``causes`` counts the deciding cause of those that run or may run."""

    rule: Rule
    run: int = 0
    may: int = 0
    skip: int = 0
    causes: Counter[Cause] = field(default_factory=Counter)
    sample: list[int] = field(default_factory=list)


def tally(plan: Plan) -> list[RuleTally]:
    """Counts per rule, in the order in which rules first occur in the plan; rules without action are left out."""
    tallies: dict[int, RuleTally] = {}
    for job, decision, reasons in zip(plan.jobs, plan.decisions, plan.reasons, strict=True):
        row = tallies.get(job.rule.index)
        if row is None:
            row = tallies[job.rule.index] = RuleTally(job.rule)
        if decision is Decision.SKIP:
            row.skip += 1
            continue
        if decision is Decision.RUN:
            row.run += 1
        else:
            row.may += 1
        if len(row.sample) < SAMPLED:
            row.sample.append(job.id)
        if reasons:
            row.causes[reasons[0].cause] += 1
    return [row for row in tallies.values() if row.rule.action is not None]


def plan_lines(
    plan: Plan,
    *,
    color: bool = False,
    width: int | None = None,
    verbose: bool = False,
    command: Command | None = None,
    needs: Needs | None = None,
) -> Iterator[str]:
    """The dry run line by line; nothing is made before it is asked for.

    Args:
        verbose: show each job that will or may run, with its reasons, files and needs.
        command: where given, show the command of each job too (`-p`).
        needs: where given, show threads and resources.
    """
    rows = tally(plan)
    if any(row.run or row.may for row in rows):
        if verbose or command:
            for job in plan.jobs:
                if plan.decisions[job.id] is not Decision.SKIP and job.rule.action is not None:
                    yield from job_lines(plan, job, color, verbose, command, needs)
                    yield ""
        yield from _table(plan, rows, color, width, needs)
        yield ""
    yield totals(rows)
    yield from _notes(plan, color, width)


def render_plan(
    plan: Plan,
    *,
    color: bool = False,
    width: int | None = None,
    verbose: bool = False,
    command: Command | None = None,
    needs: Needs | None = None,
) -> str:
    """`plan_lines` as one text without a newline at its end."""
    return "\n".join(plan_lines(plan, color=color, width=width, verbose=verbose, command=command, needs=needs))


def totals(rows: Sequence[RuleTally]) -> str:
    """`121 jobs will run, 4 may run, 30 are up to date`, or that there is nothing to do."""
    return _totals(sum(r.run for r in rows), sum(r.may for r in rows), sum(r.skip for r in rows))


def up_to_date_lines(jobs: int, targets: Sequence[str], *, quiet: bool = False) -> Iterator[str]:
    """`plan_lines` (or, where ``quiet``, `totals`) of a plan of which no job will or may run."""
    yield _totals(0, 0, jobs)
    if targets and not quiet:
        yield _targets(targets)


def _totals(run: int, may: int, skip: int) -> str:
    if not run and not may:
        return f"nothing to do: {counted(skip, 'job is', 'jobs are')} up to date" if skip else "nothing to do"
    parts = []
    if run:
        parts.append(f"{counted(run, 'job')} will run")
    if may:
        parts.append(f"{may:,} may run" if run else f"{counted(may, 'job')} may run")
    if skip:
        parts.append(f"{skip:,} {'is' if skip == 1 else 'are'} up to date")
    return ", ".join(parts)


# ── per rule ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _table(plan: Plan, rows: Sequence[RuleTally], color: bool, width: int | None, needs: Needs | None) -> Iterator[str]:
    columns = (
        Column("rule", cut="end"),
        Column("will run", right=True),
        Column("may run", right=True),
        Column("up to date", right=True),
        Column("threads", right=True),
        Column("resources", cut="end"),
        Column("why", cut="end"),
    )
    lines = []
    for row in rows:
        if not row.run and not row.may:
            continue
        threads, resources = _needs(plan, row, needs)
        name = f"{row.rule.name} (checkpoint)" if row.rule.checkpoint else row.rule.name
        lines.append((name, _count(row.run), _count(row.may), _count(row.skip), threads, resources, _why(plan, row)))
    yield from grid(columns, lines, color=color, width=width)


def _count(number: int) -> str:
    return f"{number:,}" if number else ""


def _why(plan: Plan, row: RuleTally) -> str:
    """The deciding causes with their counts; for a single job what it is about."""
    if row.run + row.may == 1:
        reasons = plan.reasons[row.sample[0]]
        return str(reasons[0]) if reasons else ""
    causes = row.causes.most_common()
    if len(causes) == 1 and causes[0][1] == row.run + row.may:
        return causes[0][0].value
    return ", ".join(f"{cause.value} ({number:,})" for cause, number in causes)


def _needs(plan: Plan, row: RuleTally, needs: Needs | None) -> tuple[str, str]:
    """Threads and resources of a rule's jobs; different values are joined by `/`, a few of them."""
    if needs is None or (row.rule.threads is None and not row.rule.resources):
        return "", ""
    sample = row.sample if _varies(row.rule) else row.sample[:1]
    values: dict[str, dict[str, None]] = {}
    for job in sample:
        for name, value in needs(plan.jobs[job]).items():
            values.setdefault(name, {})[str(value)] = None
    texts = {name: "/".join(islice(seen, 3)) + ("/…" if len(seen) > 3 else "") for name, seen in values.items()}
    threads = texts.pop("threads", "") if row.rule.threads is not None else ""
    declared = {entry.name for entry in row.rule.resources}
    return threads, ", ".join(f"{name}={text}" for name, text in texts.items() if name in declared)


def _varies(rule: Rule) -> bool:
    expressions = [entry.value for entry in rule.resources]
    return any(e.per_job for e in expressions) or (rule.threads is not None and rule.threads.per_job)


# ── notes ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _notes(plan: Plan, color: bool, width: int | None) -> Iterator[str]:
    if plan.targets:
        yield _targets(plan.targets)
    if plan.unknown:
        yield f"not known before a checkpoint has run: {_unknown(plan)}"
    if plan.kept:
        yield f"kept as they are, what they were made from is gone: {file_list(plan.kept)}"
    if plan.warnings:
        yield ""
        from flowrules.show.problems import render_text

        yield render_text(plan.warnings, color=color, width=width)


def _targets(targets: Sequence[str]) -> str:
    return f"targets: {file_list(targets)}"


def _unknown(plan: Plan) -> str:
    """`details of 3 jobs (merge 2, best 1), waiting for `rounds/0/chosen.txt``."""
    rules = Counter(plan.jobs[i].rule.name for i in plan.unknown)
    named = ", ".join(f"{escape(rule)} {number:,}" for rule, number in rules.most_common(FILES))
    more = f", {counted(len(rules) - FILES, 'more rule')}" if len(rules) > FILES else ""
    waits = dict.fromkeys(path for i in plan.unknown for path in sorted(plan.jobs[i].waits))
    waiting = f", waiting for {file_list(tuple(waits))}" if waits else ""
    return f"details of {counted(len(plan.unknown), 'job')} ({named}{more}){waiting}"


def file_list(paths: Sequence[str], most: int = FILES) -> str:
    """The first few paths, shortened, and how many more there are."""
    named = ", ".join(shorten_middle(escape(path), PATH) for path in paths[:most])
    return f"{named}, … {len(paths) - most:,} more" if len(paths) > most else named


# ── per job ──────────────────────────────────────────────────────────────────────────────────────────────────────


def job_lines(
    plan: Plan, job: Job, color: bool, verbose: bool, command: Command | None, needs: Needs | None
) -> Iterator[str]:
    """A job with its reasons, files and needs where ``verbose``, and its command where one is given."""
    decision = plan.decisions[job.id]
    mark, style = _MARKS[decision]
    suffix = " (may run)" if decision is Decision.MAY else ""
    yield f"{paint(mark, style, color)} {paint(escape(job.label), 'bold', color)}{suffix}"
    if verbose:
        for i, reason in enumerate(plan.reasons[job.id]):
            first, *rest = reason_lines(reason)
            yield f"  {'why' if i == 0 else '':8} {first}"
            yield from (f"  {'':8}   {line}" for line in rest)
        if job.inputs:
            yield f"  {'input':8} {file_list(job.inputs)}"
        if job.outputs:
            yield f"  {'output':8} {file_list(job.outputs)}"
        if needs and (wanted := needs(job)):
            yield f"  {'needs':8} {escape(', '.join(f'{name}={value}' for name, value in wanted.items()))}"
    if command:
        for i, line in enumerate(command(job).strip("\n").split("\n")):
            yield f"  {'command' if i == 0 else '':8} {escape(line.expandtabs(4))}".rstrip()


def reason_lines(reason: Reason, most: int = 12) -> list[str]:
    """A reason as text: what and about which file; below it what changed, old lines with `-`, new ones with `+`."""
    lines = [escape(str(reason))]
    if not reason.old and not reason.new:
        return lines
    if reason.cause is Cause.PARAMS and not reason.subject:
        changes = [shorten(escape(line), 2 * PATH) for line in param_changes(reason.old, reason.new)]
        return [f"{lines[0]}: {changes[0]}"] if len(changes) == 1 else lines + _few(changes, most)
    old, new = reason.old.strip("\n").split("\n"), reason.new.strip("\n").split("\n")
    if len(old) == len(new) == 1 and len(old[0]) + len(new[0]) <= PATH:
        return [f"{lines[0]} ({escape(old[0]) or 'nothing'} → {escape(new[0]) or 'nothing'})"]
    changes = [shorten(escape(line), 2 * PATH) for line in _changes(old, new)]
    return lines + _few(changes, most)


def _few(lines: list[str], most: int) -> list[str]:
    return lines[:most] + ([f"… {counted(len(lines) - most, 'more line')}"] if len(lines) > most else [])


def _changes(old: Sequence[str], new: Sequence[str]) -> list[str]:
    if len(old) + len(new) > 2000:  # comparing is quadratic; nobody reads that much
        return [f"{counted(len(old), 'line')} before, {counted(len(new), 'line')} now"]
    from difflib import unified_diff

    return [line for line in islice(unified_diff(old, new, n=0, lineterm=""), 2, None) if not line.startswith("@@")]


# ── for programs ─────────────────────────────────────────────────────────────────────────────────────────────────


def render_plan_json(
    plan: Plan,
    *,
    command: Command | None = None,
    needs: Needs | None = None,
    dag: str | None = None,
    packing: Mapping[str, object] | None = None,
) -> str:
    """One object: targets, counts (without collectors), jobs (up-to-date ones too) with files, decision and reasons.

    Args:
        dag: where given, JSON text of the DAG, which becomes the member ``dag``.
        packing: where given, the member ``packing``.
    """
    from flowrules.show.problems import problem_object

    unknown = set(plan.unknown)
    rows = tally(plan)
    return json_line(
        {
            "targets": list(plan.targets),
            "run": sum(row.run for row in rows),
            "may_run": sum(row.may for row in rows),
            "up_to_date": sum(row.skip for row in rows),
            "kept": list(plan.kept),
            "warnings": [problem_object(d) for d in plan.warnings],
            "jobs": [_job_object(plan, job, job.id in unknown, command, needs) for job in plan.jobs],
            **({} if dag is None else {"dag": json.loads(dag)}),
            **({} if packing is None else {"packing": packing}),
        }
    )


def _job_object(plan: Plan, job: Job, unknown: bool, command: Command | None, needs: Needs | None) -> dict[str, object]:
    decision = plan.decisions[job.id]
    shown: dict[str, object] = {
        "id": job.id,
        "rule": job.rule.name,
        "wildcards": job.wildcards,
        "inputs": list(job.inputs),
        "outputs": list(job.outputs),
        "needs": list(plan.needs[job.id]),
        "decision": decision.value,
        "reasons": [_reason_object(reason) for reason in plan.reasons[job.id]],
    }
    if unknown:
        shown["waits_for"] = sorted(job.waits)
    if needs and decision is not Decision.SKIP and job.rule.action is not None:
        shown["resources"] = dict(needs(job))
    if command and decision is not Decision.SKIP and job.rule.action is not None:
        shown["command"] = command(job)
    return shown


def _reason_object(reason: Reason) -> dict[str, str]:
    shown = {"cause": reason.cause.value, "subject": reason.subject, "old": reason.old, "new": reason.new}
    return {name: value for name, value in shown.items() if value}
