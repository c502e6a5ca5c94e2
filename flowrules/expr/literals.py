"""String literals: plain ones, and f-strings with expressions in braces."""

from __future__ import annotations

import re

from flowrules.errors import FlowfileError, suggestion
from flowrules.expr.formats import formatted, parse_format
from flowrules.expr.holes import DOUBLED, NAME, hole_at
from flowrules.expr.names import CAPITALS, known_names
from flowrules.expr.scope import Context, Piece, constant
from flowrules.expr.text import assembled, placeholder, template
from flowrules.model.rule import JOB_NAMES
from flowrules.span import Span
from flowrules.syntax import tree
from flowrules.syntax.reader import parse_expression
from flowrules.syntax.strings import decode


def compile_string(c: Context, node: tree.String) -> Piece:
    """A string literal."""
    text = decode(node)
    if "f" in node.prefix:
        return _compile_fstring(c, node)
    if c.scope.raw or "{" not in text.value:
        return constant(text.value)
    return template(c, text.value, text.span, node.span)


def _compile_fstring(c: Context, node: tree.String) -> Piece:
    """An f-string: expressions in braces; doubled braces around a name leave a placeholder of a plain string."""
    text = decode(node)
    value = text.value
    parts: list[str | Piece] = []
    spans: list[Span] = []

    def put(part: str | Piece, span: Span) -> None:
        parts.append(part)
        spans.append(span)

    at = done = 0
    while at < len(value):
        char = value[at]
        if char not in "{}":
            at += 1
            continue
        doubled = value.startswith(char * 2, at)
        if char == "{" and doubled:
            put(value[done:at], node.span)
            kept = DOUBLED.match(value, at) if not value.startswith("{{{{", at) else None
            if kept:
                hole = None if c.scope.raw else hole_at("{" + kept.group(1) + "}", 0)
                span = text.span(at + 1, kept.end() - 1)
                put(placeholder(c, hole, span) if hole else "{" + kept.group(1) + "}", span)
                done = at = kept.end()
            else:
                put("{", node.span)
                done = at = at + 2
        elif char == "{":
            put(value[done:at], node.span)
            end = _expression_end(value, at + 1)
            if end < 0:
                return c.error(
                    "F106",
                    "`{` is not closed in this f-string",
                    text.span(at, at + 1),
                    "a brace itself is written `{{`",
                )
            colon = _format_start(value, at + 1, end)
            span = text.span(at + 1, colon)
            put(_embedded(c, span, value[colon + 1 : end] if colon < end else "", text.span(colon, end)), span)
            done = at = end + 1
        elif doubled:
            put(value[done:at] + "}", node.span)
            done = at = at + 2
        else:
            return c.error(
                "F106", "a single `}` in an f-string", text.span(at, at + 1), "a brace itself is written `}}`"
            )
    put(value[done:], node.span)
    return assembled(c, parts, spans, node.span)


def _embedded(c: Context, span: Span, spec: str, spec_span: Span) -> Piece:
    """One `{expression:format}` of an f-string."""
    source = span.text().strip()
    if not source:
        return c.error("F106", "empty braces in an f-string", span, "a brace itself is written `{{`")
    if re.search(r"![rsa]$", source):
        return c.error("F134", "an f-string here knows no `!r`", span, "leave it out")
    if source.endswith("=") and not source.endswith(("==", "<=", ">=", "!=")):
        return c.error("F134", "an f-string here knows no `=`", span, "leave it out")
    name = _unknown_word(c, source)
    if name:
        bound = c.scope.wildcards
        either = f" (or write `{{wildcards.{name}}}`)" if "wildcards" in c.scope.job_names else ""
        hint = f"drop the `f`, plain strings know `{{OUT}}` and `{{{name}}}`{either}"
        near = suggestion(name, c.slots) if bound is None or name not in bound else None
        return c.error("F106", f"`{name}` is no name in an f-string", span, near or hint)
    try:
        piece = c.piece(parse_expression(span.source, span.start, span.end))
    except FlowfileError as error:
        c.diagnostics.extend(error.diagnostics)
        return constant("")
    if not spec:
        return piece
    wanted = parse_format(spec)
    if wanted is None:
        return c.error(
            "F134",
            f"`{spec}` is no format",
            spec_span,
            "known are those of Python for numbers and text, and units such as `:MiB`",
        )
    code = piece.code
    return Piece(lambda world, job, frame: formatted(code(world, job, frame), wanted, spec_span))


def _unknown_word(c: Context, source: str) -> str | None:
    """A lone small-letter name that means nothing: most likely a wildcard."""
    if not re.fullmatch(NAME, source) or CAPITALS.fullmatch(source):
        return None
    return None if source in known_names(c) or source in JOB_NAMES or source == "rules" else source


def _expression_end(text: str, at: int) -> int:
    """Where the brace stands that closes an embedded expression; -1 where none does."""
    depth, quote = 0, ""
    while at < len(text):
        char = text[at]
        if quote:
            if char == "\\":
                at += 1
            elif char == quote:
                quote = ""
        elif char in "\"'":
            quote = char
        elif char in "([{":
            depth += 1
        elif char in ")]":
            depth -= 1
        elif char == "}":
            if depth <= 0:
                return at
            depth -= 1
        at += 1
    return -1


def _format_start(text: str, at: int, end: int) -> int:
    """Where the colon stands that begins a format; ``end`` where there is none."""
    depth, quote = 0, ""
    for i in range(at, end):
        char = text[i]
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        elif char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
        elif char == ":" and depth == 0:
            return i
    return end
