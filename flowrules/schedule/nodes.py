"""What the nodes of a block have to give: places each job on one node, or on whole ones.

Nodes are filled in their order; jobs for whole nodes begin at the other end. A place is found without asking each node:
for every shape it is remembered up to which node there was no room (`_Memo`), and only nodes where something was given
back since are asked again; beyond that a tree (`tree`) skips nodes that are busy.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from heapq import heappop, heappush, nsmallest
from typing import Final

from flowrules.model.events import Cluster, Need, NodeCapacity, Slot
from flowrules.model.profile import NodeShape
from flowrules.schedule.node import Kind, Node, Presence, positions
from flowrules.schedule.room import MILLION, Grant, Shape, shape_of
from flowrules.schedule.tree import MaxTree

MOST_MEMOS: Final = 4096
LEAST_LOG: Final = 256


class _Memo:
    """Where there may be room for a shape: nowhere before ``bound`` but on the nodes of ``heap``.

    Attributes:
        inside: what is in the heap.
        seen: up to where the log of nodes that got room has been read.
    """

    __slots__ = ("bound", "heap", "inside", "seen")

    def __init__(self, seen: int) -> None:
        self.bound = 0
        self.heap: list[int] = []
        self.inside: set[int] = set()
        self.seen = seen

    def add(self, node: int) -> None:
        if node not in self.inside:
            self.inside.add(node)
            heappush(self.heap, node)

    def pop(self) -> int:
        node = heappop(self.heap)
        self.inside.discard(node)
        return node


class NodePool:
    """The free part of a block, a `Room`.

    Jobs without a GPU leave, as long as another node has room, each whole GPU as many threads as any job seen so far
    takes beside one.

    Args:
        cluster: its nodes.

    Raises:
        ValueError: two nodes have one name.
    """

    def __init__(self, cluster: Cluster) -> None:
        limits = sorted({name for node in cluster.nodes for name in node.limits})
        self._limits = {name: i for i, name in enumerate(limits)}
        self._kinds: dict[object, Kind] = {}
        self._nodes = [Node(node.name, self._kind(node)) for node in cluster.nodes]
        self._index = {node.name: i for i, node in enumerate(self._nodes)}
        if len(self._index) < len(self._nodes):
            raise ValueError("two nodes of a block have one name")
        self.size = sum(node.cores for node in self._nodes)
        self.cores = 0
        self.ahead = 0
        self._tree = MaxTree(len(self._nodes))
        self._memos: dict[tuple[Shape, bool], _Memo] = {}
        self._log: list[int] = []  # nodes that got room, as far as memos may not know it
        self._log_start = 0
        self._beside = 0
        self._kept: Shape | None = None
        self._kept_node = -1
        self._closed: list[int] = []
        self._spot: tuple[Shape, tuple[int, ...]] | None = None
        self._asked = 0
        for index, node in enumerate(self._nodes):
            node.presence = Presence.GONE
            self.back(self._nodes[index].name)

    @property
    def looks(self) -> int:
        """How many nodes and places of the tree were ever looked at; what a growth test counts."""
        return self._asked + self._tree.looks

    def _kind(self, node: NodeCapacity) -> Kind:
        key = (node.cpus, node.memory, node.gpus, node.near, tuple(sorted(node.limits.items())))
        if key not in self._kinds:
            self._kinds[key] = Kind(node, self._limits)
        return self._kinds[key]

    # ── shapes ───────────────────────────────────────────────────────────────────────────────────────────────────

    def shape(self, need: Need) -> Shape:
        shape = shape_of(need, self._limits, need.nodes)
        gpus = shape.gpus * MILLION or shape.share
        if gpus and not shape.nodes:
            beside = min(
                -(-shape.cores * MILLION // gpus), max([kind.cores for kind in self._kinds.values()], default=0)
            )
            if beside > self._beside:
                self._beside = beside
                self._memos.clear()
        return shape

    def possible(self, shape: Shape) -> bool:
        usable = sum(kind.usable for kind in self._kinds.values() if kind.holds(shape))
        return usable >= max(1, shape.nodes)

    def is_rival(self, shape: Shape, waiting: Shape) -> bool:
        return True

    # ── finding a place ──────────────────────────────────────────────────────────────────────────────────────────

    def fits(self, shape: Shape) -> bool:
        self._spot = None
        if shape.nodes:
            found = self._whole(shape)
            if found:
                self._spot = (shape, found)
            return bool(found)
        node = -1
        if self._beside and not (shape.gpus or shape.share):
            node = self._search(shape, True)
        if node < 0:
            node = self._search(shape, False)
        if node >= 0:
            self._spot = (shape, (node,))
        return node >= 0

    def _search(self, shape: Shape, spare: bool) -> int:
        """The first node with room, or -1. ``spare``: and with threads left beside its free GPUs."""
        memo = self._memo(shape, spare)
        gpus = shape.gpus * MILLION or shape.share
        aside = []
        found = -1
        while True:
            if memo.heap:
                index = memo.heap[0]
                self._asked += 1
                if not self._has_room(index, shape, spare):
                    memo.pop()
                elif self._is_kept(index, shape):
                    aside.append(memo.pop())
                else:
                    found = index
                    break
                continue
            index = self._tree.next(memo.bound, shape.cores, gpus)
            if index < 0:
                memo.bound = len(self._nodes)
                break
            memo.bound = index + 1
            memo.add(index)
        for index in aside:
            memo.add(index)
        return found

    def _memo(self, shape: Shape, spare: bool) -> _Memo:
        """What is remembered of a shape, with the nodes that got room since."""
        end = self._log_start + len(self._log)
        memo = self._memos.get((shape, spare))
        if memo is None or memo.seen < self._log_start:
            if memo is None and len(self._memos) >= MOST_MEMOS:
                self._memos.clear()
            memo = self._memos[shape, spare] = _Memo(end)
        for index in self._log[memo.seen - self._log_start :]:
            if index < memo.bound:
                memo.add(index)
        memo.seen = end
        return memo

    def _has_room(self, index: int, shape: Shape, spare: bool) -> bool:
        node = self._nodes[index]
        if node.closed or node.presence is not Presence.UP or not node.fits(shape):
            return False
        return not spare or shape.cores <= node.cores - self._beside * node.whole

    def _is_kept(self, index: int, shape: Shape) -> bool:
        kept = self._kept
        if index != self._kept_node or kept is None or kept == shape:
            return False
        return not self._nodes[index].leaves(shape, kept)

    def _whole(self, shape: Shape) -> tuple[int, ...]:
        """Empty nodes for a job, the last ones there are, in their order; none where there are too few."""
        kinds = [kind for kind in self._kinds.values() if kind.idle and kind.holds(shape)]
        if sum(kind.idle for kind in kinds) < shape.nodes:
            return ()
        found: list[int] = []
        aside: list[int] = []
        while len(found) < shape.nodes:
            tops = [kind for kind in kinds if self._has_idle(kind)]
            if not tops:
                break
            index = -heappop(min(tops, key=lambda kind: kind.idle_heap[0]).idle_heap)
            (aside if self._nodes[index].closed and shape != self._kept else found).append(index)
        for index in (*found, *aside):
            heappush(self._nodes[index].kind.idle_heap, -index)
        return tuple(sorted(found)) if len(found) == shape.nodes else ()

    def _has_idle(self, kind: Kind) -> bool:
        """Whether the heap of idle nodes has any, once those that are not idle are dropped from its front."""
        heap = kind.idle_heap
        while heap:
            node = self._nodes[-heap[0]]
            if not node.jobs and node.presence is Presence.UP:
                return True
            node.lined = False
            heappop(heap)
        return False

    # ── taking and giving ────────────────────────────────────────────────────────────────────────────────────────

    def take(self, shape: Shape) -> tuple[Grant, Slot]:
        if self._spot is None or self._spot[0] is not shape:
            found = self.fits(shape)
            assert found, f"there is no room for {shape}"
        assert self._spot is not None
        spot, self._spot = self._spot[1], None
        nodes = [self._nodes[index] for index in spot]
        first = nodes[0]
        for node in nodes:
            if not node.jobs:
                node.kind.idle -= 1
            self.cores -= node.cores
        if shape.nodes:
            for node in nodes:
                node.take_all()
            gpus, cpus = first.kind.gpus, first.kind.cpus
            cores = sum(node.kind.cores for node in nodes)
            grant = Grant(shape, (), spot)
        else:
            taken, threads = first.take(shape)
            grant = Grant(shape, taken, spot, threads)
            gpus = tuple([first.kind.gpus[g] for g in taken])
            cpus = tuple([first.kind.cpus[i] for i in positions(threads)])
            cores = shape.cores
            self.cores += first.cores
            if taken:  # a GPU that is taken keeps no threads free any more
                self._note(spot[0])
        for index in spot:
            self._show(index)
        return grant, Slot(cores, gpus, tuple([node.name for node in nodes]), cpus)

    def give(self, grant: Grant) -> None:
        self._spot = None
        for index in grant.nodes:
            node = self._nodes[index]
            before = node.cores
            node.give(grant)
            if node.presence is Presence.UP:
                self.cores += node.cores - before
                self._note(index)
                self._show(index)
                self._is_idle(index)

    def _show(self, index: int) -> None:
        """Let the tree know what a node has."""
        node = self._nodes[index]
        if node.presence is Presence.UP and not node.closed:
            self._tree.set(index, node.cores, node.room)
        else:
            self._tree.set(index, 0, 0)

    def _note(self, index: int) -> None:
        """A node got room."""
        log = self._log
        log.append(index)
        most = max(LEAST_LOG, 2 * len(self._nodes))
        if len(log) > most:
            del log[: most // 2]
            self._log_start += most // 2

    def _is_idle(self, index: int) -> None:
        """Count a node that has become empty."""
        node = self._nodes[index]
        if node.jobs:
            return
        node.kind.idle += 1
        if not node.lined:
            node.lined = True
            heappush(node.kind.idle_heap, -index)

    # ── keeping room ─────────────────────────────────────────────────────────────────────────────────────────────

    def keep(self, shape: Shape | None) -> None:
        """Choose the nodes that come closest to having room; whole ones are closed to others, of one a part is kept.

        What `fits` has found before may still be taken.
        """
        closed, self._closed = self._closed, []
        for index in closed:
            self._nodes[index].closed = False
            self._note(index)
            self._show(index)
        self._kept = shape
        self._kept_node = -1
        if shape is None:
            return
        nodes = self._nodes
        able = [i for i, node in enumerate(nodes) if node.presence is Presence.UP and node.kind.holds(shape)]
        if shape.nodes:
            busy = [(nodes[i].kind.cores - nodes[i].cores, -i) for i in able]
            self._closed = [-i for _, i in nsmallest(shape.nodes, busy)]
            for index in self._closed:
                nodes[index].closed = True
                self._show(index)
        elif able:
            self._kept_node = min(able, key=lambda i: nodes[i].lacks(shape))

    # ── nodes come and go ────────────────────────────────────────────────────────────────────────────────────────

    def gone(self, node: str, waited: bool) -> None:
        index = self._known(node)
        it = self._nodes[index]
        self._spot = None
        if it.presence is not Presence.GONE:
            it.kind.usable -= 1
        if it.presence is Presence.UP:
            self.cores -= it.cores
            if not it.jobs:
                it.kind.idle -= 1
        it.kind.usable += waited
        it.presence = Presence.WAITED if waited else Presence.GONE
        self._show(index)
        if index == self._kept_node or it.closed:
            self.keep(self._kept)

    def back(self, node: str) -> None:
        index = self._known(node)
        it = self._nodes[index]
        if it.presence is Presence.UP:
            return
        self._spot = None
        it.kind.usable += it.presence is Presence.GONE
        it.presence = Presence.UP
        self.cores += it.cores
        self._is_idle(index)
        self._note(index)
        self._show(index)
        if self._kept is not None:
            self.keep(self._kept)

    def _known(self, node: str) -> int:
        index = self._index.get(node)
        if index is None:
            raise ValueError(f"the block has no node {node}")
        return index

    # ── for tests ────────────────────────────────────────────────────────────────────────────────────────────────

    def check(self, grants: Iterable[Grant]) -> None:
        fresh = [Node(node.name, node.kind) for node in self._nodes]
        for grant in grants:
            for index in grant.nodes:
                node, shape = fresh[index], grant.shape
                if shape.nodes:
                    assert not node.jobs
                    node.take_all()
                    continue
                assert grant.threads & node.threads == grant.threads
                assert grant.threads.bit_count() == shape.cores
                node.jobs += 1
                node.threads &= ~grant.threads
                node.cores -= shape.cores
                node.memory -= shape.memory
                for i, amount in shape.custom:
                    node.custom[i] -= amount
                for g in grant.gpus:
                    node.gpus[g] -= shape.share or MILLION
                node.recount()
        for mine, other in zip(self._nodes, fresh, strict=True):
            assert mine.books() == other.books()
            assert min([0, mine.cores, mine.memory, *mine.custom, *mine.gpus]) == 0
        up = [node for node in self._nodes if node.presence is Presence.UP]
        assert self.cores == sum(node.cores for node in up)
        assert sum(kind.idle for kind in self._kinds.values()) == sum(not node.jobs for node in up)


def cluster_of(shape: NodeShape, names: Sequence[str]) -> Cluster:
    """The nodes of a block as their profile describes them."""
    free = set(range(shape.cpus)) - set(shape.reserved)
    cpus = tuple(sorted(free))
    gpus = tuple([gpu.id for gpu in shape.gpus])
    near = tuple([tuple([cpu for cpu in gpu.cpus if cpu in free]) for gpu in shape.gpus])
    return Cluster(tuple([NodeCapacity(name, cpus, shape.mem, gpus, near, shape.resources) for name in names]))
