"""Gathers what a report tells: the record of a campaign, its blocks, its failures, results, DAG and configuration."""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Iterator, Sequence

from flowrules.app.failures import open_failures, with_lines
from flowrules.app.replacing import replace_file
from flowrules.app.results import shown
from flowrules.app.session import disk_of, load, plan
from flowrules.app.settings import Request, Source
from flowrules.app.status import block_state
from flowrules.errors import FlowrulesError
from flowrules.execute.machine import cores
from flowrules.model.likeness import alike
from flowrules.model.plan import Plan
from flowrules.model.record import Record
from flowrules.model.workflow import Workflow
from flowrules.pages.campaign import BlockUse, Report, RunUse
from flowrules.pages.report import render_report
from flowrules.plan.fingerprint import plain
from flowrules.plan.policy import LOOKING
from flowrules.record.store import Run, Store
from flowrules.record.watch import BlockView, view_blocks, view_driver
from flowrules.show.output import Output
from flowrules.show.text import counted, escape


def report(source: Source, output: Output, file: str, targets: tuple[str, ...], *, everything: bool = False) -> int:
    """Writes the report of the last campaign into a file. Returns the exit status.

    Args:
        everything: all that is recorded, not only the last campaign.

    Raises:
        FlowrulesError: nothing is recorded, or the file cannot be written.
    """
    store = Store.open(read_only=True)
    runs, attempts = campaign_of(store, everything=everything)
    if not runs and not attempts:
        raise FlowrulesError("nothing ran here so far", "a report is of what has run: `flowrules` runs the workflow")
    workflow, planned, trouble = _planned(source, targets, store)
    found = Report(
        title=os.path.basename(os.getcwd()) or "/",
        now=time.time(),
        running=_running(),
        attempts=attempts,
        runs=[_run(run) for run in runs],
        blocks=list(_blocks(runs)),
        failures=alike(with_lines(open_failures(attempts))),
        commands={code: store.code_text(code) for code in {record.code for record in attempts} if code},
        shown=list(shown(planned, file)) if planned else (),
        cores=cores(),
        gpus=len({gpu for record in attempts for gpu in record.gpus}),
        dag=_picture(planned) if planned else "",
        dag_note=trouble,
        configuration=_configuration(workflow) if workflow else "",
    )
    replace_file(file, render_report(found))
    near = os.path.relpath(file)
    told = escape(file if near.startswith("..") else near)
    output.line(f"wrote {told}: {counted(len(attempts), 'attempt')}, {counted(len(found.shown), 'result')}")
    return 0


def campaign_of(store: Store, *, everything: bool = False) -> tuple[list[Run], list[Record]]:
    """The last campaign: the last run in which anything ran, and those before it, back to one that left nothing to do.

    Args:
        everything: all that is recorded.
    """
    runs, records = store.runs(), list(store.records())
    if everything or not runs:
        return runs, records
    busy = {record.run for record in records}
    last = next((at for at in range(len(runs) - 1, -1, -1) if runs[at].id in busy), len(runs) - 1)
    first = last
    while first and not _ended_well(runs[first - 1]):
        first -= 1
    since = runs[first].started
    chosen = {run.id for run in runs[first:]}
    return runs[first:], [record for record in records if record.run in chosen or record.ended >= since]


def _ended_well(run: Run) -> bool:
    """Whether a run ended and left nothing undone, as far as it was told."""
    result = run.result
    return run.ended is not None and not any(result.get(name) for name in ("failed", "blocked", "left", "interrupted"))


def _run(run: Run) -> RunUse:
    info, result = run.info, run.result
    who = "@".join(str(info[name]) for name in ("user", "host") if info.get(name))
    counts = [f"{value:,} {name}" for name, value in result.items() if isinstance(value, int) and value]
    told = ", ".join(counts) or "nothing to do" if run.ended is not None else "goes on, or was killed"
    return RunUse(run.started, run.ended, str(info.get("command", "")), who, told)


def _running() -> bool:
    driver = view_driver(".")
    return driver is not None and not driver.ended and driver.alive is not False


def _blocks(runs: Sequence[Run]) -> Iterator[BlockUse]:
    """Blocks that began since the campaign did, or have yet to begin."""
    since = runs[0].started if runs else 0.0
    now = time.time()
    for view in view_blocks("."):
        if view.since + 1 < since if view.begin is not None else view.over:
            continue
        spec = view.spec
        yield BlockUse(
            spec.block,
            view.batch or (view.begin.batch if view.begin is not None else ""),
            spec.queue,
            block_state(view).value,
            spec.nodes,
            spec.walltime,
            view.since,
            _end(view, now),
            len(spec.node.gpus),
            spec.node.cpus,
        )


def _end(view: BlockView, now: float) -> float:
    """When a block ended: its runner's last word; now where it goes on."""
    if not view.since:
        return 0.0
    return now - view.silent if view.over or view.closed is not None else now


# ── the workflow as it is now ────────────────────────────────────────────────────────────────────────────────────


def _planned(source: Source, targets: tuple[str, ...], store: Store) -> tuple[Workflow | None, Plan | None, str]:
    """Workflow and plan, as far as they can be had, and why not."""
    workflow = None
    try:
        disk = disk_of(source)
        workflow = load(source, disk)
        return workflow, plan(workflow, Request(targets, LOOKING), disk, store).plan, ""
    except FlowrulesError as error:
        return workflow, None, f"The workflow cannot be planned as it is now: {error}"


def _picture(planned: Plan) -> str:
    from flowrules.show.dag import render_dag

    svg = render_dag(planned, "svg", "rules")
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode("utf-8", "replace")).decode("ascii")


def _configuration(workflow: Workflow) -> str:
    if not workflow.config:
        return ""
    return json.dumps(plain(workflow.config), indent=2, ensure_ascii=False, default=str)
