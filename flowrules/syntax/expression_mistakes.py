"""Explains mistakes in values: missing commas and brackets, operators without operands, reserved words as names."""

from __future__ import annotations

from typing import Final

from flowrules.errors import Diagnostic
from flowrules.model.quantity import UNITS
from flowrules.syntax.scene import CLOSERS, OPENERS, VALUE_ENDS, VALUE_STARTS, Scene
from flowrules.syntax.words import KEYWORDS

_SIGNS: Final = frozenset({"PLUS", "MINUS", "STAR", "SLASH", "DOUBLESLASH", "DOUBLESTAR", "PERCENT"})
_COMPARATORS: Final = frozenset({"LESS", "MORE", "LESSEQUAL", "MOREEQUAL", "EQUAL", "UNEQUAL", "IN"})
_OPERATORS: Final = _SIGNS | _COMPARATORS | {"AND", "OR", "NOT"}
_WORDS: Final = frozenset(KEYWORDS.values())
_STOPS: Final = CLOSERS | {"COMMA", "_NEWLINE", "$END", "COLON"}


def string_prefix(scene: Scene) -> Diagnostic | None:
    """`b"…"`: only `r` and `f` stand before quotes."""
    at = scene.at
    if scene.kind(at) != "STRING" or scene.kind(at - 1) != "NAME" or not scene.touching(at - 1, at):
        return None
    prefix = scene.word(at - 1)
    hint = 'strings are written `"…"`, `r"…"` or `f"…"`'
    return scene.say("F012", f"`{prefix}` cannot stand before a string", scene.span(at - 1), hint)


def half_conditional(scene: Scene) -> Diagnostic | None:
    """`a if test` without `else`."""
    if "ELSE" not in scene.expected or scene.kind(scene.at) not in _STOPS:
        return None
    depth, start = 0, scene.at - 1
    while start > scene.line:
        kind = scene.kind(start)
        depth += (kind in CLOSERS) - (kind in OPENERS)
        if kind == "IF" and depth == 0:
            break
        start -= 1
    return scene.say("F019", "this `if` has no `else`", scene.span(start), "write `a if test else null`")


def bare_comprehension(scene: Scene) -> Diagnostic | None:
    """`f(x) for x in xs` without brackets."""
    opener = scene.opener(scene.at)
    if scene.kind(scene.at) == "COMMA" and opener is not None and scene.kind(opener) == "LPAR":
        inner = (token for token in range(opener, scene.at) if scene.kind(token) == "FOR")
        token = next((token for token in inner if scene.opener(token) == opener), None)
        if token is not None:
            message = "beside other arguments a comprehension stands in brackets"
            return scene.say("F012", message, scene.span(token), "write `[… for x in …]`")
    if scene.kind(scene.at) != "FOR":
        return None
    if opener is None:
        return scene.say("F012", "a comprehension stands in brackets", scene.span(scene.at), "write `[… for x in …]`")
    if scene.kind(opener) == "LPAR":
        return scene.say(
            "F012",
            "beside other arguments a comprehension stands in brackets",
            scene.span(scene.at),
            "write `[… for x in …]`",
        )
    return None


def no_set(scene: Scene) -> Diagnostic | None:
    """`{a, b}` and `{**a}`."""
    opener = scene.opener(scene.at)
    if opener is None or scene.kind(opener) != "LBRACE":
        return None
    if scene.kind(scene.at) in {"STAR", "DOUBLESTAR"} and scene.kind(scene.at - 1) in {"LBRACE", "COMMA"}:
        return scene.say(
            "F012", f"no {scene.quoted(scene.at)} in a dict", scene.span(scene.at), "write its entries, `{key: value}`"
        )
    if scene.kind(scene.at) in {"COMMA", "RBRACE", "FOR"} and "COLON" in scene.expected:
        return scene.say(
            "F012", "an entry of a dict needs a value", scene.span(scene.at), "write `{key: value}`, or a list `[…]`"
        )
    if scene.kind(scene.at) == "_ASSIGN":
        return scene.say("F012", "`=` does not make an entry of a dict", scene.span(scene.at), 'write `{"key": value}`')
    return None


def several_indexes(scene: Scene) -> Diagnostic | None:
    """`x[a, b]`."""
    opener = scene.opener(scene.at)
    if scene.kind(scene.at) != "COMMA" or opener is None or scene.kind(opener) != "LSQB":
        return None
    if scene.kind(opener - 1) not in VALUE_ENDS:
        return None
    return scene.say("F012", "an index is one value", scene.span(scene.at), "write `x[a][b]`")


