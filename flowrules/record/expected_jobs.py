"""How many jobs of each rule a driver means to run: what others need to tell how far it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

from flowrules.errors import StateError
from flowrules.record.disk import STATE_FOLDER
from flowrules.record.state import write_atomically


class ToldJobs(NamedTuple):
    """How many jobs of each rule will or may run, as of a time in seconds since the epoch by the driver's clock."""

    at: float
    counts: Mapping[str, int]


def tell_jobs(number: int, told: ToldJobs, directory: str = ".") -> None:
    """Driver ``number`` says what it means to run. That it cannot be written matters to nobody."""
    with suppress(OSError, StateError):
        write_atomically(_path(number, directory), json.dumps(told).encode())


def told_jobs(number: int, directory: str = ".") -> ToldJobs | None:
    """What a driver told last; None where that cannot be read."""
    try:
        with open(_path(number, directory), encoding="utf-8") as file:
            at, counts = json.load(file)
        return ToldJobs(float(at), {str(rule): int(count) for rule, count in counts.items()})
    except (OSError, ValueError, TypeError, AttributeError, OverflowError):
        return None


def _path(number: int, directory: str) -> str:
    return f"{directory}/{STATE_FOLDER}/driver/{number:06d}/jobs"
