"""`fmt` on files: read, laid out, written back in one step or shown as a difference."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from difflib import unified_diff

from flowrules.app.session import flowfile_of
from flowrules.app.settings import Source as WorkflowSource
from flowrules.errors import FlowrulesError
from flowrules.show.output import Output
from flowrules.show.text import counted, escape
from flowrules.syntax.fmt import format_module
from flowrules.syntax.reader import decode_source


def format_files(files: Sequence[str], output: Output, *, check: bool, show_diff: bool) -> int:
    """Lays out files in the one style. Returns the exit status.

    Raises:
        FlowrulesError: a file cannot be read, is no Flowfile, or cannot be written.
    """
    changed = 0
    for path in files or (flowfile_of(WorkflowSource()),):
        source = decode_source(path, _read(path), os.path.dirname(path) or ".")
        after = format_module(source)
        if path == "-":
            output.write(after)
            continue
        if after == source.text:
            continue
        changed += 1
        if show_diff:
            before = source.text.splitlines(keepends=True)
            for line in unified_diff(before, after.splitlines(keepends=True), path, path):
                output.line(escape(line.rstrip("\n")))
        elif check:
            output.line(f"{escape(path)} is not in the one style")
        else:
            _write(path, after)
            output.line(f"laid out {escape(path)}")
    if not changed and "-" not in files:
        output.line("everything is in the one style")
    elif check or show_diff:
        output.line(f"{counted(changed, 'file')} would change")
        return 1
    return 0


def _read(path: str) -> bytes:
    try:
        if path == "-":
            return sys.stdin.buffer.read()
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise FlowrulesError(f"`{path}` cannot be read: {error.strerror}") from None


def _write(path: str, text: str) -> None:
    """Replaces a file in one step, keeping its mode, so that a crash leaves the old or the new one."""
    target = os.path.realpath(path)
    try:
        mode = os.stat(target).st_mode
        fd, temporary = tempfile.mkstemp(dir=os.path.dirname(target), prefix=".fmt-")
        try:
            with open(fd, "w", encoding="utf-8", newline="") as file:
                file.write(text)
            os.chmod(temporary, mode & 0o7777)
            os.replace(temporary, target)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise FlowrulesError(f"`{path}` cannot be written: {error.strerror}") from None
