"""A disk that shows only some folders: what a workflow that is not trusted may look at."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator

from flowrules.model.files import Stamp
from flowrules.ports import UNSEEN, Stages
from flowrules.record.disk import Disk


class ConfinedDisk(Disk):
    """A `Disk` on which nothing lies outside of given folders, whatever links lead there.

    Args:
        roots: folders that may be looked at, with all below them.
        directory: what relative paths are relative to.
    """

    def __init__(self, roots: Iterable[str], directory: str = ".", stages: Stages = UNSEEN) -> None:
        super().__init__(directory, stages)
        self._roots = tuple(os.path.realpath(root).rstrip("/") + "/" for root in roots)
        self._inside: dict[str, bool] = {}

    def allows(self, path: str) -> bool:
        """Whether a path lies in one of the folders, links followed."""
        folder, name = os.path.split(self.locate(path))
        if name in ("", ".", ".."):
            folder, name = f"{folder}/{name}" if folder else name, "."
        inside = self._inside.get(folder)
        if inside is None:
            inside = self._inside[folder] = self._below(os.path.realpath(folder or ".") + "/")
        if not inside:
            return False
        location = os.path.join(folder, name)
        return not os.path.islink(location) or self._below(os.path.realpath(location) + "/")

    def _below(self, real: str) -> bool:
        return any(real.startswith(root) for root in self._roots)

    def stat(self, path: str) -> Stamp | None:
        """What is there; None for what lies outside."""
        return super().stat(path) if self.allows(path) else None

    def digest(self, path: str) -> str:
        """Digest of a file or folder; "" for what lies outside."""
        return super().digest(path) if self.allows(path) else ""

    def tree_mtime_ns(self, path: str) -> int:
        """The newest change below a folder; 0 for what lies outside."""
        return super().tree_mtime_ns(path) if self.allows(path) else 0

    def read(self, path: str, limit: int) -> bytes:
        """Content of a regular file.

        Raises:
            OSError: as for any disk, and for what lies outside.
        """
        if not self.allows(path):
            raise PermissionError(errno.EACCES, "it lies outside of the workflow's folders (`--untrusted`)", path)
        return super().read(path, limit)

    def files_below(self, folder: str) -> Iterator[str]:
        """Files below a folder that lie inside."""
        if not self.allows(folder):
            return
        for path in super().files_below(folder):
            if self.allows(path):
                yield path
