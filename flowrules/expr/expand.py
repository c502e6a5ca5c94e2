"""`expand`: patterns filled with the product of lists of values, or with pairs of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from math import prod
from typing import Final

from flowrules.errors import fail, suggestion
from flowrules.expr.access import attribute, element
from flowrules.expr.data import OpenList, Row, gathered, items_of, text_of
from flowrules.expr.operators import merged
from flowrules.expr.site import Site
from flowrules.expr.world import World
from flowrules.model.pattern import Pattern, Wildcard, pattern_of
from flowrules.model.values import Unknown

Texts = Sequence[str | Pattern]
HABIT: Final = "names that are not given stay wildcards anyway"


def expand(world: World, site: Site, paired: bool, patterns: object, given: Mapping[str, object]) -> object:
    """Every pattern filled with every combination of the values of the names in it.

    Args:
        paired: the first values together, the second together, and so on, instead of all combinations.
        given: for each name a list of values (text, numbers, rows), or one.

    Raises:
        FlowfileError: a name is in no pattern, lists to be paired differ in length, a value has no text.
    """
    listed = patterns if isinstance(patterns, list) else items_of(patterns)
    wanted: list[object] = [patterns] if isinstance(patterns, str) or listed is None else list(listed)
    values: dict[str, list[object]] = {}
    waits: list[object] = [p for p in wanted if isinstance(p, Unknown)]
    for name, value in given.items():
        values[name] = _values(value)
        waits += [v for v in values[name] if isinstance(v, Unknown)]
        values[name] = [v for v in values[name] if not isinstance(v, Unknown)]
    if paired and not waits:
        _check_lengths(site, values)
    used: set[str] = set()
    out: list[object] = []
    for pattern in wanted:
        if isinstance(pattern, Pattern):
            used.update(name.split(".")[0] for name in pattern.names)
            out += _filled(world, site, pattern, values, paired)
        elif isinstance(pattern, str):
            out.append(pattern)
        elif not isinstance(pattern, Unknown):
            raise site.misfit("a pattern or a list of patterns", pattern)
    for name in given:
        if name not in used and wanted and not waits:
            hint = suggestion(name, used) or "its patterns have no such wildcard"
            raise site.fail("F108", f"`{name}` is in no pattern of this `expand`", hint)
    return OpenList([*out, merged(*waits)]) if waits else gathered(out)


def _values(value: object) -> list[object]:
    if isinstance(value, str | Row):
        return [value]
    items = items_of(value)
    return [value] if items is None else list(items)


def _check_lengths(site: Site, values: Mapping[str, list[object]]) -> None:
    lengths = {name: len(items) for name, items in values.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"`{name}` has {length}" for name, length in lengths.items())
        raise site.fail("F108", f"lists that are paired with `zip` are of one length: {told}")


def _filled(
    world: World, site: Site, pattern: Pattern, values: Mapping[str, list[object]], paired: bool
) -> Sequence[str | Pattern]:
    """One pattern filled; wildcards that are not given stay."""
    holes = [part for part in pattern.parts if isinstance(part, Wildcard)]
    roots = [hole.name.split(".")[0] for hole in holes]
    names = [name for name in values if name in roots]
    lengths = [len(values[name]) for name in names]
    count = min(lengths, default=1) if paired else prod(lengths)
    literal = sum(len(part) for part in pattern.parts if isinstance(part, str))
    world.meter.take(min(count, 1 << 62) * ((3 if len(holes) == 1 else 8) + (literal >> 3)), site.span)
    columns = {
        hole.name: _column(world, site, hole.name, values[root])
        for hole, root in zip(holes, roots, strict=True)
        if root in values
    }
    for column in columns.values():
        total = sum(len(text) if isinstance(text, str) else 64 for text in column)
        world.meter.take((total // max(len(column), 1)) * count >> 3, site.span)
    simple = len(columns) == len(set(h.name for h in holes)) and all(
        set(map(type, c)) <= {str} for c in columns.values()
    )
    if simple and len(names) == 1 and len(holes) == 1:
        before, after = pattern.prefix, pattern.suffix
        return [f"{before}{text}{after}" for text in columns[holes[0].name]]
    combinations = zip(*(range(n) for n in lengths), strict=True) if paired else product(*(range(n) for n in lengths))
    if simple:
        return _formatted(pattern, holes, [names.index(root) for root in roots], columns, combinations)
    world.meter.take(40 * count, site.span)
    return _bound(pattern, dict(zip((h.name for h in holes), roots, strict=True)), names, columns, combinations)


def _formatted(
    pattern: Pattern,
    holes: Sequence[Wildcard],
    places: Sequence[int],
    columns: Mapping[str, Texts],
    combinations: object,
) -> list[str | Pattern]:
    """Text for every combination, by one `%` format."""
    form = "".join(part.replace("%", "%%") if isinstance(part, str) else "%s" for part in pattern.parts)
    picks = [(columns[hole.name], place) for hole, place in zip(holes, places, strict=True)]
    return [form % tuple([column[c[place]] for column, place in picks]) for c in combinations]  # type: ignore[attr-defined]


def _bound(
    pattern: Pattern,
    roots: Mapping[str, str],
    names: Sequence[str],
    columns: Mapping[str, Texts],
    combinations: object,
) -> list[str | Pattern]:
    """Patterns or text for every combination, where wildcards stay or values have wildcards themselves."""
    picks = {name: (column, names.index(roots[name])) for name, column in columns.items()}
    out: list[str | Pattern] = []
    for c in combinations:  # type: ignore[attr-defined]
        parts: list[object] = []
        for part in pattern.parts:
            if isinstance(part, Wildcard) and part.name in picks:
                column, place = picks[part.name]
                parts.append(column[c[place]])
            else:
                parts.append(part)
        out.append(pattern_of(parts))
    return out


def _column(world: World, site: Site, name: str, values: list[object]) -> Texts:
    """The text of every value; of an attribute of it, where the placeholder is dotted."""
    steps = name.split(".")[1:]
    if not steps and set(map(type, values)) <= {str}:
        return values  # type: ignore[return-value]
    span = site.named.get(name.split(".")[0], site.span)
    out: list[str | Pattern] = []
    for value in values:
        for step in steps:
            value = element(world, span, value, int(step)) if step.isdigit() else attribute(value, step, span)
        if isinstance(value, Row):
            hint = f"name a column: `{{{name}.{next(iter(value.index), 'column')}}}`"
            raise fail("F132", f"`{{{name}}}` is a row of a table, which cannot be put into text", span, hint)
        if value is None and steps:
            raise fail("F132", f"`{{{name}}}` is null in one of the rows", span, "an empty cell is null")
        text = text_of(value, span)
        assert not isinstance(text, Unknown)
        out.append(text)
    return out
