"""Curves and distributions as SVG of a page: shapes get their colours from the page's styles, so both themes fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from markupsafe import Markup, escape

from flowrules.pages.usage import Spread, Steps, thinned
from flowrules.show.units import clock_time, human_time

WIDE: Final = 560
TALL: Final = 220
LEFT: Final = 56
RIGHT: Final = 14
TOP: Final = 14
BOTTOM: Final = 30
POINTS: Final = 600
"""Steps of a curve that are drawn."""

_TIMES: Final = (
    *(1e-3, 2e-3, 5e-3, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600),
    *(7200, 21600, 43200, 86400, 172800, 604800),
)


class Curve(NamedTuple):
    """One line: what it is called, its steps, and the class that colours it (`filled` ones have an area below)."""

    name: str
    steps: Steps
    style: str
    filled: bool = False


def step_chart(title: str, curves: Sequence[Curve], length: float, unit: str) -> Markup:
    """Curves over time, with axes from zero.

    Args:
        title: what a screen reader says; length: seconds of the axis; unit: of the values, at their axis.
    """
    most = max([value for curve in curves for _, value in curve.steps] or [1.0])
    step = _round(most / 4)
    top = max(step, step * -(-most // step))
    length = length or 1.0
    x = _Scale(length, LEFT, WIDE - RIGHT)
    y = _Scale(top, TALL - BOTTOM, TOP)
    parts = [
        f'<svg class="chart" viewBox="0 0 {WIDE} {TALL}" role="img" aria-label="{escape(title)}">',
        *_value_axis(y, top, step, unit),
        *_time_axis(x, length),
    ]
    for curve in curves:
        path = _path(thinned(curve.steps, POINTS, length), x, y, length)
        if not path:
            continue
        if curve.filled:
            parts.append(f'<path class="{curve.style} area" d="{path}V{y.at(0):.1f}H{x.at(curve.steps[0][0]):.1f}Z"/>')
        parts.append(f'<path class="{curve.style} curve" d="{path}"/>')
    parts.append("</svg>")
    return Markup("".join(parts))


class _Scale:
    def __init__(self, most: float, begin: float, end: float) -> None:
        self._factor = (end - begin) / most
        self._begin = begin

    def at(self, value: float) -> float:
        return self._begin + value * self._factor


def _value_axis(y: _Scale, top: float, step: float, unit: str) -> list[str]:
    parts = [f'<text class="tick" x="{LEFT}" y="{TOP - 3}">{escape(unit)}</text>']
    for number in range(round(top / step) + 1):
        at, value = y.at(number * step), number * step
        parts.append(f'<path class="rule" d="M{LEFT} {at:.1f}H{WIDE - RIGHT}"/>')
        parts.append(f'<text class="tick end" x="{LEFT - 8}" y="{at + 4:.1f}">{value:,.10g}</text>')
    return parts


def _time_axis(x: _Scale, length: float) -> list[str]:
    step = next((step for step in _TIMES if step >= length / 6), length / 4)
    parts = []
    for number in range(int(length / step) + 1):
        time = number * step
        text = "0" if not number else clock_time(time) if step >= 1 else human_time(time)
        parts.append(f'<path class="rule" d="M{x.at(time):.1f} {TALL - BOTTOM}v5"/>')
        parts.append(f'<text class="tick middle" x="{x.at(time):.1f}" y="{TALL - 8}">{text.replace(" 00s", "")}</text>')
    return parts


def _path(steps: Steps, x: _Scale, y: _Scale, length: float) -> str:
    if not steps:
        return ""
    (time, value), *others = steps
    parts = [f"M{x.at(time):.1f} {y.at(0):.1f}V{y.at(value):.1f}"]
    parts += [f"H{x.at(time):.1f}V{y.at(value):.1f}" for time, value in others]
    return "".join([*parts, f"H{x.at(length):.1f}"])


def _round(value: float) -> float:
    """The next of 1, 2, 5, 10, 20 … that is not below a value; whole numbers are counted here."""
    step = 1.0
    while True:
        for factor in (1, 2, 5):
            if step * factor >= value:
                return step * factor
        step *= 10


def spread_chart(found: Spread) -> Markup:
    """A distribution as a strip of bars."""
    wide, tall, bar = 120.0, 24.0, 120.0 / len(found.counts)
    most = max(found.counts)
    kind = ", logarithmic" if found.logarithmic else ""
    title = f"from {human_time(found.least)} to {human_time(found.most)}{kind}"
    parts = [f'<svg class="spread" viewBox="0 0 {wide:g} {tall:g}" role="img" aria-label="{escape(title)}">']
    for at, count in enumerate(found.counts):
        height = max(tall * count / most, 1.0 if count else 0.0)
        if count:
            place = f'x="{at * bar:.1f}" y="{tall - height:.1f}" width="{bar - 0.8:.1f}" height="{height:.1f}"'
            parts.append(f'<rect class="bar" {place}/>')
    parts.append(f"<title>{escape(title)}</title></svg>")
    return Markup("".join(parts))
