"""What anybody may see of a directory while others work in it: who drives, and its blocks. Nothing is written."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import NamedTuple

from flowrules.errors import StateError
from flowrules.model.block import BlockSpec, Task
from flowrules.record.blockfiles import (
    OVER,
    Past,
    block_names,
    block_path,
    log_path,
    read_spec,
    said,
    submitted_id,
    tasks,
    unusable,
)
from flowrules.record.lock import SILENCE_SECONDS
from flowrules.record.messages import Begin, Closed, Closing, Sick
from flowrules.record.numbered import highest, numbers
from flowrules.record.owner import Owner, is_local, read_owner
from flowrules.record.state import state_folder


@dataclass(frozen=True, slots=True)
class DriverView:
    """The last driver of a directory.

    Attributes:
        ended: it ended in order.
        alive: it runs; None where it is on another host and beat not long ago.
        silent: seconds since it beat last, by this host's clock.
    """

    owner: Owner
    number: int
    ended: bool
    alive: bool | None
    silent: float


class Seen(NamedTuple):
    """A task of a block: of which job, and what became of it: `held`, `running`, `given` (back), or as a record says.

    ``at``: when it ended, seconds since the epoch by its host's clock.
    """

    rule: str
    wildcards: tuple[tuple[str, str], ...]
    state: str
    at: float = 0.0


@dataclass(slots=True)
class BlockView:
    """A block as its files show it.

    Attributes:
        batch: what the batch system called it; "" where it was not submitted, as far as is known.
        over: a driver has collected all of it.
        begin: what the last runner said first; None where none has begun.
        since: when that was, seconds since the epoch by its host's clock; silent: seconds since its last word.
        sick: nodes that are used no more.
        tasks: those it was handed, by name.
    """

    spec: BlockSpec
    batch: str
    over: bool
    begin: Begin | None = None
    since: float = 0.0
    silent: float = 0.0
    closing: Closing | None = None
    closed: Closed | None = None
    sick: list[str] = field(default_factory=list)
    tasks: dict[str, Seen] = field(default_factory=dict)


def view_driver(directory: str) -> DriverView | None:
    """Who drives, or drove last; None where nobody ever did.

    Raises:
        StateError: the state folder cannot be used.
    """
    folder = state_folder(directory, create=False)
    if folder is None:
        return None
    number = _highest(f"{folder}/driver")
    place = f"{folder}/driver/{number:06d}"
    owner, ended, _ = read_owner(place)
    if owner is None:
        return None
    silent = _age(f"{place}/owner")
    alive: bool | None = False
    if not ended:
        alive = owner.alive() if is_local(owner) else None if silent < SILENCE_SECONDS else False
    return DriverView(owner, number, ended, alive, silent)


def view_blocks(directory: str) -> list[BlockView]:
    """All blocks of a directory, in order.

    Raises:
        StateError: a file of one cannot be read.
    """
    return [_view(block_path(directory, name)) for name in block_names(directory)]


def _view(path: str) -> BlockView:
    try:
        runs = numbers(f"{path}/runs")
    except OSError as error:
        raise unusable(f"{path}/runs", error) from error
    view = BlockView(read_spec(path), submitted_id(path), os.path.exists(f"{path}/{OVER}"))
    past = _learn(view, path, runs)
    if view.begin is not None:
        owner = read_owner(f"{path}/runs/{view.begin.incarnation:02d}")[0]
        view.since = owner.since if owner is not None else 0.0
        view.silent = _age(log_path(path, view.begin.incarnation))
    for task in tasks(path, past):
        if task.name not in view.tasks:
            view.tasks[task.name] = _seen(task, past)
    return view


def _learn(view: BlockView, path: str, runs: list[int]) -> Past:
    past = Past.empty()
    for message in said(path, runs):
        past.learn(message)
        if isinstance(message, Begin):
            view.begin, view.sick = message, []
        elif isinstance(message, Closing):
            view.closing = message
        elif isinstance(message, Closed):
            view.closed = message
        elif isinstance(message, Sick):
            view.sick.append(message.node)
    return past


def _seen(task: Task, past: Past) -> Seen:
    job = task.draft.rule, tuple(task.draft.wildcards.items())
    end = past.ended.get(task.name)
    if end is not None:
        return Seen(*job, end.record.status, end.record.ended)
    if task.name in past.given:
        return Seen(*job, "given")
    return Seen(*job, "running" if task.name in past.started else "held")


def _age(path: str) -> float:
    """Seconds since a file was last written, by this host's clock; never below 0, as clocks of hosts differ."""
    try:
        return max(0.0, time.time() - os.stat(path).st_mtime)
    except OSError:
        return 0.0


def _highest(folder: str) -> int:
    try:
        return highest(folder)
    except OSError as error:
        raise StateError(f"cannot use `{folder}`: {(error.strerror or str(error)).lower()}") from error
