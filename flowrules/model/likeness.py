"""Which failures are alike: same rule, same end, same last words, names and numbers of the single job aside."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from flowrules.model.record import Record


class Failure(NamedTuple):
    """A job that failed, and the last lines it wrote, oldest first, without empty ones."""

    record: Record
    lines: Sequence[str]


class Alike(NamedTuple):
    """Failures that are alike, in the order in which they ended; at least one.

    ``words``: what their last lines have in common.
    """

    rule: str
    exit: int
    words: tuple[str, ...]
    failures: list[Failure]


_NUMBER: Final = re.compile(r"[-+]?\d*(?:[.,:/-]\d+)*(?:[eE][-+]?\d+)?")

_VARIES: Final = (
    (re.compile(r"0[xX][0-9a-fA-F]+"), "…"),
    (re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b"), "…"),
    (re.compile(r"/(?:var/)?tmp/[^\s'\"`:,;)]+"), "/tmp/…"),
    (re.compile(r"\b(?=[a-z]*\d)(?=\d*[a-z])[0-9a-f]{7,}\b"), "…"),
    (re.compile(rf"(?=[-+]?\d){_NUMBER.pattern}"), "N"),
    (re.compile(r"\s+"), " "),
)

_TELLING: Final = re.compile(
    r"error|fail|fatal|exception|abort|panic|cannot|can't|not found|no such|denied|invalid|unable|killed|refused|"
    r"exceeded|missing|assert|segmentation|traceback|overflow|singular|diverge|did not|too (?:many|large|small|long)",
    re.IGNORECASE,
)
"""What the line looks like that says what is wrong; often it is not the last one."""

LOOKED_AT: Final = 12
"""How many of the last lines are looked at for those that say what is wrong."""

TOLD: Final = 2
"""How many of those are compared: the last is often an `aborting` that says nothing."""


def alike(failures: Iterable[Failure]) -> list[Alike]:
    """Failures by likeness, the most frequent kind first, those of one size in the order in which they were met."""
    groups: dict[tuple[str, int, tuple[str, ...]], list[Failure]] = {}
    for failure in failures:
        record = failure.record
        groups.setdefault((record.rule, _own_end(record), last_words(failure)), []).append(failure)
    found = [Alike(*key, members) for key, members in groups.items()]
    return sorted(found, key=lambda group: -len(group.failures))


def last_words(failure: Failure) -> tuple[str, ...]:
    """What a failure says without what is only its own: the program's sentence, the lines that tell, the last one."""
    record, lines = failure
    if _was_ended(record):
        lines = ()
    values = sorted(
        (value for value in record.wildcards.values() if not _NUMBER.fullmatch(value)), key=len, reverse=True
    )
    said = [record.error] if record.error else []
    if lines:
        telling = [line for line in lines[-LOOKED_AT:] if _TELLING.search(line)]
        said += [*telling[-TOLD:], lines[-1]]
    return tuple(dict.fromkeys(_common(line, values) for line in said))


def _was_ended(record: Record) -> bool:
    """Whether this program ended it, and said why: then neither the signal nor its last lines tell anything."""
    return record.exit < 0 and bool(record.error)


def _own_end(record: Record) -> int:
    return 0 if _was_ended(record) else record.exit


def _common(line: str, values: Sequence[str]) -> str:
    for value in values:
        if value in line:
            line = re.sub(rf"(?<![A-Za-z0-9]){re.escape(value)}(?![A-Za-z0-9])", "…", line)
    for pattern, text in _VARIES:
        line = pattern.sub(text, line)
    return line.strip()[:400]
