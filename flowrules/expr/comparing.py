"""Comparison and truth: equality of data, order, membership, and what counts as false."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from flowrules.errors import fail
from flowrules.expr.data import OpenList, Row, is_list, items_of, kind_of
from flowrules.expr.operators import Operator, as_quantity, merged, number_hint, unfit
from flowrules.expr.world import World
from flowrules.model.pattern import Pattern
from flowrules.model.quantity import Quantity, QuantityError
from flowrules.model.values import Flagged, Unknown
from flowrules.span import Span

_DEPTH: Final = 200
_COMPARED: Final = 20
"""Steps of one comparison of elements."""

_SIMPLE: Final = frozenset({str, int, float})
"""Types whose values Python compares as we do."""


def truth(value: object) -> bool | Unknown:
    """What a value is as a condition: null, "", 0, [] and {} are false."""
    if isinstance(value, bool | Unknown):
        return value
    if isinstance(value, OpenList):
        return True if any(not isinstance(item, Unknown) for item in value) else value.waits
    if isinstance(value, Flagged):
        return truth(value.value)
    if isinstance(value, Pattern):
        return True
    return bool(value)


def equal(world: World, span: Span, a: object, b: object) -> bool | Unknown:
    """Whether two values are the same; those of different kinds are not, but for whole and other numbers."""
    return _equal(world, span, a, b, 0)


def _equal(world: World, span: Span, a: object, b: object, depth: int) -> bool | Unknown:
    if a.__class__ is b.__class__ and a.__class__ in _SIMPLE:
        if a.__class__ is str:
            world.meter.text(len(a), span)
        return a == b
    if isinstance(a, Unknown) or isinstance(b, Unknown):
        return merged(a, b)
    if isinstance(a, Pattern) or isinstance(b, Pattern):
        _refuse_pattern(a, b, span)
    if isinstance(a, str) and isinstance(b, str):
        world.meter.text(min(len(a), len(b)), span)
        return a == b
    if is_list(a) and is_list(b):
        left, right = items_of(a) or (), items_of(b) or ()
        if isinstance(a, OpenList) or isinstance(b, OpenList):
            return merged(*left, *right)
        return len(left) == len(right) and _all_equal(world, span, zip(left, right, strict=True), depth)
    if isinstance(a, Row) and isinstance(b, Row):
        a, b = a.as_dict(), b.as_dict()
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        if len(a) != len(b) or any(key not in b for key in a):
            return False
        return _all_equal(world, span, ((a[key], b[key]) for key in a), depth)
    if isinstance(a, bool) != isinstance(b, bool):
        return False
    if isinstance(a, int | float | Quantity) or a is None:
        return a == b
    return False


def _all_equal(world: World, span: Span, pairs: object, depth: int) -> bool | Unknown:
    if depth > _DEPTH:
        raise fail("F119", "the values nest too deeply to compare", span)
    waits: list[Unknown] = []
    for a, b in pairs:  # type: ignore[attr-defined]
        world.meter.take(_COMPARED, span)
        same = _equal(world, span, a, b, depth + 1)
        if isinstance(same, Unknown):
            waits.append(same)
        elif not same:
            return False
    return merged(*waits) if waits else True


def _refuse_pattern(a: object, b: object, span: Span) -> None:
    """Comparing a wildcard that has no value is a mistake, never a plain no."""
    pattern = a if isinstance(a, Pattern) else b
    assert isinstance(pattern, Pattern)
    if isinstance(a, str | Pattern) and isinstance(b, str | Pattern):
        name = pattern.names[0]
        raise fail(
            "F128",
            f"`{{{name}}}` is a wildcard without a value here, so the text cannot be compared",
            span,
            f"write `wildcards.{name}`, or an f-string with it",
        )


def contains(world: World, span: Span, item: object, container: object) -> bool | Unknown:
    """`item in container`: an element of a list, a key of a dict, a part of a text."""
    if isinstance(item, Unknown) or isinstance(container, Unknown):
        return merged(item, container)
    if isinstance(container, Mapping):
        return isinstance(item, str | int | float | bool | None) and item in container
    if isinstance(container, Row):
        return isinstance(item, str) and item in container.index
    if isinstance(container, str):
        if not isinstance(item, str):
            raise fail("F114", f"`in` looks for text in text, not for {kind_of(item)}", span)
        world.meter.text(len(container), span)
        return item in container
    items = items_of(container)
    if items is None:
        raise fail("F114", f"`in` does not fit {kind_of(container)}: it looks into lists, dicts and text", span)
    if item.__class__ in _SIMPLE and set(map(type, items)) <= _SIMPLE:
        world.meter.take(1 + len(items), span)
        return item in items
    waits: list[Unknown] = []
    for other in items:
        world.meter.take(_COMPARED, span)
        same = equal(world, span, item, other)
        if same is True:
            return True
        if isinstance(same, Unknown):
            waits.append(same)
    return merged(*waits) if waits else False


def _ordering(symbol: str, compare: Callable[[Any, Any], bool]) -> Operator:
    def order(world: World, span: Span, a: object, b: object) -> object:
        return _ordered(world, span, a, b, symbol, compare, 0)

    return order


def _ordered(
    world: World, span: Span, a: object, b: object, symbol: str, compare: Callable[[Any, Any], bool], depth: int
) -> bool | Unknown:
    if isinstance(a, Unknown) or isinstance(b, Unknown):
        return merged(a, b)
    if isinstance(a, str) and isinstance(b, str):
        world.meter.text(min(len(a), len(b)), span)
        return compare(a, b)
    if isinstance(a, int | float) and isinstance(b, int | float):
        return compare(a, b)
    if isinstance(a, Quantity) or isinstance(b, Quantity):
        a = as_quantity(a) or a if isinstance(a, str) else a
        b = as_quantity(b) or b if isinstance(b, str) else b
        try:
            return compare(a, b)
        except QuantityError as error:
            raise fail("F115", str(error), span) from None
        except TypeError:
            raise unfit(symbol, a, b, span, None) from None
    if is_list(a) and is_list(b) and depth < _DEPTH:
        return _ordered_lists(world, span, a, b, symbol, compare, depth)
    raise unfit(symbol, a, b, span, number_hint(a, b))


def _ordered_lists(
    world: World, span: Span, a: object, b: object, symbol: str, compare: Callable[[Any, Any], bool], depth: int
) -> bool | Unknown:
    """Lists in order of their first elements that differ."""
    left, right = items_of(a) or (), items_of(b) or ()
    for x, y in zip(left, right, strict=False):
        world.meter.take(_COMPARED, span)
        same = _equal(world, span, x, y, depth)
        if isinstance(same, Unknown):
            return same
        if not same:
            return _ordered(world, span, x, y, symbol, compare, depth + 1)
    return compare(len(left), len(right))


def _unequal(world: World, span: Span, a: object, b: object) -> object:
    same = equal(world, span, a, b)
    return same if isinstance(same, Unknown) else not same


def _lacks(world: World, span: Span, item: object, container: object) -> object:
    found = contains(world, span, item, container)
    return found if isinstance(found, Unknown) else not found


COMPARE: Final[Mapping[str, Operator]] = {
    "==": equal,
    "!=": _unequal,
    "in": contains,
    "not in": _lacks,
    "<": _ordering("<", lambda a, b: a < b),
    "<=": _ordering("<=", lambda a, b: a <= b),
    ">": _ordering(">", lambda a, b: a > b),
    ">=": _ordering(">=", lambda a, b: a >= b),
}
