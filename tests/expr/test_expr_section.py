"""Entries of a directive evaluated: files, names, flags; parameters."""

import pytest
from expr_world import Bench, in_rule, told

from flowrules.errors import FlowfileError
from flowrules.expr.section import evaluate_named, evaluate_section
from flowrules.model.pattern import Pattern, Wildcard
from flowrules.model.quantity import parse_quantity
from flowrules.model.rule import Entry
from flowrules.model.values import NO_FLAGS, Flags, Unknown

FLOWFILE = (
    'let OUT = "results"\nlet B60 = [B59, B59]\n'
    + "".join(f"let B{i} = [B{i - 1}, B{i - 1}]\n" for i in range(1, 60))
    + 'let B0 = "x"\n'
)


def entries(bench, *texts):
    """Entries from `name = value`, `**value` and `value`."""
    made = []
    for text in texts:
        star = 2 if text.startswith("**") else 1 if text.startswith("*") else 0
        name, _, rest = text.partition(" = ") if " = " in text else (None, "", text[star:])
        value = bench.compile(rest)
        made.append(Entry(name, value, value.span, star))
    return made


def files(*texts, job=None, **world):
    bench = Bench(FLOWFILE, **world)
    return [
        (item.name, [(str(f) if isinstance(f, Pattern) else f, flags) for f, flags in item.files])
        for item in evaluate_section(entries(bench, *texts), bench.world, job or {})
    ]


def plain(*texts, **world):
    return [(name, [file for file, _ in found]) for name, found in files(*texts, **world)]


def test_names_lists_and_what_vanishes():
    assert plain(
        '"a.txt"', 'x = "b.txt"', 'y = ["c", ["d", null], []]', "z = null", "[]", 'w = "q" if false else null'
    ) == [
        (None, ["a.txt"]),
        ("x", ["b.txt"]),
        ("y", ["c", "d"]),
        ("z", []),
        (None, []),
        ("w", []),
    ]


def test_paths_and_patterns_are_normalized():
    assert plain('"./a//b"', '"{OUT}/./{s}//x"', '"d/"', '"/x/../y"') == [
        (None, ["a/b"]),
        (None, ["results/{s}/x"]),
        (None, ["d"]),
        (None, ["/y"]),
    ]
    bench = Bench(FLOWFILE)
    [item] = evaluate_section(entries(bench, '"{s,[0-9]+}.txt"'), bench.world, {})
    assert item.files == [(Pattern((Wildcard("s", "[0-9]+"), ".txt")), NO_FLAGS)]


def test_flags_reach_every_file_below_them():
    both = Flags(temp=True, directory=True)
    assert files('temp(["a", directory("b"), ["c"]])', "temp(null)", 'ancient("x")') == [
        (None, [("a", Flags(temp=True)), ("b", both), ("c", Flags(temp=True))]),
        (None, []),
        (None, [("x", Flags(ancient=True))]),
    ]


def test_a_dict_spreads_into_named_entries():
    assert plain('**{"a": "1", "b": ["2", "3"]}', "**null", "**{} ") == [("a", ["1"]), ("b", ["2", "3"])]


def test_unknown_stays_in_its_place():
    waits = Unknown(frozenset({"c.txt"}))
    assert plain('x = [f"{m}.json" for m in lines("c.txt")] + ["y"]', '**json("c.txt")', waits={"c.txt"}) == [
        ("x", [waits, "y"]),
        (None, [waits]),
    ]


def mistakes(*texts, **world):
    with pytest.raises(FlowfileError) as caught:
        files(*texts, **world)
    return [told(d) for d in caught.value.diagnostics]


def test_mistakes_of_all_entries_are_told():
    assert mistakes('"a"', "x = 5", 'y = {"a": 1}', '""', "**5", '"a\\0"', '**{"a b": "x"}', "1 / 0", '"x" * 5000') == [
        "1: F127 a file is wanted, this is the number 5 [a path is text: write quotes, or an f-string]",
        "1: F127 a file is wanted, this is a dict [name a key of it, or spread it into named entries: `**x`]",
        "1: F127 a file is wanted, this is empty text [null or `[]` stand for no file]",
        "1: F127 `**` spreads a dict into named entries, this is the number 5",
        "1: F127 a path cannot hold a NUL",
        "1: F127 `**` spreads a dict into named entries, but `a b` is no name",
        "1: F133 division by zero",
        "1: F127 a path of 5000 characters is longer than any system takes",
    ]
    assert mistakes('x = "a"', '**{"x": "b"}') == [
        "1: F136 two entries are called `x` [give a list to one name: `x = [a, b]`]"
    ]
    assert mistakes("true") == ["1: F127 a file is wanted, this is true"]


def test_a_list_of_lists_that_doubles_60_times_ends():
    [message] = mistakes("B60", budget=100_000)
    assert "F118" in message or "F119" in message


def params(*texts, job=None, **world):
    bench = Bench(FLOWFILE, **world)
    return evaluate_named(entries(bench, *texts), bench.world, job or {})


def test_parameters_keep_their_kinds():
    assert params("1", 'a = [1, {"k": null}]', "mem = 16GB * 2", '**{"b": true}', "*[2, 3]") == (
        [1, 2, 3],
        {"a": [1, {"k": None}], "mem": parse_quantity("32GB"), "b": True},
    )


def test_wildcards_in_parameters_are_filled_in_for_a_job():
    world = {**in_rule("s"), "job": {"wildcards": {"s": "x"}}}
    assert params('a = "{s}.txt"', 'b = ["{s}", {"k": "{s}/{s}"}]', "c = wildcards.s", **world)[1] == {
        "a": "x.txt",
        "b": ["x", {"k": "x/x"}],
        "c": "x",
    }
    assert params('a = "{s}.txt"')[1] == {"a": Pattern((Wildcard("s"), ".txt"))}


def test_flags_are_no_parameters():
    with pytest.raises(FlowfileError, match="belong to files"):
        params('temp("x")')
    with pytest.raises(FlowfileError, match="two entries are called `a`"):
        params("a = 1", '**{"a": 2}')
