"""Paths that two patterns share."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowrules.model.overlap import common_path
from flowrules.model.pattern import Matcher, Pattern, Wildcard, pattern_of


def pattern(text, **constraints):
    """A pattern written as in a Flowfile."""
    parts = []
    for piece in text.replace("}", "{").split("{"):
        parts.append(Wildcard(piece, constraints.get(piece)) if len(parts) % 2 else piece)
    return pattern_of([p for p in parts if p != ""])


def shared(one, other, **constraints):
    patterns = [pattern(one), pattern(other)]
    matchers = [Matcher(p, p.names, {n: r for n, r in constraints.items() if n in p.names}) for p in patterns]
    return common_path(*matchers, (constraints, constraints))


@pytest.mark.parametrize(
    ("one", "other", "path"),
    [
        ("{a}.gz", "reads/{b}.gz", "reads/x.gz"),
        ("{a}.bam", "{b}.sorted.bam", "x.sorted.bam"),
        ("out/{a}.txt", "out/{b}.txt", "out/x.txt"),
        ("out/{a}.txt", "out/{b}.csv", None),
        ("{a}/x", "y/{b}", "y/x"),
        ("{a}-{b}", "{c}_{d}", "x_x-x"),
        ("{a}.{a}", "{b}", "x.x"),
    ],
)
def test_shared_path(one, other, path):
    assert shared(one, other) == path


def test_constraints_part_patterns():
    assert shared("{a}.bam", "{b}.sorted.bam", a="[a-z]+") is None
    assert shared("{a}.bam", "{b}.bam", a="[a-z]+", b="[0-9]+") is None
    assert shared("{a}.bam", "{b}.bam", a="[a-z]+", b="[0-9x]+") == "x.bam"


def test_a_wildcard_cannot_begin_with_a_slash():
    assert shared("{a}/x.txt", "y{b}", b="[a-z/.]+") == "yx/x.txt"


PARTS = st.lists(st.sampled_from(["a", "b", "/", ".", "ab", "{w}", "{v}"]), min_size=1, max_size=6)


def _patterns(parts):
    found = pattern("".join(parts).replace("}{", "}-{"))
    return found if isinstance(found, Pattern) else pattern("{w}" + found)


@given(PARTS, PARTS)
@settings(max_examples=150, deadline=None)
def test_a_shared_path_matches_both(one, other):
    first, second = _patterns(one), _patterns(other)
    matchers = [Matcher(p, p.names) for p in (first, second)]
    path = common_path(*matchers, ({}, {}))
    if path is not None:
        assert all(m.match(path) is not None for m in matchers)
