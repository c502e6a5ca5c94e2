"""The files of a block: where they lie, how they are trusted, and what of them counts.

.flowrules/blocks/b003/block.json            what was asked for; never changes
                       inbox.000007          driver of epoch 7 to runner
                       runs/02/owner, nodes  an incarnation, made by `mkdir` of the next number
                       runs/02/log           runner to driver
                       submitted             what the batch system called it
                       over                  nothing more is to be expected of it
.flowrules/failed.000007                     a job failed whose failure ends the run of the driver of epoch 7
"""

from __future__ import annotations

import json
import os
import stat as modes
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

import msgspec

from flowrules.errors import StateError
from flowrules.model.block import BlockSpec, Task, TaskEnd
from flowrules.record.disk import STATE_FOLDER
from flowrules.record.messages import (
    Accept,
    Closed,
    Closing,
    Cut,
    Damaged,
    Ended,
    Given,
    Message,
    Started,
    Take,
    decode_message,
    encode_json,
)
from flowrules.record.numbered import numbers
from flowrules.record.polled import Follower, PolledLine
from flowrules.record.state import write_atomically

BLOCKS = "blocks"
SUBMITTED = "submitted"
OVER = "over"
_INBOX = "inbox."
_FAILED = "failed."


def block_path(directory: str, block: str) -> str:
    """The folder of a block in a working directory."""
    return f"{directory.rstrip('/')}/{STATE_FOLDER}/{BLOCKS}/{block}"


def block_names(directory: str) -> list[str]:
    """The blocks of a working directory that were made in whole, in order.

    Raises:
        StateError: the folder cannot be read.
    """
    folder = f"{directory.rstrip('/')}/{STATE_FOLDER}/{BLOCKS}"
    try:
        return sorted(name for name in os.listdir(folder) if os.path.exists(f"{folder}/{name}/block.json"))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise unusable(folder, error) from error


def mark_failed(directory: str, epoch: int) -> None:
    """Tell all blocks that a failure ends the run of the driver of an epoch.

    Raises:
        OSError: it cannot be written.
    """
    write_atomically(f"{directory}/{STATE_FOLDER}/{_FAILED}{epoch:06d}", b"")


def has_failed(directory: str, epoch: int) -> bool:
    """Whether that was told of an epoch; the folder is listed, as the absence of a single name may be remembered."""
    with suppress(OSError):
        return f"{_FAILED}{epoch:06d}" in os.listdir(f"{directory}/{STATE_FOLDER}")
    return False


def forget_failed(directory: str, epoch: int) -> None:
    """Nobody needs to know any more what was told of epochs before this one."""
    with suppress(OSError):
        for name in os.listdir(f"{directory}/{STATE_FOLDER}"):
            if name.startswith(_FAILED) and name < f"{_FAILED}{epoch:06d}":
                os.unlink(f"{directory}/{STATE_FOLDER}/{name}")


def inbox_path(path: str, epoch: int) -> str:
    """The inbox of an epoch."""
    return f"{path}/{_INBOX}{epoch:06d}"


def log_path(path: str, incarnation: int) -> str:
    """The log of an incarnation."""
    return f"{path}/runs/{incarnation:02d}/log"


def log_name(incarnation: int) -> str:
    """The log of an incarnation as `Cut` names it."""
    return f"{incarnation:02d}/log"


def epochs(path: str) -> list[int]:
    """Epochs of which there is an inbox, in order; the folder is listed anew.

    Raises:
        StateError: the folder cannot be read.
    """
    try:
        names = os.listdir(path)
    except OSError as error:
        raise unusable(path, error) from error
    numerals = [name[len(_INBOX) :] for name in names if name.startswith(_INBOX)]
    return sorted(int(numeral) for numeral in numerals if numeral.isascii() and numeral.isdigit())


def write_spec(path: str, spec: BlockSpec) -> None:
    """Write what a block was asked to be.

    Raises:
        OSError: it cannot be written.
    """
    write_atomically(f"{path}/block.json", encode_json(spec))


def read_spec(path: str) -> BlockSpec:
    """What a block was asked to be; its folder must be the user's own and private.

    Raises:
        StateError: there is no such block, or its folder cannot be trusted.
    """
    try:
        status = os.lstat(path)
        if not modes.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
            raise StateError(
                f"the folder `{path}` of a block is not private, or belongs to another user",
                "flowrules makes it readable and writable for its owner only",
            )
        with open(f"{path}/block.json", "rb") as file:
            content = file.read()
    except OSError as error:
        raise unusable(path, error) from error
    try:
        return msgspec.json.decode(content, type=BlockSpec)
    except ValueError as error:
        raise StateError(f"`{path}/block.json` is no description of a block: {error}") from error


