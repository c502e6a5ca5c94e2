"""What driver and runner of a block say to each other, as values, and as lines of their files."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import msgspec

from flowrules.model.block import Task, TaskEnd

# ── driver to runner ─────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class After:
    """First line of an inbox: the driver follows that of ``epoch`` (0: none held this block before)."""

    epoch: int


@dataclass(frozen=True, slots=True)
class Take:
    """A task for this block."""

    task: Task


@dataclass(frozen=True, slots=True)
class Have:
    """Tasks that have ended well as the driver knows, whatever the logs say now: they are not run again."""

    tasks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Grant:
    """The block's share: so many jobs at once (None: as many as fit), and of resources that all blocks share."""

    running: int | None = None
    tokens: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cancel:
    """Tasks that are not wanted any more: those that wait are given back, those that run are killed."""

    tasks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stop:
    """End: nothing new starts; what runs is killed after ``grace`` seconds (None: is waited for)."""

    grace: float | None = None


# ── runner to driver ─────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Begin:
    """An incarnation begins. ``batch``: the batch system's id of it; nodes: its hosts."""

    incarnation: int
    host: str
    pid: int
    batch: str
    nodes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cut:
    """What stands after ``offset`` in a file of an earlier incarnation (`01/log`) does not exist."""

    file: str
    offset: int


@dataclass(frozen=True, slots=True)
class Accept:
    """The inbox of ``epoch`` is read from now on, and that of ``before`` no further than ``old``."""

    epoch: int
    before: int
    old: int


@dataclass(frozen=True, slots=True)
class Granted:
    """A grant is kept from now on."""

    running: int | None = None
    tokens: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Started:
    """An attempt starts. ``time``: seconds since the epoch by the runner's clock; cpus: as `0-3,8`."""

    task: str
    node: str
    gpus: tuple[str, ...] = ()
    cpus: str = ""
    time: float = 0.0


@dataclass(frozen=True, slots=True)
class Ended:
    """An attempt ended, and how. Where its record is `done`, it is never run again."""

    end: TaskEnd


@dataclass(frozen=True, slots=True)
class Given:
    """Tasks that go back to the driver; none of them runs.

    Attributes:
        why: in words.
        unfit: this block cannot run them: they take too long for it, or more than it has.
    """

    tasks: tuple[str, ...]
    why: str = ""
    unfit: bool = False


@dataclass(frozen=True, slots=True)
class Sick:
    """A node is used no more."""

    node: str
    why: str


@dataclass(frozen=True, slots=True)
class Beat:
    """The runner lives. ``running``, ``waiting``: tasks."""

    running: int = 0
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class Closing:
    """The block ends: what stands after ``offset`` in the inbox of ``epoch``, or in later ones, will not be read."""

    epoch: int
    offset: int
    why: str = ""


@dataclass(frozen=True, slots=True)
class Closed:
    """The block has ended. ``reaped``: all its processes on all its nodes are known to be gone."""

    reaped: bool


@dataclass(frozen=True, slots=True)
class Damaged:
    """Lines of a file are lost: what they said of these tasks, as far as that can be told, is not known.

    Never written; a reader says it.
    """

    file: str
    lines: int
    tasks: tuple[str, ...] = ()


InboxMessage: TypeAlias = After | Take | Have | Grant | Cancel | Stop
LogMessage: TypeAlias = Begin | Cut | Accept | Granted | Started | Ended | Given | Sick | Beat | Closing | Closed
Message: TypeAlias = InboxMessage | LogMessage

_KINDS: dict[type, str] = {
    After: "after",
    Take: "take",
    Have: "have",
    Grant: "grant",
    Cancel: "cancel",
    Stop: "stop",
    Begin: "begin",
    Cut: "cut",
    Accept: "accept",
    Granted: "granted",
    Started: "start",
    Ended: "end",
    Given: "give",
    Sick: "sick",
    Beat: "beat",
    Closing: "closing",
    Closed: "closed",
}
_TYPES = {kind: type_ for type_, kind in _KINDS.items()}
_decoders: dict[str, msgspec.json.Decoder[Any]] = {}


def names_of(message: Message) -> tuple[str, ...]:
    """The tasks a message is about; the line's keys."""
    if isinstance(message, Take):
        return (message.task.name,)
    if isinstance(message, Ended):
        return (message.end.task,)
    if isinstance(message, Started):
        return (message.task,)
    if isinstance(message, Have | Cancel | Given):
        return message.tasks
    return ()


def encode_message(message: Message) -> tuple[str, tuple[str, ...], bytes]:
    """Kind, names and payload of a message's line."""
    return _KINDS[type(message)], names_of(message), encode_json(message)


def decode_message(kind: str, payload: bytes) -> Message | None:
    """The message of a line; None for a kind that this program does not know.

    Raises:
        ValueError: the payload is not that of such a message.
    """
    type_ = _TYPES.get(kind)
    if type_ is None:
        return None
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.json.Decoder(type_)
    try:
        message: Message = decoder.decode(payload)
    except msgspec.DecodeError:
        message = msgspec.convert(json.loads(payload), type_)
    return message


def encode_json(value: object) -> bytes:
    """A value of dataclasses as JSON in one line."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:  # a path that is no UTF-8: msgspec does not write half surrogate pairs, json does
        return json.dumps(msgspec.to_builtins(value)).encode()
