"""YAML 1.2 (core schema) to plain values, with the place of every key and value; data can never run code.

PyYAML only splits the text into events; what a scalar means is decided here, so `no`, `on` and `12:30` are text. Keys
are always text, as written: they are compared with wildcard values, which are text too. `<<` merges as one expects.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from flowrules.errors import Diagnostic, FlowfileError, Related
from flowrules.span import Source, Span

if TYPE_CHECKING:
    import yaml

MAX_CHARACTERS: Final = 64 * 1024 * 1024
MAX_VALUES: Final = 1_000_000
"""Values of one document, each alias counted with all that it stands for."""
MAX_DEPTH: Final = 100
MAX_DIGITS: Final = 4000

Event: TypeAlias = Any
"""An event of PyYAML's parser; the stubs know no attributes of the C parser's."""

_TAG: Final = "tag:yaml.org,2002:"

_CONSTANTS: Final[dict[str, object]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_INTEGER: Final = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")


@dataclass(slots=True, eq=False)
class Node:
    """A value of a document with its place.

    Attributes:
        value: plain Python value: dict, list, str, int, float, bool or None.
        span: where it is written.
        children: nodes of a mapping by key, or of a sequence by index.
        keys: where the keys of a mapping are written.
        weight: values in it, itself included, aliases counted in full.
    """

    value: object
    span: Span
    children: dict[str | int, Node] = field(default_factory=dict)
    keys: dict[str, Span] = field(default_factory=dict)
    weight: int = 1


@dataclass(frozen=True, slots=True)
class YamlDocument:
    """A document: its plain value, and where each part of it is written."""

    source: Source
    root: Node

    @property
    def value(self) -> object:
        return self.root.value

    def span(self, path: Sequence[str | int], key: bool = False) -> Span:
        """Where the value (or its key) at a path of keys and indices is; where it is absent, the nearest part above."""
        node, span = self.root, self.root.span
        for i, step in enumerate(path):
            if step not in node.children:
                break
            if key and i == len(path) - 1 and isinstance(step, str) and step in node.keys:
                return node.keys[step]
            node = node.children[step]
            span = node.span
        return span


def load_yaml(text: str, name: str) -> object:
    """The plain value of a YAML text; ``name`` is the file it is reported under.

    Raises:
        FlowfileError: it is no valid YAML, is too large or too deep, or has duplicate keys or unknown tags.
    """
    return compose_yaml(Source(name, text)).value


def compose_yaml(source: Source, start: int = 0) -> YamlDocument:
    """The document in a source (from an offset on) with the place of every value.

    Raises:
        FlowfileError: it is no valid YAML, is too large or too deep, or has duplicate keys or unknown tags.
    """
    composer = _Composer(source, start)
    root = composer.document()
    if composer.problems:
        raise FlowfileError(composer.problems)
    return YamlDocument(source, root)


def resolve_plain(text: str) -> object:
    """What an unquoted scalar means in the core schema.

    Raises:
        ValueError: it is a number with more than `MAX_DIGITS` digits.
    """
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] not in "+-.0123456789":
        return text
    if len(text) > MAX_DIGITS and _FLOAT.fullmatch(text):
        raise ValueError(f"a number of {len(text)} characters is too long")
    if _INTEGER.fullmatch(text):
        return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
    return float(text) if _FLOAT.fullmatch(text) else text


class _Composer:
    """Builds nodes from parser events without recursion, and collects what is wrong but does not stop it."""

    def __init__(self, source: Source, start: int) -> None:
        import yaml  # a tenth of the start-up, and many workflows read no YAML

        self._yaml = yaml
        self.source = source
        self.start = start
        self.problems: list[Diagnostic] = []
        self._anchors: dict[str, Node] = {}
        self._values = 0

    def document(self) -> Node:
        text = self.source.text[self.start :]
        whole = self._span(0, len(text))
        if len(text) > MAX_CHARACTERS:
            raise self._too_big(self._span(0, 1), f"the file has more than {MAX_CHARACTERS // 2**20} MiB")
        events = self._events(text)
        root: Node | None = None
        for event in events:
            if isinstance(event, self._yaml.DocumentStartEvent):
                if root is not None:
                    self._problem(
                        "F401", "a second document begins here", self._span_of(event), "keep one document a file"
                    )
                    break
                root = self._node(next(events), events)
        return root if root is not None else Node(None, Span(self.source, whole.start, whole.start))

    def _events(self, text: str) -> Iterator[Event]:
        """Parser events, with PyYAML's errors turned into ours."""
        loader = None
        try:
            loader = getattr(self._yaml, "CSafeLoader", self._yaml.SafeLoader)(text)
            while loader.check_event():
                yield loader.get_event()
        except self._yaml.reader.ReaderError as error:
            at = text.find(chr(error.character)) if isinstance(error.character, int) else -1
            span = self._span(max(at, 0), max(at, 0) + 1)
            message = "a character that YAML does not allow"
            raise FlowfileError([Diagnostic("F401", message, span, "write it as an escape in double quotes")]) from None
        except self._yaml.MarkedYAMLError as error:
            if "nesting depth" in (error.problem or ""):  # libyaml's own limit, met while it looks ahead
                at = error.problem_mark.index if error.problem_mark else 0
                raise self._too_deep(self._span(at, at + 1)) from None
            raise FlowfileError([self._syntax_error(error, text)]) from None
        finally:
            if loader is not None:
                loader.dispose()

    def _syntax_error(self, error: yaml.MarkedYAMLError, text: str) -> Diagnostic:
        mark = error.problem_mark or error.context_mark
        at = min(mark.index, len(text)) if mark else 0
        problem = error.problem or "it cannot be read"
        hint = None
        if at < len(text) and text[at] == "\t":
            problem, hint = "a tab cannot indent YAML", "indent with spaces"
        elif "mapping values are not allowed" in problem:
            hint = "put text that holds `: ` in quotes, or check the indentation"
        related: tuple[Related, ...] = ()
        if error.context and error.context_mark and mark and error.context_mark.line != mark.line:
            opened = self._span(error.context_mark.index, error.context_mark.index + 1)
            related = (Related("opened here" if "flow" in error.context else "the block begins here", opened),)
        return Diagnostic("F401", _plain_words(problem), self._span(at, at + 1), hint, related)

    def _node(self, first: Event, events: Iterator[Event]) -> Node:
        """The node that begins with an event."""
        stack: list[_Open] = []
        event = first
        while True:
            done = self._leaf(event)
            if done is None and isinstance(event, (self._yaml.MappingStartEvent, self._yaml.SequenceStartEvent)):
                stack.append(self._open(event, len(stack)))
            elif done is None:
                done = self._close(stack.pop(), event)
            if done is not None:
                if not stack:
                    return done
                self._add(stack[-1], done, event)
            event = next(events)

    def _leaf(self, event: Event) -> Node | None:
        """The node of a scalar or an alias; None for the start or end of a collection."""
        if isinstance(event, self._yaml.ScalarEvent):
            node = Node(self._scalar(event), self._span_of(event))
            self._count(1, node.span)
        elif isinstance(event, self._yaml.AliasEvent):
            target = self._anchors.get(event.anchor or "")
            if target is None:
                self._problem("F401", f"there is no finished `&{event.anchor}` above", self._span_of(event))
                return Node(None, self._span_of(event))
            node = Node(target.value, self._span_of(event), target.children, target.keys, target.weight)
            self._count(target.weight, node.span)
            return node
        else:
            return None
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _open(self, event: Event, depth: int) -> _Open:
        span = self._span_of(event)
        if depth >= MAX_DEPTH:
            raise self._too_deep(span)
        mapping = isinstance(event, self._yaml.MappingStartEvent)
        self._check_tag(event, ("map",) if mapping else ("seq",))
        if event.anchor:
            self._anchors.pop(event.anchor, None)
        self._count(1, span)
        return _Open(Node({} if mapping else [], span), event.anchor, bool(event.flow_style))

    def _close(self, opened: _Open, event: Event) -> Node:
        node = opened.node
        # the parser ends a block at the next token, beyond comments and blank lines
        end = self._span_of(event).end if opened.flow or not opened.last else opened.last
        node.span = Span(self.source, node.span.start, max(end, node.span.start))
        for merged in opened.merges:
            self._merge(node, merged)
        if opened.anchor:
            self._anchors[opened.anchor] = node
        return node

    def _add(self, parent: _Open, node: Node, event: Event) -> None:
        """Put a finished node into the collection it stands in, as item, key or value."""
        into = parent.node
        parent.last = node.span.end
        if isinstance(into.value, list):
            into.children[len(into.value)] = node
            into.value.append(node.value)
            into.weight += node.weight
            return
        assert isinstance(into.value, dict)
        if parent.key is None:
            parent.key = self._key(node, event)
            return
        key, span, plain = parent.key
        parent.key = None
        if key == "<<" and plain:
            parent.merges.append(node)
            return
        if key in into.children:
            related = (Related("first written here", into.keys[key]),)
            self.problems.append(Diagnostic("F402", f"the key `{key}` is written twice", span, None, related))
        into.children[key] = node
        into.keys[key] = span
        into.value[key] = node.value
        into.weight += node.weight

    def _key(self, node: Node, event: Event) -> tuple[str, Span, bool]:
        if isinstance(event, self._yaml.ScalarEvent):
            return event.value, node.span, event.implicit[0]
        if isinstance(node.value, str):  # an alias
            return node.value, node.span, False
        self._problem("F401", "a key must be one word or text", node.span)
        return "", node.span, False

    def _merge(self, into: Node, other: Node) -> None:
        """`<<: *defaults`: entries of another mapping (or of several) that this one lacks."""
        sources = list(other.children.values()) if isinstance(other.value, list) else [other]
        assert isinstance(into.value, dict)
        for source in sources:
            if not isinstance(source.value, dict):
                self._problem("F401", "`<<` takes a mapping or a list of mappings", other.span)
                return
            for key, child in source.children.items():
                if key not in into.children and isinstance(key, str):
                    into.children[key] = child
                    into.keys[key] = source.keys[key]
                    into.value[key] = child.value
                    into.weight += child.weight

    def _scalar(self, event: Event) -> object:
        plain, quoted = event.implicit
        if plain or quoted or event.tag == "!":
            if not plain:
                return event.value
            try:
                return resolve_plain(event.value)
            except ValueError as error:
                raise self._too_big(self._span_of(event), str(error)) from None
        if not self._check_tag(event, ("str", "int", "float", "bool", "null")):
            return event.value
        kind = event.tag.removeprefix(_TAG)
        if kind == "str":
            return event.value
        value = resolve_plain(event.value) if len(event.value) <= MAX_DIGITS else event.value
        if kind == "float" and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if type(value) is not {"int": int, "float": float, "bool": bool, "null": type(None)}[kind]:
            self._problem("F401", f"`{event.value}` is no `!!{kind}`", self._span_of(event))
        return value

    def _check_tag(self, event: Event, known: tuple[str, ...]) -> bool:
        tag = event.tag
        if tag is None or tag == "!" or (tag.startswith(_TAG) and tag.removeprefix(_TAG) in known):
            return True
        shown = "!!" + tag.removeprefix(_TAG) if tag.startswith(_TAG) else tag
        hint = "plain YAML is data: remove the tag, or use one of `!!str !!int !!float !!bool !!null !!seq !!map`"
        self._problem("F403", f"the tag `{shown}` is not known", self._span_of(event), hint)
        return False

    def _count(self, values: int, span: Span) -> None:
        self._values += values
        if self._values > MAX_VALUES:
            raise self._too_big(span, f"more than {MAX_VALUES:,} values, aliases counted in full")

    def _too_big(self, span: Span, message: str) -> FlowfileError:
        return FlowfileError([*self.problems, Diagnostic("F404", message, span)])

    def _too_deep(self, span: Span) -> FlowfileError:
        return self._too_big(span, f"more than {MAX_DEPTH} levels of nesting")

    def _problem(self, code: str, message: str, span: Span, hint: str | None = None) -> None:
        self.problems.append(Diagnostic(code, message, span, hint))

    def _span_of(self, event: Event) -> Span:
        return self._span(event.start_mark.index, event.end_mark.index)

    def _span(self, start: int, end: int) -> Span:
        last = len(self.source.text)  # libyaml places what is missing one behind the last character
        return Span(self.source, min(self.start + start, last), min(self.start + end, last))


@dataclass(slots=True, eq=False)
class _Open:
    """A collection whose end has not been read."""

    node: Node
    anchor: str | None
    flow: bool
    key: tuple[str, Span, bool] | None = None
    last: int = 0
    merges: list[Node] = field(default_factory=list)


def _plain_words(problem: str) -> str:
    """PyYAML's words for a syntax error, in our style."""
    words = {
        "did not find expected key": "a key or the end of this block was expected here",
        "mapping values are not allowed in this context": "a second `:` on this line is not expected here",
        "could not find expected ':'": "a `:` is missing after this key",
        "did not find expected ',' or ']'": "`,` or `]` was expected here",
        "did not find expected ',' or '}'": "`,` or `}` was expected here",
        "did not find expected node content": "a value was expected here",
        "found unexpected end of stream": "the text ends before a quote or bracket is closed",
        "found character that cannot start any token": "this character cannot begin a value: put the text in quotes",
    }
    return words.get(problem, problem)
