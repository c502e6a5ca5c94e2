"""Directives of a rule that are values: inputs, params, resources, threads and the like."""

from __future__ import annotations

from typing import Final

from flowrules.expr.compile import Compiled
from flowrules.expr.data import kind_of
from flowrules.expr.scope import Scope
from flowrules.load.draft import Draft, Shapes
from flowrules.load.hints import UNITS, foreign_resource, missing_unit
from flowrules.load.names import Names
from flowrules.load.outputs import RuleFiles
from flowrules.load.problems import AlreadyTold, Problems
from flowrules.model.quantity import QuantityError, parse_quantity
from flowrules.model.rule import Entry, Evaluable
from flowrules.span import Span
from flowrules.syntax import tree
from flowrules.syntax.strings import decode

JOB: Final = frozenset({"wildcards"})
FILES: Final = JOB | {"input", "output", "log", "benchmark", "rule", "attempt"}
KNOWN_IN: Final = {
    "input": JOB,
    "retries": JOB,
    "priority": JOB,
    "threads": FILES,
    "resources": FILES | {"threads"},
    "params": FILES | {"threads", "resources"},
    "env": FILES | {"threads", "resources", "params"},
}
"""Names of a job that each directive may use: what is evaluated before it."""

_WHOLE: Final = {"threads": 1, "retries": 0}
"""Directives that are whole numbers, with the least one."""


class Values:
    """Compiles the values of one rule.

    Args:
        files: what the rule makes.
    """

    def __init__(self, draft: Draft, files: RuleFiles, names: Names, problems: Problems) -> None:
        self._draft = draft
        self._names = names
        self._problems = problems
        self._shapes = Shapes(problems)
        self._wildcards = None if files.broken else frozenset(files.wildcards)

    def scope(self, place: str) -> Scope:
        """The names a directive may use."""
        job_names = KNOWN_IN.get(place, frozenset())
        return self._names.scope(self._draft.origin, place, job_names, self._wildcards)

    def entries(self, directive: str) -> tuple[Entry, ...]:
        """The entries of `input`, `params`, `resources` or `env`."""
        items = self._draft.items(directive)
        if not items:
            return ()
        self._shapes.distinct(items, directive)
        if directive == "resources":
            items = tuple(self._shapes.named(items, "resources", "mem=16GB"))
        elif directive == "env":
            items = tuple(self._shapes.named(items, "env", 'OMP_NUM_THREADS="1"'))
        scope = self.scope(directive)
        found = []
        for item in items:
            if directive == "resources" and not self._resource(item):
                continue
            compiled = self._names.compile(item.value, scope)
            if compiled is not None:
                found.append(Entry(item.name, compiled, item.span, item.star))
        return tuple(found)

    def _resource(self, item: tree.Item) -> bool:
        """Whether a resource may be what it seems; says what is wrong where it is a plain number without its unit."""
        name, value = item.name, item.value
        if name is None:
            return True
        foreign = foreign_resource(name, value.span.text())
        if foreign is not None:
            self._problems.error("F225", foreign[0], item.span, foreign[1])
            return False
        if name not in UNITS:
            return True
        if isinstance(value, tree.Constant) and isinstance(value.value, int | float):
            message, hint = missing_unit(name, value.span.text())
            self._problems.error("F225", message, value.span, hint)
            return False
        if isinstance(value, tree.String) and "{" not in value.body and "f" not in value.prefix:
            try:
                parse_quantity(decode(value).value)
            except QuantityError as error:
                self._problems.error("F225", str(error), value.span)
                return False
        return True

    # ── single values ────────────────────────────────────────────────────────────────────────────────────────────

    def single(self, directive: str) -> Evaluable | None:
        """The value of `threads`, `retries` or `priority`."""
        found = self._draft.directives.get(directive)
        node = self._shapes.one(found) if found is not None else None
        if node is None:
            return None
        if directive in _WHOLE and not self._may_be_whole(directive, node):
            return None
        if directive == "priority" and isinstance(node, tree.String | tree.QuantityLiteral):
            self._problems.error("F224", "`priority` is a number", node.span)
            return None
        return self._names.compile(node, self.scope(directive))

    def _may_be_whole(self, directive: str, node: tree.Expr) -> bool:
        least = _WHOLE[directive]
        value = node.value if isinstance(node, tree.Constant) else None
        if isinstance(node, tree.Unary) and isinstance(node.value, tree.Constant):
            value = -1 if node.op == "-" else node.value.value
        wrong = isinstance(node, tree.String | tree.QuantityLiteral | tree.ListDisplay) or (
            isinstance(node, tree.Constant | tree.Unary)
            and (isinstance(value, bool) or not isinstance(value, int) or value < least)
            and (isinstance(node, tree.Constant) or value == -1)
        )
        if wrong:
            hint = f"write `{directive}: {max(least, 4)}`" if directive == "threads" else None
            message = f"`{directive}` is a whole number, at least {least}"
            self._problems.error("F224", message, node.span, hint)
        return not wrong

    def flag(self, directive: str) -> bool:
        """The value of `local`, `default` or `fresh`; false where it is not given."""
        found = self._draft.directives.get(directive)
        node = self._shapes.one(found) if found is not None else None
        if node is None:
            return False
        value, span = self.at_load(directive, node)
        if not isinstance(value, bool):
            self._problems.error("F224", f"`{directive}` is `true` or `false`, not {kind_of(value)}", span)
            return False
        return value

    def text(self, directive: str) -> str | None:
        """The value of `group` or `executable`."""
        found = self._draft.directives.get(directive)
        node = self._shapes.one(found) if found is not None else None
        if node is None:
            return None
        value, span = self.at_load(directive, node)
        if not isinstance(value, str) or not value.strip():
            hint = "it is one for all jobs of the rule, so it holds no wildcards" if "{" in span.text() else None
            self._problems.error("F224", f"`{directive}` is text, not {kind_of(value)}", span, hint)
            return None
        return value

    def at_load(self, directive: str, node: tree.Expr) -> tuple[object, Span]:
        """The value of an expression that is the same for all jobs, and its place.

        Raises:
            AlreadyTold: it has none; the reason is kept.
        """
        compiled: Compiled | None = self._names.compile(node, self._names.scope(self._draft.origin, directive))
        if compiled is None:
            raise AlreadyTold
        return self._names.evaluate(compiled), compiled.span
