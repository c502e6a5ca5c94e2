"""JSON Schema for the configuration: defaults filled in, every violation told at the place of the value.

The `jsonschema` package validates; keywords are wrapped so that a schema can neither reach the network nor hang.
"""

from __future__ import annotations

from typing import Final

from flowrules.errors import Diagnostic, FlowfileError, Related, fail
from flowrules.expr.yaml12 import MAX_DEPTH, Node, YamlDocument, compose_yaml
from flowrules.load.config import Settings
from flowrules.load.keywords import Json, Refused, safe_keywords
from flowrules.load.violation import shown, violation
from flowrules.span import Source, Span

MAX_DEFAULTS: Final = 200_000
"""How many values of a configuration its defaults may touch."""

_DRAFTS: Final = {
    "https://json-schema.org/draft/2020-12/schema": "Draft202012Validator",
    "https://json-schema.org/draft/2019-09/schema": "Draft201909Validator",
    "http://json-schema.org/draft-07/schema": "Draft7Validator",
    "http://json-schema.org/draft-06/schema": "Draft6Validator",
    "http://json-schema.org/draft-04/schema": "Draft4Validator",
}


def apply_schema(settings: Settings, source: Source, used_at: Span) -> None:
    """Fill the schema's defaults into the configuration, then validate it.

    Args:
        source: text of the schema, JSON or YAML.
        used_at: where the Flowfile names the schema.

    Raises:
        FlowfileError: one diagnostic for each violation, or for each mistake in the schema.
    """
    document = compose_yaml(source)
    if not isinstance(document.value, (dict, bool)):
        raise fail("F408", "a schema is a mapping", document.root.span)
    validator = _validator(document)
    if isinstance(document.value, dict):
        settings.root = _Defaults(document).fill(settings.root, document.root, 0)
    try:
        found = list(validator.iter_errors(settings.value))
    except RecursionError:
        raise fail("F408", "the schema refers to itself without end", document.root.span) from None
    except Refused as refused:
        related = (Related("the schema is used here", used_at),)
        raise FlowfileError([Diagnostic("F408", str(refused), refused.span, refused.hint, related)]) from None
    wrong_type = {tuple(error.absolute_path) for error in found if error.validator == "type"}
    kept = [e for e in found if e.validator == "type" or tuple(e.absolute_path) not in wrong_type]
    if kept:
        raise FlowfileError(_without_echoes([violation(error, settings, document) for error in kept]))


def _without_echoes(problems: list[Diagnostic]) -> list[Diagnostic]:
    """A misspelt key is not told a second time as a missing one."""
    meant = {d.hint for d in problems if d.hint}
    kept = []
    for d in dict.fromkeys(problems):
        missing = d.message.removesuffix(" is missing")
        name = missing.strip("`").rpartition(".")[2]
        if missing != d.message and f"did you mean `{name}`?" in meant:
            continue
        kept.append(d)
    return kept


# ── the validator ────────────────────────────────────────────────────────────────────────────────────────────────


def _validator(document: YamlDocument) -> Json:
    import jsonschema
    from jsonschema.exceptions import SchemaError
    from referencing import Registry

    schema = document.value
    name = str(schema.get("$schema", "")).rstrip("#") if isinstance(schema, dict) else ""
    if name and name not in _DRAFTS:
        span = document.span(("$schema",))
        raise fail("F408", f"the dialect `{name}` is not known", span, "drafts 4, 6, 7, 2019-09 and 2020-12 are")
    base = getattr(jsonschema, _DRAFTS.get(name, "Draft202012Validator"))
    try:
        base.check_schema(schema, format_checker=jsonschema.FormatChecker(formats=()))
    except SchemaError as error:
        path = tuple(error.absolute_path)
        place = f"`{path[-1]}`" if path else "a schema"
        raise fail("F408", f"{place} cannot be {shown(error.instance)}", document.span(path)) from None
    _check_references(document, document.root)
    extend: Json = jsonschema.validators.extend
    extended = extend(base, safe_keywords(dict(base.VALIDATORS), document))
    return extended(schema, registry=Registry())


