"""Calls: built-in functions, methods of values, `let` functions, and functions of imported Python modules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from flowrules.errors import fail, suggestion
from flowrules.expr.arguments import builtin_call, collect, site_of, waits_any
from flowrules.expr.builtins import BUILTINS
from flowrules.expr.methods import METHOD_NAMES, call_method
from flowrules.expr.names import PYTHON, UNAVAILABLE, known_names, unavailable
from flowrules.expr.pycall import call_python
from flowrules.expr.scope import NOTHING, Code, Context, Function, Piece
from flowrules.expr.special import SPECIAL
from flowrules.expr.world import World
from flowrules.model.values import Unknown
from flowrules.syntax import tree

_HABITS: Final = {
    "unpack": "write `**f(wildcards.s)` to spread a dict into named entries",
    "multiext": 'write `expand("x{e}", e=[".a", ".b"])`',
    "glob_wildcards": 'write `glob("{s}.fq").s`: the values of a wildcard by its name',
    "subpath": "write `basename`, `dirname` or `stem`",
    "branch": "write `a if test else b`",
    "collect": "write `expand(…)`",
    "get": 'write `config.get("a.b", default)`',
    "isinstance": None,
    "bool": "write `x != null`, or use the value as a condition",
    "list": "a value that is a list needs no `list(…)`; a comprehension is one already",
    "abs": "write `max(x, -x)`",
    "reversed": "write `x[::-1]`",
    "path": 'write `"{HERE}/…"` for a path beside this file',
}


def compile_call(c: Context, node: tree.Call) -> Piece:
    """A call of whatever may be called."""
    function = node.function
    if isinstance(function, tree.Name):
        return _named_call(c, node, function)
    if isinstance(function, tree.Attribute):
        return _attribute_call(c, node, function)
    _arguments_only(c, node)
    return c.error("F107", "this cannot be called: it is no function", function.span)


def _arguments_only(c: Context, node: tree.Call) -> None:
    """Find the mistakes in the arguments of a call that is wrong itself."""
    for argument in node.arguments:
        c.piece(argument.value)


def _named_call(c: Context, node: tree.Call, function: tree.Name) -> Piece:
    name, span = function.id, function.span
    if name in c.slots:
        _arguments_only(c, node)
        return c.error("F107", f"`{name}` is a value, not a function", span)
    if name in c.scope.functions:
        return _function_call(c, node, c.scope.functions[name])
    if name in SPECIAL:
        return SPECIAL[name](c, node)
    if name in BUILTINS:
        return builtin_call(c, node, BUILTINS[name], [c.code(a.value) for a in node.arguments])
    if name in UNAVAILABLE:
        return unavailable(c, name, span)
    if name in c.scope.later:
        _arguments_only(c, node)
        return c.error(
            "F107",
            f"`{name}` is defined further below",
            span,
            "a function calls only those that stand above it; move it up",
        )
    if name in _HABITS:
        return c.error("F109", f"there is no `{name}` here", span, _HABITS[name])
    _arguments_only(c, node)
    if name in known_names(c):
        return c.error("F107", f"`{name}` is a value, not a function", span)
    near = PYTHON.get(name) or suggestion(name, {*BUILTINS, *c.scope.functions})
    hint = near or 'define it above: `let f(x) = …`, or `import "helpers.py" as h` and call `h.f(…)`'
    return c.error("F107", f"unknown function `{name}`", span, hint)


def _attribute_call(c: Context, node: tree.Call, function: tree.Attribute) -> Piece:
    """A function of an imported module, or a method."""
    owner = function.value
    if isinstance(owner, tree.Name) and owner.id not in c.slots:
        if owner.id in c.scope.modules:
            return _python_call(c, node, owner.id, function)
        if owner.id in UNAVAILABLE and owner.id not in c.scope.lets:
            return unavailable(c, owner.id, owner.span)
    if _root(owner) == "checkpoints" and "checkpoints" not in c.slots:
        hint = 'reading is enough: `lines("c/{s}.txt")` waits for the checkpoint that makes it'
        return c.error("F109", "there is no `checkpoints` here", owner.span, hint)
    name = function.name
    if name not in METHOD_NAMES:
        _arguments_only(c, node)
        before = len(c.diagnostics)
        stand_in = c.piece(owner)
        if len(c.diagnostics) > before:  # what it is called on is wrong itself
            return stand_in
        return c.error("F113", f"unknown method `{name}`", function.name_span, _method_hint(name, owner.span.text()))
    receiver = c.code(owner)
    c.cost += 8
    codes = [c.code(a.value) for a in node.arguments]
    site, names = site_of(node, name), tuple(a.name for a in node.arguments)
    stars = tuple(a.star for a in node.arguments)
    if not any(names) and not any(stars):

        def run(world: World, job: Mapping[str, object], frame: list[object]) -> object:
            value = receiver(world, job, frame)
            return call_method(world, site, value, [code(world, job, frame) for code in codes], {})

        return Piece(run)

    def run_named(world: World, job: Mapping[str, object], frame: list[object]) -> object:
        value = receiver(world, job, frame)
        collected = collect(world, node, codes, job, frame)
        return collected if isinstance(collected, Unknown) else call_method(world, site, value, *collected)

    return Piece(run_named)


def _root(node: tree.Expr) -> str | None:
    while isinstance(node, tree.Attribute | tree.Call):
        node = node.value if isinstance(node, tree.Attribute) else node.function
    return node.id if isinstance(node, tree.Name) else None


def _method_hint(name: str, owner: str) -> str | None:
    special = {
        "join": f"write `join(list, {owner[:20]})`" if owner[:1] in "\"'" else "write `join(list, sep)`",
        "format": 'write an f-string: `f"{x}"`',
        "append": "lists do not change; write `list + [x]`",
        "extend": "lists do not change; write `list + other`",
        "update": "dicts do not change",
        "exists": 'write `exists("path")`',
    }
    return special.get(name) or suggestion(name, METHOD_NAMES)


# ── let functions and Python ─────────────────────────────────────────────────────────────────────────────────────


def _function_call(c: Context, node: tree.Call, function: Function) -> Piece:
    """A `let` function: arguments are matched to its parameters now, unless some are spread."""
    codes = [c.code(a.value) for a in node.arguments]
    c.wild |= function.wild
    c.reads = True
    names = [p.name for p in function.parameters]
    if any(a.star for a in node.arguments):

        def call_spread(world: World, job: Mapping[str, object], frame: list[object]) -> object:
            collected = collect(world, node, codes, job, frame)
            if isinstance(collected, Unknown):
                return collected
            positional, named = collected
            problem = _mismatch(function, len(positional), tuple(named))
            if problem:
                raise fail("F108", problem, node.span, _usage(function))
            rest = [named.get(name, NOTHING) for name in names[len(positional) :]]
            return function.call(world, node.span, [*positional, *rest])

        return Piece(call_spread)
    count = sum(a.name is None for a in node.arguments)
    problem = _mismatch(function, count, tuple(a.name for a in node.arguments if a.name is not None))
    if problem:
        return c.error("F108", problem, node.span, _usage(function))
    given: list[Code | None] = [None] * len(names)
    for i, (argument, code) in enumerate(zip(node.arguments, codes, strict=True)):
        given[i if argument.name is None else names.index(argument.name)] = code
    span = node.span

    def call(world: World, job: Mapping[str, object], frame: list[object]) -> object:
        return function.call(world, span, [NOTHING if g is None else g(world, job, frame) for g in given])

    return Piece(call)


def _mismatch(function: Function, count: int, named: tuple[str, ...]) -> str | None:
    names = [p.name for p in function.parameters]
    if count > len(names):
        return f"`{function.name}` takes {len(names)} argument{'s' if len(names) != 1 else ''}, {count} are given"
    for name in named:
        if name not in names:
            return f"`{function.name}` has no argument `{name}`"
        if names.index(name) < count or named.count(name) > 1:
            return f"`{function.name}` is given `{name}` twice"
    for parameter in function.parameters[count:]:
        if parameter.name not in named and parameter.default is None:
            return f"`{function.name}` lacks argument `{parameter.name}`"
    return None


def _usage(function: Function) -> str:
    shown = ", ".join(p.name if p.default is None else f"{p.name}=…" for p in function.parameters)
    return f"it is defined as `{function.name}({shown})`"


def _python_call(c: Context, node: tree.Call, module: str, function: tree.Attribute) -> Piece:
    """`h.func(…)`."""
    name = function.name
    codes = [c.code(a.value) for a in node.arguments]
    known = c.scope.modules[module]
    if name.startswith("_"):
        return c.error("F130", f"`{name}` is private to the module `{module}`", function.name_span)
    if known is not None and name not in known:
        return c.error(
            "F130", f"the module `{module}` has no function `{name}`", function.name_span, suggestion(name, known)
        )
    site = site_of(node, f"{module}.{name}")

    def call(world: World, job: Mapping[str, object], frame: list[object]) -> object:
        collected = collect(world, node, codes, job, frame)
        if isinstance(collected, Unknown):
            return collected
        wait = waits_any([*collected[0], *collected[1].values()])
        return wait if wait is not None else call_python(world, site, module, name, *collected)

    return Piece(call)
