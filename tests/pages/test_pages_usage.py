"""What attempts used over time and by rule."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowrules.model.record import Record
from flowrules.pages.usage import BINS, PAUSE, Axis, area, by_rule, level, spread, thinned

TIMES = st.floats(0, 1e6, allow_nan=False)


def record(rule: str, started: float, ended: float, status: str = "done", **more) -> Record:
    return Record(rule, {}, [], status=status, started=started, ended=ended, **more)


def test_pauses_are_left_out_of_the_axis() -> None:
    axis = Axis([(1000.0, 1010.0), (1005.0, 1020.0), (1020.0 + PAUSE + 100, 1020.0 + PAUSE + 130)])
    assert (axis.length, axis.start, axis.pauses) == (50.0, 1000.0, [PAUSE + 100])
    assert [axis.at(t) for t in (999.0, 1000.0, 1020.0, 1100.0, 1020.0 + PAUSE + 110, 9e9)] == [0, 0, 20, 20, 30, 50]


def test_an_axis_of_nothing() -> None:
    axis = Axis([])
    assert (axis.length, axis.at(7.0)) == (0.0, 0.0)


@given(st.lists(st.tuples(TIMES, st.floats(0, 1e4)), min_size=1, max_size=20), TIMES, TIMES)
def test_time_on_the_axis_never_runs_backwards(spans, one, two) -> None:
    axis = Axis([(begin, begin + long) for begin, long in spans])
    assert 0 <= axis.at(min(one, two)) <= axis.at(max(one, two)) <= axis.length + 1e-6
    assert len(axis.pauses) < len(spans)


def test_levels_and_areas() -> None:
    steps = level([(0.0, 1.0), (2.0, -1.0), (1.0, 2.0), (3.0, -2.0), (2.0, 0.0)])
    assert steps == [(0.0, 1.0), (1.0, 3.0), (2.0, 2.0), (3.0, 0.0)]
    assert area(steps, 3.0) == 6.0
    assert area(steps, 1.5) == 2.5


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 5)), max_size=300))
def test_a_thinned_curve_keeps_its_top_and_its_end(changes) -> None:
    steps = level(changes)
    few = thinned(steps, 20, 100.0)
    assert few == sorted(few)
    assert len(few) <= max(len(steps), 0) and (len(steps) <= 20 or len(few) <= 20)
    if steps:
        assert max(value for _, value in few) == max(value for _, value in steps)
        assert few[-1] == steps[-1]


def test_rules() -> None:
    rows = by_rule(
        [
            record("a", 0, 2, cpu=1.0, threads=2, memory=5),
            record("a", 0, 4, cpu=1.0, memory=9),
            record("a", 0, 3, "failed"),
            record("b", 0, 1, "killed"),
            record("b", 0, 1, "touched"),
        ]
    )
    assert [(row.rule, row.done, row.failed, row.seconds, row.memory, row.wasted) for row in rows] == [
        ("a", 2, 1, [2, 4], 9, 3),
        ("b", 0, 0, [], 0, 1),
    ]
    assert (rows[0].total, rows[0].cpu, rows[0].wall, rows[0].quantile(0.5), rows[0].quantile(0.9)) == (6, 2, 11, 4, 4)
    assert rows[1].quantile(0.5) == 0.0


@pytest.mark.parametrize(("seconds", "logarithmic"), [([1, 2, 3], False), ([0.1, 1, 100], True)])
def test_a_distribution(seconds, logarithmic) -> None:
    found = spread(seconds)
    assert found is not None
    assert (sum(found.counts), found.logarithmic) == (3, logarithmic)
    assert found.counts[0] == found.counts[-1] == 1


@given(st.lists(st.floats(0, 1e5), max_size=50))
def test_every_time_is_in_a_distribution(seconds) -> None:
    found = spread(sorted(seconds))
    if found is None:
        assert len(set(seconds)) < 2
    else:
        assert sum(found.counts) == len(seconds) and len(found.counts) == BINS
