"""Decoded strings, and where each part of them was written."""

import ast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flowrules.span import Source
from flowrules.syntax.reader import parse_expression
from flowrules.syntax.strings import decode


def text(literal, *, shell=False):
    return decode(parse_expression(Source("Flowfile", literal), 0, len(literal)), shell=shell)


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        (r'"a\tb\x41\u00e9\U0001F600\N{BULLET}\101"', "a\tbAé😀•A"),
        (r'"\d \{ \x1 \u12 \N{no such} \8"', r"\d \{ \x1 \u12 \N{no such} \8"),
        (r'"\ud800"', r"\ud800"),
        (r'r"a\tb"', r"a\tb"),
        ('"a\\\n  b"', "a  b"),
        ('""', ""),
        ('"""one"""', "one"),
        ('"""\n    one\n      two\n\n    three\n    """', "one\n  two\n\nthree\n"),
        ('"""one\n    two\n   three"""', "one\n two\nthree"),
        ('"""\n\tone\n\ttwo"""', "one\ntwo"),
        ('"""\n    one\n\ttwo"""', "    one\n\ttwo"),
        ('"""\n\n  one\n"""', "\none\n"),
        ('"""\n    """', ""),
        ('"""\n    a\\n\n    """', "a\n\n"),
    ],
)
def test_value(literal, value):
    assert text(literal).value == value


def test_backslashes_in_triple_quoted_shell_text_are_text():
    assert text('"""\n  awk "\\t"\n  """', shell=True).value == 'awk "\\t"\n'
    assert text('"awk \\t"', shell=True).value == "awk \t"


def test_every_part_knows_where_it_was_written():
    found = text('"""\n    ab\\tc\n      {d}\n    """')
    assert found.value == "ab\tc\n  {d}\n"
    at = found.value.index("{d}")
    assert found.span(at, at + 3).text() == "{d}"
    assert found.span(0, 3).text() == "ab\\t"
    assert found.span(2, 3).text() == "\\t"
    assert found.span(2, 4).text() == "\\tc"
    assert found.span(at, at + 3).line == 3
    assert found.span(at, at).text() == ""
    assert found.span(0, len(found.value)).text() == "ab\\tc\n      {d}\n"


def test_an_empty_string_has_a_place():
    assert text('""').span(0, 0).start == 1
    assert text('"ab"').span(2, 2).start == 3


@given(st.text(max_size=20))
@settings(max_examples=100)
@example("\\N{BULLET}")
def test_one_line_strings_are_those_of_python(value):
    literal = ascii(value) if not any(0xD800 <= ord(c) <= 0xDFFF for c in value) else "''"
    assert text(literal).value == ast.literal_eval(literal)


@given(st.text(alphabet='ab \t\n\\n"{}', max_size=30), st.booleans())
@settings(max_examples=200)
def test_single_characters_are_found_again(body, shell):
    literal = "'''" + body + "'''"
    if body.endswith("\\") or "\r" in body:
        return
    found = text(literal, shell=shell)
    for at, character in enumerate(found.value):
        span = found.span(at, at + 1)
        assert span.text() == character or span.text().startswith("\\")
