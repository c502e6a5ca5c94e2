"""Files in which plans are remembered, beside the journal: private, replaced as a whole, and dispensable.

Two programs may write at once: the later one wins. What cannot be read or written is as if it were not there. Imports
little: a call that finds nothing to do needs no more of the record than this.
"""

from __future__ import annotations

import os
import re
import stat as modes
from contextlib import suppress
from typing import Final

from flowrules.errors import StateError
from flowrules.model.files import KINDS, FileTable, number_of
from flowrules.record.disk import Disk, kind_of
from flowrules.record.state import state_folder, write_all

FOLDER: Final = "plans"
KEPT: Final = 6
"""How many plans are kept: other targets, another configuration."""

LARGEST: Final = 4 << 30
"""Bytes of the largest file that is read."""

_SUPERSEDED = re.compile(r"[0-9a-f]{32}(\.\d+)?")


def read_plan(name: str) -> bytes | None:
    """What was remembered under a name; None where nothing is, or what is there is not ours."""
    try:
        folder = state_folder(".", create=False)
        if folder is None:
            return None
        fd = os.open(f"{folder}/{FOLDER}/{name}", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, StateError):
        return None
    try:
        status = os.fstat(fd)
        if modes.S_ISREG(status.st_mode) and status.st_uid == os.geteuid() and status.st_size <= LARGEST:
            with open(fd, "rb", closefd=False) as file:
                return file.read()
    except OSError:
        pass
    finally:
        os.close(fd)
    return None


def write_plan(name: str, content: bytes) -> None:
    """Remember something under a name. It need not survive a power failure: its reader notices what is damaged."""
    with suppress(OSError, StateError):
        parent = state_folder(".", create=False)
        if parent is None:
            return
        folder = f"{parent}/{FOLDER}"
        with suppress(FileExistsError):
            os.mkdir(folder, 0o700)
        if not modes.S_ISDIR(os.lstat(folder).st_mode):
            return
        temporary = f"{folder}/{name}.{os.getpid()}"
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            try:
                write_all(fd, content)
            finally:
                os.close(fd)
            os.replace(temporary, f"{folder}/{name}")
        except OSError:
            os.unlink(temporary)
            raise
        _drop_old(folder)


def _drop_old(folder: str) -> None:
    """Leaves the latest plans, and removes what writers that died left."""
    found = [entry for entry in os.scandir(folder) if _SUPERSEDED.fullmatch(entry.name)]
    found.sort(key=lambda entry: entry.stat(follow_symlinks=False).st_mtime_ns, reverse=True)
    for entry in found[KEPT:]:
        with suppress(OSError):
            os.unlink(entry.path)


# ── what the disk has come to since ──────────────────────────────────────────────────────────────────────────────


def differences(disk: Disk, table: FileTable) -> list[int]:
    """Places in a table of the files that are not what it says.

    A hot path: it looks at a million files, at each once. Of those that were absent their folders are listed.

    Raises:
        FlowrulesError: as `Disk.stat`, which looks at what is not there, or was not.
    """
    look, kinds = os.stat, dict[int, int]()
    found: list[int] = []
    paths = table.paths if disk.locate("x") == "x" else map(disk.locate, table.paths)
    for at, (path, size, time, kind) in enumerate(zip(paths, table.sizes, table.times, table.kinds, strict=True)):
        if kind:
            try:
                status = look(path)
            except (OSError, ValueError):
                found.append(at)
                continue
            mode = status.st_mode
            known = kinds.get(mode)
            if known is None:
                known = kinds[mode] = number_of(kind_of(mode), mode & 0o222 != 0)
            if status.st_mtime_ns != time or known != kind or (status.st_size != size and KINDS[kind][0] == "f"):
                found.append(at)
        elif disk.stat(table.paths[at]) is not None:
            found.append(at)
    disk.stats += len(table.paths) - table.kinds.count(0)
    return found


# ── what the history has come to since ───────────────────────────────────────────────────────────────────────────


def history_mark() -> str:
    """Where the history of this directory ends: a text for `history_since`."""
    try:
        folder = state_folder(".", create=False)
        status = os.stat(f"{folder}/journal") if folder is not None else None
    except (OSError, StateError):
        return ""
    return "" if status is None else f"{status.st_ino} {status.st_size} {status.st_mtime_ns}"


def history_since(mark: str) -> frozenset[str] | None:
    """The outputs of attempts that were told of after a mark; None where that cannot be said."""
    now = history_mark()
    if now == mark:
        return frozenset()
    then, told = mark.split(), now.split()
    if not told or (then and (then[0] != told[0] or int(then[1]) >= int(told[1]))):
        return None
    from flowrules.record.journal import keys_after

    try:
        return keys_after(f"{state_folder('.', create=False)}/journal", int(then[1]) if then else 0)
    except (OSError, StateError):
        return None
