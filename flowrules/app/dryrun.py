"""The dry run: plans and shows, runs nothing, writes nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from flowrules.app.memory import Remembering
from flowrules.app.session import disk_of, flowfile_of, load, plan
from flowrules.app.settings import Request, Source
from flowrules.errors import FlowfileError
from flowrules.show.output import Output

if TYPE_CHECKING:
    from flowrules.model.job import Job
    from flowrules.model.packing import Packing
    from flowrules.plan.build import Planned
    from flowrules.show.packing import ShownBlock


def dry_run(
    source: Source,
    request: Request,
    output: Output,
    form: str,
    *,
    verbose: bool = False,
    quiet: bool = False,
    dag: str | None = None,
) -> int:
    """Shows what a run would do. Returns the exit status.

    Args:
        dag: the form in which the DAG is shown: `text` follows the plan, `json` is a part of it where ``form`` is
            `json`, and any other takes its place, so that it can be piped into a program that draws it.

    Raises:
        FlowrulesError: the workflow or the call has a mistake.
    """
    from flowrules.show.plan_text import plan_lines, render_plan_json, tally, totals, up_to_date_lines

    disk = disk_of(source)
    remembering = Remembering(source, request, flowfile_of(source), disk)
    recalled = remembering.recall()
    plain = form == "text" and dag is None and request.batch is None and not (verbose or request.run.print_commands)
    if recalled is not None and recalled.nothing_to_do and plain:
        for line in up_to_date_lines(recalled.memory.active, recalled.memory.targets, quiet=quiet):
            output.line(line)
        return 0
    from flowrules.record.store import Store

    workflow = load(source, remembering.files, remembering.environ)
    store = Store.open(read_only=True)
    planned = plan(workflow, request, disk, store, remembering)
    command = commands_of(planned, workflow.config) if request.run.print_commands else None
    needs = needs_of(planned)
    if dag == "html":
        from flowrules.app.picture import dag_page

        output.text(dag_page(planned, request, workflow.config, store).rstrip("\n"))
        return 0
    packing = packing_of(planned, request)
    drawn = None
    if dag is not None:
        from flowrules.show.dag import render_dag

        drawn = render_dag(planned.plan, dag, "jobs", color=output.color)
    if form == "json":
        extra = None
        if packing is not None:
            from flowrules.show.packing import packing_object

            extra = packing_object(*packing[:2])
        output.line(render_plan_json(planned.plan, command=command, needs=needs, dag=drawn, packing=extra))
        return 0
    if drawn is not None and dag != "text":
        output.text(drawn)
        return 0
    if quiet:
        output.line(totals(tally(planned.plan)))
    else:
        color, width = output.color, output.columns
        for line in plan_lines(planned.plan, verbose=verbose, color=color, width=width, command=command, needs=needs):
            output.line(line)
        if packing is not None:
            from flowrules.show.packing import packing_lines

            for line in packing_lines(*packing, width=width, color=color):
                output.line(line)
    if drawn is not None:
        output.line(f"\n{drawn}")
    return 0


def packing_of(planned: Planned, request: Request) -> tuple[Packing, Sequence[ShownBlock], str] | None:
    """The packing, the blocks with their queues, and the machine in words; None where the call names no batch profile.

    Raises:
        FlowrulesError: the profile has mistakes, or a job fits nowhere.
    """
    if request.batch is None:
        return None
    from flowrules.app.drive.batch import profile_of
    from flowrules.app.drive.packing import machine_of, packed

    profile = profile_of(request.batch, os.environ)
    if profile.scheduler == "none":
        return None
    return *packed(planned, request, profile), machine_of(profile, sandbox=request.batch.sandbox)


def commands_of(planned: Planned, config: Mapping[str, object]) -> Callable[[Job], str]:
    """A function from jobs to the commands they would run, as far as known before they do."""

    def command(job: Job) -> str:
        action = job.rule.action
        if action is None:
            return ""
        if action.kind == "call":
            return f"call: {action.path or action.module}:{action.function}"
        if action.kind != "shell":
            return f"{action.kind}: {getattr(action, 'path', None) or '(Python block)'}"
        try:
            values = planned.commands.values(job)
        except FlowfileError as error:
            return f"? ({error.diagnostics[0].message})"
        return action.template.render({**values.names(), "config": config, "mpirun": ""})

    return command


def needs_of(planned: Planned) -> Callable[[Job], Mapping[str, str]]:
    """A function from jobs to the threads and resources they ask for, `?` where not known yet."""

    def needs(job: Job) -> dict[str, str]:
        try:
            values = planned.commands.values(job, params=False)
        except FlowfileError:
            return {"threads": "?"}
        return {"threads": str(values.threads), **{k: str(v) for k, v in values.resources.items()}}

    return needs
