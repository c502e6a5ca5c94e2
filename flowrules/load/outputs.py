"""The files of a rule that are known at load: outputs, logs, benchmarks, and the constraints of their wildcards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from flowrules.errors import Related, fail
from flowrules.expr.section import evaluate_section
from flowrules.expr.world import NO_JOB
from flowrules.load.constraints import NO_CONSTRAINTS, Constraints, read_constraints
from flowrules.load.draft import FILES, Draft, Shapes
from flowrules.load.names import Names
from flowrules.load.problems import AlreadyTold, Problems
from flowrules.model.pattern import Pattern, Wildcard
from flowrules.model.rule import Entry, Output
from flowrules.model.values import NO_FLAGS, Flags
from flowrules.span import Span
from flowrules.syntax import tree

MAX_WILDCARDS: Final = 100
"""Most places of wildcards in one path: each costs the matching of names a group."""

_MEANT: Final = {
    "log": "a log is kept as it is, also when the job fails",
    "benchmark": "a benchmark file is kept as it is",
}


@dataclass(frozen=True, slots=True)
class RuleFiles:
    """What a rule makes.

    Attributes:
        wildcards: names in order of first appearance.
        constraints: the workflow's, the rule's own and those written inline, merged.
        broken: some entry could not be computed, which is told: nothing can be said about wildcards.
    """

    outputs: tuple[Output, ...] = ()
    logs: tuple[Output, ...] = ()
    benchmarks: tuple[Output, ...] = ()
    wildcards: tuple[str, ...] = ()
    constraints: Constraints = NO_CONSTRAINTS
    broken: bool = False

    def section(self, name: str) -> tuple[Output, ...]:
        """The files of `output`, `log` or `benchmark`."""
        return {"output": self.outputs, "log": self.logs, "benchmark": self.benchmarks}[name]

    def all(self) -> tuple[Output, ...]:
        return (*self.outputs, *self.logs, *self.benchmarks)


@dataclass(slots=True)
class FilesTable:
    """The files of all rules, each worked out when first asked for, since rules may name one another's."""

    drafts: Mapping[str, Draft]
    names: Names
    problems: Problems
    shared: Constraints
    _done: dict[str, RuleFiles] = field(default_factory=dict)
    _active: list[str] = field(default_factory=list)

    def of(self, draft: Draft) -> RuleFiles:
        """The files of a rule."""
        found = self._done.get(draft.name)
        if found is None:
            self._active.append(draft.name)
            try:
                found = _Reader(draft, self.names, self.problems, self.shared).read()
            finally:
                self._active.pop()
            self._done[draft.name] = found
        return found

    def files(self, rule: str, section: str) -> Sequence[Output] | None:
        """Answers `rules.x.output`; None where there is no such rule.

        Raises:
            FlowfileError: the files of the rule cannot be computed.
        """
        draft = self.drafts.get(rule)
        if draft is None:
            if self.names.found.blind or rule in self.names.found.lost:
                raise AlreadyTold
            return None
        if rule in self._active:
            ring = " → ".join(f"`{name}`" for name in [*self._active[self._active.index(rule) :], rule])
            raise fail("F221", f"these rules need one another's files to name their own: {ring}", draft.place("output"))
        found = self.of(draft)
        if found.broken:
            raise AlreadyTold
        return found.section(section)


