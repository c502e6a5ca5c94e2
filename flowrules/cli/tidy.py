"""`flowrules clean`, `unlock` and `completion`."""

from __future__ import annotations

from typing import Any

import click

from flowrules.cli.completing import complete_targets
from flowrules.cli.options import FOLDER, Sections, enter, source_of, source_options
from flowrules.cli.texts import output
from flowrules.errors import UsageError


@click.command("clean", cls=Sections)
@click.argument("targets", nargs=-1, metavar="[TARGET]...", shell_complete=complete_targets)
@click.option("--temp", "temp", is_flag=True, help="Files marked `temp`.")
@click.option("--all", "everything", is_flag=True, help="Every output the TARGETs need; sources stay.")
@click.option("-y", "--yes", is_flag=True, help="Delete, instead of showing what would be deleted.")
@source_options
def clean_command(**options: Any) -> int:  # noqa: ANN401 - click hands over what it parsed
    """Delete outputs. Without --yes it only shows which.

    \b
    flowrules clean --temp           what temporary files there are
    flowrules clean --all --yes      delete every output
    """
    from flowrules.app.cleaning import clean

    if options["temp"] == options["everything"]:
        hint = "`flowrules clean --temp` shows temporary files, `flowrules clean --all` every output"
        raise UsageError("`clean` takes either `--temp` or `--all`", hint)
    out = output()
    source = source_of(options)
    return clean(source, options["targets"], out, only_temp=options["temp"], delete=options["yes"])


@click.command("unlock", cls=Sections)
@click.option("-d", "--directory", type=FOLDER, metavar="DIR", help="Of this directory.")
def unlock_command(directory: str | None) -> int:
    """Forget a driver that died without letting go of the directory.

    \b
    flowrules unlock             of the directory you are in
    flowrules unlock -d run1     of another

    A driver that died on this machine needs no unlocking. One that died on another is waited for; this skips the wait.
    """
    from flowrules.record.lock import unlock
    from flowrules.record.owner import describe

    out = output()
    if directory is not None:
        enter(directory)
    owner = unlock(".")
    out.line(f"forgot {describe(owner)}" if owner is not None else "nothing to unlock")
    return 0


@click.command("completion", cls=Sections)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]), metavar="SHELL")
def completion_command(shell: str) -> int:
    """Print the completion script of a SHELL: bash, zsh or fish.

    \b
    flowrules completion bash >> ~/.bashrc
    flowrules completion zsh  >> ~/.zshrc
    flowrules completion fish > ~/.config/fish/completions/flowrules.fish
    """
    from click.shell_completion import get_completion_class

    from flowrules.cli.main import cli

    found = get_completion_class(shell)
    assert found is not None
    output().line(found(cli, {}, "flowrules", "_FLOWRULES_COMPLETE").source().strip())
    return 0
