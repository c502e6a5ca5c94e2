"""What jobs ask of this machine and what it has: what cannot be met is clipped, or refused before anything runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from flowrules.errors import Diagnostic, FlowfileError
from flowrules.model.events import Capacity, Need
from flowrules.model.job import Job
from flowrules.model.quantity import Quantity

if TYPE_CHECKING:
    from flowrules.model.profile import NodeShape

NOT_COUNTED = frozenset({"walltime", "nodes", "ranks", "ranks_per_node", "gpus_per_rank", "threads_per_rank"})
"""Resources that say how a job is run, not what it occupies on one machine."""

ON_NODES = NOT_COUNTED | {"mem", "gpus"}
"""Resources that a profile counts on each node, if at all."""


@dataclass(slots=True)
class Sizer:
    """Turns the resources of jobs into what they occupy.

    Attributes:
        capacity: what there is.
        warn: told once for each rule whose request is clipped.
    """

    capacity: Capacity
    warn: Callable[[str], None]
    _warned: set[tuple[str, str]]

    def clip(self, job: Job, threads: int, resources: Mapping[str, object]) -> Need:
        """A request made to fit this machine: fewer cores, less memory; no GPU where the machine has none."""
        capacity = self.capacity
        memory = _number(resources.get("mem", 0))
        gpus = _number(resources.get("gpus", 0))
        custom = []
        for name, value in sorted(resources.items()):
            if name in ("mem", "gpus") or name in NOT_COUNTED or name not in capacity.limits:
                continue
            amount = _number(value)
            if amount > capacity.limits[name]:
                raise _too_much(job, name, amount, capacity.limits[name])
            custom.append((name, amount))
        if capacity.memory is not None and memory > capacity.memory:
            self._once(job, "mem", f"asks for {Quantity(int(memory), 'bytes')}, this machine has less: it runs alone")
            memory = capacity.memory
        if gpus and not capacity.gpus:
            self._once(job, "gpus", "asks for GPUs, this machine has none: it runs without")
            gpus = 0
        elif gpus > len(capacity.gpus):
            raise _too_much(job, "gpus", gpus, len(capacity.gpus))
        return Need(min(threads, capacity.cores), int(memory), gpus, tuple(custom))

    def _once(self, job: Job, what: str, text: str) -> None:
        if (job.rule.name, what) not in self._warned:
            self._warned.add((job.rule.name, what))
            self.warn(f"rule `{job.rule.name}` {text}")


@dataclass(frozen=True, slots=True)
class NodeSizer:
    """Turns the resources of jobs into what they occupy of a block's nodes.

    Attributes:
        node: what each node has; nodes: most nodes of one block.
        limits: of resources for all jobs together.
    """

    node: NodeShape
    nodes: int
    limits: Mapping[str, float] = field(default_factory=dict)

    def clip(self, job: Job, threads: int, resources: Mapping[str, object]) -> Need:
        """A request as it stands; on a node nothing is made to fit.

        Raises:
            FlowfileError: it asks for more than a node, or a block, has.
        """
        if job.rule.local:
            return Need(threads, custom=self._custom(job, resources, {}))
        node = self.node
        gpus, memory, nodes = (_number(resources.get(name, 0)) for name in ("gpus", "mem", "nodes"))
        if _number(resources.get("ranks_per_node", 0)) > 1 and not nodes:
            nodes = 1
        if nodes > self.nodes:
            raise _too_much(job, "nodes", nodes, self.nodes, "a block has")
        cpus = node.cpus - len(node.reserved)
        per_node, of_ranks = self._ranks(job, int(nodes), cpus, resources)
        threads, gpus = max(threads, per_node), max(gpus, of_ranks)
        there = (("threads", threads, cpus), ("gpus", gpus, len(node.gpus)), ("mem", memory, node.mem or memory))
        for name, asked, most in there:
            if asked > most:
                raise _too_much(job, name, asked, most, "a node has")
        return Need(threads, int(memory), gpus, self._custom(job, resources, node.resources), int(nodes))

    def _custom(
        self, job: Job, resources: Mapping[str, object], there: Mapping[str, float]
    ) -> tuple[tuple[str, float], ...]:
        """Other resources, limited or not: a later driver may limit what blocks hold by then."""
        custom = []
        for name, value in sorted(resources.items()):
            amount = 0 if name in ON_NODES else _number(value)
            if amount > there.get(name, amount):
                raise _too_much(job, name, amount, there[name], "a node has")
            if amount > self.limits.get(name, amount):
                raise _too_much(job, name, amount, self.limits[name])
            custom += [(name, amount)] if amount else []
        return tuple(custom)

    def _ranks(self, job: Job, nodes: int, cpus: int, resources: Mapping[str, object]) -> tuple[int, float]:
        """Hardware threads and GPUs that the ranks of a job take on one node."""
        names = ("ranks", "ranks_per_node", "threads_per_rank")
        ranks, ppn, threads = (int(_number(resources.get(name, 0))) for name in names)
        if ppn and ranks > max(1, nodes) * ppn:
            raise _too_much(job, "ranks", ranks, max(1, nodes) * ppn, "its nodes have")
        here = ppn or -(-ranks // max(1, nodes)) or 1
        if here > cpus:
            raise _too_much(job, "ranks_per_node" if ppn else "ranks", here, cpus, "a node has threads for")
        each = _number(resources.get("gpus_per_rank", 0))
        gpus = len(self.node.gpus)
        per_rank = (("threads_per_rank", threads, cpus // here), ("gpus_per_rank", each, gpus // here or gpus / here))
        for name, asked, most in per_rank:
            if asked > most:
                where = f"for each of {here} ranks a node has" if here > 1 else "a node has"
                raise _too_much(job, name, asked, most, where)
        return here * max(1, threads), _together(each, here)


def _together(each: float, ranks: int) -> float:
    """GPUs of the ranks of a node, each of which has so many, or a part of one."""
    if ranks == 1 or not each:
        return each
    return ranks * each if each >= 1 else -(-ranks // int(1 / each + 1e-6))


def sizer(capacity: Capacity, warn: Callable[[str], None]) -> Sizer:
    """A sizer that has not warned yet."""
    return Sizer(capacity, warn, set())


def _number(value: object) -> float:
    if isinstance(value, Quantity):
        return value.amount
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    return 0


def _too_much(job: Job, name: str, asked: float, there: float, where: str = "") -> FlowfileError:
    span = next((entry.span for entry in job.rule.resources if entry.name == name), job.rule.span)
    if where:
        message = f"{job.label} asks for {asked:g} of `{name}`, {where} only {there:g}"
        hint = f"lower it (for this run `--set-resources {job.rule.name}:{name}={there:g}`), or name another profile"
        return FlowfileError([Diagnostic("F601", message, span, hint)])
    return FlowfileError(
        [
            Diagnostic(
                "F601",
                f"{job.label} asks for {asked:g} of `{name}`, but there are only {there:g}",
                span,
                f"lower it, raise the limit (`--resources {name}=N`), "
                f"or set it for this run (`--set-resources {job.rule.name}:{name}={there:g}`)",
            )
        ]
    )
