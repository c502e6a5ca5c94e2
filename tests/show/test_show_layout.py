"""Laws of the layered layout: nothing overlaps, edges run forward and around boxes."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowrules.show.graph_layout import layout
from flowrules.show.graph_model import ranked


def random_needs(count, seed, most=3, reach=10**9):
    rng = random.Random(seed)
    return [
        sorted({rng.randrange(max(0, i - reach), i) for _ in range(rng.randrange(most + 1))}) if i else []
        for i in range(count)
    ]


def check(needs, sizes):
    order, kept = ranked(needs)
    picture = layout(kept, order, sizes)
    assert [(b.width, b.height) for b in picture.boxes] == list(sizes)
    for i, a in enumerate(picture.boxes):
        assert a.x >= -1e-6 and a.y >= -1e-6
        assert a.x + a.width <= picture.width + 1e-6 and a.y + a.height <= picture.height + 1e-6
        for b in picture.boxes[:i]:
            apart = (
                a.x + a.width <= b.x + 1e-6
                or b.x + b.width <= a.x + 1e-6
                or a.y + a.height <= b.y + 1e-6
                or b.y + b.height <= a.y + 1e-6
            )
            assert apart, f"{a} overlaps {b}"
    drawn = sorted((edge.tail, edge.head) for edge in picture.edges)
    assert drawn == sorted((need, node) for node, found in enumerate(kept) for need in found)
    for edge in picture.edges:
        check_edge(edge, picture)
    return picture


def check_edge(edge, picture):
    along = 0 if picture.horizontal else 1
    mains = [round(point[along], 3) for point in edge.points]
    assert mains == sorted(mains), "an edge runs forward only"
    assert len(edge.points) % 2 == 0
    for (x0, y0), (x1, y1) in zip(edge.points[::2], edge.points[1::2], strict=True):
        assert (y0 == y1) if picture.horizontal else (x0 == x1)
        for number, box in enumerate(picture.boxes):
            if number in (edge.tail, edge.head):
                continue
            if picture.horizontal:
                inside = (
                    max(x0, box.x) < min(x1, box.x + box.width) - 1e-6 and box.y + 1e-6 < y0 < box.y + box.height - 1e-6
                )
            else:
                inside = (
                    max(y0, box.y) < min(y1, box.y + box.height) - 1e-6 and box.x + 1e-6 < x0 < box.x + box.width - 1e-6
                )
            assert not inside, "an edge runs around boxes"


@given(st.integers(0, 25), st.integers(0, 10**6), st.integers(0, 4))
@settings(max_examples=40, deadline=None)
def test_any_dag(count, seed, most):
    rng = random.Random(seed)
    sizes = [(rng.uniform(20, 250), rng.uniform(20, 60)) for _ in range(count)]
    check(random_needs(count, seed, most), sizes)


@given(st.lists(st.lists(st.integers(0, 11), max_size=4), min_size=12, max_size=12))
@settings(max_examples=40, deadline=None)
def test_cycles_are_opened(wanted):
    needs = [tuple(dict.fromkeys(n for n in found if n != i)) for i, found in enumerate(wanted)]
    order, kept = ranked(needs)
    place = {node: i for i, node in enumerate(order)}
    assert sorted(order) == list(range(12))
    assert all(place[need] < place[node] for node in range(12) for need in kept[node])
    check(needs, [(60.0, 30.0)] * 12)


def test_a_dag_without_cycles_is_kept_whole():
    needs = random_needs(200, 7)
    assert [list(kept) for kept in ranked(needs)[1]] == needs


def test_a_chain_is_straight():
    picture = check([[], [0], [1], [2]], [(80, 30), (120, 46), (60, 30), (100, 30)])
    middles = {(b.y + b.height / 2 if picture.horizontal else b.x + b.width / 2) for b in picture.boxes}
    assert max(middles) - min(middles) < 1e-6


def test_parallel_chains_do_not_cross():
    needs = [[] for _ in range(30)] + [[i] for i in range(30)] + [[30 + i] for i in range(30)] + [list(range(60, 90))]
    picture = check(needs, [(120.0, 40.0)] * 91)
    rows = [
        [picture.boxes[i + level].y if picture.horizontal else picture.boxes[i + level].x for i in range(30)]
        for level in (0, 30, 60)
    ]
    assert rows[0] == pytest.approx(rows[1]) and rows[1] == pytest.approx(rows[2])


def test_the_picture_has_the_shape_of_a_page():
    chain = layout([[]] + [[i] for i in range(9)], range(10), [(150.0, 40.0)] * 10)
    fan = layout([[]] + [[0]] * 60, range(61), [(150.0, 40.0)] * 61)
    assert not chain.horizontal and fan.horizontal


def test_sources_stand_before_their_first_user():
    picture = layout([[], [0], [1], [], [2, 3]], range(5), [(50.0, 20.0)] * 5)
    at = [box.x if picture.horizontal else box.y for box in picture.boxes]
    assert at[3] == at[2] > at[1]


def test_a_large_random_dag():
    check(random_needs(300, 1, reach=60), [(100.0, 40.0)] * 300)
