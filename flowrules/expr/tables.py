"""`lookup` and `rows`: rows of a table by the values in some columns; and reading delimited text."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Final

from flowrules.errors import FlowfileError, suggestion
from flowrules.expr.data import OpenList, Row, Table, clip, kind_of
from flowrules.expr.site import Builtin, Site
from flowrules.expr.world import World
from flowrules.model.values import Unknown

_SEPARATORS: Final = {".csv": ",", ".tsv": "\t", ".tab": "\t", ".txt": "\t", ".bed": "\t"}


def lookup(world: World, site: Site, table: object, **columns: object) -> object:
    """The one row whose cells are as given."""
    found = _find(world, site, table, columns)
    if isinstance(found, Unknown) or len(found) == 1:
        return found if isinstance(found, Unknown) else found[0]
    asked = ", ".join(f"{name}={_shown(value)}" for name, value in columns.items())
    where = f" of `{table.name}`" if isinstance(table, Table) else ""
    if not found:
        raise site.fail("F125", f"no row{where} has {asked}", _near_value(table, columns))
    hint = "add a column that tells them apart, or use `rows(…)` for a list"
    raise site.fail("F125", f"{len(found)} rows{where} have {asked}, `lookup` wants one", hint)


def rows(world: World, site: Site, table: object, **columns: object) -> object:
    """Every row whose cells are as given, in the order of the table."""
    return _find(world, site, table, columns)


def _find(world: World, site: Site, table: object, columns: Mapping[str, object]) -> list[object] | Unknown:
    if not columns:
        raise site.fail("F108", f"`{site.name}` is given no column", f"write `{site.name}(table, column=value)`")
    values = tuple(_cell(site, name, value) for name, value in columns.items())
    if isinstance(table, Table):
        for name in columns:
            if name not in table.index:
                known = ", ".join(f"`{clip(c, 30)}`" for c in list(table.index)[:12])
                hint = suggestion(name, table.index) or f"there are {known}"
                raise site.fail("F112", f"`{table.name}` has no column `{name}`", hint)
        names = tuple(columns)
        if not table.indexed(names):
            world.meter.take(12 * len(table), site.span)
        found = table.find(names, values)
        world.meter.take(2 + 2 * len(found), site.span)
        return found
    items = site.items(table)
    world.meter.take((2 + len(values)) * len(items), site.span)
    found = [row for row in items if _matches(site, row, columns, values)]
    return OpenList([*found, table.waits]) if isinstance(table, OpenList) else found


def _matches(site: Site, row: object, columns: Mapping[str, object], values: tuple[str | None, ...]) -> bool:
    if isinstance(row, Unknown):
        return False
    cells = row.as_dict() if isinstance(row, Row) else row
    if not isinstance(cells, Mapping):
        raise site.fail("F108", f"`{site.name}` takes a table, this is a list with {kind_of(row)} in it", None, 0)
    return all(
        name in cells and _cell(site, name, cells[name]) == value for name, value in zip(columns, values, strict=True)
    )


def _cell(site: Site, name: str, value: object) -> str | None:
    """A value as it would stand in a cell."""
    if value is None or isinstance(value, str):
        return value or None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise site.fail("F108", f"`{name}` is compared with the text of a cell, not with {kind_of(value)}")


def _shown(value: object) -> str:
    return f'"{clip(value, 40)}"' if isinstance(value, str) else "null" if value is None else str(value)


def _near_value(table: object, columns: Mapping[str, object]) -> str | None:
    """The nearest value there is, where one column was asked for."""
    if len(columns) != 1 or not isinstance(table, Table) or len(table) > 2000:
        return None
    [(name, value)] = columns.items()
    return suggestion(str(value), [str(cell) for cell in table.column(name) if cell is not None])


TABLE_FUNCTIONS: Final[Mapping[str, Builtin]] = {
    "lookup": Builtin(lookup, "lookup(table, column=value)", ("table",), 1, columns=True, waits="whole"),
    "rows": Builtin(rows, "rows(table, column=value)", ("table",), 1, columns=True, waits="whole"),
}


# ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────


def separator_of(site: Site, path: str, given: object) -> str:
    """What parts the columns: as given, or by the extension."""
    if given is not None:
        sep = site.text(given, 1)
        if len(sep) != 1 or sep in '\n\r"':
            raise site.fail("F108", "`sep` is one character", 'such as `sep=";"`', 1)
        return sep
    dot = path.rfind(".")
    sep = _SEPARATORS.get(path[dot:].lower(), "") if dot > path.rfind("/") else ""
    if not sep:
        known = ", ".join(f"`{e}`" for e in (".csv", ".tsv", ".tab", ".txt"))
        raise site.fail(
            "F108",
            f"the extension of `{clip(path)}` does not tell what parts its columns",
            f'give it: `table("…", sep=",")`; known are {known}',
        )
    return sep


def read_table(world: World, site: Site, path: str, text: str, sep: str) -> Table:
    """Delimited text with a header; blank lines are left out, short rows filled up with empty cells.

    Raises:
        FlowfileError: a header or row does not fit.
    """
    import csv  # only workflows that read tables need it

    reader = csv.reader(io.StringIO(text, newline=""), delimiter=sep, strict=True)
    columns: list[str] | None = None
    found: list[list[str | None]] = []
    meter = world.meter
    try:
        for cells in reader:
            if not cells:
                continue
            if columns is None:
                columns = _header(site, path, cells)
                continue
            meter.take(4 + 3 * len(columns), site.span)
            found.append(_row(site, path, reader.line_num, cells, len(columns)))
    except csv.Error as error:
        raise site.fail("F124", f"`{clip(path)}`, line {reader.line_num}: {error}") from None
    if columns is None:
        raise site.fail("F124", f"`{clip(path)}` is empty: a table has a first line with the names of its columns")
    return Table(path, columns, found)


def _header(site: Site, path: str, cells: list[str]) -> list[str]:
    names = [cell.strip() for cell in cells]
    seen: set[str] = set()
    for i, name in enumerate(names):
        if not name:
            raise site.fail("F124", f"`{clip(path)}`: column {i + 1} has no name in the first line")
        if name in seen:
            raise site.fail("F124", f"`{clip(path)}`: two columns are called `{clip(name)}`")
        seen.add(name)
    return names


def _row(site: Site, path: str, line: int, cells: list[str], width: int) -> list[str | None]:
    if len(cells) > width:
        extra = len(cells) - width
        if any(cells[width:]):
            raise _too_wide(site, path, line, len(cells), width)
        del cells[-extra:]
    row: list[str | None] = [cell or None for cell in cells]
    row += [None] * (width - len(row))
    return row


def _too_wide(site: Site, path: str, line: int, count: int, width: int) -> FlowfileError:
    message = f"`{clip(path)}`, line {line}: {count} cells, but the first line names {width} columns"
    return site.fail("F124", message, "quote cells that hold the separator, or give another one: `sep=…`")
