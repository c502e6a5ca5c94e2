"""What the disk says of a file, and what is remembered of it."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Stamp(NamedTuple):
    """A file or folder as it is now.

    Attributes:
        size: bytes; for a folder 0.
        mtime_ns: last change, nanoseconds since the epoch.
        kind: ``f`` regular file, ``d`` folder, ``o`` anything else (fifo, device, socket).
        writable: some write permission bit is set.
    """

    size: int
    mtime_ns: int
    kind: str = "f"
    writable: bool = True


class FileRecord(NamedTuple):
    """A file as it was when a job started (inputs) or ended (outputs).

    Attributes:
        digest: of its content, where it was small enough to be read (of names, sizes and times for a folder), else "".
    """

    path: str
    size: int
    mtime_ns: int
    digest: str = ""


KINDS = ("", "f", "f-", "d", "d-", "o", "o-")
"""What a path can be, as a `FileTable` numbers it: nothing, or a kind of `Stamp`, with `-` where it is not writable."""

_NUMBERS = {name: number for number, name in enumerate(KINDS)}


@dataclass(frozen=True, slots=True)
class FileTable:
    """Many paths with their states, column by column.

    Attributes:
        paths: as the workflow names them.
        sizes, times: as in `Stamp`; 0 where nothing is.
        kinds: places in `KINDS`.
    """

    paths: Sequence[str]
    sizes: array[int]
    times: array[int]
    kinds: bytes

    @classmethod
    def of(cls, paths: Sequence[str], stat: Callable[[str], Stamp | None]) -> FileTable:
        """The states of paths as ``stat`` tells them."""
        stamps = [stat(path) or _NOTHING for path in paths]
        return cls(
            paths,
            array("q", [stamp.size for stamp in stamps]),
            array("q", [stamp.mtime_ns for stamp in stamps]),
            bytes([number_of(stamp.kind, stamp.writable) for stamp in stamps]),
        )


_NOTHING = Stamp(0, 0, "", True)


def number_of(kind: str, writable: bool) -> int:
    """The place in `KINDS` of a kind of file."""
    return _NUMBERS[kind if writable else f"{kind}-"]
