"""Flowfile text to tokens: logical lines, the bodies of blocks, `run:` text, and what is wrong on the way.

A value goes on over all deeper-indented lines and inside brackets, so line ends are tokens only where a logical line
ends. Whatever cannot be read becomes a FAULT token, and the text after it is read as well as can be told; the parser
stops at that token, and its fault is what is reported for that logical line. Work is linear in the length of the text.
"""

from __future__ import annotations

import re
from typing import Final

from flowrules.span import Source
from flowrules.syntax.characters import explain_characters
from flowrules.syntax.layout import Layout, width
from flowrules.syntax.tables import END
from flowrules.syntax.tokens import MAX_MARKS, MAX_MISTAKES, MAX_TOKENS, Tokens
from flowrules.syntax.words import KEYWORDS

MAX_NESTING: Final = 100
MAX_NAME: Final = 255

_TOKEN: Final = re.compile(
    r"""[ \t]*(?:
      (\n[ \t\n]*)                                                                  # 1 line end, to the next text
    | ((?:[rR][fF]?|[fF][rR]?)?(?:"(?!"")[^"\\\n]*"|'(?!'')[^'\\\n]*'))             # 2 plain string
    | ((?:[rR][fF]?|[fF][rR]?)?(?:\"\"\"|'''|"|'))                                  # 3 start of any other string
    | ([^\W\d]\w*)                                                                  # 4 name or word
    | (\.?[0-9]\w*(?:(?<=[eE])[+-][0-9]\w*)?(?:\.[0-9]\w*(?:(?<=[eE])[+-][0-9]\w*)?)*)  # 5 number, with its unit
    | (\*\*|//|==|!=|<=|>=|[()\[\]{}:,=.+\-*/%<>])                                  # 6 sign
    | (\#[^\n]*)                                                                    # 7 comment
    | ([^\s\w"'()\[\]{}:,=.+\-*/%<>\#\\]+|.)                                        # 8 anything else
    | $)""",
    re.VERBOSE | re.DOTALL,
)
_LINE_END, _STRING, _QUOTE, _NAME, _NUMBER, _SIGN, _COMMENT, _OTHER = range(1, 9)

_SIGNS: Final = {
    "(": "LPAR",
    ")": "RPAR",
    "[": "LSQB",
    "]": "RSQB",
    "{": "LBRACE",
    "}": "RBRACE",
    ":": "COLON",
    ",": "COMMA",
    "=": "_ASSIGN",
    ".": "DOT",
    "+": "PLUS",
    "-": "MINUS",
    "*": "STAR",
    "**": "DOUBLESTAR",
    "/": "SLASH",
    "//": "DOUBLESLASH",
    "%": "PERCENT",
    "<": "LESS",
    ">": "MORE",
    "<=": "LESSEQUAL",
    ">=": "MOREEQUAL",
    "==": "EQUAL",
    "!=": "UNEQUAL",
}
_CLOSERS: Final = {")": "(", "]": "[", "}": "{"}
_PARTNERS: Final = {"(": ")", "[": "]", "{": "}"}

_PLAIN_NUMBER: Final = re.compile(r"(?:\d+(?:_\d+)*)?(?:\.\d+(?:_\d+)*)?(?:[eE][+-]?\d+)?", re.ASCII)
_WITH_UNITS: Final = re.compile(r"(?:\d+(?:\.\d+)?[A-Za-zµ]+)+", re.ASCII)
_RUN: Final = re.compile(r"run[ \t]*:[ \t]*(#[^\n]*)?(?=\n|$)")
_TEXT_LINE: Final = re.compile(r"\n([ \t]*)(?=[^\s#])")
_CODE_LINE: Final = re.compile(r"\n([ \t]*)(?=\S)")
_QUOTE_STOPS: Final = {'"': re.compile(r'["\\\n]'), "'": re.compile(r"['\\\n]")}
# Two words side by side, or a word and a string, are nowhere an expression: in brackets these begin a new statement.
_SURE_HEAD: Final = re.compile(
    r"(?:(?:rule|checkpoint)[ \t]+\w+[ \t]*:|let[ \t]+(?!(?:if|else|for|in|and|or|not)\b)\w+[ \t]*[=(]"
    r"|(?:include|config|import|min_version|envvars)[ \t]*[\"'])"
)
_SURE_HEAD_LINE: Final = re.compile(r"\n([ \t]*)(?=" + _SURE_HEAD.pattern + ")")


