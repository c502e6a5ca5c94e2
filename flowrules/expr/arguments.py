"""Arguments of calls: evaluated, spread, checked against what a built-in function takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from flowrules.errors import fail
from flowrules.expr.data import OpenList, Row, items_of, kind_of
from flowrules.expr.operators import merged
from flowrules.expr.scope import Code, Context, Piece
from flowrules.expr.site import Builtin, Site
from flowrules.expr.world import World
from flowrules.model.values import Unknown
from flowrules.span import Span
from flowrules.syntax import tree


def site_of(node: tree.Call, name: str) -> Site:
    """The call as its implementation sees it."""
    positional = tuple(a.span for a in node.arguments if a.name is None)
    return Site(node.span, name, positional, {a.name: a.span for a in node.arguments if a.name is not None})


def builtin_call(c: Context, node: tree.Call, builtin: Builtin, codes: list[Code]) -> Piece:
    """A built-in function; what can be said about its arguments is said now."""
    name = node.function.id if isinstance(node.function, tree.Name) else ""
    site = site_of(node, name)
    c.cost += 4
    if any(a.star for a in node.arguments):
        return _star_call(node, builtin, codes, site)
    named = tuple(a.name for a in node.arguments if a.name is not None)
    mistake = builtin.mistake(len(site.positional), named)
    if mistake:
        return c.error("F108", f"`{name}` {mistake}", node.span, f"it is used like `{builtin.usage}`")
    run = builtin.run
    waits = _WAITS[builtin.waits]
    if named:
        keys = [a.name for a in node.arguments]
        pairs = tuple(zip(keys, codes, strict=True))

        def call_named(world: World, job: Mapping[str, object], frame: list[object]) -> object:
            positional: list[object] = []
            by_name: dict[str, object] = {}
            for key, code in pairs:
                if key is None:
                    positional.append(code(world, job, frame))
                else:
                    by_name[key] = code(world, job, frame)
            wait = waits([*positional, *by_name.values()])
            return wait if wait is not None else run(world, site, *positional, **by_name)

        return Piece(call_named)
    if len(codes) == 1:
        only = codes[0]

        def call_one(world: World, job: Mapping[str, object], frame: list[object]) -> object:
            value = only(world, job, frame)
            if value.__class__ is Unknown or value.__class__ is OpenList:
                wait = waits([value])
                if wait is not None:
                    return wait
            return run(world, site, value)

        return Piece(call_one)

    def call(world: World, job: Mapping[str, object], frame: list[object]) -> object:
        values = [code(world, job, frame) for code in codes]
        wait = waits(values)
        return wait if wait is not None else run(world, site, *values)

    return Piece(call)


def _star_call(node: tree.Call, builtin: Builtin, codes: list[Code], site: Site) -> Piece:
    waits = _WAITS[builtin.waits]

    def call(world: World, job: Mapping[str, object], frame: list[object]) -> object:
        collected = collect(world, node, codes, job, frame)
        if isinstance(collected, Unknown):
            return collected
        positional, named = collected
        mistake = builtin.mistake(len(positional), tuple(named))
        if mistake:
            raise site.fail("F108", f"`{site.name}` {mistake}", f"it is used like `{builtin.usage}`")
        wait = waits([*positional, *named.values()])
        return wait if wait is not None else builtin.run(world, site, *positional, **named)

    return Piece(call)


def waits_any(values: list[object]) -> Unknown | None:
    waiting = [
        v.waits if isinstance(v, OpenList) else v for v in values if v.__class__ is Unknown or v.__class__ is OpenList
    ]
    return merged(*waiting) if waiting else None


def _waits_whole(values: list[object]) -> Unknown | None:
    waiting = [v for v in values if v.__class__ is Unknown]
    return merged(*waiting) if waiting else None


_WAITS: Final[Mapping[str, Callable[[list[object]], Unknown | None]]] = {
    "any": waits_any,
    "whole": _waits_whole,
    "never": lambda values: None,
}


def collect(
    world: World, node: tree.Call, codes: list[Code], job: Mapping[str, object], frame: list[object]
) -> tuple[list[object], dict[str, object]] | Unknown:
    """Positional and named arguments of a call that spreads a list or dict; Unknown where what is spread is."""
    positional: list[object] = []
    named: dict[str, object] = {}
    for argument, code in zip(node.arguments, codes, strict=True):
        value = code(world, job, frame)
        if argument.star and isinstance(value, Unknown | OpenList):
            return value if isinstance(value, Unknown) else value.waits
        if argument.star == 2:
            for key, item in spread_names(value, argument.span).items():
                if key in named:
                    raise fail("F108", f"argument `{key}` is given twice", argument.span)
                named[key] = item
            world.meter.take(8 * len(named), argument.span)
        elif argument.star == 1:
            items = items_of(value)
            if items is None:
                raise fail("F108", f"`*` spreads a list, not {kind_of(value)}", argument.span)
            world.meter.take(2 * len(items), argument.span)
            positional.extend(items)
        elif argument.name is None:
            positional.append(value)
        elif argument.name in named:
            raise fail("F108", f"argument `{argument.name}` is given twice", argument.span)
        else:
            named[argument.name] = value
    return positional, named


def spread_names(value: object, span: Span) -> Mapping[str, object]:
    """The named entries of a dict after `**`."""
    whole = value.as_dict() if isinstance(value, Row) else value
    if not isinstance(whole, Mapping):
        raise fail("F108", f"`**` spreads a dict, not {kind_of(value)}", span)
    for key in whole:
        if not isinstance(key, str):
            raise fail("F108", f"`**` spreads a dict whose keys are names, not {kind_of(key)}", span)
    return whole
