"""What the driver's dispatcher is told of blocks and wants done with them, beside the events and actions of any run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from flowrules.model.events import Action, Event, Need

LOCAL = "local"
"""The block that is no block: jobs that run beside the driver."""


@dataclass(frozen=True, slots=True)
class BlockPlan:
    """A block to be asked for: whole nodes for seconds of walltime."""

    nodes: int
    walltime: float


# ── events ───────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class BlockKnown:
    """A block of an earlier driver, or the answer to `Open`: it can be handed jobs; it may wait in a queue.

    Attributes:
        running, tokens: what it was granted last.
        strange: needs of jobs it holds that are none of the plan; `Freed` tells when one has ended.
    """

    now: float
    block: str
    plan: BlockPlan
    running: int | None = None
    tokens: Mapping[str, float] = field(default_factory=dict)
    strange: tuple[Need, ...] = ()


@dataclass(frozen=True, slots=True)
class BlockBegan:
    """A block's runner works; ``until``: when its walltime is over, by the driver's clock."""

    now: float
    block: str
    until: float


@dataclass(frozen=True, slots=True)
class BlockClosing:
    """A block takes nothing more; what it holds may still end."""

    now: float
    block: str


@dataclass(frozen=True, slots=True)
class BlockOver:
    """A block is over; what it held has been told of before, as ended or returned."""

    now: float
    block: str


@dataclass(frozen=True, slots=True)
class Freed:
    """A job in a block that is none of the plan has ended."""

    now: float
    block: str
    need: Need


@dataclass(frozen=True, slots=True)
class OpenRefused:
    """No block can be had (any more): the batch system refused, for good."""

    now: float
    plan: BlockPlan


@dataclass(frozen=True, slots=True)
class Returned:
    """Jobs that were handed to a block and will not run there; they cost no attempt.

    ``unfit``: the block cannot run them, so they are not offered it again.
    """

    now: float
    jobs: tuple[int, ...]
    unfit: bool = False


@dataclass(frozen=True, slots=True)
class NotYet:
    """A job that cannot be handed over before its inputs exist; it was not handed over."""

    now: float
    job: int


DispatchEvent: TypeAlias = (
    Event | BlockKnown | BlockBegan | BlockClosing | BlockOver | Freed | OpenRefused | Returned | NotYet
)

# ── actions ──────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Hand:
    """Hand an attempt of a job to a block.

    Attributes:
        after: jobs of the same block that must have ended well before it starts. If one of them could not be handed
            over (`NotYet`), this one cannot either: `Returned`.
    """

    job: int
    attempt: int
    block: str
    after: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Open:
    """Ask for a block. ``running``, ``tokens``: what it is granted before anything is handed to it."""

    plan: BlockPlan
    running: int | None = None
    tokens: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Grant:
    """A block may run so many jobs at once from now on (None: as many as fit), and hold so much of what all share.

    It is to be told before the jobs that are handed to it after this action.
    """

    block: str
    running: int | None
    tokens: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Close:
    """A block has nothing more to do: it ends when what it runs has ended."""

    block: str


DispatchAction: TypeAlias = Action | Hand | Open | Grant | Close
