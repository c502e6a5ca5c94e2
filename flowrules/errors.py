"""What can go wrong, told so that a user knows where, what, and what to do.

FlowrulesError                  exit status 2 unless said otherwise
├── FlowfileError               a mistake in a Flowfile, its config or its plan; carries diagnostics
├── UsageError                  a mistake in the call
├── BatchError                  a batch system refused, or did not answer
│   └── BatchFull               it has as many batch jobs as it takes now
└── StateError                  the state folder cannot be used
    └── DirectoryHeld           another flowrules holds the directory (exit status 3)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Literal

from flowrules.span import Span

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Related:
    """A second place that explains a diagnostic, such as the other of two definitions."""

    message: str
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One mistake or risk, complete enough to be shown to a person or a program.

    Attributes:
        code: a key of `flowrules.codes.CODES`, such as ``F104``.
        message: what is wrong, one sentence without a full stop, lower case first letter.
        span: where; None where no text of the author is to blame.
        hint: what to do; None where the message says it.
        related: other places, in the order in which they help.
        chain: the rules and targets that led here, outermost first.
    """

    code: str
    message: str
    span: Span | None = None
    hint: str | None = None
    related: tuple[Related, ...] = ()
    chain: tuple[str, ...] = ()
    severity: Severity = "error"


class FlowrulesError(Exception):
    """Whatever ends the program with a message and a documented exit status."""

    exit_code: ClassVar[int] = 2

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class FlowfileError(FlowrulesError):
    """One or more mistakes in what the author wrote."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__("; ".join(d.message for d in self.diagnostics))


class UsageError(FlowrulesError):
    """The call asks for something that does not exist or does not fit together."""


class BatchError(FlowrulesError):
    """A batch system refused something, or did not answer in time or in whole.

    Attributes:
        final: it refused: asking again does not help. Otherwise it is not known what became of what was asked.
    """

    def __init__(self, message: str, hint: str | None = None, *, final: bool = False) -> None:
        super().__init__(message, hint)
        self.final = final


class BatchFull(BatchError):
    """A limit of batch jobs at once is reached: refused, but it may be asked again when one of them has ended."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message, hint, final=True)


class StateError(FlowrulesError):
    """The state folder is damaged, of a newer version, or cannot be written."""


class DirectoryHeld(StateError):
    """Another flowrules works in this directory."""

    exit_code = 3


def fail(code: str, message: str, span: Span | None = None, hint: str | None = None) -> FlowfileError:
    """A FlowfileError of one diagnostic, to be raised by the caller."""
    return FlowfileError([Diagnostic(code, message, span, hint)])


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """The known word nearest to a misspelt one, or None where nothing is near.

    Transposed and dropped letters of short names count as near; case does not matter.
    """
    from difflib import get_close_matches  # only mistakes need it

    words = sorted(set(known))
    folded = {w.lower(): w for w in reversed(words)}
    near = get_close_matches(word.lower(), folded, n=1, cutoff=0.7 if len(word) > 4 else 0.6)
    return folded[near[0]] if near else None


def suggestion(word: str, known: Iterable[str]) -> str | None:
    """A hint that offers the nearest known word, or None."""
    near = did_you_mean(word, known)
    return f"did you mean `{near}`?" if near and near != word else None
