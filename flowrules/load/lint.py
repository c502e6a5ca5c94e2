"""Risky habits of a workflow that loads: each is told with what to do instead, and each can be settled in the text.

A check that is not sure says nothing: a list of warnings is read only as long as every one of them matters.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from flowrules.errors import Diagnostic
from flowrules.expr.world import World
from flowrules.load.draft import FILES
from flowrules.load.files import LoadReader
from flowrules.load.lint_overlap import overlap_warnings
from flowrules.load.lint_shell import shell_warnings
from flowrules.load.lower import Loaded
from flowrules.model.pattern import Pattern, Wildcard
from flowrules.model.rule import Rule
from flowrules.ports import FileView
from flowrules.span import Span
from flowrules.syntax import tree
from flowrules.syntax.walk import children

_WORD: Final = re.compile(r"[A-Za-z_]\w*")
_ABSOLUTE: Final = re.compile(r"/(?!dev/)[\w.{~]")
_HEAD: Final = re.compile(r"\{([A-Z][A-Z0-9_]*)\}/")
_FIXED_LENGTH: Final = re.compile(r"(?:(?:\\[dwsDWS]|\[(?:[^\]\\\[]|\\.)+\]|\w)(?:\{\d+\})?)+")


def lint_workflow(loaded: Loaded, disk: FileView) -> tuple[Diagnostic, ...]:
    """What was noticed at load, and every risky habit, in the order of files and places."""
    workflow = loaded.workflow
    lets = workflow.lets
    world = World(LoadReader(disk), lets, workflow.config, modules=workflow.globals, env=workflow.env)
    found = [*workflow.warnings]
    written = {draft.name: draft for draft in loaded.drafts}
    outputs = {str(o.path): rule for rule in workflow.rules for o in (*rule.outputs, *rule.logs, *rule.benchmarks)}
    for rule in workflow.rules:
        found += shell_warnings(rule, written[rule.name], world, outputs)
        found += _adjacent_wildcards(rule)
    found += _unused(loaded)
    found += _absolute(loaded)
    found += overlap_warnings(workflow)
    order = {name: i for i, name in enumerate(workflow.files)}
    return tuple(sorted(dict.fromkeys(found), key=lambda d: _place(d, order)))


def _place(d: Diagnostic, order: dict[str, int]) -> tuple[int, int, str]:
    if d.span is None:
        return -1, 0, d.code
    return order.get(d.span.source.name, len(order)), d.span.start, d.code


def _warning(code: str, message: str, span: Span, hint: str) -> Diagnostic:
    return Diagnostic(code, message, span, hint, severity="warning")


# ── constants and functions ──────────────────────────────────────────────────────────────────────────────────────


def _unused(loaded: Loaded) -> Iterator[Diagnostic]:
    """Constants and functions of the main Flowfile that no file names, branches that do not count included.

    An included file may serve several workflows, so what it defines for others is left alone.
    """
    texts = [_without_comments(module) for module in loaded.found.modules]
    counts = Counter(word for text in texts for word in _WORD.findall(text))
    kinds = ((loaded.found.lets, "constant", ""), (loaded.found.functions, "function", "()"))
    for sites, kind, brackets in kinds:
        for name, site in sites.items():
            if counts[name] < 2 and not site.origin.included:
                assert isinstance(site.node, tree.Let | tree.LetFunction)
                yield _warning(
                    "L005", f"the {kind} `{name}{brackets}` is never used", site.node.name_span, "remove the `let`"
                )


def _without_comments(module: tree.Module) -> str:
    text, at, kept = module.span.source.text, 0, []
    for comment in module.comments:
        kept.append(text[at : comment.span.start])
        at = comment.span.end
    return "".join([*kept, text[at:]])


# ── paths ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _absolute(loaded: Loaded) -> Iterator[Diagnostic]:
    """Absolute paths written where files of a rule stand, or in a constant that such a path begins with."""
    heads: dict[str, None] = {}
    for draft in loaded.drafts:
        for directive in ("input", *FILES):
            for item in draft.items(directive):
                for string in _strings(item.value):
                    if _ABSOLUTE.match(string.body):
                        yield _absolute_path(string)
                    elif head := _HEAD.match(string.body):
                        heads[head[1]] = None
    for name in heads:
        site = loaded.found.lets.get(name)
        if site is not None:
            assert isinstance(site.node, tree.Let)
            value = site.node.value
            if isinstance(value, tree.String) and _ABSOLUTE.match(value.body):
                yield _absolute_path(value)


def _absolute_path(string: tree.String) -> Diagnostic:
    return _warning(
        "L006",
        "an absolute path: the workflow works only where this very folder is",
        string.span,
        "write it relative to the working directory, or take the folder from the config: `{config.data}/…`",
    )


def _strings(node: object) -> Iterator[tree.String]:
    """Strings of an expression that may be paths; arguments of methods, such as `x.removeprefix("/data")`, are not."""
    waiting = [node]
    while waiting:
        part = waiting.pop()
        if isinstance(part, tree.String):
            yield part
        elif not (isinstance(part, tree.Call) and isinstance(part.function, tree.Attribute)):
            waiting.extend(children(part))


def _adjacent_wildcards(rule: Rule) -> Iterator[Diagnostic]:
    """Two wildcards of an output that nothing parts, where it is not told which of them a character belongs to."""
    for output in (*rule.outputs, *rule.logs, *rule.benchmarks):
        if not isinstance(output.path, Pattern):
            continue
        for one, other in pairwise(output.path.parts):
            if isinstance(one, Wildcard) and isinstance(other, Wildcard) and _is_vague(rule, one, other):
                message = (
                    f"nothing parts `{{{one.name}}}` and `{{{other.name}}}`: a file name can be read in several ways"
                )
                hint = f"put a separator between them, or constrain both: `wildcards: {one.name}=…, {other.name}=…`"
                yield _warning("L008", message, output.span, hint)
                break


def _is_vague(rule: Rule, one: Wildcard, other: Wildcard) -> bool:
    regexes = [w.constraint or rule.constraints.get(w.name) for w in (one, other)]
    listed = [w.name in rule.choices for w in (one, other)]
    if any(listed) or any(regex is not None and _FIXED_LENGTH.fullmatch(regex) for regex in regexes):
        return False
    return None in regexes
