"""Rows laid out in aligned columns of plain text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from flowrules.show.text import cells, escape, pad, paint, shorten, shorten_middle

GAP: Final = "  "


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its title, the side its cells lean to, and whether it may be cut where the terminal is too narrow.

    ``cut`` says which part of a cell goes first: its end, or its middle (paths); None keeps cells whole. ``styles``
    are those of cells that hold one of these texts.
    """

    title: str
    right: bool = False
    cut: Literal["end", "middle"] | None = None
    styles: Mapping[str, str] = field(default_factory=dict)


def grid(
    columns: Sequence[Column], rows: Iterable[Sequence[str]], *, color: bool = False, width: int | None = None
) -> Iterator[str]:
    """Lines of a table, titles first, without blanks at their ends; columns with nothing in them are left out.

    Args:
        rows: cells of text, as many as there are columns; hostile characters are spelt out here.
        width: columns of the terminal; None leaves every cell whole.
    """
    table = [[escape(cell) for cell in row] for row in rows]
    used = [i for i in range(len(columns)) if any(row[i] for row in table)]
    shown = [columns[i] for i in used]
    lines = [[row[i] for i in used] for row in table]
    widths = [max(cells(text) for text in column) for column in zip([c.title for c in shown], *lines, strict=True)]
    if width is not None:
        widths = _fitted(shown, widths, width)
    yield paint(_line(shown, widths, [c.title for c in shown], False), "bold", color)
    for line in lines:
        yield _line(shown, widths, line, color)


def _line(columns: Sequence[Column], widths: Sequence[int], line: Sequence[str], color: bool) -> str:
    parts = []
    for column, width, text in zip(columns, widths, line, strict=True):
        cut = shorten_middle if column.cut == "middle" else shorten
        shown = pad(cut(text, width), width, column.right)
        parts.append(paint(shown, column.styles[text], color) if text in column.styles else shown)
    return GAP.join(parts).rstrip()


def _fitted(columns: Sequence[Column], widths: Sequence[int], width: int) -> list[int]:
    """Widths that fit, taken from the widest columns that may be cut, none narrower than its title or 8 cells."""
    fitted = list(widths)
    excess = sum(fitted) + len(GAP) * (len(fitted) - 1) - width
    while excess > 0:
        cuttable = [i for i, c in enumerate(columns) if c.cut and fitted[i] > max(cells(c.title), 8)]
        if not cuttable:
            break
        widest = max(cuttable, key=lambda i: fitted[i])
        others = [fitted[i] for i in cuttable if fitted[i] < fitted[widest]]
        floor = max([max(cells(columns[widest].title), 8), *others])
        step = max(min(excess, fitted[widest] - floor), 1)
        fitted[widest] -= step
        excess -= step
    return fitted
