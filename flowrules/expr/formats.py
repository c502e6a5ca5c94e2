"""Formats after a colon in braces: `{n:03d}`, `{x:.2f}`, `{resources.mem:MiB}`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from flowrules.errors import fail
from flowrules.expr.data import kind_of, text_of
from flowrules.model.pattern import Pattern
from flowrules.model.quantity import UNITS, Quantity, QuantityError, parse_quantity
from flowrules.model.values import Unknown
from flowrules.span import Span

_FORMAT: Final = re.compile(r"(?:.?[<>^=])?[+\- ]?#?0?(\d{1,3})?[,_]?(?:\.(\d{1,2}))?[bdeEfgGoxXs%]?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Format:
    """What follows the colon: a unit of quantities, a format in Python's language, or (`d`, `s`) either."""

    text: str
    unit: bool
    plain: bool


def parse_format(text: str) -> Format | None:
    """The format, or None where it is none. Widths have at most three digits."""
    unit, plain = text in UNITS, _FORMAT.fullmatch(text) is not None
    return Format(text, unit, plain) if unit or plain else None


def formatted(value: object, wanted: Format, span: Span) -> str | Pattern | Unknown:
    """A value as text in a format.

    Raises:
        FlowfileError: the format does not fit the value.
    """
    if isinstance(value, Unknown):
        return value
    if isinstance(value, Quantity) or not wanted.plain:
        return _in_unit(value, wanted.text, span)
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            return format(value, wanted.text)
        except (ValueError, OverflowError) as error:
            raise fail("F134", f"the format `{wanted.text}` does not fit {kind_of(value)}: {error}", span) from None
    text = text_of(value, span)
    if isinstance(text, str):
        return formatted(text, wanted, span)
    raise fail("F134", f"{kind_of(value)} takes no format", span)


def _in_unit(value: object, unit: str, span: Span) -> str:
    try:
        quantity = parse_quantity(value) if isinstance(value, str) else value
        if isinstance(quantity, Quantity):
            return str(quantity.to(unit))
    except QuantityError as error:
        raise fail("F115", str(error), span) from None
    raise fail("F115", f"only a quantity can be written in `{unit}`, this is {kind_of(value)}", span)
