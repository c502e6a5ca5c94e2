"""Names that a Flowfile spells out: read from its text alone, nothing is computed, imported or looked up."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from flowrules.app.session import NAMES
from flowrules.syntax import tree
from flowrules.syntax.reader import decode_source, read_module

MOST_FILES = 50
"""Included files that are read."""


def names_in(flowfile: str | None, folder: str = ".", *, only_whole: bool) -> list[tuple[str, str]]:
    """Rules, and files without wildcards that rules make, each once and with what to say of it.

    Args:
        flowfile: path of the Flowfile; None for those that a run would look for.
        folder: where those are looked for.
        only_whole: leave out rules that have wildcards.

    Raises:
        OSError, FlowrulesError: a file cannot be read.
    """
    first = flowfile or next(
        path for name in NAMES if os.path.isfile(path := os.path.normpath(os.path.join(folder, name)))
    )
    names: dict[str, str] = {}
    files = [first]
    for path in files:
        with open(path, "rb") as file:
            source = decode_source(path, file.read(), os.path.dirname(path))
        for statement in _flat(read_module(source)[0].statements):
            if isinstance(statement, tree.Rule):
                _learn(statement, names, only_whole=only_whole)
            elif isinstance(statement, tree.Include) and len(files) < MOST_FILES:
                included = os.path.normpath(os.path.join(os.path.dirname(path), statement.path.body))
                if included not in files and os.path.isfile(included):
                    files.append(included)
    return list(names.items())


def _flat(statements: Sequence[tree.Statement]) -> Iterator[tree.Statement]:
    """Statements and those in their branches, whether these count or not."""
    for statement in statements:
        if isinstance(statement, tree.If):
            for _, inside in statement.branches:
                yield from _flat(inside)
        else:
            yield statement


def _learn(rule: tree.Rule, names: dict[str, str], *, only_whole: bool) -> None:
    outputs = [
        text.body
        for directive in rule.directives
        if isinstance(directive, tree.Directive) and directive.name == "output"
        for item in directive.items
        for text in _strings(item.value)
    ]
    if not only_whole or not any("{" in path for path in outputs):
        doc = rule.doc.body.strip().split("\n")[0] if rule.doc else ""
        names.setdefault(rule.name, doc or rule.kind)
    for path in outputs:
        if "{" not in path and path:
            names.setdefault(path, f"made by {rule.name}")


def _strings(value: tree.Expr) -> Iterator[tree.String]:
    """The texts of an output: plain, in parts of a list, or marked by `temp(...)` and its like."""
    if isinstance(value, tree.String):
        if not value.prefix:
            yield value
    elif isinstance(value, tree.ListDisplay | tree.TupleDisplay):
        for item in value.items:
            yield from _strings(item.value if isinstance(item, tree.Starred) else item)
    elif isinstance(value, tree.Call) and value.arguments and value.arguments[0].name is None:
        yield from _strings(value.arguments[0].value)