def missing_comma(scene: Scene) -> Diagnostic | None:
    """Two values side by side."""
    at, before = scene.at, scene.at - 1
    if scene.kind(at) not in VALUE_STARTS or scene.kind(before) not in VALUE_ENDS or before < scene.line:
        return None
    if scene.opener(at) is None and before <= scene.line:
        return None
    hint = f"{scene.quoted(at)} follows it with nothing between"
    if _is_quantity(scene, before, at):
        joined = scene.word(before) + scene.word(at)
        return scene.say("F011", "no blank belongs into a quantity", scene.span(before, at), f"write `{joined}`")
    if scene.kind(scene.line) in {"LET", "IF", "ELIF"} and scene.opener(at) is None:
        return scene.say("F014", f"missing operator after {scene.quoted(before)}?", scene.span(before), hint)
    return scene.say("F014", f"missing comma after {scene.quoted(before)}?", scene.span(before), hint)


def _is_quantity(scene: Scene, first: int, second: int) -> bool:
    """Whether `16 GB` or `1h 30m` stands there."""
    if scene.kind(first) == "NUMBER":
        return scene.word(second) in UNITS
    times = (scene.word(token).lstrip("0123456789.hmsdin") == "" for token in (first, second))
    return scene.kind(first) == scene.kind(second) == "QUANTITY" and all(times)


def missing_sign(scene: Scene) -> Diagnostic | None:
    """Where only one sign could stand."""
    expected = [symbol for symbol in scene.expected if symbol.isupper()]
    if set(expected) == {"COMMA", "IN"}:
        expected = ["IN"]
    sign = {"COLON": ":", "_ASSIGN": "=", "IN": "in", "AS": "as"}.get(expected[0]) if len(expected) == 1 else None
    if sign is None or scene.at == scene.line:
        return None
    return scene.say(
        "F012", f"missing `{sign}` after {scene.quoted(scene.at - 1)}", scene.span(scene.at - 1), f"add `{sign}`"
    )


def reserved_name(scene: Scene) -> Diagnostic | None:
    """`in = 3`, `x.y(for=1)`: words that are never names."""
    at = scene.at
    for token in (at, at - 1):
        if scene.kind(token) in _WORDS and scene.kind(token + 1) == "_ASSIGN" and token > scene.line:
            return scene.say(
                "F012", f"{scene.quoted(token)} is a reserved word", scene.span(token), "choose another name"
            )
    if scene.kind(at) in _WORDS and "NAME" in scene.expected and "NUMBER" not in scene.expected:
        return scene.say("F012", f"{scene.quoted(at)} is a reserved word", scene.span(at), "choose another name")
    return None


def bad_equals(scene: Scene) -> Diagnostic | None:
    """`=` where no name stands before it, or where nothing can be named."""
    if scene.kind(scene.at) != "_ASSIGN":
        return None
    opener = scene.opener(scene.at)
    is_call = opener is not None and scene.kind(opener) == "LPAR" and scene.kind(opener - 1) in VALUE_ENDS
    hint = "write `==` to compare"
    if opener is None or is_call:
        hint = f"before it stands one plain name; {hint}"
    return scene.say("F012", "`=` names nothing here", scene.span(scene.at), hint)


def missing_operand(scene: Scene) -> Diagnostic | None:
    """`a +`, `f(x=)`, `[1,,2]`, `* 2`."""
    at = scene.at
    before = scene.kind(at - 1)
    kind = scene.kind(at)
    if not before:
        return scene.say("F019", "an expression is missing here", scene.span(at)) if kind in _STOPS else None
    if kind in _STOPS and before in _OPERATORS | {"IF", "ELSE", "_ASSIGN", "DOT", "FOR"}:
        return scene.say(
            "F019", f"nothing follows {scene.quoted(at - 1)}", scene.span(at - 1), "add the value, or remove it"
        )
    if kind == "COMMA" and (before == "COMMA" or before in OPENERS or before == "COLON"):
        return scene.say("F019", "nothing stands before this comma", scene.span(at), "remove it, or add the value")
    if kind in _OPERATORS | {"IF", "ELSE"} and before not in VALUE_ENDS and not (kind == "IN" and before == "NOT"):
        return scene.say(
            "F019", f"nothing stands before {scene.quoted(at)}", scene.span(at), "add the value, or remove it"
        )
    return None


def anything(scene: Scene) -> Diagnostic:
    """What can be said of any mistake."""
    if scene.kind(scene.at) in {"_NEWLINE", "$END", ""}:
        return scene.say("F003", "this is not complete", scene.span(max(scene.at - 1, 0)))
    hint = "expected a name" if set(scene.expected) == {"NAME"} else None
    return scene.say("F003", f"unexpected {scene.quoted(scene.at)}", scene.span(scene.at), hint)
