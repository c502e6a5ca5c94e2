"""What the loop of a run is put together from, and what the run came to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from flowrules.app.attempt import Workshop
from flowrules.app.book import Key
from flowrules.app.intake import Intake
from flowrules.app.settings import RunSettings
from flowrules.plan.build import Planned
from flowrules.ports import Executor, Observer
from flowrules.record.disk import Disk
from flowrules.record.store import Store


@dataclass(slots=True)
class Result:
    """What a run came to.

    Attributes:
        done, skipped, failed, blocked: ids of jobs.
        handed: how many jobs were left with blocks that go on.
        stranded: ids of jobs that no block could be had for; refused: why, in words.
    """

    done: list[int] = field(default_factory=list)
    skipped: list[int] = field(default_factory=list)
    failed: list[int] = field(default_factory=list)
    blocked: list[int] = field(default_factory=list)
    stranded: list[int] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    handed: int = 0
    interrupted: bool = False


class Decider(Protocol):
    """What decides: a machine's scheduler, or the dispatcher of a campaign."""

    def advance(self, event: Any, /) -> Sequence[Any]:  # noqa: ANN401 - the events and actions it knows are its own
        """What is to be done after an event."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a loop is put together from.

    Attributes:
        replan: derives the DAG again.
        beat: what is to be called every so many seconds.
    """

    planned: Planned
    replan: Callable[[frozenset[Key]], Planned]
    scheduler: Decider
    executor: Executor
    workshop: Workshop
    intake: Intake
    store: Store
    disk: Disk
    observer: Observer
    settings: RunSettings
    beat: tuple[Callable[[], None], float]
