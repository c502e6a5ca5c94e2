"""Amounts of memory and time: read from text such as `16GB`, computed with, and written back exactly."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite
from typing import Final, Literal

from flowrules.errors import did_you_mean

Kind = Literal["bytes", "seconds"]
Number = int | float

_DECIMAL: Final = {"EB": 10**18, "PB": 10**15, "TB": 10**12, "GB": 10**9, "MB": 10**6, "kB": 10**3, "B": 1}
_BINARY: Final = {"EiB": 2**60, "PiB": 2**50, "TiB": 2**40, "GiB": 2**30, "MiB": 2**20, "KiB": 2**10}
_TIMES: Final = {"d": 86400, "h": 3600, "min": 60, "s": 1}
_MILLISECOND: Final = "ms"

BYTE_UNITS: Final = {**_DECIMAL, **_BINARY, "KB": 10**3}
TIME_UNITS: Final = {**_TIMES, "m": 60, _MILLISECOND: 1}  # a millisecond's size is applied apart: it is no whole number
UNITS: Final = frozenset(BYTE_UNITS) | frozenset(TIME_UNITS)

_LARGEST: Final = 10**30
_TERM: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-zµ]+)")
_CLOCK: Final = re.compile(r"(?:(\d{1,6})-)?(\d{1,6}):(\d\d):(\d\d)")
_NEAR: Final = {
    **{letter: f"{letter}B` or `{letter}iB" for letter in "KMGTPE"},
    "k": "kB",
    "b": "B",
    "byte": "B",
    "bytes": "B",
    "sec": "s",
    "secs": "s",
    "second": "s",
    "seconds": "s",
    "minute": "min",
    "minutes": "min",
    "hr": "h",
    "hrs": "h",
    "hour": "h",
    "hours": "h",
    "day": "d",
    "days": "d",
    "M": "MB` or `MiB",
}


class QuantityError(ValueError):
    """Text is no quantity, or quantities do not fit together; the message is for the user."""


@dataclass(frozen=True, slots=True, order=False)
class Quantity:
    """An amount with a unit: bytes or seconds.

    Arithmetic with plain numbers scales, the same kind adds and divides; whatever else raises QuantityError.

    Attributes:
        amount: in bytes or seconds; a whole number is always an int.
    """

    amount: Number
    kind: Kind

    def __post_init__(self) -> None:
        amount = self.amount
        if isinstance(amount, float):
            if not isfinite(amount):
                raise QuantityError("the result is no finite amount")
            if amount.is_integer():
                object.__setattr__(self, "amount", int(amount))
        if not -_LARGEST <= amount <= _LARGEST:
            raise QuantityError("the amount is too large")

    def __add__(self, other: object) -> Quantity:
        return Quantity(self.amount + self._same(other, "add"), self.kind)

    def __radd__(self, other: object) -> Quantity:
        return self.__add__(other)

    def __sub__(self, other: object) -> Quantity:
        return Quantity(self.amount - self._same(other, "subtract"), self.kind)

    def __rsub__(self, other: object) -> Quantity:
        return Quantity(self._same(other, "subtract") - self.amount, self.kind)

    def __mul__(self, other: object) -> Quantity:
        if isinstance(other, Quantity):
            raise QuantityError(f"`{self}` and `{other}` cannot be multiplied, only a quantity and a number")
        return Quantity(_scaled(self.amount, _number(other, "multiply", self)), self.kind)

    def __rmul__(self, other: object) -> Quantity:
        return self.__mul__(other)

    def __truediv__(self, other: object) -> Quantity | Number:
        if isinstance(other, Quantity):
            quotient = float(self.amount / _nonzero(self._same(other, "divide")))
            return int(quotient) if quotient.is_integer() else quotient
        number = _nonzero(_number(other, "divide", self))
        if isinstance(self.amount, int) and isinstance(number, int) and self.amount % number == 0:
            return Quantity(self.amount // number, self.kind)
        return Quantity(self.amount / number, self.kind)

    def __rtruediv__(self, other: object) -> Quantity:
        raise QuantityError(f"a number cannot be divided by `{self}`")

    def __floordiv__(self, other: object) -> Quantity | Number:
        if isinstance(other, Quantity):
            return int(self.amount // _nonzero(self._same(other, "divide")))
        return Quantity(self.amount // _nonzero(_number(other, "divide", self)), self.kind)

    def __rfloordiv__(self, other: object) -> Quantity:
        raise QuantityError(f"a number cannot be divided by `{self}`")

    def __mod__(self, other: object) -> Quantity:
        return Quantity(self.amount % _nonzero(self._same(other, "divide")), self.kind)

    def __rmod__(self, other: object) -> Quantity:
        raise QuantityError(f"a number cannot be divided by `{self}`")

    def __neg__(self) -> Quantity:
        return Quantity(-self.amount, self.kind)

    def __pos__(self) -> Quantity:
        return self

    def __bool__(self) -> bool:
        return self.amount != 0

    def __lt__(self, other: object) -> bool:
        return self.amount < self._same(other, "compare")

    def __le__(self, other: object) -> bool:
        return self.amount <= self._same(other, "compare")

    def __gt__(self, other: object) -> bool:
        return self.amount > self._same(other, "compare")

    def __ge__(self, other: object) -> bool:
        return self.amount >= self._same(other, "compare")

    def _same(self, other: object, what: str) -> Number:
        """The amount of another quantity of this kind; a plain 0 is one of every kind."""
        if isinstance(other, Quantity):
            if other.kind == self.kind:
                return other.amount
            raise QuantityError(f"`{self}` and `{other}` are of different kinds: one cannot {what} them")
        if type(other) in (int, float) and other == 0:
            return 0
        if type(other) in (int, float):
            example = f"{other}GB" if self.kind == "bytes" else f"{other}min"
            raise QuantityError(
                f"`{other}` has no unit: one cannot {what} it and `{self}`; write for example `{example}`"
            )
        raise QuantityError(f"one cannot {what} `{self}` and something that is no quantity")

    def to(self, unit: str) -> int:
        """How many of a unit, rounded up to a whole number.

        Raises:
            QuantityError: the unit is unknown or of the other kind.
        """
        units = BYTE_UNITS if self.kind == "bytes" else TIME_UNITS
        if unit not in units:
            raise _unknown_unit(unit, units, f"`{self}` is an amount of {'memory' if units is BYTE_UNITS else 'time'}")
        top, bottom = self.amount.as_integer_ratio()
        if unit == _MILLISECOND:
            top *= 1000
        return -((-top) // (bottom * units[unit]))

    def __str__(self) -> str:
        """The shortest text for bytes, days to seconds for times; `parse_quantity` reads it back exactly."""
        amount = self.amount
        if amount < 0:
            return "-" + str(Quantity(-amount, self.kind))
        if isinstance(amount, float):
            return _plain(amount) + ("B" if self.kind == "bytes" else "s")
        return _bytes_text(amount) if self.kind == "bytes" else _seconds_text(amount)


def _number(value: object, what: str, quantity: Quantity) -> Number:
    if type(value) is int or type(value) is float:
        return value
    raise QuantityError(f"one cannot {what} `{quantity}` and something that is no number")


def _nonzero(number: Number) -> Number:
    if number == 0:
        raise QuantityError("division by zero")
    return number


def _scaled(amount: Number, number: Number) -> Number:
    """A product, refused before it grows beyond what any quantity may be."""
    if isinstance(amount, int) and isinstance(number, int) and amount.bit_length() + number.bit_length() > 128:
        raise QuantityError("the amount is too large")
    try:
        return amount * number
    except OverflowError:
        raise QuantityError("the amount is too large") from None


def _plain(number: float) -> str:
    """A float in digits without an exponent that reads back as the same float."""
    text = repr(number)
    if "e" not in text:
        return text
    mantissa, exponent = text.split("e")
    digits = mantissa.replace(".", "")
    point = len(mantissa.split(".")[0]) + int(exponent)
    if point <= 0:
        return "0." + "0" * -point + digits
    return digits + "0" * (point - len(digits))


def _bytes_text(amount: int) -> str:
    if amount == 0:
        return "0B"
    best = f"{amount}B"
    for unit, factor in (*_DECIMAL.items(), *_BINARY.items()):
        text = _decimal(amount, factor)
        if text is not None and len(text) + len(unit) < len(best):
            best = text + unit
    return best


def _decimal(amount: int, factor: int) -> str | None:
    """A quotient of at least 1 as a decimal of at most three places, or None."""
    thousandths, rest = divmod(amount * 1000, factor)
    if rest or thousandths < 1000:
        return None
    whole, places = divmod(thousandths, 1000)
    return f"{whole}.{places:03}".rstrip("0") if places else str(whole)


def _seconds_text(amount: int) -> str:
    if amount == 0:
        return "0s"
    text = ""
    for unit, factor in _TIMES.items():
        count, amount = divmod(amount, factor)
        if count:
            text += f"{count}{unit}"
    return text


@lru_cache(maxsize=1024)
def parse_quantity(text: str) -> Quantity:
    """Read `16GB`, `1.5 GiB`, `20min`, `1h30m`, `00:20:00` or `1-02:00:00` (days-hours:minutes:seconds).

    Raises:
        QuantityError: the text is none of these; the message names the unit that was probably meant.
    """
    bare = text.strip()
    if bare.startswith("-") and not bare.startswith("--"):
        return -parse_quantity(bare[1:])
    clock = _CLOCK.fullmatch(bare)
    if clock:
        days, hours, minutes, seconds = (int(part or 0) for part in clock.groups())
        if minutes > 59 or seconds > 59 or (clock.group(1) and hours > 23):
            raise QuantityError(f"`{bare}` is no time: minutes and seconds go up to 59, hours beside days up to 23")
        return Quantity(((days * 24 + hours) * 60 + minutes) * 60 + seconds, "seconds")
    terms, at = [], 0
    while at < len(bare):
        found = _TERM.match(bare, at)
        if found is None or len(found.group(1)) > 400:
            raise QuantityError(_no_quantity(bare))
        terms.append((found.group(1), found.group(2)))
        at = found.end()
        while at < len(bare) and bare[at] == " ":
            at += 1
    if not terms:
        raise QuantityError(_no_quantity(bare))
    return _sum(bare, terms)


def _sum(text: str, terms: list[tuple[str, str]]) -> Quantity:
    for _, unit in terms:
        if unit not in UNITS:
            raise _unknown_unit(unit, UNITS, f"`{_clip(text)}` has a unit that does not exist")
    if len(terms) == 1:
        number, unit = terms[0]
        kind: Kind = "bytes" if unit in BYTE_UNITS else "seconds"
        return Quantity(_times(number, unit), kind)
    factors = [0.001 if unit == _MILLISECOND else TIME_UNITS.get(unit, 0) for _, unit in terms]
    if 0 in factors:
        raise QuantityError(f"`{_clip(text)}` mixes units of memory: write one number and one unit, such as `1.5GB`")
    if factors != sorted(set(factors), reverse=True):
        raise QuantityError(f"`{_clip(text)}`: units of time go from large to small, each once, such as `1h30min`")
    if any("." in number for number, _ in terms[:-1]):
        raise QuantityError(f"`{_clip(text)}`: only the last number may have a fraction")
    return Quantity(sum(_times(number, unit) for number, unit in terms), "seconds")


def _times(number: str, unit: str) -> Number:
    """A decimal number of units, exact where the result is whole."""
    whole, _, places = number.partition(".")
    top: int = int(whole + places) * (BYTE_UNITS.get(unit) or TIME_UNITS[unit])
    bottom: int = 10 ** len(places) * (1000 if unit == _MILLISECOND else 1)
    exact, rest = divmod(top, bottom)
    return top / bottom if rest else exact


def _unknown_unit(unit: str, known: object, start: str) -> QuantityError:
    words: frozenset[str] = frozenset(known)  # type: ignore[call-overload]
    near = _NEAR.get(unit) or _NEAR.get(unit.lower()) or did_you_mean(unit.removesuffix("s"), words)
    hint = (
        f"did you mean `{near}`?"
        if near and near.split("`")[0] in words
        else "known are " + ", ".join(f"`{u}`" for u in (*_DECIMAL, *_BINARY, *_TIMES, _MILLISECOND) if u in words)
    )
    return QuantityError(f"{start}: `{_clip(unit)}`; {hint}")


def _no_quantity(text: str) -> str:
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return f"`{_clip(text)}` has no unit; write for example `{_clip(text)}GB` or `{_clip(text)}min`"
    if re.fullmatch(r"[\d:-]+", text):
        return f"`{_clip(text)}` is no time; write `hours:minutes:seconds` such as `00:20:00`, or `20min`"
    return f"`{_clip(text)}` is no quantity such as `16GB`, `20min` or `00:20:00`"


def _clip(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"
