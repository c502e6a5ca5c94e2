"""Before anything runs, the texts and values of jobs are computed once, so that a mistake in them is told at once.

Not of every job: what is wrong with a rule is wrong with its first jobs, or with those whose wildcards hold unusual
text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from flowrules.errors import Diagnostic, FlowfileError
from flowrules.expr.shell_quote import is_plain
from flowrules.expr.world import World
from flowrules.model.job import Job
from flowrules.model.plan import Decision, Plan
from flowrules.model.values import Unknown
from flowrules.plan.command import Commands, NotYet
from flowrules.plan.mistakes import Mistakes
from flowrules.plan.reader import DiskReader, not_a_checkpoint
from flowrules.plan.recipe import STEPS_PER_JOB
from flowrules.ports import FileView

FIRST: Final = 20
"""Jobs of each rule that are rehearsed in any case."""

MOST: Final = 2_000
"""Jobs of each rule that are rehearsed at most."""


class RehearsalReader(DiskReader):
    """As `DiskReader`, but what a job of the plan will or may make is unknown."""

    def __init__(self, files: FileView, plan: Plan) -> None:
        super().__init__(files)
        self._plan = plan

    def _unknown(self, path: str) -> Unknown | None:
        maker = self._plan.producer.get(path)
        if maker is None or self._plan.decisions[maker] is Decision.SKIP:
            return None
        return Unknown(frozenset({path}))

    def read(self, path: str) -> bytes | Unknown:  # type: ignore[override]
        """Content of a file; see `flowrules.ports.Reader`."""
        return self._unknown(path) or super().read(path)

    def exists(self, path: str) -> bool | Unknown:  # type: ignore[override]
        """Whether a file is there; see `flowrules.ports.Reader`."""
        return self._unknown(path) or super().exists(path)

    def size(self, path: str) -> int | Unknown:  # type: ignore[override]
        """Bytes of a file; see `flowrules.ports.Reader`."""
        return self._unknown(path) or super().size(path)


def rehearse(plan: Plan, world: World, commands: Commands) -> None:
    """Computes what jobs that will or may run are given, as far as it is known.

    Args:
        world, commands: read through a `RehearsalReader`.

    Raises:
        FlowfileError: with what is wrong, each kind of mistake once.
    """
    mistakes = Mistakes()
    for job in _chosen(plan):
        world.meter.grow(STEPS_PER_JOB)
        for found in _wrong(job, plan, world, commands):
            mistakes.add((found.code, found.span), job.label, lambda found=found: found)  # type: ignore[misc]
    mistakes.refuse()


def _chosen(plan: Plan) -> Iterator[Job]:
    """The jobs that are rehearsed; one that waits for a checkpoint is not known well enough."""
    seen: Counter[int] = Counter()
    for job, decision in zip(plan.jobs, plan.decisions, strict=True):
        if decision is Decision.SKIP or job.waits:
            continue
        count = seen[job.rule.index]
        if count < FIRST or (count < MOST and not all(map(is_plain, job.values))):
            seen[job.rule.index] += 1
            yield job


def _wrong(job: Job, plan: Plan, world: World, commands: Commands) -> Iterator[Diagnostic]:
    rule, action = job.rule, job.rule.action
    try:
        values = commands.values(job)
        commands.environment(values, job)
        commands.retries(job, 0)
        commands.priority(job)
        texts = {**values.names(), "config": world.config, "mpirun": ""}
        if action is not None and action.kind == "shell":
            action.template.render(texts)
        if rule.message is not None:
            rule.message.render(texts)
    except NotYet as unknown:
        yield from _read_too_early(job, plan, world, unknown)
    except FlowfileError as error:
        yield from error.diagnostics


def _read_too_early(job: Job, plan: Plan, world: World, unknown: NotYet) -> Iterator[Diagnostic]:
    """A file that is no input may not be there when the job starts."""
    for path in sorted(unknown.paths):
        maker = plan.producer.get(path)
        if maker is not None and path not in job.inputs and not plan.jobs[maker].rule.checkpoint:
            yield from not_a_checkpoint(path, plan.jobs[maker], world.reads.get(path)).diagnostics
