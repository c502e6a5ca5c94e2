"""Which rules can make a path: one dictionary look-up per distinct length of prefix and suffix, then a match.

The cost of a look-up does not grow with the number of rules whose patterns begin or end differently.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flowrules.errors import Diagnostic, FlowfileError
from flowrules.model.pattern import Matcher, Pattern
from flowrules.model.rule import Output, Rule

Candidate = tuple[Rule, tuple[str, ...]]
"""A rule with the wildcard values, in the order of its ``wildcards``, for which it makes a path."""


class RuleIndex:
    """Answers who can make a path. Logs and benchmark files count as made by their job."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._fixed: dict[str, Rule] = {}
        self._tables: dict[tuple[int, int], dict[tuple[str, str], list[tuple[Rule, Matcher]]]] = {}
        self._fixed_folders: dict[str, Rule] = {}
        self._folders: list[tuple[Rule, Matcher]] = []
        self.checkpoint_outputs: list[tuple[Rule, Output]] = []
        for rule in rules:
            for output in (*rule.outputs, *rule.logs, *rule.benchmarks):
                self._add(rule, output)
            if rule.checkpoint:
                self.checkpoint_outputs += [(rule, output) for output in rule.outputs]
        self._shapes = sorted(self._tables.items())
        self._has_folders = bool(self._fixed_folders or self._folders)

    def _add(self, rule: Rule, output: Output) -> None:
        if isinstance(output.path, str):
            self._fixed.setdefault(output.path, rule)
            if output.flags.directory:
                self._fixed_folders.setdefault(output.path, rule)
            return
        matcher = Matcher(output.path, rule.wildcards, rule.constraints, rule.choices)
        shape = (len(matcher.prefix), len(matcher.suffix))
        table = self._tables.setdefault(shape, {})
        table.setdefault((matcher.prefix, matcher.suffix), []).append((rule, matcher))
        if output.flags.directory:
            self._folders.append((rule, matcher))

    def candidates(self, path: str) -> list[Candidate]:
        """Every rule that can make a path, each with its wildcard values, in the order of the workflow.

        A rule without wildcards owns its files: then it is the only one.

        Raises:
            FlowfileError: a constraint takes too long to match.
        """
        rule = self._fixed.get(path)
        if rule is not None:
            return [(rule, ())]
        found: list[Candidate] = []
        length = len(path)
        for (before, after), table in self._shapes:
            if before + after >= length:
                continue
            entries = table.get((path[:before], path[length - after :]))
            if entries is not None:
                for rule, matcher in entries:
                    try:
                        values = matcher.match(path)
                    except TimeoutError:
                        raise _too_slow(rule, matcher, path) from None
                    if values is not None and (rule, values) not in found:
                        found.append((rule, values))
        if self._has_folders:
            found += [c for c in self._folder_owners(path) if c not in found]
        if len(found) > 1:
            found.sort(key=lambda c: c[0].index)
        return found

    def _folder_owners(self, path: str) -> Iterator[Candidate]:
        """Rules with a `directory()` output that holds a path."""
        at = path.rfind("/")
        while at > 0:
            folder = path[:at]
            rule = self._fixed_folders.get(folder)
            if rule is not None:
                yield rule, ()
            for owner, matcher in self._folders:
                try:
                    values = matcher.match(folder)
                except TimeoutError:
                    raise _too_slow(owner, matcher, folder) from None
                if values is not None:
                    yield owner, values
            at = path.rfind("/", 0, at)


def _too_slow(rule: Rule, matcher: Matcher, path: str) -> FlowfileError:
    """The mistake that a constraint of a rule's output can take for ever."""
    outputs = (*rule.outputs, *rule.logs, *rule.benchmarks)
    span = next((output.span for output in outputs if output.path is matcher.pattern), rule.span)
    message = f"a constraint of rule `{rule.name}` takes too long to match `{path}`"
    hint = "nested repetition such as `(a+)+` is the usual cause"
    return FlowfileError([Diagnostic("F122", message, span, hint)])


def may_overlap(a: Pattern, b: Pattern) -> bool:
    """Whether two patterns look as if some path matched both (by their literal ends)."""
    n, m = min(len(a.prefix), len(b.prefix)), min(len(a.suffix), len(b.suffix))
    return a.prefix[:n] == b.prefix[:n] and (m == 0 or a.suffix[-m:] == b.suffix[-m:])
