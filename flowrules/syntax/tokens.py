"""Tokens as columns of numbers, and the faults among them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple

MAX_MISTAKES: Final = 100
MAX_TOKENS: Final = 1_500_000
MAX_MARKS: Final = 200_000

NEWLINE: Final = "_NEWLINE"
INDENT: Final = "_INDENT"
DEDENT: Final = "_DEDENT"
LAYOUT: Final = frozenset({NEWLINE, INDENT, DEDENT})
FAULT: Final = "FAULT"


class Fault(NamedTuple):
    """Why a token is a FAULT.

    Attributes:
        start: with ``end``, the range to be shown.
        opener: where the bracket stands that explains it.
    """

    code: str
    message: str
    start: int
    end: int
    hint: str | None
    opener: int | None = None


@dataclass(slots=True)
class Tokens:
    """Token number i is ``kinds[i]``, written at ``[starts[i], ends[i])``; the last one is the end of the text.

    Attributes:
        comments: ranges of the comments, in order.
        faults: by number of a FAULT token, what is wrong there.
        directive_lines: where the logical lines begin that stand in a rule.
        mistakes: how many logical lines have a fault.
    """

    kinds: list[str] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    comments: list[tuple[int, int]] = field(default_factory=list)
    faults: dict[int, Fault] = field(default_factory=dict)
    directive_lines: set[int] = field(default_factory=set)
    mistakes: int = 0
    _faulty: bool = False  # the present logical line

    def emit(self, kind: str, start: int, end: int) -> None:
        self.kinds.append(kind)
        self.starts.append(start)
        self.ends.append(end)

    def emit_layout(self, kind: str) -> None:
        """A token without width, right after the one before it."""
        at = self.ends[-1] if self.ends else 0
        self.emit(kind, at, at)
        if kind == NEWLINE:
            self._faulty = False

    def fault(
        self, code: str, message: str, start: int, end: int, hint: str | None = None, opener: int | None = None
    ) -> None:
        """A FAULT token; of several in a row only the first is kept."""
        if self.kinds and self.kinds[-1] == FAULT:
            self.ends[-1] = max(end, self.ends[-1])
            return
        if not self._faulty:
            self._faulty = True
            self.mistakes += 1
        self.faults[len(self.kinds)] = Fault(code, message, start, end, hint, opener)
        self.emit(FAULT, start, end)

    def fault_line(self, code: str, message: str, start: int, end: int, hint: str | None = None) -> None:
        """A fault in a logical line of its own, so that the line after it is read as if nothing were wrong."""
        self.fault(code, message, start, end, hint)
        self.emit_layout(NEWLINE)

    def cut(self, token: int) -> None:
        """Forget a token, and all after it."""
        for number in [number for number in self.faults if number >= token]:
            del self.faults[number]
        del self.kinds[token:], self.starts[token:], self.ends[token:]

    def forget_comments(self, offset: int) -> None:
        """Forget the comments that begin at or after an offset; they will be read again."""
        while self.comments and self.comments[-1][0] >= offset:
            self.comments.pop()
