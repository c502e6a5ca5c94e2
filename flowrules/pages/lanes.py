"""A packing as lanes of a timeline: one for each GPU of each node, and as many as it takes for jobs without a GPU."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from heapq import heappop, heappush
from typing import Final, NamedTuple

from flowrules.model.packing import PackedBlock, Packing, Span, Unfit
from flowrules.show.packing import ShownBlock
from flowrules.show.text import counted, escape
from flowrules.show.units import clock_time, human_hours, human_time

BARS: Final = 100_000
"""Jobs of a timeline at most; beyond, each node is one lane that shows how full it is."""

PARTS: Final = 400
"""Parts of a lane that shows how full a node is."""

_WHY: Final = {
    Unfit.NODE: "asks for more than a node, or a block, has",
    Unfit.WALLTIME: "takes longer than a block may last",
    Unfit.NEEDS: "needs a job that is in no block",
}


class Lane(NamedTuple):
    """A lane of a block: a slot of a node (from 0)."""

    node: int
    name: str


class Place(NamedTuple):
    """Where a job is in a packing: block and node counted from 1, seconds since the block's start."""

    block: int
    lane: str
    start: float
    end: float


def places(packing: Packing) -> dict[int, Place]:
    """Where each job is, for its panel."""
    return {
        span.job: Place(number, slot_name(span), span.start, span.end)
        for number, block in enumerate(packing.blocks, 1)
        for span in block.spans
    }


def slot_name(span: Span) -> str:
    """A slot in words: `node 2, GPU 0 and 1, 16 threads`."""
    nodes = [str(node + 1) for node in span.nodes]
    parts = [f"node {nodes[0]}" if len(nodes) == 1 else f"nodes {_few(nodes)}"] if nodes else []
    if span.gpus:
        parts.append(f"GPU {_few(span.gpus)}")
    if span.threads:
        parts.append(counted(span.threads, "thread"))
    return ", ".join(parts)


def _few(names: Sequence[str]) -> str:
    return ", ".join([*names[:4], "…"] if len(names) > 5 else names)


def laid_out(spans: Iterable[Span]) -> tuple[list[Lane], list[tuple[int, int]]]:
    """Lanes, and the bars in them: pairs of a lane and a span's position.

    A job has a bar on each of its nodes, in the lane of its first GPU there. Jobs that share a GPU, and jobs without
    one, get lanes of their own beside each other, as few as there are at once.
    """
    free: dict[tuple[int, str], list[tuple[float, int]]] = {}  # lanes of a node by GPU, with when they get free
    counts: dict[tuple[int, str], int] = {}
    bars: list[tuple[tuple[int, str, int], int]] = []
    for position, span in enumerate(spans):
        for node in span.nodes:
            key = (node, span.gpus[0] if span.gpus else "")
            heap = free.setdefault(key, [])
            if heap and heap[0][0] <= span.start + 1e-6:
                _, number = heappop(heap)
            else:
                number = counts.get(key, 0)
                counts[key] = number + 1
            heappush(heap, (span.end, number))
            bars.append(((*key, number), position))
    names = sorted(counts, key=lambda key: (key[0], not key[1], _natural(key[1])))
    where: dict[tuple[int, str, int], int] = {}
    lanes: list[Lane] = []
    for node, gpu in names:
        for number in range(counts[node, gpu]):
            where[node, gpu, number] = len(lanes)
            lanes.append(Lane(node, f"GPU {gpu}" if gpu else "CPU"))
    return lanes, [(where[key], position) for key, position in bars]


def _natural(name: str) -> tuple[int, str]:
    return (len(name), name)


def packing_data(
    packing: Packing,
    shown: Sequence[ShownBlock],
    machine: str,
    rule_of: Callable[[int], int],
    number: Sequence[int],
) -> Mapping[str, object]:
    """The packing as a page reads it.

    Args:
        rule_of: position on the page of a job's rule.
        number: position of each job on the page, -1 where it is not there.
    """
    bars = sum(len(block.block.spans) for block in shown)
    waves = [max([s.block.makespan for s in shown if s.block.wave == wave], default=0.0) for wave in range(len(shown))]
    hours = sum(s.nodes * s.block.makespan / 3600 for s in shown)
    told = [
        counted(len(shown), "block"),
        f"{human_time(packing.makespan)} once they run",
        f"{human_hours(hours)} node-hours",
    ]
    unfit = [(text, sum(found is why for found in packing.unfit.values())) for why, text in _WHY.items()]
    return {
        "machine": escape(machine),
        "told": told if shown else ["no block is needed"],
        "coarse": bars > BARS,
        "unfit": [f"{counted(count, 'job')} in no block: each {text}" for text, count in unfit if count],
        "groups": [
            {"offset": sum(waves[: s.block.wave]), **_group(i, s, rule_of, number, bars > BARS)}
            for i, s in enumerate(shown, 1)
        ],
    }


def _group(
    position: int, shown: ShownBlock, rule_of: Callable[[int], int], number: Sequence[int], coarse: bool
) -> dict[str, object]:
    block = shown.block
    head = {
        "title": f"Block {position}",
        "told": [
            counted(shown.nodes, "node"),
            f"{clock_time(shown.walltime)} in queue {escape(shown.queue)}",
            counted(len(block.spans), "job"),
            f"{block.busy:.0f}% busy",
            f"{human_hours(shown.nodes * block.makespan / 3600)} node-hours",
            *(["begins when those before are over"] if block.wave else []),
        ],
        "length": block.makespan,
        "walltime": shown.walltime,
    }
    return {**head, **(_filled(block) if coarse else _bars(block, rule_of, number))}


def _bars(block: PackedBlock, rule_of: Callable[[int], int], number: Sequence[int]) -> dict[str, object]:
    lanes, bars = laid_out(block.spans)
    spans = [block.spans[position] for _, position in bars]
    return {
        "lanes": [[lane.node, lane.name] for lane in lanes],
        "bars": {
            "lane": [lane for lane, _ in bars],
            "start": [round(span.start, 3) for span in spans],
            "end": [round(span.end, 3) for span in spans],
            "kind": [rule_of(span.job) for span in spans],
            "job": [number[span.job] for span in spans],
        },
    }


def _filled(block: PackedBlock) -> dict[str, object]:
    lines = block.picture(PARTS)
    return {
        "lanes": [[node, ""] for node in range(block.nodes)],
        "filled": [[round(part, 2) for part in line] for line in lines],
    }
