"""What overrides the file of a profile: environment variables, `--set`, `--launcher`; each keeps its place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from flowrules.errors import FlowfileError
from flowrules.expr.yaml12 import Node, compose_yaml
from flowrules.load.config import kind_of, merge
from flowrules.load.problems import Problems
from flowrules.load.profile_keys import KEYS, below, general
from flowrules.span import Source, Span

PREFIX: Final = "FLOWRULES_SET_"
"""Environment variables that set a key begin so: `FLOWRULES_SET_BLOCKS__NODES=4` sets `blocks.nodes`."""


@dataclass(frozen=True, slots=True)
class Overrides:
    """What is set beside the file of a profile, weakest first.

    Attributes:
        environ: environment variables; those that begin with `FLOWRULES_SET_` count.
        sets: ``KEY=VALUE`` texts of `--set`.
        launcher: of `--launcher`.
    """

    environ: Mapping[str, str] = field(default_factory=dict)
    sets: tuple[str, ...] = ()
    launcher: str | None = None


def override(root: Node, overrides: Overrides, problems: Problems) -> Node:
    """A profile with everything that is set beside its file; what cannot be set is kept as a mistake."""
    for variable in sorted(name for name in overrides.environ if name.startswith(PREFIX)):
        path = _key_of(variable, root)
        source = Source("environment", f"{variable}={overrides.environ[variable]}")
        root = _set(root, path, source, 0, len(variable), problems)
    for text in overrides.sets:
        source = Source("command line", f"--set {text}")
        begin = len("--set ")
        dotted, equals, _ = text.partition("=")
        if not equals or not all(part.strip() for part in dotted.split(".")):
            span = Span(source, begin, len(source.text))
            problems.error("F812", "`--set` takes KEY=VALUE", span, "for example `--set blocks.nodes=4`")
            continue
        path = tuple(part.strip() for part in dotted.split("."))
        root = _set(root, path, source, begin, begin + len(dotted), problems)
    if overrides.launcher is not None:
        source = Source("command line", f"--launcher {overrides.launcher}")
        span = Span(source, len("--launcher "), len(source.text))
        root = merge(root, _nested(("launcher",), Node(overrides.launcher, span), Span(source, 0, span.start - 1)))
    return root


def origin(node: Node) -> str:
    """Where a value was set, in words: `profile.yaml:12`, `--set blocks.nodes=4`, `FLOWRULES_SET_BLOCKS__NODES`."""
    source = node.span.source
    if source.name == "command line":
        return source.text
    if source.name == "environment":
        return source.text.partition("=")[0]
    return f"{source.name.rpartition('/')[2]}:{node.span.line}"


def _set(root: Node, path: tuple[str, ...], source: Source, begin: int, end: int, problems: Problems) -> Node:
    """The tree with one value set; the text after `=`, which stands at ``end``, is read as YAML."""
    here = Span(source, begin, end)
    dotted = ".".join(path)
    if any("\ud800" <= char <= "\udfff" for char in source.text):
        problems.error("F812", f"`{dotted}` is set to what is not UTF-8 text", here)
        return root
    if general(dotted) is None:
        _unknown(path, here, problems)
        return root
    node: Node | None = root
    for i, key in enumerate(path[:-1]):
        node = node.children.get(key) if node is not None else None
        if node is not None and not isinstance(node.value, dict) and node.value is not None:
            shown = ".".join(path[: i + 1])
            message = f"`{shown}` is {kind_of(node.value)}, so `{dotted}` cannot be set"
            problems.error("F812", message, here, None)
            return root
    try:
        value = _value(source, end + 1, dotted)
    except FlowfileError as error:
        problems.add(*error.diagnostics)
        return root
    return merge(root, _nested(path, value, here))


def _value(source: Source, start: int, dotted: str) -> Node:
    """A value is YAML; that of a key which is text is text, so that `system=polaris: x` needs no quotes."""
    key = KEYS[general(dotted) or ""]
    text = source.text[start:]
    plain = key.kind in ("text", "script", "name", "threads", "counts", "times")
    if plain and text not in ("", "null", "~") and text[0] not in "\"'":
        return Node(text, Span(source, start, len(source.text)))
    return compose_yaml(source, start).root


def _unknown(path: tuple[str, ...], span: Span, problems: Problems) -> None:
    from flowrules.load.profile_values import Values

    known, i = "", 0
    while general(".".join(path[: i + 1])) is not None:
        i += 1
    known = ".".join(path[:i])
    names = below(general(known) or known)
    if known and not names:
        problems.error("F812", f"`{known}` has no keys below it", span)
        return
    Values(problems).unknown(path[i], known, span, names)


def _nested(path: Iterable[str], node: Node, span: Span) -> Node:
    """A value below its keys."""
    for key in reversed(tuple(path)):
        node = Node({key: node.value}, span, {key: node}, {key: span})
    return node


def _key_of(variable: str, root: Node) -> tuple[str, ...]:
    """The key that a variable sets: `__` stands for a dot, capitals and `_` for whatever the key is really made of."""
    path: list[str] = []
    node: Node | None = root
    for part in variable.removeprefix(PREFIX).split("__"):
        there = [key for key in node.children if isinstance(key, str)] if node is not None else []
        names = [*below(".".join(path)), *there]
        path.append(next((name for name in names if _plain(name) == _plain(part)), part.lower()))
        node = node.children.get(path[-1]) if node is not None else None
    return tuple(path)


def _plain(name: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in name.upper())
