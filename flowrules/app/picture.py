"""The DAG of a plan, drawn: as text for people or other programs, or as an HTML page with all that is known of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from flowrules.app.dryrun import commands_of, needs_of, packing_of
from flowrules.app.replacing import replace_file
from flowrules.app.session import disk_of, load, plan
from flowrules.app.settings import Request, Source
from flowrules.app.standing import standing
from flowrules.errors import UsageError
from flowrules.model.plan import Decision, Plan
from flowrules.model.record import identity
from flowrules.plan.build import Planned
from flowrules.plan.group import groups_of
from flowrules.record.store import Store
from flowrules.record.watch import view_blocks, view_driver
from flowrules.show.output import Output
from flowrules.show.plan_text import tally, totals
from flowrules.show.text import escape

_WORDS: Final = {"running": "running", "held": "waiting", "failed": "failed"}
"""States of a page, by those of jobs that are on their way."""


def draw(source: Source, request: Request, output: Output, form: str, level: str, file: str | None) -> int:
    """Draws the DAG of a call, to the output or into a file. Returns the exit status.

    Args:
        form: `html`, or one of `flowrules.show.dag.FORMATS`.
        level: what a node is; a page at the level of rules does not hold their jobs.
        file: absolute where the call names a directory to work in.

    Raises:
        FlowrulesError: the workflow or the call has a mistake, or the file cannot be written.
    """
    if form == "html" and level == "files":
        raise UsageError(
            "a page has no level of files", "it shows the files of each job; `--level rules` leaves jobs out"
        )
    if form == "html" and file is None and output.terminal:
        raise UsageError("an HTML page is not for a terminal", "name a file: `flowrules dag -o dag.html`")
    disk = disk_of(source)
    workflow = load(source, disk)
    store = Store.open(read_only=True)
    planned = plan(workflow, request, disk, store)
    if form == "html":
        text = dag_page(planned, request, workflow.config, store, jobs=level == "jobs")
    else:
        from flowrules.show.dag import render_dag

        text = render_dag(planned.plan, form, level, color=output.color and file is None)
    if file is None:
        output.text(text.rstrip("\n"))
        return 0
    replace_file(file, text.rstrip("\n") + "\n")
    near = os.path.relpath(file)
    output.line(f"wrote {escape(file if near.startswith('..') else near)}: {totals(tally(planned.plan))}")
    return 0


def dag_page(
    planned: Planned, request: Request, config: Mapping[str, object], store: Store, *, jobs: bool = True
) -> str:
    """The page; with the packing where the call names a batch profile.

    Args:
        store: what ran, for the states of jobs.
        jobs: rules unfold into their jobs; without them a page is small, however many there are.

    Raises:
        FlowrulesError: the jobs cannot be packed, or the profile has mistakes.
    """
    from flowrules.pages.columns import JOBS, Facts
    from flowrules.pages.dag import Packed, render_dag_page

    found = packing_of(planned, request)
    graph = planned.plan
    return render_dag_page(
        graph,
        Facts(
            commands_of(planned, config),
            needs_of(planned),
            groups_of(graph.jobs, graph.needs),
            states_now(graph, store),
        ),
        title=os.path.basename(os.getcwd()) or "/",
        made=f"as of {datetime.now().astimezone():%Y-%m-%d %H:%M %Z}",
        packed=None if found is None else Packed(*found),
        jobs=JOBS if jobs else 0,
    )


def states_now(plan: Plan, store: Store) -> dict[int, str]:
    """States of jobs that are more than planned, by id: those that run, wait in a block, or failed and are to run."""
    found = standing(store, view_driver("."), view_blocks(".")).states
    told = {job: _WORDS[state] for job, state in found.items() if state in _WORDS}
    states = {}
    for job in plan.jobs if told else ():  # mostly nothing runs and nothing failed
        state = told.get(identity(job.rule.name, job.wildcards.items()))
        if state is not None and (state != "failed" or plan.decisions[job.id] is not Decision.SKIP):
            states[job.id] = state
    return states
