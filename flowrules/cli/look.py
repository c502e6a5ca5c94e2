"""`flowrules summary` and `flowrules history`: what there is, and how it came about."""

from __future__ import annotations

from typing import Any

import click

from flowrules.cli.completing import complete_rules, complete_targets
from flowrules.cli.options import (
    FOLDER,
    Sections,
    enter,
    format_option,
    number,
    source_of,
    source_options,
)
from flowrules.cli.texts import output


@click.command("summary", cls=Sections)
@click.argument("targets", nargs=-1, metavar="[TARGET]...", shell_complete=complete_targets)
@format_option(["text", "json"])
@source_options
def summary_command(**options: Any) -> int:  # noqa: ANN401 - click hands over what it parsed
    """Show the state of every output that TARGETs need.

    \b
    flowrules summary                  all outputs of the default target
    flowrules summary --format json    for a program
    """
    from flowrules.app.session import disk_of, load, plan
    from flowrules.app.settings import Request
    from flowrules.app.states import output_states
    from flowrules.plan.policy import LOOKING
    from flowrules.record.store import Store
    from flowrules.show.tables import render_summary

    out = output()
    source = source_of(options)
    disk = disk_of(source)
    store = Store.open(read_only=True)
    request = Request(tuple(options["targets"]), LOOKING)
    planned = plan(load(source, disk), request, disk, store)
    out.text(render_summary(output_states(planned.plan, disk, store), options["form"], out.color, out.columns))
    return 0


@click.command("history", cls=Sections)
@click.argument("names", nargs=-1, metavar="[RULE or FILE]...", shell_complete=complete_rules)
@click.option("-n", "--last", callback=number(1), metavar="N", help="Only the last N attempts.")
@click.option("-d", "--directory", type=FOLDER, metavar="DIR", help="Of this directory.")
@click.option("--failed", is_flag=True, help="Only attempts that failed.")
@format_option(["text", "json"])
def history_command(names: tuple[str, ...], last: int | None, directory: str | None, failed: bool, form: str) -> int:
    """Show what ran when, how long and why.

    \b
    flowrules history -n 20            the last twenty attempts
    flowrules history align --failed   failures of rule `align`
    flowrules history results/a.bam    how this file was made
    """
    from collections import deque

    from flowrules.plan.targets import path_of
    from flowrules.record.store import Store
    from flowrules.show.tables import render_history

    out = output()
    if directory is not None:
        enter(directory)
    wanted = {*names, *map(path_of, names)}
    records = (
        record
        for record in Store.open(read_only=True).records()
        if (not failed or record.status in ("failed", "killed"))
        and (not wanted or record.rule in wanted or any(made.path in wanted for made in record.outputs))
    )
    found = deque(records, maxlen=last)
    if not found and form == "text" and (names or failed):
        out.line("no recorded attempt matches")
    else:
        out.text(render_history(found, form, out.color, out.columns))
    return 0
