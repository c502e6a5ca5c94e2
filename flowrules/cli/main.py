"""The entry of the command line: commands are imported when called, errors become texts and exit statuses here."""

from __future__ import annotations

import sys
from importlib import import_module

import click

from flowrules.version import __version__

COMMANDS = {
    "run": ("run", "Make targets: plan, then run what is needed (the default command)."),
    "dag": ("dag", "Draw the DAG of jobs, rules or files."),
    "summary": ("look", "Show the state of every output."),
    "history": ("look", "Show what ran when, how long and why."),
    "lint": ("edit", "Report mistakes and risky habits in a Flowfile."),
    "fmt": ("edit", "Lay out Flowfiles in the one style."),
    "init": ("edit", "Begin a new workflow in this folder."),
    "clean": ("tidy", "Delete outputs (shows what would go unless --yes is given)."),
    "unlock": ("tidy", "Forget a driver that died without letting go of the directory."),
    "completion": ("tidy", "Print the completion script of a shell."),
}


class Commands(click.Group):
    """A group that loads its commands late, and takes anything that is no command as arguments of `run`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order in which help shows them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The command of a name, imported now."""
        if name not in COMMANDS:
            return None
        module = import_module(f"flowrules.cli.{COMMANDS[name][0]}")
        command = getattr(module, f"{name}_command")
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Lists the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """`flowrules -n a.txt` means `flowrules run -n a.txt`."""
        if not args or (args[0] not in COMMANDS and args[0] not in ("--help", "-h", "--version", "-V")):
            args = ["run", *args]
        return super().parse_args(ctx, args)


@click.command(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="`flowrules` alone means `flowrules run`; a target named like a command is written `flowrules run NAME`.",
)
@click.version_option(__version__, "-V", "--version", message="flowrules %(version)s")
def cli() -> None:
    """Rules with input and output files, run on a laptop or packed onto a supercomputer.

    \b
    flowrules -n            what would run, and why
    flowrules -j 8          run it, on 8 cores
    flowrules dag           a picture of it
    """


def main(args: list[str] | None = None) -> None:
    """Run the command line and end the process with the documented status."""
    sys.exit(status_of(args))


def status_of(args: list[str] | None = None) -> int:
    """Run the command line; returns the exit status: 0 done, 1 a job failed, 2 a mistake, 3 held, 130 interrupted."""
    from flowrules.errors import FlowrulesError

    try:
        result = cli.main(args, prog_name="flowrules", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        _show_click_error(error)
        return 2
    except FlowrulesError as error:
        from flowrules.cli.texts import show_error

        show_error(error)
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        return 130
    except BrokenPipeError:
        _drop_output()
        return 141


def _show_click_error(error: click.ClickException) -> None:
    """A mistake in the call, in the form of every other error."""
    from flowrules.cli.texts import show_usage_error

    context = getattr(error, "ctx", None)
    show_usage_error(error.format_message(), context.command_path if context is not None else "flowrules")


def _drop_output() -> None:
    """The reader of our output went away (`| head`): say nothing more, also not at interpreter exit."""
    import os

    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
