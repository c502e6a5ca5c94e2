"""Arithmetic: what each operator does with each kind of value, within bounds.

Every function takes the world (for its meter) and the span of the operation (for errors). The first lines of each
serve the common case of numbers and text; the rest is reached only by other kinds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from flowrules.errors import FlowfileError, fail
from flowrules.expr.data import OpenList, gathered, is_list, items_of, kind_of
from flowrules.expr.world import World
from flowrules.model.pattern import Pattern, pattern_of
from flowrules.model.quantity import Quantity, QuantityError, parse_quantity
from flowrules.model.values import Unknown
from flowrules.span import Span

MAX_BITS: Final = 4096
"""No whole number grows beyond this."""

_LARGE: Final = 1 << 62

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
        raise unfit("+", a, b, span, hint)
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
        quantity = as_quantity(a)
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
        raise unfit("%", a, b, span, 'write an f-string instead: `f"{x}"`')
    return _arithmetic("%", lambda x, y: x % y, a, b, span)


def power(world: World, span: Span, a: object, b: object) -> object:
    """Numbers, up to `MAX_BITS` bits."""
    if isinstance(a, int) and isinstance(b, int) and b > 0 and abs(a) > 1 and a.bit_length() * b > MAX_BITS:
        raise _too_large(span)
    if isinstance(a, Quantity) or isinstance(b, Quantity):
        raise unfit("**", a, b, span, None)
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
        b = as_quantity(b) or b
    elif isinstance(b, Quantity) and isinstance(a, str):
        a = as_quantity(a) or a
    elif isinstance(a, str) and isinstance(b, int | float | str):
        a = as_quantity(a) or a
        b = as_quantity(b) or b if isinstance(b, str) else b
    if not (isinstance(a, int | float | Quantity) and isinstance(b, int | float | Quantity)):
        raise unfit(symbol, a, b, span, number_hint(a, b))
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


def as_quantity(text: str) -> Quantity | None:
    """The quantity that text is, or None."""
    if len(text) > 40 or not text[:1].isdigit() or text.isdigit():
        return None
    try:
        return parse_quantity(text)
    except QuantityError:
        return None


def number_hint(a: object, b: object) -> str | None:
    """What to do where numbers are wanted and something else stands."""
    for value in (a, b):
        if isinstance(value, str) and not isinstance(a if value is b else b, str):
            return "turn text into a number with `int(…)` or `float(…)`"
        if isinstance(value, Pattern):
            return (
                f"`{{{value.names[0]}}}` is a wildcard without a value here; `wildcards.{value.names[0]}` is its value"
            )
    return None


def unfit(symbol: str, a: object, b: object, span: Span, hint: str | None) -> FlowfileError:
    """The error for an operator that does not take these values."""
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
