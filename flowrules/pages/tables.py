"""Tables of a page: columns and cells as values; a template escapes and aligns them, base.js sorts them on a click."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from flowrules.show.text import escape


class Column(NamedTuple):
    """A column; ``kind``: how its cells are set (`text`, `number` at the right, `code`)."""

    title: str
    kind: str = "text"


class Cell(NamedTuple):
    """A cell.

    Attributes:
        text: what is shown.
        value: what it is sorted by, where that is not its text.
        state: a key of `states.STATES` whose mark goes before the text.
        href: where it leads to, within the page (`#…`) or to a file beside it.
        part: 0 to 1, drawn as a bar behind the text.
    """

    text: str
    value: float | str | None = None
    state: str = ""
    href: str = ""
    part: float | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A table with its caption; rows hold cells, or texts that stand for them.

    Attributes:
        note: under it: what was left out, how it is to be read.
        empty: what is said in place of a table without rows.
    """

    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell | str]] = field(default_factory=list)
    note: str = ""
    empty: str = "nothing to show"

    def cells(self) -> list[list[Cell]]:
        """Rows of cells, hostile characters spelt out.

        Raises:
            ValueError: a cell leads to an address with a scheme.
        """
        return [[_cell(cell) for cell in row] for row in self.rows]


def _cell(cell: Cell | str) -> Cell:
    if isinstance(cell, str):
        return Cell(escape(cell))
    if ":" in cell.href.split("/", 1)[0] and not cell.href.startswith("#"):
        raise ValueError(f"`{cell.href}` leads out of the page: quote names of files")
    return cell._replace(text=escape(cell.text))
