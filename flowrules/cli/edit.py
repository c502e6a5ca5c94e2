"""`flowrules lint`, `fmt` and `init`: commands for whoever writes a Flowfile."""

from __future__ import annotations

from typing import Any

import click

from flowrules.cli.options import format_option, source_of, source_options
from flowrules.cli.texts import output


@click.command("lint", context_settings={"help_option_names": ["-h", "--help"]})
@format_option(["text", "json"])
@source_options
def lint_command(**options: Any) -> int:  # noqa: ANN401 - click hands over what it parsed
    """Report mistakes and risky habits in a Flowfile. Status 1 where there are risks, 2 where there are mistakes."""
    from flowrules.app.linting import lint

    return lint(source_of(options), output(), options["form"])


@click.command("fmt", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option("--check", is_flag=True, help="Change nothing; status 1 where a file is not in the one style.")
@click.option("--diff", "show_diff", is_flag=True, help="Change nothing; show what would change.")
def fmt_command(files: tuple[str, ...], check: bool, show_diff: bool) -> int:
    """Lay out Flowfiles in the one style (default: the Flowfile here). `-` reads standard input.

    \b
    flowrules fmt                   lay out ./Flowfile
    flowrules fmt --check *.flow    for CI
    """
    from flowrules.app.formatting import format_files

    return format_files(files, output(), check=check, show_diff=show_diff)


@click.command("init", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("directory", default=".", metavar="[DIR]")
def init_command(directory: str) -> int:
    """Begin a new workflow: a Flowfile, its config, input to try it on, and a test.

    \b
    flowrules init myproject && cd myproject && flowrules -n
    """
    from flowrules.app.starting import start_workflow

    return start_workflow(directory, output())
