"""A rule taken apart: its directives by name, checked for what can be said before anything is evaluated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from flowrules.errors import Related, did_you_mean, suggestion
from flowrules.load.collect import Origin, Site
from flowrules.load.problems import Problems
from flowrules.span import Span
from flowrules.syntax import tree

ACTIONS: Final = ("shell", "script", "run", "call", "template")
FILES: Final = ("output", "log", "benchmark")
DIRECTIVES: Final = frozenset(
    {
        *ACTIONS,
        *FILES,
        *("input", "params", "threads", "resources", "retries", "priority", "group", "local", "wildcards"),
        *("message", "env", "default", "fresh", "executable"),
    }
)
LATER: Final = frozenset({"container", "conda", "modules", "shadow", "cache", "depfile"})
"""Directives of the language that this version does not have yet."""

_HABITS: Final[Mapping[str, str]] = {
    "wildcard_constraints": "write `wildcards:`",
    "default_target": "write `default: true`",
    "localrule": "write `local: true`",
    "singularity": "",
    "envmodules": "",
    "notebook": 'convert it to a script: `script: "x.py"`',
    "wrapper": 'call a script of your own: `script: "x.py"`',
    "name": "the name stands after `rule`",
    "version": "",
    "mem": "write `resources: mem=16GB`",
    "walltime": "write `resources: walltime=20min`",
    "time": "write `resources: walltime=20min`",
    "gpus": "write `resources: gpus=1`",
    "cpus": "write `threads: 8`",
    "cores": "write `threads: 8`",
    "cmd": "write `shell:`",
    "command": "write `shell:`",
    "exec": "write `shell:`",
    "constraints": "write `wildcards:`",
}


@dataclass(slots=True)
class Draft:
    """A rule while it is put together.

    Attributes:
        directives: by name, the first of each.
        action: the directive or block that says what is done.
    """

    site: Site
    node: tree.Rule
    index: int
    directives: dict[str, tree.Directive] = field(default_factory=dict)
    action: tree.Directive | tree.RunBlock | None = None

    @property
    def name(self) -> str:
        return self.node.name

    @property
    def origin(self) -> Origin:
        return self.site.origin

    def items(self, name: str) -> tuple[tree.Item, ...]:
        """The items of a directive; none where the rule lacks it."""
        directive = self.directives.get(name)
        return directive.items if directive is not None else ()

    def place(self, name: str) -> Span:
        """Where a directive's name stands, else the rule's."""
        directive = self.directives.get(name)
        return directive.name_span if directive is not None else self.node.name_span


def draft_of(site: Site, index: int, problems: Problems) -> Draft:
    """Take a rule apart."""
    node = site.node
    assert isinstance(node, tree.Rule)
    draft = Draft(site, node, index)
    seen: dict[str, Span] = {}
    for directive in node.directives:
        name = "run" if isinstance(directive, tree.RunBlock) else directive.name
        if name in seen:
            first = Related("first given here", seen[name])
            problems.error("F202", f"`{name}` is given twice in rule `{draft.name}`", directive.name_span, None, first)
            continue
        seen[name] = directive.name_span
        if name not in DIRECTIVES:
            _unknown(name, directive.name_span, problems)
            continue
        if name in ACTIONS:
            _set_action(draft, directive, problems)
        elif isinstance(directive, tree.Directive):
            draft.directives[name] = directive
    return draft


def _unknown(name: str, span: Span, problems: Problems) -> None:
    if name in LATER:
        problems.error("F204", f"`{name}` is not available in this version yet", span)
        return
    hint = _HABITS.get(name)
    if hint is None:
        hint = suggestion(name, DIRECTIVES) or "known are " + ", ".join(f"`{n}`" for n in sorted(DIRECTIVES))
    problems.error("F201", f"unknown directive `{name}`", span, hint or None)


def _set_action(draft: Draft, directive: tree.Directive | tree.RunBlock, problems: Problems) -> None:
    if draft.action is None:
        draft.action = directive
        return
    first = draft.action.name if isinstance(draft.action, tree.Directive) else "run"
    second = directive.name if isinstance(directive, tree.Directive) else "run"
    related = Related(f"`{first}` is here", draft.action.name_span)
    message = f"rule `{draft.name}` has two actions, `{first}` and `{second}`"
    problems.error("F203", message, directive.name_span, "a rule has one action: make two rules", related)


class Shapes:
    """Checks of how the items of a directive are written."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems

    def one(self, directive: tree.Directive) -> tree.Expr | None:
        """The value of a directive that takes exactly one."""
        name = directive.name
        if not directive.items:
            self._problems.error("F223", f"`{name}` has no value", directive.name_span)
            return None
        first = directive.items[0]
        if first.name is not None or first.star:
            self._problems.error("F223", f"`{name}` takes one value without a name", first.span)
            return None
        if len(directive.items) > 1:
            self._problems.error("F223", f"`{name}` takes one value", directive.items[1].span)
            return None
        return first.value

    def named(self, items: tuple[tree.Item, ...], what: str, example: str) -> list[tree.Item]:
        """The items of a directive whose entries all have names."""
        kept = []
        for item in items:
            if item.name is None and item.star != 2:
                self._problems.error("F223", f"entries of `{what}` have names", item.span, f"write `{example}`")
            else:
                kept.append(item)
        return kept

    def distinct(self, items: tuple[tree.Item, ...], what: str) -> None:
        """Names in capitals, and names given twice."""
        seen: dict[str, Span] = {}
        for item in items:
            if item.name is None or item.name_span is None:
                continue
            if item.name in seen:
                first = Related("first given here", seen[item.name])
                message = f"the name `{item.name}` is given twice in `{what}`"
                self._problems.error("F223", message, item.name_span, None, first)
            seen.setdefault(item.name, item.name_span)


def near_rule(name: str, known: Mapping[str, object]) -> str | None:
    """A hint for a rule name that does not exist."""
    near = did_you_mean(name, known)
    return f"did you mean `{near}`?" if near else None
