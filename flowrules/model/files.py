"""What the disk says of a file, and what is remembered of it."""

from __future__ import annotations

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
