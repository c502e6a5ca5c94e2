"""`x.name`, `x[i]` and `x[a:b]`: reading parts of values that have parts, and nothing of Python's own attributes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from flowrules.errors import FlowfileError, fail, suggestion
from flowrules.expr.data import File, GlobPaths, OpenList, Row, Table, clip, items_of, kind_of
from flowrules.expr.operators import merged
from flowrules.expr.world import World
from flowrules.model.pattern import Pattern
from flowrules.model.values import NamedList, Unknown
from flowrules.span import Span


def attribute(value: object, name: str, span: Span) -> object:
    """A key of a dict, a column of a table or row, a name of a list of files, values of a glob's wildcard.

    Raises:
        FlowfileError: there is no such part, or the value has no parts.
    """
    if isinstance(value, Mapping):
        if name in value:
            return value[name]
        raise _lacking(value, name, span, "key", [k for k in value if isinstance(k, str)])
    if isinstance(value, Row):
        i = value.index.get(name)
        if i is not None:
            return value.cells[i]
        raise _lacking(value, name, span, "column", value.index)
    if isinstance(value, NamedList):
        return _named(value, name, span)
    if isinstance(value, Table):
        if name in value.index:
            return value.column(name)
        raise _lacking(value, name, span, "column", value.index)
    if isinstance(value, GlobPaths):
        if name in value.columns:
            return value.columns[name]
        raise _lacking(value, name, span, "wildcard", value.columns)
    if isinstance(value, Unknown):
        return value
    if isinstance(value, OpenList):
        return value.waits
    if value is None:
        raise fail("F112", f"null has no `{name}`", span, 'test it first: `x.y if x else null`, or `config.get("x.y")`')
    raise fail("F112", f"{kind_of(value)} has no `{name}`", span)


def _named(files: NamedList, name: str, span: Span) -> object:
    try:
        found = files.named(name)
    except KeyError:
        raise _lacking(files, name, span, "name", files.names) from None
    return File(found) if found.__class__ is str else found


def _lacking(value: object, name: str, span: Span, part: str, known: Collection[str]) -> FlowfileError:
    hint = suggestion(name, known)
    if hint is None and 0 < len(known) <= 12:
        hint = "there are " + ", ".join(f"`{clip(k, 30)}`" for k in known)
    elif hint is None and not known:
        hint = "it has none" if part != "name" else "its entries have no names"
    return fail("F112", f"{kind_of(value)} has no {part} `{clip(name)}`", span, hint)


def element(world: World, span: Span, value: object, index: object) -> object:
    """`value[index]`: by position in a list or text, by key in a dict, by name in the rest.

    Raises:
        FlowfileError: there is no such element.
    """
    if isinstance(value, Unknown) or isinstance(index, Unknown):
        return merged(value, index)
    if isinstance(value, OpenList):
        return value.waits
    if isinstance(value, Mapping):
        if isinstance(index, str | int | float | bool | None) and index in value:
            return value[index]
        if isinstance(index, str):
            return attribute(value, index, span)
        raise fail("F112", f"the dict has no key {kind_of(index)}", span)
    if isinstance(index, str) and isinstance(value, Row | Table | NamedList | GlobPaths):
        return attribute(value, index, span)
    if isinstance(value, Pattern):
        raise fail("F128", "a pattern with wildcards has no characters to pick", span)
    items = value if isinstance(value, str) and not isinstance(value, File) else items_of(value)
    if items is None:
        raise fail("F116", f"{kind_of(value)} has no elements", span)
    if not isinstance(index, int) or isinstance(index, bool):
        raise fail("F116", f"an index is a whole number, not {kind_of(index)}", span)
    if not -len(items) <= index < len(items):
        count = "it is empty" if not items else f"it has {len(items)}, counted from 0"
        raise fail("F116", f"{kind_of(value)} has no element {index}", span, count)
    return items[index]


def part(world: World, span: Span, value: object, bounds: tuple[object, object, object]) -> object:
    """`value[start:stop:step]` of a list or text.

    Raises:
        FlowfileError: the value has no order, or a bound is no whole number.
    """
    if isinstance(value, Unknown) or any(isinstance(b, Unknown) for b in bounds):
        return merged(value, *bounds)
    if isinstance(value, OpenList):
        return value.waits
    for bound in bounds:
        if bound is not None and (not isinstance(bound, int) or isinstance(bound, bool)):
            raise fail("F116", f"a bound of a slice is a whole number, not {kind_of(bound)}", span)
    if bounds[2] == 0:
        raise fail("F116", "the step of a slice cannot be 0", span)
    cut: slice[Any, Any, Any] = slice(*bounds)
    if isinstance(value, str):
        world.meter.text(len(value), span, value.isascii())
        return str(value[cut])
    if isinstance(value, Mapping | Row | Pattern):
        raise fail("F116", f"{kind_of(value)} cannot be sliced", span)
    items = items_of(value)
    if items is None:
        raise fail("F116", f"{kind_of(value)} cannot be sliced", span)
    world.meter.take(2 * len(items), span)
    return list(items[cut])
