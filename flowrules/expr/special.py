"""Functions that are more than a call: `expand` (names its patterns' wildcards), the readers (fill in the rule's
wildcards) and `pattern` (reads placeholders in data)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from flowrules.errors import fail
from flowrules.expr.arguments import builtin_call, collect, site_of
from flowrules.expr.data import OpenList, is_list, items_of
from flowrules.expr.expand import HABIT, expand
from flowrules.expr.names import CAPITALS
from flowrules.expr.readers import READERS
from flowrules.expr.scope import Code, Context, Piece
from flowrules.expr.text import pattern_from_data
from flowrules.expr.world import World
from flowrules.model.pattern import Pattern
from flowrules.model.values import Flagged, Unknown
from flowrules.span import Span
from flowrules.syntax import tree

# ── expand ───────────────────────────────────────────────────────────────────────────────────────────────────────

_EXPAND: Final = 'expand("{a}-{b}.txt", a=[…], b=[…])'


def compile_expand(c: Context, node: tree.Call) -> Piece:
    """`expand(patterns, [zip], name=values, …)`."""
    patterns, paired, named, problem = _expand_parts(c, node)
    if patterns is None:
        return c.error("F108", f"`expand` {problem}", node.span, f"it is used like `{_EXPAND}`")
    if problem:
        c.error("F108", f"`expand` {problem}", node.span, f"it is used like `{_EXPAND}`")
    codes = [c.code(argument.value) for argument in named]
    outer, free, outside = c.expanding, c.free, set(c.wild)
    c.expanding = outer | {a.name for a in named if a.name is not None}
    c.free = free or any(a.star for a in named)
    code = c.code(patterns)
    _refuse_doubled(c, patterns)
    c.expanding, c.free = outer, free
    c.wild = outside | (c.wild - {a.name for a in named})
    rest = tree.Call(node.span, node.function, tuple(named))
    site = site_of(node, "expand")

    def run(world: World, job: Mapping[str, object], frame: list[object]) -> object:
        template = code(world, job, frame)
        collected = collect(world, rest, codes, job, frame)
        if isinstance(collected, Unknown):
            return OpenList([collected])
        return expand(world, site, paired, template, collected[1])

    return Piece(run)


def _expand_parts(c: Context, node: tree.Call) -> tuple[tree.Expr | None, bool, list[tree.Argument], str | None]:
    """Patterns, whether `zip` is asked for, named arguments, and what is wrong with them."""
    positional = [a.value for a in node.arguments if a.name is None and a.star == 0]
    named = [a for a in node.arguments if a.name is not None or a.star == 2]
    problem = None
    for argument in named:
        if argument.name == "allow_missing":
            c.error("F109", "`expand` knows no `allow_missing`", argument.span, f"leave it out: {HABIT}")
        elif argument.name and CAPITALS.fullmatch(argument.name):
            c.error("F111", f"`{argument.name}` is in capitals, as only constants are", argument.span)
    if any(a.star == 1 for a in node.arguments):
        problem = "takes no `*list`: give it a list of patterns"
    named = [a for a in named if a.name != "allow_missing"]
    paired = len(positional) == 2 and isinstance(positional[1], tree.Name) and positional[1].id == "zip"
    if not positional:
        return None, False, named, "is given no pattern"
    if len(positional) > 1 and not paired:
        problem = "takes one list of patterns, and then names"
    return positional[0], paired, named, problem


def _refuse_doubled(c: Context, patterns: tree.Expr) -> None:
    """`expand("{a}.{{sample}}", …)` means a wildcard elsewhere; here it writes braces into a file name."""
    bound = c.scope.wildcards
    items = patterns.items if isinstance(patterns, tree.ListDisplay) else (patterns,)
    for item in items if bound else ():
        if isinstance(item, tree.String) and "f" not in item.prefix:
            for name in bound or ():
                if "{{" + name + "}}" in item.body:
                    hint = f"{HABIT}: write `{{{name}}}`"
                    c.error("F109", f"`{{{{{name}}}}}` writes the braces themselves", item.span, hint)


# ── readers ──────────────────────────────────────────────────────────────────────────────────────────────────────


def compile_reader(c: Context, node: tree.Call) -> Piece:
    """A function that reads: patterns in its first argument become paths, by the job's wildcards."""
    name = node.function.id if isinstance(node.function, tree.Name) else ""
    outside, free = set(c.wild), c.free
    c.reads = True
    codes: list[Code] = []
    for i, argument in enumerate(node.arguments):
        if i == 0:
            c.wild, c.free = set(), free or name == "glob"
        code = c.code(argument.value)
        if i == 0:
            code = _bound(c, code, name, argument.span)
            c.wild, c.free = outside, free
        codes.append(code)
    return builtin_call(c, node, READERS[name], codes)


def _bound(c: Context, code: Code, name: str, span: Span) -> Code:
    """The argument with the wildcards of the rule filled in."""
    bound = c.scope.wildcards
    if bound and (bound & c.wild or "*" in c.wild):
        c.per_job = True
        c.uses.add("wildcards")
    leave = name == "glob"
    if not c.wild:
        return code

    def run(world: World, job: Mapping[str, object], frame: list[object]) -> object:
        value = code(world, job, frame)
        if value.__class__ is str:
            return value
        return fill(value, job, leave, span, world)

    return run


def fill(value: object, job: Mapping[str, object], leave: bool, span: Span, world: World) -> object:
    """A pattern as a path for a job; every one of a list.

    Args:
        leave: wildcards the job does not have may stay.
    """
    if isinstance(value, Flagged):
        value = value.value
    if isinstance(value, Pattern):
        world.meter.take(8, span)
        values = job.get("wildcards")
        path = value.bind(values) if isinstance(values, Mapping) else value
        if isinstance(path, Pattern) and not leave:
            rest = path.names[0]
            hint = f'`expand` fills in lists of values, an f-string any value: `f"{{{rest}}}"`'
            raise fail("F128", f"wildcard `{rest}` has no value here", span, hint)
        return path
    if is_list(value) and any(isinstance(v, Pattern) for v in items_of(value) or ()):
        return [fill(v, job, leave, span, world) for v in items_of(value) or ()]
    return value


# ── pattern ──────────────────────────────────────────────────────────────────────────────────────────────────────


def compile_pattern(c: Context, node: tree.Call) -> Piece:
    """`pattern(text)`: placeholders in text that comes from data."""
    if len(node.arguments) != 1 or node.arguments[0].name or node.arguments[0].star:
        return c.error("F108", "`pattern` takes one text", node.span, "it is used like `pattern(config.path)`")
    code, span = c.code(node.arguments[0].value), node.arguments[0].span
    c.wild.add("*")
    scope = c.scope

    def run(world: World, job: Mapping[str, object], frame: list[object]) -> object:
        value = code(world, job, frame)
        if isinstance(value, Unknown | Pattern):
            return value
        if not isinstance(value, str):
            items = items_of(value)
            if items is None:
                raise fail("F108", "`pattern` takes text", span)
            return [pattern_from_data(world, scope, v, span) if isinstance(v, str) else v for v in items]
        return pattern_from_data(world, scope, value, span)

    return Piece(run)


SPECIAL: Final[Mapping[str, Callable[[Context, tree.Call], Piece]]] = {
    "expand": compile_expand,
    "pattern": compile_pattern,
    **dict.fromkeys(READERS, compile_reader),
}
