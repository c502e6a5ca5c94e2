"""Decodes string literals, and says for any part of the decoded text where the author wrote it."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import accumulate
from posixpath import commonprefix
from typing import Final, NamedTuple

from flowrules.span import Span
from flowrules.syntax.tree import String

_ESCAPE: Final = re.compile(
    r"\\(?:(\n)|([\\'\"abfnrtv])|([0-7]{1,3})|x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|N\{([^{}\n]+)\}|[\s\S])"
)
_LINES: Final = re.compile(r"[^\n]*\n|[^\n]+")
_LETTERS: Final = dict(zip("\\'\"abfnrtv", "\\'\"\a\b\f\n\r\t\v", strict=True))
_LARGEST_CODEPOINT: Final = 0x10FFFF


class _Piece(NamedTuple):
    """A part of the decoded text and where it was written; both have the same length unless it is an escape."""

    text: str
    start: int
    end: int


@dataclass(slots=True, eq=False)
class Text:
    """A decoded string literal.

    Attributes:
        value: the text.
        node: the literal it was decoded from.
    """

    value: str
    node: String
    _pieces: list[_Piece]
    _offsets: list[int] = field(default_factory=list)

    def span(self, start: int, end: int) -> Span:
        """Where ``value[start:end]`` was written; for an empty range, the place between two characters."""
        source = self.node.span.source
        if not self._pieces:
            return Span(source, self.node.body_start, self.node.body_start)
        if not self._offsets:
            self._offsets = [0, *accumulate(len(piece.text) for piece in self._pieces)]
        begin = self._source_offset(start)
        return Span(source, begin, self._source_end(end) if end > start else begin)

    def _source_offset(self, offset: int) -> int:
        number = min(bisect_right(self._offsets, offset), len(self._pieces)) - 1
        text, start, end = self._pieces[number]
        if len(text) == end - start:
            return start + offset - self._offsets[number]
        return start if offset < self._offsets[number + 1] else end

    def _source_end(self, offset: int) -> int:
        number = bisect_right(self._offsets, offset - 1) - 1
        text, start, end = self._pieces[number]
        return start + offset - self._offsets[number] if len(text) == end - start else end


def decode(node: String, *, shell: bool = False) -> Text:
    """The text a literal stands for.

    Python's escapes are replaced and unknown ones stay as written; in raw strings, and in triple-quoted ``shell`` text,
    backslashes are text. Triple-quoted strings lose the indentation that their lines share, a line end right after the
    opening quotes, and the blanks before closing quotes on a line of their own. Braces are left alone, also those of an
    f-string.
    """
    triple = len(node.quote) == 3
    body, start = node.body, node.body_start
    as_written = "\\" not in body or "r" in node.prefix or (shell and triple)
    pieces = _dedented(body, start) if triple and "\n" in body else [_Piece(body, start, start + len(body))]
    if not as_written:
        pieces = [part for piece in pieces for part in _unescaped(piece)]
    pieces = [piece for piece in pieces if piece.text]
    return Text("".join(piece.text for piece in pieces), node, pieces)


def _dedented(body: str, start: int) -> list[_Piece]:
    """The lines of a triple-quoted body, with their ends, without what they share."""
    lines = _LINES.findall(body)
    shared = commonprefix([line[: len(line) - len(line.lstrip(" \t"))] for line in lines[1:] if line.strip()])
    pieces = []
    for number, line in enumerate(lines):
        end = start + len(line)
        if number == 0:
            skip = 1 if line == "\n" else 0
        elif line.strip(" \t\n"):
            skip = len(shared)
        else:  # a blank line keeps its end only, and the blanks before the closing quotes have none
            skip = len(line.rstrip("\n"))
        pieces.append(_Piece(line[skip:], start + skip, end))
        start = end
    return pieces


def _unescaped(piece: _Piece) -> list[_Piece]:
    """A piece cut at its escapes."""
    pieces, at = [], 0
    for found in _ESCAPE.finditer(piece.text):
        text = _replacement(found)
        if text is None:
            continue
        begin, end = found.span()
        pieces.append(_Piece(piece.text[at:begin], piece.start + at, piece.start + begin))
        pieces.append(_Piece(text, piece.start + begin, piece.start + end))
        at = end
    pieces.append(_Piece(piece.text[at:], piece.start + at, piece.end))
    return pieces


def _replacement(found: re.Match[str]) -> str | None:
    """What an escape stands for; None where it stays as written."""
    line_end, letter, octal, *hexadecimal, name = found.groups()
    if line_end:
        return ""
    if letter:
        return _LETTERS[letter]
    if name:
        try:
            return unicodedata.lookup(name)
        except KeyError:
            return None
    digits = next((digits for digits in hexadecimal if digits), None)
    if not octal and not digits:
        return None
    code = int(octal, 8) if octal else int(digits or "0", 16)
    if code > _LARGEST_CODEPOINT or 0xD800 <= code <= 0xDFFF:  # no character: half of a pair cannot be written anywhere
        return None
    return chr(code)