class _Reader:
    """Works out the files of one rule."""

    def __init__(self, draft: Draft, names: Names, problems: Problems, shared: Constraints) -> None:
        self._draft = draft
        self._names = names
        self._problems = problems
        self._shared = shared
        self._broken = draft.site.damaged

    def read(self) -> RuleFiles:
        sections = {name: self._section(name) for name in FILES}
        everything = [output for name in FILES for output in sections[name]]
        wildcards = self._wildcards(sections)
        self._check_twice(everything)
        own = self._constraints(wildcards)
        constraints = self._shared.limited(wildcards).under(own).under(self._inline(everything))
        return RuleFiles(
            tuple(sections["output"]),
            tuple(sections["log"]),
            tuple(sections["benchmark"]),
            wildcards,
            constraints,
            self._broken,
        )

    # ── paths ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _section(self, section: str) -> list[Output]:
        draft = self._draft
        items = draft.items(section)
        if not items:
            return []
        Shapes(self._problems).distinct(items, section)
        scope = self._names.scope(draft.origin, section)
        found: list[Output] = []
        for item in items:
            value = self._names.compile(item.value, scope)
            if value is not None:
                with self._names.kept():
                    entry = Entry(item.name, value, item.span, item.star)
                    for part in evaluate_section([entry], self._names.world, NO_JOB):
                        found += self._outputs(section, part.name, part.files, item.value)
                    continue
            self._broken = True
        return found

    def _outputs(
        self, section: str, name: str | None, files: Sequence[tuple[object, Flags]], node: tree.Expr
    ) -> list[Output]:
        found = []
        span = node.span
        for path, flags in files:
            if not isinstance(path, str | Pattern):
                continue  # nothing is unknown at load
            self._check_flags(flags, section, span)
            if not flags.directory and isinstance(node, tree.String) and node.body.endswith("/"):
                hint = f"write `directory({span.text()})`"
                self._problems.error("F216", "a path that ends in `/` is a folder", span, hint)
            elif isinstance(path, Pattern) and len(path.parts) > MAX_WILDCARDS and _places(path) > MAX_WILDCARDS:
                self._problems.error("F216", f"a path with more than {MAX_WILDCARDS} wildcards", span)
                self._broken = True
                continue
            elif "\n" in (path if isinstance(path, str) else str(path)):
                self._problems.error("F216", "a path holds a line end", span)
            found.append(Output(path, span, name, flags))
        return found

    def _check_flags(self, flags: Flags, section: str, span: Span) -> None:
        if flags == NO_FLAGS:
            return
        if section in _MEANT:
            self._problems.error("F222", f"`{section}` takes no flags", span, _MEANT[section])
        elif flags.ancient:
            hint = "`ancient` belongs to an input whose time shall not count"
            self._problems.error("F222", "an output cannot be `ancient`", span, hint)
        elif flags.temp and flags.protected:
            self._problems.error("F222", "an output cannot be both `temp` and `protected`", span)
        elif flags.temp and self._draft.node.kind == "checkpoint":
            hint = "it is read while the plan is made, also by later runs: remove `temp`"
            self._problems.error("F222", "an output of a checkpoint cannot be `temp`", span, hint)
        elif flags.directory and flags.sha256 is not None:
            self._problems.error("F222", "a directory has no `sha256`", span)

    # ── wildcards ────────────────────────────────────────────────────────────────────────────────────────────────

    def _wildcards(self, sections: Mapping[str, Sequence[Output]]) -> tuple[str, ...]:
        """The wildcards that all files of the rule carry."""
        files = [(name, output) for name in FILES for output in sections[name]]
        if not files or self._broken:
            return tuple(dict.fromkeys(w for _, output in files for w in _names_of(output.path)))
        first_section, first = files[0]
        wanted = _names_of(first.path)
        for section, output in files[1:]:
            names = _names_of(output.path)
            if set(names) == set(wanted):
                continue
            lacks = [w for w in wanted if w not in names]
            more = [w for w in names if w not in wanted]
            if lacks:
                message = f"this `{section}` lacks the wildcard{_list(lacks)} of the first `{first_section}`"
            else:
                message = f"this `{section}` has the wildcard{_list(more)}, the first `{first_section}` has not"
            hint = "the files of a rule carry the same wildcards, else two of its jobs would write one file"
            related = Related(f"the first `{first_section}`", first.span)
            self._problems.error("F217", message, output.span, hint, related)
            self._broken = True
        return tuple(dict.fromkeys(w for _, output in files for w in _names_of(output.path)))

    def _check_twice(self, files: Sequence[Output]) -> None:
        seen: dict[str, Output] = {}
        for output in files:
            text = str(output.path)
            if text in seen:
                message = f"`{text}` is twice among the files of rule `{self._draft.name}`"
                self._problems.error("F218", message, output.span, None, Related("first here", seen[text].span))
            seen.setdefault(text, output)

    # ── constraints ──────────────────────────────────────────────────────────────────────────────────────────────

    def _constraints(self, wildcards: tuple[str, ...]) -> Constraints:
        items = self._draft.items("wildcards")
        known = None if self._broken else wildcards
        return read_constraints(items, self._draft.origin, self._names, self._problems, known)

    def _inline(self, files: Sequence[Output]) -> Constraints:
        """Constraints written in a pattern hold for the wildcard wherever the rule has it."""
        found: dict[str, tuple[str, Span]] = {}
        for output in files:
            for part in output.path.parts if isinstance(output.path, Pattern) else ():
                if not isinstance(part, Wildcard) or part.constraint is None:
                    continue
                other, place = found.setdefault(part.name, (part.constraint, output.span))
                if other != part.constraint:
                    message = f"the wildcard `{part.name}` has two constraints, `{other}` and `{part.constraint}`"
                    self._problems.error("F213", message, output.span, None, Related("the other is here", place))
        return Constraints({name: regex for name, (regex, _) in found.items()}, {})


def _names_of(path: Pattern | str) -> tuple[str, ...]:
    return () if isinstance(path, str) else path.names


def _places(path: Pattern) -> int:
    return sum(isinstance(part, Wildcard) for part in path.parts)


def _list(names: Sequence[str]) -> str:
    return ("s " if len(names) > 1 else " ") + ", ".join(f"`{name}`" for name in names)
