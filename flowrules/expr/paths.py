"""Existing files that match a pattern, for `glob`: whoever answers for the disk lists them, this tells which count."""

from __future__ import annotations

import errno
from collections.abc import Sequence

from flowrules.expr.witness import Witness
from flowrules.model.pattern import Matcher, Pattern
from flowrules.ports import FileView


def glob_files(files: FileView, pattern: Pattern | str) -> Sequence[tuple[str, tuple[str, ...]]]:
    """Files that match, sorted by path, each with its wildcard values in the order of `pattern.names`.

    Hidden files and folders count only where the pattern itself names a part that begins with a dot.

    Raises:
        TimeoutError: a constraint took too long to match.
    """
    if isinstance(pattern, str):
        stamp = files.stat(pattern)
        return [(pattern, ())] if stamp is not None and stamp.kind == "f" else []
    folder = pattern.prefix.rpartition("/")[0]
    if not folder and pattern.prefix.startswith("/"):
        folder = "/"
    below = pattern_text_below(pattern, folder)
    hidden = below.startswith(".") or "/." in below
    match = Matcher(pattern, pattern.names).match
    start = len(folder) + 1 if folder and folder != "/" else len(folder)
    found = []
    for path in (files.files if isinstance(files, Witness) else files).files_below(folder or "."):
        if not hidden and (path.startswith(".", start) or "/." in path[start:]):
            continue
        values = match(path)
        if values is not None:
            found.append((path, values))
    if isinstance(files, Witness):
        files.globbed(pattern, found)
    return found


def pattern_text_below(pattern: Pattern, folder: str) -> str:
    """What a pattern says after its leading folder."""
    return str(pattern)[len(folder) + 1 if folder else 0 :]


def size_of(files: FileView, path: str) -> int:
    """Bytes of a file, or of all files below a folder.

    Raises:
        FileNotFoundError: there is no such file.
    """
    stamp = files.stat(path)
    if stamp is None:
        raise FileNotFoundError(errno.ENOENT, "no such file or directory", path)
    if stamp.kind != "d":
        return stamp.size
    return sum(s.size for p in files.files_below(path) if (s := files.stat(p)) is not None)
