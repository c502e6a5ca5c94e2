"""What is said about mistakes: near misses, habits from Python and Snakemake, all that is wrong at once."""

from pathlib import Path

import pytest
from expr_world import Bench, in_rule, mistakes

TABLE = "sample,unit\nA,1\nA,2\n"
FLOWFILE = """\
let OUT = "results"
let MOLS = ["a", "b"]
let U = table("u.csv")
let double(x, times=2) = x * times
"""
FILES = {
    "u.csv": TABLE,
    "bad.json": "{",
    "nan.json": "NaN",
    "bin.txt": b"\xff\xfe",
    "wide.csv": "a,b\n1,2,3\n",
    "empty.csv": "",
    "twice.csv": "a,a\n",
    "bad.yaml": "a: [",
    "x.dat": "1",
}
RULES = {"known": {"h": {"run"}}, "rule_names": {"note"}, "rule_files": lambda rule, section: [], "later": {"later"}}
CONFIG = {"data": {"idx": 1, "path": None}, "n": 0, "l": [1], "s": "text"}


def said(text, **world):
    return mistakes(text, FLOWFILE, config=CONFIG, files=FILES, **world)


@pytest.mark.parametrize("place", ["anywhere", "input"])
def test_what_is_said(place, golden):
    """A file holds expressions (`> …`) and under each what is said about it; a new one is added there and blessed."""
    path = Path(__file__).parent / "mistakes" / f"{place}.txt"
    world = {} if place == "anywhere" else in_rule("sample", **RULES)
    job = {"wildcards": {"sample": "x"}}
    expressions = [line[2:] for line in path.read_text().splitlines() if line.startswith("> ")]
    golden(path, "\n".join("\n".join([f"> {text}", *said(text, job=job, **world), ""]) for text in expressions))


def test_all_mistakes_of_an_expression_are_told_at_once():
    assert said('expand("{OT}/{m}", m=MOL) + [lenn(x), f"{zz.y}"] if foo else 1GB.bar()') == [
        "9: F105 names in capitals are `let`s and there is no `OT` [did you mean `OUT`?]",
        "22: F101 unknown name `MOL` [did you mean `MOLS`?]",
        "30: F107 unknown function `lenn` [did you mean `len`?]",
        "35: F101 unknown name `x`",
        "42: F101 unknown name `zz`",
        "53: F101 unknown name `foo`",
        "66: F113 unknown method `bar`",
    ]
    assert [m.split()[1][:2] for m in said('f"{1 +}" + nope')] == ["F0", "F1"]


def test_outputs_say_why_they_know_no_wildcards():
    [message] = said("wildcards.x", place="output")
    assert "`output` is evaluated once, at load, for all jobs [write wildcards in braces" in message
    assert said("len(wildcards.x)", place="let")[0].startswith(
        "5: F102 `wildcards` belongs to a job and is not known here [make it a function"
    )


def test_a_constant_that_needs_itself():
    bench = Bench("let A = B + 1\nlet B = C\nlet C = [A]\nlet D = D\n")
    assert bench.mistakes("A") == [
        "10: F126 `A` needs itself: `A` → `B` → `C` → `A` [a `let` cannot be computed from its own value]"
    ]
    assert bench.mistakes("A + 1")[0].startswith("10: F126"), "the same error at every use"
    assert "`D` → `D`" in bench.mistakes("D")[0]


def test_an_error_inside_a_function_tells_who_called_it():
    bench = Bench("let f(x) = int(x)\nlet g(x) = f(x) + 1\n")
    from flowrules.errors import FlowfileError

    with pytest.raises(FlowfileError) as caught:
        bench.value("g('x')")
    [found] = caught.value.diagnostics
    assert str(found.span) == "Flowfile:1:12"
    assert [(r.message, str(r.span)) for r in found.related] == [
        ("in the call of `f`", "Flowfile:2:12"),
        ("in the call of `g`", "test:1:1"),
    ]


def test_arguments_of_a_function():
    from flowrules.errors import FlowfileError

    for text, part in [
        ("let f(a, a) = 1\n", "two arguments"),
    ]:
        with pytest.raises(FlowfileError, match=part):
            Bench(text)


def test_an_unset_variable():
    assert mistakes("env('NO')", env={}) == [
        '1: F131 the environment variable `NO` is not set [give a default: `env("NO", "…")`]'
    ]
