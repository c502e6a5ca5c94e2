"""Directives of a rule that are values: inputs, params, resources, threads and the like."""

from __future__ import annotations

from typing import Final

from flowrules.expr.compile import Compiled
from flowrules.expr.data import kind_of
from flowrules.expr.scope import Scope
from flowrules.expr.world import World
from flowrules.load.draft import Draft, Shapes
from flowrules.load.hints import UNITS, foreign_resource, missing_unit
from flowrules.load.names import Names
from flowrules.load.outputs import RuleFiles
from flowrules.load.problems import AlreadyTold, Problems
from flowrules.model.pattern import Pattern
from flowrules.model.quantity import Quantity, QuantityError, parse_quantity
from flowrules.model.rule import Entry, Evaluable
from flowrules.model.values import Flagged, Unknown
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
        world: evaluates what does not depend on the job, to find mistakes before a plan is made; what rules make is
            unknown in it.
    """

    def __init__(self, draft: Draft, files: RuleFiles, names: Names, problems: Problems, world: World) -> None:
        self._draft = draft
        self._names = names
        self._problems = problems
        self._shapes = Shapes(problems)
        self._world = world
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
                self._try(directive, item.name, compiled)
        return tuple(found)

    def _try(self, directive: str, name: str | None, compiled: Compiled) -> None:
        """Evaluate what is the same for all jobs: inputs only where they may hold a wildcard they must not have."""
        if compiled.per_job or self._wildcards is None:
            return
        if directive == "input" and compiled.wild <= self._wildcards | {"*"}:
            return
        with self._names.kept():
            value = self._names.evaluate(compiled, self._world)
            for unbound in _unbound(value, self._wildcards):
                message = f"this holds the wildcard `{unbound}`, which is in no output of this rule"
                have = ", ".join(f"`{n}`" for n in sorted(self._wildcards))
                hint = f"it has {have}" if have else "its outputs have no wildcards; `expand` fills in lists of values"
                self._problems.error("F103", message, compiled.span, hint)
            if directive == "resources" and name is not None and name in UNITS:
                self._check_unit(name, value, compiled.span)

    def _check_unit(self, name: str, value: object, span: Span) -> None:
        """A resource that needs a unit and is computed."""
        if isinstance(value, str):
            try:
                value = parse_quantity(value)
            except QuantityError as error:
                self._problems.error("F225", str(error), span)
                return
        kind = "seconds" if name == "walltime" else "bytes"
        if value is None or isinstance(value, Unknown) or (isinstance(value, Quantity) and value.kind == kind):
            return
        if isinstance(value, int | float) and not isinstance(value, bool):
            hint = f"write `{name}={span.text()} * 1{UNITS[name]}` if that is what you mean"
            self._problems.error("F225", f"`{name}` needs a unit, this is {kind_of(value)}", span, hint)
        else:
            wanted = "a time such as `20min`" if kind == "seconds" else "a size such as `16GB`"
            other = {"bytes": "a size", "seconds": "a time"}
            found = other[value.kind] if isinstance(value, Quantity) else kind_of(value)
            self._problems.error("F225", f"`{name}` is {wanted}, not {found}", span)

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
        compiled = self._names.compile(node, self.scope(directive))
        if compiled is not None and not compiled.per_job:
            with self._names.kept():
                self._check_number(directive, self._names.evaluate(compiled, self._world), compiled.span)
        return compiled

    def _check_number(self, directive: str, value: object, span: Span) -> None:
        if isinstance(value, Unknown):
            return
        least = _WHOLE.get(directive)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if least is None and not is_number:
            self._problems.error("F224", f"`{directive}` is a number, not {kind_of(value)}", span)
        elif least is not None and not (is_number and value == int(value) >= least):  # type: ignore[call-overload]
            hint = f"write `{directive}: {max(least, 4)}`" if directive == "threads" else None
            message = f"`{directive}` is a whole number, at least {least}, not {kind_of(value)}"
            self._problems.error("F224", message, span, hint)

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


def _unbound(value: object, bound: frozenset[str]) -> list[str]:
    """Wildcards of the patterns in a value that are not among those bound, each once."""
    found: dict[str, None] = {}
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, Pattern):
            found.update(dict.fromkeys(name for name in item.names if name not in bound))
        elif isinstance(item, Flagged):
            waiting.append(item.value)
        elif isinstance(item, list | tuple):
            waiting.extend(item)
    return list(found)
