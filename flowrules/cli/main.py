"""The entry of the command line: commands are imported when called, errors become texts and exit statuses here."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING

import click

from flowrules.cli.texts import Helped, Written, show_error
from flowrules.errors import FlowrulesError
from flowrules.version import __version__

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

INTERRUPTED, BUG = 130, 70

COMMANDS = {
    "run": ("run", "Make targets: plan, then run what is needed (the default command)."),
    "dag": ("dag", "Draw the DAG of jobs, rules or files."),
    "simulate": ("simulate", "Say what a campaign would take and cost, before it is submitted."),
    "status": ("status", "Show who drives here, how far it is, and what the blocks do."),
    "summary": ("look", "Show the state of every output."),
    "history": ("look", "Show what ran when, how long and why."),
    "why": ("look", "Explain why a file will be, was, or was not made."),
    "failures": ("look", "Show which jobs failed, grouped by how, and what to do."),
    "report": ("report", "Write one HTML page of what ran: results, failures, use, cost."),
    "explain": ("explain", "Explain the code of a message, with an example."),
    "lint": ("edit", "Report mistakes and risky habits in a Flowfile."),
    "fmt": ("edit", "Lay out Flowfiles in the one style."),
    "init": ("edit", "Begin a new workflow in this folder."),
    "profiles": ("profiles", "Show and check what is known of machines and their batch systems."),
    "clean": ("tidy", "Delete outputs (shows what would go unless --yes is given)."),
    "unlock": ("tidy", "Forget a driver that died without letting go of the directory."),
    "completion": ("tidy", "Print the completion script of a shell."),
}

HIDDEN = {"run-block": "block"}
"""Commands that the program itself calls, in job scripts; help does not show them."""


class Commands(Helped, click.Group):
    """A group that loads its commands late, and takes anything that is no command as arguments of `run`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order in which help shows them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The command of a name, imported now."""
        if name not in COMMANDS and name not in HIDDEN:
            return None
        home = HIDDEN[name] if name in HIDDEN else COMMANDS[name][0]
        command = getattr(import_module(f"flowrules.cli.{home}"), f"{name.replace('-', '_')}_command")
        assert isinstance(command, click.Command)
        return command

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """A run, or one of the other commands."""
        formatter.write_usage(ctx.command_path, "[OPTIONS] [TARGET]...")
        formatter.write_usage(ctx.command_path, "COMMAND [OPTIONS] ...", prefix="       ")

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Lists the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """`flowrules -n a.txt` means `flowrules run -n a.txt`."""
        completing_first_word = ctx.resilient_parsing and not args
        if not completing_first_word and args[:1] not in OWN_WORDS:
            args = ["run", *args]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """What the first word may be: a command, or whatever `run` takes."""
        from click.shell_completion import CompletionItem

        found = [CompletionItem(name, help=text) for name, (_, text) in COMMANDS.items() if name.startswith(incomplete)]
        run = self.get_command(ctx, "run")
        assert run is not None
        with run.make_context("run", [], parent=ctx, resilient_parsing=True) as of_run:
            if incomplete.startswith("-"):
                return run.shell_complete(of_run, incomplete)
            targets = next(p for p in run.params if isinstance(p, click.Argument))
            more = targets.shell_complete(of_run, incomplete)
        # bash forgets everything else where files are among what is offered
        return found + [item for item in more if not found or item.type != "file"]


OWN_WORDS = [[word] for word in (*COMMANDS, *HIDDEN, "--help", "-h", "--version", "-V")]
"""First words that are not for `run`."""


@click.command(
    cls=Commands,
    context_settings={"max_content_width": 100},
    epilog="`flowrules` alone means `flowrules run`, whose options `flowrules run --help` lists; "
    "a target named like a command is written `flowrules run NAME`.",
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
    _open_streams()
    if sys.getfilesystemencoding() != "utf-8":  # a locale in which not every file name can be said
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])
    sys.exit(status_of(sys.argv[1:] if args is None else args))


def status_of(args: list[str]) -> int:
    """Run the command line.

    Returns:
        The exit status: 0 done, 1 a job failed, 2 a mistake, 3 held, 130 interrupted, and 70 for a bug in this program.
    """
    written = Written(args)
    try:
        return _end(_run(args, written), written)
    except FlowrulesError as error:
        from flowrules.cli.mistakes import with_hints

        show_error(with_hints(error, args, COMMANDS), written)
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        show_error(FlowrulesError("interrupted"), written)
        return INTERRUPTED
    except MemoryError:
        show_error(FlowrulesError("there is not enough memory"), written)
        return 2
    except Exception as error:
        _show_bug(error, written)
        return BUG
    finally:
        written.close()


def _run(args: list[str], written: Written) -> int:
    """Run the command line, with what is wrong with a call and what the system refuses as our errors."""
    try:
        result = cli.main(args, prog_name="flowrules", standalone_mode=False, obj=written)
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        from flowrules.cli.mistakes import usage_error

        command = args[0] if args[:1] in OWN_WORDS and args[0] in COMMANDS else "run"
        raise usage_error(error, f"flowrules {command}") from None
    except OSError as error:
        where = f": `{error.filename}`" if error.filename is not None else ""
        raise FlowrulesError(f"{(error.strerror or str(error)).lower()}{where}") from error
    return result if isinstance(result, int) else 0


def _end(status: int, written: Written) -> int:
    """A call that did its work but could not show it has not done all that was asked."""
    lost = [out.lost for out in written.outputs if out.lost]
    if lost:
        show_error(FlowrulesError(lost[0]), written)
    return status or (2 if lost else 0)


def _show_bug(error: Exception, written: Written) -> None:
    """Something that must not happen: all that is needed to mend it, once."""
    import traceback

    traceback.print_exception(error)
    text = f"this is a bug in flowrules {__version__}: {type(error).__name__}: {error}"
    show_error(FlowrulesError(text, "report it with the lines above: it is no mistake of yours"), written)


def _open_streams() -> None:
    """Gives a process that was started with closed standard streams open ones, so that no file takes their numbers."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w"))  # noqa: SIM115 - until the end
