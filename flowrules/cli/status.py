"""`flowrules status`: one look at a campaign."""

from __future__ import annotations

import click

from flowrules.cli.options import FOLDER, Sections, enter, format_option
from flowrules.cli.texts import output
from flowrules.errors import UsageError


@click.command("status", cls=Sections)
@click.option("-d", "--directory", type=FOLDER, metavar="DIR", help="Of this directory.")
@click.option("--watch", is_flag=True, help="Keep it current on the whole terminal, until `q`.")
@format_option(["text", "json"])
def status_command(directory: str | None, watch: bool, form: str) -> int:
    """Show who drives here, how far each rule is, and what the blocks do.

    \b
    flowrules status                  of this directory, from any terminal
    flowrules status --watch          kept current on the whole terminal
    flowrules status --format json    for a program

    It reads what lies in .flowrules, and disturbs nobody: no lock, no Flowfile, no question to the batch system. Any
    number of people may look at once. Jobs that wait are known while a driver works; later a dry run tells them.
    """
    from flowrules.app.status import look
    from flowrules.show.status import render_status

    out = output()
    if directory is not None:
        enter(directory)
    if not watch:
        out.text(render_status(look(), form, out.color, out.columns))
        return 0
    if form == "json" or not out.terminal:
        raise UsageError(
            "`--watch` needs a terminal", "a program may call `flowrules status --format json` again and again"
        )
    from flowrules.show.watching import watch as keep_watching

    out.text(keep_watching(out, lambda: render_status(look(), form, out.color, out.columns)))
    return 0
