"""A place in an author's text: offsets into a source, turned into lines and columns only when shown."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import NamedTuple


@dataclass(slots=True, eq=False)
class Source:
    """A text an author wrote, and the name under which a user knows it.

    Attributes:
        name: the path as a user would type it, relative to the working directory where that is shorter.
        text: the decoded text, line ends normalised to a newline.
        folder: the folder the file lies in, as a POSIX path (``.`` for text that is no file).
    """

    name: str
    text: str = field(repr=False)
    folder: str = "."
    _starts: list[int] = field(default_factory=list, repr=False)

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset, both counted from 1."""
        starts = self._line_starts()
        line = bisect_right(starts, offset) - 1
        return line + 1, offset - starts[line] + 1

    def line(self, number: int) -> str:
        """The text of a line (counted from 1) without its end."""
        starts = self._line_starts()
        begin = starts[number - 1]
        end = starts[number] - 1 if number < len(starts) else len(self.text)
        return self.text[begin:end].rstrip("\n")

    def _line_starts(self) -> list[int]:
        if not self._starts:
            starts = [0]
            find = self.text.find
            at = find("\n")
            while at >= 0:
                starts.append(at + 1)
                at = find("\n", at + 1)
            self._starts = starts
        return self._starts


class Span(NamedTuple):
    """The half-open range ``[start, end)`` of character offsets in a source."""

    source: Source
    start: int
    end: int

    @property
    def line(self) -> int:
        """First line, counted from 1."""
        return self.source.position(self.start)[0]

    @property
    def column(self) -> int:
        """Column of the first character, counted from 1."""
        return self.source.position(self.start)[1]

    def text(self) -> str:
        """What the author wrote there."""
        return self.source.text[self.start : self.end]

    def to(self, other: Span) -> Span:
        """The span from the start of this one to the end of another in the same source."""
        return Span(self.source, self.start, other.end)

    def __str__(self) -> str:
        line, column = self.source.position(self.start)
        return f"{self.source.name}:{line}:{column}"
