"""The value kinds of expressions that Python has no type for, what each is called, and how each becomes text.

All values are immutable by agreement: no operation changes a list or dict in place, so they may be shared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from flowrules.errors import FlowfileError, fail
from flowrules.model.pattern import Pattern
from flowrules.model.quantity import Quantity
from flowrules.model.values import Flagged, NamedList, Unknown
from flowrules.span import Span


class OpenList(list[object]):
    """A list with Unknown among its elements: each of those may turn out to be any number of elements."""

    __slots__ = ()

    @property
    def waits(self) -> Unknown:
        """What its length waits for."""
        paths = [item.paths for item in self if isinstance(item, Unknown)]
        return Unknown(frozenset().union(*paths))


class File(str):
    """The one file of a named entry: text, and at the same time a list of one."""

    __slots__ = ()


class GlobPaths(list[object]):
    """Paths a glob found; ``columns`` holds for each wildcard its value in every path."""

    __slots__ = ("columns",)

    def __init__(self, paths: Sequence[str], columns: Mapping[str, list[object]]) -> None:
        super().__init__(paths)
        self.columns = columns


class Row:
    """One row of a table: cells are text, or None where empty."""

    __slots__ = ("cells", "index")

    def __init__(self, index: Mapping[str, int], cells: Sequence[str | None]) -> None:
        self.index = index
        self.cells = cells

    def as_dict(self) -> dict[str, object]:
        return {name: self.cells[i] for name, i in self.index.items()}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Row) and self.as_dict() == other.as_dict()

    def __hash__(self) -> int:
        return hash(tuple(self.cells))

    def __repr__(self) -> str:
        return f"Row({self.as_dict()!r})"


class Table:
    """Rows with named columns, and an index for each set of columns that was ever looked up."""

    __slots__ = ("_found", "index", "name", "rows")

    def __init__(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[str | None]]) -> None:
        self.name = name
        self.index: dict[str, int] = {column: i for i, column in enumerate(columns)}
        self.rows: list[object] = [Row(self.index, cells) for cells in rows]
        self._found: dict[tuple[str, ...], dict[tuple[str | None, ...], list[object]]] = {}

    def column(self, name: str) -> list[object]:
        i = self.index[name]
        return [row.cells[i] for row in self.rows if isinstance(row, Row)]

    def indexed(self, columns: tuple[str, ...]) -> bool:
        """Whether a search by these columns is prepared."""
        return columns in self._found

    def find(self, columns: tuple[str, ...], values: tuple[str | None, ...]) -> list[object]:
        """Rows whose cells equal the values; the first search by these columns looks at every row."""
        index = self._found.get(columns)
        if index is None:
            index = self._found[columns] = {}
            places = [self.index[c] for c in columns]
            for row in self.rows:
                assert isinstance(row, Row)
                index.setdefault(tuple(row.cells[i] for i in places), []).append(row)
        return index.get(values, [])

    def __iter__(self) -> Iterator[object]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


Items: TypeAlias = Sequence[object]


def items_of(value: object) -> Items | None:
    """The elements of whatever counts as a list; keys of a dict; None for everything else."""
    if isinstance(value, list):
        return value
    if isinstance(value, NamedList):
        return value
    if isinstance(value, File):
        return (str(value),)
    if isinstance(value, Table):
        return value.rows
    if isinstance(value, Mapping):
        return tuple(value)
    if isinstance(value, range | tuple):
        return value
    return None


def is_list(value: object) -> bool:
    """Whether a value is a list of some kind: no dict, no single file."""
    return isinstance(value, list | NamedList | Table | range | tuple)


def gathered(items: list[object]) -> list[object]:
    """The list itself, or as an OpenList where Unknown is among its elements."""
    return OpenList(items) if Unknown in set(map(type, items)) else items


def kind_of(value: object) -> str:
    """What a message calls a value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {_number(value)}"
    for kinds, name in _KINDS:
        if isinstance(value, kinds):
            return name
    return "a value of the imported module"


_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (str, "text"),
    (Pattern, "a pattern with wildcards"),
    (Quantity, "a quantity"),
    (Unknown, "a value that is not known yet"),
    (Flagged, "a file with flags"),
    (Table, "a table"),
    (Row, "a row of a table"),
    (NamedList, "a list of files"),
    ((list, range, tuple), "a list"),
    (Mapping, "a dict"),
)


def _number(value: int | float) -> str:
    if isinstance(value, int) and value.bit_length() > 128:
        return f"of {value.bit_length()} bits"
    return str(value)


def text_of(value: object, span: Span) -> str | Pattern | Unknown:
    """How a value is written inside other text.

    Raises:
        FlowfileError: it is null, a list of other than one file, or something else that has no text.
    """
    if isinstance(value, str | Pattern | Unknown):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | Quantity):
        return str(value)
    if isinstance(value, NamedList) and len(value) == 1:
        return value[0]
    raise no_text(value, span)


def no_text(value: object, span: Span) -> FlowfileError:
    """The error for a value that cannot stand inside text."""
    what = f"`{clip(span.text())}` is {kind_of(value)}, which cannot be put into text"
    if value is None:
        return fail("F132", what, span, "give it a value, or test it first: `… if x else …`")
    if is_list(value) or isinstance(value, Mapping):
        return fail("F132", what, span, 'take one element, or join them: `join(list, " ")`')
    if isinstance(value, Flagged):
        return fail("F132", what, span, 'set the flag outside: `temp(f"…")`')
    return fail("F132", what, span)


def clip(text: str, limit: int = 60) -> str:
    """Text of an author or of data, short enough for a message."""
    line = " ".join(text.split()) if "\n" in text else text
    return line if len(line) <= limit else line[: limit - 1] + "…"
