"""What a name means where it stands, and what to say when it means nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from flowrules.errors import did_you_mean, fail, suggestion
from flowrules.expr.access import element
from flowrules.expr.builtins import BUILTINS
from flowrules.expr.scope import Context, Piece, constant
from flowrules.expr.world import World
from flowrules.model.rule import JOB_NAMES, Output
from flowrules.model.values import NamedList
from flowrules.span import Span
from flowrules.syntax import tree

CAPITALS: Final = re.compile(r"[A-Z][A-Z0-9_]*")
WORD: Final = re.compile(r"[^\W\d]\w*")
RULE_SECTIONS: Final = ("output", "log", "benchmark")

PYTHON: Final = {
    "None": "write `null`",
    "list": "a value that is a list needs no `list(…)`",
    "dict": "write `{key: value}`",
    "set": "write `unique(list)`",
    "open": "read with `lines`, `json`, `yaml` or `table`",
    "print": "a Flowfile prints nothing; `flowrules dag` and `-n` show what it means",
    "map": "write a comprehension: `[f(x) for x in list]`",
    "filter": "write a comprehension: `[x for x in list if …]`",
    "os": 'real Python goes into a file: `import "helpers.py" as h`',
    "snakemake": "rules know `input`, `output`, `params`, `wildcards` and `config` by these names",
    "workflow": "`HERE` is the folder of this file",
    "checkpoints": 'reading is enough: `lines("c/{s}.txt")` waits for the checkpoint that makes it',
}
"""Names of Python and of Snakemake, with what is written instead."""

FUNCTIONS: Final = frozenset(BUILTINS) | {"expand", "pattern"}
UNAVAILABLE: Final = frozenset({"pipe", "report", "some", "paramspace", "scatter", "gather"})
"""Names of the language that this version does not have yet."""


def compile_name(c: Context, node: tree.Name) -> Piece:
    """A name that stands for a value."""
    name, span = node.id, node.span
    if name in c.slots:
        slot = c.slots[name]
        return Piece(lambda world, job, frame: frame[slot])
    if name == "HERE":
        return constant(c.scope.here)
    if name in c.scope.lets:
        return let_value(c, name, span)
    if name == "config":
        return Piece(lambda world, job, frame: world.config)
    if name in c.scope.job_names:
        return job_value(c, name)
    return unknown_name(c, name, span)


def let_value(c: Context, name: str, span: Span) -> Piece:
    """A constant, evaluated by the world when first needed."""
    c.wild |= wildcards_of_let(c, name)
    c.reads = True

    def read(world: World, job: Mapping[str, object], frame: list[object]) -> object:
        values = world.values
        return values[name] if name in values else world.let(name, span)

    return Piece(read)


def job_value(c: Context, name: str) -> Piece:
    """One of a job's own names."""
    c.uses.add(name)
    c.per_job = True
    return Piece(lambda world, job, frame: job[name])


def unknown_name(c: Context, name: str, span: Span) -> Piece:
    """The most helpful error for a name that means nothing here."""
    scope = c.scope
    if name in JOB_NAMES:
        return c.error("F102", *_not_here(c, name, span))
    if name in UNAVAILABLE:
        return unavailable(c, name, span)
    if name in scope.modules:
        return c.error(
            "F101", f"`{name}` is an imported module", span, f"call one of its functions: `{name}.function(…)`"
        )
    if name in scope.functions or name in scope.later or name in FUNCTIONS:
        return c.error("F107", f"`{name}` is a function", span, f"call it: `{name}(…)`")
    if name == "rules":
        return c.error("F101", "`rules` alone is no value", span, "write `rules.NAME.output`")
    if scope.wildcards is not None and name in scope.wildcards:
        known = "wildcards" in scope.job_names
        hint = f"write `wildcards.{name}`" if known else f'write it in braces in a string: `"{{{name}}}"`'
        return c.error("F101", f"`{name}` is a wildcard, not a name", span, hint)
    nearest = PYTHON.get(name) or suggestion(name, known_names(c))
    if CAPITALS.fullmatch(name) and nearest is None:
        nearest = f"define it: `let {name} = …`"
    return c.error("F101", f"unknown name `{name}`", span, nearest)


