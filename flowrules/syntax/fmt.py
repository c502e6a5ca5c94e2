"""The one layout of a Flowfile: the same tree and comments, with one way of spacing, breaking and indenting."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from textwrap import dedent
from typing import Final

from flowrules.errors import FlowfileError, fail
from flowrules.span import Source, Span
from flowrules.syntax.fmt_line import STEP, LinePrinter, Remark, blank_lines
from flowrules.syntax.layout import width
from flowrules.syntax.lexer import tokenize
from flowrules.syntax.reader import read_module
from flowrules.syntax.tokens import DEDENT, INDENT, NEWLINE, Tokens
from flowrules.syntax.walk import trees_equal

_BLANK_LINES: Final = (2, 1)  # kept between statements, and inside blocks
_ITEMS_AFTER: Final = {"WILDCARDS": 2, "ON": 3, "ENVVARS": 1}


@dataclass(slots=True)
class _Line:
    """A logical line: tokens from ``first`` to ``last``, in how many blocks it stands, and where it began."""

    first: int
    last: int
    depth: int
    column: int


def format_module(source: Source) -> str:
    """The text of a Flowfile in the one layout; laid out again it stays the same.

    Raises:
        FlowfileError: the text has mistakes.
    """
    module, mistakes = read_module(source)
    if mistakes:
        raise FlowfileError(mistakes)
    text = _Formatter(source).text()
    again, mistakes = read_module(Source(source.name, text, source.folder))
    if mistakes or not trees_equal(module, again) or len(module.comments) != len(again.comments):
        raise fail(
            "F021",
            "laid out, this would mean something else",
            Span(source, 0, 0),
            "report this file: it is a mistake of the program",
        )
    return text


class _Formatter:
    def __init__(self, source: Source) -> None:
        self.source = source
        self.tokens = tokenize(source)
        self.remarks = _remarks(source, self.tokens)
        self.printer = LinePrinter(source, self.tokens, self.remarks)
        self.out: list[str] = []
        self.fresh = True  # nothing stands above in this block, so no blank line is kept

    def text(self) -> str:
        end = len(self.tokens.kinds) - 1
        columns: list[int] = []  # of the blocks that the line above stands in, and its own
        above: _Line | None = None
        for line in [*_logical_lines(self.source, self.tokens), _Line(end, end, 0, 0)]:
            remarks = self.remarks.get(line.first, [])
            if above:
                remarks = self._line(above, remarks)
                self.fresh = line.depth > above.depth
            self._loose(remarks, columns, line.depth)
            columns = [*columns[: line.depth], line.column]
            above = line
        return "".join(f"{line}\n" for line in self.out)

    def _line(self, line: _Line, remarks: list[Remark]) -> list[Remark]:
        """Lay out a logical line with the comments after it that belong to it; returns the others."""
        rest = list(remarks)
        behind = rest.pop(0) if rest and not rest[0].alone else None
        below: list[Remark] = []
        start = self._items_start(line)
        while start and rest and rest[0].column > line.column:
            below.append(rest.pop(0))
        indent = line.depth * STEP
        if start:
            found = self.printer.items(line.first, start, line.last, indent, behind, below)
        else:
            is_run = self.tokens.kinds[line.first] == "RUN"
            found = self._run(line, indent) if is_run else self.printer.plain(line.first, line.last, indent)
            found[-1] += f"  {behind.text}" if behind else ""
        self._blank(blank_lines(self.source.text, self.tokens.starts[line.first]), line.depth)
        self.out += found
        return rest

    def _items_start(self, line: _Line) -> int:
        """The token where the items of a line begin; 0 where it has none."""
        in_rule = self.tokens.starts[line.first] in self.tokens.directive_lines
        kind = self.tokens.kinds[line.first]
        after = 2 if in_rule and kind == "NAME" else _ITEMS_AFTER.get(kind, 0)
        return line.first + after if after else 0

    def _run(self, line: _Line, indent: int) -> list[str]:
        code = line.first + 2
        remarks = "".join(f"  {remark.text}" for remark in self.remarks.get(code, []))
        written = self.source.text[self.tokens.starts[code] : self.tokens.ends[code]]
        margin = " " * (indent + STEP)
        return [
            f"{' ' * indent}run:{remarks}",
            *(margin + text if text else "" for text in dedent(written).split("\n")),
        ]

    def _loose(self, remarks: list[Remark], columns: list[int], depth: int) -> None:
        """Comments between logical lines, each in the innermost of the blocks ending there that it is indented for."""
        for remark in remarks:
            inner = len(columns) - 1
            while inner > depth and columns[inner] > remark.column:
                inner -= 1
            level = max(inner, depth)
            columns = columns[: level + 1]
            self._blank(remark.blank, level)
            self.out.append(" " * (level * STEP) + remark.text)

    def _blank(self, count: int, depth: int) -> None:
        """Blank lines before what comes next."""
        if not self.fresh:
            self.out += [""] * min(count, _BLANK_LINES[min(depth, 1)])
        self.fresh = False


def _logical_lines(source: Source, tokens: Tokens) -> Iterator[_Line]:
    first = depth = 0
    for number, kind in enumerate(tokens.kinds):
        if kind == NEWLINE:
            start = tokens.starts[first]
            line = source.text[source.text.rfind("\n", 0, start) + 1 : start]
            yield _Line(first, number - 1, depth, width(line))
            first = number + 1
        elif kind in {INDENT, DEDENT}:
            depth += 1 if kind == INDENT else -1
            first = number + 1


def _remarks(source: Source, tokens: Tokens) -> dict[int, list[Remark]]:
    """The comments, by the number of the token after them."""
    found: dict[int, list[Remark]] = {}
    for start, end in tokens.comments:
        line = source.text[source.text.rfind("\n", 0, start) + 1 : start]
        alone = not line.strip(" \t")
        text = source.text[start:end].rstrip()
        remark = Remark(text, alone, width(line) if alone else 0, blank_lines(source.text, start))
        found.setdefault(bisect_left(tokens.starts, start), []).append(remark)
    return found
