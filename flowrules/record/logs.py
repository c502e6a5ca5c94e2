"""Log files of jobs: their last lines, and their going where a job said nothing."""

from __future__ import annotations

import os

TAIL_BYTES = 16 << 10


def tail_of(path: str, lines: int) -> str:
    """The last lines of a text file, "" where there is none; what is no UTF-8 is escaped."""
    try:
        with open(path, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - TAIL_BYTES))
            text = file.read().decode("utf-8", "backslashreplace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def remove_if_empty(path: str) -> bool:
    """Removes a file of no bytes; True where it did."""
    try:
        if os.stat(path).st_size:
            return False
        os.unlink(path)
    except OSError:
        return False
    return True
