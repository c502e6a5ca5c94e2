"""`flowrules lint`, `fmt` and `init`: commands for whoever writes a Flowfile."""

from __future__ import annotations

import os
from typing import Any

import click

from flowrules.cli.options import FILE, FOLDER, Sections, format_option, seen_from, source_of, source_options
from flowrules.cli.texts import output


@click.command("lint", cls=Sections)
@format_option(["text", "json"])
@source_options
def lint_command(**options: Any) -> int:  # noqa: ANN401 - click hands over what it parsed
    """Report mistakes and risky habits in a Flowfile. Status 1 where there are risks, 2 where there are mistakes.

    \b
    flowrules lint                    of the Flowfile here
    flowrules lint --format json      for an editor
    """
    from flowrules.app.linting import lint

    out = output()
    return lint(source_of(options), out, options["form"])


@click.command("fmt", cls=Sections)
@click.argument("files", type=FILE, nargs=-1, metavar="[FILE]...")
@click.option("--check", is_flag=True, help="Change nothing; status 1 where a file is not in the one style.")
@click.option("--diff", "show_diff", is_flag=True, help="Change nothing; show what would change; status as --check.")
@format_option(["text", "json"])
@source_options
def fmt_command(**options: Any) -> int:  # noqa: ANN401 - click hands over what it parsed
    """Lay out Flowfiles in the one style (default: the Flowfile here). `-` reads standard input.

    \b
    flowrules fmt                   lay out ./Flowfile
    flowrules fmt --check *.flow    for CI
    flowrules fmt - < Flowfile      for an editor
    """
    from flowrules.app.formatting import Layout, format_files

    out = output()
    here = os.getcwd()
    source = source_of(options)
    files = tuple(path if path == "-" else seen_from(here, path) for path in options["files"])
    how = Layout(options["check"], options["show_diff"], options["quiet"], options["form"] == "json")
    return format_files(files, source, out, how)


@click.command("init", cls=Sections)
@click.argument("directory", type=FOLDER, default=".", metavar="[DIR]")
def init_command(directory: str) -> int:
    """Begin a new workflow: a Flowfile, its config, input to try it on, and a test.

    \b
    flowrules init myproject && cd myproject && flowrules -n
    """
    from flowrules.app.starting import start_workflow

    return start_workflow(directory or ".", output())
