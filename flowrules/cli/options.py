"""Options that several commands share, and how their texts become values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from flowrules.app.settings import Source
from flowrules.errors import UsageError

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def source_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """`-s -d -C --configfile --format -q -v`: work with every command that reads a Flowfile."""
    for option in reversed(
        (
            click.option(
                "-s", "--flowfile", metavar="FILE", help="Flowfile to read (default: Flowfile, then workflow/Flowfile)."
            ),
            click.option("-d", "--directory", metavar="DIR", help="Work in this directory."),
            click.option(
                "-C",
                "--config",
                multiple=True,
                metavar="KEY=VALUE",
                help="Set a config value; dotted keys, YAML values. May be repeated.",
            ),
            click.option(
                "--configfile", multiple=True, metavar="FILE", help="Read a further config file. May be repeated."
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
    """The workflow a call names; changes to its directory first, so that all paths are relative to it."""
    import os

    flowfile, directory = options.pop("flowfile"), options.pop("directory")
    configfiles = options.pop("configfile")
    if directory is not None:
        before = os.getcwd()
        try:
            os.chdir(directory)
        except OSError as error:
            raise UsageError(f"`{directory}` is no directory to work in: {error.strerror}") from None
        flowfile = flowfile and _seen_from(before, flowfile)
        configfiles = [_seen_from(before, path) for path in configfiles]
    return Source(
        flowfile=flowfile,
        config=tuple(options.pop("config")),
        configfiles=tuple(configfiles),
        no_python=options.pop("no_python"),
        untrusted=options.pop("untrusted"),
    )


def _seen_from(before: str, path: str) -> str:
    """A path that was given relative to one directory, relative to the present one."""
    import os

    return os.path.relpath(os.path.join(before, path))


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


def amount(text: str, option: str) -> object:
    """A number or a quantity (`16GB`, `20min`) of the call.

    Raises:
        UsageError: it is neither.
    """
    from flowrules.model.quantity import QuantityError, parse_quantity

    try:
        return int(text)
    except ValueError:
        try:
            return float(text)
        except ValueError:
            pass
    try:
        return parse_quantity(text)
    except QuantityError as error:
        raise UsageError(f"`{option}`: {error}") from None
