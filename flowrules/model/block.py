"""What driver and runner of a block tell each other: a block, the tasks it is handed, and how attempts ended.

A task is one attempt of a job, complete: a runner needs neither the Flowfile nor the plan. Its name is
``EPOCH J JOB . ATTEMPT`` (`7J17.2`): unique over all drivers that ever held the directory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from flowrules.model.events import Need
from flowrules.model.files import FileRecord
from flowrules.model.profile import NodeShape
from flowrules.model.record import Record
from flowrules.model.values import Flags

RESERVE: Final = 60.0
"""Seconds before its walltime at which a block is over for jobs; a tenth of it where that is less."""


def usable(walltime: float) -> float:
    """Seconds of a walltime in which jobs may run."""
    return walltime - min(RESERVE, walltime / 10)


@dataclass(frozen=True, slots=True)
class BlockSpec:
    """What `block.json` says; it never changes.

    Attributes:
        campaign: marks everything of this working directory; block: its name in the campaign, `b003`.
        name: under which the batch system knows it, unique for ever; nonce: a secret that agents begin lines with.
        directory: the working directory, absolute.
        walltime: seconds that were asked for.
        running: at most so many jobs at once, until a grant says otherwise; None: as many as fit.
        python: interpreter of Python rules on the nodes.
        after: blocks that are over when this one begins; its tasks may need ends of theirs.
        tokens: what its tasks may hold at once of resources that all blocks share, until a grant says otherwise.
        plain: it has no runner, but a script that holds all its tasks.
    """

    campaign: str
    block: str
    name: str
    nonce: str
    directory: str
    nodes: int
    walltime: float
    node: NodeShape
    launcher: str
    worker_init: str = ""
    running: int | None = None
    idle: float = 300.0
    latency_wait: float = 60.0
    hash_limit: int = 1 << 20
    keep_incomplete: bool = False
    python: str = ""
    queue: str = ""
    after: tuple[str, ...] = ()
    tokens: Mapping[str, float] = field(default_factory=dict)
    plain: bool = False


@dataclass(frozen=True, slots=True)
class Task:
    """One attempt of a job, as a block is handed it.

    Attributes:
        after: names of tasks of the same block that must have ended well before.
        argv: what is run, without a shell of its own; environment variables in ``env`` on top of the slot's.
        outputs: paths with their flags; logs, benchmarks: files of the rule that are written beside them.
        inputs: those that exist when it is handed over, as the driver saw them; the node waits for them to appear.
        made: inputs that tasks named in ``after`` make.
        need: what it occupies; expected: seconds; limit: seconds after which it is stopped (its `walltime`), or None.
        log: file for its output and error, relative to the directory.
        last: its failure ends the run, so that the block starts nothing more.
        draft: the record as far as the driver knows it (rule, wildcards, code, params, reason, attempt, …).
    """

    name: str
    label: str
    argv: Sequence[str]
    outputs: Sequence[tuple[str, Flags]]
    draft: Record
    need: Need
    after: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    inputs: Sequence[FileRecord] = ()
    made: Sequence[str] = ()
    logs: Sequence[str] = ()
    benchmarks: Sequence[str] = ()
    expected: float = 1.0
    limit: float | None = None
    priority: float = 0.0
    group: str | None = None
    log: str = ""
    last: bool = False


def task_name(epoch: int, job: int, number: int) -> str:
    """`5J17.2`: the second task that the driver of an epoch makes of a job."""
    return f"{epoch}J{job}.{number}"


def epoch_of(task: str) -> int:
    """The epoch of the driver that made a task, by its name; 0 where it tells none."""
    epoch = task.partition("J")[0]
    return int(epoch) if epoch.isdecimal() else 0


@dataclass(frozen=True, slots=True)
class TaskEnd:
    """How an attempt ended, as the runner wrote it down.

    Attributes:
        record: complete; its status is `done`, `failed` or `killed`, its outputs were looked at by the runner.
        node, gpus, cpus: where it ran.
    """

    task: str
    record: Record
    node: str = ""
    gpus: tuple[str, ...] = ()
    cpus: str = ""
