"""A violation of the configuration's schema in words: which value, what is expected, what was probably meant."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from flowrules.errors import Diagnostic, Related, suggestion
from flowrules.expr.yaml12 import YamlDocument
from flowrules.load.config import Settings

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

MAX_SHOWN: Final = 60

_TYPES: Final = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "`true` or `false`",
    "array": "a list",
    "object": "a mapping",
    "null": "empty",
}
_LIMITS: Final = {
    "minimum": "must be at least",
    "maximum": "must be at most",
    "exclusiveMinimum": "must be more than",
    "exclusiveMaximum": "must be less than",
    "multipleOf": "must be a multiple of",
}
_SIZES: Final = {
    "minLength": "must have at least {} characters",
    "maxLength": "must have at most {} characters",
    "minItems": "must have at least {} entries",
    "maxItems": "must have at most {} entries",
    "minProperties": "must have at least {} entries",
    "maxProperties": "must have at most {} entries",
}


def violation(error: ValidationError, settings: Settings, schema: YamlDocument) -> Diagnostic:
    """The diagnostic for one error of jsonschema."""
    path: list[str | int] = list(error.absolute_path)
    about: dict[str, Any] = getattr(error, "flowrules", {})
    key = "key" in about
    if "index" in about:
        path.append(about["index"])
    elif key:
        path.append(about["key"])
    message, hint = _words(error, about)
    span = settings.origin(path, key=key)
    if key and error.validator == "required":
        span = settings.origin(path[:-1], key=True)
        span = span._replace(end=min(span.end, span.start + _line_left(span.text())))
    where = schema.span(tuple(error.absolute_schema_path))
    if span.source is schema.source:
        related: tuple[Related, ...] = ()
    else:
        related = (Related("the schema says so here", where._replace(end=where.start + _line_left(where.text()))),)
    return Diagnostic("F407", f"{name_of(path)} {message}", span, hint, related)


def name_of(path: Sequence[str | int]) -> str:
    """A place in the configuration as a Flowfile would write it: `config.samples[3]`."""
    text = "config"
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{step}" if step.isidentifier() else f'["{short(step)}"]'
    return f"`{text}`"


def short(text: str) -> str:
    """A text on one line, cut where it is long."""
    line = " ".join(text.split())
    return line if len(line) <= MAX_SHOWN else line[: MAX_SHOWN - 1] + "…"


def shown(value: object) -> str:
    """A value as YAML would write it, cut where it is long."""
    return f"`{short(json.dumps(value, ensure_ascii=False))}`"


def _words(error: ValidationError, about: dict[str, Any]) -> tuple[str, str | None]:
    """What is wrong, and a hint."""
    keyword = str(error.validator)
    wanted: Any = error.validator_value
    value: Any = error.instance
    if keyword == "required" and "key" in about:
        description = about["about"].get("description") if isinstance(about["about"], dict) else None
        return "is missing", short(str(description)) if description else None
    if keyword == "additionalProperties" and "key" in about:
        near = suggestion(about["key"], about["known"])
        known = ", ".join(f"`{name}`" for name in about["known"])
        return "is not known here", near or (f"known here: {known}" if known else None)
    if keyword == "type":
        return _wrong_type(wanted, value)
    if keyword == "enum":
        choices = [json.dumps(choice, ensure_ascii=False) for choice in wanted]
        words = [choice for choice in wanted if isinstance(choice, str)]
        near = suggestion(value, words) if isinstance(value, str) else None
        return f"is {shown(value)}, but must be one of {', '.join(f'`{c}`' for c in choices[:20])}", near
    if keyword in _LIMITS:
        return f"is {shown(value)}, but {_LIMITS[keyword]} {wanted}", None
    if keyword in _SIZES:
        return _SIZES[keyword].format(wanted), None
    if keyword in ("anyOf", "oneOf"):
        return _no_form(error)
    match keyword:
        case "const":
            return f"is {shown(value)}, but must be {shown(wanted)}", None
        case "pattern":
            return f"is {shown(value)}, which does not match `{short(str(wanted))}`", None
        case "uniqueItems":
            return "is in the list twice", None
        case "not":
            return f"is {shown(value)}, which the schema excludes", None
        case _:
            return f"breaks the schema: {short(error.message)}", None


def _wrong_type(wanted: object, value: object) -> tuple[str, str | None]:
    types = wanted if isinstance(wanted, list) else [wanted]
    expected = " or ".join(_TYPES.get(str(t), str(t)) for t in types)
    hint = None
    if isinstance(value, str) and {"number", "integer", "boolean"} & set(types):
        bare = value.strip()
        if bare in ("true", "false") or bare.lstrip("+-").replace(".", "", 1).isdigit():
            hint = f"write it without quotes: `{short(bare)}`"
        elif bare.lower() in ("yes", "no", "on", "off") and "boolean" in types:
            hint = f"in YAML 1.2 `{bare}` is text: write `{'true' if bare.lower() in ('yes', 'on') else 'false'}`"
    elif "string" in types and isinstance(value, (bool, int, float)):
        hint = f'put it in quotes: `"{json.dumps(value)}"`'
    elif "array" in types and isinstance(value, (str, int, float)):
        hint = f"a list of one is written {shown([value])}"
    return f"must be {expected}, but is {_kind(value)}", hint


def _kind(value: object) -> str:
    match value:
        case None:
            return "empty"
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case str():
            return f"the text {shown(value)}"
        case _:
            return shown(value)


def _no_form(error: ValidationError) -> tuple[str, str | None]:
    """None, or more than one, of the forms of an `anyOf` or `oneOf` fits: say why for each."""
    reasons: dict[int, str] = {}
    for inner in error.context or ():
        branch = inner.relative_schema_path[0]
        message, _ = _words(inner, getattr(inner, "flowrules", {}))
        below = list(inner.relative_path)
        key = getattr(inner, "flowrules", {}).get("key")
        place = name_of([*below, *([key] if key is not None else [])]).replace("config", "…", 1)
        reasons.setdefault(int(branch), f"{place} {message}" if place != "`…`" else f"it {message}")
    if not reasons:
        return "fits more than one of the forms of which the schema wants exactly one", None
    return "fits none of the forms that the schema allows", "; or ".join(list(reasons.values())[:4])


def _line_left(text: str) -> int:
    """Length of the first line of a text, at least one."""
    return max(1, len(text.split("\n", 1)[0]))
