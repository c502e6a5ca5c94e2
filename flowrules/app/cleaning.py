"""`clean`: which outputs go, and their going."""

from __future__ import annotations

from collections.abc import Sequence

from flowrules.app.session import disk_of, load, plan
from flowrules.app.settings import Request, Source
from flowrules.errors import FlowrulesError
from flowrules.model.plan import Plan
from flowrules.plan.policy import LOOKING
from flowrules.ports import FileView
from flowrules.record.lock import acquire
from flowrules.record.outputs import remove
from flowrules.record.owner import Owner
from flowrules.record.store import Store
from flowrules.show.output import Output
from flowrules.show.text import counted, escape
from flowrules.show.units import human_size


def clean(source: Source, targets: Sequence[str], output: Output, *, only_temp: bool, delete: bool) -> int:
    """Shows which existing outputs of a plan would go, or deletes them. Returns the exit status."""
    disk = disk_of(source)
    workflow = load(source, disk)
    planned = plan(workflow, Request(tuple(targets), LOOKING), disk, Store.open(read_only=True))
    going = removable(planned.plan, disk, only_temp=only_temp)
    if not going:
        output.line("nothing to delete")
        return 0
    if not delete:
        for path in going:
            output.line(escape(path))
        size = sum(stamp.size for path in going if (stamp := disk.stat(path)) is not None)
        output.line(f"{counted(len(going), 'file')} would be deleted ({human_size(size)}); add `--yes` to do it")
        return 0
    with acquire(".", Owner.here(command="flowrules clean"), tell=output.line):
        failed = 0
        for path in going:
            try:
                remove(disk, path)
            except FlowrulesError as error:
                failed += 1
                output.line(f"`{escape(path)}` cannot be deleted: {error.message}")
    output.line(f"deleted {counted(len(going) - failed, 'file')}")
    return 1 if failed else 0


def removable(plan: Plan, files: FileView, *, only_temp: bool) -> list[str]:
    """Existing outputs of a plan's jobs: all, or those marked temp; logs and protected files stay."""
    return [
        path
        for job in plan.jobs
        for output, path in zip(job.rule.outputs, job.outputs, strict=True)
        if (output.flags.temp or not only_temp)
        and (stamp := files.stat(path)) is not None
        and (stamp.writable or not output.flags.protected)
    ]
