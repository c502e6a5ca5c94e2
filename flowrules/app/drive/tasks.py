"""Jobs as tasks of a block: the command rendered, private files written, the record drafted."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace

from flowrules.app.attempt import Workshop, outputs_of
from flowrules.execute.actions import Preparer, Scratch
from flowrules.execute.calls import call_launch
from flowrules.execute.mpirun import MPIRUN
from flowrules.model.block import Task, task_name
from flowrules.model.events import Need, Slot
from flowrules.model.job import Job
from flowrules.model.quantity import Quantity
from flowrules.model.record import Record
from flowrules.model.rule import CallAction
from flowrules.plan.build import Planned


class TaskMaker:
    """Makes tasks.

    Args:
        epoch: number of this driver's reign; it makes the names of tasks unique.
    """

    def __init__(self, workshop: Workshop, epoch: int) -> None:
        self._workshop = workshop
        self._epoch = epoch
        self._made: dict[int, int] = {}
        self._preparers: dict[str, Preparer] = {}  # of each folder; it remembers where programs are

    def make(
        self,
        planned: Planned,
        job: Job,
        attempt: int,
        need: Need,
        reason: str,
        *,
        folder: str,
        after: tuple[str, ...] = (),
        made: frozenset[str] = frozenset(),
        expected: float = 1.0,
        group: str | None = None,
        last: bool = False,
    ) -> Task:
        """The next task of a job.

        Args:
            folder: where private files of the block's tasks lie; on a file system that its nodes see.
            after: tasks that make its inputs ``made``, which do not exist yet.

        Raises:
            FlowrulesError: an input is not there, or a text cannot be computed (yet).
            CannotStart: a program is missing, or a private file cannot be written.
        """
        workshop = self._workshop
        number = self._made[job.id] = self._made.get(job.id, 0) + 1
        inputs = [workshop.input(job, path) for path in job.inputs if path not in made]
        slot = Slot(need.cores)
        drafted, values = workshop.draft(planned, job, attempt, slot, reason, inputs, MPIRUN)
        order = replace(drafted.order, attempt=number)  # private files of two tasks of one job do not share a name
        if isinstance(order.action, CallAction):
            launch = call_launch(order, order.action, sys.executable, Scratch(folder))
        else:
            if folder not in self._preparers:
                self._preparers[folder] = Preparer(sys.executable, Scratch(folder))
            launch = self._preparers[folder].prepare(order)
        limit = values.resources.get("walltime")
        return Task(
            name=task_name(self._epoch, job.id, number),
            label=job.label,
            argv=launch.argv,
            outputs=outputs_of(job),
            draft=drafted.record,
            need=need,
            after=after,
            env={**order.env, **launch.env, **ranks_of(values.resources)},
            inputs=inputs,
            made=[path for path in job.inputs if path in made],
            logs=list(values.log),
            benchmarks=list(values.benchmark),
            expected=expected,
            limit=float(limit.amount) if isinstance(limit, Quantity) else None,
            priority=planned.commands.priority(job),
            group=group,
            log=order.log,
            last=last,
        )


def ranks_of(resources: Mapping[str, object]) -> dict[str, str]:
    """What a job of several ranks asks for, as variables from which the runner makes `{mpirun}`."""
    names = ("ranks", "ranks_per_node", "gpus_per_rank", "threads_per_rank")
    return {f"FLOWRULES_{name.upper()}": str(resources[name]) for name in names if name in resources}


def unlike(draft: Record, now: Record) -> bool:
    """Whether a task that a block holds is not what the job would be today: its command or its params changed."""
    return (draft.code, draft.params, draft.environment) != (now.code, now.params, now.environment)
