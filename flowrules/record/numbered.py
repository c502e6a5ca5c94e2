"""Folders whose names count up: who is in charge is decided by `mkdir` of the next number, which one contender wins."""

from __future__ import annotations

import os


def numbers(folder: str) -> list[int]:
    """The numbers in a folder, in order; it is listed, as absence of a single name may be remembered wrongly.

    Raises:
        OSError: the folder cannot be read; one that is absent has none.
    """
    try:
        return sorted(int(name) for name in os.listdir(folder) if name.isascii() and name.isdigit())
    except FileNotFoundError:
        return []


def highest(folder: str) -> int:
    """The highest number in a folder, 0 where there is none.

    Raises:
        OSError: the folder cannot be read.
    """
    return max(numbers(folder), default=0)


def take_next(folder: str, digits: int) -> int:
    """Make the folder of the next number, private; numbers are never used twice.

    A `mkdir` that answers "exists" to its own maker (a network file system asked twice) leaves a number without owner.

    Raises:
        OSError: it cannot be made.
    """
    while True:
        number = highest(folder) + 1
        try:
            os.mkdir(f"{folder}/{number:0{digits}d}", 0o700)
        except FileExistsError:
            continue
        return number
