"""What is done when an attempt has ended, wherever it ran: its outputs looked at, kept or removed; logs left beside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flowrules.errors import FlowrulesError
from flowrules.model.record import Record
from flowrules.model.values import Flags
from flowrules.record.disk import Disk
from flowrules.record.logs import leave_log, write_benchmark
from flowrules.record.outputs import check_outputs, keep_aside, protect, remove_outputs


@dataclass(frozen=True, slots=True)
class Promised:
    """The files an attempt is to make, and those that are left beside them."""

    outputs: Sequence[tuple[str, Flags]]
    logs: Sequence[str] = ()
    benchmarks: Sequence[str] = ()


def finish(
    disk: Disk, record: Record, files: Promised, *, patient: bool, hash_limit: int, keep_incomplete: bool
) -> bool:
    """Complete the record of an attempt: status, outputs, error. It says already how the process ended.

    Args:
        patient: outputs that are not there may still appear.
        hash_limit: bytes up to which a file's record gets a digest.
        keep_incomplete: what a failed attempt left is kept aside, not removed.

    Returns:
        False where outputs are missing and it is worth looking again; nothing has changed then.
    """
    failed = record.exit != 0
    if not failed:  # an error that comes with status 0 is a remark, such as on processes left behind
        checked = check_outputs(disk, files.outputs, hash_limit)
        if checked.missing and patient and not checked.problems:
            return False
        record.outputs = checked.records
        if not checked.ok:
            failed = True
            record.error = _joined([*checked.problems, *map(_not_made, checked.missing), record.error])
    record.status = "failed" if failed else "done"
    if files.logs or files.benchmarks:
        _leave_beside(disk, record, files)
    if record.status == "done":
        if problems := _protect(disk, files.outputs):
            record.error = _joined([record.error, *problems])
    else:
        record.outputs = []
        record.error = _joined([record.error, *discard(disk, files.outputs, keep=keep_incomplete)])
    return True


def _joined(problems: Sequence[str]) -> str:
    return "; ".join(filter(None, problems))


def _protect(disk: Disk, outputs: Sequence[tuple[str, Flags]]) -> list[str]:
    """Make protected outputs read-only; where that is not possible, in sentences: they are good all the same."""
    problems = []
    for path, flags in outputs:
        if flags.protected:
            try:
                protect(disk, path)
            except FlowrulesError as error:
                problems.append(error.message)
    return problems


def discard(disk: Disk, outputs: Sequence[tuple[str, Flags]], *, keep: bool) -> list[str]:
    """Remove what a failed attempt left, or keep it aside; what went wrong, in sentences."""
    if not keep:
        return remove_outputs(disk, outputs)
    problems = []
    for path, flags in outputs:
        if not flags.update:
            try:
                keep_aside(disk, path)
            except FlowrulesError as error:
                problems.append(error.message)
    return problems


def _leave_beside(disk: Disk, record: Record, files: Promised) -> None:
    """The rule's log gets what the job said, unless it wrote it itself; its benchmark file gets what it took."""
    disk.forget((*files.logs, *files.benchmarks))
    try:
        for path in files.logs:
            leave_log(disk.locate(record.log), disk.locate(path))
        if record.status == "done":
            for path in files.benchmarks:
                write_benchmark(disk.locate(path), record)
    except OSError as error:
        record.status = "failed"
        record.error = f"`{error.filename}` cannot be written: {(error.strerror or str(error)).lower()}"


def _not_made(path: str) -> str:
    return f"the output `{path}` was not made"
