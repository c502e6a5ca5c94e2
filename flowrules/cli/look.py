"""`flowrules summary` and `flowrules history`: what there is, and how it came about."""

from __future__ import annotations

from typing import Any

import click

from flowrules.cli.options import format_option, source_of, source_options
from flowrules.cli.texts import output


@click.command("summary", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("targets", nargs=-1, metavar="[TARGET]...")
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
    from flowrules.plan.policy import Policy
    from flowrules.record.store import Store
    from flowrules.show.tables import render_summary

    source = source_of(options)
    disk = disk_of(source)
    store = Store.open(read_only=True)
    request = Request(tuple(options["targets"]), Policy(read_ahead=True))
    planned = plan(load(source, disk), request, disk, store)
    out = output()
    out.text(render_summary(output_states(planned.plan, disk, store), options["form"], out.color, out.columns))
    return 0


@click.command("history", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("names", nargs=-1, metavar="[RULE or FILE]...")
@click.option("-n", "--last", type=click.IntRange(min=1), metavar="N", help="Only the last N attempts.")
@click.option("-d", "--directory", metavar="DIR", help="Of this directory.")
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

    from flowrules.record.store import Store
    from flowrules.show.tables import render_history

    store = Store.open(directory or ".", read_only=True)
    wanted = set(names)
    records = (
        record
        for record in store.records()
        if (not failed or record.status in ("failed", "killed"))
        and (not wanted or record.rule in wanted or any(made.path in wanted for made in record.outputs))
    )
    out = output()
    out.text(render_history(deque(records, maxlen=last), form, out.color, out.columns))
    return 0
