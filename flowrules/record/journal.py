"""An append-only file of checked lines with one writer. It knows kinds and keys of lines, not what they mean.

A line is five fields parted by tabs::

    crc32  number  kind  key [US key …]  payload

The sum is over all that follows it; ``number`` counts up by one per file, so that a lost line is noticed; keys are
UTF-8 with control characters written ``\\XX``, parted by the ASCII unit separator; the payload is JSON, which
holds no tab. Keys stand before the payload so that an index of a million lines is built without reading any JSON.

What was appended is in the file (`write` has returned) after `Journal.flush`, and on disk after `Journal.sync`. A last
line without its end is not there. Ended lines that are not whole are damage: they are counted, and their keys are told
where they can be read.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeAlias
from zlib import crc32

from flowrules.errors import StateError
from flowrules.record.state import require_own, sync_folder, write_all

_CHUNK = 1 << 22
_WINDOW = 1 << 16
_LENGTH_BITS = 32
_SEPARATOR = b"\x1f"
_SPECIAL = re.compile(rb"[\x00-\x1f\\]")
_ESCAPE = re.compile(rb"\\([0-9a-f]{2})")


Line: TypeAlias = tuple[bytes, bytes, int]
"""A line: its kind, its keys as they stand in the file (see `split_keys`), its place as `Journal.payload` wants it.

