"""`flowrules clean`, `unlock` and `completion`."""

from __future__ import annotations

from typing import Any

import click

from flowrules.cli.options import source_of, source_options
from flowrules.cli.texts import output
from flowrules.errors import UsageError


@click.command("clean", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("targets", nargs=-1, metavar="[TARGET]...")
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
        raise UsageError("`clean` takes either `--temp` or `--all`")
    source = source_of(options)
    return clean(source, options["targets"], output(), only_temp=options["temp"], delete=options["yes"])


@click.command("unlock", context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-d", "--directory", metavar="DIR", help="Of this directory.")
def unlock_command(directory: str | None) -> int:
    """Forget a driver that died without letting go of the directory.

    A driver that died on this machine needs no unlocking. One that died on another is waited for; this skips the wait.
    """
    from flowrules.record.lock import unlock
    from flowrules.record.owner import describe

    owner = unlock(directory or ".")
    output().line(f"forgot {describe(owner)}" if owner is not None else "nothing to unlock")
    return 0


@click.command("completion", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion_command(shell: str) -> int:
    """Print the completion script of a shell.

    \b
    flowrules completion bash >> ~/.bashrc
    flowrules completion zsh  >> ~/.zshrc
    flowrules completion fish > ~/.config/fish/completions/flowrules.fish
    """
    from click.shell_completion import get_completion_class

    from flowrules.cli.main import cli

    found = get_completion_class(shell)
    assert found is not None
    output().line(found(cli, {}, "flowrules", "_FLOWRULES_COMPLETE").source())
    return 0
