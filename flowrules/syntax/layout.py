"""Logical lines and blocks: which lines of text belong to one statement or directive, and which to its body."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from flowrules.errors import did_you_mean
from flowrules.syntax.tokens import DEDENT, INDENT, LAYOUT, NEWLINE, Tokens
from flowrules.syntax.words import BLOCKS, DIRECTIVES, FOREIGN, KEYWORDS, LINE_WORDS, RULES, STATEMENTS

MAX_BLOCKS: Final = 50
TAB: Final = 8

_DIRECTIVE: Final = re.compile(rf"(?:{'|'.join(sorted(DIRECTIVES))})[ \t]*:")
_MISSPELT_HEAD: Final = re.compile(r"[^\W\d]\w*[ \t]+[^\W\d]\w*[ \t]*:[ \t]*(?:#[^\n]*)?(?=\n|$)")


class Level(NamedTuple):
    """A depth of indentation: its column and whether directives stand there (or statements)."""

    column: int
    directives: bool


class _Line(NamedTuple):
    """What was known when a logical line began with a token."""

    token: int
    levels: tuple[Level, ...]
    column: int


class Layout:
    """Follows the indentation of a text and puts the tokens of layout among the others.

    Attributes:
        column: where the present logical line begins.
        block: whether its deeper lines are its body, not its value.
        words: the words that are reserved in it.
        too_deep: whether blocks are nested so deep that the rest had better not be read.
    """

    def __init__(self, text: str, tokens: Tokens) -> None:
        self.text = text
        self.tokens = tokens
        self.column = 0
        self.block = False
        self.words = KEYWORDS
        self.too_deep = False
        self._levels = [Level(0, False)]
        self._lines: list[_Line] = []
        self._open = False  # a logical line has begun and not ended
        self._directives = False  # its body holds directives
        self._flat = False  # the innermost body is, by mistake, not indented
        self._style = ""  # the character that indents this statement

    def begin_line(self, begin: int) -> bool:
        """Called at the first token of a line of text outside brackets: whether a new logical line begins with it."""
        line = self.text.rfind("\n", 0, begin) + 1
        indentation = self.text[line:begin]
        column = width(indentation)
        if self._open and not self.block and column > self.column:
            if indentation.strip(self._style or indentation[0]):
                self._mixed(indentation, line, begin)
            return False
        self._end_line()
        if self.block:
            self._enter_block(column, begin)
        elif self._flat and column == self._levels[-1].column and not _DIRECTIVE.match(self.text, begin):
            self._flat = False
            self._levels.pop()
            self.tokens.emit_layout(DEDENT)
        if not column:
            self._style = ""
        elif indentation.strip(self._style or indentation[0]):
            self._mixed(indentation, line, begin, own_line=True)
        else:
            self._style = indentation[0]
        self._dedent(column, line, begin)
        self.words = KEYWORDS
        self.column = column
        self._open = True
        if self._levels[-1].directives:
            self.tokens.directive_lines.add(begin)
        self._lines.append(_Line(len(self.tokens.kinds), tuple(self._levels), column))
        return True

    def head(self, word: str, begin: int, end: int) -> None:
        """Emit the word that a logical line begins with, and tell what that makes of the line."""
        if self.in_rule():
            self.tokens.emit("RUN" if word == "run" else KEYWORDS.get(word, "NAME"), begin, end)
            return
        self.tokens.emit(STATEMENTS.get(word) or KEYWORDS.get(word, "NAME"), begin, end)
        self.words = LINE_WORDS.get(word, KEYWORDS)
        self.block = word in BLOCKS
        self._directives = word in RULES
        if word not in STATEMENTS and word not in FOREIGN and _MISSPELT_HEAD.match(self.text, begin):
            self.block = self._directives = did_you_mean(word, RULES) is not None

    def in_rule(self) -> bool:
        """Whether directives stand where the present logical line begins."""
        return self._levels[-1].directives

    def finish(self) -> None:
        """Close what is open where reading ends."""
        if self.tokens.kinds and self.tokens.kinds[-1] not in LAYOUT:
            self.tokens.emit_layout(NEWLINE)
        if self.block:
            self._empty_block()
        while len(self._levels) > 1:
            self._levels.pop()
            self.tokens.emit_layout(DEDENT)

    def back_to_line_of(self, token: int) -> None:
        """Restore what was known when the logical line of a token had begun; it is no header."""
        while self._lines[-1].token > token:
            self._lines.pop()
        line = self._lines[-1]
        self._levels = list(line.levels)
        self.column, self.block, self._open, self._flat = line.column, False, True, False

    def _end_line(self) -> None:
        if self._open:
            self.tokens.emit_layout(NEWLINE)
            self._open = False

    def _enter_block(self, column: int, begin: int) -> None:
        """The line after a header."""
        self.block = False
        if column > self.column:
            self._levels.append(Level(column, self._directives))
            self.tokens.emit_layout(INDENT)
            if len(self._levels) > MAX_BLOCKS:
                self.too_deep = True
                message = f"blocks are nested more than {MAX_BLOCKS} deep"
                self.tokens.fault_line("F010", message, begin, begin + 1, "join tests with `and`")
        elif self._directives and _DIRECTIVE.match(self.text, begin):
            self._flat_body(column, begin)
        else:
            self._empty_block()

    def _flat_body(self, column: int, begin: int) -> None:
        """Directives in the column of their rule: read as its body, after a word about that."""
        self.tokens.emit_layout(INDENT)
        end = self.text.index(":", begin)
        word = self.text[begin:end].rstrip()
        self.tokens.fault_line(
            "F008", f"`{word}` belongs into the rule above it", begin, end, "indent the body of a rule"
        )
        self._levels.append(Level(column, True))
        self._flat = True

    def _empty_block(self) -> None:
        """A body without lines, given to a header that no deeper line follows."""
        tokens = self.tokens
        start, end = tokens.starts[self._lines[-1].token], tokens.ends[-1]
        word = self.text[start : tokens.ends[self._lines[-1].token]]
        is_header = tokens.kinds[-2] == "COLON"  # else that is the first mistake
        tokens.emit_layout(INDENT)
        if is_header:
            hint = "a rule without action still needs an `input:`" if word in RULES else "indent what belongs to it"
            tokens.fault_line("F009", f"nothing indented follows this `{word}`", start, end, hint)
        tokens.emit_layout(DEDENT)

    def _dedent(self, column: int, line: int, begin: int) -> None:
        """Close the blocks that a line in this column stands outside of."""
        levels = self._levels
        while column < levels[-1].column:
            if len(levels) == 1:  # the first statement was indented, which was told
                levels[0] = Level(column, False)
                return
            if column > levels[-2].column:
                hint = f"the lines above it begin at {levels[-1].column} and {levels[-2].column}"
                self.tokens.fault_line("F008", f"this indentation of {column} fits no block", line, begin, hint)
                return
            levels.pop()
            self._flat = False
            self.tokens.emit_layout(DEDENT)
        if column > levels[-1].column:
            hint = "begin it in the first column"
            self.tokens.fault_line("F008", "the first statement is indented", line, begin, hint)
            levels[-1] = Level(column, levels[-1].directives)

    def _mixed(self, indentation: str, line: int, begin: int, *, own_line: bool = False) -> None:
        """An indentation of tabs and spaces, in itself or beside the lines above it; told once in a statement."""
        names = {" ": "spaces", "\t": "tabs"}
        message = (
            "tabs and spaces are mixed in this indentation"
            if indentation.strip(indentation[0])
            else f"this line is indented with {names[indentation[0]]}, the lines above it with {names[self._style]}"
        )
        self._style = " \t"
        report = self.tokens.fault_line if own_line else self.tokens.fault
        report("F007", message, line, begin, "indent with spaces only")


def width(indentation: str) -> int:
    """The column after blanks."""
    return len(indentation.expandtabs(TAB))
