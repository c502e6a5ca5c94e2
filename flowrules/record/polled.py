"""Files that one host appends to and others poll: lines as in a journal, in files that are never renamed or cut short.

A reader takes whole good lines only. It stays before a last line that has no end or a wrong sum, as that one may only
not be there yet. Lines count up: what a full disk tore is ended by its writer and written again under the same number,
so only a gap in the numbers means that something is lost.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple
from zlib import crc32

from flowrules.errors import StateError
from flowrules.record.journal import encode_line, key_of, name_of, split_keys
from flowrules.record.state import require_own, write_all

_CHUNK = 1 << 22


class PolledLine(NamedTuple):
    """A good line: its kind, the names it is about, its payload, and the offset after it."""

    kind: str
    names: tuple[str, ...]
    payload: bytes
    end: int


class Follower:
    """Reads a file that grows, a poll at a time.

    Args:
        until: what stands after this offset does not exist; None: all of the file does.

    Attributes:
        offset: after the last good line that was taken.
        number: of that line.
        lost: how many lines are damaged, and suspects: the names they are about, as far as these can be read.
    """

    def __init__(self, path: str, until: int | None = None) -> None:
        self.path = path
        self.until = until
        self.offset = 0
        self.number = 0
        self.lost = 0
        self.suspects: list[str] = []

    def poll(self) -> list[PolledLine]:
        """The good lines since the last call. The file is opened anew: only then a network file system looks afresh.

        Raises:
            StateError: the file is there and cannot be read.
        """
        found: list[PolledLine] = []
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return found
        except OSError as error:
            raise _failed("read", self.path, error) from error
        try:
            require_own(fd, self.path)
            self._read(fd, found)
        except OSError as error:
            raise _failed("read", self.path, error) from error
        finally:
            os.close(fd)
        return found

    def _read(self, fd: int, found: list[PolledLine]) -> None:
        position, rest, bad = self.offset, b"", list[bytes]()
        offset = position
        while chunk := os.pread(fd, self._room(position), position):
            position += len(chunk)
            lines = (rest + chunk).split(b"\n")
            rest = lines.pop()
            for line in lines:
                offset += len(line) + 1
                parsed = _parse(line)
                if parsed is None:
                    bad.append(line)
                    continue
                number, kind, keys, payload = parsed
                self._count(number, bad)
                bad.clear()
                self.offset = offset
                if number > self.number:
                    self.number = number
                    names = tuple(name_of(key) for key in split_keys(keys))
                    found.append(PolledLine(kind.decode(), names, payload, offset))

    def _room(self, position: int) -> int:
        return _CHUNK if self.until is None else max(0, min(_CHUNK, self.until - position))

    def _count(self, number: int, bad: list[bytes]) -> None:
        gap = number - self.number - 1
        if gap <= 0:
            return
        self.lost += gap
        for line in bad:
            fields = line.split(b"\t", 4)
            if len(fields) == 5:
                self.suspects.extend(name_of(key) for key in split_keys(fields[3]))


def _parse(line: bytes) -> tuple[int, bytes, bytes, bytes] | None:
    try:
        total, numeral, kind, keys, payload = line.split(b"\t", 4)
        good = int(total, 16) == crc32(line[9:]) and kind.isalpha()
        return (int(numeral), kind, keys, payload) if good else None
    except ValueError:
        return None


class Appender:
    """Writes a file of one's own: whole lines, each call one write.

    Lines that could not be written are kept, and go out before others with the next call that succeeds. Perhaps some
    of them are in the file all the same: whoever reads may act upon them, who writes must not before `flush` returned.

    Args:
        path: an absent file is made, private; a torn last line of an old one is ended.

    Raises:
        StateError: it cannot be opened.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._waiting: list[tuple[bytes, bytes, bytes]] = []
        self._unsynced: list[tuple[bytes, bytes, bytes]] = []
        self._number = 0
        self._torn = False
        self._doubtful = False
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            self._fd = os.open(path, flags, 0o600)
        except OSError as error:
            raise _failed("open", path, error) from error
        try:
            require_own(self._fd, path)
            self._look()
        except StateError:
            self.close()
            raise
        except OSError as error:
            self.close()
            raise _failed("open", path, error) from error

    @property
    def unsynced(self) -> int:
        """Lines that are perhaps not on disk, with those that wait to be written."""
        return len(self._unsynced) + len(self._waiting)

    @property
    def waiting(self) -> int:
        """Lines that are not in the file."""
        return len(self._waiting)

    def append(self, kind: str, names: Sequence[str], payload: bytes) -> None:
        """Add a line; it is in the file after `flush`."""
        self._waiting.append((kind.encode(), b"\x1f".join(map(key_of, names)), payload))

    def flush(self) -> None:
        """Have all lines in the file, with one write.

        Raises:
            StateError: not all of them are; nothing must be concluded from them.
        """
        if self._doubtful:
            self._recover()
        if not self._waiting:
            return
        lines = [encode_line(self._number + at, *line) for at, line in enumerate(self._waiting, 1)]
        content = (b"\n" if self._torn else b"") + b"".join(lines)
        try:
            before = os.fstat(self._fd).st_size
            write_all(self._fd, content)
        except OSError as error:
            with suppress(OSError):
                self._keep_rest(lines, os.fstat(self._fd).st_size - before - self._torn)
            raise _failed("write", self.path, error) from error
        self._number += len(lines)
        self._unsynced += self._waiting
        self._waiting.clear()
        self._torn = False

    def _keep_rest(self, lines: list[bytes], written: int) -> None:
        """After a write that failed: lines that are whole in the file are not written again."""
        if written < 0:
            return
        whole = 0
        while whole < len(lines) and written >= len(lines[whole]):
            written -= len(lines[whole])
            whole += 1
        self._number += whole
        self._unsynced += self._waiting[:whole]
        del self._waiting[:whole]
        self._torn = written > 0

    def sync(self) -> None:
        """Have all lines on disk, where other hosts see them.

        Raises:
            StateError: they may not be, or the file was removed. Those that are not are written again by the next call.
        """
        self.flush()
        try:
            if os.fstat(self._fd).st_nlink == 0:
                raise FileNotFoundError(errno.ENOENT, "it was removed while flowrules was running")
            os.fsync(self._fd)
        except OSError as error:
            self._doubtful = True  # a network file system may have dropped what it took when the quota was reached
            raise _failed("write", self.path, error) from error
        self._unsynced.clear()

    def _recover(self) -> None:
        """Finds out which of the lines since the last `sync` are in the file; the others wait again."""
        synced = self._number - len(self._unsynced)
        try:
            self._look()
        except OSError as error:
            raise _failed("read", self.path, error) from error
        kept = max(0, self._number - synced)
        self._waiting[:0] = self._unsynced[kept:]
        del self._unsynced[kept:]
        self._doubtful = False

    def _look(self) -> None:
        """How the file ends now: the number of its last line, and whether a torn one follows."""
        follower = Follower(self.path)
        follower.poll()
        size = os.fstat(self._fd).st_size
        self._number = follower.number
        self._torn = False
        if size > follower.offset:
            with open(self.path, "rb") as file:
                file.seek(follower.offset)
                rest = file.read()
            # lines that were ended and are damaged keep their numbers, so that readers notice
            self._number += rest.count(b"\n")
            self._torn = not rest.endswith(b"\n")

    def close(self) -> None:
        """Close the file; what waits to be written is lost. May be called twice."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _failed(verb: str, path: str, error: OSError) -> StateError:
    hint = None
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        hint = "make room, or raise the quota: no new job starts before"
    return StateError(f"cannot {verb} `{path}`: {(error.strerror or str(error)).lower()}", hint)
