"""Placing jobs on the nodes of a block: threads beside GPUs, filled nodes, whole nodes, and how little is looked at."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowrules.model.events import Cluster, Need, NodeCapacity, Slot
from flowrules.model.profile import GpuSlot, NodeShape
from flowrules.schedule.node import lowest, positions
from flowrules.schedule.nodes import LEAST_LOG, NodePool, cluster_of
from flowrules.schedule.room import Grant
from flowrules.schedule.tree import MaxTree

FOUR = NodeCapacity("n", tuple(range(10)), 100, ("a", "b", "c", "d"), ((6, 7), (4, 5), (2, 3), (0, 1)))
"""Threads 8 and 9 are beside no GPU, the last GPU is beside the first threads."""


def nodes(count: int, like: NodeCapacity = FOUR) -> Cluster:
    return Cluster(
        tuple(NodeCapacity(f"n{i}", like.cpus, like.memory, like.gpus, like.near, like.limits) for i in range(count))
    )


def take(pool: NodePool, need: Need) -> tuple[Grant, Slot]:
    shape = pool.shape(need)
    assert pool.fits(shape)
    return pool.take(shape)


def slot(pool: NodePool, need: Need) -> Slot:
    return take(pool, need)[1]


def fits(pool: NodePool, need: Need) -> bool:
    return pool.fits(pool.shape(need))


# ── threads and GPUs ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_gpu_job_gets_the_threads_beside_its_gpu() -> None:
    pool = NodePool(nodes(1))
    assert slot(pool, Need(2, gpus=1)) == Slot(2, ("a",), ("n0",), (6, 7))
    assert slot(pool, Need(1, gpus=1)) == Slot(1, ("b",), ("n0",), (4,))
    assert slot(pool, Need(3, gpus=2)) == Slot(3, ("c", "d"), ("n0",), (0, 2, 3))


def test_a_job_without_a_gpu_takes_threads_beside_none_then_those_beside_the_last() -> None:
    pool = NodePool(nodes(1))
    assert slot(pool, Need(1)).cpus == (8,)
    assert slot(pool, Need(2)).cpus == (0, 9)
    assert slot(pool, Need(3)).cpus == (1, 2, 3)
    assert slot(pool, Need(1)).cpus == (4,)
    assert slot(pool, Need(1, gpus=1)).cpus == (6,)


def test_a_gpu_whose_threads_are_taken_is_given_with_others() -> None:
    pool = NodePool(nodes(1))
    assert slot(pool, Need(9)).cpus == (0, 1, 2, 3, 4, 5, 6, 8, 9)
    assert slot(pool, Need(1, gpus=4)) == Slot(1, ("a", "b", "c", "d"), ("n0",), (7,))
    pool = NodePool(nodes(1))
    assert slot(pool, Need(5, gpus=1)).cpus == (0, 6, 7, 8, 9)


def test_gpus_that_share_threads_or_have_none_beside_them() -> None:
    pool = NodePool(nodes(1, NodeCapacity("n", (0, 1, 2, 3), None, ("a", "b", "c"), ((0, 1), (0, 1)))))
    assert slot(pool, Need(1)).cpus == (2,)
    assert slot(pool, Need(1, gpus=1)).cpus == (0,)
    assert slot(pool, Need(1, gpus=1)).cpus == (1,)
    assert slot(pool, Need(1, gpus=1)) == Slot(1, ("c",), ("n0",), (3,))


def test_shares_of_one_gpu_are_filled_before_another_is_begun() -> None:
    pool = NodePool(nodes(2))
    first, slot_of_first = take(pool, Need(1, gpus=0.5))
    assert slot_of_first.gpus == ("a",)
    assert slot(pool, Need(1, gpus=0.25)).gpus == ("a",)
    assert slot(pool, Need(1, gpus=0.5)).gpus == ("b",)
    assert slot(pool, Need(1, gpus=0.25)).gpus == ("a",)
    pool.give(first)
    assert slot(pool, Need(1, gpus=1)).gpus == ("c",)
    assert slot(pool, Need(1, gpus=1)).gpus == ("d",)
    assert slot(pool, Need(1, gpus=1)).nodes == ("n1",)
    assert slot(pool, Need(1, gpus=0.5)).nodes == ("n0",)


def test_nodes_are_filled_in_their_order_and_memory_and_resources_are_those_of_each() -> None:
    pool = NodePool(nodes(3, NodeCapacity("n", (0, 1, 2, 3), 100, limits={"x": 1.5})))
    placed = [slot(pool, Need(1, memory=60)).nodes for _ in range(3)]
    assert placed == [("n0",), ("n1",), ("n2",)]
    assert not fits(pool, Need(1, memory=60))
    assert slot(pool, Need(1, custom=(("x", 1.0), ("free", 7.0)))).nodes == ("n0",)
    assert slot(pool, Need(1, custom=(("x", 1.0),))).nodes == ("n1",)
    assert slot(pool, Need(1, custom=(("x", 0.5),))).nodes == ("n0",)
    assert slot(pool, Need(2)).nodes == ("n1",)


def test_jobs_without_a_gpu_leave_threads_beside_free_gpus_while_other_nodes_have_room() -> None:
    pool = NodePool(nodes(2))
    pool.shape(Need(2, gpus=1))
    assert [slot(pool, Need(1)).nodes for _ in range(5)] == [("n0",)] * 2 + [("n1",)] * 2 + [("n0",)]
    assert slot(pool, Need(2, gpus=1)) == Slot(2, ("a",), ("n0",), (6, 7))


def test_a_profile_becomes_nodes_without_reserved_threads() -> None:
    shape = NodeShape(8, 1000, (GpuSlot("7", (0, 1, 2)), GpuSlot("6")), "CUDA_VISIBLE_DEVICES", (0, 5), {"licence": 2})
    assert cluster_of(shape, ["x", "y"]).nodes == tuple(
        NodeCapacity(name, (1, 2, 3, 4, 6, 7), 1000, ("7", "6"), ((1, 2), ()), {"licence": 2}) for name in "xy"
    )


# ── whole nodes ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_whole_nodes_are_exclusive_and_taken_from_the_end() -> None:
    pool = NodePool(nodes(4))
    small, _ = take(pool, Need(1))
    grant, whole = take(pool, Need(2, nodes=2, gpus=4))
    assert whole == Slot(20, ("a", "b", "c", "d"), ("n2", "n3"), tuple(range(10)))
    assert not fits(pool, Need(1, nodes=2))
    pool.check([small, grant])
    pool.give(small)
    assert slot(pool, Need(1, nodes=2)).nodes == ("n0", "n1")
    assert not fits(pool, Need(1))
    pool.give(grant)
    assert fits(pool, Need(1, nodes=2))
    assert slot(pool, Need(1)).nodes == ("n2",)


def test_only_nodes_that_have_enough_serve_as_whole_ones() -> None:
    small = NodeCapacity("small", (0, 1), 10)
    pool = NodePool(Cluster((*nodes(2).nodes, small)))
    assert slot(pool, Need(1, memory=50, nodes=2)).nodes == ("n0", "n1")
    assert slot(pool, Need(1, nodes=1)) == Slot(2, (), ("small",), (0, 1))
    assert not pool.possible(pool.shape(Need(1, memory=50, nodes=3)))
    assert pool.possible(pool.shape(Need(1, nodes=3)))


def test_nodes_kept_for_a_job_are_closed_to_others() -> None:
    pool = NodePool(nodes(3))
    first, _ = take(pool, Need(5))
    second, _ = take(pool, Need(8))
    wide = pool.shape(Need(1, nodes=3))
    assert not pool.fits(wide)
    pool.keep(wide)
    assert not fits(pool, Need(1))
    assert not fits(pool, Need(1, nodes=1))
    pool.give(first)
    pool.give(second)
    assert pool.fits(wide)
    pool.keep(None)
    assert slot(pool, Need(1)).nodes == ("n0",)


def test_a_part_of_one_node_is_kept_and_the_rest_of_it_is_not() -> None:
    pool = NodePool(nodes(1))
    grant, _ = take(pool, Need(1, gpus=2))
    wide = pool.shape(Need(2, memory=50, gpus=4))
    pool.keep(wide)
    assert not fits(pool, Need(1, gpus=1))
    assert not fits(pool, Need(8))
    assert not fits(pool, Need(1, memory=60))
    assert fits(pool, Need(7, memory=50))
    pool.give(grant)
    assert pool.fits(wide)


# ── nodes come and go ────────────────────────────────────────────────────────────────────────────────────────────


def test_nothing_is_placed_on_a_node_that_is_gone() -> None:
    pool = NodePool(nodes(2))
    grant, _ = take(pool, Need(2))
    pool.gone("n0", False)
    assert pool.cores == 10
    assert slot(pool, Need(1)).nodes == ("n1",)
    assert not pool.possible(pool.shape(Need(1, nodes=2)))
    pool.give(grant)
    assert not fits(pool, Need(10))
    pool.back("n0")
    pool.back("n0")
    assert pool.possible(pool.shape(Need(1, nodes=2)))
    assert slot(pool, Need(10)).nodes == ("n0",)
    pool.gone("n1", True)
    assert pool.possible(pool.shape(Need(1, nodes=2)))
    assert not fits(pool, Need(1))
    pool.gone("n1", False)
    assert not pool.possible(pool.shape(Need(1, nodes=2)))


def test_another_node_is_kept_when_the_kept_one_is_gone() -> None:
    pool = NodePool(nodes(2))
    busy = [take(pool, Need(6))[0], take(pool, Need(5))[0]]
    wide = pool.shape(Need(10))
    pool.keep(wide)
    assert not pool.fits(pool.shape(Need(5)))
    pool.gone("n1", False)
    assert not fits(pool, Need(4))
    pool.back("n1")
    assert fits(pool, Need(4))
    pool.check(busy)


def test_unknown_nodes_and_equal_names_are_refused() -> None:
    pool = NodePool(nodes(1))
    with pytest.raises(ValueError, match="the block has no node x"):
        pool.gone("x", False)
    with pytest.raises(ValueError, match="the block has no node x"):
        pool.back("x")
    with pytest.raises(ValueError, match="two nodes of a block have one name"):
        NodePool(Cluster((FOUR, FOUR)))
    with pytest.raises(ValueError, match="at least one core"):
        pool.shape(Need(0))


# ── work ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def churn(count: int, needs: list[Need], events: int) -> float:
    """Looks per event of a full block where one job ends and all shapes are tried."""
    pool = NodePool(nodes(count))
    shapes = [pool.shape(need) for need in needs]
    held = []
    for shape in shapes:
        while pool.fits(shape):
            held.append(pool.take(shape)[0])
    before = pool.looks
    for event in range(events):
        pool.give(held.pop(event * 7919 % len(held)))
        for shape in shapes:
            while pool.fits(shape):
                held.append(pool.take(shape)[0])
    pool.check(held)
    return (pool.looks - before) / events


@pytest.mark.parametrize(
    "needs",
    [
        [Need(1)],
        [Need(1, gpus=1), Need(1)],
        [Need(1, memory=60), Need(5, memory=1), Need(1, gpus=0.25)],
        [Need(3), Need(1, nodes=3), Need(2, memory=30), Need(1, gpus=3)],
    ],
)
def test_a_placement_does_not_look_at_all_nodes(needs: list[Need]) -> None:
    small, large = churn(50, needs, 200), churn(1600, needs, 200)
    assert large < 2 * small + 40


def test_many_shapes_that_are_seldom_asked_for_do_not_look_at_all_nodes_either() -> None:
    pool = NodePool(nodes(1000, NodeCapacity("n", (0, 1, 2, 3), 1000)))
    before = pool.looks
    for memory in range(3900):
        assert slot(pool, Need(1, memory=memory % 240)).nodes == (f"n{memory // 4}",)
    assert (pool.looks - before) / 3900 < 60


def test_what_is_remembered_is_forgotten_when_too_much_has_changed() -> None:
    pool = NodePool(nodes(2))
    seldom = pool.shape(Need(10))
    first, _ = take(pool, Need(1))
    second, _ = take(pool, Need(10))
    assert not pool.fits(seldom)
    pool.give(first)
    for _ in range(LEAST_LOG + 1):
        pool.give(take(pool, Need(2))[0])
    assert pool.fits(seldom)
    pool.give(second)


# ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────────


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=20), st.data())
@settings(max_examples=60, deadline=None)
def test_the_tree_finds_the_first_that_has_enough_of_both(values: list[tuple[int, int]], data: st.DataObject) -> None:
    tree = MaxTree(len(values))
    for index in data.draw(st.permutations(range(len(values)))):
        tree.set(index, *values[index])
    changed = data.draw(st.integers(0, len(values) - 1))
    values[changed] = (0, 0)
    tree.set(changed, 0, 0)
    for start in range(len(values) + 2):
        first, second = data.draw(st.tuples(st.integers(1, 4), st.integers(0, 4)))
        good = [i for i, (a, b) in enumerate(values) if i >= start and a >= first and b >= second]
        assert tree.next(start, first, second) == (good[0] if good else -1)


@given(st.integers(0, 2**70), st.integers(0, 80))
def test_bits(bits: int, count: int) -> None:
    assert positions(lowest(bits, count)) == [i for i in range(71) if bits >> i & 1][:count]
