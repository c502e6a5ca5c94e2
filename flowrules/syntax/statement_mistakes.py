"""Explains mistakes in the shape of statements and directives: headers, colons, names, indentation."""

from __future__ import annotations

import re
from typing import Final

from flowrules.errors import Diagnostic, did_you_mean, suggestion
from flowrules.syntax.lexer import swallowed_head
from flowrules.syntax.scene import VALUE_STARTS, Scene
from flowrules.syntax.words import DIRECTIVES, KEYWORDS, LATER, RULES, STATEMENTS

_HEADS: Final = frozenset(STATEMENTS)
_EXAMPLES: Final = {
    "CONFIG": 'write `config "config.yaml"`, and after it `schema "schema.json"` or `optional`',
    "INCLUDE": 'write `include "rules/other.flow"`; it takes one plain string',
    "LET": "write `let NAME = value`, or `let f(x) = value`",
    "IMPORT": 'write `import "helpers.py" as h`',
    "MIN_VERSION": 'write `min_version "1.0"`',
    "RULEORDER": "write `ruleorder first > second`",
    "ENVVARS": 'write `envvars "TOKEN", "USER"`',
    "ON": 'write `on start: "…"`, `on success: "…"` or `on error: "…"`',
    "WILDCARDS": 'write `wildcards: name = "[a-z]+"`',
    "RULE": "write `rule name:`",
    "CHECKPOINT": "write `checkpoint name:`",
    "IF": "write `if test:`",
    "ELIF": "write `elif test:`",
    "ELSE": "write `else:`",
}


def unclosed_triple(scene: Scene) -> Diagnostic | None:
    """A string of several lines that took in the head of a rule before other quotes closed it."""
    for token in range(scene.line, scene.at):
        span = scene.span(token)
        if scene.kind(token) == "STRING" and swallowed_head(scene.source.text, span.start, span.end):
            quote = scene.word(token)[-3:]
            span = span._replace(end=span.start + len(quote))
            return scene.say("F004", "this string is never closed", span, f"end it with `{quote}`")
    return None


def unclosed_before_head(scene: Scene) -> Diagnostic | None:
    """A directive or statement in the middle of brackets."""
    head = _head_inside(scene)
    opener = scene.opener(scene.at)
    if head is None or opener is None:
        return None
    sign = scene.word(opener)
    partner = {"(": ")", "[": "]", "{": "}"}[sign]
    return scene.say(
        "F005", f"this `{sign}` is not closed before {scene.quoted(head)}", scene.span(opener), f"add `{partner}`"
    )


def deeper_head(scene: Scene) -> Diagnostic | None:
    """A directive or statement that reads as part of the value above it, because it is indented deeper."""
    head = _head_inside(scene)
    if head is None or scene.opener(scene.at) is not None:
        return None
    first = scene.word(scene.line)
    word = scene.quoted(head)
    return scene.say(
        "F008",
        f"{word} is indented deeper than `{first}`, so it reads as part of its value",
        scene.span(head),
        f"indent {word} like `{first}`",
    )


def _head_inside(scene: Scene) -> int | None:
    """A token at or just before the mistake that begins a line of text and looks like a directive or a statement."""
    for token in (scene.at, scene.at - 1):
        if token <= scene.line or not scene.begins_text_line(token):
            continue
        word, follower = scene.word(token), scene.kind(token + 1)
        is_directive = follower == "COLON" and (word in DIRECTIVES or (scene.kind(token) == "NAME" and scene.in_rule()))
        if is_directive or (word in _HEADS and word not in KEYWORDS and follower in {"NAME", "STRING"}):
            return token
    return None


