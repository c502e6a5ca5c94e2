"""Collects what is wrong with a plan; what is wrong a thousand times in the same way is told once, with a count."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from typing import Final

from flowrules.errors import Diagnostic, FlowfileError, Related

MOST_ERRORS: Final = 20
"""How many kinds of mistakes are told at once; the rest is counted."""

MOST_NAMED: Final = 3
"""How many further cases of a mistake are named."""


@dataclass(slots=True)
class _Kind:
    """One mistake and what it is about: the subjects of further cases, each once, and how many cases there are."""

    diagnostic: Diagnostic
    subject: str
    others: dict[str, None] = field(default_factory=dict)
    cases: int = 1


class Mistakes:
    """The mistakes of one plan."""

    def __init__(self) -> None:
        self._kinds: dict[Hashable, _Kind] = {}
        self._uncounted = 0

    def add(self, kind: Hashable, subject: str, tell: Callable[[], Diagnostic]) -> None:
        """One case of a kind of mistake.

        Args:
            subject: what this case is about, as the note on further cases shows it.
            tell: makes the diagnostic; called for the first case only.
        """
        known = self._kinds.get(kind)
        if known is not None:
            known.cases += 1
            if subject != known.subject and len(known.others) <= MOST_NAMED:
                known.others[subject] = None
        elif len(self._kinds) < MOST_ERRORS:
            self._kinds[kind] = _Kind(tell(), subject)
        else:
            self._uncounted += 1

    def refuse(self) -> None:
        """Raises FlowfileError where there are mistakes."""
        if not self._kinds:
            return
        shown = [_with_others(kind) for kind in self._kinds.values()]
        if self._uncounted:
            shown.append(Diagnostic("F509", f"{self._uncounted:,} more errors of planning are not shown"))
        raise FlowfileError(shown)


def _with_others(kind: _Kind) -> Diagnostic:
    more = kind.cases - 1
    if not more:
        return kind.diagnostic
    if kind.others:
        named = ", ".join([*kind.others][:MOST_NAMED])
        left = more - min(len(kind.others), MOST_NAMED)
        note = f"{more:,} more like it: {named}" + (", …" if left > 0 else "")
    else:
        note = f"{more:,} more " + ("job needs it" if more == 1 else "jobs need it")
    return replace(kind.diagnostic, related=(*kind.diagnostic.related, Related(note)))
