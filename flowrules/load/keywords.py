"""The keywords of JSON Schema made safe: counted, with time-limited regular expressions, and one error for each key."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from flowrules.expr.yaml12 import Node, YamlDocument
from flowrules.load.violation import short
from flowrules.model.pattern import is_plain, timed_regex
from flowrules.span import Span

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

MAX_STEPS: Final = 2_000_000
"""How many keywords of a schema may be applied to one configuration."""

Json: TypeAlias = Any
"""A value of a schema or configuration, or a validator: jsonschema takes and gives anything."""

Errors: TypeAlias = "Iterator[ValidationError]"
Keyword: TypeAlias = "Callable[[Json, Json, Json, Json], Errors | None]"


class Refused(Exception):
    """The schema asks for something that is not done."""

    def __init__(self, message: str, span: Span, hint: str | None = None) -> None:
        super().__init__(message)
        self.span = span
        self.hint = hint


def safe_keywords(base: Mapping[str, Keyword], document: YamlDocument) -> dict[str, Keyword]:
    """The keywords of a draft of JSON Schema, for one validation with the schema in a document."""
    return _Keywords(base, document).table()


class _Keywords:
    """Keyword functions of one validation. An error's ``flowrules`` attribute tells which key it is about."""

    def __init__(self, base: Mapping[str, Keyword], document: YamlDocument) -> None:
        self.base = base
        self.document = document
        self.steps = 0

    def table(self) -> dict[str, Keyword]:
        own: dict[str, Keyword] = {
            "pattern": self.pattern,
            "patternProperties": self.pattern_properties,
            "additionalProperties": self.additional_properties,
            "unevaluatedProperties": self.unevaluated_properties,
            "required": _required,
            "uniqueItems": _unique_items,
        }
        return {name: self.counted(own.get(name, keyword)) for name, keyword in self.base.items()}

    def counted(self, keyword: Keyword) -> Keyword:
        def apply(validator: Json, value: Json, instance: Json, schema: Json) -> Errors | None:
            self.steps += 1
            if self.steps > MAX_STEPS:
                message = f"the configuration cannot be checked in {MAX_STEPS:,} steps"
                raise Refused(message, _first_line(self.document.root.span), "simplify the schema")
            return keyword(validator, value, instance, schema)

        return apply

    def pattern(self, validator: Json, pattern: Json, instance: Json, schema: Json) -> Errors:
        if validator.is_type(instance, "string") and not self.search(pattern, instance):
            yield _error("does not match")

    def pattern_properties(self, validator: Json, patterns: Json, instance: Json, schema: Json) -> Errors:
        if validator.is_type(instance, "object"):
            for pattern, subschema in patterns.items():
                for key, value in instance.items():
                    if self.search(pattern, key):
                        yield from validator.descend(value, subschema, path=key, schema_path=pattern)

    def additional_properties(self, validator: Json, allowed: Json, instance: Json, schema: Json) -> Errors:
        if not validator.is_type(instance, "object"):
            return
        known = schema.get("properties", {})
        patterns = schema.get("patternProperties", {})
        for key in instance:
            if key in known or any(self.search(pattern, key) for pattern in patterns):
                continue
            if allowed is False:
                yield _error("is not known", key=key, known=tuple(known))
            else:
                yield from validator.descend(instance[key], allowed, path=key)

    def unevaluated_properties(self, validator: Json, value: Json, instance: Json, schema: Json) -> Errors | None:
        """jsonschema's own, which searches patterns without a time limit: only harmless ones are let through."""
        for node in _below(self.document.root):
            patterns = node.children.get("patternProperties")
            for pattern in patterns.keys if patterns is not None else ():
                if not is_plain(pattern.removeprefix("^").removesuffix("$")):
                    message = f"`unevaluatedProperties` together with the pattern `{short(pattern)}` is not supported"
                    raise Refused(message, self.where(pattern), "use `additionalProperties`")
        return self.base["unevaluatedProperties"](validator, value, instance, schema)

    def search(self, pattern: str, text: str) -> bool:
        """Whether an author's regular expression is found in a text; refused where it is invalid or takes too long."""
        import regex

        try:
            regex.compile(pattern)  # for errors that count from the start of the author's text
            return timed_regex(f"(?s:.*?)(?:{pattern})(?s:.*)")(text) is not None
        except TimeoutError:
            message = f"the pattern `{short(pattern)}` takes too long on `{short(text)}`"
            raise Refused(message, self.where(pattern), "avoid a repetition inside a repetition") from None
        except regex.error as error:
            message = f"`{short(pattern)}` is no valid regular expression: {error}"
            raise Refused(message, self.where(pattern)) from None

    def where(self, pattern: str) -> Span:
        """The place of a regular expression in the schema."""
        for node in _below(self.document.root):
            direct = node.children.get("pattern")
            if direct is not None and direct.value == pattern:
                return direct.span
            keyed = node.children.get("patternProperties")
            if keyed is not None and pattern in keyed.keys:
                return keyed.keys[pattern]
        return _first_line(self.document.root.span)


def _required(validator: Json, required: Json, instance: Json, schema: Json) -> Errors:
    if validator.is_type(instance, "object"):
        for key in required if isinstance(required, list) else ():
            if key not in instance:
                yield _error("is missing", key=key, about=schema.get("properties", {}).get(key))


def _unique_items(validator: Json, wanted: Json, instance: Json, schema: Json) -> Errors:
    """In linear time: jsonschema compares each with each where items are mappings."""
    if not wanted or not validator.is_type(instance, "array"):
        return
    seen: dict[str, int] = {}
    for i, item in enumerate(instance):
        if seen.setdefault(json.dumps(item, sort_keys=True), i) != i:
            yield _error("is twice in the list", index=i)


def _error(message: str, **about: Json) -> ValidationError:
    from jsonschema.exceptions import ValidationError

    error = ValidationError(message)
    error.flowrules = about  # type: ignore[attr-defined]
    return error


def _below(root: Node) -> Iterator[Node]:
    """A node and all below it."""
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(node.children.values())


def _first_line(span: Span) -> Span:
    return Span(span.source, span.start, min(span.end, span.start + 1))
