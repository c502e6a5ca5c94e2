"""The state of every output, and what ran when: tables for people, one JSON object a line for programs."""

from __future__ import annotations

from collections.abc import Iterable
from time import localtime, strftime
from typing import Final, NamedTuple

from flowrules.model.files import Stamp
from flowrules.model.record import Record
from flowrules.show.grid import Column, grid
from flowrules.show.text import json_line
from flowrules.show.units import human_size, human_time


class OutputState(NamedTuple):
    """An output of a plan.

    Attributes:
        path: the file; ``rule`` makes it.
        state: what is to be done about it, in words.
        stamp: what the disk says; None where nothing is there.
        record: of the attempt that made it; None where unknown.
        reason: why its job runs or may run, else "".
    """

    path: str
    rule: str
    state: str
    stamp: Stamp | None = None
    record: Record | None = None
    reason: str = ""


_STYLES: Final = {
    "run": "run",
    "may run": "may",
    "up to date": "good",
    "done": "good",
    "failed": "error",
    "killed": "warning",
}

_SUMMARY: Final = (
    Column("output", cut="middle"),
    Column("rule", cut="end"),
    Column("state", styles=_STYLES),
    Column("made"),
    Column("took", right=True),
    Column("size", right=True),
    Column("why", cut="end"),
)

_HISTORY: Final = (
    Column("started"),
    Column("job", cut="middle"),
    Column("status", styles=_STYLES),
    Column("exit", right=True),
    Column("took", right=True),
    Column("cpu", right=True),
    Column("memory", right=True),
    Column("why", cut="end"),
    Column("log", cut="middle"),
)


def render_summary(
    states: Iterable[OutputState], form: str = "text", color: bool = False, columns: int | None = None
) -> str:
    """The state of outputs: a table (``form`` `text`), or one object a line (`json`): sizes in bytes, times in seconds.

    Args:
        columns: width of the terminal, to which paths and reasons are cut.
    """
    if form == "json":
        return "\n".join([json_line(_state_object(state)) for state in states])
    rows = [
        (
            state.path,
            state.rule,
            state.state,
            clock_text(_made(state)),
            human_time(state.record.elapsed) if state.record else "",
            human_size(state.stamp.size) if state.stamp and state.stamp.kind == "f" else "",
            state.reason,
        )
        for state in states
    ]
    return "\n".join(grid(_SUMMARY, rows, color=color, width=columns)) if rows else "no rule makes anything here"


def render_history(
    records: Iterable[Record], form: str = "text", color: bool = False, columns: int | None = None
) -> str:
    """Attempts in the order given: a table (``form`` `text`), or one object a line (`json`)."""
    if form == "json":
        return "\n".join([json_line(_record_object(record)) for record in records])
    rows = [
        (
            clock_text(record.started),
            record_label(record),
            record.status,
            str(record.exit) if record.exit else "",
            human_time(record.elapsed),
            human_time(record.cpu) if record.cpu else "",
            human_size(record.memory) if record.memory else "",
            record.reason,
            record.log,
        )
        for record in records
    ]
    return "\n".join(grid(_HISTORY, rows, color=color, width=columns)) if rows else "nothing ran here so far"


def record_label(record: Record) -> str:
    """Name of the job of a record: `relax mol=benzene`, with the number of a further attempt."""
    values = "".join(f" {name}={value}" for name, value in record.wildcards.items())
    return f"{record.rule}{values}{f' (attempt {record.attempt})' if record.attempt > 1 else ''}"


def clock_text(seconds: float) -> str:
    """Local date and time; "" for 0, `?` for what no clock shows."""
    try:
        return strftime("%Y-%m-%d %H:%M:%S", localtime(seconds)) if seconds else ""
    except (OverflowError, ValueError, OSError):
        return "?"


def _made(state: OutputState) -> float:
    if state.record:
        return state.record.ended
    return state.stamp.mtime_ns / 1e9 if state.stamp else 0.0


def _state_object(state: OutputState) -> dict[str, object]:
    stamp, record = state.stamp, state.record
    digest = next((made.digest for made in record.outputs if made.path == state.path), "") if record else ""
    return {
        "path": state.path,
        "rule": state.rule,
        "state": state.state,
        "reason": state.reason,
        "size": stamp.size if stamp else None,
        "modified": stamp.mtime_ns / 1e9 if stamp else None,
        "digest": digest or None,
        "made": record.ended if record else None,
        "elapsed": record.elapsed if record else None,
        "host": record.host if record else None,
        "log": record.log if record else None,
    }


def _record_object(record: Record) -> dict[str, object]:
    return {
        "rule": record.rule,
        "wildcards": record.wildcards,
        "attempt": record.attempt,
        "status": record.status,
        "exit": record.exit,
        "error": record.error,
        "reason": record.reason,
        "started": record.started,
        "ended": record.ended,
        "elapsed": record.elapsed,
        "cpu": record.cpu,
        "memory": record.memory,
        "threads": record.threads,
        "resources": record.resources,
        "gpus": record.gpus,
        "host": record.host,
        "log": record.log,
        "run": record.run,
        "inputs": [file.path for file in record.inputs],
        "outputs": [file.path for file in record.outputs],
    }