def rule_header(scene: Scene) -> Diagnostic | None:
    """`rule a`, `rule:`, `rule a-b:`, `rule a: input: "x"`."""
    kind, at = scene.kind(scene.line), scene.at
    if kind not in {"RULE", "CHECKPOINT"}:
        return None
    word = scene.word(scene.line)
    if at == scene.line + 1:
        if scene.kind(at) in {"COLON", "_NEWLINE"}:
            return scene.say("F012", f"this {word} has no name", scene.span(scene.line), f"write `{word} name:`")
        return _bad_name(scene, f"{scene.quoted(at)} is no name for a {word}")
    if scene.kind(at) == "_NEWLINE":
        header = scene.quoted(scene.line, at - 1)
        return scene.say(
            "F015", f"missing `:` after {header}", scene.span(scene.line, at - 1), f"write `{header[1:-1]}:`"
        )
    if scene.kind(at - 1) == "COLON":
        return scene.say(
            "F012", f"nothing may stand behind the `:` of a {word}", scene.span(at, scene.end - 1), "begin a new line"
        )
    if scene.touching(at - 1, at) and scene.kind(at) in {"MINUS", "DOT", "SLASH", "LPAR", "LSQB"}:
        return _bad_name(scene, f"`{scene.word(at)}` cannot stand in the name of a {word}")
    if scene.kind(at) == "NAME" and scene.same_text_line(at - 1, at):
        hint = f"names are one word: `{scene.word(at - 1)}_{scene.word(at)}`"
        return scene.say("F012", f"{scene.quoted(at)} cannot follow the name of a {word}", scene.span(at), hint)
    if scene.kind(at) in VALUE_STARTS:
        return scene.say(
            "F015", f"missing `:` after {scene.quoted(scene.line, at - 1)}", scene.span(at), f"write `{word} name:`"
        )
    return None


def _bad_name(scene: Scene, message: str) -> Diagnostic:
    first, last = scene.line + 1, scene.line + 1
    while last + 1 < scene.end and scene.touching(last, last + 1) and scene.kind(last + 1) != "COLON":
        last += 1
    written = scene.source.text[scene.tokens.starts[first] : scene.tokens.ends[last]]
    name = re.sub(r"\W+", "_", written).strip("_")
    name = f"r{name}" if name[:1].isdigit() else f"{name}_" if name in KEYWORDS else name
    hint = "names are letters, digits and `_`" + (f": `{name}`" if name else "")
    return scene.say("F012", message, scene.span(scene.at), hint)


def branch_header(scene: Scene) -> Diagnostic | None:
    """`if x` without colon, `else if`, `else` without `if`, and text behind the colon."""
    kind, at = scene.kind(scene.line), scene.at
    if kind not in {"IF", "ELIF", "ELSE"}:
        return None
    word = scene.word(scene.line)
    if at == scene.line:
        if kind == "IF" or scene.in_rule():
            return scene.say(
                "F020",
                f"`{word}` cannot stand in a rule",
                scene.span(at),
                "write `a if test else b` for a value, or put `if test:` around rules",
            )
        return scene.say(
            "F020",
            f"this `{word}` belongs to no `if`",
            scene.span(at),
            "indent it like its `if`, right after that one's body",
        )
    if kind == "ELSE" and scene.kind(at) == "IF":
        return scene.say("F012", "no `else if` here", scene.span(scene.line, at), "write `elif`")
    if scene.kind(at) == "_NEWLINE" and "COLON" in scene.expected and scene.opener(at) is None:
        return scene.say("F015", f"missing `:` at the end of this `{word}`", scene.span(at - 1), "add `:`")
    if scene.kind(at - 1) == "COLON" and "_NEWLINE" in scene.expected:
        return scene.say(
            "F012", f"nothing may stand behind the `:` of `{word}`", scene.span(at, scene.end - 1), "begin a new line"
        )
    if scene.kind(at) == "_ASSIGN":
        return scene.say("F012", "`=` does not compare", scene.span(at), "write `==`")
    return None


def directive_head(scene: Scene) -> Diagnostic | None:
    """A line of a rule that does not begin with a name and a colon."""
    line, at = scene.line, scene.at
    if not scene.in_rule() or (at > line + 1 and scene.kind(line) != "RUN"):
        return None
    word, follower = scene.word(line), scene.kind(line + 1)
    if scene.kind(line) == "RUN":
        return scene.say(
            "F012", "the Python text of `run:` begins on the next line", scene.span(line), "indent it below `run:`"
        )
    if scene.kind(line) == "STRING":
        return scene.say(
            "F020",
            "a string cannot stand alone here",
            scene.span(line),
            "the doc string is the first thing in a rule; a value is indented deeper than its directive",
        )
    if scene.kind(line) != "NAME" or at == line:
        return scene.say("F016", f"{scene.quoted(line)} begins no directive", scene.span(line), "write `name: value`")
    if word in RULES and follower == "NAME":
        header = scene.quoted(line, line + 1)
        return scene.say(
            "F020", f"{header} stands in another rule", scene.span(line, line + 1), f"begin {header} further left"
        )
    if follower == "_ASSIGN":
        return scene.say("F015", f"missing `:` after `{word}`", scene.span(at), f"write `{word}: …`, with a colon")
    if word in DIRECTIVES or did_you_mean(word, DIRECTIVES):
        near = did_you_mean(word, DIRECTIVES) or word
        return scene.say("F015", f"missing `:` after `{word}`", scene.span(line), f"write `{near}: …`")
    if word in STATEMENTS:
        return scene.say(
            "F020", f"the statement `{word}` cannot stand in a rule", scene.span(line), "begin it further left"
        )
    return scene.say("F016", f"{scene.quoted(line)} begins no directive", scene.span(line), "write `name: value`")


