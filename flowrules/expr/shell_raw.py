"""Params in shell text: a param that is text is inserted as written, unless it holds what the shell would misread."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from flowrules.expr.data import File
from flowrules.expr.params import Params
from flowrules.expr.shell_braces import Hole
from flowrules.expr.shell_names import FILES
from flowrules.expr.shell_quote import Place, ValueProblem, active_in, checked, words_of
from flowrules.expr.shell_sites import Site
from flowrules.expr.shell_values import site_quotes, stepped, writer


def raw_getter(hole: Hole, site: Site) -> Callable[[Mapping[str, object]], str] | None:
    """For a param without format: text is inserted as written, other values are quoted; None for other placeholders."""
    if hole.head != "params" or hole.format or site.place is Place.COMMENT:
        return None
    quoted = writer(hole, site)
    active = active_in(site.place)

    def slot(values: Mapping[str, object]) -> str:
        found = values.get("params")
        if not hole.steps:
            entries = found if isinstance(found, Params) else [found]
            return " ".join(text for entry in entries if (text := one(entry, values)))
        return one(stepped(found, hole), values)

    def one(value: object, values: Mapping[str, object]) -> str:
        if isinstance(value, str) and not isinstance(value, File):
            if active is not None and active.search(value):
                _refuse_taint(value, values, active)
            return site_quotes(site, checked(value))
        return checked(quoted(value))

    return slot


def _refuse_taint(text: str, values: Mapping[str, object], active: re.Pattern[str]) -> None:
    """Refuse text inserted as written that holds a wildcard value or a path with characters the shell reads there.

    Raises:
        ValueProblem: it does.
    """
    found = next(_tainted(text, values, active), None)
    if found is not None:
        raise ValueProblem(
            f"is inserted as written and holds `{found}`, in which the shell reads more than text",
            "write `:q` to have it quoted as one word, or `:raw` if the shell shall read it",
            code="F308",
        )


def _tainted(text: str, values: Mapping[str, object], active: re.Pattern[str]) -> Iterator[str]:
    wildcards = values.get("wildcards")
    if isinstance(wildcards, Mapping):
        for value in wildcards.values():
            if value in text and active.search(value):
                yield value
    for section in FILES:
        for path in words_of(values.get(section)):
            if active.search(path):
                yield from (piece for piece in _pieces(path, len(text)) if piece in text and active.search(piece))


def _pieces(path: str, longest: int) -> Iterator[str]:
    """A path and what is commonly made of it: its folders and names, without extensions too."""
    if len(path) <= longest:
        yield path
    for part in path.split("/"):
        while len(part) > 1:
            if len(part) <= longest:
                yield part
            part, dot, _ = part.rpartition(".")
            if not dot:
                break
