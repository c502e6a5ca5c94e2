"""The configuration: files merged in order, then `--configfile`, then `--config`; every value remembers its origin."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from flowrules.errors import Diagnostic, FlowfileError, Related, fail
from flowrules.expr.yaml12 import Node, YamlDocument, compose_yaml
from flowrules.span import Source, Span

_OPTION: Final = "--config "


@dataclass(slots=True)
class Settings:
    """The configuration while it is put together, and where each part of it comes from.

    Attributes:
        root: the merged values with their places; a value of the command line has a place in the option's text.
    """

    root: Node = field(default_factory=lambda: _empty(Source("config", "")))

    @property
    def value(self) -> dict[str, object]:
        """The merged configuration."""
        assert isinstance(self.root.value, dict)
        return self.root.value

    def origin(self, path: Iterable[str | int], key: bool = False) -> Span:
        """Where the value (or its key) at a path was written; where it is absent, the nearest part above."""
        return YamlDocument(self.root.span.source, self.root).span(tuple(path), key)

    def add(self, source: Source) -> None:
        """Merge the text of a config file: mappings key by key, anything else is replaced.

        Raises:
            FlowfileError: it is no valid YAML, or no mapping.
        """
        document = compose_yaml(source)
        if document.value is None:
            return
        if not isinstance(document.value, dict):
            message = f"a config file holds `key: value` lines, this one is {kind_of(document.value)}"
            raise fail("F406", message, document.root.span)
        self.root = merge(self.root, document.root)

    def override(self, text: str) -> None:
        """Take one `KEY=VALUE` of the command line; the key may be dotted, the value is YAML.

        Raises:
            FlowfileError: it has no such form, or a part of the key is no mapping.
        """
        source = Source("command line", _OPTION + text)
        begin = len(_OPTION)
        dotted, equals, _ = text.partition("=")
        keys = dotted.split(".")
        if not equals or not all(key.strip() for key in keys):
            span = Span(source, begin, len(source.text))
            raise fail("F410", "`--config` takes KEY=VALUE", span, "for example `--config outdir=results`")
        node = compose_yaml(source, begin + len(dotted) + 1).root
        spans = []
        for key in keys:
            spans.append(Span(source, begin, begin + len(key)))
            begin += len(key) + 1
        self._check_parents(keys, spans)
        for key, span in zip(reversed(keys), reversed(spans), strict=True):
            node = Node({key.strip(): node.value}, span.to(node.span), {key.strip(): node}, {key.strip(): span})
        self.root = merge(self.root, node)

    def _check_parents(self, keys: list[str], spans: list[Span]) -> None:
        node = self.root
        for i, key in enumerate(keys[:-1]):
            below = node.children.get(key.strip())
            if below is None or below.value is None:
                return
            if not isinstance(below.value, dict):
                shown = ".".join(keys[: i + 1])
                message = f"`{shown}` is {kind_of(below.value)}, so `{'.'.join(keys)}` cannot be set"
                related = (Related("it is set here", below.span),)
                raise FlowfileError([Diagnostic("F410", message, spans[i].to(spans[i + 1]), None, related)])
            node = below


def merge(old: Node, new: Node) -> Node:
    """Two mappings put together, key by key where both hold mappings; anything else of the new one wins."""
    if not (isinstance(old.value, dict) and isinstance(new.value, dict)):
        return new
    result = Node(dict(old.value), new.span, dict(old.children), {**old.keys, **new.keys})
    assert isinstance(result.value, dict)
    for key, child in new.children.items():
        before = old.children.get(key)
        both = merge(before, child) if before is not None else child
        result.children[key] = both
        result.value[key] = both.value
    return result


def kind_of(value: object) -> str:
    """What a config value is, for a sentence: `a list`, `text`, `true or false`, …"""
    match value:
        case None:
            return "empty"
        case bool():
            return f"`{str(value).lower()}`"
        case int() | float():
            return f"the number {value}"
        case str():
            return "text"
        case dict():
            return "a mapping"
        case _:
            return "a list"


def _empty(source: Source) -> Node:
    return Node({}, Span(source, 0, 0))
