"""The disk, looked at: each path once per snapshot, folder by folder where that is cheaper than file by file.

A *snapshot* lasts until `Disk.forget` or `Disk.refresh`. Within it every answer is what was found first, so a plan sees
one state of the disk however long it takes.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat as modes
from collections.abc import Iterable, Iterator

from flowrules.errors import FlowrulesError
from flowrules.model.files import Stamp

STATE_FOLDER = ".flowrules"
"""What the program keeps for itself lies here; it is never data of a workflow."""

DIGEST_LENGTH = 32
"""Hexadecimal digits of a digest: 128 bits of SHA-256, the fastest of hashlib on processors of this decade."""

_FIRST_SCAN = 16
_NAMES_PER_ASK = 8
_CHUNK = 1 << 20
_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG})


class _Folder:
    """What is known of one folder.

    Attributes:
        names: its names with their kinds (``f`` file, ``d`` folder, ``l`` link, ``o`` other, ``?`` to be looked at);
            None before it was scanned.
        asks: how often a name in it was looked for on disk.
        scan_at: the number of asks at which it is worth to scan it (again).
    """

    __slots__ = ("asks", "exists", "names", "scan_at")

    def __init__(self, exists: bool | None) -> None:
        self.exists = exists
        self.names: dict[str, str] | None = None
        self.asks = 0
        self.scan_at = _FIRST_SCAN


class Disk:
    """The `FileView` of a real directory.

    Names are compared byte for byte. Names that are no UTF-8 are carried as `os.fsdecode` gives them.

    Attributes:
        stats: how many paths were looked at singly.
        scans: how many folders were read, wholly or in part.

    Args:
        directory: what relative paths are relative to.
    """

    def __init__(self, directory: str = ".") -> None:
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
        try:
            return self._stamps[path]
        except KeyError:
            pass
        folder_path, slash, name = path.rpartition("/")
        if not slash:
            folder_path = "."
        elif not folder_path:
            folder_path = "/"
        if name in ("", ".", ".."):
            stamp = self._look(path)
        else:
            folder = self._folders.get(folder_path) or self._folder(folder_path)
            if folder.exists is False:
                return None
            if folder.names is None:
                folder.asks += 1
                if folder.asks >= folder.scan_at:
                    self._scan(folder_path, folder, folder.asks * _NAMES_PER_ASK)
            if folder.names is not None and name not in folder.names:
                return None
            stamp = self._look(path)
            if stamp is None and folder.exists is None:
                self._settle(folder_path, folder)
        self._stamps[path] = stamp
        return stamp

    def forget(self, paths: Iterable[str]) -> None:
        """End the snapshot for these paths, for all that lies below them, and for the folders they lie in."""
        for path in paths:
            self._stamps.pop(path, None)
            self._digests.pop(path, None)
            if path in self._folders or path in self._trees:
                self._forget_below(path)
            child = path
            while True:
                folder_path, slash, name = child.rpartition("/")
                folder_path = folder_path or ("/" if slash else ".")
                self._trees.pop(folder_path, None)
                folder = self._folders.get(folder_path)
                if folder is not None:
                    if folder.exists is False:
                        del self._folders[folder_path]
                    elif folder.names is not None:
                        folder.names[name] = "?"
                self._stamps.pop(folder_path, None)
                if folder_path in (".", "/") or name == "..":
                    break
                child = folder_path

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
            return Stamp(found.st_size, found.st_mtime_ns, "f", mode & 0o222 != 0)
        return Stamp(0, found.st_mtime_ns, "d" if modes.S_ISDIR(mode) else "o", mode & 0o222 != 0)

    def _folder(self, path: str) -> _Folder:
        """What is known of a folder, with what its own folder says of it, without a look at the disk."""
        exists: bool | None = True if path in (".", "/") else None
        if exists is None:
            parent_path, slash, name = path.rpartition("/")
            parent_path = parent_path or ("/" if slash else ".")
            if name not in (".", ".."):
                parent = self._folders.get(parent_path) or self._folder(parent_path)
                if parent.exists is False or (parent.names is not None and name not in parent.names):
                    exists = False
        folder = self._folders[path] = _Folder(exists)
        return folder

    def _settle(self, path: str, folder: _Folder) -> None:
        """Find out whether a folder exists, now that a name in it does not."""
        stamp = self.stat(path)
        folder.exists = stamp is not None and stamp.kind == "d"

    def _scan(self, path: str, folder: _Folder, limit: int | None) -> None:
        """Read the names of a folder; one with more than ``limit`` is left, until twice as many were asked for."""
        self.scans += 1
        folder.scan_at = folder.asks * 2
        names: dict[str, str] = {}
        try:
            with os.scandir(self.locate(path)) as entries:
                for entry in entries:
                    names[entry.name] = _kind(entry)
                    if limit is not None and len(names) > limit:
                        return
        except (FileNotFoundError, NotADirectoryError):
            folder.exists = False
            return
        except PermissionError:  # it may be entered, not listed
            return
        except OSError as error:
            raise unseen(path, error) from error
        except ValueError:
            folder.exists = False
            return
        folder.exists = True
        folder.names = names

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
            try:
                known = digest_file(self.locate(path))
            except OSError:
                known = ""
            self._digests[path] = known
        return known

    def tree_mtime_ns(self, path: str) -> int:
        """The newest change of any file below a folder (0 for an empty one)."""
        return self._tree(path)[1]

    def read(self, path: str, limit: int) -> bytes:
        """Content of a regular file.

        Raises:
            OSError: it cannot be read, is no regular file, or is larger than ``limit`` bytes.
        """
        fd = open_regular(self.locate(path))
        try:
            if os.fstat(fd).st_size > limit:
                raise OSError(errno.EFBIG, f"larger than {limit} bytes", path)
            chunks = []
            left = limit + 1
            while left and (chunk := os.read(fd, min(left, _CHUNK))):
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
        return self._files_below(folder, prefix, frozenset())

    def _files_below(self, folder: str, prefix: str, inside: frozenset[tuple[int, int]]) -> Iterator[str]:
        known = self._folders.get(folder) or self._folder(folder)
        if known.names is None and known.exists is not False:
            self._scan(folder, known, None)
        if not known.names:
            return
        try:
            found = os.stat(self.locate(folder))
        except OSError:
            return
        identity = (found.st_dev, found.st_ino)
        if identity in inside:
            return
        inside |= {identity}
        entries: list[str] = []
        for name, kind in known.names.items():
            if kind in "l?":
                stamp = self.stat(prefix + name)
                if stamp is None:
                    continue
                kind = stamp.kind
            entries.append(name + "/" if kind == "d" else name)
        entries.sort()
        for name in entries:
            if name[-1] != "/":
                yield prefix + name
            elif prefix or name != STATE_FOLDER + "/":
                yield from self._files_below(prefix + name[:-1], prefix + name, inside)

    def _tree(self, folder: str) -> tuple[str, int]:
        known = self._trees.get(folder)
        if known is None:
            known = self._trees[folder] = digest_tree(self.locate(folder))
        return known


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


def open_regular(location: str) -> int:
    """Open a regular file for reading without ever blocking.

    Raises:
        OSError: it cannot be opened or is a folder, pipe, device or socket.
    """
    try:
        fd = os.open(location, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except ValueError as error:
        raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), location) from error
    mode = os.fstat(fd).st_mode
    if not modes.S_ISREG(mode):
        os.close(fd)
        if modes.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), location)
        raise OSError(errno.EINVAL, "not a regular file", location)
    return fd


def digest_bytes(content: bytes) -> str:
    """Digest of a content."""
    return hashlib.sha256(content).hexdigest()[:DIGEST_LENGTH]


def digest_file(location: str) -> str:
    """Digest of a regular file's content.

    Raises:
        OSError: it cannot be read.
    """
    return sha256_file(location)[:DIGEST_LENGTH]


def sha256_file(location: str) -> str:
    """SHA-256 of a regular file's content, hexadecimal.

    Raises:
        OSError: it cannot be read.
    """
    fd = open_regular(location)
    try:
        chunk = os.read(fd, _CHUNK)
        running = hashlib.sha256(chunk)
        while len(chunk) == _CHUNK:
            chunk = os.read(fd, _CHUNK)
            running.update(chunk)
    finally:
        os.close(fd)
    return running.hexdigest()


def digest_tree(location: str) -> tuple[str, int]:
    """Digest of the names, sizes and times of all files below a folder, and the time of the newest.

    A symbolic link counts with where it points to and is not followed. Folders count only through the files in them.
    """
    running = hashlib.sha256()
    newest = 0
    folders = [("", location)]
    while folders:
        prefix, place = folders.pop()
        try:
            with os.scandir(place) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            running.update(f"{prefix}\0unreadable {error.errno}\n".encode("utf-8", "surrogateescape"))
            continue
        below = []
        for entry in found:
            name = prefix + entry.name
            try:
                if entry.is_dir(follow_symlinks=False):
                    below.append((name + "/", entry.path))
                    continue
                status = entry.stat(follow_symlinks=False)
                target = os.readlink(entry.path) if entry.is_symlink() else ""
            except FileNotFoundError:
                continue
            newest = max(newest, status.st_mtime_ns)
            line = f"{name}\0{status.st_size}\0{status.st_mtime_ns}\0{target}\n"
            running.update(line.encode("utf-8", "surrogateescape"))
        folders.extend(reversed(below))
    return running.hexdigest()[:DIGEST_LENGTH], newest
