"""Lays out one logical line: spaces between its tokens, and where it is broken.

A bracket that was written over several lines, or that makes a line too long, gets a line for each of its elements.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from flowrules.span import Source, Span
from flowrules.syntax import tree
from flowrules.syntax.build import read_string
from flowrules.syntax.scene import CLOSERS, OPENERS, VALUE_ENDS
from flowrules.syntax.strings import decode
from flowrules.syntax.tokens import Tokens

WIDTH: Final = 100
STEP: Final = 4

_TIGHT: Final = frozenset({"COMMA", "COLON", "DOT"}) | CLOSERS
_PREFIXES: Final = frozenset({"PLUS", "MINUS", "STAR", "DOUBLESTAR"})


@dataclass(frozen=True, slots=True)
class Remark:
    """A comment as it was written.

    Attributes:
        alone: it begins its line of text.
        column: where it begins.
        blank: how many blank lines stand before it.
    """

    text: str
    alone: bool
    column: int
    blank: int


@dataclass(slots=True)
class _Element:
    """What stands between two commas: tokens from ``first`` to ``last``, and the comments that go with it."""

    first: int
    last: int
    end: str
    blank: bool
    above: list[Remark] = field(default_factory=list)
    behind: Remark | None = None


class LinePrinter:
    """Lays out ranges of tokens of one source; ``remarks`` are the comments by the number of the token after them."""

    def __init__(self, source: Source, tokens: Tokens, remarks: dict[int, list[Remark]]) -> None:
        self.source = source
        self.text = source.text
        self.tokens = tokens
        self.kinds = tokens.kinds
        self.remarks = remarks
        self.partners, self.depths, self.owners = _brackets(tokens.kinds)

    def items(
        self, first: int, start: int, last: int, indent: int, behind: Remark | None, below: Sequence[Remark]
    ) -> list[str]:
        """A head (tokens ``first`` up to ``start``) and items with commas, with the comments behind and below them."""
        head = self._flat(" " * indent, first, start - 1, spaced=False)
        inner = range(first + 1, last + 1)
        if not below and not any(self._breaks(token) or self.remarks.get(token) for token in inner):
            end = last - 1 if self.kinds[last] == "COMMA" else last
            line = self._flat(f"{head} ", start, end, spaced=False)
            if _fits(line):
                return [f"{line}  {behind.text}" if behind else line]
        opening = [remark for remark in self.remarks.get(start, []) if not remark.alone][:1]
        lines = [" " * indent + remark.text for remark in self._between(first, start - 1)]
        lines.append(head + "".join(f"  {remark.text}" for remark in opening))
        after = [behind, *below] if behind else below
        return lines + self._elements(start, last, indent + STEP, skip=len(opening), below=after)

    def plain(self, first: int, last: int, indent: int) -> list[str]:
        """A statement that is no list of items; comments in it, but not in its brackets, go above it."""
        lines = [" " * indent + remark.text for remark in self._between(first, last)]
        return lines + self._segment(first, last, indent, " " * indent, "", rest=indent + STEP)

    def _string(self, token: int, line: str) -> str:
        """A string literal as it will stand behind ``line``: its further lines move with the one that it begins in."""
        written = self.text[self.tokens.starts[token] : self.tokens.ends[token]]
        if "\n" not in written:
            return written
        begin = self.text.rfind("\n", 0, self.tokens.starts[token]) + 1
        before = bisect_right(self.tokens.starts, begin) - 1
        if "\n" in line or self.tokens.ends[before] > begin > self.tokens.starts[before]:
            return written  # it begins in the last line of another string, and that one stays where it is
        indentation = self.text[begin : self.tokens.starts[token]]
        moved = _moved(written, _leading(line) - _leading(indentation))
        for shell in (False, True):
            value = decode(_literal(written), shell=shell).value
            if decode(_literal(moved), shell=shell).value != value:
                return written
        return moved

    def _breaks(self, token: int) -> bool:
        """Whether a token stands on another line than the one before it."""
        return "\n" in self.text[self.tokens.ends[token - 1] : self.tokens.starts[token]]

    def _stacked(self, token: int) -> bool:
        """Whether a token is a string below another that it is joined to."""
        return self.kinds[token] == self.kinds[token - 1] == "STRING" and self._breaks(token)

    def _forced(self, opener: int) -> bool:
        """Whether a bracket was written over several lines, or has comments."""
        inner = range(opener + 1, self.partners[opener] + 1)
        return any(self._breaks(token) or self.remarks.get(token) for token in inner)

    def _between(self, first: int, last: int) -> list[Remark]:
        """Comments between the tokens of a range, not those inside brackets that begin in it."""
        found: list[Remark] = []
        token = first
        while token <= last:
            if token > first:
                found += self.remarks.get(token, [])
            token = self.partners[token] + 1 if self.kinds[token] in OPENERS else token + 1
        return found

    def _segment(self, first: int, last: int, indent: int, prefix: str, suffix: str, rest: int) -> list[str]:
        """The lines of a range of tokens; ``prefix`` begins the first, ``suffix`` ends the last."""
        groups = self._groups(first, last)
        broken = {opener for opener in groups if self._forced(opener)}
        depth = self.depths[first]
        stacked = {
            token for token in range(first + 1, last + 1) if self.depths[token] == depth and self._stacked(token)
        }
        if not broken and not stacked:
            line = self._flat(prefix, first, last, spaced=True) + suffix
            full = [opener for opener in groups if self.partners[opener] > opener + 1]
            if _fits(line) or not full:
                return [line]
            broken = {max(full, key=lambda opener: (self._length(opener), -opener))}
        lines, line = [], prefix
        token = first
        while token <= last:
            if token > first:
                line += self._space(token, spaced=True)
            if token in stacked:
                lines.append(line.rstrip())
                line = " " * rest
            line += self._written(token, line)
            if token in broken:
                lines.append(line)
                closer = self.partners[token]
                lines += self._elements(token + 1, closer - 1, indent + STEP, below=())
                token, line = closer, " " * indent + self._written(closer, "")
            token += 1
        return [*lines, line + suffix]

    def _groups(self, first: int, last: int) -> list[int]:
        """The brackets that open in a range and not in another bracket of it."""
        groups, token = [], first
        while token <= last:
            if self.kinds[token] in OPENERS:
                groups.append(token)
                token = self.partners[token]
            token += 1
        return groups

    def _length(self, opener: int) -> int:
        return self.tokens.ends[self.partners[opener]] - self.tokens.starts[opener]

    def _elements(self, first: int, last: int, indent: int, *, skip: int = 0, below: Sequence[Remark]) -> list[str]:
        """A line or more for each element of a range; ``skip`` comments before the first have been written already."""
        elements, rest = self._split(first, last, skip)
        rest += _give_behind(elements, below)
        lines: list[str] = []
        margin = " " * indent
        for element in elements:
            lines += _remark_lines(element.above, margin, first=not lines)
            if element.blank and lines:
                lines.append("")
            found = self._segment(element.first, element.last, indent, margin, element.end, rest=indent)
            if element.behind:
                found[-1] += f"  {element.behind.text}"
            lines += found
        return lines + _remark_lines(rest, margin, first=not lines)

    def _split(self, first: int, last: int, skip: int) -> tuple[list[_Element], list[Remark]]:
        """Elements with their comments, and the comments after the last one."""
        elements: list[_Element] = []
        begin = first
        for end, sign in self._ends(first, last):
            remarks = self.remarks.get(begin, [])[skip:]
            skip = 0
            above = _give_behind(elements, remarks)
            blank = blank_lines(self.text, self.tokens.starts[begin]) > 0
            element = _Element(begin, end, sign, blank, above + self._between(begin, end))
            elements.append(element)
            begin = end + 1
            if sign:
                element.above += _give_behind(elements, self.remarks.get(begin, []), alone=True)
                begin += 1
        closing = self.remarks.get(last + 1, []) if self.kinds[last + 1] in CLOSERS else []
        return elements, _give_behind(elements, closing)

    def _ends(self, first: int, last: int) -> Iterable[tuple[int, str]]:
        """The last token of each element of a range, and its comma."""
        token, begin = first, first
        while token <= last:
            kind = self.kinds[token]
            if kind == "FOR" and token > begin:
                yield token - 1, ""
                begin = token
            elif kind == "COMMA" and self.kinds[begin] != "FOR":
                yield token - 1, ","
                begin = token + 1
            token = self.partners.get(token, token) + 1 if kind in OPENERS else token + 1
        if begin <= last:
            yield last, ""

    def _flat(self, line: str, first: int, last: int, *, spaced: bool) -> str:
        """A line with a range of tokens put behind it, without commas that are not needed there."""
        for token in range(first, last + 1):
            if self.kinds[token] == "COMMA" and token < last and self._idle_comma(token):
                continue
            if token > first:
                line += self._space(token, spaced=spaced)
            line += self._written(token, line)
        return line

    def _idle_comma(self, token: int) -> bool:
        """Whether a comma stands before a closing bracket and does not make a tuple."""
        if self.kinds[token + 1] not in CLOSERS:
            return False
        opener = self.partners[token + 1]
        if self.kinds[opener] != "LPAR" or self.kinds[opener - 1] in VALUE_ENDS:
            return True
        depth = self.depths[token]
        return any(self.kinds[other] == "COMMA" and self.depths[other] == depth for other in range(opener + 1, token))

    def _written(self, token: int, line: str) -> str:
        if self.kinds[token] == "STRING":
            return self._string(token, line)
        return self.text[self.tokens.starts[token] : self.tokens.ends[token]]

    def _space(self, token: int, *, spaced: bool) -> str:
        """What stands between a token and the one before it on one line."""
        kind, before = self.kinds[token], self.kinds[token - 1]
        if before in OPENERS or kind in _TIGHT or before == "DOT":
            return " " if kind == "DOT" and before in {"NUMBER", "QUANTITY"} else ""
        if kind in {"LPAR", "LSQB"}:
            return "" if before in VALUE_ENDS else self._space_after(token - 1, spaced=spaced)
        if kind == "_ASSIGN":
            return " " if spaced and not self.depths[token] else ""
        return self._space_after(token - 1, spaced=spaced)

    def _space_after(self, token: int, *, spaced: bool) -> str:
        """What stands after a token that asks for no space by itself."""
        kind = self.kinds[token]
        if kind == "_ASSIGN":
            return " " if spaced and not self.depths[token] else ""
        if kind in _PREFIXES and self.kinds[token - 1] not in VALUE_ENDS:
            return ""
        return "" if kind == "COLON" and self._in_index(token) else " "

    def _in_index(self, token: int) -> bool:
        """Whether a colon is that of a slice."""
        owner = self.owners[token]
        return owner >= 0 and self.kinds[owner] == "LSQB"


def _brackets(kinds: Sequence[str]) -> tuple[dict[int, int], list[int], list[int]]:
    """Partners of brackets, both ways; of each token in how many brackets it stands, and in which (-1 for none).

    A bracket itself stands outside of what it encloses.
    """
    partners: dict[int, int] = {}
    depths: list[int] = []
    owners: list[int] = []
    openers = [-1]
    for number, kind in enumerate(kinds):
        if kind in CLOSERS:
            partner = openers.pop()
            partners[partner], partners[number] = number, partner
        depths.append(len(openers) - 1)
        owners.append(openers[-1])
        if kind in OPENERS:
            openers.append(number)
    return partners, depths, owners


def _give_behind(elements: list[_Element], remarks: Sequence[Remark], *, alone: bool = False) -> list[Remark]:
    """Give the last element the comment that stands behind it; returns the others."""
    rest = list(remarks)
    if rest and elements and elements[-1].behind is None and (alone or not rest[0].alone):
        elements[-1].behind = rest.pop(0)
    return rest


def _remark_lines(remarks: Sequence[Remark], margin: str, *, first: bool) -> list[str]:
    lines: list[str] = []
    for remark in remarks:
        if remark.blank and (lines or not first):
            lines.append("")
        lines.append(margin + remark.text)
    return lines


def blank_lines(text: str, offset: int) -> int:
    """How many blank lines stand before what begins at an offset."""
    start = offset
    while start > 0 and text[start - 1] in " \t\n":
        start -= 1
    return max(text.count("\n", start, offset) - 1, 0)


def _fits(text: str) -> bool:
    return len(text.split("\n", 1)[0]) <= WIDTH


def _moved(written: str, shift: int) -> str:
    """A literal with all its lines but the first moved to the right, or to the left where all have room for that."""
    first, *others = written.split("\n")
    full = [line for line in others if line.strip()]
    if any("\t" in line[: len(line) - len(line.lstrip())] for line in full):
        return written
    if shift < 0 and any(len(line) - len(line.lstrip(" ")) < -shift for line in full):
        return written
    moved = [(" " * shift + line if shift > 0 else line[-shift:]) if line.strip() else line for line in others]
    return "\n".join([first, *moved])


def _leading(line: str) -> int:
    """How many blanks a line begins with."""
    return len(line) - len(line.lstrip(" \t"))


def _literal(written: str) -> tree.String:
    return read_string(Span(Source("", written), 0, len(written)))
