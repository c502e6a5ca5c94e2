"""A view of the disk that asks for each path once, however often the planner does."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from flowrules.model.files import Stamp
from flowrules.ports import FileView


class _Stamps(dict[str, "Stamp | None"]):
    """What was answered; what is not known yet is asked. A look-up that hits costs no call of a Python function."""

    __slots__ = ("_ask",)

    def __init__(self, ask: Callable[[str], Stamp | None]) -> None:
        self._ask = ask

    def __missing__(self, path: str) -> Stamp | None:
        stamp = self[path] = self._ask(path)
        return stamp


class Once:
    """A `FileView` that remembers every answer of another; it lives as long as one plan is made.

    Attributes:
        stat: what is there, as it was when first asked; see `flowrules.ports.FileView`.
    """

    __slots__ = ("_files", "stat")

    def __init__(self, files: FileView) -> None:
        self._files = files
        self.stat: Callable[[str], Stamp | None] = _Stamps(files.stat).__getitem__

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