def submitted_id(path: str) -> str:
    """What the batch system called a block; "" where its answer was not written down."""
    try:
        with open(f"{path}/{SUBMITTED}", encoding="utf-8") as file:
            return str(json.load(file)["id"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def is_closed(path: str) -> bool:
    """Whether a block said that it has ended and that no process of it is left.

    Raises:
        StateError: a file of it cannot be read.
    """
    try:
        runs = numbers(f"{path}/runs")
    except OSError as error:
        raise unusable(f"{path}/runs", error) from error
    last = None
    for message in said(path, runs):
        last = message
    return isinstance(last, Closed) and last.reaped


# ── what counts ──────────────────────────────────────────────────────────────────────────────────────────────────


def decoded(follower: Follower, lines: Iterable[PolledLine]) -> list[tuple[Message, int]]:
    """The messages of lines just read, each with the offset after its line; damage is told as a message too."""
    found: list[tuple[Message, int]] = []
    spoilt: list[str] = []
    for line in lines:
        try:
            message = decode_message(line.kind, line.payload)
        except ValueError:
            spoilt.extend(line.names)
            follower.lost += 1
            continue
        if message is not None:
            found.append((message, line.end))
    follower.suspects.extend(spoilt)
    return found


def damage(follower: Follower) -> Damaged | None:
    """What was found damaged since the last call; None where nothing was."""
    if not follower.lost:
        return None
    name = "/".join(follower.path.rsplit("/", 2)[1:])
    told = Damaged(name, follower.lost, tuple(follower.suspects))
    follower.lost = 0
    follower.suspects.clear()
    return told


def held_cuts(path: str, runs: list[int]) -> dict[int, int]:
    """Up to which offset the log of each incarnation counts, as far as its successors have said; the last has no end.

    A cut counts where the line that says it does.

    Raises:
        StateError: a log cannot be read.
    """
    cuts: dict[int, int] = {}
    for run in reversed(runs):
        if run != runs[-1] and run not in cuts:
            continue
        follower = Follower(log_path(path, run), cuts.get(run))
        for message, _ in decoded(follower, follower.poll()):
            if isinstance(message, Cut):
                cuts.setdefault(int(message.file.partition("/")[0]), message.offset)
    return cuts


@dataclass(slots=True)
class Fate:
    """What became of a task that a block was handed; ``end`` is the first good one, else the last."""

    task: Task
    started: Started | None = None
    end: TaskEnd | None = None
    given: bool = False


@dataclass(slots=True)
class Past:
    """What logs said, up to where they count.

    Attributes:
        read: for each inbox that was left for a later one, or at the closing, the offset up to which it was read.
        last: the epoch whose inbox was read last, 0 where that is not known.
    """

    started: dict[str, Started]
    ended: dict[str, TaskEnd]
    given: set[str]
    read: dict[int, int]
    last: int = 0
    closing: Closing | None = None

    @classmethod
    def empty(cls) -> Past:
        """Nothing was said yet."""
        return cls({}, {}, set(), {})

    def learn(self, message: Message) -> None:
        """Add a line of a log."""
        if isinstance(message, Started):
            self.started[message.task] = message
        elif isinstance(message, Ended):
            known = self.ended.get(message.end.task)
            if known is None or known.record.status != "done":
                self.ended[message.end.task] = message.end
        elif isinstance(message, Given):
            self.given.update(message.tasks)
        elif isinstance(message, Accept):
            self.read[message.before] = message.old
            self.last = message.epoch
        elif isinstance(message, Closing):
            self.closing = message
            self.last = message.epoch
            self.read[message.epoch] = message.offset


def said(path: str, runs: list[int]) -> Iterator[Message]:
    """What the logs of a block say, in order, up to where each counts.

    Raises:
        StateError: a log cannot be read.
    """
    cuts = held_cuts(path, runs)
    for run in runs:
        yield from _messages(Follower(log_path(path, run), cuts.get(run)))


def tasks(path: str, past: Past) -> Iterator[Task]:
    """What the inboxes of a block hand over, as far as they were or will be read.

    Raises:
        StateError: an inbox cannot be read.
    """
    for epoch in epochs(path):
        if past.closing is not None and epoch > past.closing.epoch:
            break
        for message in _messages(Follower(inbox_path(path, epoch), past.read.get(epoch))):
            if isinstance(message, Take):
                yield message.task


def assigned(path: str, runs: list[int]) -> dict[str, Fate]:
    """Every task a block was ever handed, by any driver, and what became of it as far as its logs say.

    Raises:
        StateError: a file cannot be read.
    """
    past = Past.empty()
    for message in said(path, runs):
        past.learn(message)
    found: dict[str, Fate] = {}
    for task in tasks(path, past):
        name = task.name
        if name not in found:
            found[name] = Fate(task, past.started.get(name), past.ended.get(name), name in past.given)
    return found


def _messages(follower: Follower) -> Iterator[Message]:
    """The good messages of a file, decoded one by one: they may be many and large."""
    for line in follower.poll():
        with suppress(ValueError):
            message = decode_message(line.kind, line.payload)
            if message is not None:
                yield message


def unusable(path: str, error: OSError) -> StateError:
    """A folder of a block that cannot be used."""
    return StateError(f"cannot use `{path}`: {(error.strerror or str(error)).lower()}")
