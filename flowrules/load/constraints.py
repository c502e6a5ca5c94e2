"""`wildcards:`: regular expressions, or lists of the values a wildcard may take."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from flowrules.errors import suggestion
from flowrules.expr.compile import Compiled
from flowrules.expr.data import items_of
from flowrules.load.collect import CAPITALS, Origin
from flowrules.load.draft import Shapes
from flowrules.load.names import Names
from flowrules.load.problems import Problems
from flowrules.span import Span
from flowrules.syntax import tree
from flowrules.syntax.strings import decode

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Constraints:
    """A regular expression for some wildcards, the allowed values for others."""

    regexes: Mapping[str, str] = field(default_factory=dict)
    choices: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def limited(self, names: Collection[str]) -> Constraints:
        """Those of the given wildcards."""
        if not self.regexes and not self.choices:
            return self
        return Constraints(
            {n: r for n, r in self.regexes.items() if n in names}, {n: c for n, c in self.choices.items() if n in names}
        )

    def under(self, closer: Constraints) -> Constraints:
        """Both; for a wildcard that both constrain the closer ones count."""
        if not closer.regexes and not closer.choices:
            return self
        taken = {*closer.regexes, *closer.choices}
        regexes = {n: r for n, r in self.regexes.items() if n not in taken}
        choices = {n: c for n, c in self.choices.items() if n not in taken}
        return Constraints({**regexes, **closer.regexes}, {**choices, **closer.choices})


NO_CONSTRAINTS: Final = Constraints()


def read_constraints(
    items: Sequence[tree.Item],
    origin: Origin,
    names: Names,
    problems: Problems,
    known: Collection[str] | None = None,
) -> Constraints:
    """The constraints of a `wildcards:` statement or directive.

    Args:
        known: wildcards of the rule; None where any may be named.
    """
    if not items:
        return NO_CONSTRAINTS
    shapes = Shapes(problems)
    shapes.distinct(tuple(items), "wildcards")
    scope = names.scope(origin, "wildcards", raw=True)
    regexes: dict[str, str] = {}
    choices: dict[str, frozenset[str]] = {}
    for item in shapes.named(tuple(items), "wildcards", 'sample = "[a-z]+"'):
        if item.name is None:
            problems.error("F214", "`**` cannot stand in `wildcards`", item.span, "write each as `name = …`")
            continue
        if not _is_wildcard(item, problems, known):
            continue
        with names.kept():
            compiled = names.compile(item.value, scope)
            if compiled is not None:
                _take(item, names.evaluate(compiled), compiled, regexes, choices, problems)
    return Constraints(regexes, choices)


def _is_wildcard(item: tree.Item, problems: Problems, known: Collection[str] | None) -> bool:
    name, span = item.name, item.name_span
    assert name is not None
    if CAPITALS.fullmatch(name):
        hint = f"names in capitals are `let`s: write `{name.lower()}`"
        problems.error("F214", f"`{name}` is no name of a wildcard", span, hint)
        return False
    if known is not None and name not in known:
        have = ", ".join(f"`{n}`" for n in known)
        hint = suggestion(name, known) or (f"it has {have}" if have else "its outputs have no wildcards")
        problems.error("F214", f"this rule has no wildcard `{name}`", span, hint)
        return False
    return True


def _take(
    item: tree.Item,
    value: object,
    compiled: Compiled,
    regexes: dict[str, str],
    choices: dict[str, frozenset[str]],
    problems: Problems,
) -> None:
    assert item.name is not None
    values = None if isinstance(value, str) else items_of(value)
    if isinstance(value, str):
        if check_regex(value, item.value, problems):
            regexes[item.name] = value
    elif values is not None and all(isinstance(v, str | int) and not isinstance(v, bool) for v in values):
        choices[item.name] = frozenset(str(v) for v in values)
    else:
        message = f"the constraint of `{item.name}` is neither a regular expression nor a list of values"
        problems.error("F214", message, compiled.span, 'write `"[a-z]+"`, or a list such as `["a", "b"]`')


def check_regex(regex: str, node: tree.Expr, problems: Problems) -> bool:
    """Whether a regular expression can be used; what is wrong is told at its place in the string."""
    control = _CONTROL.search(regex)
    if control is not None:
        message = "a constraint holds a control character"
        problems.error("F213", message, _within(node, regex, control.start()), 'keep the backslashes: write `r"…"`')
        return False
    try:
        compiled = re.compile(regex)
    except (re.error, RecursionError, OverflowError) as error:
        message = str(getattr(error, "msg", "") or error)
        at = getattr(error, "pos", None)
        problems.error("F213", f"no valid regular expression: {message}", _within(node, regex, at))
        return False
    if compiled.groups and re.search(r"\\[1-9]|\(\?P=|\(\?\(", regex):
        message = "a constraint cannot refer to a group of its own"
        problems.error(
            "F213", message, _within(node, regex, None), "use the wildcard twice: the same name matches the same text"
        )
        return False
    if regex and compiled.fullmatch("") is not None:
        problems.warn("W213", "this matches the empty text too, which a wildcard never is", _within(node, regex, None))
    return True


def _within(node: tree.Expr, regex: str, at: int | None) -> Span:
    """The place of a character of a decoded string, where the node is one."""
    if at is None or not isinstance(node, tree.String):
        return node.span
    text = decode(node)
    if text.value != regex or not text.value:
        return node.span
    at = min(at, len(text.value) - 1)
    return text.span(at, at + 1)
