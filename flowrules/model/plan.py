"""The DAG plus a decision and its reasons for each job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from flowrules.errors import Diagnostic
from flowrules.model.job import Job

if TYPE_CHECKING:
    import networkx


class Decision(Enum):
    """What is to be done with a job."""

    RUN = "run"
    """It will run."""
    MAY = "may run"
    """It runs if something it depends on turns out to have changed."""
    SKIP = "up to date"
    """Nothing is to be done."""


class Cause(Enum):
    """Why a job runs; the value is how the dry run names it."""

    __hash__ = object.__hash__  # that of Enum is a function in Python, and a plan counts a million of these

    FORCED = "forced"
    NO_OUTPUT = "no output to check"
    UNFINISHED = "last run did not finish"
    MISSING = "missing output"
    NEWER = "newer input"
    CHANGED = "changed input"
    CODE = "changed command"
    PARAMS = "changed params"
    INPUTS = "changed set of inputs"
    ENVIRONMENT = "changed environment"
    UPSTREAM = "an input will be made anew"
    NEEDED = "a job that may run needs its output"
    WAITS = "waits for a checkpoint"


class Reason(NamedTuple):
    """One cause with what it is about: a file, or an old and a new value."""

    cause: Cause
    subject: str = ""
    old: str = ""
    new: str = ""

    def __str__(self) -> str:
        return f"{self.cause.value}: {self.subject}" if self.subject else self.cause.value


@dataclass(slots=True)
class Plan:
    """What `make_plan` found.

    Attributes:
        jobs: every job the targets need, each after the jobs it needs; ``jobs[i].id == i``.
        needs: for each job the ids of the jobs that make its inputs (and of checkpoints it waits for).
        decisions: one per job.
        reasons: one tuple per job, the deciding reason first; empty for jobs that are up to date.
        producer: which job makes a path.
        targets: paths asked for, after rule names were resolved.
        target_jobs: ids of jobs asked for.
        kept: sources that a rule once made and whose own inputs are gone.
        unknown: ids of jobs that are not fully known before a checkpoint has run.
        warnings: diagnostics that are no errors.
    """

    jobs: list[Job] = field(default_factory=list)
    needs: list[tuple[int, ...]] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    reasons: list[tuple[Reason, ...]] = field(default_factory=list)
    producer: Mapping[str, int] = field(default_factory=dict)
    targets: tuple[str, ...] = ()
    target_jobs: tuple[int, ...] = ()
    kept: tuple[str, ...] = ()
    unknown: tuple[int, ...] = ()
    warnings: tuple[Diagnostic, ...] = ()

    def to_run(self) -> list[Job]:
        """Jobs that will run."""
        return [job for job, d in zip(self.jobs, self.decisions, strict=True) if d is Decision.RUN]

    def may_run(self) -> list[Job]:
        """Jobs that may run, depending on what others turn out to make."""
        return [job for job, d in zip(self.jobs, self.decisions, strict=True) if d is Decision.MAY]

    @property
    def graph(self) -> networkx.DiGraph[int]:
        """Job ids and who needs whom (edges from maker to user), each node with its ``job`` and ``decision``."""
        from flowrules.model.dag import graph_of

        return graph_of(self)
