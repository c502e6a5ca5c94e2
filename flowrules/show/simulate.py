"""What a campaign would take and cost with blocks of several sizes, as a table to choose from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from flowrules.model.packing import Packing
from flowrules.show.grid import Column, grid
from flowrules.show.packing import WHY_UNFIT, ShownBlock
from flowrules.show.text import counted, escape
from flowrules.show.units import clock_time, human_hours, human_time


@dataclass(frozen=True, slots=True)
class Choice:
    """A size of blocks and what comes of it.

    Attributes:
        nodes, walltime: most nodes and seconds of one block.
        packing: None where it was refused.
        shown: its blocks with their queues.
        refused: why there is no such campaign.
    """

    nodes: int
    walltime: float
    packing: Packing | None = None
    shown: tuple[ShownBlock, ...] = ()
    refused: str = ""

    @property
    def paid(self) -> float:
        """Node-hours, nodes that a queue's minimum adds included."""
        return sum(block.nodes * block.block.makespan / 3600 for block in self.shown)

    @property
    def asked(self) -> float:
        """Node-hours of the walltimes asked for: what it can cost at most."""
        return sum(block.nodes * block.walltime / 3600 for block in self.shown)

    @property
    def busy(self) -> float:
        """Percent of the paid slots that are busy."""
        used = sum(b.block.busy * b.block.nodes * b.block.makespan / 3600 for b in self.shown)
        return used / self.paid if self.paid else 0.0


_COLUMNS: Final = (
    Column("nodes"),
    Column("walltime", right=True),
    Column("blocks"),
    Column("queue", cut="end"),
    Column("time", right=True),
    Column("busy", right=True),
    Column("node-hours", right=True),
    Column("at most", right=True),
    Column("", styles={"fastest": "good", "cheapest": "good", "fastest, cheapest": "good"}),
)

_BASIS: Final = {
    "job": "what the job took last",
    "rule": "what its rule took",
    "walltime": "its declared walltime",
    "nothing": "one second, as nothing is known",
}


def simulation_lines(
    found: Sequence[Choice], basis: Mapping[str, int], machine: str, *, width: int | None, color: bool
) -> Iterator[str]:
    """The table for people.

    Args:
        basis: how many jobs' times rest on what (as `Intake.basis`).
        machine: profile, batch system and launcher, in words.
    """
    jobs = sum(basis.values())
    if not jobs and all(not choice.refused for choice in found):
        yield "nothing is to be done: `-F` simulates all of it"
        return
    yield f"{counted(jobs, 'job')} on {machine}"
    rests = [f"{_BASIS[name]} ({basis[name]:,})" for name in _BASIS if basis.get(name)]
    if rests:
        yield f"run times: {', '.join(rests)}"
    yield ""
    yield from grid(_COLUMNS, [_row(choice, found) for choice in found], color=color, width=width)
    yield ""
    yield "time: from the first start to the last end, without waiting in queues; node-hours: nodes times that,"
    yield "at most: times the walltimes asked for"
    for choice in found:
        if choice.refused:
            yield f"{choice.nodes} nodes for {clock_time(choice.walltime)}: {escape(choice.refused)}"
    for why, text in WHY_UNFIT.items():
        most = max((_unfit(choice, why) for choice in found), default=0)
        if most:
            yield f"{counted(most, 'job')} in no block: {'they' if most > 1 else 'it'} {text}"


def _row(choice: Choice, found: Sequence[Choice]) -> tuple[str, ...]:
    size = (str(choice.nodes), clock_time(choice.walltime))
    if choice.packing is None:
        return (*size, "none", "", "", "", "", "", "")
    waves = max((block.block.wave for block in choice.shown), default=0) + 1
    shapes = [f"{block.nodes}" for block in choice.shown]
    alike = f"{len(shapes)} × {shapes[0]}" if len(set(shapes)) == 1 else " + ".join(shapes[:4]) or "none"
    unfit = len(choice.packing.unfit)
    more = f" + {len(shapes) - 4} more" if len(set(shapes)) > 1 and len(shapes) > 4 else ""
    return (
        *size,
        f"{alike}{more}{f', {waves} in turn' if waves > 1 else ''}",
        ", ".join(dict.fromkeys(block.queue for block in choice.shown)),
        human_time(choice.packing.makespan),
        f"{choice.busy:.0f}%",
        human_hours(choice.paid),
        human_hours(choice.asked),
        f"without {counted(unfit, 'job')}" if unfit else ", ".join(_praise(choice, found)),
    )


def _praise(choice: Choice, found: Sequence[Choice]) -> Iterator[str]:
    """What is best about a choice: the first of those that are as fast or as cheap, as far as can be seen."""
    whole = [other for other in found if other.packing is not None and not other.packing.unfit]
    if choice not in whole or len(whole) < 2:
        return
    makespan = {id(other): other.packing.makespan for other in whole if other.packing is not None}
    if choice is min(whole, key=lambda other: (round(makespan[id(other)], 1), round(other.paid, 3))):
        yield "fastest"
    if choice is min(whole, key=lambda other: (round(other.paid, 3), makespan[id(other)])):
        yield "cheapest"


def _unfit(choice: Choice, why: object) -> int:
    return sum(unfit is why for unfit in choice.packing.unfit.values()) if choice.packing is not None else 0


def simulation_objects(found: Sequence[Choice], basis: Mapping[str, int]) -> dict[str, object]:
    """The same as JSON values: jobs, basis, and choices with times in seconds and node-hours."""
    return {
        "jobs": sum(basis.values()),
        "basis": {name: basis.get(name, 0) for name in _BASIS},
        "choices": [_object(choice) for choice in found],
    }


def _object(choice: Choice) -> dict[str, object]:
    packing = choice.packing
    return {
        "nodes": choice.nodes,
        "walltime": choice.walltime,
        "refused": choice.refused or None,
        "makespan": packing.makespan if packing else None,
        "busy": round(choice.busy, 1),
        "node_hours": choice.paid,
        "asked_node_hours": choice.asked,
        "unfit": len(packing.unfit) if packing else None,
        "blocks": [
            {
                "nodes": b.nodes,
                "walltime": b.walltime,
                "queue": b.queue,
                "wave": b.block.wave,
                "jobs": len(b.block.spans),
            }
            for b in choice.shown
        ],
    }
