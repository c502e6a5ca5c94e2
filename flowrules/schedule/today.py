"""The queues of a profile as the batch system has them today: what a site has changed counts, where it is tighter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from flowrules.errors import UsageError, suggestion
from flowrules.model.batch import QueueToday
from flowrules.model.profile import Profile, Queue, Route
from flowrules.model.quantity import Quantity
from flowrules.schedule.queues import AUTO


def of_today(profile: Profile, today: Mapping[str, QueueToday]) -> tuple[Profile, list[str]]:
    """A profile with its queues as they are, and sentences about those that are not as it says.

    A queue that is not there, or takes nothing, is left out. One that is stopped is taken only where it is named, or
    where all others are no better: what is in it may start some day.

    Raises:
        UsageError: no queue is left that a block could go to.
    """
    told: list[str] = []
    if not profile.queues:
        if profile.queue != AUTO:
            why = _closed(profile.queue, today)
            if why:
                raise UsageError(f"the queue `{profile.queue}` {why}", suggestion(profile.queue, today))
            told += _stopped(profile.queue, today)
        return profile, told
    wanted = [queue for queue in profile.queues if profile.queue in (AUTO, queue.name)]
    closed = {queue.name: why for queue in profile.queues if (why := _closed(queue.name, today))}
    left = [queue for queue in wanted if queue.name not in closed]
    if wanted and not left:
        reasons = "; ".join(f"`{queue.name}` {closed[queue.name]}" for queue in wanted)
        hint = suggestion(wanted[0].name, [name for name in today if not _closed(name, today)])
        raise UsageError(f"no batch job can be submitted: {reasons}", hint or "`--set queue=NAME` names another queue")
    told += [f"the queue `{queue.name}` {closed[queue.name]}" for queue in wanted if queue.name in closed]
    going = [queue for queue in left if today[queue.name].started]
    for queue in left:
        told += _stopped(queue.name, today)
    kept = tuple(_tightened(queue, today, told) for queue in going or left)
    return replace(profile, queues=kept if wanted else profile.queues), told


def _closed(name: str, today: Mapping[str, QueueToday]) -> str:
    """Why nothing can be submitted to a queue, "" where it can."""
    queue = today.get(name)
    if queue is None:
        return "does not exist"
    if not queue.direct:
        return "takes batch jobs from other queues only"
    return "" if queue.enabled else "takes no batch jobs today"


def _stopped(name: str, today: Mapping[str, QueueToday]) -> Iterator[str]:
    if not today[name].started:
        yield f"the queue `{name}` is stopped: what is submitted to it does not start before that changes"


def _tightened(queue: Queue, today: Mapping[str, QueueToday], told: list[str]) -> Queue:
    now = today[queue.name]
    nodes, walltime = _limits(queue, now, told)
    routes = tuple(
        _tightened_route(route, today, told)
        for route in queue.routes
        if not now.leads_to or (route.name in now.leads_to and (route.name not in today or today[route.name].enabled))
    )
    gone = [route.name for route in queue.routes if route.name not in {kept.name for kept in routes}]
    if gone and routes:
        told.append(f"the queue `{queue.name}` does not lead to {', '.join(f'`{name}`' for name in gone)} today")
    return replace(
        queue,
        nodes=nodes,
        walltime=walltime,
        routes=routes or queue.routes,
        jobs_per_user=_fewer(queue.jobs_per_user, now.jobs_per_user),
        jobs_per_project=_fewer(queue.jobs_per_project, now.jobs_per_project),
    )


def _tightened_route(route: Route, today: Mapping[str, QueueToday], told: list[str]) -> Route:
    if route.name not in today:
        return route
    nodes, walltime = _limits(route, today[route.name], told)
    return replace(route, nodes=nodes, walltime=walltime)


def _limits(
    queue: Queue | Route, now: QueueToday, told: list[str]
) -> tuple[tuple[int, int | None], tuple[float, float | None]]:
    """Nodes and seconds that both the profile and the batch system allow; what the latter changes is told.

    A least walltime keeps nothing out, as more is asked for then: it is not told.
    """
    nodes = max(queue.nodes[0], now.nodes[0]), _fewer(queue.nodes[1], now.nodes[1])
    walltime = max(queue.walltime[0], now.walltime[0]), _less(queue.walltime[1], now.walltime[1])
    if nodes != queue.nodes:
        told.append(
            f"the queue `{queue.name}` takes {_range(*now.nodes)} nodes today, the profile says {_range(*queue.nodes)}"
        )
    if walltime[1] != queue.walltime[1]:
        says = "no limit" if queue.walltime[1] is None else _time(queue.walltime[1])
        told.append(f"the queue `{queue.name}` takes {_time(walltime[1])} at most today, the profile says {says}")
    return nodes, walltime


def _fewer(one: int | None, other: int | None) -> int | None:
    return min([limit for limit in (one, other) if limit is not None], default=None)


def _less(one: float | None, other: float | None) -> float | None:
    return min([limit for limit in (one, other) if limit is not None], default=None)


def _range(least: int, most: int | None) -> str:
    return f"{least:,} or more" if most is None else f"{least:,} to {most:,}"


def _time(seconds: float | None) -> str:
    return str(Quantity(int(seconds or 0), "seconds"))
