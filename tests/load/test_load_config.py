"""Merging configuration, and where each value comes from."""

import pytest

from flowrules.errors import FlowfileError
from flowrules.load.config import Settings
from flowrules.span import Source


def settings(*texts: str) -> Settings:
    made = Settings()
    for number, text in enumerate(texts):
        made.add(Source(f"c{number}.yaml", text))
    return made


def test_later_files_win_key_by_key():
    made = settings("a: {x: 1, y: 2}\nb: [1, 2]\n", "a: {y: 3, z: 4}\nb: [9]\n")
    assert made.value == {"a": {"x": 1, "y": 3, "z": 4}, "b": [9]}


def test_an_empty_file_changes_nothing():
    assert settings("a: 1\n", "# nothing\n").value == {"a": 1}


def test_null_replaces_a_value():
    assert settings("a: {x: 1}\n", "a:\n").value == {"a": None}


def test_each_value_knows_its_file():
    made = settings("a:\n  x: 1\n  y: 2\n", "a:\n  y: 3\n")
    assert str(made.origin(["a", "x"])) == "c0.yaml:2:6"
    assert str(made.origin(["a", "y"])) == "c1.yaml:2:6"
    assert str(made.origin(["a", "y"], key=True)) == "c1.yaml:2:3"


def test_the_command_line_wins_and_is_a_place():
    made = settings("a:\n  x: 1\n")
    made.override("a.x=[1, no]")
    made.override("b.c.d=2")
    assert made.value == {"a": {"x": [1, "no"]}, "b": {"c": {"d": 2}}}
    assert made.origin(["a", "x", 1]).text() == "no"
    assert str(made.origin(["b", "c"], key=True)) == "command line:1:12"


def test_values_of_the_command_line_are_yaml():
    made = Settings()
    for text in ("a=1", "b=on", "c=", "d='1'", "e=x=y", "f={g: 1}"):
        made.override(text)
    assert made.value == {"a": 1, "b": "on", "c": None, "d": "1", "e": "x=y", "f": {"g": 1}}


def test_an_empty_value_may_be_filled_from_the_command_line():
    made = settings("a:\n")
    made.override("a.b=1")
    assert made.value == {"a": {"b": 1}}


@pytest.mark.parametrize("text", ["a", "=1", "a..b=1", ".a=1", "a.=1", ""])
def test_what_is_no_key_and_value_is_refused(text):
    with pytest.raises(FlowfileError, match="KEY=VALUE"):
        Settings().override(text)


def test_a_key_below_something_else_than_a_mapping_is_refused():
    with pytest.raises(FlowfileError, match=r"`a` is a list, so `a\.b` cannot be set"):
        settings("a: [1]\n").override("a.b=1")


def test_a_file_must_hold_a_mapping():
    with pytest.raises(FlowfileError, match="this one is a list"):
        settings("- 1\n")
