"""JSON Schema: defaults, violations at their place, and schemas that would do harm."""

import json

import pytest

from flowrules.errors import FlowfileError
from flowrules.load import keywords
from flowrules.load import schema as schemas
from flowrules.load.config import Settings
from flowrules.load.schema import apply_schema
from flowrules.model import pattern
from flowrules.span import Source, Span

USED = Span(Source("Flowfile", 'config "c.yaml" schema "s.json"'), 23, 31)


def apply(config: str, schema: object) -> dict[str, object]:
    settings = Settings()
    settings.add(Source("c.yaml", config))
    apply_schema(settings, Source("s.json", json.dumps(schema)), USED)
    return settings.value


def violations(config: str, schema: object) -> list[str]:
    with pytest.raises(FlowfileError) as caught:
        apply(config, schema)
    return [f"{d.span} {d.code} {d.message}" + (f" | {d.hint}" if d.hint else "") for d in caught.value.diagnostics]


# ── defaults ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_defaults_are_filled_in():
    schema = {"properties": {"a": {"default": 1}, "b": {"default": [1]}, "c": {}}}
    assert apply("a: 7\n", schema) == {"a": 7, "b": [1]}


def test_defaults_below_an_absent_mapping_make_it():
    schema = {"properties": {"p": {"properties": {"q": {"default": 1}, "r": {}}}}}
    assert apply("x: 1\n", schema) == {"x": 1, "p": {"q": 1}}


def test_an_absent_mapping_stays_absent_if_it_would_be_incomplete():
    schema = {"properties": {"p": {"required": ["r"], "properties": {"q": {"default": 1}, "r": {}}}}}
    assert apply("x: 1\n", schema) == {"x": 1}


def test_defaults_of_items_of_further_keys_and_of_references():
    sample = {"properties": {"layout": {"default": "single"}}}
    schema = {
        "$defs": {"sample": sample},
        "properties": {"samples": {"items": {"$ref": "#/$defs/sample"}}},
        "additionalProperties": {"allOf": [{"$ref": "#/$defs/sample"}]},
    }
    found = apply("samples: [{}, {layout: paired}]\nother: {}\n", schema)
    assert found["samples"] == [{"layout": "single"}, {"layout": "paired"}]
    assert found["other"] == {"layout": "single"}


def test_a_tree_of_defaults_ends():
    schema = {"properties": {"a": {"default": 1}, "below": {"$ref": "#"}}}
    assert apply("{}\n", schema) == {"a": 1, "below": {"a": 1}}


def test_defaults_that_multiply_are_stopped(monkeypatch):
    monkeypatch.setattr(schemas, "MAX_DEFAULTS", 5000)
    levels = {f"d{i}": {"properties": {k: {"$ref": f"#/$defs/d{i + 1}"} for k in "abcdefghij"}} for i in range(12)}
    schema = {"$defs": {**levels, "d12": {"default": 1}}, "properties": {"x": {"$ref": "#/$defs/d0"}}}
    assert "F404" in violations("a: 1\n", schema)[0]


# ── violations ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("config", "schema", "expected"),
    [
        ("a: x", {"type": "integer"}, "1:4 F407 `config.a` must be a whole number, but is the text `\"x\"`"),
        (
            'a: "3"',
            {"type": "integer"},
            "1:4 F407 `config.a` must be a whole number, but is the text `\"3\"` | write it without quotes: `3`",
        ),
        (
            "a: yes",
            {"type": "boolean"},
            "1:4 F407 `config.a` must be `true` or `false`, but is the text `\"yes\"` "
            "| in YAML 1.2 `yes` is text: write `true`",
        ),
        ("a: 1", {"type": "string"}, '1:4 F407 `config.a` must be text, but is `1` | put it in quotes: `"1"`'),
        (
            "a: x",
            {"type": "array"},
            '1:4 F407 `config.a` must be a list, but is the text `"x"` | a list of one is written `["x"]`',
        ),
        ("a: 0", {"minimum": 1}, "1:4 F407 `config.a` is `0`, but must be at least 1"),
        ("a: ab", {"pattern": "^[0-9]+$"}, '1:4 F407 `config.a` is `"ab"`, which does not match `^[0-9]+$`'),
        ("a: ab", {"const": 1}, '1:4 F407 `config.a` is `"ab"`, but must be `1`'),
        ("a: []", {"minItems": 2}, "1:4 F407 `config.a` must have at least 2 entries"),
        ("a: [1, 2, 1]", {"uniqueItems": True}, "1:11 F407 `config.a[2]` is in the list twice"),
        (
            "a: {b: 1}",
            {"anyOf": [{"type": "string"}, {"required": ["c"]}]},
            "1:4 F407 `config.a` fits none of the forms that the schema allows "
            "| it must be text, but is a mapping; or `….c` is missing",
        ),
        (
            "a: 1",
            {"oneOf": [{"minimum": 0}, {"maximum": 9}]},
            "1:4 F407 `config.a` fits more than one of the forms of which the schema wants exactly one",
        ),
        ("a: 1", {"not": {"const": 1}}, "1:4 F407 `config.a` is `1`, which the schema excludes"),
    ],
)  # fmt: skip
def test_a_violation_says_what_where_and_what_to_do(config, schema, expected):
    assert violations(config, {"properties": {"a": schema}}) == ["c.yaml:" + expected]


