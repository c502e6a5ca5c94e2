"""Strings: placeholders in plain ones, expressions in f-strings, wildcards in both.

A plain string is a template: `{NAME}` is a constant, `{config.x}` reads the configuration, `{name}` and
`{name,regex}` are wildcards, and braces that hold anything else are text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from flowrules.errors import FlowfileError, suggestion
from flowrules.expr.access import attribute, element
from flowrules.expr.data import text_of
from flowrules.expr.formats import formatted, parse_format
from flowrules.expr.names import CAPITALS, config_value, known_names, let_value, rule_files, unknown_wildcard
from flowrules.expr.scope import Code, Context, Piece, Scope, constant
from flowrules.expr.world import NO_JOB, World
from flowrules.model.pattern import Pattern, Wildcard, pattern_of
from flowrules.model.rule import JOB_NAMES
from flowrules.model.values import Unknown
from flowrules.span import Span
from flowrules.syntax import tree
from flowrules.syntax.reader import parse_expression
from flowrules.syntax.strings import decode

_NAME = r"[^\W\d]\w*"
_PATH: Final = re.compile(rf"({_NAME})((?:\.{_NAME}|\[[^\[\]{{}}\n]+\])*)")
_STEP: Final = re.compile(rf"\.({_NAME})|\[([^\[\]]+)\]")
_DOUBLED: Final = re.compile(rf"\{{\{{({_NAME}(?:(?:\.{_NAME}|\[[^\[\]{{}}\n]+\])*|,[^{{}}]+))\}}\}}")

SpanOf = Callable[[int, int], Span]


class Hole(NamedTuple):
    """A placeholder: its first name, the steps after it, or the constraint of a wildcard, and where it stands."""

    name: str
    steps: tuple[str, ...]
    constraint: str | None
    start: int
    end: int


def find_holes(text: str) -> list[str | Hole]:
    """Text and placeholders in turn; doubled braces around a name are single braces of text."""
    parts: list[str | Hole] = []
    done = at = 0
    while (at := text.find("{", at)) >= 0:
        doubled = _DOUBLED.match(text, at)
        if doubled and not text.startswith("{{{", at):
            parts += [text[done:at], "{" + doubled.group(1) + "}"]
            done = at = doubled.end()
            continue
        if text.startswith("{{{", at) and _DOUBLED.match(text, at + 1):
            parts.append(text[done:at] + "{")
            done = at = at + 2
            hole = _hole(text, at)
            if hole is not None:
                parts += [hole, "}"]
                done = at = hole.end + 2
            continue
        hole = _hole(text, at)
        if hole is None:
            at += 1
            continue
        parts += [text[done:at], hole]
        done = at = hole.end
    parts.append(text[done:])
    return [part for part in parts if part != ""]


def _hole(text: str, at: int) -> Hole | None:
    path = _PATH.match(text, at + 1)
    if path is None:
        return None
    end = path.end()
    if text.startswith("}", end):
        steps = tuple(a or b for a, b in _STEP.findall(path.group(2)))
        return Hole(path.group(1), steps, None, at, end + 1)
    if text.startswith(",", end) and not path.group(2):
        close = _constraint_end(text, end + 1)
        if close > end + 1:
            return Hole(path.group(1), (), text[end + 1 : close], at, close + 1)
    return None


def _constraint_end(text: str, at: int) -> int:
    """Where the brace stands that closes a constraint; 0 where none does."""
    depth, in_class = 0, False
    while at < len(text) and text[at] != "\n":
        char = text[at]
        if char == "\\":
            at += 1
        elif in_class:
            in_class = char != "]"
        elif char == "[":
            in_class = True
            at += 1 if text.startswith(("[]", "[^]"), at) else 0
        elif char == "{":
            depth += 1
        elif char == "}":
            if depth == 0:
                return at
            depth -= 1
        at += 1
    return 0


# ── plain strings ────────────────────────────────────────────────────────────────────────────────────────────────


def compile_string(c: Context, node: tree.String) -> Piece:
    """A string literal."""
    text = decode(node)
    if "f" in node.prefix:
        return _compile_fstring(c, node)
    if c.scope.raw or "{" not in text.value:
        return constant(text.value)
    return template(c, text.value, text.span, node.span)


def template(c: Context, text: str, span_of: SpanOf, span: Span) -> Piece:
    """Text with placeholders."""
    parts: list[str | Piece] = []
    spans: list[Span] = []
    for part in find_holes(text):
        if isinstance(part, str):
            parts.append(part)
            spans.append(span)
        else:
            spans.append(span_of(part.start, part.end))
            parts.append(placeholder(c, part, spans[-1]))
    return assembled(c, parts, spans, span)


def placeholder(c: Context, hole: Hole, span: Span) -> Piece:
    """What a placeholder of a plain string stands for."""
    name, scope = hole.name, c.scope
    if hole.constraint is not None:
        return _constrained(c, hole, span)
    if name in c.expanding:
        return constant(Pattern((Wildcard(".".join((name, *hole.steps))),)))
    if name in c.slots:
        whole = ".".join((name, *hole.steps))
        hint = f'write an f-string: `f"{{{whole}}}"`, or fill it in with `expand("{{{whole}}}", {name}=…)`'
        return c.error("F104", f"`{{{whole}}}` in a plain string is a wildcard, `{name}` is a local name", span, hint)
    if name == "config":
        if not hole.steps:
            return c.error(
                "F132", "`config` is a dict, which cannot be put into text", span, "name a key: `{config.x}`"
            )
        return config_value(hole.steps, span)
    if name == "wildcards" and len(hole.steps) == 1:
        return _wildcard(c, hole.steps[0], None, span)
    if name == "HERE" and not hole.steps:
        return constant(scope.here)
    if name in scope.lets:
        return _stepped(let_value(c, name, span).code, hole.steps, span)
    if name == "rules" and len(hole.steps) >= 2:
        return _stepped(rule_files(c, hole.steps[0], hole.steps[1], span).code, hole.steps[2:], span)
    if hole.steps:
        return _unknown_path(c, hole, span)
    if CAPITALS.fullmatch(name):
        return _unknown_let(c, name, span)
    return _wildcard(c, name, None, span)


def _constrained(c: Context, hole: Hole, span: Span) -> Piece:
    assert hole.constraint is not None
    if CAPITALS.fullmatch(hole.name):
        return c.error("F105", f"`{hole.name}` is in capitals: only wildcards take a constraint", span)
    try:
        re.compile(hole.constraint)
    except (re.error, RecursionError, OverflowError) as error:
        return c.error("F121", f"the constraint of `{hole.name}` is no valid regular expression: {error}", span)
    return _wildcard(c, hole.name, hole.constraint, span)


def _wildcard(c: Context, name: str, constraint: str | None, span: Span) -> Piece:
    bound = c.scope.wildcards
    if bound is not None and name not in bound and not c.free:
        return unknown_wildcard(c, name, span)
    c.wild.add(name)
    return constant(Pattern((Wildcard(name, constraint),)))


def _stepped(code: Code, steps: tuple[str, ...], span: Span) -> Piece:
    """A value and the attributes or indices after it."""
    if not steps:
        return Piece(code)

    def read(world: World, job: Mapping[str, object], frame: list[object]) -> object:
        value = code(world, job, frame)
        for step in steps:
            value = element(world, span, value, int(step)) if step.isdigit() else attribute(value, step, span)
        return value

    return Piece(read)


def _unknown_let(c: Context, name: str, span: Span) -> Piece:
    near = suggestion(name, c.scope.lets)
    hint = near or f"a wildcard has a small letter: `{{{name.lower()}}}`; or define `let {name} = …`"
    return c.error("F105", f"names in capitals are `let`s and there is no `{name}`", span, hint)


def _unknown_path(c: Context, hole: Hole, span: Span) -> Piece:
    whole = ".".join((hole.name, *hole.steps))
    if hole.name in JOB_NAMES:
        here = hole.name in c.scope.job_names
        hint = f'write an f-string: `f"{{{whole}}}"`' if here else "it is filled in only in `shell` text"
        return c.error("F105", f"`{{{whole}}}` is not filled in in a plain string", span, hint)
    near = suggestion(hole.name, {*c.slots, "config", "wildcards", "rules"})
    hint = near or f'`expand("{{{whole}}}", {hole.name}=…)` fills it in; `{{{{{whole}}}}}` writes the braces'
    return c.error("F105", f"unknown name `{hole.name}` in braces", span, hint)


# ── f-strings ────────────────────────────────────────────────────────────────────────────────────────────────────


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
            kept = _DOUBLED.match(value, at) if not value.startswith("{{{{", at) else None
            if kept:
                hole = None if c.scope.raw else _hole("{" + kept.group(1) + "}", 0)
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
    if not re.fullmatch(_NAME, source) or CAPITALS.fullmatch(source):
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


# ── putting together ─────────────────────────────────────────────────────────────────────────────────────────────


def assembled(c: Context, parts: list[str | Piece], spans: list[Span], span: Span) -> Piece:
    """Text, patterns and values in a row as one text or pattern."""
    known = [part if isinstance(part, str) else part.constant for part in parts]
    if all(isinstance(value, str | Pattern) for value in known):
        return constant(pattern_of(known))
    steps: list[tuple[str | Pattern | None, Code | None, Span]] = []
    for part, value, where in zip(parts, known, spans, strict=True):
        if isinstance(value, str | Pattern):
            if value != "":
                steps.append((value, None, where))
        elif isinstance(part, Piece):
            steps.append((None, part.code, where))
    c.cost += len(steps)
    return Piece(_assembler(tuple(steps), span))


def _assembler(steps: tuple[tuple[str | Pattern | None, Code | None, Span], ...], span: Span) -> Code:
    def assemble(world: World, job: Mapping[str, object], frame: list[object]) -> object:
        texts: list[str | Pattern] = []
        plain = True
        waits: Unknown | None = None
        for literal, code, where in steps:
            value: object = literal
            if code is not None:
                value = code(world, job, frame)
                if value.__class__ is not str:
                    value = text_of(value, where)
            if isinstance(value, str):
                texts.append(value)
            elif isinstance(value, Unknown):
                waits = value if waits is None else waits | value
            elif isinstance(value, Pattern):
                texts.append(value)
                plain = False
        if waits is not None:
            return waits
        if plain:
            length = sum(map(len, texts))  # type: ignore[arg-type]
            if length >= 64:
                world.meter.text(length, span, all(map(str.isascii, texts)))  # type: ignore[arg-type]
            return "".join(texts)  # type: ignore[arg-type]
        size = sum(
            len(t) if isinstance(t, str) else sum(len(p) if isinstance(p, str) else 40 for p in t.parts) for t in texts
        )
        world.meter.take(16 + (size >> 1), span)
        return pattern_of(texts)

    return assemble


def pattern_from_data(world: World, scope: Scope, text: str, span: Span) -> Pattern | str | Unknown:
    """Text from data read as a plain string of the Flowfile would be.

    Raises:
        FlowfileError: a placeholder in it means nothing.
    """
    c = Context(scope, no_expressions)
    c.free = True
    world.meter.take(20 + (len(text) >> 3) + 24 * text.count("{"), span)
    piece = template(c, text, lambda start, end: span, span)
    if c.diagnostics:
        raise FlowfileError(dict.fromkeys(c.diagnostics))
    value = piece.code(world, NO_JOB, [])
    assert isinstance(value, str | Pattern | Unknown)
    return value


def no_expressions(c: Context, node: tree.Expr) -> Piece:
    """The dispatch of a context in which no expression can stand."""
    raise AssertionError(f"{type(node).__name__} in text")
