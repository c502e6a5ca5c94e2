"""`fmt` on files: read, laid out, written back in one step or shown as a difference."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import unified_diff
from typing import NamedTuple

from flowrules.app.replacing import replace_file
from flowrules.app.session import flowfile_of
from flowrules.app.settings import Source as WorkflowSource
from flowrules.errors import FlowrulesError
from flowrules.show.output import Output
from flowrules.show.text import counted, escape, json_line
from flowrules.syntax.fmt import format_module
from flowrules.syntax.reader import decode_source


@dataclass(frozen=True, slots=True)
class Layout:
    """How files are laid out.

    Attributes:
        check: nothing is written. diff: neither, and what would change is shown.
        quiet: only what is wrong is told. json: a JSON object for each file.
    """

    check: bool = False
    diff: bool = False
    quiet: bool = False
    json: bool = False


def format_files(files: Sequence[str], workflow: WorkflowSource, output: Output, how: Layout) -> int:
    """Lays out files, or the Flowfile of a workflow, in the one style. Nothing is written where one has a mistake.

    Returns:
        The exit status: 1 where something would have to change and nothing is to be written, else 0.

    Raises:
        FlowrulesError: a file cannot be read, is no Flowfile, or cannot be written.
    """
    laid_out = [_laid_out(path) for path in dict.fromkeys(files or (flowfile_of(workflow),))]
    changed = [one for one in laid_out if one.before != one.after]
    dry = how.check or how.diff
    for one in () if dry else laid_out:
        if one.path != "-" and one in changed:
            replace_file(one.path, one.after)
        elif one.path == "-" and not how.json:
            output.write(one.after)
    _tell(laid_out, changed, output, how)
    return 1 if dry and changed else 0


class _File(NamedTuple):
    path: str
    before: str
    after: str

    @property
    def difference(self) -> list[str]:
        before, after = self.before.splitlines(), self.after.splitlines()
        return list(unified_diff(before, after, self.path, self.path, lineterm=""))


def _laid_out(path: str) -> _File:
    source = decode_source(path, _read(path), os.path.dirname(path) or ".")
    return _File(path, source.text, format_module(source))


def _tell(files: Sequence[_File], changed: Sequence[_File], output: Output, how: Layout) -> None:
    if how.json:
        for one in files:
            shown: dict[str, object] = {"file": one.path, "changed": one in changed}
            if how.diff:
                shown["diff"] = one.difference
            elif one.path == "-" and not how.check:
                shown["text"] = one.after
            output.line(json_line(shown))
        return
    for one in changed:
        if how.diff:
            for line in one.difference:
                output.line(escape(line))
        elif how.check:
            output.line(f"{escape(one.path)} is not in the one style")
        elif not how.quiet and one.path != "-":
            output.line(f"laid out {escape(one.path)}")
    if how.quiet or (any(one.path == "-" for one in files) and not (how.check or how.diff)):
        return
    if not changed:
        output.line("everything is in the one style")
    elif how.check or how.diff:
        output.line(f"{counted(len(changed), 'file')} would change")


def _read(path: str) -> bytes:
    try:
        if path == "-":
            return sys.stdin.buffer.read()
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise FlowrulesError(f"`{path}` cannot be read: {(error.strerror or str(error)).lower()}") from None
