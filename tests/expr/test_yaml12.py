"""YAML 1.2 core schema, positions, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowrules.errors import Diagnostic, FlowfileError
from flowrules.expr.yaml12 import compose_yaml, load_yaml
from flowrules.span import Source


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("y", "y"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("0o17", 15),
        ("0x1F", 31),
        ("017", 17),
        ("-12", -12),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("-.inf", float("-inf")),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("2026-01-01", "2026-01-01"),
        ("1.2.3", "1.2.3"),
        ("0b1", "0b1"),
        ("'1'", "1"),
        ('"true"', "true"),
        ("!!str 1", "1"),
        ("!!float 1", 1.0),
        ("<<", "<<"),
    ],
)
def test_scalars_follow_the_core_schema(text, value):
    assert load_yaml(f"- {text}", "x.yaml") == [value]


def test_keys_are_text_as_written():
    assert load_yaml("1: a\nno: b\n0x10: c\nnull: d\n", "x") == {"1": "a", "no": "b", "0x10": "c", "null": "d"}


def test_merge_key_fills_what_is_absent():
    assert load_yaml("a: &a {x: 1, y: 2}\nb:\n  y: 3\n  <<: *a\n", "x")["b"] == {"x": 1, "y": 3}


def test_json_with_tabs_is_yaml():
    assert load_yaml('{\n\t"a":1,\n\t"b": [true, null]\n}', "x") == {"a": 1, "b": [True, None]}


def test_empty_text_is_null():
    assert load_yaml("# nothing\n", "x") is None


DOCUMENT = """\
a:
  b: [1, 2, {c: d}]
  # a comment

  e:
    - x
    - ÿ😀z
# the end
f: last
"""


@pytest.mark.parametrize(
    ("path", "key", "text"),
    [
        (("f",), False, "last"),
        (("f",), True, "f"),
        (("a", "b"), False, "[1, 2, {c: d}]"),
        (("a", "b", 2, "c"), False, "d"),
        (("a", "e"), True, "e"),
        (("a", "e"), False, "- x\n    - ÿ😀z"),
        (("a", "e", 1), False, "ÿ😀z"),
        (("a", "b", 2, "missing"), False, "{c: d}"),
    ],
)
def test_spans(path, key, text):
    assert compose_yaml(Source("c.yaml", DOCUMENT)).span(path, key=key).text() == text


def test_a_document_may_begin_inside_a_source():
    source = Source("command line", "--config a.b=[1, x]")
    document = compose_yaml(source, start=13)
    assert document.value == [1, "x"]
    assert document.span((1,)).column == 18


def problems(text: str) -> list[str]:
    with pytest.raises(FlowfileError) as caught:
        load_yaml(text, "c.yaml")
    return [show(d) for d in caught.value.diagnostics]


def show(d: Diagnostic) -> str:
    return f"{d.span.line}:{d.span.column} {d.code} {d.message}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\na: 3", "3:1 F402 the key `a` is written twice"),
        ("a: !!python/object/apply:os.system [x]", "1:4 F403 the tag `!!python/object/apply:os.system` is not known"),
        ("a: !!binary x", "1:4 F403 the tag `!!binary` is not known"),
        ("a: !!int x", "1:4 F401 `x` is no `!!int`"),
        ("a: *b", "1:4 F401 there is no finished `&b` above"),
        ("a: &b [*b]", "1:8 F401 there is no finished `&b` above"),
        ("a: b: c", "1:5 F401 a second `:` on this line is not expected here"),
        ("a:\n\tb: 1", "2:1 F401 a tab cannot indent YAML"),
        ("a: [1\nb: 2", "2:2 F401 `,` or `]` was expected here"),
        ("a: 'x", "1:6 F401 the text ends before a quote or bracket is closed"),
        ("a: \x07", "1:4 F401 a character that YAML does not allow"),
        ("1\n---\n2", "2:1 F401 a second document begins here"),
        ("? [a]\n: 1", "1:3 F401 a key must be one word or text"),
        ("a: " + "9" * 5000, "1:4 F404 a number of 5000 characters is too long"),
        ("[" * 500, "1:101 F404 more than 100 levels of nesting"),
    ],
)
def test_mistakes(text, expected):
    assert problems(text) == [expected]


def test_nesting_beyond_what_the_parser_looks_ahead():
    (told,) = problems("[" * 100_000)
    assert told.endswith(" F404 more than 100 levels of nesting")


def test_all_independent_mistakes_are_told():
    assert len(problems("a: 1\na: 2\nb: !x 1\nc: !y 1\n")) == 3


def test_aliases_cannot_fill_the_memory():
    bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12)
    )
    assert problems(bomb) == ["6:38 F404 more than 1,000,000 values, aliases counted in full"]


@given(st.text(alphabet="ab:-[]{},#&*!|>'\" \n\t0.~<", max_size=40))
def test_any_text_is_read_or_refused(text):
    try:
        load_yaml(text, "x")
    except FlowfileError as error:
        assert error.diagnostics