def unavailable(c: Context, name: str, span: Span) -> Piece:
    return c.error("F110", f"`{name}` is not available in this version yet", span)


def _not_here(c: Context, name: str, span: Span) -> tuple[str, Span, str | None]:
    """Message, span and hint for a job's name where no job, or not yet that part of it, is known."""
    place = c.scope.place
    if not c.scope.job_names:
        if place in ("output", "log", "benchmark"):
            hint = 'write wildcards in braces: `"{sample}.txt"`' if name == "wildcards" else None
            return f"`{name}` is not known here: `{place}` is evaluated once, at load, for all jobs", span, hint
        hint = "make it a function and hand the value over: `let f(x) = …`, then `f(wildcards.sample)` in the rule"
        return f"`{name}` belongs to a job and is not known here", span, hint if name == "wildcards" else None
    known = ", ".join(f"`{n}`" for n in sorted(c.scope.job_names))
    return f"`{name}` is not known yet in `{place or 'this place'}`", span, f"known are {known}"


def known_names(c: Context) -> set[str]:
    """Every name that would mean something here."""
    scope = c.scope
    return {
        *c.slots,
        *scope.lets,
        *scope.functions,
        *scope.modules,
        *scope.job_names,
        "config",
        "HERE",
    } | FUNCTIONS


# ── config, wildcards, rules ─────────────────────────────────────────────────────────────────────────────────────


def config_value(path: Sequence[str], span: Span) -> Piece:
    """`config.a.b`; what is absent is an error with a near miss."""
    keys = tuple(path)

    def read(world: World, job: Mapping[str, object], frame: list[object]) -> object:
        value: object = world.config
        for i, key in enumerate(keys):
            if isinstance(value, list) and key.isdigit():
                value = element(world, span, value, int(key))
                continue
            if not isinstance(value, Mapping) or key not in value:
                raise _absent(keys, i, value, span)
            value = value[key]
        return value

    return Piece(read)


def _absent(keys: tuple[str, ...], at: int, value: object, span: Span) -> Exception:
    owner = ".".join(("config", *keys[:at]))
    whole = ".".join(keys)
    optional = f'`config.get("{whole}")` is null where it is absent'
    if not isinstance(value, Mapping):
        what = "null" if value is None else "no dict"
        return fail("F112", f"`{owner}` is {what}, so it has no `{keys[at]}`", span, optional)
    near = did_you_mean(keys[at], [k for k in value if isinstance(k, str)])
    hint = f"did you mean `{owner}.{near}`?" if near else optional
    return fail("F112", f"`{owner}` has no key `{keys[at]}`", span, hint)


def wildcard_value(c: Context, name: str, span: Span) -> Piece:
    """`wildcards.x`."""
    bound = c.scope.wildcards
    if bound is not None and name not in bound:
        return unknown_wildcard(c, name, span)
    c.uses.add("wildcards")
    c.per_job = True

    def read(world: World, job: Mapping[str, object], frame: list[object]) -> object:
        return job["wildcards"][name]  # type: ignore[index]

    return Piece(read)


def unknown_wildcard(c: Context, name: str, span: Span) -> Piece:
    """A wildcard that no output of the rule binds."""
    bound = c.scope.wildcards or frozenset()
    near = did_you_mean(name, bound)
    hint = f"did you mean `{near}`?" if near else None
    if name in JOB_NAMES or name in ("config", *c.scope.functions):
        hint = f"`{{{name}}}` is filled in only in `shell`; in other strings braces hold wildcards and `let` names"
        if name in c.scope.job_names:
            hint = f'write an f-string: `f"{{{name}}}"`; in other strings braces hold wildcards and `let` names'
    elif near is None and did_you_mean(name, c.scope.lets):
        hint = f"did you mean `{{{did_you_mean(name, c.scope.lets)}}}`?"
    elif near is None:
        known = ", ".join(f"`{n}`" for n in sorted(bound))
        hint = f"it has {known}" if known else "its outputs have no wildcards; `expand` fills in lists of values"
    return c.error("F103", f"wildcard `{name}` is in no output of this rule", span, hint)


