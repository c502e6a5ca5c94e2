"""The LALR tables of the grammar: made by lark, kept as JSON, loaded without importing lark.

Importing lark and making the tables takes longer than a whole dry run may, so they are shipped beside the grammar they
were made from, with its text; where that text is not the grammar's any more they are made anew.
See docs/decisions/002-parser.md.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Final, Literal

from flowrules import bundled

Start = Literal["module", "expression"]
STARTS: Final[tuple[Start, ...]] = ("module", "expression")

END: Final = "$END"
PASS: Final = 0  # the value of one child stands for the whole
LIST: Final = 1  # a repetition: its values are gathered in one list
MAKE: Final = 2  # a node is made of the children that carry a value
SPREAD: Final = 3  # the same, where some children are repetitions


@dataclass(frozen=True, slots=True)
class Rule:
    """What is done when a rule of the grammar has been seen.

    Attributes:
        origin: the symbol it makes.
        size: how many symbols it takes from the stack.
        action: PASS, LIST, MAKE or SPREAD.
        name: the method of the builder that makes the node ("" for PASS and LIST).
        keep: positions of the symbols that carry a value.
        spread: positions, among all symbols, of repetitions.
    """

    origin: str
    size: int
    action: int
    name: str
    keep: tuple[int, ...]
    spread: tuple[int, ...]


@dataclass(slots=True)
class Tables:
    """Moves of the parser.

    Attributes:
        states: per state and symbol, the state to go to (0 or more) or the rule to reduce by (``-1 - index``).
        rules: what negative moves point to.
        starts: the first state, per kind of text.
        ends: the state in which a text is complete, per kind of text.
        shortcuts: remembered runs of PASS reductions of one symbol: (state, symbol, next symbol) to a state.
    """

    states: list[dict[str, int]]
    rules: list[Rule]
    starts: Mapping[str, int]
    ends: Mapping[str, int]
    shortcuts: dict[tuple[int, str, str], int] = field(default_factory=dict)


@cache
def tables() -> Tables:
    """The tables of the grammar that comes with the program."""
    return load_tables(bundled.grammar_text(), bundled.tables_text())


def load_tables(grammar: str, made: str) -> Tables:
    """The tables of a grammar: those that were made before, unless they are another grammar's or "" (then by lark)."""
    data = json.loads(made) if made else {}
    if data.get("grammar") != grammar:
        from flowrules.syntax.generate import make_tables

        data = make_tables(grammar)
    return Tables(
        [dict(zip(row[::2], row[1::2], strict=True)) for row in data["states"]],
        [
            Rule(origin, size, action, name, tuple(keep), tuple(spread))
            for origin, size, action, name, keep, spread in data["rules"]
        ],
        data["starts"],
        data["ends"],
    )
