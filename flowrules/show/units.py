"""Sizes, times and rates as people read them: two or three figures, the units of the language."""

from __future__ import annotations

import math
from typing import Final

_SIZES: Final = ("kB", "MB", "GB", "TB", "PB", "EB")


def human_size(count: float) -> str:
    """Bytes: `0B`, `934B`, `1.2kB`, `16GB`."""
    if not math.isfinite(count) or count < 0:
        return "?"
    if count < 999.5:
        return f"{count:.0f}B"
    for unit in _SIZES:
        count /= 1000
        if count < 9.95:
            return f"{count:.1f}{unit}"
        if count < 999.5:
            return f"{count:.0f}{unit}"
    return f"{count:,.0f}{_SIZES[-1]}"


def human_time(seconds: float) -> str:
    """A duration: `0.04s`, `3.2s`, `47s`, `1m 05s`, `2h 05m`, `3d 04h`."""
    if not math.isfinite(seconds) or seconds < 0:
        return "?"
    if seconds < 0.095:
        return f"{seconds:.2f}s"
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    return clock_time(seconds)


def clock_time(seconds: float) -> str:
    """A duration that goes on, in whole units: `0s`, `47s`, `1m 05s`, `2h 05m`, `3d 04h`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    if whole < 86400:
        return f"{whole // 3600}h {whole % 3600 // 60:02d}m"
    return f"{whole // 86400}d {whole % 86400 // 3600:02d}h"


def human_hours(hours: float) -> str:
    """Node-hours: `0.05`, `1.2`, `47`, `1,234`."""
    return f"{hours:,.0f}" if hours >= 99.5 else f"{hours:.2g}"


def human_rate(per_second: float) -> str:
    """How often: `120/s`, `2.5/s`, `12/min`, `3/h`."""
    for factor, unit in ((1, "s"), (60, "min"), (3600, "h")):
        rate = per_second * factor
        if rate >= 0.95 or unit == "h":
            break
    return f"{rate:,.0f}/{unit}" if rate >= 9.95 or round(rate * 10) % 10 == 0 else f"{rate:.1f}/{unit}"
