"""What jobs are expected to take, by rules whose earlier jobs took so much."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowrules.model.record import Timing
from flowrules.schedule.expected import Expected

times = st.floats(0.001, 1e5)


def expected(*timings: tuple) -> Expected:
    """Of a rule `r` with such seconds, declared walltimes and sizes of inputs."""
    return Expected([Timing("r", *timing) for timing in timings])


@pytest.mark.parametrize(
    ("known", "declared", "seconds"),
    [
        ([], None, 1.0),
        ([], 600.0, 600.0),
        ([(2.0,), (4.0,)], None, 3.0),
        ([(2.0,), (4.0,)], 600.0, 3.0),  # none was declared then: no ratio is known
        ([(2.0, 600.0), (4.0, 600.0)], 600.0, 3.0),
        ([(60.0, 600.0), (30.0, 300.0)], 1200.0, 120.0),  # a tenth of what is declared
        ([(60.0, 600.0), (60.0, 600.0)], 1200.0, 120.0),
        ([(60.0, 600.0), (60.0, 600.0)], None, 60.0),
        ([(0.0,), (0.0,)], None, 0.001),
    ],
)
def test_by_what_is_declared(known: list[tuple], declared: float | None, seconds: float) -> None:
    assert expected(*known).seconds("r", declared) == pytest.approx(seconds)


def test_other_rules_say_nothing() -> None:
    assert expected((2.0,)).seconds("other", None) == 1.0
    assert expected((2.0,)).seconds("other", 60.0) == 60.0


LINE = [(1.0 + size / 1000, None, size) for size in range(1000, 11000, 1000)]


def test_by_the_sizes_of_inputs_where_times_have_followed_them() -> None:
    rule = expected(*LINE)
    assert rule.wants_size("r")
    assert rule.seconds("r", None, 20_000) == pytest.approx(21.0)
    assert rule.seconds("r", None, 0) == 2.0, "the least that was ever taken"
    assert rule.seconds("r", None, None) == pytest.approx(6.5), "an input is not there yet: the mean"


@pytest.mark.parametrize(
    "known",
    [
        LINE[:7],  # too few
        [(seconds, None, 1000 + n) for n, (seconds, _, _) in enumerate(LINE)],  # of about one size
        [(seconds, None, size) for (seconds, _, _), (_, _, size) in zip(LINE, reversed(LINE), strict=True)],  # falling
        [(5.0, None, size) for _, _, size in LINE],  # all the same
        [(5.0 if n % 2 else 6.0, None, size) for n, (_, _, size) in enumerate(LINE)],  # noise
    ],
)
def test_sizes_do_not_count_where_they_say_little(known: list[tuple]) -> None:
    rule = expected(*known)
    assert not rule.wants_size("r")
    assert rule.seconds("r", None, 10**9) == pytest.approx(sum(seconds for seconds, *_ in known) / len(known))


def test_what_authors_declare_says_more_than_sizes() -> None:
    rule = expected(*((seconds, 60.0 * seconds, size) for seconds, _, size in LINE))
    assert rule.seconds("r", 600.0, 10) == pytest.approx(10.0)
    same = expected(*((seconds, 600.0, size) for seconds, _, size in LINE))
    assert same.seconds("r", 600.0, 20_000) == pytest.approx(21.0), "but one walltime for all says nothing of each"


@given(st.lists(st.tuples(times, st.none() | times), min_size=1), times, times)
def test_the_order_of_declared_walltimes_is_kept(known: list[tuple], one: float, other: float) -> None:
    rule = expected(*known)
    less, more = sorted([one, other])
    assert rule.seconds("r", less) <= rule.seconds("r", more)


@given(st.lists(st.tuples(times, st.none() | times, st.integers(0, 10**12))), st.none() | times, st.integers(0, 10**13))
def test_it_is_always_a_time(known: list[tuple], declared: float | None, size: int) -> None:
    rule = expected(*known)
    assert 0 < rule.seconds("r", declared, size) < float("inf")
    assert rule.seconds("r", declared, size) <= rule.seconds("r", declared, size + 1), (
        "nor does a larger input take less"
    )
