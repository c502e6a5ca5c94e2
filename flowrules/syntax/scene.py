"""A token that the grammar does not allow, with what stands around it: what the explanations of mistakes look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flowrules.errors import Diagnostic, Related
from flowrules.span import Source, Span
from flowrules.syntax.tokens import Tokens

OPENERS = frozenset({"LPAR", "LSQB", "LBRACE"})
CLOSERS = frozenset({"RPAR", "RSQB", "RBRACE"})
VALUE_STARTS = frozenset({"NAME", "NUMBER", "QUANTITY", "STRING", "TRUE", "FALSE", "NULL"}) | OPENERS
VALUE_ENDS = frozenset({"NAME", "NUMBER", "QUANTITY", "STRING", "TRUE", "FALSE", "NULL"}) | CLOSERS
LONGEST_QUOTE = 40


@dataclass(slots=True)
class Scene:
    """Tokens are told by their numbers.

    Attributes:
        line: the first token of the logical line.
        end: the token that ends that line.
        at: the token that cannot stand where it does.
        expected: what could stand there (a key per symbol of the grammar).
    """

    source: Source
    tokens: Tokens
    line: int
    end: int
    at: int
    expected: Mapping[str, int]

    def kind(self, token: int) -> str:
        """The kind of a token; "" outside the logical line."""
        return self.tokens.kinds[token] if self.line <= token <= self.end else ""

    def word(self, token: int) -> str:
        """What is written there; "" outside the logical line."""
        if not self.line <= token <= self.end:
            return ""
        return self.source.text[self.tokens.starts[token] : self.tokens.ends[token]]

    def quoted(self, first: int, last: int | None = None) -> str:
        """What is written there, in backquotes, on one line and not too long."""
        last = first if last is None else last
        text = " ".join(self.source.text[self.tokens.starts[first] : self.tokens.ends[last]].split())
        return f"`{text if len(text) <= LONGEST_QUOTE else text[: LONGEST_QUOTE - 1] + '…'}`"

    def span(self, first: int, last: int | None = None) -> Span:
        last = first if last is None else last
        return Span(self.source, self.tokens.starts[first], self.tokens.ends[last])

    def begins_text_line(self, token: int) -> bool:
        """Whether only blanks stand before a token in its line of text."""
        start = self.tokens.starts[token]
        before = self.source.text.rfind("\n", 0, start) + 1
        return not self.source.text[before:start].strip(" \t")

    def same_text_line(self, first: int, second: int) -> bool:
        return "\n" not in self.source.text[self.tokens.ends[first] : self.tokens.starts[second]]

    def touching(self, first: int, second: int) -> bool:
        return self.tokens.ends[first] == self.tokens.starts[second]

    def opener(self, token: int) -> int | None:
        """The bracket that a token stands in."""
        depth = 0
        for number in range(token - 1, self.line - 1, -1):
            kind = self.tokens.kinds[number]
            if kind in CLOSERS:
                depth += 1
            elif kind in OPENERS:
                if depth == 0:
                    return number
                depth -= 1
        return None

    def item_end(self, token: int) -> int:
        """The last token before the comma or closing bracket that ends what begins at a token."""
        depth = 0
        for number in range(token, self.end):
            kind = self.tokens.kinds[number]
            if kind in OPENERS:
                depth += 1
            elif kind in CLOSERS or (kind == "COMMA" and depth == 0):
                if depth == 0:
                    return number - 1
                depth -= 1
        return self.end - 1

    def in_rule(self) -> bool:
        """Whether the line stands where directives do."""
        return self.tokens.starts[self.line] in self.tokens.directive_lines

    def say(
        self, code: str, message: str, span: Span, hint: str | None = None, related: tuple[Related, ...] = ()
    ) -> Diagnostic:
        return Diagnostic(code, message, span, hint, related)
