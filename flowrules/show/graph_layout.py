"""Where the nodes of a layered picture stand and how its edges run. Knows boxes and numbers, nothing of workflows.

Layers follow the longest path; edges over several layers get a bend in each; the order within a layer is improved by
barycenter sweeps; places within a layer are the least squares solution that keeps the order and the gaps. The picture
runs from left to right or from top to bottom, whichever fits a page better.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

GAP: Final = 12.0
"""Between two boxes of a layer."""

BEND_GAP: Final = 6.0
"""Between an edge that passes through a layer and what is beside it."""

LAYER_GAP: Final = 56.0
"""Between two layers, room for edges to swing."""

SWEEPS: Final = 8
"""Passes over all layers that improve the order."""

BENDS: Final = 30_000
"""Bends at most; beyond, edges over several layers run straight."""


class Box(NamedTuple):
    """A placed node: its upper left corner and its size."""

    x: float
    y: float
    width: float
    height: float


class Edge(NamedTuple):
    """A routed edge from what is needed to who needs it.

    ``points`` come in pairs: between the two of a pair it runs straight, through a layer; between pairs it swings. The
    first point is on the side of the tail's box, the last on that of the head's.
    """

    tail: int
    head: int
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """A finished picture.

    Attributes:
        horizontal: it runs from left to right.
        ranks: the layer of each box; bands: where each layer starts and ends along the picture's direction.
    """

    boxes: list[Box]
    edges: list[Edge]
    width: float
    height: float
    horizontal: bool
    ranks: list[int]
    bands: list[tuple[float, float]]


@dataclass(slots=True)
class _Layers:
    """Vertices by layer: the nodes, then the bends.

    Attributes:
        rank: layer of each vertex.
        rows: vertices of each layer, in order.
        lower, upper: neighbours of each vertex in the layer before and after.
        paths: for each edge its vertices, tail first.
    """

    rank: list[int]
    rows: list[list[int]]
    lower: list[list[int]]
    upper: list[list[int]]
    paths: list[list[int]]


def layout(needs: Sequence[Sequence[int]], order: Sequence[int], sizes: Sequence[tuple[float, float]]) -> Layout:
    """Place nodes.

    Args:
        needs: for each node those it needs, without cycles.
        order: all nodes, each after those it needs.
        sizes: width and height of each node's box.
    """
    layers = _layered(needs, order)
    _order(layers)
    horizontal = _fits_better_sideways(layers, sizes)
    along = [size[0] if horizontal else size[1] for size in sizes]
    across = [size[1] if horizontal else size[0] for size in sizes]
    places = _places(layers, across, len(needs))
    starts, ends = _bands(layers, along, len(needs))
    boxes = []
    for node, (width, height) in enumerate(sizes):
        rank = layers.rank[node]
        main = (starts[rank] + ends[rank] - along[node]) / 2
        cross = places[node] - across[node] / 2
        boxes.append(Box(main, cross, width, height) if horizontal else Box(cross, main, width, height))
    edges = _routed(layers, boxes, places, starts, ends, horizontal)
    right = max([box.x + box.width for box in boxes], default=0.0)
    bottom = max([box.y + box.height for box in boxes], default=0.0)
    for edge in edges:
        right = max([right, *(x for x, _ in edge.points)])
        bottom = max([bottom, *(y for _, y in edge.points)])
    bands = list(zip(starts, ends, strict=True))
    return Layout(boxes, edges, right, bottom, horizontal, layers.rank[: len(needs)], bands)


# ── layers ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _layered(needs: Sequence[Sequence[int]], order: Sequence[int]) -> _Layers:
    rank = [0] * len(needs)
    for node in order:
        rank[node] = max([rank[need] + 1 for need in needs[node]], default=0)
    nearest: dict[int, int] = {}
    for node in order:
        for need in needs[node]:
            nearest[need] = min(nearest.get(need, rank[node]), rank[node])
    for node, used in nearest.items():
        if not needs[node]:  # what needs nothing stands right before its first user
            rank[node] = used - 1
    edges = [(need, node) for node in range(len(needs)) for need in needs[node]]
    bends = sum(rank[head] - rank[tail] - 1 for tail, head in edges)
    layers = _Layers(rank, [[] for _ in range(max(rank, default=-1) + 1)], [], [], [])
    layers.lower = [[] for _ in needs]
    layers.upper = [[] for _ in needs]
    for tail, head in edges:
        path = [tail]
        if bends <= BENDS:
            for middle in range(rank[tail] + 1, rank[head]):
                rank.append(middle)
                layers.lower.append([])
                layers.upper.append([])
                path.append(len(rank) - 1)
        path.append(head)
        layers.paths.append(path)
        for a, b in pairwise(path):
            if rank[b] == rank[a] + 1:
                layers.upper[a].append(b)
                layers.lower[b].append(a)
    return layers


def _order(layers: _Layers) -> None:
    """Put the vertices of each layer in an order with few crossings."""
    start = _first_order(layers)
    for vertex in start:
        layers.rows[layers.rank[vertex]].append(vertex)
    best, fewest = [list(row) for row in layers.rows], _crossings(layers)
    for sweep in range(SWEEPS):
        if not fewest:
            break
        down = sweep % 2 == 0
        position = [0.0] * len(layers.rank)
        for row in layers.rows:
            for i, vertex in enumerate(row):
                position[vertex] = i
        rows = layers.rows if down else list(reversed(layers.rows))
        for row in rows[1:]:
            beside = layers.lower if down else layers.upper
            keys = {v: _mean([position[n] for n in beside[v]], position[v]) for v in row}
            row.sort(key=keys.__getitem__)
            for i, vertex in enumerate(row):
                position[vertex] = i
        count = _crossings(layers)
        if count < fewest:
            best, fewest = [list(row) for row in layers.rows], count
    layers.rows = best


def _first_order(layers: _Layers) -> list[int]:
    """All vertices, those that hang together near each other: depth first from those that nothing follows."""
    seen = bytearray(len(layers.rank))
    found = []
    roots = sorted((v for v in range(len(layers.rank)) if not layers.upper[v]), key=lambda v: -layers.rank[v])
    for root in roots:
        stack = [root]
        while stack:
            vertex = stack.pop()
            if seen[vertex]:
                continue
            seen[vertex] = 1
            found.append(vertex)
            stack += reversed(layers.lower[vertex])
    return found


def _mean(values: Sequence[float], default: float) -> float:
    return sum(values) / len(values) if values else default


def _crossings(layers: _Layers) -> int:
    """Crossings of edges between neighbouring layers, counted with a Fenwick tree."""
    total = 0
    for rank in range(1, len(layers.rows)):
        position = {vertex: i for i, vertex in enumerate(layers.rows[rank])}
        size = len(position)
        tree = [0] * (size + 1)
        count = 0
        for vertex in layers.rows[rank - 1]:
            heads = sorted(position[n] for n in layers.upper[vertex])
            for head in heads:
                i, before = head + 1, 0
                while i:
                    before += tree[i]
                    i &= i - 1
                total += count - before
            for head in heads:
                count += 1
                i = head + 1
                while i <= size:
                    tree[i] += 1
                    i += i & -i
    return total


# ── places ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _fits_better_sideways(layers: _Layers, sizes: Sequence[tuple[float, float]]) -> bool:
    """Whether left to right is nearer to the shape of a page than top to bottom."""
    return _misfit(*_extent(layers, sizes, 0, 1)) <= _misfit(*reversed(_extent(layers, sizes, 1, 0)))


def _misfit(width: float, height: float) -> float:
    """How far a picture is from the shape of a page; too wide is worse than too high, as people scroll down."""
    ratio = (width + LAYER_GAP) / (height + LAYER_GAP) / 1.5
    return 1.5 * ratio if ratio > 1 else 1 / ratio


def _extent(layers: _Layers, sizes: Sequence[tuple[float, float]], along: int, across: int) -> tuple[float, float]:
    """About how long and how wide the picture gets, if layers follow each other along an axis (0: x, 1: y)."""
    ends = _bands(layers, [size[along] for size in sizes], len(sizes))[1]
    broad = [sum([sizes[v][across] + GAP if v < len(sizes) else BEND_GAP for v in row]) for row in layers.rows]
    return max(ends, default=0.0), max(broad, default=0.0)


def _places(layers: _Layers, across: Sequence[float], nodes: int) -> list[float]:
    """The middle of each vertex across the layers, the smallest edge of the picture at 0."""

    def half(vertex: int) -> float:
        return across[vertex] / 2 + GAP / 2 if vertex < nodes else BEND_GAP / 2

    offsets = []
    places = [0.0] * len(layers.rank)
    for row in layers.rows:
        offset, offsets_here = 0.0, []
        for i, vertex in enumerate(row):
            offset += half(row[i - 1]) + half(vertex) if i else 0.0
            offsets_here.append(offset)
        offsets.append(offsets_here)
        for vertex, at in zip(row, offsets_here, strict=True):
            places[vertex] = at - offset / 2

    def spring(tail: int, head: int) -> float:
        """How strongly an edge pulls at both its ends: a bend more than a node, one of many edges less."""
        bends = (tail >= nodes) + (head >= nodes)
        return (1.0, 2.0, 8.0)[bends] / (len(layers.upper[tail]) * len(layers.lower[head]))

    lower = [[(n, spring(n, v)) for n in near] for v, near in enumerate(layers.lower)]
    upper = [[(n, spring(v, n)) for n in near] for v, near in enumerate(layers.upper)]
    both = [below + above for below, above in zip(lower, upper, strict=True)]
    for sweep in range(100 if len(places) < 500 else 12):
        beside = both if sweep >= 8 else lower if sweep % 2 == 0 else upper
        numbers = range(len(layers.rows)) if sweep % 2 == 0 else range(len(layers.rows) - 1, -1, -1)
        for number in numbers:
            _settle(layers.rows[number], offsets[number], beside, places)
    least = min([places[v] - (across[v] / 2 if v < nodes else 0.0) for v in range(len(places))], default=0.0)
    return [place - least for place in places]


def _settle(
    row: Sequence[int],
    offsets: Sequence[float],
    beside: Sequence[Sequence[tuple[int, float]]],
    places: list[float],
) -> None:
    """Move the vertices of a layer as near to their neighbours as order and gaps allow: pool adjacent violators.

    ``beside`` has the neighbours of each vertex with how strongly they pull. Both ends of an edge are pulled alike, so
    that this ends where the sum of all squares is least instead of wandering off to one side.
    """
    blocks: list[tuple[float, float, int]] = []  # weighted mean, weight, how many vertices
    for vertex, offset in zip(row, offsets, strict=True):
        pull = sum([weight for _, weight in beside[vertex]])
        wanted = (sum([places[n] * weight for n, weight in beside[vertex]]) / pull if pull else places[vertex]) - offset
        weight = pull or 0.01
        number = 1
        while blocks and blocks[-1][0] > wanted:
            other, other_weight, other_number = blocks.pop()
            wanted = (wanted * weight + other * other_weight) / (weight + other_weight)
            weight += other_weight
            number += other_number
        blocks.append((wanted, weight, number))
    i = 0
    for wanted, _, number in blocks:
        for vertex, offset in zip(row[i : i + number], offsets[i : i + number], strict=True):
            places[vertex] = wanted + offset
        i += number


def _bands(layers: _Layers, along: Sequence[float], nodes: int) -> tuple[list[float], list[float]]:
    """Where each layer starts and ends; layers with many edges between them stand further apart."""
    starts, ends, at = [], [], 0.0
    for row in layers.rows:
        thickness = max([along[v] for v in row if v < nodes], default=0.0)
        starts.append(at)
        ends.append(at + thickness)
        edges = sum(len(layers.upper[v]) for v in row)
        at += thickness + LAYER_GAP + min(edges**0.5 * 3, 2 * LAYER_GAP)
    return starts, ends


# ── edges ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _routed(
    layers: _Layers,
    boxes: Sequence[Box],
    places: Sequence[float],
    starts: Sequence[float],
    ends: Sequence[float],
    horizontal: bool,
) -> list[Edge]:
    leaving = _ports(layers, boxes, places, horizontal, out=True)
    entering = _ports(layers, boxes, places, horizontal, out=False)
    edges = []
    for number, path in enumerate(layers.paths):
        tail, head = boxes[path[0]], boxes[path[-1]]
        side = tail.x + tail.width if horizontal else tail.y + tail.height
        points = [(side, leaving[number]), (ends[layers.rank[path[0]]], leaving[number])]
        for bend in path[1:-1]:
            rank = layers.rank[bend]
            points += [(starts[rank], places[bend]), (ends[rank], places[bend])]
        side = head.x if horizontal else head.y
        points += [(starts[layers.rank[path[-1]]], entering[number]), (side, entering[number])]
        edges.append(Edge(path[0], path[-1], tuple(points if horizontal else [(y, x) for x, y in points])))
    return edges


def _ports(layers: _Layers, boxes: Sequence[Box], places: Sequence[float], horizontal: bool, out: bool) -> list[float]:
    """Where on the side of its box each edge leaves or enters: spread over the middle of the side, never crossing."""
    at: dict[int, list[int]] = {}
    for number, path in enumerate(layers.paths):
        at.setdefault(path[0] if out else path[-1], []).append(number)
    ports = [0.0] * len(layers.paths)
    for node, numbers in at.items():
        box = boxes[node]
        side = box.height if horizontal else box.width
        numbers.sort(key=lambda number: places[layers.paths[number][1 if out else -2]])
        step = min(side * 0.6 / len(numbers), 10.0)
        first = places[node] - step * (len(numbers) - 1) / 2
        for i, number in enumerate(numbers):
            ports[number] = first + i * step
    return ports
