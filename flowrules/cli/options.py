"""Options that several commands share, and how their texts become values."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from flowrules.app.settings import Source
from flowrules.cli.completing import complete_launchers
from flowrules.cli.texts import Helped
from flowrules.errors import UsageError
from flowrules.model.quantity import Quantity, QuantityError, parse_quantity
from flowrules.ports import UNSEEN
from flowrules.show.stages import ShownStages

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

FILE = click.Path()
FOLDER = click.Path(file_okay=False)
"""Types of options that name files: nothing is checked here, shells complete them."""


Callback = Callable[[click.Context, click.Parameter, Any], Any]


def number(least: int, *, whole: bool = True) -> Callback:
    """A callback of an option that takes a number, from some least one on."""

    def convert(ctx: click.Context, param: click.Parameter, value: str | None) -> int | float | None:
        if not isinstance(value, str):
            return value
        try:
            found = int(value) if whole else float(value)
        except ValueError:
            found = math.nan
        if not least <= found < math.inf:
            kind = "whole number" if whole else "number"
            raise click.BadParameter(f"`{value}` is no {kind} from {least} on", ctx, param)
        return found

    return convert


class Sections(Helped):
    """A command whose help lists options under headings.

    Args:
        sections: names of options by heading; those of no heading come under `Options`.
    """

    def __init__(self, *args: Any, sections: Mapping[str, Sequence[str]] | None = None, **more: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **more)
        self._sections = {**(sections or {}), "Workflow": WORKFLOW}

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the options, each with its help, in sections."""
        options = [p for p in self.get_params(ctx) if isinstance(p, click.Option)]
        texts = {p.name: text for p in options if (text := p.get_help_record(ctx)) is not None}
        named = {name for names in self._sections.values() for name in names}
        rest = {"Options": [name for name in texts if name not in named]}
        for title, names in {**self._sections, **rest}.items():
            rows = [texts[name] for name in names if name in texts]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


WORKFLOW = ("flowfile", "directory", "config", "configfile", "no_python", "untrusted")


def source_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """`-s -d -C --configfile --format -q -v`: work with every command that reads a Flowfile."""
    for option in reversed(
        (
            click.option(
                "-s",
                "--flowfile",
                type=FILE,
                metavar="FILE",
                help="Flowfile to read (default: Flowfile, then workflow/Flowfile).",
            ),
            click.option(
                "-d",
                "--directory",
                type=FOLDER,
                metavar="DIR",
                help="Work in this directory: targets and paths of rules start there, files of the call here.",
            ),
            click.option(
                "-C",
                "--config",
                multiple=True,
                metavar="KEY=VALUE",
                help="Set a config value; dotted keys, YAML values. May be repeated.",
            ),
            click.option(
                "--configfile",
                type=FILE,
                multiple=True,
                metavar="FILE",
                help="Read a further config file. May be repeated.",
            ),
            click.option("--no-python", is_flag=True, help="Refuse `import`."),
            click.option(
                "--untrusted",
                is_flag=True,
                help="Refuse `import` and `env`, and read only below the workflow's folders.",
            ),
            click.option("-q", "--quiet", is_flag=True, help="Say less."),
            click.option("-v", "--verbose", is_flag=True, help="Say more."),
        )
    ):
        function = option(function)
    return function


def overriding(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--set` and `--launcher`."""
    text = "Set a key of the profile; dotted keys, YAML values. May be repeated."
    launcher = "Set how work is started on nodes: local, ssh, mpiexec, srun or parallel."
    function = click.option("--launcher", metavar="NAME", shell_complete=complete_launchers, help=launcher)(function)
    return click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help=text)(function)


def format_option(choices: Sequence[str], default: str = "text") -> Decorator:
    """`--format`."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(list(choices)),
        default=default,
        show_default=True,
        help="Form of the output.",
    )


def source_of(options: dict[str, Any]) -> Source:
    """The workflow a call names; changes to its directory, so that all further paths are relative to it.

    Raises:
        UsageError: there is no such directory, or options contradict each other.
    """
    if options["quiet"] and options["verbose"]:
        raise UsageError("`--quiet` and `--verbose` contradict each other")
    flowfile, directory = options.pop("flowfile"), options.pop("directory")
    configfiles = options.pop("configfile")
    for text in options["config"]:
        if not text.isprintable() and any("\ud800" <= c <= "\udfff" for c in text):
            raise UsageError(f"`--config {text}` is not UTF-8 text")
    if directory is not None:
        before = os.getcwd()
        for path in (flowfile, *configfiles):
            if path is not None and not os.path.exists(path):
                there = os.path.join(directory, path)
                hint = f"files of the call are looked for here, not in `-d`: write `{there}`"
                raise UsageError(f"there is no file `{path}`", hint if os.path.exists(there) else None)
        enter(directory)
        flowfile = flowfile and seen_from(before, flowfile)
        configfiles = [seen_from(before, path) for path in configfiles]
    return Source(
        flowfile=flowfile,
        config=tuple(options.pop("config")),
        configfiles=tuple(configfiles),
        no_python=options.pop("no_python"),
        untrusted=options.pop("untrusted"),
        stages=UNSEEN if options["quiet"] else ShownStages(),
    )


def enter(directory: str) -> None:
    """Work in a directory from now on.

    Raises:
        UsageError: there is none, or it may not be entered.
    """
    try:
        os.chdir(directory)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"`{directory}` is no directory to work in: {reason}") from None


def seen_from(before: str, path: str) -> str:
    """A path that was given relative to one directory, relative to the present one."""
    return path if os.path.isabs(path) or before == os.getcwd() else os.path.relpath(os.path.join(before, path))


def key_values(texts: Sequence[str], option: str, example: str) -> list[tuple[str, str]]:
    """`NAME=VALUE` texts.

    Raises:
        UsageError: one has no `=`, or nothing before it.
    """
    pairs = []
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise UsageError(f"`{option} {text}` has no `=`", f"write it like `{option} {example}`")
        pairs.append((name.strip(), value.strip()))
    return pairs


def amount(text: str, option: str) -> int | float | Quantity:
    """A number or a quantity (`16GB`, `20min`) of the call, not below zero.

    Raises:
        UsageError: it is neither.
    """
    value: int | float | Quantity | None = _number(text)
    if value is None:
        try:
            value = parse_quantity(text)
        except QuantityError as error:
            raise UsageError(f"`{option}`: {error}") from None
    if not 0 <= (value.amount if isinstance(value, Quantity) else value) < math.inf:
        raise UsageError(f"`{option}`: `{text}` is no amount", "an amount is a number from 0 on, such as `4` or `16GB`")
    return value


def _number(text: str) -> int | float | None:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return None
