"""Where the command line writes: results to standard output, errors to standard error, both to the file of `--log`."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from itertools import pairwise

import click

from flowrules.errors import FlowfileError, FlowrulesError
from flowrules.show.output import Output


@dataclass(slots=True)
class Written:
    """What a call writes to.

    Attributes:
        arguments: of the call.
        outputs: every output that was asked for.
    """

    arguments: list[str]
    outputs: list[Output] = field(default_factory=list)

    @property
    def wants_json(self) -> bool:
        """Whether the call says `--format json`; looked up in its words, since reading them may have failed."""
        words = self.arguments
        return "--format=json" in words or ("--format", "json") in pairwise(words)

    def close(self) -> None:
        """No more is written to files of this call."""
        for out in self.outputs:
            out.close()


def output(log_file: str | None = None) -> Output:
    """Standard output, also written to a file where one is named.

    Raises:
        FlowrulesError: the file cannot be written.
    """
    out = Output.of(sys.stdout)
    click.get_current_context().ensure_object(Written).outputs.append(out)
    if log_file is not None:
        try:
            out.copy = open(log_file, "a", encoding="utf-8", errors="backslashreplace")  # noqa: SIM115 - as long as we
        except OSError as error:
            raise FlowrulesError(f"`{log_file}` cannot be written: {(error.strerror or str(error)).lower()}") from None
    return out


class Helped(click.Command):
    """A command whose help is written like everything else: a reader that goes away ends it quietly."""

    def get_help_option(self, ctx: click.Context) -> click.Option:
        """`-h, --help`."""

        def show(ctx: click.Context, param: click.Parameter, wanted: bool) -> None:
            if wanted and not ctx.resilient_parsing:
                output().text(ctx.get_help())
                ctx.exit()

        return click.Option(
            ["-h", "--help"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=show,
            help="Show this message and exit.",
        )


def show_error(error: FlowrulesError, written: Written) -> None:
    """An error with its place, hint and chain; as JSON lines on standard output where the call asked for JSON.

    A person at a terminal is also told where more is said about it.
    """
    from flowrules.show.problems import pointer, render_error, render_error_json

    if written.wants_json:
        out = written.outputs[0] if written.outputs else Output.of(sys.stdout)
        out.text(render_error_json(error))
        return
    err = Output.of(sys.stderr)
    err.text(render_error(error, color=err.color, width=err.columns))
    if err.terminal and isinstance(error, FlowfileError):
        err.text(pointer(error.diagnostics, err.color))
    for out in written.outputs:
        out.keep(render_error(error, width=err.columns) + "\n")
