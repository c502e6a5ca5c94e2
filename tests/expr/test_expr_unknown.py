"""Values that wait for checkpoints: they spread, and everything else is still evaluated."""

import pytest
from expr_world import Bench

from flowrules.expr.data import OpenList
from flowrules.model.values import Unknown

A, B = Unknown(frozenset({"a.txt"})), Unknown(frozenset({"b.txt"}))
BOTH = A | B
FLOWFILE = """\
let A = lines("a.txt")
let B = lines("b.txt")
let f(x) = [f"{m}.json" for m in x]
"""


@pytest.fixture
def bench():
    return Bench(FLOWFILE, files={"known.txt": "k\n"}, waits={"a.txt", "b.txt", "dir"}, config={"n": 1})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A", A),
        ("lines('a.txt')[0].x.y.upper() + 'x'", A),
        ("json('a.txt').k * 2 - json('b.txt').k", BOTH),
        ("size('a.txt') * 3", A),
        ("max(4GB, 3 * size('a.txt'))", A),
        ("exists('a.txt')", A),
        ("glob('dir/{x}.txt').x", Unknown(frozenset({"dir"}))),
        ("'yes' if exists('a.txt') else 'no'", A),
        ("not exists('a.txt')", A),
        ("A == B", BOTH),
        ("1 < A < 2", A),
        ("A and 1", A),
        ("A or 1", A),
        ("config.n and A", A),
        ("0 and A", 0),
        ("1 or A", 1),
        ("-json('a.txt')", A),
        ("f'{A}/{B}'", BOTH),
        ("'{A}.txt'", A),
        ("[A, 1]", OpenList([A, 1])),
        ("[*A, 1]", OpenList([A, 1])),
        ("len([A, 1])", A),
        ("join([A, 'x'], ',')", A),
        ("[A, 1][1]", A),
        ("[A, 1][:1]", A),
        ("[A, 1][1:]", A),
        ("[1, A] + [2] + B", OpenList([1, A, 2, B])),
        ("A + [1]", OpenList([A, 1])),
        ("[x for x in A]", OpenList([A])),
        ("[f'{x}' for x in [1, A, 2]]", OpenList(["1", A, "2"])),
        ("[x for x in [1, 2] if A]", OpenList([A, A])),
        ("[m for k in ['a', 'b', 'known'] for m in lines(f'{k}.txt')]", OpenList([A, B, "k"])),
        ("f(A)", OpenList([A])),
        ("{x: 1 for x in A}", A),
        ("{'a': A, 'b': 2}.b", 2),
        ("{'a': A}.values()", OpenList([A])),
        ("len({'a': A})", 1),
        ("1 in [A, 1]", True),
        ("2 in [A, 1]", A),
        ("2 not in [A]", A),
        ("[A, 1] == [A, 1]", A),
        ("any([A, true])", True),
        ("any([A, false])", A),
        ("all([A, false])", False),
        ("unique([A, 'x', A, 'x'])", OpenList([A, "x"])),
        ("sorted(['b', A, 'a'])", OpenList([A, "a", "b"])),
        ("expand('{x}.txt', x=A)", OpenList([A])),
        ("expand('{x}.{e}', x=['k', A], e=['1', '2'])", OpenList(["k.1", "k.2", A])),
        ("expand(A, x=[1])", OpenList([A])),
        ("lookup(A, sample='x')", A),
        ("[1, A].index(2)", A),
        ("int(A[0]) + 1", A),
        ("range(int(A[0]))", A),
        ("2 if [1, A] else 3", 2),
        ("2 if [A] else 3", A),
        ("min(1, json('a.txt'))", A),
        ("sum([1, json('a.txt')])", A),
        ("table('a.txt').x", A),
    ],
)
def test_unknown_spreads(bench, text, expected):
    found = bench.value(text)
    assert found == expected
    assert type(found) is type(expected)


def test_all_that_is_asked_for_is_asked_at_once(bench):
    found = bench.value("[m for k in ['a', 'b'] for m in lines(f'{k}.txt')] + [f'{x}' for x in lines('known.txt')]")
    assert found.waits == BOTH
    assert list(bench.world.reads) == ["a.txt", "b.txt", "known.txt"]


def test_mistakes_are_found_beside_unknown_values(bench):
    assert bench.mistakes("[A, 1 + 'x']")[0].startswith("5: F114")