def rule_files(c: Context, rule: str, section: str, span: Span) -> Piece:
    """`rules.x.output`: the files of another rule, asked for when first needed, since it may stand below."""
    resolve, names = c.scope.rule_files, c.scope.rule_names
    if resolve is None:
        return c.error("F102", "`rules` is not known here", span)
    if names and rule not in names:
        return c.error("F112", f"there is no rule `{rule}`", span, suggestion(rule, names))
    if section not in RULE_SECTIONS:
        known = ", ".join(f"`rules.{rule}.{s}`" for s in RULE_SECTIONS)
        return c.error(
            "F112",
            f"`rules.{rule}` has no `{section}`",
            span,
            suggestion(section, RULE_SECTIONS) or f"there are {known}",
        )
    c.wild.add("*")
    kept: list[NamedList] = []

    def read(world: World, job: Mapping[str, object], frame: list[object]) -> object:
        if not kept:
            files = resolve(rule, section)
            if files is None:
                raise fail("F112", f"there is no rule `{rule}`", span, suggestion(rule, names))
            kept.append(_named(files))
        return kept[0]

    return Piece(read)


def _named(files: Sequence[Output]) -> NamedList:
    """Files as a list with names; those of one name stand together."""
    names: dict[str, tuple[int, int]] = {}
    for i, file in enumerate(files):
        if file.name is not None:
            names[file.name] = (names.get(file.name, (i, i))[0], i + 1)
    return NamedList([file.path for file in files], names)  # type: ignore[misc]


# ── wildcards a let may hold ─────────────────────────────────────────────────────────────────────────────────────

_MANY: Final = 1000
_HOLE: Final = re.compile(r"(?<!\{)\{([^\W\d]\w*)(?:,[^{}]*(?:\{[^{}]*\}[^{}]*)*)?\}")


def wildcards_of_let(c: Context, name: str) -> frozenset[str]:
    """Names in braces in the strings of a constant and of those it uses; more than needed, never fewer.

    Each constant is looked at once for all expressions of a workflow (`Scope.wild`), so a long chain costs no more
    than its length. In a circle, which is an error when it is evaluated, some may be missing.
    """
    known = c.scope.wild
    waiting: list[tuple[str, frozenset[str] | None, list[str]]] = [(name, None, [])]
    while waiting:
        current, own, uses = waiting.pop()
        if own is not None:
            total = own.union(*[known[other] for other in uses])
            known[current] = total if len(total) <= _MANY else frozenset({"*"})
        elif current not in known:
            known[current] = frozenset()
            own, uses = _own_wildcards(c, c.scope.lets[current])
            waiting.append((current, own, uses))
            waiting += [(other, None, []) for other in uses if other not in known]
    return known[name]


def _own_wildcards(c: Context, tree_of_let: tree.Expr) -> tuple[frozenset[str], list[str]]:
    """Names in braces in the strings of one constant, and the constants it uses."""
    found: set[str] = set()
    uses: dict[str, None] = {}
    waiting: list[object] = [tree_of_let]
    while waiting:
        node = waiting.pop()
        if isinstance(node, tree.String):
            found.update(w for w in _HOLE.findall(node.body) if not CAPITALS.fullmatch(w))
            names = re.findall(r"\{([A-Z][A-Z0-9_]*)", node.body)
        elif isinstance(node, tree.Name):
            names = [node.id]
            if node.id in ("rules", "pattern"):
                found.add("*")
            if node.id in c.scope.functions:
                found |= c.scope.functions[node.id].wild
        else:
            names = []
            waiting.extend(_children(node))
        uses.update((other, None) for other in names if other in c.scope.lets)
    return frozenset(found), list(uses)


def _children(node: object) -> list[object]:
    if isinstance(node, tuple | list):
        return list(node)
    if isinstance(node, str | Span | int | float | None):
        return []
    return [getattr(node, slot) for slot in getattr(type(node), "__slots__", ())]
