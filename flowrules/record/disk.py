"""The disk, looked at: each path once per snapshot, folder by folder where that is cheaper than file by file.

A *snapshot* lasts until `Disk.forget` or `Disk.refresh`. Within it every answer is what was found first, so a plan sees
one state of the disk however long it takes.
"""

from __future__ import annotations

import errno
import os
import stat as modes
from collections.abc import Callable, Iterable, Iterator

from flowrules.errors import FlowrulesError
from flowrules.model.files import Stamp
from flowrules.ports import UNSEEN, Stages
from flowrules.record.digest import digest_file, digest_tree, open_regular

STATE_FOLDER = ".flowrules"
"""What the program keeps for itself lies here; it is never data of a workflow."""

_FIRST_SCAN = 16
_NAMES_PER_MISS = 16
_CHUNK = 1 << 20
_PAGE = 4096
_LONG = 100_000_000
"""Bytes that take a disk a second: reading more is told."""
_UNSEEN = Stamp(-1, 0)
_new = tuple.__new__  # a third of the time of calling Stamp, of which a plan makes a million
_TOPS = (".", "/")
_UNLISTED = frozenset({"", ".", ".."})
_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG})


class _Folder:
    """What is known of one folder. All folders below one that is absent are that one.

    Attributes:
        exists: whether it is there and a folder; None where that is not known yet.
        names: its names with their kinds (``f`` file, ``d`` folder, ``l`` link, ``o`` other, ``?`` to be looked at);
            None before it was scanned.
        kinds: whether it was scanned for kinds too.
        misses: how many names in it were looked for one by one and are absent.
        scan_at: the number of misses at which it is worth to scan it (again).
    """

    __slots__ = ("exists", "kinds", "misses", "names", "scan_at")

    def __init__(self, exists: bool | None) -> None:
        self.exists = exists
        self.names: dict[str, str] | None = None
        self.kinds = False
        self.misses = 0
        self.scan_at = _FIRST_SCAN


