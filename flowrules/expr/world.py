"""What compiled expressions are evaluated in: constants, configuration, reading, and a budget that bounds it all."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from flowrules.errors import Diagnostic, FlowfileError, Related, fail
from flowrules.model.rule import Evaluable
from flowrules.ports import Reader
from flowrules.span import Span

BUDGET = 20_000_000
"""Steps a load may take: about two seconds, and below half a gigabyte."""

NO_JOB: Mapping[str, object] = MappingProxyType({})
_MISSING = object()


class BudgetSpent(FlowfileError):
    """The world's budget is spent: whoever collects errors should stop here."""


class Meter:
    """Counts steps down. An evaluated node costs one, a list element two, eight characters of new text one.

    Args:
        budget: how many steps may be taken.
    """

    __slots__ = ("left",)

    def __init__(self, budget: int = BUDGET) -> None:
        self.left = budget

    def take(self, steps: int, span: Span | None) -> None:
        """Pay for work that is about to be done.

        Raises:
            BudgetSpent: the budget does not cover it.
        """
        self.left -= steps
        if self.left < 0:
            raise self.spent(span)

    def text(self, length: int, span: Span | None, plain: bool = True) -> None:
        """Pay for new text of so many characters (``plain``: they are all ASCII)."""
        if length >= 64:
            self.take(length >> (3 if plain else 1), span)

    def grow(self, steps: int) -> None:
        """Add to the budget, as for each job that is planned."""
        self.left += steps

    def spent(self, span: Span | None) -> BudgetSpent:
        """The error to raise when nothing is left."""
        self.left = 0
        message = "this takes too many steps or too much memory to compute"
        hint = 'expressions are for small computations: compute it in a rule, or in Python (`import "helpers.py" as h`)'
        return BudgetSpent([Diagnostic("F118", message, span, hint)])


class World:
    """The surroundings of an evaluation. Constants are evaluated when first needed, and once.

    Args:
        reader: answers for files.
        lets: constants by name, as in `Workflow.lets`.
        config: the merged configuration.
        meter: the budget; a fresh one by default.
        modules: imported Python modules by the name they have in Flowfiles.
        env: variables that `env` may read; None where it is refused.
    """

    __slots__ = (
        "_active",
        "_failed",
        "_lets",
        "config",
        "env",
        "meter",
        "modules",
        "reader",
        "reads",
        "values",
        "warnings",
    )

    def __init__(
        self,
        reader: Reader,
        lets: Mapping[str, Evaluable] | None = None,
        config: Mapping[str, object] | None = None,
        *,
        meter: Meter | None = None,
        modules: Mapping[str, object] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.reader = reader
        self.config: Mapping[str, object] = config if config is not None else {}
        self.meter = meter if meter is not None else Meter()
        self.modules: Mapping[str, object] = modules if modules is not None else {}
        self.env = env
        self.values: dict[str, object] = {}
        self.reads: dict[str, Span] = {}
        """Every path that was asked for, with the first place that asked."""
        self.warnings: dict[Diagnostic, None] = {}
        self._lets: Mapping[str, Evaluable] = lets if lets is not None else {}
        self._active: dict[str, Span] = {}
        self._failed: dict[str, FlowfileError] = {}

    def let(self, name: str, span: Span) -> object:
        """The value of a constant.

        Args:
            span: the place that asks, for errors.

        Raises:
            FlowfileError: it cannot be computed, or needs itself. The same error is raised at every use.
        """
        value = self.values.get(name, _MISSING)
        if value is not _MISSING:
            return value
        if name in self._failed:
            raise self._failed[name]
        if name in self._active:
            raise self._circle(name, span)
        self._active[name] = span
        try:
            value = self._lets[name](self, NO_JOB)
        except FlowfileError as error:
            self._failed[name] = error
            raise
        finally:
            del self._active[name]
        self.values[name] = value
        return value

    def warn(self, diagnostic: Diagnostic) -> None:
        """Remember something noticed that is no error; the same one only once."""
        self.warnings[diagnostic] = None

    def _circle(self, name: str, span: Span) -> FlowfileError:
        names = list(self._active)
        ring = names[names.index(name) :]
        message = f"`{name}` needs itself: " + " → ".join(f"`{n}`" for n in [*ring, name][:12])
        related = tuple(Related(f"`{n}` is used here", self._active[n]) for n in ring[1:6])
        error = fail("F126", message, span, "a `let` cannot be computed from its own value")
        return FlowfileError([Diagnostic("F126", message, span, error.diagnostics[0].hint, related)])
