"""Functions of imported Python modules: plain values in, plain values out, and no way around that."""

from fractions import Fraction
from pathlib import PurePosixPath
from types import ModuleType

import pytest
from expr_world import Bench

from flowrules.expr.pycall import public_functions

CODE = """
import os
from os import system
def echo(*args, **kwargs): return [list(args), kwargs]
def kinds(x): return type(x).__name__
def fails(): raise ValueError("no such thing")
def path(): return PurePosixPath("a/b")
def third(): return Fraction(1, 3)
def odd(kind): return {"set": {1}, "object": object(), "bytes": b"x", "key": {(1,): 2}, "deep": deep}[kind]
def generator(): return (x for x in [1])
def exits(): raise SystemExit(3)
def _private(): return 1
class Thing: pass
value = 5
deep = []
for _ in range(100): deep = [deep]
"""


@pytest.fixture
def bench():
    module = ModuleType("helpers")
    module.__file__ = "/w/helpers.py"
    vars(module).update(PurePosixPath=PurePosixPath, Fraction=Fraction)
    exec(compile(CODE, "/w/helpers.py", "exec"), vars(module))
    flowfile = "let T = table('u.csv')\nlet A = lines('wait.txt')\n"
    return Bench(
        flowfile,
        modules={"h": module},
        files={"u.csv": "a,b\n1,\n"},
        waits={"wait.txt"},
        config={"k": [1, {"a": None}]},
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("h.echo(1, 'a', x=true)", [[1, "a"], {"x": True}]),
        ("h.echo(config.k, *[1, 2], **{'z': null})", [[[1, {"a": None}], 1, 2], {"z": None}]),
        ("h.echo(T)", [[[{"a": "1", "b": None}]], {}]),
        ("h.echo(T[0], 1GB)", [[{"a": "1", "b": None}, 10**9], {}]),
        ("[h.kinds(x) for x in ['a', 1, 1.5, [1], {'a': 1}, T]]", ["str", "int", "float", "list", "dict", "list"]),
        ("h.path()", "a/b"),
        ("round(h.third(), 2)", 0.33),
        ("h.echo(A).x == A", None),
    ],
)
def test_calls(bench, text, expected):
    found = bench.value(text)
    assert found == expected if expected is not None else found.paths == {"wait.txt"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("h.fails()", "1: F129 `h.fails` failed: ValueError: no such thing (line 6 of `helpers.py`)"),
        ("h.kinds()", "1: F129 `h.kinds` failed: TypeError: kinds() missing 1 required positional argument: 'x'"),
        (
            "h.odd('set')",
            "1: F129 `h.odd` returned a value of Python's type `set` [a set has no order: return `sorted(…)`]",
        ),
        (
            "h.odd('object')",
            "1: F129 `h.odd` returned a value of Python's type `object` [return text, numbers, true or false, null, and lists or dicts of these]",
        ),
        ("h.odd('key')", "1: F129 `h.odd` returned a dict with a key of Python's type `tuple`"),
        ("h.odd('deep')", "1: F119 what `h.odd` returns nests too deeply"),
        (
            "h.generator()",
            "1: F129 `h.generator` returned a value of Python's type `generator` [return text, numbers, true or false, null, and lists or dicts of these]",
        ),
        ("h.exits()", "1: F129 `h.exits` failed: SystemExit: 3 (line 11 of `helpers.py`)"),
        (
            "h.system('true')",
            "1: F130 the module `h` has no function `system` [only functions that the module itself defines can be called]",
        ),
        (
            "h.Thing()",
            "1: F130 the module `h` has no function `Thing` [only functions that the module itself defines can be called]",
        ),
        (
            "h.value()",
            "1: F130 the module `h` has no function `value` [only functions that the module itself defines can be called]",
        ),
        ("h._private()", "3: F130 `_private` is private to the module `h`"),
        (
            "h.os.getcwd().upper()",
            "1: F130 only functions of the imported module `h` can be used [call a function of it: `h.os(…)`]",
        ),
        ("h.echo('{s}')", "1: F128 `{s}` is a wildcard without a value here [hand over `wildcards.s`]"),
        ("h.echo(temp('x'))", "1: F108 a file with flags cannot be handed to Python"),
    ],
)
def test_mistakes(bench, text, message):
    assert message in bench.mistakes(text)


def test_what_is_handed_over_is_a_copy(bench):
    module = bench.world.modules["h"]
    vars(module)["change"] = change = lambda x: x.append(1)
    change.__module__ = "helpers"
    bench.value("h.change(config.k)")
    assert bench.value("config.k") == [1, {"a": None}]


def test_only_functions_of_its_own_are_public(bench):
    names = set(public_functions(bench.world.modules["h"]))
    assert names == {"echo", "kinds", "fails", "path", "third", "odd", "generator", "exits"}