class Disk:
    """The `FileView` of a real directory.

    Names are compared byte for byte. Names that are no UTF-8 are carried as `os.fsdecode` gives them.

    Attributes:
        stats: how many paths were looked at singly.
        scans: how many folders were read, wholly or in part.

    Args:
        directory: what relative paths are relative to.
        stages: are told of files that take long to read.
    """

    def __init__(self, directory: str = ".", stages: Stages = UNSEEN) -> None:
        self.stages = stages
        self.stats = 0
        self.scans = 0
        self._prefix = "" if directory == "." else directory.rstrip("/") + "/"
        self._stamps: dict[str, Stamp | None] = {}
        self._folders: dict[str, _Folder] = {}
        self._trees: dict[str, tuple[str, int]] = {}
        self._digests: dict[str, str] = {}

    def locate(self, path: str) -> str:
        """The path under which the operating system finds a path of the workflow."""
        return path if not self._prefix or path.startswith("/") else self._prefix + path

    # ── looking ──────────────────────────────────────────────────────────────────────────────────────────────────

    def stat(self, path: str) -> Stamp | None:
        """What is there, symbolic links followed; None where nothing is (a link that leads nowhere is nothing).

        Raises:
            FlowrulesError: the disk does not say, because a folder may not be entered or a device fails.
        """
        known = self._stamps.get(path, _UNSEEN)
        if known is not _UNSEEN:
            return known
        folder_path, slash, name = path.rpartition("/")
        folder_path = folder_path or ("/" if slash else ".")
        if name in _UNLISTED:
            stamp = self._look(path)
        else:
            folder = self._folders.get(folder_path) or self._folder(folder_path)
            if folder.exists is False:
                return None
            if folder.names is not None and name not in folder.names:
                return None
            stamp = self._look(path)
            if stamp is None:
                self._missed(folder_path, folder)
        self._stamps[path] = stamp
        return stamp

    def forget(self, paths: Iterable[str]) -> None:
        """End the snapshot for these paths, for all that lies below them, and for the folders they lie in."""
        stamps, digests, folders, trees = self._stamps, self._digests, self._folders, self._trees
        for path in paths:
            stamps.pop(path, None)
            digests.pop(path, None)
            if path in folders or path in trees:
                self._forget_below(path)
            child = path
            while True:
                child, slash, name = child.rpartition("/")
                child = child or ("/" if slash else ".")
                trees.pop(child, None)
                stamps.pop(child, None)
                folder = folders.get(child)
                if folder is not None:
                    if folder.exists is False:
                        del folders[child]
                    elif folder.names is not None:
                        folder.names[name] = "?"
                if child == "." or child == "/":
                    break

    def refresh(self) -> None:
        """End the snapshot: everything is looked at anew."""
        self._stamps.clear()
        self._folders.clear()
        self._trees.clear()
        self._digests.clear()

    def _look(self, path: str) -> Stamp | None:
        self.stats += 1
        try:
            found = os.stat(self._prefix + path if self._prefix and path[:1] != "/" else path)
        except OSError as error:
            if error.errno in _ABSENT:
                return None
            raise unseen(path, error) from error
        except ValueError:  # a NUL or half a surrogate pair: no file can have this name
            return None
        mode = found.st_mode
        if mode & 0o170000 == 0o100000:
            return _new(Stamp, (found.st_size, found.st_mtime_ns, "f", mode & 0o222 != 0))
        return Stamp(0, found.st_mtime_ns, kind_of(mode), mode & 0o222 != 0)

    def _folder(self, path: str) -> _Folder:
        """What is known of a folder, with what is known of those above it, without a look at the disk."""
        unknown = []
        while (folder := self._folders.get(path)) is None:
            unknown.append(path)
            if path in _TOPS:
                break
            path = _split(path)[0]
        while unknown:
            path = unknown.pop()
            if folder is None:
                folder = _Folder(True)
            elif folder.exists is not False:
                name = _split(path)[1]
                gone = folder.names is not None and name not in folder.names and name not in _UNLISTED
                folder = _Folder(False if gone else None)
            self._folders[path] = folder
        assert folder is not None
        return folder

    def _settle(self, path: str, folder: _Folder) -> None:
        """Find out whether a folder and those above it exist, now that a name in it is absent."""
        while folder.exists is None:
            if path not in self._stamps:
                self._stamps[path] = self._look(path)
            stamp = self._stamps[path]
            folder.exists = stamp is not None and stamp.kind == "d"
            if folder.exists or path in _TOPS:
                return
            path = _split(path)[0]
            folder = self._folders.get(path) or self._folder(path)
            self._count(path, folder)

    def _missed(self, path: str, folder: _Folder) -> None:
        """Learn from a name in a folder that is absent."""
        if folder.exists is None:
            self._settle(path, folder)
        self._count(path, folder)

    def _count(self, path: str, folder: _Folder) -> None:
        """Count an absent name in a folder; when there are so many that it pays to read the folder, read it."""
        folder.misses += 1
        if folder.misses >= folder.scan_at and folder.names is None and folder.exists is not False:
            self._scan(path, folder)

    def _scan(self, path: str, folder: _Folder) -> None:
        """Read the names of a folder; one with very many is left, until twice as many were missed in it."""
        limit = folder.misses * _NAMES_PER_MISS
        folder.scan_at = folder.misses * 2
        folder.names = self._list(path, folder, limit, lambda entry: "?")

    def _scan_kinds(self, path: str, folder: _Folder) -> None:
        """Read the names of a folder and what they are, without names that were absent earlier in this snapshot."""
        names = self._list(path, folder, None, _kind)
        if names is not None:
            if folder.names is not None:
                names = {name: kind for name, kind in names.items() if name in folder.names}
            folder.names = names
            folder.kinds = True

    def _list(
        self, path: str, folder: _Folder, limit: int | None, kind: Callable[[os.DirEntry[str]], str]
    ) -> dict[str, str] | None:
        """Names and kinds in a folder; None where there are more than ``limit``, it may not be listed, or is absent."""
        self.scans += 1
        names = {}
        try:
            with os.scandir(self.locate(path)) as entries:
                for entry in entries:
                    names[entry.name] = kind(entry)
                    if limit is not None and len(names) > limit:
                        return None
        except PermissionError:
            return None
        except (OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno not in _ABSENT:
                raise unseen(path, error) from error
            folder.exists = False
            return None
        folder.exists = True
        return names

    def _forget_below(self, path: str) -> None:
        prefix = path.rstrip("/") + "/"
        self._folders.pop(path, None)
        self._trees.pop(path, None)
        caches: tuple[dict[str, object], ...] = (self._stamps, self._folders, self._trees, self._digests)  # type: ignore[assignment]
        for cache in caches:
            for key in [key for key in cache if key.startswith(prefix)]:
                del cache[key]

    # ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────

    def digest(self, path: str) -> str:
        """Digest of a file's content, or of names, sizes and times of all files below a folder; "" if unreadable."""
        stamp = self.stat(path)
        if stamp is None or stamp.kind == "o":
            return ""
        if stamp.kind == "d":
            return self._tree(path)[0]
        known = self._digests.get(path)
        if known is None:
            if stamp.size > _LONG:
                self.stages.beside(f"reading {path}, {stamp.size / 1e9:.1f} GB")
            try:
                known = digest_file(self.locate(path))
            except OSError:
                known = ""
            self._digests[path] = known
            if stamp.size > _LONG:
                self.stages.beside("")
        return known

    def tree_mtime_ns(self, path: str) -> int:
        """The newest change of any file below a folder (0 for an empty one)."""
        return self._tree(path)[1]

    def read(self, path: str, limit: int) -> bytes:
        """Content of a regular file.

        Raises:
            OSError: it cannot be read, is no regular file, or is larger than ``limit`` bytes.
        """
        fd, size = open_regular(self.locate(path))
        try:
            if size > limit:
                raise OSError(errno.EFBIG, f"larger than {limit} bytes", path)
            chunks = []
            left = limit + 1
            while left and (chunk := os.read(fd, min(left, max(size + 1, _PAGE), _CHUNK))):
                chunks.append(chunk)
                left -= len(chunk)
        finally:
            os.close(fd)
        if not left:
            raise OSError(errno.EFBIG, f"larger than {limit} bytes", path)
        return b"".join(chunks)

    def files_below(self, folder: str) -> Iterator[str]:
        """Every file below a folder, as `folder/…` paths (bare names for `.`), sorted; none where there is no folder.

        Linked folders are followed, but not into a folder one is already in. Folders that may not be read and what the
        program itself keeps are left out.
        """
        prefix = "" if folder == "." else folder.rstrip("/") + "/"
        stack = [(prefix, frozenset[tuple[int, int]](), iter([folder]))]
        while stack:
            prefix, inside, names = stack[-1]
            name = next(names, None)
            if name is None:
                stack.pop()
            elif len(stack) > 1 and name[-1] != "/":
                yield prefix + name
            else:
                below = folder if len(stack) == 1 else prefix + name[:-1]
                identity = self._identity(below)
                if identity is not None and identity not in inside and below != STATE_FOLDER:
                    below_prefix = prefix if len(stack) == 1 else prefix + name
                    stack.append((below_prefix, inside | {identity}, iter(self._entries(below, below_prefix))))

    def _identity(self, folder: str) -> tuple[int, int] | None:
        """Which folder it is, whatever its path; None where it cannot be entered."""
        try:
            found = os.stat(self.locate(folder))
        except (OSError, ValueError):
            return None
        return found.st_dev, found.st_ino

    def _entries(self, folder: str, prefix: str) -> list[str]:
        """Names in a folder, sorted as their paths are, those of folders with a slash; none where it is unreadable."""
        known = self._folders.get(folder) or self._folder(folder)
        if not known.kinds and known.exists is not False:
            self._scan_kinds(folder, known)
        entries = []
        for name, kind in (known.names or {}).items():
            if kind in "l?":
                stamp = self._behind(prefix + name)
                if stamp is None:
                    continue
                kind = stamp.kind
            entries.append(name + "/" if kind == "d" else name)
        entries.sort()
        return entries

    def _behind(self, link: str) -> Stamp | None:
        """What a link leads to; None where it leads nowhere, or to where one may not look."""
        try:
            return self.stat(link)
        except FlowrulesError as error:
            if isinstance(error.__cause__, PermissionError):
                return None
            raise

    def _tree(self, folder: str) -> tuple[str, int]:
        known = self._trees.get(folder)
        if known is None:
            known = self._trees[folder] = digest_tree(self.locate(folder))
        return known


def _split(path: str) -> tuple[str, str]:
    """The folder a path lies in, and its name there; of `/` the folder is `/`, of `.` it is `.`."""
    folder, slash, name = path.rpartition("/")
    return folder or ("/" if slash else "."), name


def kind_of(mode: int) -> str:
    """The kind of a `Stamp` for a mode of the operating system."""
    return "f" if modes.S_ISREG(mode) else "d" if modes.S_ISDIR(mode) else "o"


def _kind(entry: os.DirEntry[str]) -> str:
    if entry.is_symlink():
        return "l"
    if entry.is_dir(follow_symlinks=False):
        return "d"
    return "f" if entry.is_file(follow_symlinks=False) else "o"


def unseen(path: str, error: OSError) -> FlowrulesError:
    """The error for a path of which the disk does not say whether it exists."""
    hint = None
    if error.errno in (errno.EACCES, errno.EPERM):
        hint = "a folder on the way to it may not be entered: give yourself that right, or leave the path out"
    return FlowrulesError(f"cannot look at `{path}`: {(error.strerror or str(error)).lower()}", hint)
