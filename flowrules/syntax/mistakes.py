"""Says what an author probably meant where the parser met a token that cannot stand there."""

from __future__ import annotations

from typing import NamedTuple

from flowrules.errors import Diagnostic
from flowrules.span import Source, Span
from flowrules.syntax.lexer import Tokens


class Place(NamedTuple):
    """Numbers of the first token of a logical line, of its NEWLINE, and of the token that cannot stand there."""

    line: int
    end: int
    at: int


def explain(source: Source, tokens: Tokens, place: Place) -> Diagnostic:
    """The diagnostic for a token that the grammar does not allow."""
    start, end = tokens.starts[place.at], tokens.ends[place.at]
    return Diagnostic("F003", f"unexpected `{source.text[start:end]}`", Span(source, start, end))
