"""Methods of text, lists, dicts and rows: the fixed list there is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from flowrules.errors import suggestion
from flowrules.expr.comparing import contains, equal
from flowrules.expr.data import OpenList, Row, is_list, items_of, kind_of
from flowrules.expr.operators import merged
from flowrules.expr.site import Builtin, Site
from flowrules.expr.world import World
from flowrules.model.pattern import Pattern, pattern_of
from flowrules.model.values import NamedList, Unknown


def call_method(
    world: World, site: Site, owner: object, positional: list[object], named: Mapping[str, object]
) -> object:
    """A method of a value.

    Raises:
        FlowfileError: the value has no such method, or the arguments do not fit.
    """
    waiting = [v for v in (owner, *positional, *named.values()) if isinstance(v, Unknown)]
    if waiting:
        return merged(*waiting)
    if isinstance(owner, OpenList):
        return owner.waits
    kind, methods = _methods_of(owner, site.name)
    method = methods.get(site.name)
    if method is None:
        hint = suggestion(site.name, methods) if methods else None
        if owner is None:
            hint = "test it first: `x.f() if x else null`"
        elif site.name in TEXT and is_list(owner):
            hint = f"for each of them: `[x.{site.name}(…) for x in list]`"
        elif isinstance(owner, Pattern):
            hint = f"`wildcards.{owner.names[0]}` is the value of `{{{owner.names[0]}}}`"
        raise site.fail("F113", f"{kind_of(owner)} has no method `{site.name}`", hint)
    mistake = method.mistake(len(positional), tuple(named))
    if mistake:
        raise site.fail("F108", f"`{site.name}` {mistake}", f"it is used like `{method.usage}`")
    return method.run(world, site, kind, *positional, **named)


def _methods_of(owner: object, name: str) -> tuple[object, Mapping[str, Builtin]]:
    """The value as the methods want it, and its methods; a list of one file has those of text too."""
    if isinstance(owner, str):
        return owner, TEXT
    if isinstance(owner, Mapping):
        return owner, DICT
    if isinstance(owner, Row):
        return owner.as_dict(), DICT
    if isinstance(owner, Pattern):
        return owner, PATTERN
    if isinstance(owner, NamedList) and len(owner) == 1 and name in TEXT:
        one: object = owner[0]
        return one, PATTERN if isinstance(one, Pattern) else TEXT
    if is_list(owner):
        return owner, LIST
    return owner, {}


# ── text ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _replace(world: World, site: Site, text: str, old: object, new: object, count: object = -1) -> str:
    before, after = site.text(old, 0), site.text(new, 1)
    times = site.whole(count, 2)
    found = text.count(before) if times < 0 else min(text.count(before), times)
    length = len(text) + found * max(len(after) - len(before), 0)
    world.meter.text(length + len(text), site.span, text.isascii() and after.isascii())
    return text.replace(before, after, times)


def _split(world: World, site: Site, text: str, sep: object = None, most: object = -1) -> list[object]:
    world.meter.text(len(text), site.span, text.isascii())
    if sep is None:
        parts = text.split(None, site.whole(most, 1))
        world.meter.take(8 * len(parts), site.span)
        return list(parts)
    between = site.text(sep, 0)
    if not between:
        raise site.fail("F108", "`split` cannot cut at empty text", None, 0)
    world.meter.take(8 * (text.count(between) + 1), site.span)
    return list(text.split(between, site.whole(most, 1)))


def _strip(world: World, site: Site, text: str, characters: object = None) -> str:
    world.meter.text(len(text), site.span, text.isascii())
    return text.strip(None if characters is None else site.text(characters, 0))


def _lower(world: World, site: Site, text: str) -> str:
    world.meter.text(3 * len(text), site.span, text.isascii())
    return text.lower()


def _upper(world: World, site: Site, text: str) -> str:
    world.meter.text(3 * len(text), site.span, text.isascii())
    return text.upper()


def _affixes(world: World, site: Site, affixes: tuple[object, ...]) -> tuple[str, ...]:
    """Beginnings or ends to test for, given one by one or as a list."""
    words: list[str] = []
    for i, affix in enumerate(affixes):
        items = items_of(affix) if is_list(affix) else None
        world.meter.take(4 * len(items or ()), site.span)
        words += [site.text(word, i) for word in (items if items is not None else [affix])]
    return tuple(words)


def _startswith(world: World, site: Site, text: str, *prefixes: object) -> bool:
    return text.startswith(_affixes(world, site, prefixes))


def _endswith(world: World, site: Site, text: str, *suffixes: object) -> bool:
    return text.endswith(_affixes(world, site, suffixes))


def _removeprefix(world: World, site: Site, text: str, prefix: object) -> str:
    world.meter.text(len(text), site.span, text.isascii())
    return text.removeprefix(site.text(prefix, 0))


def _removesuffix(world: World, site: Site, text: str, suffix: object) -> str:
    world.meter.text(len(text), site.span, text.isascii())
    return text.removesuffix(site.text(suffix, 0))


# ── patterns: where the literal text at an end settles it ────────────────────────────────────────────────────────


def _pattern_removeprefix(world: World, site: Site, pattern: Pattern, prefix: object) -> object:
    world.meter.take(16, site.span)
    before = site.text(prefix, 0)
    if pattern.prefix.startswith(before):
        return pattern_of((pattern.prefix[len(before) :], *pattern.parts[1:]))
    raise _needs_value(site, pattern)


def _pattern_removesuffix(world: World, site: Site, pattern: Pattern, suffix: object) -> object:
    world.meter.take(16, site.span)
    after = site.text(suffix, 0)
    if after and pattern.suffix.endswith(after):
        return pattern_of((*pattern.parts[:-1], pattern.suffix[: -len(after)]))
    raise _needs_value(site, pattern)


def _pattern_startswith(world: World, site: Site, pattern: Pattern, *prefixes: object) -> bool:
    words = _affixes(world, site, prefixes)
    if pattern.prefix.startswith(words):
        return True
    if any(word.startswith(pattern.prefix) for word in words):
        raise _needs_value(site, pattern)
    return False


def _pattern_endswith(world: World, site: Site, pattern: Pattern, *suffixes: object) -> bool:
    words = _affixes(world, site, suffixes)
    if pattern.suffix.endswith(words):
        return True
    if any(word.endswith(pattern.suffix) for word in words):
        raise _needs_value(site, pattern)
    return False


def _needs_value(site: Site, pattern: Pattern) -> Exception:
    name = pattern.names[0]
    message = f"`{site.name}` needs the value of `{{{name}}}`, which is a wildcard here"
    return site.fail("F128", message, f"write an f-string with `{{wildcards.{name}}}` in the rule")


# ── lists and dicts ──────────────────────────────────────────────────────────────────────────────────────────────


def _index(world: World, site: Site, owner: object, item: object) -> object:
    items = site.items(owner)
    for i, other in enumerate(items):
        world.meter.take(20, site.span)
        same = equal(world, site.span, item, other)
        if same is not False:
            return same if isinstance(same, Unknown) else i
    raise site.fail("F116", f"the list does not hold this: {kind_of(item)}", "test with `in` first")


def _count(world: World, site: Site, owner: object, item: object) -> object:
    found = 0
    for other in site.items(owner):
        world.meter.take(20, site.span)
        same = equal(world, site.span, item, other)
        if isinstance(same, Unknown):
            return same
        found += same
    return found


def _get(world: World, site: Site, owner: Mapping[object, object], key: object, default: object = None) -> object:
    """The value of a key, or of keys with dots between them one in the other."""
    if contains(world, site.span, key, owner):
        return owner[key]
    if not isinstance(key, str) or "." not in key:
        return default
    value: object = owner
    for step in key.split("."):
        if isinstance(value, Row):
            value = value.as_dict()
        if not isinstance(value, Mapping) or step not in value:
            return default
        value = value[step]
    return value


def _keys(world: World, site: Site, owner: Mapping[object, object]) -> list[object]:
    world.meter.take(2 * len(owner), site.span)
    return list(owner)


def _values(world: World, site: Site, owner: Mapping[object, object]) -> object:
    world.meter.take(2 * len(owner), site.span)
    values = list(owner.values())
    return OpenList(values) if any(isinstance(v, Unknown) for v in values) else values


def _items(world: World, site: Site, owner: Mapping[object, object]) -> list[object]:
    world.meter.take(8 * len(owner), site.span)
    return [[key, value] for key, value in owner.items()]


TEXT: Final[Mapping[str, Builtin]] = {
    "replace": Builtin(_replace, 'x.replace("old", "new")', ("old", "new", "count"), 2),
    "split": Builtin(_split, 'x.split(",")', ("sep", "most"), 0),
    "strip": Builtin(_strip, "x.strip()", ("characters",), 0),
    "lower": Builtin(_lower, "x.lower()", (), 0),
    "upper": Builtin(_upper, "x.upper()", (), 0),
    "startswith": Builtin(_startswith, 'x.startswith("a")', ("prefix",), 1, many=True),
    "endswith": Builtin(_endswith, 'x.endswith(".gz")', ("suffix",), 1, many=True),
    "removeprefix": Builtin(_removeprefix, 'x.removeprefix("out/")', ("prefix",), 1),
    "removesuffix": Builtin(_removesuffix, 'x.removesuffix(".gz")', ("suffix",), 1),
}
PATTERN: Final[Mapping[str, Builtin]] = {
    "startswith": Builtin(_pattern_startswith, 'x.startswith("a")', ("prefix",), 1, many=True),
    "endswith": Builtin(_pattern_endswith, 'x.endswith(".gz")', ("suffix",), 1, many=True),
    "removeprefix": Builtin(_pattern_removeprefix, 'x.removeprefix("out/")', ("prefix",), 1),
    "removesuffix": Builtin(_pattern_removesuffix, 'x.removesuffix(".gz")', ("suffix",), 1),
}
LIST: Final[Mapping[str, Builtin]] = {
    "index": Builtin(_index, "list.index(x)", ("item",), 1),
    "count": Builtin(_count, "list.count(x)", ("item",), 1),
}
DICT: Final[Mapping[str, Builtin]] = {
    "get": Builtin(_get, 'x.get("key", default)', ("key", "default"), 1),
    "keys": Builtin(_keys, "x.keys()", (), 0),
    "values": Builtin(_values, "x.values()", (), 0),
    "items": Builtin(_items, "x.items()", (), 0),
}
METHOD_NAMES: Final = frozenset(TEXT) | frozenset(LIST) | frozenset(DICT)
