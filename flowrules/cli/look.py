"""`flowrules summary`, `flowrules history`, `flowrules failures`: what there is, how it came about, and what failed."""

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


@click.command("failures", cls=Sections)
@click.argument("rules", nargs=-1, metavar="[RULE]...", shell_complete=complete_rules)
@click.option("-d", "--directory", type=FOLDER, metavar="DIR", help="Of this directory.")
@click.option("--all", "everything", is_flag=True, help="Every kind in full, with the paths of all its logs.")
@format_option(["text", "json"])
def failures_command(rules: tuple[str, ...], directory: str | None, everything: bool, form: str) -> int:
    """Show which jobs failed, grouped by how, with what most likely happened and what to do.

    A job counts until it ends well. Jobs are alike if they are of one rule, ended the same way, and said the
    same in the end, names and numbers aside.

    \b
    flowrules failures                 one paragraph for each way to fail
    flowrules failures relax --all     everything about rule `relax`
    """
    from flowrules.app.failures import open_failures, with_lines
    from flowrules.model.likeness import alike
    from flowrules.record.store import Store
    from flowrules.show.failures import failures_json, render_failures

    out = output()
    if directory is not None:
        enter(directory)
    groups = alike(with_lines(open_failures(Store.open(read_only=True).records(), rules)))
    out.text(
        failures_json(groups) if form == "json" else render_failures(groups, everything=everything, color=out.color)
    )
    return 0


@click.command("why", cls=Sections)
@click.argument("targets", nargs=-1, metavar="[FILE or RULE]...", shell_complete=complete_targets)
@format_option(["text", "json"])
@source_options
def why_command(**options: Any) -> int:  # noqa: ANN401 - click hands over what it parsed
    """Explain why a file will be, was, or was not made, and what a job waits for.

    It names each input that changed, each param with its old and new value, the words of a command that differ,
    and goes back to where a change came from. Nothing is run, nothing is written.

    \b
    flowrules why results/a.bam        all that speaks for making this file
    flowrules why                      the same for the default target
    """
    from flowrules.app.failures import last_failure
    from flowrules.app.session import disk_of, load, plan
    from flowrules.app.settings import Request
    from flowrules.app.why import Waits
    from flowrules.plan.account import accounts
    from flowrules.plan.policy import LOOKING
    from flowrules.record.store import Store
    from flowrules.show.why import render_why, why_json

    out = output()
    source = source_of(options)
    disk = disk_of(source)
    store = Store.open(read_only=True)
    found = accounts(plan(load(source, disk), Request(tuple(options["targets"]), LOOKING), disk, store))
    waits = Waits(store)
    if options["form"] == "json":
        out.text(why_json(found, waits.of))
    else:
        out.text(render_why(found, waits.of, lambda path: last_failure(store, path), out.color))
    return 0
