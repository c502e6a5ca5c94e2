"""`flowrules report`: one page of what ran."""

from __future__ import annotations

import os
from typing import Any

import click

from flowrules.cli.completing import complete_targets
from flowrules.cli.options import FILE, Sections, source_of, source_options
from flowrules.cli.texts import output


@click.command("report", cls=Sections)
@click.argument("targets", nargs=-1, metavar="[TARGET]...", shell_complete=complete_targets)
@click.option(
    "-o",
    "--output",
    "file",
    type=FILE,
    default="report.html",
    show_default=True,
    metavar="FILE",
    help="Write it to FILE.",
)
@click.option("--all", "everything", is_flag=True, help="All that is recorded, not only the last campaign.")
@source_options
def report_command(**options: Any) -> int:  # noqa: ANN401 - click hands over what it parsed
    """Write one HTML page of the last campaign, after it or while it runs.

    It has results that rules mark by `report(…)`, failures, curves of throughput and utilization, the slots over
    time, what each rule and block took, how each output was made, the DAG and the configuration. It can be mailed:
    it asks no network for anything.

    A campaign is the last run and those before it, back to one that left nothing to do.

    \b
    flowrules report                   report.html
    flowrules report -o today.html --all
    """
    from flowrules.app.reporting import report

    file = os.path.abspath(options["file"])  # where the user stands, with -d too
    out = output()
    return report(source_of(options), out, file, tuple(options["targets"]), everything=options["everything"])
