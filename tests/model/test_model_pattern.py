"""Patterns: filling and matching are each other's inverse, and no match takes long."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowrules.model.pattern import Matcher, Pattern, Wildcard, is_plain, normalize, pattern_of

NAMES = ("a", "b", "c")
segment = st.text(st.characters(exclude_characters="/\0", exclude_categories=("Cs",)), min_size=1, max_size=8).filter(
    lambda s: s not in (".", "..") and not s.endswith(".") and not s.startswith(".")
)


def pattern(text: str) -> Pattern:
    """`out/{a}.txt` as a pattern; constraints as in `{a,[0-9]+}`."""
    parts = []
    for piece in re.split(r"(\{[^}]*\})", text):
        if piece.startswith("{"):
            name, comma, constraint = piece[1:-1].partition(",")
            parts.append(Wildcard(name, constraint if comma else None))
        else:
            parts.append(piece)
    result = pattern_of(parts)
    assert isinstance(result, Pattern)
    return result


def match(text: str, path: str, **constraints: str) -> "tuple[str, ...] | None":
    p = pattern(text)
    return Matcher(p, p.names, constraints).match(path)


@pytest.mark.parametrize(
    ("text", "path", "values"),
    [
        ("out/{a}.txt", "out/x.txt", ("x",)),
        ("out/{a}.txt", "out/x/y.txt", ("x/y",)),
        ("out/{a}.txt", "out/.txt", None),
        ("out/{a}.txt", "in/x.txt", None),
        ("{a}", "anything at all", ("anything at all",)),
        ("{a}-{b}", "1-2-3", ("1-2", "3")),
        ("{a,[^-]+}-{b}", "1-2-3", ("1", "2-3")),
        ("{a}/{a}.txt", "x/x.txt", ("x",)),
        ("{a}/{a}.txt", "x/y.txt", None),
        ("{a}\n.txt", "x\n.txt", ("x",)),
        ("%s{a}%d", "%sx%d", ("x",)),
        ("out/{a}", "out/../secret", None),
        ("out/{a}", "out//etc/passwd", None),
        ("{a}.txt", "/etc/x.txt", None),
        ("out{a}", "out/x", ("/x",)),
        ("{a}..b", "x...b", ("x.",)),
    ],
)
def test_match(text: str, path: str, values: "tuple[str, ...] | None") -> None:
    assert match(text, path) == values


def test_values_come_in_the_order_asked_for() -> None:
    assert Matcher(pattern("{b}-{a}"), ("a", "b")).match("1-2") == ("2", "1")


def test_choices_are_the_only_values() -> None:
    matcher = Matcher(pattern("{a}.txt"), ("a",), None, {"a": frozenset({"x"})})
    assert matcher.match("x.txt") == ("x",)
    assert matcher.match("y.txt") is None


def test_constraints_of_the_pattern_go_before_those_of_the_rule() -> None:
    assert match("{a,[0-9]+}.txt", "12.txt", a="[a-z]+") == ("12",)
    assert match("{a}.txt", "12.txt", a="[a-z]+") is None


def test_constraints_may_look_ahead() -> None:
    assert match("{a,(?!all)[a-z]+}.txt", "allez.txt") is None
    assert match("{a,(?!all)[a-z]+}.txt", "some.txt") == ("some",)


def test_a_bad_constraint_is_reported_as_such() -> None:
    with pytest.raises(re.error):
        Matcher(pattern("{a,[}.txt"), ("a",))


@pytest.mark.parametrize("constraint", ["(a|a)*c", "(a+a+)+y", "([a-z]+)*[0-9]", "(.*a){25}b"])
def test_a_catastrophic_constraint_ends(constraint: str) -> None:
    try:
        assert match("{a,%s}.txt" % constraint, "a" * 60 + ".txt") is None
    except TimeoutError:
        pass  # the engine gave up in time, which is what counts


def test_many_free_wildcards_end() -> None:
    text = "".join("{%s%d}a" % ("w", i) for i in range(14)) + "b"
    try:
        assert match(text, "a" * 400) is None
    except TimeoutError:
        pass  # the engine gave up in time, which is what counts


@given(st.lists(segment, min_size=2, max_size=2), st.tuples(segment, segment))
def test_what_was_filled_matches(literals: list[str], values: tuple[str, str]) -> None:
    p = pattern_of([f"{literals[0]}/", Wildcard("a"), f"/{literals[1]}/", Wildcard("b")])
    assert isinstance(p, Pattern)
    path = p.fill(dict(zip("ab", values, strict=True)))
    fmt, index = p.formatter(("a", "b"))
    assert fmt % tuple(values[i] for i in index) == path
    found = Matcher(p, ("a", "b")).match(path)
    assert found is not None
    assert p.fill(dict(zip("ab", found, strict=True))) == path


@given(st.text("ab/.", max_size=12))
def test_normalize_changes_nothing_twice_and_keeps_what_the_path_means(path: str) -> None:
    once = normalize(path)
    assert normalize(once) == once
    assert "//" not in once
    assert path.startswith("/") == once.startswith("/") or path == ""


@pytest.mark.parametrize(
    ("path", "clean"),
    [
        ("./a", "a"),
        ("a//b", "a/b"),
        ("a/./b", "a/b"),
        ("a/../b", "b"),
        ("a/", "a"),
        ("//a", "/a"),
        ("a.b./c", "a.b./c"),
    ],
)
def test_normalize(path: str, clean: str) -> None:
    assert normalize(path) == clean


def test_pattern_in_pattern_keeps_wildcards() -> None:
    inner = pattern("{out}/{sample}.bam")
    outer = pattern_of([inner, ".bai"])
    assert str(outer) == "{out}/{sample}.bam.bai"
    assert outer.bind({"out": "x"}) == pattern("x/{sample}.bam.bai")  # type: ignore[union-attr]
    assert outer.bind({"out": "x", "sample": "y"}) == "x/y.bam.bai"  # type: ignore[union-attr]


@pytest.mark.parametrize(("text", "clean"), [("./a//{x}.b", "a/{x}.b"), ("{x}/../y", "{x}/../y"), ("a/{x}/", "a/{x}")])
def test_normalized_pattern(text: str, clean: str) -> None:
    assert str(pattern(text).normalized()) == clean


@pytest.mark.parametrize(
    ("regex", "plain"),
    [
        ("[a-z]+", True),
        (r"\d+", True),
        ("a|b|c", True),
        ("[^/]+", True),
        ("(a+)+", False),
        (".*.*", False),
        ("x{3}", False),
    ],
)
def test_is_plain(regex: str, plain: bool) -> None:
    assert is_plain(regex) is plain
