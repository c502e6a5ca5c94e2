"""The table of built-in functions, and those on lists, values and paths."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping
from functools import cmp_to_key
from typing import Final

from flowrules.expr.comparing import COMPARE, equal, truth
from flowrules.expr.data import OpenList, is_list, items_of, text_of
from flowrules.expr.flags import FLAG_FUNCTIONS
from flowrules.expr.operators import add, bounded, merged
from flowrules.expr.readers import READERS
from flowrules.expr.site import Builtin, Site
from flowrules.expr.tables import TABLE_FUNCTIONS
from flowrules.expr.textmatch import match
from flowrules.expr.world import World
from flowrules.model.pattern import Pattern, pattern_of
from flowrules.model.quantity import Quantity
from flowrules.model.values import NamedList, Unknown

_less = COMPARE["<"]


# ── lists ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _len(world: World, site: Site, value: object) -> int:
    if isinstance(value, str) and items_of(value) is None:
        return len(value)
    items = items_of(value)
    if items is None:
        raise site.misfit("a list, a dict or text", value)
    return len(items)


def _range(world: World, site: Site, first: object, stop: object = None, step: object = 1) -> list[object]:
    start, end = (0, site.whole(first)) if stop is None else (site.whole(first, 0), site.whole(stop, 1))
    by = site.whole(step, 2)
    if by == 0:
        raise site.fail("F108", "the step of `range` cannot be 0", None, 2)
    count = max(0, (end - start + by - (1 if by > 0 else -1)) // by)
    world.meter.take(2 * min(count, 1 << 60), site.span)
    return list(range(start, end, by))


def _zip(world: World, site: Site, *lists: object) -> list[object]:
    columns = [site.items(value, i) for i, value in enumerate(lists)]
    world.meter.take((6 + 2 * len(columns)) * min(map(len, columns), default=0), site.span)
    return [list(row) for row in zip(*columns, strict=False)]


def _enumerate(world: World, site: Site, value: object, start: object = 0) -> list[object]:
    items = site.items(value)
    world.meter.take(10 * len(items), site.span)
    return [[i, item] for i, item in enumerate(items, site.whole(start, 1))]


def _unique(world: World, site: Site, value: object) -> list[object]:
    """Each element once, in the order of first appearance."""
    items = site.items(value)
    world.meter.take(4 * len(items), site.span)
    if set(map(type, items)) <= {str}:
        return list(dict.fromkeys(items))
    out: list[object] = []
    seen: set[object] = set()
    for item in items:
        if isinstance(item, str | int | float | Quantity | Pattern | Unknown) or item is None:
            key = (isinstance(item, bool), item)
            if key in seen:
                continue
            seen.add(key)
        elif _held(world, site, item, out):
            continue
        out.append(item)
    return OpenList(out) if isinstance(value, OpenList) else out


def _held(world: World, site: Site, item: object, items: list[object]) -> bool:
    world.meter.take(20 * len(items), site.span)
    return any(equal(world, site.span, item, other) is True for other in items)


def _sorted(world: World, site: Site, value: object, reverse: object = False) -> list[object]:
    items = site.items(value)
    world.meter.take(len(items) * (2 + len(items).bit_length()), site.span)
    known = [item for item in items if not isinstance(item, Unknown)]
    ordered = _in_order(world, site, known, truth(reverse) is True)
    return OpenList([value.waits, *ordered]) if isinstance(value, OpenList) else ordered


def _in_order(world: World, site: Site, items: list[object], backwards: bool) -> list[object]:
    kinds = set(map(type, items))
    if kinds <= {str} or kinds <= {int, float}:
        return sorted(items, reverse=backwards)  # type: ignore[type-var]

    def compare(a: object, b: object) -> int:
        if _less(world, site.span, a, b) is True:
            return -1
        return 1 if _less(world, site.span, b, a) is True else 0

    return sorted(items, key=cmp_to_key(compare), reverse=backwards)


def _extreme(
    name: str, simple: Callable[..., object], ahead: Callable[[World, Site, object, object], bool]
) -> Callable[..., object]:
    def run(world: World, site: Site, *values: object) -> object:
        items = site.items(values[0]) if len(values) == 1 else list(values)
        if not items:
            raise site.fail(
                "F116", f"`{name}` of an empty list", f"add a value that is always there: `{name}([0, *list])`"
            )
        best = items[0]
        if not isinstance(best, int | float | str | Quantity) or isinstance(best, bool):
            raise site.misfit("numbers, quantities or text", best)
        kinds = set(map(type, items))
        if kinds <= {int, float} or kinds <= {str}:
            world.meter.take(len(items), site.span)
            return simple(items)
        world.meter.take(8 * len(items), site.span)
        for item in items[1:]:
            if ahead(world, site, item, best):
                best = item
        return best

    return run


_max = _extreme("max", max, lambda world, site, a, b: _less(world, site.span, b, a) is True)
_min = _extreme("min", min, lambda world, site, a, b: _less(world, site.span, a, b) is True)


def _sum(world: World, site: Site, value: object, start: object = 0) -> object:
    items = site.items(value)
    world.meter.take(8 * len(items), site.span)
    if items and start == 0 and not isinstance(items[0], int | float):
        start, items = items[0], items[1:]
        if not isinstance(start, Quantity):
            raise site.misfit("numbers or quantities", start, 0, _sum_hint(start))
    total = start
    for item in items:
        total = add(world, site.span, total, item)
    return total


def _sum_hint(value: object) -> str | None:
    if isinstance(value, str):
        return 'join text with `join(list, "")`'
    return "flatten lists with `[x for l in lists for x in l]`" if is_list(value) else None


def _any(world: World, site: Site, value: object) -> object:
    return _settled(world, site, value, True)


def _all(world: World, site: Site, value: object) -> object:
    return _settled(world, site, value, False)


def _settled(world: World, site: Site, value: object, wanted: bool) -> object:
    """Whether an element is as wanted; what is unknown matters only if no other settles it."""
    items = site.items(value)
    world.meter.take(len(items), site.span)
    waits: list[object] = []
    for item in items:
        true = truth(item)
        if isinstance(true, Unknown):
            waits.append(true)
        elif true is wanted:
            return wanted
    return merged(*waits) if waits else not wanted


# ── values ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _int(world: World, site: Site, value: object) -> int:
    if isinstance(value, NamedList) and len(value) == 1:
        value = value[0]
    if isinstance(value, str):
        text = value.strip()
        if len(text) <= 1200 and text.lstrip("+-").isascii():
            try:
                return bounded(int(text), site.span)
            except ValueError:
                pass
        raise site.fail("F117", f"this text is no whole number: `{text[:40]}`", _int_hint(text))
    if isinstance(value, int | float):
        return int(value)
    raise site.misfit("text or a number", value, 0, _quantity_hint(value))


def _int_hint(text: str) -> str | None:
    try:
        float(text)
    except ValueError:
        return None
    return "read it with `float(…)`"


def _quantity_hint(value: object) -> str | None:
    return "divide by a unit: `x / 1MB`" if isinstance(value, Quantity) else None


def _float(world: World, site: Site, value: object) -> float:
    if isinstance(value, NamedList) and len(value) == 1:
        value = value[0]
    if isinstance(value, str | int | float):
        try:
            number = float(value)
        except (ValueError, OverflowError):
            number = float("nan")
        if abs(number) < float("inf"):
            return number
        shown = f": `{value[:40]}`" if isinstance(value, str) else ""
        raise site.fail("F117", f"this is no finite number{shown}")
    raise site.misfit("text or a number", value, 0, _quantity_hint(value))


def _str(world: World, site: Site, value: object) -> object:
    return text_of(value, site.at(0))


def _round(world: World, site: Site, value: object, digits: object = None) -> object:
    if not isinstance(value, int | float):
        raise site.misfit("a number", value, 0, _quantity_hint(value))
    if digits is None:
        return round(value)
    return round(value, max(-400, min(site.whole(digits, 1), 400)))


def _env(world: World, site: Site, name: object, default: object = None) -> object:
    key = site.text(name, 0)
    if world.env is None:
        raise site.fail("F131", "`env` is refused: this Flowfile is not trusted", "write the value into the config")
    if key in world.env:
        return world.env[key]
    if len(site.positional) + len(site.named) > 1:
        return default
    raise site.fail("F131", f"the environment variable `{key}` is not set", f'give a default: `env("{key}", "…")`')


# ── paths ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _join(world: World, site: Site, value: object, sep: object = " ") -> object:
    between = site.text(sep, 1)
    if isinstance(value, str) and items_of(value) is None:
        raise site.misfit("a list", value, 0, 'paths are written in one string: `"{OUT}/x.txt"`')
    items = site.items(value)
    parts = [item if item.__class__ is str else text_of(item, site.at(0)) for item in items]
    length = sum(len(p) for p in parts if isinstance(p, str)) + len(between) * len(parts)
    world.meter.take(2 * len(parts), site.span)
    world.meter.text(
        length,
        site.span,
        between.isascii() and all(isinstance(p, Pattern) or p.isascii() for p in parts if isinstance(p, str)),
    )
    if all(isinstance(p, str) for p in parts):
        return between.join(parts)  # type: ignore[arg-type]
    world.meter.take(16 * len(parts), site.span)
    return pattern_of(piece for i, part in enumerate(parts) for piece in ((between, part) if i else (part,)))


def _on_path(
    compute: Callable[[str], str], on_pattern: Callable[[Pattern], Pattern | str | None]
) -> Callable[..., object]:
    """A function of a path; of a pattern where the text after its last slash, or before it, has no wildcard."""

    def run(world: World, site: Site, value: object) -> object:
        if isinstance(value, NamedList) and len(value) == 1:
            value = value[0]
        if isinstance(value, Pattern):
            world.meter.take(16, site.span)
            found = on_pattern(value)
            if found is None:
                name = value.names[0]
                message = f"`{site.name}` needs the value of `{{{name}}}`, which is a wildcard here"
                raise site.fail("F128", message, f"write an f-string with `{{wildcards.{name}}}` in the rule")
            return found
        if not isinstance(value, str):
            hint = f"for each of them: `[{site.name}(x) for x in list]`" if is_list(value) else None
            raise site.misfit("a path", value, 0, hint)
        world.meter.text(len(value), site.span, value.isascii())
        return compute(value)

    return run


def _tail(pattern: Pattern) -> str | None:
    """The last part of a path, where it has no wildcards."""
    return pattern.suffix.rsplit("/", 1)[1] if "/" in pattern.suffix else None


def _head(pattern: Pattern) -> Pattern | str | None:
    if "/" not in pattern.suffix:
        return None
    return pattern_of((*pattern.parts[:-1], pattern.suffix.rsplit("/", 1)[0]))


def _stem(path: str) -> str:
    return posixpath.splitext(posixpath.basename(path))[0]


def _ext(path: str) -> str:
    return posixpath.splitext(path)[1]


def _pattern_stem(pattern: Pattern) -> str | None:
    tail = _tail(pattern)
    return None if tail is None else _stem(tail)


def _pattern_ext(pattern: Pattern) -> str | None:
    dot = pattern.suffix.rfind(".")
    return pattern.suffix[dot:] if dot > pattern.suffix.rfind("/") + (1 if "/" in pattern.suffix else 0) else None


_FUNCTIONS: Final[Mapping[str, Builtin]] = {
    "len": Builtin(_len, "len(list)", ("value",), 1),
    "range": Builtin(_range, "range(stop)", ("start", "stop", "step"), 1),
    "zip": Builtin(_zip, "zip(list, list)", ("list",), 1, many=True),
    "enumerate": Builtin(_enumerate, "enumerate(list)", ("value", "start"), 1),
    "unique": Builtin(_unique, "unique(list)", ("value",), 1, waits="whole"),
    "sorted": Builtin(_sorted, "sorted(list)", ("value", "reverse"), 1, waits="whole"),
    "min": Builtin(_min, "min(list)` or `min(a, b)", ("value",), 1, many=True),
    "max": Builtin(_max, "max(list)` or `max(a, b)", ("value",), 1, many=True),
    "sum": Builtin(_sum, "sum(list)", ("value", "start"), 1),
    "any": Builtin(_any, "any(list)", ("value",), 1, waits="whole"),
    "all": Builtin(_all, "all(list)", ("value",), 1, waits="whole"),
    "int": Builtin(_int, "int(x)", ("value",), 1),
    "float": Builtin(_float, "float(x)", ("value",), 1),
    "str": Builtin(_str, "str(x)", ("value",), 1),
    "round": Builtin(_round, "round(x, 2)", ("value", "digits"), 1),
    "env": Builtin(_env, 'env("NAME", "default")', ("name", "default"), 1),
    "match": Builtin(match, 'match("[a-z]+", text)', ("regex", "text"), 2),
    "join": Builtin(_join, 'join(list, ",")', ("list", "sep"), 1),
    "basename": Builtin(_on_path(posixpath.basename, _tail), "basename(path)", ("path",), 1),
    "dirname": Builtin(_on_path(posixpath.dirname, _head), "dirname(path)", ("path",), 1),
    "stem": Builtin(_on_path(_stem, _pattern_stem), "stem(path)", ("path",), 1),
    "ext": Builtin(_on_path(_ext, _pattern_ext), "ext(path)", ("path",), 1),
}

BUILTINS: Final[Mapping[str, Builtin]] = {**_FUNCTIONS, **FLAG_FUNCTIONS, **TABLE_FUNCTIONS, **READERS}
