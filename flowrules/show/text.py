"""Text for terminals: hostile characters spelt out, widths in cells, shortening, colour; knows no workflows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final
from unicodedata import category, combining, east_asian_width

_KEPT: Final = frozenset("\u200c\u200d")
"""Joiners that scripts and emoji need; they neither move nor hide text."""

_NAMED: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}

_STYLES: Final[Mapping[str, str]] = {
    "error": "1;31",
    "warning": "1;33",
    "bold": "1",
    "dim": "2",
    "note": "1;36",
    "hint": "32",
    "good": "32",
    "may": "33",
    "run": "36",
}


def escape(text: str) -> str:
    """Text with whatever could drive a terminal, hide text or change its order spelt out (`\\x1b`, `\\u202e`).

    The result is one line of characters that every UTF-8 stream can write.
    """
    if text.isprintable():
        return text
    return "".join([c if c.isprintable() else _spelt(c) for c in text])


def _spelt(char: str) -> str:
    if char in _NAMED:
        return _NAMED[char]
    point = ord(char)
    reserved = point & 0xFFFE == 0xFFFE or 0xFDD0 <= point <= 0xFDEF  # no characters at all, and no XML
    if char in _KEPT or (category(char) in ("Zs", "Co", "Cn") and not reserved):
        return char
    return f"\\x{point:02x}" if point < 0x100 else f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"


def cells(text: str) -> int:
    """How many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum([_cell(c) for c in text])


def _cell(char: str) -> int:
    if combining(char) or char in _KEPT or category(char) in ("Mn", "Me"):
        return 0
    return 2 if east_asian_width(char) in "WF" else 1


def head(text: str, width: int) -> str:
    """The longest beginning that fits into ``width`` cells."""
    if text.isascii():
        return text[: max(width, 0)]
    used = 0
    for i, char in enumerate(text):
        used += _cell(char)
        if used > width:
            return text[:i]
    return text


def tail(text: str, width: int) -> str:
    """The longest end that fits into ``width`` cells."""
    if text.isascii():
        return text[max(len(text) - width, 0) :]
    used = 0
    for i in range(len(text) - 1, -1, -1):
        used += _cell(text[i])
        if used > width:
            return text[i + 1 :]
    return text


def shorten(text: str, width: int) -> str:
    """Text in at most ``width`` cells; what is too long loses its end."""
    return text if cells(text) <= width else head(text, width - 1) + "…" if width > 0 else ""


def shorten_middle(text: str, width: int) -> str:
    """Text in at most ``width`` cells; what is too long loses its middle, as suits paths."""
    if cells(text) <= width:
        return text
    if width <= 1:
        return "…"[:width]
    front = (width - 1) // 3
    return head(text, front) + "…" + tail(text, width - 1 - front)


def pad(text: str, width: int, right: bool = False) -> str:
    """Text filled with blanks to ``width`` cells, before it where ``right``."""
    blanks = " " * (width - cells(text))
    return blanks + text if right else text + blanks


def paint(text: str, style: str, color: bool) -> str:
    """Text in a named style, as it is where there is no colour."""
    return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if color and text else text


def counted(number: int, singular: str, plural: str = "") -> str:
    """`1 job`, `1,234 jobs`."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def json_line(value: object) -> str:
    """JSON on one line, in characters that any stream and terminal bears."""
    return json.dumps(value, separators=(", ", ": ")).replace("\x7f", "\\u007f")
