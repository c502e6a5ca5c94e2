"""Has lark make the LALR tables of the grammar; the only module that knows lark.

Run by `grammar/make_tables.py`, and by `flowrules.syntax.tables` where the shipped tables are not those of the grammar.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from lark import Lark
from lark.grammar import Rule as LarkRule
from lark.lexer import Lexer, TerminalDef
from lark.lexer import Token as LarkToken

from flowrules.syntax.tables import LIST, MAKE, PASS, SPREAD, STARTS


class _NoLexer(Lexer):
    """Stands where lark wants a lexer: the tables need none, and the program has its own."""

    def __init__(self, _conf: object) -> None:
        pass

    def lex(self, _state: object, _parser: object) -> list[LarkToken]:  # type: ignore[override]
        return []


def make_tables(grammar: str) -> dict[str, Any]:
    """Tables as plain data: the same grammar gives the same data, whatever the order of lark's sets.

    Returns:
        ``grammar``; ``rules``, a list of the fields of `tables.Rule`; ``states``, per state a flat list of symbol and
        move; ``starts`` and ``ends`` by kind of text.

    Raises:
        lark.exceptions.GrammarError: the grammar is wrong or has conflicts.
    """
    lark = Lark(grammar, parser="lalr", lexer=_NoLexer, start=list(STARTS), strict=True, maybe_placeholders=False)
    data, memo = lark.memo_serialize([TerminalDef, LarkRule])
    found = data["parser"]["parser"]
    names = found["tokens"]
    states: dict[int, dict[str, tuple[int, Any]]] = {
        state: {names[token]: move for token, move in row.items()} for state, row in found["states"].items()
    }
    rules = {key: _rule(value) for key, value in memo.items() if value["__type__"] == "Rule"}
    number = {key: index for index, key in enumerate(sorted(rules, key=lambda key: rules[key]))}
    order = _numbering(states, [found["start_states"][start] for start in STARTS])

    def row(state: int) -> list[str | int]:
        flat: list[str | int] = []
        for symbol, (is_reduce, arg) in sorted(states[state].items()):
            flat += [symbol, -1 - number[arg["@"]] if is_reduce else order[arg]]
        return flat

    return {
        "grammar": grammar,
        "starts": {start: order[found["start_states"][start]] for start in STARTS},
        "ends": {start: order[found["end_states"][start]] for start in STARTS},
        "rules": [rules[key] for key in number],
        "states": [row(state) for state in order],
    }


def _rule(rule: dict[str, Any]) -> list[Any]:
    """The fields of `tables.Rule`, from lark's serialised rule; a list, so that rules sort and print."""
    expansion = rule["expansion"]
    keep = [at for at, symbol in enumerate(expansion) if not symbol.get("filter_out")]
    spread = [at for at, symbol in enumerate(expansion) if symbol["name"].startswith("__")]
    origin = rule["origin"]["name"]
    if origin.startswith("__"):
        action, name = LIST, ""
    elif rule["options"]["expand1"] and not rule["alias"] and len(keep) == 1 and not spread:
        action, name = PASS, ""
    else:
        action, name = SPREAD if spread else MAKE, rule["alias"] or origin
    return [origin, len(expansion), action, name, keep, spread]


def _numbering(states: dict[int, dict[str, tuple[int, Any]]], starts: list[int]) -> dict[int, int]:
    """Lark's states in the order in which they are met, symbols taken by name, each with its number."""
    order: dict[int, int] = {}
    ahead = deque(starts)
    while ahead:
        state = ahead.popleft()
        if state not in order:
            order[state] = len(order)
            ahead.extend(arg for _, (is_reduce, arg) in sorted(states[state].items(), key=_symbol) if not is_reduce)
    return order


def _symbol(entry: tuple[str, tuple[int, Any]]) -> str:
    return entry[0]
