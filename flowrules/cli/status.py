"""`flowrules status`: one look at a campaign."""

from __future__ import annotations

import click

from flowrules.cli.options import FOLDER, Sections, enter, format_option
from flowrules.cli.texts import output


@click.command("status", cls=Sections)
@click.option("-d", "--directory", type=FOLDER, metavar="DIR", help="Of this directory.")
@format_option(["text", "json"])
def status_command(directory: str | None, form: str) -> int:
    """Show who drives here, how far each rule is, and what the blocks do.

    \b
    flowrules status                  of this directory, from any terminal
    flowrules status --format json    for a program

    It reads what lies in .flowrules, and disturbs nobody: no lock, no Flowfile, no question to the batch system. Jobs
    that are neither handed to a block nor started are not counted; a dry run knows those.
    """
    from flowrules.app.status import look
    from flowrules.show.status import render_status

    out = output()
    if directory is not None:
        enter(directory)
    out.text(render_status(look(), form, out.color, out.columns))
    return 0
