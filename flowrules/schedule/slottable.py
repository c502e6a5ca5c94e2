"""The slots of a block for jobs that are all alike: as many places as fit on its nodes at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from flowrules.model.events import Need, Slot
from flowrules.model.profile import NodeShape
from flowrules.schedule.nodes import NodePool, cluster_of


@dataclass(frozen=True, slots=True)
class Place:
    """A slot, and its number among those on its first node, from 0."""

    slot: Slot
    number: int


def places(shape: NodeShape, names: Sequence[str], need: Need) -> list[Place]:
    """Where such jobs run at the same time on empty nodes; those on different nodes take turns.

    Args:
        names: of the nodes.
    """
    pool = NodePool(cluster_of(shape, names))
    wanted = pool.shape(need)
    found: list[Place] = []
    count: Counter[str] = Counter()
    while pool.fits(wanted):
        _, slot = pool.take(wanted)
        found.append(Place(slot, count[slot.nodes[0]]))
        count[slot.nodes[0]] += 1
    order = {name: number for number, name in enumerate(names)}
    return sorted(found, key=lambda place: (place.number, order[place.slot.nodes[0]]))
