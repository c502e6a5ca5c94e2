"""Failures by likeness: how many of each kind, what happened, what to do, one excerpt, and where all the logs are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from flowrules.model.likeness import Alike, Failure
from flowrules.show.cause import cause_of
from flowrules.show.progress import exit_text
from flowrules.show.tables import record_label
from flowrules.show.text import counted, escape, json_line, paint
from flowrules.show.units import human_size, human_time

KINDS: Final = 10
"""Kinds that are shown in full; of the others there is a line each."""

EXCERPT: Final = 6
"""Last lines of a log that are shown."""

LOGS: Final = 3
"""Logs of a kind that are named, unless all are asked for."""

LINES: Final = 30
"""Further kinds that are named."""


def render_failures(groups: Sequence[Alike], *, everything: bool = False, color: bool = False) -> str:
    """All kinds of failure for a person, the most frequent first.

    Args:
        everything: every kind in full, with the paths of all its logs.
    """
    if not groups:
        return "no job has failed, or what failed has ended well since"
    jobs = sum(len(group.failures) for group in groups)
    kinds = "" if jobs == 1 else f", {'all alike' if len(groups) == 1 else f'in {len(groups):,} different ways'}"
    shown = len(groups) if everything else min(KINDS, len(groups))
    blocks = [f"{counted(jobs, 'job')} failed{kinds}"]
    for number, group in enumerate(groups[:shown], 1):
        blocks.append("\n".join(_block(number, group, everything, color)))
    if shown < len(groups):
        blocks.append("\n".join(_others(groups[shown:], shown)))
    return "\n\n".join(blocks)


def failures_json(groups: Sequence[Alike]) -> str:
    """One object a line for each kind: rule, exit (negative: a signal), kind, what, advice, words, count, excerpt,
    and jobs, each with job (its label), wildcards, attempt, started, ended (seconds since the epoch), host, log, error.
    """
    return "\n".join([json_line(_object(group)) for group in groups])


def _block(number: int, group: Alike, everything: bool, color: bool) -> Iterator[str]:
    last = group.failures[-1]
    record, lines = last
    cause = cause_of(record, lines)
    count = f", {len(group.failures):,} jobs" if len(group.failures) > 1 else ""
    ending = exit_text(record)
    yield f"{paint(f'{number}. {escape(group.rule)}', 'bold', color)}{count}: {paint(ending, 'error', color)}"
    if cause.what and not (record.error and record.exit <= 0):  # else the line above says it
        yield f"   {escape(cause.what)}"
    if cause.advice:
        yield f"   {paint('hint:', 'hint', color)} {escape(cause.advice)}"
    which = "the last one was" if len(group.failures) > 1 else "it was"
    where = f" on {escape(record.host)}" if record.host else ""
    memory = f", {human_size(record.memory)} of memory" if record.memory else ""
    yield f"   {which} {escape(record_label(record))}{where}, {human_time(record.elapsed)}{memory}"
    for line in lines[-EXCERPT:]:
        yield f"   {paint('|', 'dim', color)} {escape(line.expandtabs(4))}"
    yield from _logs(group, everything)


def _logs(group: Alike, everything: bool) -> Iterator[str]:
    paths = [failure.record.log for failure in reversed(group.failures) if failure.record.log]
    if len(paths) == 1:
        yield f"   log: {escape(paths[0])}{'' if group.failures[-1].lines else ' (empty)'}"
    elif paths:
        yield "   logs:"
        shown = paths if everything else paths[: LOGS + (len(paths) == LOGS + 1)]
        for path in shown:
            yield f"     {escape(path)}"
        if len(shown) < len(paths):
            yield f"     … and {len(paths) - len(shown):,} more (`flowrules failures --all` names them)"


def _others(groups: Sequence[Alike], before: int) -> Iterator[str]:
    for number, group in enumerate(groups[:LINES], before + 1):
        failure = group.failures[-1]
        cause = cause_of(*failure)
        jobs = counted(len(group.failures), "job")
        what = f"; {escape(cause.what)}" if cause.what else ""
        yield f"{number}. {escape(group.rule)}, {jobs}: {exit_text(failure.record)}{what}"
    if len(groups) > LINES:
        rest = sum(len(group.failures) for group in groups[LINES:])
        yield f"… and {counted(rest, 'job')} in {len(groups) - LINES:,} more ways"
    yield "`flowrules failures --all` shows these in full, `flowrules failures RULE` those of a rule"


def _object(group: Alike) -> dict[str, object]:
    last = group.failures[-1]
    cause = cause_of(*last)
    return {
        "rule": group.rule,
        "exit": group.exit,
        "kind": cause.kind,
        "what": cause.what,
        "advice": cause.advice,
        "words": list(group.words),
        "count": len(group.failures),
        "excerpt": list(last.lines[-EXCERPT:]),
        "jobs": [_job(failure) for failure in group.failures],
    }


def _job(failure: Failure) -> dict[str, object]:
    record = failure.record
    return {
        "job": record_label(record),
        "wildcards": record.wildcards,
        "attempt": record.attempt,
        "started": record.started,
        "ended": record.ended,
        "host": record.host,
        "log": record.log,
        "error": record.error,
    }
