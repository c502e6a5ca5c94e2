"""Queues and their limits: which admit a block, which of them is best, and what a block lacks for the others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, inf
from typing import Final

from flowrules.errors import UsageError, suggestion
from flowrules.model.profile import BlockShape, Profile, Queue, Route
from flowrules.model.quantity import Quantity

AUTO: Final = "auto"


@dataclass(frozen=True, slots=True)
class Taken:
    """Batch jobs that are in a queue already, whoever submitted them.

    Attributes:
        user: of this user, waiting or running; project: of the project; queued: of the project, waiting.
    """

    user: int = 0
    project: int = 0
    queued: int = 0


@dataclass(frozen=True, slots=True)
class Offer:
    """A queue that takes a block, and what has to be asked for there.

    Attributes:
        nodes, walltime: as wanted, or raised to what the queue asks for at least; seconds.
        spare: nodes that are paid for beyond those wanted.
    """

    queue: Queue
    nodes: int
    walltime: float
    spare: int = 0


def lacks(queue: Queue, nodes: int, walltime: float) -> tuple[str, ...]:
    """What keeps a block of so many nodes and seconds out of a queue, a phrase each; empty where it fits.

    A walltime below the least of a queue keeps nothing out: asking for more of it costs nothing.
    """
    reasons = [*_nodes_lack(queue, nodes), *_walltime_lacks(queue, walltime)]
    if reasons or not queue.routes:
        return tuple(reasons)
    sized = [route for route in queue.routes if not _nodes_lack(route, nodes)]
    if not sized:
        return (f"it leads to no queue for {_nodes(nodes)}",)
    if any(not _walltime_lacks(route, walltime) for route in sized):
        return ()
    longest = max(sized, key=lambda route: route.walltime[1] or inf)
    return tuple(f"{text} with {_nodes(nodes)} (`{longest.name}`)" for text in _walltime_lacks(longest, walltime))


def room(queue: Queue, taken: Taken) -> float:
    """How many further batch jobs may be submitted to a queue now; infinity where nothing limits them."""
    limits = (
        (queue.jobs_per_user, taken.user),
        (queue.jobs_per_project, taken.project),
        (queue.queued_per_project, taken.queued),
    )
    return max(0, min((most - there for most, there in limits if most is not None), default=inf))


def full(queue: Queue, taken: Taken) -> tuple[str, ...]:
    """Which limits of a queue are used up, a phrase each."""
    limits = (
        (queue.jobs_per_user, taken.user, "batch jobs of one user at once"),
        (queue.jobs_per_project, taken.project, "batch jobs of the project at once"),
        (queue.queued_per_project, taken.queued, "waiting batch jobs of the project"),
    )
    return tuple(
        f"it takes {most:,} {what}, there {'is' if there == 1 else 'are'} {there:,}"
        for most, there, what in limits
        if most is not None and there >= most
    )


def fitting(queues: Iterable[Queue], nodes: int, walltime: float) -> list[Offer]:
    """Queues in which a block fits as it is, the best first.

    Best is the one that stops a block least, then the one with the shortest limit of walltime (it is waited for least),
    then the one for the fewest nodes.
    """
    offers = [
        Offer(queue, nodes, max(walltime, _least_walltime(queue, nodes)))
        for queue in queues
        if not lacks(queue, nodes, walltime)
    ]
    return sorted(offers, key=_rank)


def enlarged(queues: Iterable[Queue], nodes: int, walltime: float) -> list[Offer]:
    """Queues that take a block if it is given more nodes than wanted, those with the fewest spare nodes first."""
    offers = []
    for queue in queues:
        for more in sorted({queue.nodes[0], *(route.nodes[0] for route in queue.routes)}):
            if more > nodes and not lacks(queue, more, walltime):
                offers.append(Offer(queue, more, max(walltime, _least_walltime(queue, more)), more - nodes))
                break
    return sorted(offers, key=lambda offer: (offer.spare, *_rank(offer)))


def choose(profile: Profile, nodes: int, walltime: float, taken: Mapping[str, Taken] | None = None) -> Offer:
    """The queue for a block of so many nodes and seconds: the one the profile names, or with `auto` the best that has
    room (the best of all where none has). Where a profile lists no queues, the batch system's own default: name "".

    Args:
        taken: by name of queue, what is there already.

    Raises:
        UsageError: the block fits no queue, or not the one that is named; says what is missing for each.
    """
    there = taken or {}
    if not profile.queues:
        return Offer(Queue("" if profile.queue == AUTO else profile.queue), nodes, walltime)
    queues = candidates(profile)
    offers = fitting(queues, nodes, walltime)
    if not offers:
        raise UsageError(no_queue(queues, nodes, walltime), way_out(queues, nodes, walltime))
    with_room = [offer for offer in offers if room(offer.queue, there.get(offer.queue.name, Taken())) >= 1]
    return (with_room or offers)[0]


def candidates(profile: Profile) -> tuple[Queue, ...]:
    """The queues a block may go to: the one that is named, or all.

    Raises:
        UsageError: the one that is named is not listed.
    """
    if profile.queue == AUTO:
        return profile.queues
    named = tuple(queue for queue in profile.queues if queue.name == profile.queue)
    if not named:
        hint = suggestion(profile.queue, [queue.name for queue in profile.queues])
        raise UsageError(f"the profile `{profile.name}` has no queue `{profile.queue}`", hint)
    return named


def at_once(profile: Profile) -> BlockShape:
    """The blocks a profile asks for, no more of them at once than its queues let one user have.

    One more would only wait for another to be over, with jobs that others could run meanwhile.
    """
    blocks = profile.blocks
    if not profile.queues:
        return blocks
    limits = [(queue.jobs_per_user, queue.jobs_per_project) for queue in candidates(profile)]
    most = sum(min((limit for limit in pair if limit is not None), default=inf) for pair in limits)
    return blocks if most >= blocks.max else replace(blocks, max=max(1, int(most)))


def no_queue(queues: Sequence[Queue], nodes: int, walltime: float) -> str:
    """A sentence for a block that fits nowhere, with what is missing for each queue."""
    block = f"a block of {_nodes(nodes)} for {_time(walltime)}"
    told = [(queue.name, ", ".join(lacks(queue, nodes, walltime))) for queue in queues]
    if len(told) == 1:
        return f"{block} does not fit the queue `{told[0][0]}`: {told[0][1]}"
    return f"{block} fits no queue ({'; '.join(f'`{name}`: {missing}' for name, missing in told)})"


def way_out(queues: Sequence[Queue], nodes: int, walltime: float) -> str | None:
    """What to change so that a block fits some queue; None where one change does not do."""
    larger = enlarged(queues, nodes, walltime)
    smaller = [size for queue in queues if (size := _largest(queue, nodes, walltime)) is not None]
    shorter = [limit for queue in queues if (limit := _longest(queue, nodes)) is not None and limit < walltime]
    ways = []
    if larger:
        ways.append(f"{_nodes(larger[0].nodes)} (`{larger[0].queue.name}`)")
    if smaller:
        ways.append(_nodes(max(smaller)))
    if shorter:
        ways.append(_time(max(shorter)))
    return f"it would fit with {' or '.join(ways)}" if ways else None


def _largest(queue: Queue, nodes: int, walltime: float) -> int | None:
    """The most nodes below those wanted with which a queue takes a block."""
    most = [part.nodes[1] for part in _parts(queue) if part.nodes[1] is not None]
    fits = [size for size in most if size < nodes and not lacks(queue, size, walltime)]
    return max(fits, default=None)


def _longest(queue: Queue, nodes: int) -> float | None:
    """The longest walltime with which a queue takes a block of so many nodes."""
    limits = [part.walltime[1] for part in _parts(queue) if part.walltime[1] is not None]
    return max((limit for limit in limits if not lacks(queue, nodes, limit)), default=None)


def _parts(queue: Queue) -> tuple[Queue | Route, ...]:
    return (queue, *queue.routes)


def _nodes_lack(part: Queue | Route, nodes: int) -> list[str]:
    least, most = part.nodes
    if nodes < least:
        return [f"at least {_nodes(least)}"]
    return [f"at most {_nodes(most)}"] if most is not None and nodes > most else []


def _walltime_lacks(part: Queue | Route, walltime: float) -> list[str]:
    most = part.walltime[1]
    return [f"at most {_time(most)}"] if most is not None and walltime > most else []


def _least_walltime(queue: Queue, nodes: int) -> float:
    routes = [route.walltime[0] for route in queue.routes if not _nodes_lack(route, nodes)]
    return max(queue.walltime[0], min(routes, default=0.0))


def _rank(offer: Offer) -> tuple[bool, float, float, str]:
    """What is waited for least comes first; a queue whose blocks are stopped to make room comes last."""
    queue, nodes = offer.queue, offer.nodes
    limits = [route.walltime[1] or inf for route in queue.routes if not _nodes_lack(route, nodes)]
    most = min([queue.walltime[1] or inf, *([max(limits)] if limits else [])])
    return (queue.rerunnable, most, queue.nodes[1] or inf, queue.name)


def _nodes(count: int) -> str:
    return f"{count:,} node{'' if count == 1 else 's'}"


def _time(seconds: float) -> str:
    return str(Quantity(ceil(seconds), "seconds"))
