"""Packs jobs into blocks: how many nodes are worth asking for, for how long, and what runs where and when.

The prediction is a run of the scheduler itself, in virtual time, on the nodes of each block.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Final

from flowrules.model.block import RESERVE, usable
from flowrules.model.events import Need, NodeCapacity, SchedJob
from flowrules.model.packing import PackedBlock, Packing, Span, Unfit
from flowrules.model.profile import BlockShape, NodeShape
from flowrules.schedule.nodes import cluster_of
from flowrules.schedule.parting import part_jobs
from flowrules.schedule.ranks import in_order, longest_paths
from flowrules.schedule.room import MILLION, millionths
from flowrules.schedule.simulate import Simulation, expected_time, simulate_blocks

MARGIN: Final = 1.2
"""How much longer than expected a block may take."""
AHEAD: Final = 1.25
"""Work that is tried in one wave of blocks, as a part of what they can do at best."""
TINY: Final = 1e-9


def pack(
    jobs: Iterable[SchedJob],
    node: NodeShape,
    blocks: BlockShape,
    *,
    max_jobs: int | None = None,
    margin: float = MARGIN,
    waves: int | None = None,
    limits: Mapping[str, float] | None = None,
) -> Packing:
    """Pack jobs into blocks.

    Args:
        jobs: with needs, expected seconds and limits; needs that are not among them count as settled.
        blocks: most nodes and seconds of one block, and how many at once.
        max_jobs: at most so many run at once, all blocks together.
        margin: by how much walltimes exceed the expected times, where there is room for that.
        waves: only so many waves of blocks, and the jobs that they hold; None: all.
        limits: of resources for all jobs together.

    Raises:
        ValueError: jobs need each other in a circle, or a need makes no sense.
    """
    ordered = in_order({job.id: job for job in jobs})
    shares = _Shares(node)
    unfit = _unfit(ordered, shares, blocks)
    left = [job for job in ordered if job.id not in unfit]
    limits = limits or {}
    per_node = shares.per_node(left)
    found: list[PackedBlock] = []
    most_nodes = 0
    wave = 0
    while left and (waves is None or wave < waves):
        size = _worth(left, shares, blocks, max_jobs, per_node, limits)
        most_nodes = max(most_nodes, size.blocks * size.nodes)
        made = _wave(left, shares, blocks, size, max_jobs, margin, limits)
        done = {span.job for block in made for span in block.spans}
        assert done, "nothing could start in an empty block"
        found += [replace(block, wave=wave) for block in made]
        left = [job for job in left if job.id not in done]
        wave += 1
    return Packing(tuple(found), per_node, most_nodes, unfit)


# ── how much of a node a job is ──────────────────────────────────────────────────────────────────────────────────


class _Shares:
    """What part of a node's threads, memory, GPUs and counted resources jobs take up.

    A part is 1 divided by how many such jobs the node holds: two that need three of eight threads fill it.
    """

    def __init__(self, node: NodeShape) -> None:
        self.shape = node
        self.node: NodeCapacity = cluster_of(node, ["node"]).nodes[0]
        self.names = ("cores", "memory", "gpus", *sorted(node.resources))
        self._parts: dict[Need, tuple[float, ...] | None] = {}

    def parts(self, need: Need) -> tuple[float, ...] | None:
        """One number for each of ``names``, or None where a node does not hold the job. More than 1 for more nodes."""
        if need not in self._parts:
            self._parts[need] = self._counted(need)
        return self._parts[need]

    def _counted(self, need: Need) -> tuple[float, ...] | None:
        node = self.node
        has = [(len(node.cpus), need.cores)]
        has.append((1, 0) if node.memory is None else (node.memory, need.memory))
        whole = ceil(need.gpus) if need.gpus >= 1 else 0
        shared = 0 if whole else millionths(need.gpus)
        each = MILLION // shared if shared else 1
        has.append((len(node.gpus) * each, whole or (1 if shared else 0)))
        wants = dict(need.custom)
        has += [(millionths(node.limits[name]), millionths(wants.get(name, 0))) for name in self.names[3:]]
        if any(want > capacity for capacity, want in has):
            return None
        if need.nodes:
            return (float(need.nodes),) * len(has)
        return tuple([1 / (capacity // want) if want else 0.0 for capacity, want in has])

    def share(self, job: SchedJob) -> float:
        """The part of a node a job fills, by what it needs most of."""
        return max(self.parts(job.need) or (0.0,))

    def work(self, jobs: Iterable[SchedJob]) -> float:
        """Seconds for which one node is full with jobs."""
        sums: dict[Need, float] = {}
        for job in jobs:
            sums[job.need] = sums.get(job.need, 0.0) + expected_time(job)
        totals = [0.0] * len(self.names)
        for need, seconds in sums.items():
            totals = [t + seconds * part for t, part in zip(totals, self.parts(need) or (), strict=True)]
        return max(totals)

    def per_node(self, jobs: Sequence[SchedJob]) -> float:
        """How many jobs of this mix run on one full node, on average."""
        work = self.work(jobs) if jobs else 0.0
        return sum([expected_time(job) for job in jobs]) / work if work else 0.0

    def width(self, jobs: Sequence[SchedJob]) -> int:
        """How many nodes the jobs fill at the fullest moment when each starts as soon as it can."""
        ends: dict[int, float] = {}
        changes: list[tuple[float, int, tuple[float, ...]]] = []
        for job in jobs:
            start = max([ends.get(need, 0.0) for need in job.needs], default=0.0)
            end = ends[job.id] = start + max(expected_time(job), TINY)
            parts = self.parts(job.need) or ()
            changes += [(start, 1, parts), (end, -1, parts)]
        changes.sort(key=lambda change: change[:2])
        now = [0.0] * len(self.names)
        most = 0.0
        for _, sign, parts in changes:
            for i, part in enumerate(parts):
                now[i] += sign * part
            if sign > 0:
                most = max(most, *now)
        return ceil(most - TINY)


def _unfit(jobs: Iterable[SchedJob], shares: _Shares, blocks: BlockShape) -> dict[int, Unfit]:
    unfit: dict[int, Unfit] = {}
    longest = usable(blocks.walltime)
    for job in jobs:
        if shares.parts(job.need) is None or job.need.nodes > blocks.nodes:
            unfit[job.id] = Unfit.NODE
        elif _length(job) > longest:
            unfit[job.id] = Unfit.WALLTIME
        elif any(need in unfit for need in job.needs):
            unfit[job.id] = Unfit.NEEDS
    return unfit


def _length(job: SchedJob) -> float:
    """Seconds that must be left of a block when the job starts."""
    return job.expected if job.limit is None else job.limit


# ── how many nodes ───────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Size:
    """Blocks at once, and nodes of each."""

    blocks: int
    nodes: int


def _worth(
    jobs: Sequence[SchedJob],
    shares: _Shares,
    blocks: BlockShape,
    max_jobs: int | None,
    per_node: float,
    limits: Mapping[str, float],
) -> _Size:
    """How many nodes are worth asking for.

    No more than the limit of running jobs can fill, than the work is wide, or than shorten it: with that many nodes the
    longest chain, or what shares a limited resource, takes as long as all the work.
    """
    nodes = blocks.nodes * max(1, blocks.max)
    longest = max(longest_paths(_timed(jobs)).values())
    for name, most in limits.items():
        held = sum(expected_time(job) * amount for job in jobs for wanted, amount in job.need.custom if wanted == name)
        longest = max(longest, held / most) if most else longest
    if longest:
        nodes = min(nodes, ceil(shares.work(jobs) / longest - TINY))
    if max_jobs is not None and per_node:
        nodes = min(nodes, ceil(max_jobs / per_node - TINY))
    nodes = max(1, min(nodes, shares.width(jobs)), *[job.need.nodes for job in jobs])
    count = -(-nodes // blocks.nodes)
    if max_jobs is not None:
        count = min(count, max_jobs)
    most = max([job.need.nodes for job in jobs])
    return _Size(count, max(most, min(blocks.nodes, -(-nodes // count))))


def _timed(jobs: Sequence[SchedJob]) -> list[SchedJob]:
    """The same jobs, none of them expected to run beyond its limit."""
    return [
        job
        if job.limit is None or job.expected <= job.limit
        else SchedJob(job.id, job.needs, need=job.need, expected=job.limit)
        for job in jobs
    ]


# ── one wave of blocks ───────────────────────────────────────────────────────────────────────────────────────────


def _wave(
    jobs: Sequence[SchedJob],
    shares: _Shares,
    blocks: BlockShape,
    size: _Size,
    max_jobs: int | None,
    margin: float,
    limits: Mapping[str, float],
) -> list[PackedBlock]:
    """Blocks that start together, with what they can do of the jobs before they end."""
    until = max(usable(blocks.walltime) / margin, *[_length(job) for job in jobs])
    weights = {job.id: shares.share(job) * expected_time(job) for job in jobs}
    chosen = _chosen(jobs, weights, AHEAD * size.blocks * size.nodes * until)
    parts = part_jobs(chosen, weights, size.blocks, size.nodes * until)
    cluster = cluster_of(shares.shape, [str(i) for i in range(size.nodes)])
    most = _split(max_jobs, size.blocks)
    runs = simulate_blocks(parts, cluster, max_jobs=most, keep_starts=True, until=until, limits=limits)
    by_id = {job.id: job for job in chosen}
    return [_block(run, by_id, shares, size.nodes, blocks, margin) for run in runs if run.starts]


def _chosen(jobs: Sequence[SchedJob], weights: Mapping[int, float], most: float) -> Sequence[SchedJob]:
    """As many jobs as may be done in one wave, the longest ways first, each with all it needs."""
    if sum(weights.values()) <= most:
        return jobs
    ranks = longest_paths(_timed(jobs))
    by_id = {job.id: job for job in jobs}
    chosen: set[int] = set()
    weight = 0.0
    for job in sorted(jobs, key=lambda job: (-ranks[job.id], job.id)):
        if weight > most:
            break
        todo = [job.id]
        while todo:
            number = todo.pop()
            if number not in chosen:
                chosen.add(number)
                weight += weights[number]
                todo += [need for need in by_id[number].needs if need in by_id]
    return [job for job in jobs if job.id in chosen]


def _split(max_jobs: int | None, count: int) -> list[int | None]:
    """A limit of running jobs, as even as can be over blocks."""
    if max_jobs is None:
        return [None] * count
    return [max_jobs // count + (i < max_jobs % count) for i in range(count)]


def _block(
    run: Simulation,
    by_id: Mapping[int, SchedJob],
    shares: _Shares,
    nodes: int,
    blocks: BlockShape,
    margin: float,
) -> PackedBlock:
    spans = []
    needed = 0.0
    for number, start in run.starts.items():
        job = by_id[number]
        slot = run.slots[number]
        where = tuple([int(name) for name in slot.nodes])
        share = 1.0 if job.need.nodes else shares.share(job)
        spans.append(Span(number, start, start + expected_time(job), where, share, slot.gpus, slot.cores))
        needed = max(needed, start + _length(job))
    work = shares.work([by_id[number] for number in run.starts])
    busy = min(100.0, 100 * work / (nodes * run.makespan)) if run.makespan else 0.0
    return PackedBlock(0, nodes, _walltime(needed, margin, blocks.walltime), run.makespan, busy, tuple(spans))


def _walltime(needed: float, margin: float, most: float) -> float:
    """Seconds to ask for so that jobs have what they need, with margin and the runner's reserve, in whole minutes."""
    wanted = needed * margin
    wanted = wanted + RESERVE if wanted >= 9 * RESERVE else wanted / 0.9
    return min(most, max(1, ceil(wanted / 60 - TINY)) * 60.0)
