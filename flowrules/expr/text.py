"""Plain strings: `{NAME}` is a constant, `{config.x}` reads the configuration, `{name}` is a wildcard.

Also how parts become one text or pattern, and how text from data is read as a plain string.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from flowrules.errors import FlowfileError, suggestion
from flowrules.expr.access import attribute, element
from flowrules.expr.data import text_of
from flowrules.expr.holes import Hole, find_holes
from flowrules.expr.names import CAPITALS, config_value, let_value, rule_files, unknown_wildcard
from flowrules.expr.scope import Code, Context, Piece, Scope, constant
from flowrules.expr.world import NO_JOB, World
from flowrules.model.pattern import Pattern, Wildcard, pattern_of
from flowrules.model.rule import JOB_NAMES
from flowrules.model.values import Unknown
from flowrules.span import Span
from flowrules.syntax import tree

_LONGEST_HINT: Final = 60

SpanOf = Callable[[int, int], Span]


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
            parts.append(placeholder(c, part, spans[-1], text))
    return assembled(c, parts, spans, span)


def placeholder(c: Context, hole: Hole, span: Span, text: str = "") -> Piece:
    """What a placeholder of a plain string stands for.

    Args:
        text: the string, where the placeholder stands in one.
    """
    name, scope = hole.name, c.scope
    if hole.constraint is not None:
        return _constrained(c, hole, span)
    if name in c.expanding:
        return constant(Pattern((Wildcard(".".join((name, *hole.steps))),)))
    if name in c.slots:
        whole = ".".join((name, *hole.steps))
        hint = _instead_of_local(c, text or f"{{{whole}}}")
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


def _instead_of_local(c: Context, text: str) -> str:
    """How a plain string is written in whose braces local names stand."""
    written, filled = "", {}
    for part in find_holes(text):
        if isinstance(part, str):
            written += part.replace("{", "{{").replace("}", "}}")
            continue
        whole = text[part.start : part.end]
        if part.name in c.slots:
            filled[part.name] = f"{part.name}=…"
        known = part.name in c.slots or CAPITALS.fullmatch(part.name) or part.name in ("config", "wildcards")
        written += whole if known else f"{{{whole}}}"
    if '"' in text or "\\" in text or "\n" in text or len(text) > _LONGEST_HINT:
        return "write an f-string, `f" + '"…"`, or fill it in with `expand(…, ' + f"{', '.join(filled.values())})`"
    return f'write an f-string: `f"{written}"`, or fill it in with `expand("{text}", {", ".join(filled.values())})`'


def _constrained(c: Context, hole: Hole, span: Span) -> Piece:
    assert hole.constraint is not None
    if CAPITALS.fullmatch(hole.name):
        return c.error("F105", f"`{hole.name}` is in capitals: only wildcards take a constraint", span)
    if not hole.constraint:
        hint = f"leave the comma out, `{{{hole.name}}}`, or write one: `{{{hole.name},[a-z]+}}`"
        return c.error("F121", f"the constraint of `{hole.name}` is empty", span, hint)
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
