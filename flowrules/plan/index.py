"""Which rules can make a path: one dictionary look-up per distinct length of prefix, then of suffix, then a match.

The cost of a look-up does not grow with the number of rules whose patterns begin or end differently.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from flowrules.errors import Diagnostic, FlowfileError
from flowrules.model.pattern import Matcher, Pattern
from flowrules.model.rule import Output, Rule

Values = tuple[str, ...]
Candidate = tuple[Rule, Values]
"""A rule with the wildcard values, in the order of its ``wildcards``, for which it makes a path."""


_Entry = tuple[Rule, Matcher]


class RuleIndex:
    """Answers who can make a path. Logs and benchmark files count as made by their job."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._fixed: dict[str, Rule] = {}
        self._tables: dict[int, dict[str, dict[int, dict[str, list[_Entry]]]]] = {}
        self._fixed_folders: dict[str, Rule] = {}
        self._folders: list[tuple[Rule, Matcher]] = []
        self.checkpoint_outputs: list[tuple[Rule, Output]] = []
        for rule in rules:
            for output in (*rule.outputs, *rule.logs, *rule.benchmarks):
                self._add(rule, output)
            if rule.checkpoint:
                self.checkpoint_outputs += [(rule, output) for output in rule.outputs]
        self._lengths = [
            (before, {prefix: sorted(of_prefix.items()) for prefix, of_prefix in prefixes.items()})
            for before, prefixes in sorted(self._tables.items())
        ]
        self._has_folders = bool(self._fixed_folders or self._folders)

    def _add(self, rule: Rule, output: Output) -> None:
        if isinstance(output.path, str):
            self._fixed.setdefault(output.path, rule)
            if output.flags.directory:
                self._fixed_folders.setdefault(output.path, rule)
            return
        matcher = Matcher(output.path, rule.wildcards, rule.constraints, rule.choices)
        prefix, suffix = matcher.prefix, matcher.suffix
        of_prefix = self._tables.setdefault(len(prefix), {}).setdefault(prefix, {})
        of_prefix.setdefault(len(suffix), {}).setdefault(suffix, []).append((rule, matcher))
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
        for rule, matcher in self._alike(path):
            try:
                values = matcher.match(path)
            except TimeoutError:
                raise _too_slow(rule, matcher, path) from None
            if values is not None and (rule, values) not in found and not _strays(rule, values):
                found.append((rule, values))
        if self._has_folders:
            found += [c for c in self._folder_owners(path) if c not in found]
        if len(found) > 1:
            found.sort(key=lambda c: c[0].index)
        return found

    def _alike(self, path: str) -> Iterator[_Entry]:
        """The patterns that begin and end like a path."""
        length = len(path)
        for before, prefixes in self._lengths:
            for after, table in prefixes.get(path[:before], ()):
                if before + after < length:
                    yield from table.get(path[length - after :], ())

    def assign(
        self, paths: Iterable[str]
    ) -> tuple[dict[int, tuple[list[str], list[Values]]], dict[str, list[Candidate]], list[str]]:
        """Who can make each of many paths: as `candidates`, sorted by what comes of it.

        Returns:
            Paths with one candidate, by the number of its rule: the paths, and the wildcard values of each; paths with
            several; paths that no rule makes.

        Raises:
            FlowfileError: a constraint takes too long to match.
        """
        alone: dict[int, tuple[list[str], list[Values]]] = {}
        several: dict[str, list[Candidate]] = {}
        nobody: list[str] = []
        fixed, lengths = self._fixed, self._lengths if not self._has_folders else []
        shared: dict[str, Values] = {}
        for path in paths:
            entry = None
            if path not in fixed:
                length, alike = len(path), 0
                for before, prefixes in lengths:
                    for after, table in prefixes.get(path[:before], ()):
                        entries = table.get(path[length - after :]) if before + after < length else None
                        if entries is not None:
                            alike += len(entries)
                            entry = entries[0]
                if alike == 0 and not self._has_folders:
                    nobody.append(path)
                    continue
                if alike == 1 and entry is not None and entry[1].bare:
                    rule, matcher = entry
                    value = path[len(matcher.prefix) : length - len(matcher.suffix)]
                    if value[0] not in "/." and value[-1] not in "/." and ".." not in value:
                        values = shared.get(value)
                        if values is None:
                            values = shared[value] = (value,)
                        listed = alone.get(rule.index)
                        if listed is None:
                            listed = alone[rule.index] = ([], [])
                        listed[0].append(path)
                        listed[1].append(values)
                        continue
            found = self.candidates(path)
            if not found:
                nobody.append(path)
            elif len(found) > 1:
                several[path] = found
            else:
                listed = alone.setdefault(found[0][0].index, ([], []))
                listed[0].append(path)
                listed[1].append(found[0][1])
        return alone, several, nobody

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
                if values is not None and not _strays(owner, values):
                    yield owner, values
            at = path.rfind("/", 0, at)


def _strays(rule: Rule, values: Values) -> bool:
    """Whether with these values a file of the rule would lie outside of the folder its pattern starts in.

    No value has a part `..`, but one that begins or ends with a dot or a slash may complete one: `{a}.{b}` for `.` and
    `/x`.
    """
    for value in values:  # a loop, as every file that is asked for comes here
        if value[0] in "/." or value[-1] in "/.":
            break
    else:
        return False
    of = dict(zip(rule.wildcards, values, strict=True))
    patterns = (output.path for output in (*rule.outputs, *rule.logs, *rule.benchmarks))
    return any(_leads_out(pattern, of) for pattern in patterns if isinstance(pattern, Pattern))


def _leads_out(pattern: Pattern, of: Mapping[str, str]) -> bool:
    written = "".join(part if isinstance(part, str) else "x" for part in pattern.parts)
    filled = "".join(part if isinstance(part, str) else of[part.name] for part in pattern.parts)
    ups, more = written.split("/").count(".."), filled.split("/").count("..")
    return more > ups or (filled[0] == "/" and written[0] != "/")


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
