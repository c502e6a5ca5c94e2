"""What is remembered of a job's attempts: the last one that succeeded decides whether it must run again."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

from flowrules.model.files import FileRecord
from flowrules.model.quantity import QuantityError, parse_quantity

Identity: TypeAlias = tuple[str, tuple[tuple[str, str], ...]]
"""Which job it is, across plans and runs: its rule and its wildcards, sorted."""


def identity(rule: str, wildcards: Iterable[tuple[str, str]]) -> Identity:
    """The identity of a job, from the name of its rule and its wildcards' names and values."""
    return rule, tuple(sorted(wildcards))


@dataclass(slots=True)
class Record:
    """One attempt of a job that ended.

    Attributes:
        rule, wildcards: which job it was.
        outputs: its outputs as they were when it ended; empty for a failed attempt. The first is the record's key.
        inputs: its inputs as they were when it started.
        code: digest of the command as written; the text is kept once per digest.
        params: the parameters as canonical JSON.
        environment: digest of the software environment; "" where none is declared.
        status: ``done``, ``failed``, ``killed`` (by the user or the driver), or ``touched`` (accepted by --touch).
        exit: exit status, negative for a signal.
        reason: why it ran, as shown to the user.
        error: what went wrong, for an attempt that failed.
        started, ended: seconds since the epoch, by the clock of ``host``.
        cpu: CPU seconds, user and system, of all its processes.
        memory: peak resident set, bytes; 0 where not measured.
        log: where its output and error went.
        run: the run of flowrules that started it.
    """

    rule: str
    wildcards: dict[str, str]
    outputs: list[FileRecord]
    inputs: list[FileRecord] = field(default_factory=list)
    code: str = ""
    params: str = ""
    environment: str = ""
    status: Literal["done", "failed", "killed", "touched"] = "done"
    exit: int = 0
    reason: str = ""
    error: str = ""
    attempt: int = 1
    started: float = 0.0
    ended: float = 0.0
    cpu: float = 0.0
    memory: int = 0
    threads: int = 1
    resources: dict[str, str] = field(default_factory=dict)
    gpus: list[str] = field(default_factory=list)
    host: str = ""
    log: str = ""
    run: str = ""
    command: str = ""

    @property
    def job(self) -> Identity:
        """Which job it was an attempt of."""
        return identity(self.rule, self.wildcards.items())

    @property
    def elapsed(self) -> float:
        """Wall time in seconds."""
        return self.ended - self.started


class Timing(NamedTuple):
    """What an attempt that succeeded says of the times of its rule.

    Attributes:
        seconds: what it took; declared: its walltime as the rule declared it then, in seconds, None without one.
        size: bytes of all its inputs.
    """

    rule: str
    seconds: float
    declared: float | None = None
    size: int = 0


def timing_of(record: Record) -> Timing:
    """What a record says of the times of its rule."""
    declared = None
    with suppress(QuantityError):
        walltime = parse_quantity(record.resources.get("walltime", ""))
        declared = float(walltime.amount) if walltime.kind == "seconds" and walltime else None
    return Timing(record.rule, record.elapsed, declared, sum(file.size for file in record.inputs))
