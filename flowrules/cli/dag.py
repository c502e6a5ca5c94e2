"""`flowrules dag`: a picture of the DAG."""

from __future__ import annotations

from typing import Any

import click

from flowrules.cli.completing import complete_targets
from flowrules.cli.options import Sections, format_option, source_of, source_options
from flowrules.cli.texts import output

FORMATS = ("text", "dot", "mermaid", "json", "svg")
LEVELS = ("jobs", "rules", "files")


@click.command("dag", cls=Sections)
@click.argument("targets", nargs=-1, metavar="[TARGET]...", shell_complete=complete_targets)
@click.option("--level", type=click.Choice(LEVELS), default="jobs", show_default=True, help="What a node is.")
@format_option(FORMATS)
@source_options
def dag_command(**options: Any) -> int:  # noqa: ANN401 - click hands over what it parsed
    """Draw the DAG that TARGETs need.

    \b
    flowrules dag                                the jobs, as a tree of text
    flowrules dag --level rules --format svg     the rules, as a picture
    flowrules dag --format dot | dot -Tpdf       through Graphviz
    """
    from flowrules.app.session import disk_of, load, plan
    from flowrules.app.settings import Request
    from flowrules.plan.policy import LOOKING
    from flowrules.record.store import Store
    from flowrules.show.dag import render_dag

    out = output()
    source = source_of(options)
    disk = disk_of(source)
    workflow = load(source, disk)
    request = Request(tuple(options["targets"]), LOOKING)
    planned = plan(workflow, request, disk, Store.open(read_only=True))
    out.text(render_dag(planned.plan, options["form"], options["level"], color=out.color))
    return 0