def unknown_statement(scene: Scene) -> Diagnostic | None:
    """A line that begins with no statement's word."""
    line = scene.line
    if scene.at != line or scene.in_rule():
        return None
    word = scene.word(line)
    if scene.kind(line) == "STRING":
        return scene.say("F016", "a string alone is no statement", scene.span(line), "comments begin with `#`")
    if scene.kind(line) != "NAME":
        return scene.say("F016", f"no statement begins with {scene.quoted(line)}", scene.span(line))
    if word in DIRECTIVES and scene.kind(line + 1) == "COLON":
        message = f"`{word}` stands outside of a rule"
        return scene.say("F020", message, scene.span(line), "indent it below its `rule name:`")
    hint = suggestion(word, _HEADS | LATER)
    return scene.say("F016", f"unknown statement `{word}`", scene.span(line), hint or "statements are " + _listed())


def _listed() -> str:
    return ", ".join(f"`{word}`" for word in STATEMENTS if word not in {"elif", "else"})


def empty_value(scene: Scene) -> Diagnostic | None:
    """`input:` with nothing behind it, `let X =`."""
    before = scene.kind(scene.at - 1)
    if scene.kind(scene.at) != "_NEWLINE" or before not in {"COLON", "_ASSIGN"} or scene.opener(scene.at) is not None:
        return None
    what = scene.quoted(scene.line, scene.at - 1)
    deeper = "write it here or on the next line, indented deeper"
    return scene.say("F019", f"{what} has no value", scene.span(scene.line, scene.at - 1), deeper)


def statement_shape(scene: Scene) -> Diagnostic | None:
    """A known statement whose parts are not those it takes."""
    kind, at = scene.kind(scene.line), scene.at
    if kind not in _EXAMPLES or at == scene.line:
        return None
    word = scene.word(scene.line)
    example = _EXAMPLES[kind]
    if "COLON" in scene.expected and kind in {"ON", "WILDCARDS"} and at <= scene.line + 2:
        return scene.say("F015", f"missing `:` after {scene.quoted(scene.line, at - 1)}", scene.span(at - 1), example)
    if kind == "LET":
        return _let(scene, example)
    if kind in {"ON", "WILDCARDS", "IF", "ELIF", "ELSE"} and at > scene.line + 1:
        return None
    if scene.kind(at) == "_NEWLINE":
        return scene.say("F012", f"this `{word}` is not complete", scene.span(at - 1), example)
    return scene.say("F012", f"unexpected {scene.quoted(at)} in this `{word}`", scene.span(at), example)


def _let(scene: Scene, example: str) -> Diagnostic | None:
    at, follower = scene.at, scene.kind(scene.at)
    if at == scene.line + 1:
        if follower in set(KEYWORDS.values()):
            return scene.say("F012", f"{scene.quoted(at)} is a reserved word", scene.span(at), "choose another name")
        return scene.say(
            "F012", "`let` needs a name", scene.span(at) if follower != "_NEWLINE" else scene.span(at - 1), example
        )
    if at == scene.line + 2:
        if follower == "COMMA":
            return scene.say("F012", "`let` defines one name", scene.span(at), "write one `let` for each name")
        if follower in {"COLON", "EQUAL"}:
            return scene.say("F012", f"{scene.quoted(at)} does not define", scene.span(at), "write `=`")
        if scene.kind(at + 1) == "_ASSIGN":
            sign = scene.quoted(at, at + 1)
            return scene.say(
                "F012", f"a constant keeps its value: no {sign} here", scene.span(at, at + 1), "use a new name"
            )
        return scene.say(
            "F012", f"`=` is missing after {scene.quoted(scene.line, at - 1)}", scene.span(at - 1), example
        )
    if scene.opener(at) == scene.line + 2:
        message = f"unexpected {scene.quoted(at)} among the parameters"
        return scene.say("F012", message, scene.span(at), "write `let f(a, b=1) = …`")
    if follower == "COMMA" and scene.opener(at) is None and "_NEWLINE" in scene.expected:
        return scene.say("F012", "`let` takes one value", scene.span(at), "write a list, `[…, …]`")
    return None
