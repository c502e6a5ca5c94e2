"""How jobs would be packed into blocks: a table, a picture of each block's nodes, and the same as JSON values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from flowrules.model.packing import PackedBlock, Packing, Unfit
from flowrules.show.grid import Column, grid
from flowrules.show.text import counted
from flowrules.show.units import clock_time, human_hours, human_time

PICTURE: Final = 60
"""Columns of a picture."""

MOST_LINES: Final = 8
"""Nodes of one block that are drawn."""

MOST_BLOCKS: Final = 6
"""Blocks that are drawn."""

_LEVELS: Final = " ▁▂▃▄▅▆▇█"
_COLUMNS: Final = (
    Column("block"),
    Column("nodes", right=True),
    Column("queue"),
    Column("walltime", right=True),
    Column("jobs", right=True),
    Column("expected", right=True),
    Column("busy", right=True),
    Column("node-hours", right=True),
)
WHY_UNFIT: Final = {
    Unfit.NODE: "ask for more than a node, or a block, has",
    Unfit.WALLTIME: "take longer than a block may last",
    Unfit.NEEDS: "need a job that is in no block",
}


@dataclass(frozen=True, slots=True)
class ShownBlock:
    """A packed block with the queue it would go to.

    Attributes:
        nodes, walltime: as they would be asked for, which a queue may raise.
        spare: nodes that are paid for and not needed.
    """

    block: PackedBlock
    queue: str
    nodes: int
    walltime: float
    spare: int = 0


def packing_lines(
    packing: Packing, shown: Sequence[ShownBlock], machine: str, *, width: int | None, color: bool
) -> Iterator[str]:
    """The packing for people.

    Args:
        machine: profile, batch system and launcher, in words.
        width: columns of the terminal; None where nobody looks.
    """
    yield ""
    if not shown:
        yield f"packing on {machine}: no block is needed"
    else:
        hours = sum(s.nodes * s.block.makespan / 3600 for s in shown)
        yield (
            f"packing on {machine}: {counted(len(shown), 'block')}, {human_time(packing.makespan)} once they run, "
            f"{human_hours(hours)} node-hours"
        )
        yield from grid(_COLUMNS, [_row(number, s) for number, s in enumerate(shown, 1)], color=color, width=width)
        for number, s in enumerate(shown[:MOST_BLOCKS], 1):
            yield from _picture(number, s.block)
        if len(shown) > MOST_BLOCKS:
            yield f"  … {counted(len(shown) - MOST_BLOCKS, 'more block')}"
        spare = sum(s.spare for s in shown)
        if spare:
            yield f"{counted(spare, 'node')} beyond what the jobs need: the queue takes no smaller blocks"
    for why, text in WHY_UNFIT.items():
        count = sum(unfit is why for unfit in packing.unfit.values())
        if count:
            yield f"{counted(count, 'job')} in no block: {'they' if count > 1 else 'it'} {text}"


def _row(number: int, shown: ShownBlock) -> tuple[str, ...]:
    block = shown.block
    return (
        str(number) if not block.wave else f"{number} (later)",
        f"{shown.nodes:,}",
        shown.queue,
        clock_time(shown.walltime),
        f"{len(block.spans):,}",
        human_time(block.makespan),
        f"{block.busy:.0f}%",
        human_hours(shown.nodes * block.makespan / 3600),
    )


def _picture(number: int, block: PackedBlock) -> Iterator[str]:
    """One line a node: how full it is over time."""
    lines = block.picture(PICTURE)
    for node, line in enumerate(lines[:MOST_LINES], 1):
        bars = "".join(_LEVELS[round(share * (len(_LEVELS) - 1))] for share in line)
        yield f"  {number}.{node:<3} |{bars}|"
    if len(lines) > MOST_LINES:
        yield f"  … {counted(len(lines) - MOST_LINES, 'more node')}"


def packing_object(packing: Packing, shown: Sequence[ShownBlock]) -> dict[str, object]:
    """The packing as JSON values; times in seconds."""
    return {
        "blocks": [
            {
                "nodes": s.nodes,
                "queue": s.queue,
                "walltime": s.walltime,
                "wave": s.block.wave,
                "jobs": len(s.block.spans),
                "makespan": s.block.makespan,
                "busy": round(s.block.busy, 1),
                "node_hours": s.nodes * s.block.makespan / 3600,
            }
            for s in shown
        ],
        "makespan": packing.makespan,
        "unfit": len(packing.unfit),
    }