def test_all_violations_are_told():
    schema = {"properties": {"a": {"type": "string"}, "b": {"type": "string"}}, "required": ["c"]}
    assert len(violations("a: 1\nb: 2\n", schema)) == 3


def test_a_misspelt_key_is_told_once():
    schema = {"properties": {"samples": {}}, "required": ["samples"], "additionalProperties": False}
    assert violations("smaples: 1\n", schema) == [
        "c.yaml:1:1 F407 `config.smaples` is not known here | did you mean `samples`?"
    ]


def test_a_missing_key_is_explained_by_the_schema():
    schema = {"properties": {"units": {"description": "table of units"}}, "required": ["units"]}
    assert violations("a: 1\n", schema) == ["c.yaml:1:1 F407 `config.units` is missing | table of units"]


def test_a_wrong_kind_is_told_once():
    assert len(violations("a: x\n", {"properties": {"a": {"type": "integer", "enum": [1, 2]}}})) == 1


# ── schemas that would do harm ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"$ref": "https://example.org/x.json"}, "F409 `$ref` to `https://example.org/x.json` leads out of the schema"),
        ({"$ref": "other.json#/a"}, "F409 `$ref` to `other.json#/a` leads out of the schema"),
        ({"$ref": "#/$defs/x"}, "F408 there is no `#/$defs/x` in this schema"),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}, "F408 the schema refers to itself without end"),
        ({"type": "strng"}, 'F408 `type` cannot be `"strng"`'),
        ({"$schema": "http://example.org/"}, "F408 the dialect `http://example.org/` is not known"),
        ({"properties": {"a": {"pattern": "("}}}, "F408 `(` is no valid regular expression"),
    ],
)
def test_a_bad_schema_is_refused(schema, expected):
    (told,) = violations("a: x\n", schema)
    assert expected in told


def test_older_drafts_are_known():
    schema = {"$schema": "http://json-schema.org/draft-07/schema#", "properties": {"a": {"type": "integer"}}}
    assert len(violations("a: x\n", schema)) == 1


def test_a_pattern_that_explodes_does_not_hang(monkeypatch):
    monkeypatch.setattr(pattern, "MATCH_SECONDS", 0.05)
    schema = {"patternProperties": {"^(a|aa)+$": {"type": "integer"}}, "additionalProperties": False}
    config = "a" * 60 + "!: 1\n"
    with pytest.raises(FlowfileError) as caught:
        apply(config, schema)
    assert caught.value.diagnostics[0].code in ("F407", "F408")


def test_references_that_multiply_are_stopped(monkeypatch):
    monkeypatch.setattr(keywords, "MAX_STEPS", 5000)
    levels = {f"d{i}": {"oneOf": [{"$ref": f"#/$defs/d{i + 1}"}] * 4} for i in range(20)}
    schema = {"$defs": {**levels, "d20": {}}, "$ref": "#/$defs/d0"}
    assert "F408" in violations("a: 1\n", schema)[0]


def test_unevaluated_properties_with_an_odd_pattern_are_refused():
    schema = {"patternProperties": {"(a+)+b": {}}, "unevaluatedProperties": False}
    assert "is not supported" in violations("a: 1\n", schema)[0]
    schema = {"patternProperties": {"^[a-z]+$": {}}, "unevaluatedProperties": False}
    assert apply("a: 1\n", schema) == {"a": 1}
