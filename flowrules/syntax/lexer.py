"""Flowfile text to tokens: logical lines, the bodies of blocks, `run:` text, and what is wrong on the way.

A value goes on over all deeper-indented lines and inside brackets, so line ends are tokens only where a logical line
ends. Whatever cannot be read becomes a FAULT token, and the text after it is read as well as can be told; the parser
stops at that token, and its fault is what is reported for that logical line. Work is linear in the length of the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from flowrules.errors import did_you_mean
from flowrules.span import Source
from flowrules.syntax.tables import END
from flowrules.syntax.words import BLOCKS, DIRECTIVES, FOREIGN, KEYWORDS, LINE_WORDS, RULES, STATEMENTS

MAX_NESTING: Final = 100

NEWLINE: Final = "_NEWLINE"
INDENT: Final = "_INDENT"
DEDENT: Final = "_DEDENT"
FAULT: Final = "FAULT"

_TOKEN: Final = re.compile(
    r"""[ \t]*(?:
      (\n(?:[ \t]*\n)*[ \t]*)                                                       # 1 line end, to the next text
    | ((?:[rR][fF]?|[fF][rR]?)?(?:"(?!"")[^"\\\n]*"|'(?!'')[^'\\\n]*'))             # 2 plain string
    | ((?:[rR][fF]?|[fF][rR]?)?(?:\"\"\"|'''|"|'))                                  # 3 start of any other string
    | ([^\W\d]\w*)                                                                  # 4 name or word
    | (\.?[0-9]\w*(?:(?<=[eE])[+-][0-9]\w*)?(?:\.[0-9]\w*(?:(?<=[eE])[+-][0-9]\w*)?)*)  # 5 number, with its unit
    | (\*\*|//|==|!=|<=|>=|[()\[\]{}:,=.+\-*/%<>])                                  # 6 sign
    | (\#[^\n]*)                                                                    # 7 comment
    | (.)                                                                           # 8 anything else
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
_MISSPELT_HEAD: Final = re.compile(r"[^\W\d]\w*[ \t]+[^\W\d]\w*[ \t]*:[ \t]*(?:#[^\n]*)?(?=\n|$)")
_DIRECTIVE: Final = re.compile(rf"(?:{'|'.join(sorted(DIRECTIVES))})[ \t]*:")
_QUOTE_STOPS: Final = {'"': re.compile(r'["\\\n]'), "'": re.compile(r"['\\\n]")}
# Two words side by side, or a word and a string, are nowhere an expression: in brackets these begin a new statement.
_SURE_HEAD: Final = re.compile(
    r"(?:(?:rule|checkpoint)[ \t]+\w+[ \t]*:|let[ \t]+\w+[ \t]*[=(]"
    r"|(?:include|config|import|min_version|envvars)[ \t]*[\"'])"
)
_SURE_HEAD_LINE: Final = re.compile(r"\n([ \t]*)(?=" + _SURE_HEAD.pattern + ")")

_ODD_PAIRS: Final = {
    "&&": "write `and`",
    "||": "write `or`",
    "??": 'write `a or b`, or `config.get("key", default)`',
}
_ODD: Final = {
    "!": "write `not`",
    "&": "write `and`",
    "|": "write `or`",
    ";": "write each statement on a line of its own",
    "@": "a Flowfile has no decorators",
    "$": 'environment variables are read by `env("NAME", default)`; in shell text write `$NAME` as usual',
    "`": "write a string in quotes",
    "?": "write `a if test else b`",
    "~": "write `not`",
    "^": "write `**` for powers",
    "\\": "a backslash belongs into a string",
    "“": 'write plain quotes, `"`',
    "”": 'write plain quotes, `"`',
    "„": 'write plain quotes, `"`',
    "‘": "write plain quotes, `'`",
    "’": "write plain quotes, `'`",
    "«": 'write plain quotes, `"`',
    "»": 'write plain quotes, `"`',
    "−": "write the plain minus sign, `-`",
    "–": "write the plain minus sign, `-`",
    "×": "write `*`",
    "\u00a0": "this is a no-break space: write a plain one",
}


class Fault(NamedTuple):
    """Why a token is a FAULT; ``start`` and ``end`` is the range to be shown."""

    code: str
    message: str
    start: int
    end: int
    hint: str | None


class Level(NamedTuple):
    """A depth of indentation: its column and whether directives stand there (or statements)."""

    column: int
    directives: bool


@dataclass(slots=True)
class Tokens:
    """Token number i is ``kinds[i]``, written at ``[starts[i], ends[i])``; the last one is the end of the text.

    Attributes:
        comments: ranges of the comments, in order.
        faults: by number of a FAULT token, what is wrong there.
    """

    kinds: list[str] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    comments: list[tuple[int, int]] = field(default_factory=list)
    faults: dict[int, Fault] = field(default_factory=dict)


def tokenize(source: Source) -> Tokens:
    """The tokens of a whole Flowfile."""
    return _Lexer(source.text, 0, len(source.text), layout=True).run()


def tokenize_expression(source: Source, start: int, end: int) -> Tokens:
    """The tokens of a part of a source that holds one expression; line ends mean nothing there."""
    return _Lexer(source.text, start, end, layout=False).run()


class _Line(NamedTuple):
    """Where a logical line began, and what has to be known to begin reading after it again."""

    token: int
    levels: tuple[Level, ...]
    column: int
    block: bool
    directives: bool


class _Lexer:
    def __init__(self, text: str, start: int, end: int, *, layout: bool) -> None:
        self.text = text
        self.start = start
        self.end = end
        self.layout = layout
        self.tokens = Tokens()
        self.brackets: list[int] = []  # numbers of the tokens that opened them
        self.levels = [Level(0, False)]
        self.lines: list[_Line] = []
        self.open = False  # a logical line has begun and not ended
        self.column = 0  # where it began
        self.block = False  # its deeper lines are a body, not its value
        self.directives = False  # that body holds directives
        self.flat = False  # the innermost body is, by mistake, not indented
        self.words = KEYWORDS
        self.style = ""  # the character that indents this statement
        self.patience = 2 * (end - start)  # how many characters may still be read again after a mistake

    def run(self) -> Tokens:
        tokens, text, end, layout, brackets = self.tokens, self.text, self.end, self.layout, self.brackets
        kinds, starts, ends = tokens.kinds, tokens.starts, tokens.ends
        match, words = _TOKEN.match, self.words
        pos, fresh = self.start, layout
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
                    fresh = layout
                elif layout and _SURE_HEAD.match(text, pos):
                    pos = self.unclosed_bracket(pos)
                continue
            if group == _COMMENT and layout:
                tokens.comments.append((begin, pos))
                continue
            if fresh:
                fresh = False
                if self.begin_line(begin) and group == _NAME:
                    pos = self.head(found.group(_NAME), begin, pos)
                    words = self.words
                    continue
                words = self.words
            if group == _NAME:
                kind = words.get(found.group(_NAME), "NAME")
                kinds.append("NAME" if kinds and kinds[-1] == "DOT" else kind)
            elif group == _STRING:
                kinds.append("STRING")
            elif group == _SIGN:
                sign = found.group(_SIGN)
                if sign in "([{":
                    if len(brackets) >= MAX_NESTING:
                        pos = self.too_deep(begin)
                        continue
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
        return self.finish()

    def emit(self, kind: str, start: int, end: int) -> None:
        self.tokens.kinds.append(kind)
        self.tokens.starts.append(start)
        self.tokens.ends.append(end)

    def emit_layout(self, kind: str) -> None:
        at = self.tokens.ends[-1] if self.tokens.ends else self.start
        self.emit(kind, at, at)

    def fault(self, code: str, message: str, start: int, end: int, hint: str | None = None) -> None:
        """A FAULT token; of several in a row only the first is kept."""
        kinds = self.tokens.kinds
        if kinds and kinds[-1] == FAULT:
            self.tokens.ends[-1] = max(end, self.tokens.ends[-1])
            return
        self.tokens.faults[len(kinds)] = Fault(code, message, start, end, hint)
        self.emit(FAULT, start, end)

    def fault_line(self, code: str, message: str, start: int, end: int, hint: str | None = None) -> None:
        """A fault in a logical line of its own, so that the line after it is read as if nothing were wrong."""
        self.fault(code, message, start, end, hint)
        self.emit_layout(NEWLINE)

    # ── lines and blocks ─────────────────────────────────────────────────────────────────────────────────────────

    def begin_line(self, begin: int) -> bool:
        """Called at the first token of a line outside brackets: whether a new logical line begins with it."""
        line = self.text.rfind("\n", 0, begin) + 1
        indentation = self.text[line:begin]
        column = len(indentation.expandtabs(8))
        if self.open and not self.block and column > self.column:
            if column and indentation.strip(self.style or indentation[0]):
                self.mixed(indentation, line, begin)
            return False
        self.end_line()
        if self.block:
            self.block = False
            if column > self.column:
                self.levels.append(Level(column, self.directives))
                self.emit_layout(INDENT)
            elif self.directives and _DIRECTIVE.match(self.text, begin):
                self.flat_body(column, begin)
            else:
                self.empty_block()
        elif self.flat and column == self.levels[-1].column and not _DIRECTIVE.match(self.text, begin):
            self.flat = False
            self.levels.pop()
            self.emit_layout(DEDENT)
        self.words = KEYWORDS
        if not column:
            self.style = ""
        elif indentation.strip(self.style or indentation[0]):
            self.mixed(indentation, line, begin, own_line=True)
        else:
            self.style = indentation[0]
        self.dedent(column, line, begin)
        self.column = column
        self.open = True
        self.lines.append(_Line(len(self.tokens.kinds), tuple(self.levels), column, self.block, self.directives))
        return True

    def end_line(self) -> None:
        if self.open:
            self.emit_layout(NEWLINE)
            self.open = False

    def dedent(self, column: int, line: int, begin: int) -> None:
        """Close the blocks that a line in this column stands outside of."""
        levels = self.levels
        while column < levels[-1].column:
            if column > levels[-2].column:
                inner, outer = levels[-1].column, levels[-2].column
                self.fault_line(
                    "F008",
                    f"this indentation of {column} fits no block",
                    line,
                    begin,
                    f"the lines above it begin at {inner} and {outer}",
                )
                return
            levels.pop()
            self.emit_layout(DEDENT)
        if column > levels[-1].column:
            self.fault_line("F008", "the first statement is indented", line, begin, "begin it in the first column")
            levels[-1] = Level(column, levels[-1].directives)

    def mixed(self, indentation: str, line: int, begin: int, *, own_line: bool = False) -> None:
        """An indentation of tabs and spaces, in itself or beside the lines above it; told once in a statement."""
        other = {" ": "spaces", "\t": "tabs"}
        message = (
            "tabs and spaces are mixed in this indentation"
            if indentation.strip(indentation[0])
            else f"this line is indented with {other[indentation[0]]}, the lines above it with {other[self.style]}"
        )
        self.style = " \t"
        report = self.fault_line if own_line else self.fault
        report("F007", message, line, begin, "indent with spaces only")

    def flat_body(self, column: int, begin: int) -> None:
        """Directives in the column of their rule: read as its body, after a word about that."""
        self.emit_layout(INDENT)
        end = self.text.index(":", begin)
        word = self.text[begin:end].rstrip()
        self.fault_line("F008", f"`{word}` belongs into the rule above it", begin, end, "indent the body of a rule")
        self.levels.append(Level(column, True))
        self.flat = True

    def empty_block(self) -> None:
        """A body without lines, given to a header that no deeper line follows."""
        at = self.tokens.ends[-1]
        head = self.lines[-1]
        word = self.text[self.tokens.starts[head.token] : self.tokens.ends[head.token]]
        self.emit_layout(INDENT)
        hint = "a rule without action still needs an `input:`" if word in RULES else "indent what belongs to it"
        self.fault_line("F009", f"nothing indented follows this `{word}`", self.tokens.starts[head.token], at, hint)
        self.emit_layout(DEDENT)

    def head(self, word: str, begin: int, pos: int) -> int:
        """The first word of a logical line; returns where reading goes on."""
        if self.levels[-1].directives:
            if word == "run":
                found = _RUN.match(self.text, begin, self.end)
                if found:
                    return self.run_block(found)
                self.emit("RUN", begin, pos)
            else:
                self.emit(KEYWORDS.get(word, "NAME"), begin, pos)
            return pos
        self.emit(STATEMENTS.get(word) or KEYWORDS.get(word, "NAME"), begin, pos)
        self.words = LINE_WORDS.get(word, KEYWORDS)
        self.block = word in BLOCKS
        self.directives = word in RULES
        if word not in STATEMENTS and word not in FOREIGN and _MISSPELT_HEAD.match(self.text, begin, self.end):
            self.block = self.directives = did_you_mean(word, RULES) is not None
        return pos

    def run_block(self, found: re.Match[str]) -> int:
        """The Python text below `run:`, up to the first line that is not blank and not deeper."""
        begin, line_end = found.span()
        if found.group(1):
            self.tokens.comments.append(found.span(1))
        until = self.end
        for line in _CODE_LINE.finditer(self.text, line_end, self.end):
            if len(line.group(1).expandtabs(8)) <= self.column:
                until = line.start()
                break
        code = self.text[line_end + 1 : until].rstrip()
        self.emit("RUN", begin, begin + 3)
        colon = self.text.index(":", begin)
        self.emit("COLON", colon, colon + 1)
        if code:
            self.emit("CODE", line_end + 1, line_end + 1 + len(code))
        else:
            self.fault("F009", "nothing indented follows this `run`", begin, colon + 1, "indent its Python text")
        return until

    def finish(self) -> Tokens:
        if self.layout:
            self.end_line()
            if self.block:
                self.empty_block()
            while len(self.levels) > 1:
                self.levels.pop()
                self.emit_layout(DEDENT)
        self.emit(END, self.end, self.end)
        return self.tokens

    # ── brackets ─────────────────────────────────────────────────────────────────────────────────────────────────

    def unclosed_bracket(self, at: int) -> int:
        """Nothing closed the innermost bracket before ``at``: put a fault in its place, read on below its line."""
        tokens = self.tokens
        opener = self.brackets[-1]
        begin = tokens.starts[opener]
        sign = self.text[begin]
        self.cut(opener)
        self.fault("F005", f"this `{sign}` is never closed", begin, begin + 1, f"add `{_PARTNERS[sign]}`")
        return self.resume(begin, at) if self.layout else at

    def resume(self, begin: int, at: int) -> int:
        """Where to read on after a mistake that began at ``begin`` and was seen at ``at``."""
        found = self.next_line(begin, at)
        if at - found > self.patience:
            return at
        self.patience -= at - found
        comments = self.tokens.comments
        while comments and comments[-1][0] >= found:
            comments.pop()
        return found

    def next_line(self, begin: int, until: int) -> int:
        """The end of the line before the next one that is no part of this logical line: not deeper, or its body."""
        for line in _TEXT_LINE.finditer(self.text, begin, until):
            if self.block or len(line.group(1).expandtabs(8)) <= self.column:
                return line.start()
        return until

    def cut(self, token: int) -> None:
        """Forget a token, and all after it."""
        tokens = self.tokens
        for number in [number for number in tokens.faults if number >= token]:
            del tokens.faults[number]
        del tokens.kinds[token:], tokens.starts[token:], tokens.ends[token:]
        self.brackets.clear()

    def wrong_closer(self, sign: str, begin: int) -> int:
        """A closing bracket that closes nothing, or a bracket of another kind; the rest of its line is not read."""
        if self.brackets:
            opener = self.tokens.starts[self.brackets[-1]]
            message = f"`{sign}` does not close `{self.text[opener]}`"
            line = self.text.count("\n", 0, opener) + 1
            hint = f"`{self.text[opener]}` in line {line} wants `{_PARTNERS[self.text[opener]]}`"
        else:
            message, hint = f"this `{sign}` closes nothing", "remove it, or add the bracket that it should close"
        self.fault("F006", message, begin, begin + 1, hint)
        self.brackets.clear()
        return self.next_line(begin, self.end) if self.layout else self.end

    def too_deep(self, begin: int) -> int:
        self.fault(
            "F010", f"brackets are nested more than {MAX_NESTING} deep", begin, begin + 1, "name parts with `let`"
        )
        self.brackets.clear()
        return self.next_line(begin, self.end) if self.layout else self.end

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
            self.fault("F003", "a comment cannot stand here", begin, found.end(), "put it on a line of its own")
            return self.end
        return self.odd_character(text, begin)

    def number(self, text: str, begin: int) -> int:
        end = begin + len(text)
        if _PLAIN_NUMBER.fullmatch(text):
            self.emit("NUMBER", begin, end)
        elif _WITH_UNITS.fullmatch(text):
            self.emit("QUANTITY", begin, end)
        else:
            self.fault(
                "F011", f"`{clip(text)}` is no number", begin, end, "numbers are written `12`, `0.5`, `1e-3`, `16GB`"
            )
        return end

    def escaped(self, begin: int, pos: int, quote: str) -> int:
        """A string in single or double quotes with backslashes, or without an end in its line."""
        stops = _QUOTE_STOPS[quote]
        while True:
            stop = stops.search(self.text, pos, self.end)
            if stop is None or stop.group() == "\n":
                break
            pos = stop.end()
            if stop.group() == quote:
                self.emit("STRING", begin, pos)
                return pos
            pos += 1  # a backslash protects the character after it
        end = stop.start() if stop else self.end
        hint = f"add `{quote}`, or use {quote * 3} for text of several lines"
        self.fault("F004", "this string is never closed", begin, end, hint)
        if self.brackets:
            self.brackets.clear()
            return self.next_line(end, self.end) if self.layout else self.end
        return end

    def triple(self, begin: int, quote: str) -> int:
        """A triple-quoted string."""
        start = self.text.index(quote, begin) + 3
        end = closing_quote(self.text, quote, start, self.end)
        if end >= 0:
            self.emit("STRING", begin, end + 3)
            return end + 3
        return self.unclosed_triple(begin, quote)

    def unclosed_triple(self, begin: int, quote: str) -> int:
        """No closing quotes up to the end of the text: blame the first string that swallowed the head of a rule."""
        tokens, text = self.tokens, self.text
        number = len(tokens.kinds)
        for at, kind in enumerate(tokens.kinds):
            if kind != "STRING" or text[tokens.ends[at] - 3 : tokens.ends[at]] != quote:
                continue
            if self.layout and _SURE_HEAD_LINE.search(text, tokens.starts[at], tokens.ends[at]):
                number, begin = at, tokens.starts[at]
                break
        after = self.end
        self.cut(number)
        if self.layout:
            self.back_to_line_of(number)
            head = _SURE_HEAD_LINE.search(text, begin, self.end)
            after = head.start() if head else self.end
            if self.end - after > self.patience:
                after = self.end
            self.patience -= self.end - after
            while tokens.comments and tokens.comments[-1][0] >= begin:
                tokens.comments.pop()
        quotes = text.index(quote, begin) + 3
        self.fault("F004", "this string is never closed", begin, quotes, f"end it with {quote}")
        return after

    def back_to_line_of(self, token: int) -> None:
        """Restore what was known when the logical line of a token began."""
        while self.lines[-1].token > token:
            self.lines.pop()
        line = self.lines[-1]
        self.levels = list(line.levels)
        self.column, self.block, self.directives = line.column, line.block, line.directives
        self.open = True

    def odd_character(self, character: str, begin: int) -> int:
        """A character that no token begins with."""
        two = self.text[begin : begin + 2]
        end = begin + 1
        if two == "\\\n":
            message, hint = (
                "no `\\` is needed at the end of a line",
                "remove it: deeper-indented lines belong to the value",
            )
        elif two in _ODD_PAIRS:
            message, hint = f"`{two}` is no operator here", _ODD_PAIRS[two]
            end = begin + 2
        elif character in _ODD:
            message, hint = f"unexpected `{character}`", _ODD[character]
        elif character.isprintable():
            message, hint = f"unexpected `{character}`", None
        else:
            message, hint = f"unexpected character U+{ord(character):04X}", "remove it"
        self.fault("F002", message, begin, end, hint)
        return end


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
