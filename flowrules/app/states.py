"""The state of every output of a plan, for `summary`."""

from __future__ import annotations

from collections.abc import Iterator

from flowrules.model.files import Stamp
from flowrules.model.plan import Decision, Plan
from flowrules.model.record import Record
from flowrules.ports import FileView, History
from flowrules.show.tables import OutputState


def output_states(plan: Plan, files: FileView, history: History) -> Iterator[OutputState]:
    """One state for each output of each job, makers before users."""
    for job, decision, reasons in zip(plan.jobs, plan.decisions, plan.reasons, strict=True):
        for output, path in zip(job.rule.outputs, job.outputs, strict=True):
            stamp = files.stat(path)
            record = history.last(path)
            yield OutputState(
                path=path,
                rule=job.rule.name,
                state=_state(stamp, record, decision, output.flags.temp),
                stamp=stamp,
                record=record,
                reason=str(reasons[0]) if reasons else "",
            )


def _state(stamp: Stamp | None, record: Record | None, decision: Decision, temp: bool) -> str:
    if decision is not Decision.SKIP:
        return str(decision.value)
    if stamp is None:
        return "temp, deleted" if temp and record is not None else "missing, not needed"
    return "up to date"
