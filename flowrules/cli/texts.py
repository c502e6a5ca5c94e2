"""Where the command line writes: results to standard output, errors to standard error."""

from __future__ import annotations

import sys
from itertools import pairwise
from typing import TextIO, cast

from flowrules.errors import FlowrulesError
from flowrules.show.output import Output


def output(log_file: str | None = None) -> Output:
    """Standard output, also written to a file where one is named.

    Raises:
        FlowrulesError: the file cannot be written.
    """
    if log_file is None:
        return Output.of(sys.stdout)
    try:
        log = open(log_file, "a", encoding="utf-8", errors="backslashreplace")  # noqa: SIM115 - lives as long as we
    except OSError as error:
        raise FlowrulesError(f"`{log_file}` cannot be written: {error.strerror}") from None
    return Output.of(cast(TextIO, _Tee(sys.stdout, log)))


class _Tee:
    """A text stream that is written twice; what it says of itself is what the first one says."""

    def __init__(self, first: TextIO, second: TextIO) -> None:
        self._first = first
        self._second = second
        self.encoding = first.encoding

    def write(self, text: str) -> int:
        self._second.write(text)
        return self._first.write(text)

    def flush(self) -> None:
        self._second.flush()
        self._first.flush()

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        return self._first.fileno()


def show_error(error: FlowrulesError) -> None:
    """An error with its place, hint and chain; as JSON lines where the call asked for JSON."""
    from flowrules.show.problems import render_error, render_error_json

    if _wants_json():
        Output.of(sys.stdout).text(render_error_json(error))
        return
    err = Output.of(sys.stderr)
    err.text(render_error(error, color=err.color, width=err.columns))


def show_usage_error(message: str, command: str) -> None:
    """A mistake in the call that click found."""
    from flowrules.errors import UsageError

    text = message.rstrip(".")
    show_error(UsageError(text[:1].lower() + text[1:], f"`{command} --help` shows what it takes"))


def _wants_json() -> bool:
    """Whether the call says `--format json`; asked when parsing may have failed, so the raw arguments are looked at."""
    arguments = sys.argv[1:]
    return "--format=json" in arguments or ("--format", "json") in pairwise(arguments)
