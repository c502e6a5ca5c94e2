"""Where the value of a placeholder comes from, and how it is written at its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from flowrules.errors import suggestion
from flowrules.expr.data import File, Row, items_of, kind_of
from flowrules.expr.params import Params
from flowrules.expr.shell_braces import Hole, Step
from flowrules.expr.shell_names import FILES, ShellNames
from flowrules.expr.shell_quote import (
    QUOTERS,
    Place,
    ValueProblem,
    bare,
    braced_word,
    command_word,
    double_in_array,
    in_heredoc_command,
    in_stripped_heredoc,
    is_many,
    is_plain,
    joined,
    paths_of,
    quoted_word,
    word,
    words_of,
)
from flowrules.expr.shell_sites import Site
from flowrules.model.pattern import Pattern
from flowrules.model.quantity import UNITS, Quantity, QuantityError, parse_quantity
from flowrules.model.values import Flagged, NamedList, Unknown

Getter = Callable[[Mapping[str, object]], object]
Writer = Callable[[object], str]
Quoter = Callable[[Sequence[str]], str]


# ── getting a value ──────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Constant:
    """A value known when the text is parsed."""

    value: object


@dataclass(frozen=True, slots=True)
class Deferred:
    """A constant that needs the job after all: it holds patterns, or waits for a checkpoint.

    Attributes:
        shown: the value that stands in the command a change is judged by; None for the placeholder as written.
    """

    get: Getter
    shown: object


def constant(hole: Hole, names: ShellNames) -> Constant | Deferred | None:
    """The value of a constant, of the configuration, or of `HERE`; None for what belongs to a job.

    Raises:
        ValueProblem: there is no such entry.
        FlowfileError: the constant cannot be evaluated.
    """
    head = hole.head
    if head in names.wildcards:
        return None
    if head == "HERE" and names.here is not None:
        return Constant(stepped(names.here, hole))
    if head == "config":
        return Constant(_unit(stepped(names.config, hole), hole))
    if head not in names.lets:
        return None
    value = stepped(names.let_value(head), hole)
    patterns = list(_patterns(value))
    for pattern in patterns:
        missing = [name for name in pattern.names if name not in names.wildcards]
        if missing:
            raise ValueProblem(f"holds the wildcard `{missing[0]}`, which this rule does not have")
    if patterns:
        named = {name: f"{{{name}}}" for pattern in patterns for name in pattern.names}
        return Deferred(lambda values: _filled(value, _wildcards(values)), _filled(value, named))
    if isinstance(value, Unknown):
        return Deferred(lambda values: _unit(stepped(_let(head, values, names), hole), hole), None)
    return Constant(_unit(value, hole))


def _let(head: str, values: Mapping[str, object], names: ShellNames) -> object:
    return values[head] if head in values else names.let_value(head)


def _patterns(value: object) -> Iterator[Pattern]:
    if isinstance(value, Pattern):
        yield value
    elif isinstance(value, Flagged):
        yield from _patterns(value.value)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _patterns(item)


def _filled(value: object, wildcards: Mapping[str, str]) -> object:
    if isinstance(value, Pattern):
        return value.fill(wildcards)
    if isinstance(value, Flagged):
        return _filled(value.value, wildcards)
    if isinstance(value, list | tuple):
        return [_filled(item, wildcards) for item in value]
    return value


def _wildcards(values: Mapping[str, object]) -> Mapping[str, str]:
    found = values["wildcards"]
    assert isinstance(found, Mapping)
    return found


def getter(hole: Hole, names: ShellNames) -> Getter:
    """What takes the value of a placeholder from those of a job.

    Raises:
        ValueProblem: the steps cannot be taken, whatever the job.
    """
    head, steps = hole.head, hole.steps
    if head in names.wildcards:
        if steps:
            raise ValueProblem("steps into the text of a wildcard", f"write `{{{head}}}`")
        return lambda values: _wildcards(values)[head]
    if head == "wildcards" and len(steps) == 1 and isinstance(steps[0], str):
        name = steps[0]
        return lambda values: _wildcards(values)[name]
    if head in FILES and not steps:
        return lambda values: values.get(head)
    if head in FILES and len(steps) == 1 and isinstance(steps[0], str):
        name = steps[0]

        def named(values: Mapping[str, object]) -> object:
            found = values.get(head)
            if isinstance(found, NamedList) and name in found.ranges:
                return found.named(name)
            return stepped(found, hole)

        return named
    if not steps:
        return lambda values: values.get(head)
    return lambda values: _unit(stepped(values.get(head), hole), hole)


def stepped(value: object, hole: Hole) -> object:
    """What the steps of a placeholder lead to.

    Raises:
        ValueProblem: there is no such entry.
    """
    for i, step in enumerate(hole.steps):
        value = _step(value, step, hole.head if i == 0 else str(hole.steps[i - 1]))
    return value


def _step(value: object, step: Step, whose: str) -> object:
    if isinstance(value, Flagged):
        value = value.value
    if isinstance(value, Unknown):
        return value
    if isinstance(step, str):
        return _entry(value, step, whose)
    if isinstance(value, Mapping):
        if not isinstance(step, slice) and (step in value or str(step) in value):
            return value[step] if step in value else value[str(step)]
        raise ValueProblem(f"asks for entry {_shown(step)}, which `{whose}` does not have", code="F302")
    if isinstance(value, str) and not isinstance(value, File):
        value = [value]  # a list of one file is also that file
    items = tuple(value) if isinstance(value, Params) else items_of(value)
    if items is None:
        raise ValueProblem(f"asks for entry {_shown(step)}, but `{whose}` is {kind_of(value)}", code="F302")
    try:
        return items[step]
    except IndexError:
        count = "1 entry" if len(items) == 1 else f"{len(items)} entries"
        raise ValueProblem(f"asks for entry {_shown(step)}, but `{whose}` has {count}", code="F302") from None


def _entry(value: object, name: str, whose: str) -> object:
    """A named entry of whatever has some."""
    known: Sequence[str]
    if isinstance(value, NamedList | Params):
        known = value.names
        if name in known:
            return value.named(name) if isinstance(value, NamedList) else value[name]
    elif isinstance(value, Mapping | Row):
        entries = value.as_dict() if isinstance(value, Row) else value
        known = [str(key) for key in entries]
        if name in entries:
            return entries[name]
    else:
        raise ValueProblem(f"asks for `{name}`, but `{whose}` is {kind_of(value)}", code="F302")
    listed = ", ".join(f"`{k}`" for k in known[:8])
    raise ValueProblem(
        f"asks for `{name}`, which `{whose}` does not have",
        suggestion(name, known) or (f"it has {listed}" if listed else None),
        code="F302",
    )


def _shown(step: int | slice) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return f"[{'' if step.start is None else step.start}:{'' if step.stop is None else step.stop}]"


def _unit(value: object, hole: Hole) -> object:
    """A quantity in the unit the format asks for, as a whole number; other values as they are."""
    if hole.format not in UNITS:
        return value
    try:
        if isinstance(value, str):
            value = parse_quantity(value)
        if isinstance(value, Quantity):
            return value.to(hole.format)
    except QuantityError as error:
        raise ValueProblem(f"cannot be written so: {error}", code="F305") from None
    raise ValueProblem(f"is {kind_of(value)}, no quantity that could be written in `{hole.format}`", code="F305")


# ── writing it ───────────────────────────────────────────────────────────────────────────────────────────────────


def writer(hole: Hole, site: Site) -> Writer:
    """What writes a value at its place."""
    write = _careful_writer(hole, site)
    mark = '"' if site.base is Place.DOUBLE else "'"
    special = site.glued or site.command or site.braces or site.words[:1] == ("[[",)
    if special or hole.format == "raw" or site.place not in _ALIKE:
        return write

    def quick(value: object) -> str:
        """Text in which no place has anything to quote is most of what there is."""
        if isinstance(value, NamedList) and len(value) == 1:
            value = value[0]
        if isinstance(value, str) and is_plain(value) and value[0] != "-":
            return f"{mark}{value}{mark}" if site.whole else value
        return write(value)

    return quick


_ALIKE: Final = (Place.BARE, Place.DOUBLE, Place.SINGLE, Place.HERE, Place.DEFAULT)


def _careful_writer(hole: Hole, site: Site) -> Writer:
    words = paths_of if hole.head in FILES else words_of
    quote: Quoter
    if hole.format == "raw" or hole.head == "mpirun":
        return lambda value: site_quotes(site, joined(words_of(value)))
    if site.place is Place.COMMENT:
        return lambda value: ""
    quote = _quoter(site)
    if hole.format == "q" and site.place in _QUOTED_TWICE:
        outer = QUOTERS[site.base]
        quote = lambda words: outer([bare(words)])  # noqa: E731
    for applies, check in ((site.in_here, in_heredoc_command), (site.tabs, in_stripped_heredoc)):
        if applies:
            quote = _checking(quote, check)
    if site.whole:
        return lambda value: _whole(value, words(value), site, quote)
    if site.redirect:
        return lambda value: quote(_one(words(value)))
    return lambda value: quote(words(value))


def _checking(quote: Quoter, check: Callable[[str], str]) -> Quoter:
    return lambda words: check(quote(words))


_QUOTED_TWICE: Final = (Place.AGAIN, Place.HERE, Place.HERE_QUOTED)


def _quoter(site: Site) -> Quoter:
    """How words are written at a place."""
    if site.place is Place.DOUBLE and site.glued:
        inside = QUOTERS[Place.DOUBLE]
        return lambda words: f'""{inside(words)}'
    if site.place is Place.DOUBLE and site.words[:1] == ("(",):
        return double_in_array
    if site.place is not Place.BARE:
        return QUOTERS.get(site.place, joined)
    one = word
    if site.glued:
        one = quoted_word
    elif site.braces:
        one = braced_word
    elif site.command:
        one = command_word
    elif site.words[:1] == ("[[",):
        one = quoted_word
    if site.single:
        return lambda words: one(" ".join(words)) if words else "''"
    if one is word:
        return bare
    return lambda words: " ".join(map(one, words))


def site_quotes(site: Site, text: str) -> str:
    """Text with the quotes that a whole quoted word had."""
    if not site.whole:
        return "" if site.place is Place.COMMENT else text
    mark = '"' if site.place is Place.DOUBLE else "'"
    return f"{mark}{text}{mark}"


def _whole(value: object, words: list[str], site: Site, quote: Quoter) -> str:
    """A quoted word that holds nothing else: a list gives one word an element, as `"$@"` does."""
    if site.redirect:
        words = _one(words)
    elif len(words) != 1 and is_many(value):
        return bare(words)
    return site_quotes(site, quote(words))


def _one(words: list[str]) -> list[str]:
    """The one target of a redirection; a second word would be an argument, none would take what follows."""
    if len(words) == 1:
        return words
    count = f"{len(words)} values" if words else "empty"
    raise ValueProblem(f"is {count} here, and a redirection needs one", "name one of them, as in `{output[0]}`")
