"""Reading the files of a workflow through the disk that the caller hands in: text, names for users, what is near."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from itertools import islice
from typing import Final

from flowrules.errors import did_you_mean, fail
from flowrules.expr.paths import glob_files, size_of
from flowrules.model.pattern import Pattern, normalize
from flowrules.model.values import Unknown
from flowrules.ports import FileView
from flowrules.span import Source, Span
from flowrules.syntax.reader import decode_source

TEXT_LIMIT: Final = 64 << 20
"""Bytes of the largest Flowfile, config or schema file."""

DATA_LIMIT: Final = 256 << 20
"""Bytes of the largest file an expression may read."""

_NEARBY: Final = 2000


class Files:
    """The files that are read while loading.

    Attributes:
        opened: every Flowfile, config and schema file that was read, in order.
    """

    def __init__(self, disk: FileView) -> None:
        self.disk = disk
        self.opened: dict[str, None] = {}

    def is_file(self, path: str) -> bool:
        """Whether a regular file is there."""
        stamp = self.disk.stat(path)
        return stamp is not None and stamp.kind == "f"

    def source(self, path: str, span: Span | None, what: str, code: str) -> Source:
        """The text of a file.

        Args:
            span: where it is named; for errors.
            what: how a message calls it (`include`, `config file`, …).
            code: the diagnostic code if it is missing.

        Raises:
            FlowfileError: it does not exist, cannot be read, or is no text.
        """
        stamp = self.disk.stat(path)
        if stamp is None:
            raise fail(code, f"there is no {what} `{path}`", span, self.near(path))
        if stamp.kind != "f":
            kind = "a folder" if stamp.kind == "d" else "no regular file"
            raise fail(code, f"the {what} `{path}` is {kind}", span)
        try:
            data = self.disk.read(path, TEXT_LIMIT)
        except OSError as error:
            raise fail(code, f"the {what} `{path}` cannot be read: {error.strerror or error}", span) from None
        self.opened[path] = None
        return decode_source(path, data, posixpath.dirname(path) or ".")

    def near(self, path: str) -> str | None:
        """A hint that offers a file with a similar name."""
        folder, name = posixpath.split(path)
        if folder and self.disk.stat(folder) is None:
            return f"there is no folder `{folder}` either"
        # the working directory may hold millions of data files: not all are looked at
        below = islice(self.disk.files_below(folder or "."), _NEARBY)
        beside = [p for p in below if posixpath.dirname(p) == folder]
        near = did_you_mean(name, [posixpath.basename(p) for p in beside])
        return f"did you mean `{posixpath.join(folder, near)}`?" if near else None


class LoadReader:
    """The `flowrules.ports.Reader` of a load: what is on disk, whoever makes it (the planner checks that later)."""

    def __init__(self, disk: FileView) -> None:
        self._disk = disk

    def read(self, path: str) -> bytes | Unknown:
        """Content of a file; see `flowrules.ports.Reader`."""
        return self._disk.read(path, DATA_LIMIT)

    def exists(self, path: str) -> bool | Unknown:
        """Whether a file is there; see `flowrules.ports.Reader`."""
        return self._disk.stat(path) is not None

    def size(self, path: str) -> int | Unknown:
        """Bytes of a file, or of all files below a folder; see `flowrules.ports.Reader`."""
        return size_of(self._disk, path)

    def glob(self, pattern: Pattern | str) -> Sequence[tuple[str, tuple[str, ...]]] | Unknown:
        """Existing files that match; see `flowrules.ports.Reader`."""
        return glob_files(self._disk, pattern)


def beside(path: str, folder: str) -> str:
    """A code path, as the Flowfile in a folder names it, relative to the working directory."""
    return normalize(posixpath.normpath(posixpath.join(folder, path)))