def _check_references(document: YamlDocument, node: Node) -> None:
    """Refuse `$ref`s that leave the file, and those that lead nowhere."""
    stack = [node]
    known: set[str] = set()
    references = []
    while stack:
        here = stack.pop()
        if isinstance(here.value, dict):
            known.update(str(here.value[k]) for k in ("$id", "id", "$anchor", "$dynamicAnchor") if k in here.value)
            references += [
                child for key, child in here.children.items() if key in ("$ref", "$dynamicRef", "$recursiveRef")
            ]
        stack.extend(here.children.values())
    for child in references:
        target = child.value
        if not isinstance(target, str):
            continue
        file, _, pointer = target.partition("#")
        if file and file not in known:
            hint = "only places in the same file are followed: `#/$defs/…`"
            raise fail("F409", f"`$ref` to `{target}` leads out of the schema", child.span, hint)
        if not file and pointer.startswith("/") and _resolve(document.root, pointer) is None:
            raise fail("F408", f"there is no `{target}` in this schema", child.span)
        if not file and pointer and not pointer.startswith("/") and pointer not in known:
            raise fail("F408", f"there is no anchor `{target}` in this schema", child.span)


def _resolve(root: Node, pointer: str) -> Node | None:
    """The node a JSON pointer such as `/$defs/a` leads to."""
    node = root
    for step in pointer.split("/")[1:]:
        key: str | int = step.replace("~1", "/").replace("~0", "~")
        if isinstance(node.value, list):
            key = int(step) if step.isdigit() else -1
        if key not in node.children:
            return None
        node = node.children[key]
    return node


class _Defaults:
    """Copies of a configuration with what the schema declares as `default` put where nothing is."""

    def __init__(self, document: YamlDocument) -> None:
        self.root = document.root
        self._made = 0
        self._followed: list[Node] = []

    def fill(self, node: Node, schema: Node, depth: int) -> Node:
        """The node with the defaults of a schema filled in, at every level that exists."""
        if depth > MAX_DEPTH or not isinstance(schema.value, dict):
            return node
        target = self._reference(schema)
        if target is not None:
            node = self.fill(node, target, depth + 1)
        for part in _items(schema, "allOf"):
            node = self.fill(node, part, depth + 1)
        if isinstance(node.value, dict):
            return self._fill_mapping(node, schema, depth)
        if isinstance(node.value, list) and "items" in schema.children:
            self._count(node.weight, schema)
            children = {i: self.fill(child, schema.children["items"], depth + 1) for i, child in node.children.items()}
            return Node([child.value for child in children.values()], node.span, children, weight=node.weight)
        return node

    def _fill_mapping(self, node: Node, schema: Node, depth: int) -> Node:
        self._count(1, schema)
        children, keys = dict(node.children), dict(node.keys)
        properties = schema.children.get("properties")
        for key, part in (properties.children if properties else {}).items():
            if key in children:
                children[key] = self.fill(children[key], part, depth + 1)
            elif (absent := self._absent(part, depth + 1)) is not None:
                children[key] = absent
                keys[str(key)] = absent.span
        rest = schema.children.get("additionalProperties")
        if rest is not None:
            for key in [k for k in node.children if properties is None or k not in properties.children]:
                children[key] = self.fill(children[key], rest, depth + 1)
        return Node({key: child.value for key, child in children.items()}, node.span, children, keys)

    def _absent(self, schema: Node, depth: int) -> Node | None:
        """What stands for a value that is not there: its default, or a mapping of the defaults below it."""
        if depth > MAX_DEPTH or not isinstance(schema.value, dict):
            return None
        if "default" in schema.children:
            self._count(schema.children["default"].weight, schema)
            return self.fill(schema.children["default"], schema, depth + 1)
        target = self._reference(schema)
        if target is not None:
            if target in self._followed:
                return None  # a tree has no end: what is absent stays absent
            self._followed.append(target)
            found = self._absent(target, depth + 1)
            self._followed.pop()
            return found
        if "properties" not in schema.children:
            return None
        filled = self._fill_mapping(Node({}, schema.span), schema, depth)
        required = schema.value.get("required", [])
        complete = isinstance(required, list) and all(key in filled.children for key in required)
        return filled if filled.children and complete else None

    def _reference(self, schema: Node) -> Node | None:
        assert isinstance(schema.value, dict)
        reference = schema.value.get("$ref")
        is_pointer = isinstance(reference, str) and (reference == "#" or reference.startswith("#/"))
        return _resolve(self.root, str(reference)[1:]) if is_pointer else None

    def _count(self, values: int, schema: Node) -> None:
        self._made += values
        if self._made > MAX_DEFAULTS:
            raise fail("F404", f"the defaults of the schema make more than {MAX_DEFAULTS:,} values", schema.span)


def _items(schema: Node, key: str) -> list[Node]:
    below = schema.children.get(key)
    return list(below.children.values()) if below is not None and isinstance(below.value, list) else []
