"""What the scheduler asks of the place where jobs run, be it one machine (`pool`) or the nodes of a block (`nodes`).

Amounts are whole numbers inside, so that a million additions and subtractions come out even: shares of a GPU and custom
resources are counted in millionths.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Final, Protocol, TypeAlias

from flowrules.model.events import Need, Slot

MILLION: Final = 1_000_000

Amounts: TypeAlias = tuple[tuple[str, int], ...]
"""Millionths of resources by name."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A `Need` in whole numbers.

    Attributes:
        gpus: whole GPUs; ``share``: millionths of one that is shared. At most one of them is not 0.
        custom: index of a limited resource, and millionths of it.
        nodes: whole nodes, 0 for a share of one; the rest is then what each of them must have.
        shared: of what all blocks share, where that is counted; once for the job, on however many nodes.
    """

    cores: int
    memory: int
    gpus: int = 0
    share: int = 0
    custom: tuple[tuple[int, int], ...] = ()
    nodes: int = 0
    shared: Amounts = ()


@dataclass(slots=True)
class Grant:
    """What a running job holds: its shape, which GPUs, and in a block which nodes and, as bits, which threads."""

    shape: Shape
    gpus: tuple[int, ...] = ()
    nodes: tuple[int, ...] = ()
    threads: int = 0


class Room(Protocol):
    """The free part of a capacity."""

    """The free part of a capacity.

    Attributes:
        ahead: how many jobs may be started before there is a core for them; 0 where a place knows no such thing.
    """

    ahead: int

    @property
    def size(self) -> int:
        """Cores in all."""

    @property
    def cores(self) -> int:
        """Cores that are free, less than none while jobs were started before there is one."""

    def shape(self, need: Need) -> Shape:
        """A need in whole numbers. More than one GPU and a part of another counts as whole ones.

        Raises:
            ValueError: the need makes no sense, or (on one machine) exceeds the capacity outright.
        """

    def possible(self, shape: Shape) -> bool:
        """Whether there is room when nothing runs."""

    def fits(self, shape: Shape) -> bool:
        """Whether there is room now, and what `keep` asked to keep is left."""

    def keep(self, shape: Shape | None) -> None:
        """From now on others are kept from taking what this shape waits for; None: no longer."""

    def is_rival(self, shape: Shape, waiting: Shape) -> bool:
        """Whether a job takes something that another, for which there is no room now, may be waiting for."""

    def take(self, shape: Shape) -> tuple[Grant, Slot]:
        """Occupy room of which `fits` has just said that it is there."""

    def give(self, grant: Grant) -> None:
        """Hand back what a job held."""

    def gone(self, node: str, waited: bool) -> None:
        """Use a node no more; ``waited``: what only fits with it stays possible.

        Raises:
            ValueError: there is no such node.
        """

    def back(self, node: str) -> None:
        """Use a node again.

        Raises:
            ValueError: there is no such node.
        """

    def check(self, grants: Iterable[Grant]) -> None:
        """Compare the books with what is held, from scratch; for tests.

        Raises:
            AssertionError: they differ.
        """


def shape_of(need: Need, limits: Mapping[str, int], nodes: int = 0) -> Shape:
    """A need in whole numbers; resources that have no index in ``limits`` are not counted.

    Raises:
        ValueError: the need makes no sense.
    """
    if need.cores < 1 or min(need.memory, need.gpus, need.nodes) < 0 or any(amount < 0 for _, amount in need.custom):
        raise ValueError(f"a need has at least one core and nothing negative: {need}")
    custom = tuple([(limits[name], millionths(amount)) for name, amount in need.custom if name in limits])
    gpus, share = (0, millionths(need.gpus)) if need.gpus < 1 else (ceil(need.gpus), 0)
    return Shape(need.cores, need.memory, gpus, share, custom, nodes)


def millionths(amount: float) -> int:
    """A fraction rounded down, so that six sixths fit one whole."""
    return int(amount * MILLION + 1e-3)
