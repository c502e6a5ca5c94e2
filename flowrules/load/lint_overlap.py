"""Two rules whose wildcards can name the same file, shown with such a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from flowrules.errors import Diagnostic, Related
from flowrules.load.crosscheck import goes_before
from flowrules.model.overlap import common_path
from flowrules.model.pattern import Matcher, Pattern
from flowrules.model.rule import Output, Rule
from flowrules.model.workflow import Workflow

MOST_PAIRS: Final = 20_000
"""How many pairs of patterns are compared; more belong to generated text that nobody reads warnings about."""

MOST_VALUES: Final = 30
"""How many listed values of a wildcard are tried."""


class _Made(NamedTuple):
    """A file with wildcards that a rule makes."""

    rule: Rule
    output: Output
    matcher: Matcher


def overlap_warnings(workflow: Workflow) -> Iterator[Diagnostic]:
    """A warning for each two rules that can make one file where no `ruleorder` says which goes first."""
    fixed = {output.path for rule in workflow.rules for output in rule.outputs if isinstance(output.path, str)}
    made = [
        _Made(rule, output, Matcher(output.path, rule.wildcards, rule.constraints, rule.choices))
        for rule in workflow.rules
        for output in (*rule.outputs, *rule.logs, *rule.benchmarks)
        if isinstance(output.path, Pattern)
    ]
    before = goes_before(workflow.order)
    told: set[frozenset[str]] = set()
    for one, other in _pairs(made):
        names = frozenset({one.rule.name, other.rule.name})
        settled = other.rule.name in before.get(one.rule.name, ()) or one.rule.name in before.get(other.rule.name, ())
        if len(names) == 1 or names in told or settled:
            continue
        try:
            path = _common(one, other)
        except TimeoutError:
            continue
        if path is None or path in fixed:
            continue
        told.add(names)
        first, second = sorted((one, other), key=lambda m: m.rule.index)
        special, general = sorted((first, second), key=lambda m: -_fixed_length(m.matcher.pattern))
        yield Diagnostic(
            "L007",
            f"rules `{first.rule.name}` and `{second.rule.name}` can both make `{path}`",
            second.output.span,
            f"write `ruleorder {special.rule.name} > {general.rule.name}`, or constrain their wildcards",
            (Related(f"the other pattern, of rule `{first.rule.name}`", first.output.span),),
            severity="warning",
        )


def _fixed_length(pattern: Pattern) -> int:
    """How many characters of a pattern are fixed: the more, the more special it is."""
    return sum(len(part) for part in pattern.parts if isinstance(part, str))


def _pairs(made: list[_Made]) -> Iterator[tuple[_Made, _Made]]:
    """Pairs whose literal ends allow a common path: the shorter beginning begins the longer one, so do the ends."""
    made = sorted(made, key=lambda m: m.matcher.prefix)
    count = 0
    for i, one in enumerate(made):
        for j in range(i + 1, len(made)):
            other = made[j]
            if not other.matcher.prefix.startswith(one.matcher.prefix):
                break
            count += 1
            if count > MOST_PAIRS:
                return
            if one.matcher.suffix.endswith(other.matcher.suffix) or other.matcher.suffix.endswith(one.matcher.suffix):
                yield one, other


def _common(one: _Made, other: _Made) -> str | None:
    """A path that both patterns match; listed values of a wildcard are tried one by one."""
    for first in _bound(one):
        for second in _bound(other):
            path: str | None
            if isinstance(first, str):
                path = first
            elif isinstance(second, str):
                path = second
            else:
                regexes = (_of(first, one), _of(second, other))
                matchers = Matcher(first, first.names, regexes[0]), Matcher(second, second.names, regexes[1])
                path = common_path(*matchers, regexes)
            if path is not None and all(made.matcher.match(path) is not None for made in (one, other)):
                return path
    return None


def _of(pattern: Pattern, made: _Made) -> Mapping[str, str]:
    return {name: regex for name, regex in made.rule.constraints.items() if name in pattern.names}


def _bound(made: _Made) -> Iterator[Pattern | str]:
    """The pattern with the first wildcard that has listed values filled in, once for each; itself where none has."""
    pattern = made.matcher.pattern
    listed = next((name for name in pattern.names if name in made.rule.choices), None)
    if listed is None:
        yield pattern
        return
    for value in sorted(made.rule.choices[listed])[:MOST_VALUES]:
        yield pattern.bind({listed: value})
