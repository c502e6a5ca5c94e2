"""What the scheduler is told and what it wants done. Every event carries the time; seconds of one monotonic clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Need:
    """What one job occupies while it runs.

    Attributes:
        cores: whole cores, at least 1.
        memory: bytes, 0 where not declared.
        gpus: indexed GPUs, whole or a fraction of one (0.25).
        custom: other named resources, counted.
        nodes: whole nodes; 0 for a share of one. On one machine it counts for nothing. The other amounts are then what
            each of the nodes must have at least.
    """

    cores: int = 1
    memory: int = 0
    gpus: float = 0
    custom: tuple[tuple[str, float], ...] = ()
    nodes: int = 0


@dataclass(frozen=True, slots=True)
class Capacity:
    """What a machine has to give: cores, bytes, the names of its GPUs, and limits of named resources.

    A resource that is not in ``limits`` is not limited; ``memory`` None is not limited.
    """

    cores: int
    memory: int | None = None
    gpus: tuple[str, ...] = ()
    limits: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NodeCapacity:
    """What one node of a block has to give.

    Attributes:
        cpus: hardware threads that jobs may be given.
        gpus: names; near: for each GPU the hardware threads beside it, part of ``cpus``, or empty.
    """

    name: str
    cpus: tuple[int, ...]
    memory: int | None = None
    gpus: tuple[str, ...] = ()
    near: tuple[tuple[int, ...], ...] = ()
    limits: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cluster:
    """The nodes of a block, in the order in which they are filled."""

    nodes: tuple[NodeCapacity, ...]


@dataclass(frozen=True, slots=True)
class SchedJob:
    """A job as the scheduler sees it: numbers only.

    Attributes:
        id: as in the plan.
        needs: ids of jobs that must be settled first; ids that are no SchedJob count as settled.
        check: True for a job that *may run*: when its needs are settled the scheduler asks (`Check`) before it starts.
        need: resources; evaluated again for each attempt through `Ended.next_need`.
        priority: higher goes first, above everything else.
        expected: expected run time, seconds.
        retries: how many further attempts a failure is given.
        group: label; jobs of one group are preferred once one of them has run.
        local: it runs beside the driver, also with a batch system.
        held: a block of an earlier driver that holds it, with the number of the attempt.
        limit: seconds after which it is stopped, where that is declared; asked before a block's end instead of
            ``expected``.
    """

    id: int
    needs: tuple[int, ...] = ()
    check: bool = False
    need: Need = Need()
    priority: float = 0
    expected: float = 1.0
    retries: int = 0
    group: str | None = None
    local: bool = False
    held: tuple[str, int] | None = None
    limit: float | None = None

    def numbered(self, id: int, needs: Iterable[int]) -> SchedJob:
        """The same job for a block that has numbers of its own: what only concerns the driver is left out."""
        return SchedJob(
            id,
            tuple(needs),
            self.check,
            self.need,
            self.priority,
            self.expected,
            group=self.group,
            limit=self.limit,
        )


# ── events ───────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Planned:
    """New jobs, at the start and each time the DAG is derived again. Jobs already known are left as they are."""

    now: float
    jobs: tuple[SchedJob, ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """Answer to `Check`: whether the job runs.

    ``demand``: settled jobs whose missing outputs it needs, in order; they run first.
    """

    now: float
    job: int
    run: bool
    demand: tuple[int, ...] = ()


@dataclass(slots=True)  # made for each attempt, see `flowrules.model.order.Order`
class Ended:
    """An attempt ended. ``next_need``: resources of a further attempt; ``fatal``: no retry helps (a bad command).

    ``withdrawn``: it neither ended well nor failed but was taken away (its node died, it was cancelled).
    """

    now: float
    job: int
    ok: bool
    next_need: Need | None = None
    fatal: bool = False
    withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class StopAsked:
    """The user wants to end: no new jobs; with ``kill`` the running ones are killed too."""

    now: float
    kill: bool = False


@dataclass(frozen=True, slots=True)
class NodeGone:
    """A node of the block is not to be used: nothing new is placed there; what runs there runs until told otherwise.

    ``waited``: it is expected back, so jobs that only fit with it wait; else they are `Impossible`.
    """

    now: float
    node: str
    waited: bool = False


@dataclass(frozen=True, slots=True)
class NodeBack:
    """A node that was gone may be used again, but for what still runs there; ``more``: and so may these."""

    now: float
    node: str
    more: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """Jobs are taken back: those not started are forgotten with all that need them, running ones are killed first.

    A running job that ends well before it is killed is done; any other end of it is that of a withdrawn job.
    """

    now: float
    jobs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Granted:
    """From now on at most so many jobs run at once (0: none starts, None: as many as fit). What runs goes on.

    ``tokens``: so much of what all blocks share they may hold together from now on, without limit what is not among
    them; None: as before.
    """

    now: float
    running: int | None
    tokens: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class Ahead:
    """From now on so many jobs of one core may be started before there is a core for them: they last next to no time.

    ``back``: jobs that were started so, and are none of that kind: they did not begin and wait for their turn again.
    """

    now: float
    jobs: int
    back: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Closing:
    """Nothing new starts: jobs not started, and those planned later, are forgotten; running ones end."""

    now: float


@dataclass(frozen=True, slots=True)
class Tick:
    """Time went by, nothing else: jobs for which it is too late now are told."""

    now: float


Event: TypeAlias = (
    Planned | Checked | Ended | StopAsked | NodeGone | NodeBack | Withdrawn | Granted | Ahead | Closing | Tick
)

# ── actions ──────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Slot:
    """The share of the machine one job occupies.

    Attributes:
        cores: hardware threads, of all its nodes together.
        gpus: names of the GPUs it may see (of each node, where it has several).
        nodes: names, in a block; cpus: hardware threads of the first node it is bound to, none where it is not bound.
    """

    cores: int
    gpus: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    cpus: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Check:
    """Ask whether a job that may run must run."""

    job: int


@dataclass(slots=True)  # made for each attempt, see `flowrules.model.order.Order`
class Start:
    """Start an attempt (counted from 1) of a job in a slot; ``ahead``: before there is a core for it, see `Ahead`."""

    job: int
    attempt: int
    slot: Slot
    ahead: bool = False


@dataclass(frozen=True, slots=True)
class Kill:
    """Kill the running attempt of a job."""

    job: int


@dataclass(frozen=True, slots=True)
class Skipped:
    """A job needs not run (its check said so)."""

    job: int


@dataclass(frozen=True, slots=True)
class Blocked:
    """A job will not run because one it needs failed; told once per job."""

    job: int
    because: int


@dataclass(frozen=True, slots=True)
class Impossible:
    """A job is forgotten: it needs more than the block has, now that nodes are gone; what needs it is `Forgotten`."""

    job: int


@dataclass(frozen=True, slots=True)
class TooLate:
    """A job is forgotten: it cannot end before the block does; what needs it is `Forgotten`."""

    job: int


@dataclass(frozen=True, slots=True)
class Forgotten:
    """A job will not run here, though nothing failed: it was withdrawn, or one it needs is not to be had here.

    Told once per job. Its id is not used again.
    """

    job: int


@dataclass(frozen=True, slots=True)
class Finished:
    """Nothing runs and nothing more will be started."""


Action: TypeAlias = Check | Start | Kill | Skipped | Blocked | Impossible | TooLate | Forgotten | Finished
