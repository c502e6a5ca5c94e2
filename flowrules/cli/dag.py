"""`flowrules dag`: a picture of the DAG."""

from __future__ import annotations

import os
from typing import Any

import click

from flowrules.cli.completing import complete_profiles, complete_targets
from flowrules.cli.options import FILE, Sections, number, overriding, source_of, source_options
from flowrules.cli.run import DAG_FORMATS, batch_of
from flowrules.cli.texts import output
from flowrules.errors import UsageError

LEVELS = ("jobs", "rules", "files")

ENDINGS = {".dot": "dot", ".gv": "dot", ".mmd": "mermaid", ".json": "json", ".svg": "svg", ".html": "html"}
"""Formats by the end of a file's name."""


@click.command("dag", cls=Sections, sections={"With a page (html)": ("profile", "sets", "launcher", "sandbox", "jobs")})
@click.argument("targets", nargs=-1, metavar="[TARGET]...", shell_complete=complete_targets)
@click.option("--level", type=click.Choice(LEVELS), default="jobs", show_default=True, help="What a node is.")
@click.option(
    "--format", "form", type=click.Choice(DAG_FORMATS), help="Form of the picture (default: by FILE's name, else text)."
)
@click.option("-o", "--output", "file", type=FILE, metavar="FILE", help="Write it to FILE.")
@click.option(
    "--profile",
    metavar="NAME or PATH",
    shell_complete=complete_profiles,
    help="Show how its jobs would be packed with this profile.",
)
@overriding
@click.option("--sandbox", is_flag=True, help="Emulate the profile's batch system and nodes on this machine.")
@click.option("-j", "--jobs", callback=number(1), metavar="N", help="Pack for N jobs at once (default: what fits).")
@source_options
def dag_command(**options: Any) -> int:  # noqa: ANN401 - click hands over what it parsed
    """Draw the DAG that TARGETs need.

    \b
    flowrules dag                             the jobs, as a tree of text
    flowrules dag -o dag.html                 a page to look around in
    flowrules dag -o x.html --profile polaris     with blocks and slots
    flowrules dag --level rules -o dag.svg    the rules, as a picture
    flowrules dag --format dot | dot -Tpdf    through Graphviz
    """
    from flowrules.app.picture import draw
    from flowrules.app.settings import Request
    from flowrules.plan.policy import LOOKING

    file = options["file"]
    form = options["form"] or (ENDINGS.get(os.path.splitext(file)[1].lower(), "text") if file else "text")
    if form != "html" and options["profile"]:
        raise UsageError("`--profile` goes with a page", "write `flowrules dag -o dag.html --profile …`")
    batch = batch_of({**options, "local_cores": None, "submit": False})
    if file is not None and options["directory"] is not None:  # files of the call are where the user stands
        file = os.path.abspath(file)
    out = output()
    source = source_of(options)
    request = Request(tuple(options["targets"]), LOOKING, batch=batch)
    return draw(source, request, out, form, options["level"], file)