Kind ``?`` is a damaged line of which the keys can be read; it has no place.
"""


@dataclass(slots=True)
class Scan:
    """What reading a journal from its start found.

    Attributes:
        end: offset after the last good line.
        number: number of the last good line.
        count: good lines.
        damaged: lines that are ended and not whole, or are missing; not the rest of a line at the very end.
        cut: keys of damaged lines after ``end``, as far as they can be read: a writer will cut these lines off.
    """

    end: int = 0
    number: int = 0
    count: int = 0
    damaged: int = 0
    cut: list[bytes] = field(default_factory=list)


def key_of(name: str) -> bytes:
    """A name as it stands in a line; any text can be a name, so that paths that are no UTF-8 can."""
    key = name.encode("utf-8", "surrogatepass")
    if name.isprintable() and "\\" not in name:  # the quickest way to say that nothing is special
        return key
    return _SPECIAL.sub(_escaped, key)


def name_of(key: bytes) -> str:
    """The name that `key_of` wrote; of a key that is damaged, what can be read of it."""
    plain = _ESCAPE.sub(lambda match: bytes([int(match[1], 16)]), key) if b"\\" in key else key
    try:
        return plain.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return plain.decode("utf-8", "replace")


def size_of(place: int) -> int:
    """Bytes of the payload at a place."""
    return place & (1 << _LENGTH_BITS) - 1


def split_keys(keys: bytes) -> list[bytes]:
    """The keys of a line one by one."""
    return keys.split(_SEPARATOR) if keys else []


def encode_line(number: int, kind: bytes, keys: bytes, payload: bytes) -> bytes:
    """A whole line with its sum and its end."""
    body = b"%d\t%b\t%b\t%b" % (number, kind, keys, payload)
    return b"%08x\t%b\n" % (crc32(body), body)


def read_lines(fd: int, scan: Scan) -> Iterator[Line]:
    """The lines of a journal from its start; ``scan`` is right when the last has been taken.

    Raises:
        OSError: the file cannot be read.
    """
    offset = position = number = count = 0
    rest = b""
    bad: list[bytes] = []
    while chunk := os.pread(fd, _CHUNK, position):
        position += len(chunk)
        lines = (rest + chunk).split(b"\n")
        rest = lines.pop()
        for line in lines:
            offset += len(line) + 1
            try:
                total, numeral, kind, keys, payload = line.split(b"\t", 4)
                good = int(total, 16) == crc32(line[9:])
            except ValueError:
                good = False
            if not good:
                bad.append(line)
                continue
            number += 1
            if bad or int(numeral) != number:
                scan.damaged += max(len(bad), int(numeral) - number)
                number = int(numeral)
                yield from _suspects(bad)
                bad.clear()
            count += 1
            size = len(payload)
            scan.end = offset
            yield kind, keys, (offset - 1 - size) << _LENGTH_BITS | size
    scan.number = number
    scan.count = count
    scan.damaged += len(bad)
    for suspect in _suspects(bad):
        scan.cut.append(suspect[1])
        yield suspect


def _suspects(bad: list[bytes]) -> Iterator[Line]:
    for line in bad:
        fields = line.split(b"\t", 4)
        if len(fields) == 5:
            yield b"?", fields[3], -1


def keys_after(path: str, offset: int) -> frozenset[str] | None:
    """Names that stand in lines about attempts (`s`, `e`, `f`) after the line that ends at an offset.

    Returns:
        None where a line is not whole.

    Raises:
        OSError: the file cannot be read.
    """
    names: set[str] = set()
    with open(path, "rb") as file:
        file.seek(offset)
        for line in file:
            fields = line[:-1].split(b"\t", 4)
            if len(fields) != 5 or line[-1:] != b"\n" or fields[0] != b"%08x" % crc32(line[9:-1]):
                return None
            if fields[2] in (b"s", b"e", b"f"):
                names.update(map(name_of, split_keys(fields[3])))
    return frozenset(names)


def rewrite(path: str, lines: Iterable[tuple[bytes, bytes, bytes]]) -> None:
    """Put a journal of these lines (kind, keys as they stand in a file, payload) in place of another, as a whole.

    Raises:
        OSError: it cannot be written; the old one is as it was.
    """
    temporary = f"{path}.new"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(temporary, flags, 0o600)
    try:
        batch = bytearray()
        for number, (kind, keys, payload) in enumerate(lines, 1):
            batch += encode_line(number, kind, keys, payload)
            if len(batch) >= _CHUNK:
                write_all(fd, batch)
                batch.clear()
        if batch:
            write_all(fd, batch)
        os.fsync(fd)
        os.replace(temporary, path)
    except OSError:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    finally:
        os.close(fd)
    sync_folder(os.path.dirname(path) or ".")


def _sync_data(fd: int) -> None:
    """Have the content of a file on disk; where the system offers no more than that, with its times."""
    getattr(os, "fdatasync", os.fsync)(fd)


def _escaped(match: re.Match[bytes]) -> bytes:
    return b"\\%02x" % match[0][0]


class Journal:
    """A journal file, open.

    Args:
        path: where it lies; an absent file is made, unless ``read_only``, for which it is an empty one.
        read_only: nothing is appended and a torn end is left as it is.

    Attributes:
        scan: what `lines` found when it was last read to the end; for a writer that is before the first append.
    """

    def __init__(self, path: str, *, read_only: bool = False) -> None:
        self.path = path
        self.scan = Scan()
        self._read_only = read_only
        self._pending = bytearray()
        self._pending_lines = 0
        self._end = 0
        self._next_end = 0
        self._number = 0
        self._torn = False
        self._unsynced = 0
        self._fd = self._open(path)

    def _open(self, path: str) -> int:
        flags = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        flags |= os.O_RDONLY if self._read_only else os.O_RDWR | os.O_CREAT | os.O_APPEND
        try:
            fd = os.open(path, flags, 0o600)
        except FileNotFoundError:
            if self._read_only:
                return -1
            raise self._failed("open", FileNotFoundError(errno.ENOENT, "its folder is gone")) from None
        except OSError as error:
            raise self._failed("open", error) from error
        try:
            require_own(fd, path)
        except StateError:
            os.close(fd)
            raise
        return fd

    # ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────

    def lines(self) -> Iterator[Line]:
        """The lines from the start, without those that wait to be flushed; `scan` is theirs after the last.

        Raises:
            StateError: the file cannot be read.
        """
        scan = Scan()
        if self._fd >= 0:
            try:
                yield from read_lines(self._fd, scan)
            except OSError as error:
                raise self._failed("read", error) from error
        self.scan = scan

    def payload(self, place: int) -> bytes:
        """The payload of a line, appended or read.

        Raises:
            StateError: the file cannot be read.
        """
        offset, size = place >> _LENGTH_BITS, size_of(place)
        if offset >= self._end and self._pending:
            return bytes(self._pending[offset - self._end : offset - self._end + size])
        try:
            found = os.pread(self._fd, size, offset)
            while len(found) < size and (more := os.pread(self._fd, size - len(found), offset + len(found))):
                found += more
        except OSError as error:
            raise self._failed("read", error) from error
        return found

    def payloads(self, places: Iterable[int]) -> Iterator[bytes]:
        """Payloads of lines that are given in the order in which they stand in the file: one reading for many.

        Raises:
            StateError: the file cannot be read.
        """
        window, start = b"", 0
        for place in places:
            offset, size = place >> _LENGTH_BITS, size_of(place)
            waits = bool(self._pending) and offset >= self._end
            if offset + size > start + len(window) and not waits:
                try:
                    start, window = offset, os.pread(self._fd, max(_WINDOW, size), offset)
                except OSError as error:
                    raise self._failed("read", error) from error
            at = offset - start
            yield window[at : at + size] if 0 <= at <= len(window) - size else self.payload(place)

    @property
    def size(self) -> int:
        """Bytes of good lines, with those that wait to be flushed."""
        return self._next_end

    # ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────

    def settle(self) -> None:
        """Begin to write where the last reading ended: what is torn after it is cut off.

        Raises:
            StateError: it cannot be cut off.
        """
        self._end = self._next_end = self.scan.end
        self._number = self.scan.number
        if os.fstat(self._fd).st_size != self._end:
            self._torn = True
            self._mend()

    def append(self, kind: bytes, keys: Iterable[bytes], payload: bytes) -> int:
        """Add a line; it is in the file after `flush`. Its place."""
        self._number += 1
        line = encode_line(self._number, kind, _SEPARATOR.join(keys), payload)
        self._pending += line
        self._pending_lines += 1
        self._next_end += len(line)
        return (self._next_end - 1 - len(payload)) << _LENGTH_BITS | len(payload)

    def flush(self) -> None:
        """Have all appended lines in the file, with one write.

        Raises:
            StateError: they are not in it, none of them. They are kept, and written by the next call that succeeds.
        """
        if not self._pending:
            return
        self._mend()
        try:
            write_all(self._fd, self._pending)
        except OSError as error:
            self._torn = True
            with suppress(StateError):
                self._mend()
            raise self._failed("write", error) from error
        self._unsynced += self._pending_lines
        self._pending_lines = 0
        self._pending.clear()
        self._end = self._next_end

    @property
    def pending(self) -> bool:
        """Whether lines wait to be flushed."""
        return bool(self._pending)

    def forget(self) -> None:
        """Drop the lines that wait to be flushed: the file is another's now. Nothing is appended after this."""
        self._pending.clear()
        self._pending_lines = 0

    @property
    def unsynced(self) -> int:
        """Lines that are in the file and perhaps not on disk, with those that wait to be flushed."""
        return self._unsynced + self._pending_lines

    def sync(self) -> None:
        """Have all appended lines on disk.

        Raises:
            StateError: they may not be, or the file was removed.
        """
        self.flush()
        try:
            if os.fstat(self._fd).st_nlink == 0:
                raise FileNotFoundError(errno.ENOENT, "it was removed while flowrules was running")
            _sync_data(self._fd)
        except OSError as error:
            raise self._failed("write", error) from error
        self._unsynced = 0

    def close(self) -> None:
        """Close the file; what was not flushed is lost."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __del__(self) -> None:
        """A reader that is dropped lets go of its file; what a writer holds back is not written here."""
        if getattr(self, "_fd", -1) >= 0:
            os.close(self._fd)

    def _mend(self) -> None:
        """Cut off what a failed write may have left."""
        if not self._torn:
            return
        try:
            os.ftruncate(self._fd, self._end)
        except OSError as error:
            raise self._failed("mend", error) from error
        self._torn = False

    def _failed(self, verb: str, error: OSError) -> StateError:
        hint = None
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            hint = "make room, or raise the quota: no new job starts before"
        elif error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
            hint = "flowrules needs to write in its state folder"
        return StateError(f"cannot {verb} the journal `{self.path}`: {(error.strerror or str(error)).lower()}", hint)
