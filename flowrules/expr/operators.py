"""Arithmetic, comparison and truth: what each operator does with each kind of value, within bounds.

Every function takes the world (for its meter) and the span of the operation (for errors). The first lines of each
serve the common case of numbers and text; the rest is reached only by other kinds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from flowrules.errors import FlowfileError, fail
from flowrules.expr.data import OpenList, Row, gathered, is_list, items_of, kind_of
from flowrules.expr.world import World
from flowrules.model.pattern import Pattern, pattern_of
from flowrules.model.quantity import Quantity, QuantityError, parse_quantity
from flowrules.model.values import Flagged, Unknown
from flowrules.span import Span

MAX_BITS: Final = 4096
"""No whole number grows beyond this."""

_LARGE: Final = 1 << 62
_DEPTH: Final = 200
_COMPARED: Final = 20
"""Steps of one comparison of elements."""

_SIMPLE: Final = frozenset({str, int, float})
"""Types whose values Python compares as we do."""

Operator: TypeAlias = Callable[[World, Span, object, object], object]


def add(world: World, span: Span, a: object, b: object) -> object:
    """Numbers, text, lists and quantities of one kind."""
    kind = a.__class__
    if kind is b.__class__:
        if kind is int:
            return bounded(a + b, span)  # type: ignore[operator]
        if kind is str:
            return _joined(world, span, a, b)
    if isinstance(a, Unknown) or isinstance(b, Unknown):
        return _add_unknown(a, b)
    if isinstance(a, str | Pattern) and isinstance(b, str | Pattern):
        if isinstance(a, str) and isinstance(b, str):
            return _joined(world, span, a, b)
        world.meter.take(16, span)
        return pattern_of((a, b))
    if is_list(a) and is_list(b):
        left, right = items_of(a) or (), items_of(b) or ()
        world.meter.take(2 * (len(left) + len(right)), span)
        return gathered([*left, *right])
    quantity = isinstance(a, Quantity) or isinstance(b, Quantity)
    if not quantity and (isinstance(a, str | Pattern) or isinstance(b, str | Pattern)):
        hint = 'write numbers into text with an f-string, `f"{x}.txt"`, or `str(x)`'
        if is_list(a) or is_list(b):
            hint = 'put the text into a list, `[x]`, or join the list: `join(list, " ")`'
        raise _unfit("+", a, b, span, hint)
    return _arithmetic("+", lambda x, y: x + y, a, b, span)


def _joined(world: World, span: Span, a: object, b: object) -> str:
    assert isinstance(a, str) and isinstance(b, str)
    length = len(a) + len(b)
    if length >= 64:
        world.meter.text(length, span, a.isascii() and b.isascii())
    return a + b


def _add_unknown(a: object, b: object) -> object:
    """A list and something unknown (a list too, or it would be an error) is a list that is still open."""
    if is_list(a):
        return OpenList([*(items_of(a) or ()), b])
    if is_list(b):
        return OpenList([a, *(items_of(b) or ())])
    return merged(a, b)


def subtract(world: World, span: Span, a: object, b: object) -> object:
    """Numbers, and quantities of one kind."""
    if a.__class__ is int and b.__class__ is int:
        return bounded(a - b, span)
    return _arithmetic("-", lambda x, y: x - y, a, b, span)


def multiply(world: World, span: Span, a: object, b: object) -> object:
    """Numbers, a number and a quantity, a whole number and text or a list (repeated)."""
    if a.__class__ is int and b.__class__ is int:
        if a.bit_length() + b.bit_length() > MAX_BITS:
            raise _too_large(span)
        return a * b
    if isinstance(a, int) and not isinstance(b, int):
        a, b = b, a
    if isinstance(b, int) and isinstance(a, str):
        quantity = _as_quantity(a)
        if quantity is not None:
            return _arithmetic("*", lambda x, y: x * y, quantity, b, span)
        world.meter.text(len(a) * max(b, 0), span, a.isascii())
        return a * b
    if isinstance(b, int) and is_list(a):
        items = items_of(a) or ()
        world.meter.take(2 * len(items) * max(b, 0), span)
        return gathered(list(items) * b)
    return _arithmetic("*", lambda x, y: x * y, a, b, span)


def divide(world: World, span: Span, a: object, b: object) -> object:
    """Numbers, a quantity and a number, two quantities of one kind."""
    return _arithmetic("/", lambda x, y: x / y, a, b, span)


def floor_divide(world: World, span: Span, a: object, b: object) -> object:
    """As `divide`, rounded down."""
    return _arithmetic("//", lambda x, y: x // y, a, b, span)


def modulo(world: World, span: Span, a: object, b: object) -> object:
    """The rest of a division of numbers or quantities; text has no `%` here."""
    if isinstance(a, str):
        raise _unfit("%", a, b, span, 'write an f-string instead: `f"{x}"`')
    return _arithmetic("%", lambda x, y: x % y, a, b, span)


def power(world: World, span: Span, a: object, b: object) -> object:
    """Numbers, up to `MAX_BITS` bits."""
    if isinstance(a, int) and isinstance(b, int) and b > 0 and abs(a) > 1 and a.bit_length() * b > MAX_BITS:
        raise _too_large(span)
    if isinstance(a, Quantity) or isinstance(b, Quantity):
        raise _unfit("**", a, b, span, None)
    return _arithmetic("**", lambda x, y: x**y, a, b, span)


def negative(world: World, span: Span, a: object) -> object:
    """`-x` of a number or quantity."""
    if isinstance(a, int | float | Quantity):
        return -a
    if isinstance(a, Unknown):
        return a
    raise fail("F114", f"`-` does not fit {kind_of(a)}", span)


def positive(world: World, span: Span, a: object) -> object:
    """`+x` of a number or quantity."""
    if isinstance(a, int | float | Quantity):
        return +a
    if isinstance(a, Unknown):
        return a
    raise fail("F114", f"`+` does not fit {kind_of(a)}", span)


def _arithmetic(symbol: str, compute: Callable[[Any, Any], object], a: object, b: object, span: Span) -> object:
    """An operation of numbers and quantities; text that is a quantity beside one counts as one."""
    if isinstance(a, Unknown) or isinstance(b, Unknown):
        return merged(a, b)
    if isinstance(a, Quantity) and isinstance(b, str):
        b = _as_quantity(b) or b
    elif isinstance(b, Quantity) and isinstance(a, str):
        a = _as_quantity(a) or a
    elif isinstance(a, str) and isinstance(b, int | float | str):
        a = _as_quantity(a) or a
        b = _as_quantity(b) or b if isinstance(b, str) else b
    if not (isinstance(a, int | float | Quantity) and isinstance(b, int | float | Quantity)):
        raise _unfit(symbol, a, b, span, _number_hint(a, b))
    try:
        result: object = compute(a, b)
    except QuantityError as error:
        raise fail("F115", str(error), span) from None
    except ZeroDivisionError:
        raise fail("F133", "division by zero", span) from None
    except OverflowError:
        raise _too_large(span) from None
    if isinstance(result, int):
        return bounded(result, span)
    if isinstance(result, complex) or (isinstance(result, float) and not math.isfinite(result)):
        raise fail("F120", f"`{symbol}` of these numbers has no finite result", span)
    return result


def bounded(number: int, span: Span) -> int:
    """A whole number, unless it is too large."""
    if -_LARGE < number < _LARGE or number.bit_length() <= MAX_BITS:
        return number
    raise _too_large(span)


def _too_large(span: Span) -> FlowfileError:
    return fail("F120", f"the number is too large (more than {MAX_BITS} bits)", span)


def _as_quantity(text: str) -> Quantity | None:
    if len(text) > 40 or not text[:1].isdigit() or text.isdigit():
        return None
    try:
        return parse_quantity(text)
    except QuantityError:
        return None


def _number_hint(a: object, b: object) -> str | None:
    for value in (a, b):
        if isinstance(value, str) and not isinstance(a if value is b else b, str):
            return "turn text into a number with `int(…)` or `float(…)`"
        if isinstance(value, Pattern):
            return (
                f"`{{{value.names[0]}}}` is a wildcard without a value here; `wildcards.{value.names[0]}` is its value"
            )
    return None


def _unfit(symbol: str, a: object, b: object, span: Span, hint: str | None) -> FlowfileError:
    return fail("F114", f"`{symbol}` does not fit {kind_of(a)} and {kind_of(b)}", span, hint)


def merged(*values: object) -> Unknown:
    """What waits for everything that any of the values waits for."""
    paths = [value.paths for value in values if isinstance(value, Unknown)]
    return Unknown(frozenset().union(*paths))


BINARY: Final[Mapping[str, Operator]] = {
    "+": add,
    "-": subtract,
    "*": multiply,
    "/": divide,
    "//": floor_divide,
    "%": modulo,
    "**": power,
}


# ── comparison and truth ─────────────────────────────────────────────────────────────────────────────────────────


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
        a = _as_quantity(a) or a if isinstance(a, str) else a
        b = _as_quantity(b) or b if isinstance(b, str) else b
        try:
            return compare(a, b)
        except QuantityError as error:
            raise fail("F115", str(error), span) from None
        except TypeError:
            raise _unfit(symbol, a, b, span, None) from None
    if is_list(a) and is_list(b) and depth < _DEPTH:
        return _ordered_lists(world, span, a, b, symbol, compare, depth)
    raise _unfit(symbol, a, b, span, _number_hint(a, b))


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
