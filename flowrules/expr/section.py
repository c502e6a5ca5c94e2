"""A directive's entries evaluated: files with their names and flags, or parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

from flowrules.errors import FlowfileError, fail
from flowrules.expr.data import OpenList, Row, clip, is_list, items_of, kind_of
from flowrules.expr.readers import LONGEST_PATH
from flowrules.expr.world import World
from flowrules.model.pattern import Pattern, normalize
from flowrules.model.rule import Entry
from flowrules.model.values import NO_FLAGS, Flagged, Flags, Unknown
from flowrules.span import Span

Path: TypeAlias = str | Pattern | Unknown


class SectionItem(NamedTuple):
    """One entry: its name or None, its files with flags (none where it was null or empty), and where it stands."""

    name: str | None
    files: list[tuple[Path, Flags]]
    span: Span


SectionValue: TypeAlias = list[SectionItem]


def evaluate_section(entries: Sequence[Entry], world: World, local: Mapping[str, object]) -> SectionValue:
    """The files of `input`, `output`, `log` or `benchmark`, paths normalized, lists flattened.

    Null and empty lists vanish, the names of such entries stay. Unknown stands for any number of files.

    Raises:
        FlowfileError: entries cannot be evaluated or are no paths; the mistakes of all entries are told.
    """
    section: SectionValue = []
    problems: list[FlowfileError] = []
    for entry in entries:
        try:
            _evaluate(entry, world, local, section)
        except FlowfileError as error:
            problems.append(error)
    _raise(problems)
    _refuse_repeated([(item.name, item.span) for item in section])
    return section


def _raise(problems: list[FlowfileError]) -> None:
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise FlowfileError(dict.fromkeys(d for error in problems for d in error.diagnostics))


def _refuse_repeated(named: list[tuple[str | None, Span]]) -> None:
    seen: set[str] = set()
    for name, span in named:
        if name in seen:
            raise fail("F136", f"two entries are called `{name}`", span, "give a list to one name: `x = [a, b]`")
        if name is not None:
            seen.add(name)


def _evaluate(entry: Entry, world: World, local: Mapping[str, object], section: SectionValue) -> None:
    value = entry.value(world, local)
    if entry.star == 2 and not isinstance(value, Unknown):
        for name, files in _spread(value, entry.span).items():
            section.append(SectionItem(name, files_of(files, entry.span, world), entry.span))
    else:
        section.append(SectionItem(entry.name, files_of(value, entry.span, world), entry.span))


def _spread(value: object, span: Span) -> Mapping[str, object]:
    """A dict whose entries become named ones; null spreads nothing."""
    if value is None:
        return {}
    whole = value.as_dict() if isinstance(value, Row) else value
    if not isinstance(whole, Mapping):
        raise fail("F127", f"`**` spreads a dict into named entries, this is {kind_of(value)}", span)
    for key in whole:
        if not isinstance(key, str) or not key.isidentifier():
            shown = f"`{clip(key)}`" if isinstance(key, str) else kind_of(key)
            raise fail("F127", f"`**` spreads a dict into named entries, but {shown} is no name", span)
    return whole


def files_of(value: object, span: Span, world: World) -> list[tuple[Path, Flags]]:
    """The files a value stands for, with flags.

    Raises:
        FlowfileError: something in it is no path.
    """
    if isinstance(value, str) and value.__class__ is str:
        return [(_path(value, span), NO_FLAGS)]
    out: list[tuple[Path, Flags]] = []
    _flatten(value, NO_FLAGS, span, world, out, 0)
    return out


def _flatten(value: object, flags: Flags, span: Span, world: World, out: list[tuple[Path, Flags]], depth: int) -> None:
    if value is None:
        return
    if isinstance(value, str):
        out.append((_path(value, span), flags))
    elif isinstance(value, Pattern):
        out.append((_pattern(value, span), flags))
    elif isinstance(value, Unknown):
        out.append((value, flags))
    elif isinstance(value, Flagged):
        _flatten(value.value, value.flags.merged(flags), span, world, out, depth + 1)
    elif is_list(value) and depth < 100:
        items = items_of(value) or ()
        world.meter.take(2 * len(items), span)
        for item in items:
            if item.__class__ is str:
                out.append((_path(item, span), flags))
            else:
                _flatten(item, flags, span, world, out, depth + 1)
    else:
        raise _no_path(value, span)


def _no_path(value: object, span: Span) -> FlowfileError:
    hint = None
    if isinstance(value, Mapping | Row):
        hint = "name a key of it, or spread it into named entries: `**x`"
    elif isinstance(value, int | float) and not isinstance(value, bool):
        hint = "a path is text: write quotes, or an f-string"
    return fail("F127", f"a file is wanted, this is {kind_of(value)}", span, hint)


def _path(text: str, span: Span) -> str:
    """Text as a normalized path."""
    if 0 < len(text) <= LONGEST_PATH and "\0" not in text:
        return normalize(text)
    if not text:
        raise fail("F127", "a file is wanted, this is empty text", span, "null or `[]` stand for no file")
    if len(text) > LONGEST_PATH:
        raise fail("F127", f"a path of {len(text)} characters is longer than any system takes", span)
    raise fail("F127", "a path cannot hold a NUL", span)


def _pattern(pattern: Pattern, span: Span) -> Path:
    for name in pattern.names:
        if "." in name:
            hint = f"`expand(…, {name.split('.')[0]}=…)` fills it in"
            raise fail("F128", f"`{{{name}}}` is filled in by nothing", span, hint)
    if sum(len(p) for p in pattern.parts if isinstance(p, str)) > LONGEST_PATH:
        raise fail("F127", "the pattern is longer than any path may be", span)
    return pattern.normalized()


# ── params and resources ─────────────────────────────────────────────────────────────────────────────────────────


def evaluate_named(
    entries: Sequence[Entry], world: World, local: Mapping[str, object]
) -> tuple[list[object], dict[str, object]]:
    """Positional and named values of `params`, `resources` or `env`; wildcards in strings are filled in for a job.

    Raises:
        FlowfileError: entries cannot be evaluated; the mistakes of all entries are told.
    """
    positional: list[object] = []
    named: dict[str, object] = {}
    problems: list[FlowfileError] = []
    for entry in entries:
        try:
            value = plain_value(entry.value(world, local), local, entry.span, world)
            if entry.star == 1 and not isinstance(value, Unknown):
                items = items_of(value)
                if items is None:
                    raise fail("F127", f"`*` spreads a list, this is {kind_of(value)}", entry.span)
                positional.extend(items)
            elif entry.name is None and (entry.star == 0 or isinstance(value, Unknown)):
                positional.append(value)
            else:
                spread: Mapping[str, object] = {entry.name: value} if entry.name else _spread(value, entry.span)
                _refuse_repeated([*((name, entry.span) for name in named), *((name, entry.span) for name in spread)])
                named.update(spread)
        except FlowfileError as error:
            problems.append(error)
    _raise(problems)
    return positional, named


def plain_value(value: object, local: Mapping[str, object], span: Span, world: World, depth: int = 0) -> object:
    """A parameter as a job sees it: patterns filled in by the job's wildcards, where they are known.

    Raises:
        FlowfileError: a file flag stands where no file does, or the value nests too deeply.
    """
    if value.__class__ is str or value is None:
        return value
    if isinstance(value, Pattern):
        values = local.get("wildcards")
        return value.bind(values) if isinstance(values, Mapping) else value
    if isinstance(value, Flagged):
        raise fail("F127", "flags such as `temp` belong to files, this is no file of the rule", span)
    if depth > 100:
        raise fail("F119", "the value nests too deeply", span)
    if isinstance(value, list):
        world.meter.take(2 * len(value), span)
        items = [plain_value(item, local, span, world, depth + 1) for item in value]
        return OpenList(items) if isinstance(value, OpenList) else items
    if isinstance(value, Mapping):
        world.meter.take(8 * len(value), span)
        return {key: plain_value(item, local, span, world, depth + 1) for key, item in value.items()}
    return value
