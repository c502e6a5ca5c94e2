"""Collects what is wrong, so that one load tells every independent mistake."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from flowrules.errors import Diagnostic, FlowfileError, Related
from flowrules.expr.world import BudgetSpent
from flowrules.span import Span

MAX_MISTAKES: Final = 100


class AlreadyTold(FlowfileError):
    """Something has no value because of a mistake that is kept already."""

    def __init__(self) -> None:
        super().__init__(())


class Enough(BudgetSpent):
    """So many mistakes that more of them help nobody: the load ends."""


class Problems:
    """Errors and warnings of one load, each once: the same words about the same place are one mistake."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, Span | None, str], Diagnostic] = {}

    def __len__(self) -> int:
        """How many errors there are."""
        return sum(d.severity == "error" for d in self._found.values())

    def error(self, code: str, message: str, span: Span | None, hint: str | None = None, *related: Related) -> None:
        self.add(Diagnostic(code, message, span, hint, related))

    def warn(self, code: str, message: str, span: Span | None, hint: str | None = None) -> None:
        self.add(Diagnostic(code, message, span, hint, severity="warning"))

    def add(self, *diagnostics: Diagnostic) -> None:
        for d in diagnostics:
            self._found.setdefault((d.message, d.span, d.severity), d)
        if len(self._found) >= MAX_MISTAKES and len(self) >= MAX_MISTAKES:
            message = f"{MAX_MISTAKES} mistakes; the rest is not looked for"
            raise Enough([Diagnostic("F013", message, None, "mend these first")])

    def withdraw(self, code: str, beginning: str) -> None:
        """Forget mistakes of which something better is told: those of a code whose message begins so."""
        for key, d in [*self._found.items()]:
            if d.code == code and d.message.startswith(beginning):
                del self._found[key]

    def all(self, files: Iterable[str] = ()) -> tuple[Diagnostic, ...]:
        """Everything found, errors and warnings, in the order of the files given, others after them, and of places."""
        order = {name: i for i, name in enumerate(files)}
        for d in self._found.values():
            order.setdefault(d.span.source.name if d.span else "", len(order))
        return tuple(sorted(self._found.values(), key=lambda d: _place(d, order)))


def _place(d: Diagnostic, order: dict[str, int]) -> tuple[int, int, int]:
    if d.span is None:
        return (-1, 0, 0)
    return (order[d.span.source.name], d.span.start, d.span.end)
