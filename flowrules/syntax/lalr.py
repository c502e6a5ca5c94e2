"""Runs the LALR tables over tokens and has a maker make a node of each rule of the grammar it has seen.

lark's own loop does the same with its own kinds of tokens and trees; this one keeps offsets instead of positions, takes
all reductions that only pass a value on in one step, and can go on after a mistake.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flowrules.syntax.tables import END, LIST, MAKE, PASS, Start, Tables
from flowrules.syntax.tokens import Tokens

Make = Callable[[list[Any], int, int], Any]
"""Takes the children that carry a value (of a token: its number), start and end offset; returns a node."""

Recover = Callable[[int, Mapping[str, int]], tuple[int, int]]
"""Takes the number of a token that cannot stand where it does, and the moves for those that can.

Returns the first token to forget and the next to read.
What was read from the first of these on is forgotten. The tokens from there on may have been changed.
"""


def parse(tables: Tables, start: Start, tokens: Tokens, makers: Sequence[Make | None], recover: Recover) -> Any:  # noqa: ANN401
    """What the makers, one for each rule of the tables, make of the whole text."""
    states, shortcuts = tables.states, tables.shortcuts
    rules = [(rule.size, rule.action, rule.origin, rule.keep, rule.spread) for rule in tables.rules]
    kinds, starts, ends = tokens.kinds, tokens.starts, tokens.ends
    end_state = tables.ends[start]
    state = tables.starts[start]
    stack: list[int] = [state]
    values: list[Any] = []
    firsts: list[int] = []  # per value, the number of its first token
    at, kind = 0, kinds[0]
    while True:
        move = states[state].get(kind)
        if move is None:
            forget, at = recover(at, states[state])
            while firsts and firsts[-1] >= forget:
                del stack[-1], values[-1], firsts[-1]
            state, kind = stack[-1], kinds[at]
            continue
        if move >= 0:
            state = move
            stack.append(state)
            values.append(at)
            firsts.append(at)
            at += 1
            kind = kinds[at]
            continue
        size, action, origin, keep, spread = rules[-1 - move]
        if size:
            first = firsts[-size]
            children = values[-size:]
            del stack[-size:], values[-size:], firsts[-size:]
        else:
            first, children = at, []
        if action == MAKE:
            maker = makers[-1 - move]
            assert maker is not None
            value = maker([children[i] for i in keep], starts[first], ends[at - 1] if size else starts[at])
        elif action == PASS:
            value = children[keep[0]]
        else:
            value = _gather(children, keep, spread, reuse=action == LIST)
            if action != LIST:
                maker = makers[-1 - move]
                assert maker is not None
                value = maker(value, starts[first], ends[at - 1])
        top = stack[-1]
        key = (top, origin, kind)
        found = shortcuts.get(key)
        if found is None:
            found = shortcuts[key] = _go(tables, top, origin, kind)
        state = found
        if state == end_state and kind == END:
            return value
        stack.append(state)
        values.append(value)
        firsts.append(first)


def _gather(children: list[Any], keep: tuple[int, ...], spread: tuple[int, ...], *, reuse: bool) -> list[Any]:
    """The kept children, those that are repetitions one by one; a repetition that grows is added to in place."""
    if reuse and spread and spread[0] == keep[0]:
        gathered: list[Any] = children[keep[0]]
        keep = keep[1:]
    else:
        gathered = []
    for position in keep:
        if position in spread:
            gathered += children[position]
        else:
            gathered.append(children[position])
    return gathered


def _go(tables: Tables, top: int, symbol: str, kind: str) -> int:
    """The state after a symbol, with every reduction done that only renames it."""
    state = tables.states[top][symbol]
    while True:
        move = tables.states[state].get(kind)
        if move is None or move >= 0:
            return state
        rule = tables.rules[-1 - move]
        if rule.action != PASS or rule.size != 1:
            return state
        state = tables.states[top][rule.origin]
