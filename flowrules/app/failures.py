"""The jobs of a directory whose last attempt failed, with the last lines they wrote, for `failures`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from flowrules.model.likeness import Failure
from flowrules.model.record import Identity, Record
from flowrules.record.logs import tail_of
from flowrules.record.store import Store

TAIL_LINES = 40


def open_failures(records: Iterable[Record], names: Collection[str] = ()) -> list[Record]:
    """The last attempt of each job that failed and did not end well later, in the order in which they ended.

    Jobs that were killed with their run are none: nothing is known to be wrong with them.

    Args:
        records: every attempt, oldest first.
        names: rules; empty for all.
    """
    failed: dict[Identity, Record] = {}
    for record in records:
        if names and record.rule not in names:
            continue
        if record.status == "failed":
            failed.pop(record.job, None)  # its place in the order is that of the last attempt
            failed[record.job] = record
        elif record.status != "killed":
            failed.pop(record.job, None)
    return list(failed.values())


def with_lines(records: Iterable[Record]) -> Iterator[Failure]:
    """Each failure with the last lines of its log, as far as that is still there."""
    for record in records:
        lines = tail_of(record.log, TAIL_LINES).splitlines() if record.log else []
        yield Failure(record, [line.rstrip() for line in lines if line.strip()])


def last_failure(store: Store, output: str) -> Failure | None:
    """The last attempt to make a file, with the last lines of its log, where it did not end well."""
    record = store.last_failure(output)
    return None if record is None else next(with_lines([record]))
