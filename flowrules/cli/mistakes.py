"""What is wrong with a call, in the words of every other error: found by click, said here."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

import click

from flowrules.errors import Diagnostic, FlowfileError, FlowrulesError, UsageError, did_you_mean, suggestion

_ELSEWHERE = {
    "--always-make": "`-F` runs everything again",
    "--cores": "cores are `-j N`",
    "--delete-all-output": "`flowrules clean --all` deletes outputs",
    "--delete-temp-output": "`flowrules clean --temp` deletes temporary files",
    "--detailed-summary": "`flowrules summary` shows the state of every output",
    "--dryrun": "`-n` shows what would run",
    "--filegraph": "`flowrules dag --level files` draws files",
    "--just-print": "`-n -p` shows the commands that would run",
    "--lint": "`flowrules lint` does that",
    "--list": "`flowrules dag --level rules` shows the rules",
    "--list-rules": "`flowrules dag --level rules` shows the rules",
    "--printshellcmds": "`-p` prints commands",
    "--reason": "`-n -v` shows the reasons of every job",
    "--rerun-incomplete": "what did not finish is always run again",
    "--ri": "what did not finish is always run again",
    "--rulegraph": "`flowrules dag --level rules --format dot` draws rules",
    "--snakefile": "`-s FILE` names the Flowfile",
    "--summary": "`flowrules summary` shows the state of every output",
    "--unlock": "`flowrules unlock` does that",
    "-B": "`-F` runs everything again",
    "-c": "cores are `-j N`",
    "-l": "`flowrules dag --level rules` shows the rules",
    "-r": "`-n -v` shows the reasons of every job",
}
"""Options that people bring along from make and Snakemake, and what they are here."""

_QUOTED = re.compile(r"'([^']*)'")


def usage_error(error: click.ClickException, command: str) -> UsageError:
    """A mistake that click found, as one of ours.

    Args:
        command: whose help is offered, such as `flowrules run`.
    """
    context = getattr(error, "ctx", None)
    look = f"`{command} --help` shows what it takes"
    if isinstance(error, click.NoSuchOption):
        name = error.option_name
        known = [] if context is None else [text for p in context.command.get_params(context) for text in p.opts]
        hint = _ELSEWHERE.get(name) or suggestion(name, [text for text in known if text.startswith("--")]) or look
        return UsageError(f"there is no option `{name}`", hint)
    if isinstance(error, click.MissingParameter) and error.param is not None:
        kind = error.param.type
        choices = f": one of {', '.join(kind.choices)}" if isinstance(kind, click.Choice) else ""
        return UsageError(f"{_name(error.param)} is missing{choices}", look)
    if isinstance(error, click.BadParameter) and error.param is not None:
        return UsageError(f"{_name(error.param)}: {_plain(error.message)}", look)
    if isinstance(error, click.BadOptionUsage):
        return UsageError(f"`{error.option_name}` needs a value", look)
    return UsageError(_plain(error.format_message()), look)


def with_hints(error: FlowrulesError, arguments: Sequence[str], commands: Collection[str]) -> FlowrulesError:
    """An unknown target may be a misspelt command, or a config value: the error says so then."""
    if not isinstance(error, FlowfileError):
        return error
    return FlowfileError([_with_hint(d, arguments, commands) for d in error.diagnostics])


def _with_hint(diagnostic: Diagnostic, arguments: Iterable[str], commands: Collection[str]) -> Diagnostic:
    if diagnostic.code != "F701" or (diagnostic.hint or "").startswith("did you mean"):
        return diagnostic
    name = next((a for a in arguments if f"`{a}`" in diagnostic.message), None)
    if name is None:
        return diagnostic
    if "=" in name:
        return replace(diagnostic, hint=f"a config value is set with `-C {name}`")
    if name == "help":
        return replace(diagnostic, hint="`flowrules --help` shows commands, `flowrules run --help` the options")
    near = did_you_mean(name, commands)
    return replace(diagnostic, hint=f"did you mean the command `{near}`?") if near else diagnostic


def _name(parameter: click.Parameter) -> str:
    """The longest name of an option, or what help calls an argument."""
    if isinstance(parameter, click.Argument):
        return f"`{(parameter.metavar or parameter.human_readable_name).strip('[].')}`"
    return f"`{max(parameter.opts, key=len)}`"


def _plain(text: str) -> str:
    text = _QUOTED.sub(r"`\1`", " ".join(text.split())).rstrip(".")
    return text[:1].lower() + text[1:]
