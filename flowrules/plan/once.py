"""A view of the disk that asks for each path once, however often the planner does."""

from __future__ import annotations

from collections.abc import Iterable

from flowrules.model.files import Stamp
from flowrules.ports import FileView


class Once:
    """A `FileView` that remembers every answer of another; it lives as long as one plan is made."""

    __slots__ = ("_files", "_stamps")

    def __init__(self, files: FileView) -> None:
        self._files = files
        self._stamps: dict[str, Stamp | None] = {}

    def stat(self, path: str) -> Stamp | None:
        """What is there, as it was when first asked."""
        try:
            return self._stamps[path]
        except KeyError:
            stamp = self._stamps[path] = self._files.stat(path)
            return stamp

    def digest(self, path: str) -> str:
        """See `flowrules.ports.FileView`; the disk remembers digests itself."""
        return self._files.digest(path)

    def tree_mtime_ns(self, path: str) -> int:
        """See `flowrules.ports.FileView`."""
        return self._files.tree_mtime_ns(path)

    def read(self, path: str, limit: int) -> bytes:
        """See `flowrules.ports.FileView`."""
        return self._files.read(path, limit)

    def files_below(self, folder: str) -> Iterable[str]:
        """See `flowrules.ports.FileView`."""
        return self._files.files_below(folder)
