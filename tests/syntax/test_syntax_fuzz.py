"""Whatever the text: no exception, sensible diagnostics, and spans that lie in the text."""

import os

from flowfile_strategies import modules, mutations
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowrules.codes import CODES
from flowrules.errors import FlowfileError
from flowrules.span import Source
from flowrules.syntax.reader import parse_expression, read_module
from flowrules.syntax.walk import children

MANY = int(os.environ.get("FUZZ_N", "0"))
"""Examples that `make fuzz` asks for."""

QUIET = settings(
    max_examples=max(150, MANY), derandomize=not MANY, deadline=None, suppress_health_check=list(HealthCheck)
)


def check(text):
    source = Source("Flowfile", text)
    module, mistakes = read_module(source)
    lines = [mistake.span.start for mistake in mistakes]
    assert lines == sorted(lines)
    for mistake in mistakes:
        assert mistake.code in CODES
        assert 0 <= mistake.span.start <= mistake.span.end <= len(text)
        assert mistake.message
        assert mistake.hint != ""
    ahead = [(module, 0, len(text))]
    while ahead:
        node, start, end = ahead.pop()
        assert start <= node.span.start <= node.span.end <= end
        ahead += [(child, node.span.start, node.span.end) for child in children(node)]
    return mistakes


@QUIET
@given(st.text(max_size=200))
def test_any_text(text):
    check(text)


@QUIET
@given(st.text(alphabet="ab \n\t():,=\"'[]{}#ruleinput", max_size=200))
def test_text_of_the_languages_characters(text):
    check(text)


@QUIET
@given(mutations())
def test_flowfiles_with_mistakes(text):
    check(text)


@QUIET
@given(modules())
def test_valid_flowfiles(text):
    assert not check(text)


@QUIET
@given(st.text(alphabet="ab.()[]{}+-*,:=!<>'\" \n0for#", max_size=40))
def test_any_expression(text):
    try:
        found = parse_expression(Source("Flowfile", f"xx{text}yy"), 2, 2 + len(text))
    except FlowfileError as error:
        (mistake,) = error.diagnostics
        assert 0 <= mistake.span.start <= mistake.span.end <= len(text) + 4
    else:
        assert 2 <= found.span.start <= found.span.end <= 2 + len(text)