def tokenize(source: Source) -> Tokens:
    """The tokens of a whole Flowfile."""
    return _Lexer(source.text, 0, len(source.text), layout=True).run()


def tokenize_expression(source: Source, start: int, end: int) -> Tokens:
    """The tokens of a part of a source that holds one expression; line ends mean nothing there."""
    return _Lexer(source.text, start, end, layout=False).run()


class _Lexer:
    def __init__(self, text: str, start: int, end: int, *, layout: bool) -> None:
        self.text = text
        self.start = start
        self.end = end
        self.tokens = Tokens()
        self.layout = Layout(text, self.tokens) if layout else None
        self.brackets: list[int] = []  # numbers of the tokens that opened them
        self.marks = 0  # braces, backslashes and line ends in strings
        self.patience = 2 * (end - start)  # how many characters may still be read again after a mistake

    def run(self) -> Tokens:
        tokens, text, end, layout, brackets = self.tokens, self.text, self.end, self.layout, self.brackets
        kinds, starts, ends = tokens.kinds, tokens.starts, tokens.ends
        match, words = _TOKEN.match, KEYWORDS
        pos, fresh = self.start, layout is not None
        while True:
            found = match(text, pos, end)
            assert found is not None  # the pattern has an alternative for anything
            group = found.lastindex
            if group is None:
                if not brackets:
                    break
                pos = self.unclosed_bracket(end)
                continue
            begin, pos = found.span(group)
            if group == _LINE_END:
                if not brackets:
                    fresh = layout is not None
                elif layout and _SURE_HEAD.match(text, pos):
                    pos = self.unclosed_bracket(begin)
                continue
            if len(kinds) + len(tokens.comments) > MAX_TOKENS:
                message = f"the text has more than {MAX_TOKENS:,} words, signs and comments"
                tokens.fault(
                    "F001", message, begin, pos, "split it with `include`, or read data with `table` or `yaml`"
                )
                break
            if group == _COMMENT and layout:
                tokens.comments.append((begin, pos))
                continue
            if fresh and layout:
                fresh = False
                if layout.begin_line(begin):
                    if tokens.mistakes > MAX_MISTAKES or layout.too_deep:
                        break
                    if group == _NAME:
                        pos = self.head(found.group(_NAME), begin, pos)
                        words = layout.words
                        continue
                words = layout.words
            if group == _NAME:
                if pos - begin > MAX_NAME:
                    self.long_name(begin, pos)
                    continue
                kind = words.get(found.group(_NAME), "NAME")
                kinds.append("NAME" if kinds and kinds[-1] == "DOT" else kind)
            elif group == _STRING:
                pos = self.string(begin, pos)
                continue
            elif group == _SIGN:
                sign = found.group(_SIGN)
                if sign in "([{":
                    brackets.append(len(kinds))
                elif sign in ")]}":
                    if not brackets or text[starts[brackets[-1]]] != _CLOSERS[sign]:
                        pos = self.wrong_closer(sign, begin)
                        continue
                    brackets.pop()
                kinds.append(_SIGNS[sign])
            else:
                pos = self.rare(group, found, begin)
                continue
            starts.append(begin)
            ends.append(pos)
            if len(brackets) > MAX_NESTING:
                pos = self.too_deep(begin)
        if layout:
            layout.finish()
        tokens.emit(END, end, end)
        return tokens

    def head(self, word: str, begin: int, pos: int) -> int:
        """The first word of a logical line; returns where reading goes on."""
        assert self.layout is not None
        if word == "run" and self.layout.in_rule():
            block = _RUN.match(self.text, begin, self.end)
            if block:
                return self.run_block(block, self.layout.column)
        if len(word) > MAX_NAME:
            self.long_name(begin, pos)
        else:
            self.layout.head(word, begin, pos)
        return pos

    def long_name(self, begin: int, end: int) -> None:
        message = f"this name has more than {MAX_NAME} characters"
        self.tokens.fault("F012", message, begin, end, "choose a shorter one; text stands in quotes")

    def run_block(self, found: re.Match[str], column: int) -> int:
        """The Python text below `run:`, up to the first line that is not blank and not deeper."""
        begin, line_end = found.span()
        if found.group(1):
            self.tokens.comments.append(found.span(1))
        until = self.end
        for line in _CODE_LINE.finditer(self.text, line_end, self.end):
            if width(line.group(1)) <= column:
                until = line.start()
                break
        code = self.text[line_end + 1 : until].rstrip()
        self.tokens.emit("RUN", begin, begin + 3)
        colon = self.text.index(":", begin)
        self.tokens.emit("COLON", colon, colon + 1)
        if code:
            self.tokens.emit("CODE", line_end + 1, line_end + 1 + len(code))
        else:
            self.tokens.fault("F009", "nothing indented follows this `run`", begin, colon + 1, "indent its Python text")
        return until

    # ── brackets ─────────────────────────────────────────────────────────────────────────────────────────────────

    def unclosed_bracket(self, at: int) -> int:
        """Nothing closed the innermost bracket before ``at``: put a fault in its place, read on below its line."""
        tokens = self.tokens
        opener = self.brackets[-1]
        begin = tokens.starts[opener]
        sign = self.text[begin]
        tokens.cut(opener)
        self.brackets.clear()
        self.tokens.fault("F005", f"this `{sign}` is never closed", begin, begin + 1, f"add `{_PARTNERS[sign]}`")
        return self.resume(begin, at)

    def resume(self, begin: int, at: int) -> int:
        """Where to read on after a mistake that began at ``begin`` and was seen at ``at``."""
        found = self.next_line(begin, at)
        if at - found > self.patience:
            return at
        self.patience -= at - found
        self.tokens.forget_comments(found)
        return found

    def next_line(self, begin: int, until: int) -> int:
        """The end of the line before the next one that is no part of this logical line: not deeper, or its body."""
        if self.layout:
            for line in _TEXT_LINE.finditer(self.text, begin, until):
                if self.layout.block or width(line.group(1)) <= self.layout.column:
                    return line.start()
        return until

    def wrong_closer(self, sign: str, begin: int) -> int:
        """A closing bracket that closes nothing, or a bracket of another kind; the rest of its line is not read."""
        if self.brackets:
            opener = self.tokens.starts[self.brackets[-1]]
            opened = self.text[opener]
            message, hint = (
                f"`{sign}` does not close `{opened}`",
                f"write `{_PARTNERS[opened]}`, or close `{sign}` first",
            )
            self.tokens.fault("F006", message, begin, begin + 1, hint, opener)
        else:
            hint = "remove it, or add the bracket that it should close"
            self.tokens.fault("F006", f"this `{sign}` closes nothing", begin, begin + 1, hint)
        self.brackets.clear()
        return self.next_line(begin, self.end)

    def too_deep(self, begin: int) -> int:
        self.tokens.fault(
            "F010", f"brackets are nested more than {MAX_NESTING} deep", begin, begin + 1, "name parts with `let`"
        )
        self.brackets.clear()
        return self.next_line(begin, self.end)

    # ── rare tokens ──────────────────────────────────────────────────────────────────────────────────────────────

    def rare(self, group: int, found: re.Match[str], begin: int) -> int:
        """A number, a string that is not plain, or a character that belongs nowhere; returns where to read on."""
        text = found.group(group)
        if group == _NUMBER:
            return self.number(text, begin)
        if group == _QUOTE:
            quote = text.lstrip("rRfF")
            return self.triple(begin, quote) if len(quote) == 3 else self.escaped(begin, found.end(), quote)
        if group == _COMMENT:
            self.tokens.fault("F003", "a comment cannot stand here", begin, found.end(), "put it on a line of its own")
            return self.end
        return self.odd_characters(text, begin)

    def number(self, text: str, begin: int) -> int:
        end = begin + len(text)
        if _PLAIN_NUMBER.fullmatch(text):
            self.tokens.emit("NUMBER", begin, end)
        elif text[:2].lower() in {"0x", "0b", "0o"}:
            self.tokens.fault(
                "F011", f"`{clip(text)}` is no decimal number", begin, end, "write it as a decimal number"
            )
        elif _WITH_UNITS.fullmatch(text):
            self.tokens.emit("QUANTITY", begin, end)
        else:
            hint = "numbers are written `12`, `0.5`, `1e-3`, `16GB`, `1h30m`"
            self.tokens.fault("F011", f"`{clip(text)}` is no number", begin, end, hint)
        return end

    def string(self, begin: int, end: int) -> int:
        """A whole string, unless the strings hold too much that has to be looked at; returns where to read on."""
        self.marks += sum([self.text.count(mark, begin, end) for mark in "{\\\n"])
        if self.marks <= MAX_MARKS:
            self.tokens.emit("STRING", begin, end)
            return end
        message = f"the strings hold more than {MAX_MARKS:,} braces, backslashes and lines"
        self.tokens.fault("F001", message, begin, end, "read data with `table`, `json` or `yaml`")
        return self.end

    def escaped(self, begin: int, pos: int, quote: str) -> int:
        """A string in single or double quotes with backslashes, or without an end in its line."""
        stops = _QUOTE_STOPS[quote]
        while True:
            stop = stops.search(self.text, pos, self.end)
            if stop is None or stop.group() == "\n":
                break
            pos = stop.end()
            if stop.group() == quote:
                return self.string(begin, pos)
            pos += 1  # a backslash protects the character after it
        end = stop.start() if stop else self.end
        hint = f"add `{quote}`, or use `{quote * 3}` for text of several lines"
        self.tokens.fault("F004", "this string is never closed", begin, end, hint)
        if self.brackets:
            self.brackets.clear()
            return self.next_line(end, self.end)
        return end

    def triple(self, begin: int, quote: str) -> int:
        """A triple-quoted string."""
        start = self.text.index(quote, begin) + 3
        end = closing_quote(self.text, quote, start, self.end)
        if end >= 0:
            return self.string(begin, end + 3)
        return self.unclosed_triple(begin, quote)

    def unclosed_triple(self, begin: int, quote: str) -> int:
        """No closing quotes up to the end of the text: blame the first string that swallowed the head of a rule."""
        tokens, text = self.tokens, self.text
        number = len(tokens.kinds)
        for at, kind in enumerate(tokens.kinds):
            if kind != "STRING" or text[tokens.ends[at] - 3 : tokens.ends[at]] != quote:
                continue
            if self.layout and swallowed_head(text, tokens.starts[at], tokens.ends[at]):
                number, begin = at, tokens.starts[at]
                break
        after = self.end
        tokens.cut(number)
        self.brackets.clear()
        if self.layout:
            self.layout.back_to_line_of(number)
            head = _SURE_HEAD_LINE.search(text, begin, self.end)
            after = head.start() if head else self.end
            if self.end - after > self.patience:
                after = self.end
            self.patience -= self.end - after
            tokens.forget_comments(begin)
        quotes = text.index(quote, begin) + 3
        self.tokens.fault("F004", "this string is never closed", begin, quotes, f"end it with `{quote}`")
        return after

    def odd_characters(self, text: str, begin: int) -> int:
        """Characters that no token begins with."""
        message, hint, length = explain_characters(self.text, begin)
        self.tokens.fault("F002", message, begin, begin + length, hint)
        return begin + len(text)


def swallowed_head(text: str, start: int, end: int) -> bool:
    """Whether the range has a line that looks like the beginning of a statement."""
    return _SURE_HEAD_LINE.search(text, start, end) is not None


def closing_quote(text: str, quote: str, start: int, end: int) -> int:
    """Where the first ``quote`` at or after ``start`` stands that no backslash protects; -1 if there is none."""
    floor = start  # a backslash before it protects something, or is protected
    while True:
        at = text.find(quote, start, end)
        if at < 0:
            return -1
        slash = at
        while slash > floor and text[slash - 1] == "\\":
            slash -= 1
        if (at - slash) % 2 == 0:
            return at
        start = floor = at + 1


def clip(text: str) -> str:
    """A text that fits into a message."""
    return text if len(text) <= 40 else text[:39] + "…"
