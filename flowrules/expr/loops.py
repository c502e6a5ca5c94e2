"""Comprehensions: lists, dicts, and the generators that functions take, which are lists here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from flowrules.errors import fail
from flowrules.expr.comparing import truth
from flowrules.expr.data import gathered, items_of, kind_of
from flowrules.expr.names import CAPITALS
from flowrules.expr.operators import merged
from flowrules.expr.scope import Code, Context, Piece
from flowrules.expr.world import World
from flowrules.model.values import Unknown
from flowrules.span import Span
from flowrules.syntax import tree

Emit: TypeAlias = Callable[[World, Mapping[str, object], list[object], list[object]], None]
"""Runs the inside of a loop, adding to the list that is its fourth argument."""


def compile_comprehension(c: Context, node: tree.Comprehension) -> Piece:
    """`[e for x in xs if t]` and `{k: v for …}`.

    An unknown source contributes one unknown element; so does an unknown test.
    """
    outside, outer_cost = dict(c.slots), c.cost
    clauses: list[tuple[Code, tuple[int, ...], tuple[Code, ...], Span]] = []
    first_source = c.code(node.clauses[0].source)
    paid_once, c.cost = c.cost - outer_cost, 0
    for i, clause in enumerate(node.clauses):
        source = c.code(clause.source) if i else first_source
        slots = tuple(_target(c, target) for target in clause.targets)
        tests = tuple(c.code(test) for test in clause.tests)
        clauses.append((source, slots, tests, clause.source.span))
    element = c.code(node.element)
    value = c.code(node.value) if node.value is not None else None
    per_turn = c.cost + (8 if value is not None else 3)
    c.slots, c.cost = outside, outer_cost + paid_once + 2
    emit: Emit = _emit_pair(element, value, node.element.span) if value is not None else _emit_element(element)
    for source, slots, tests, span in reversed(clauses):
        emit = _loop(source, slots, tests, emit, per_turn, span)

    def run_list(world: World, job: Mapping[str, object], frame: list[object]) -> object:
        out: list[object] = []
        emit(world, job, frame, out)
        return gathered(out)

    def run_dict(world: World, job: Mapping[str, object], frame: list[object]) -> object:
        out: list[object] = []
        emit(world, job, frame, out)
        if Unknown in set(map(type, out)):
            return merged(*out)
        return dict(pair for pair in out if isinstance(pair, tuple))

    return Piece(run_dict if value is not None else run_list)


def _target(c: Context, target: tree.Name) -> int:
    """The slot of a loop variable."""
    if CAPITALS.fullmatch(target.id):
        c.error("F111", f"loop variable `{target.id}` is in capitals, as only constants are", target.span)
    return c.slot(target.id)


def _emit_element(element: Code) -> Emit:
    def emit(world: World, job: Mapping[str, object], frame: list[object], out: list[object]) -> None:
        out.append(element(world, job, frame))

    return emit


def _emit_pair(key: Code, value: Code, span: Span) -> Emit:
    def emit(world: World, job: Mapping[str, object], frame: list[object], out: list[object]) -> None:
        name = key(world, job, frame)
        if isinstance(name, Unknown):
            out.append(name)
        elif isinstance(name, str | int | float) or name is None:
            out.append((name, value(world, job, frame)))
        else:
            raise fail("F114", f"a key is text or a number, not {kind_of(name)}", span)

    return emit


def _loop(source: Code, slots: tuple[int, ...], tests: tuple[Code, ...], inner: Emit, cost: int, span: Span) -> Emit:
    """One `for`; each turn pays for all that is inside of it."""
    single = slots[0] if len(slots) == 1 else None

    def loop(world: World, job: Mapping[str, object], frame: list[object], out: list[object]) -> None:
        items = _iterated(source(world, job, frame), span)
        meter = world.meter
        for item in items:
            meter.left -= cost
            if meter.left < 0:
                raise meter.spent(span)
            if item.__class__ is Unknown:
                out.append(item)
                continue
            if single is not None:
                frame[single] = item
            else:
                _unpack(frame, slots, item, span)
            for test in tests:
                true = truth(test(world, job, frame))
                if true is True:
                    continue
                if isinstance(true, Unknown):
                    out.append(true)
                break
            else:
                inner(world, job, frame, out)

    return loop


def _iterated(value: object, span: Span) -> Sequence[object]:
    items = items_of(value)
    if items is not None:
        return items
    if isinstance(value, Unknown):
        return (value,)
    hint = None
    if isinstance(value, str):
        hint = "put it into brackets for a list of one, or cut it: `x.split()`"
    elif value is None:
        hint = "write `for x in (… or [])` where it may be null"
    raise fail("F114", f"`for` goes through a list, not {kind_of(value)}", span, hint)


def _unpack(frame: list[object], slots: tuple[int, ...], item: object, span: Span) -> None:
    items = items_of(item)
    if items is None or len(items) != len(slots):
        found = kind_of(item) if items is None else f"a list of {len(items)}"
        raise fail("F114", f"`for` has {len(slots)} names here, but an element is {found}", span)
    for slot, value in zip(slots, items, strict=True):
        frame[slot] = value
