"""Any expression gives a value or a diagnostic with a place, whatever it is made of."""

import os

from expr_world import Bench
from hypothesis import given, settings
from hypothesis import strategies as st

from flowrules.codes import CODES
from flowrules.errors import FlowfileError
from flowrules.expr.builtins import BUILTINS
from flowrules.expr.methods import METHOD_NAMES
from flowrules.model.values import NamedList

MANY = int(os.environ.get("FUZZ_N", "0"))
"""Examples that `make fuzz` asks for."""

FLOWFILE = """\
let OUT = "out"
let BAM = "{OUT}/{s}.bam"
let U = table("u.csv")
let W = lines("wait.txt")
let f(x, y=1) = [x, y]
"""
FILES = {"u.csv": "a,b\n1,2\n3,\n", "l.txt": "x\ny\n", "x.json": '{"a": [1, null]}', "d/a.txt": ""}
CONFIG = {"a": {"b": 1, "c": None}, "l": ["x", 2], "t": "text {x}", "f": 1.5}
JOB = {
    "wildcards": {"s": "v", "t": "1"},
    "input": NamedList(["i.bam", "j", "k"], {"bam": (0, 1), "many": (1, 3), "none": (3, 3)}),
    "attempt": 2,
    "resources": {"mem": None},
}
BENCH = Bench(
    FLOWFILE,
    files=FILES,
    waits={"wait.txt"},
    config=CONFIG,
    env={"HOME": "/h"},
    job_names=frozenset(JOB),
    wildcards=frozenset({"s", "t"}),
)

atoms = st.sampled_from(
    [
        *(
            "0",
            "1",
            "-1",
            "2.5",
            "true",
            "null",
            "16GB",
            "20min",
            '""',
            '"a"',
            '"a b"',
            '"{s}.txt"',
            '"{OUT}/{config.a.b}"',
        ),
        *(
            "'{u.a}'",
            "'{x,[0-9]+}'",
            'f"{OUT}-{1 + 1}"',
            'f"{config.l}"',
            '"l.txt"',
            '"u.csv"',
            '"x.json"',
            "'d/{x}.txt'",
        ),
        *(
            "OUT",
            "BAM",
            "U",
            "W",
            "HERE",
            "config",
            "config.a",
            "config.l",
            "config.t",
            "wildcards",
            "wildcards.s",
            "input",
        ),
        *(
            "input.bam",
            "input.many",
            "input.none",
            "attempt",
            "resources",
            "[]",
            "{}",
            "x",
            "rules.a.output",
            "pattern",
        ),
    ]
)
names = st.sampled_from(["a", "b", "bam", "s", "items", "__class__", "x"])
functions = st.sampled_from([*BUILTINS, "expand", "pattern", "f", "some", "nope"])


def compound(inner):
    pair = st.tuples(inner, inner)
    operators = st.sampled_from(
        ["+", "-", "*", "/", "//", "%", "**", "==", "!=", "<", ">=", "in", "not in", "and", "or"]
    )
    return st.one_of(
        st.builds(lambda a, op, b: f"({a} {op} {b})", inner, operators, inner),
        st.builds("[{}, {}]".format, inner, inner),
        st.builds("[*{}]".format, inner),
        st.builds("{{{}: {}}}".format, inner, inner),
        st.builds("{}[{}]".format, inner, inner),
        st.builds("{}[{}:{}]".format, inner, inner, inner),
        st.builds("{}.{}".format, inner, names),
        st.builds("-{}".format, inner),
        st.builds("not {}".format, inner),
        st.builds("({} if {} else {})".format, inner, inner, inner),
        st.builds("[{} for x in {} if {}]".format, inner, inner, inner),
        st.builds("{{{}: {} for x, y in {}}}".format, inner, inner, inner),
        st.builds("{}({})".format, functions, inner),
        st.builds("{}({}, {})".format, functions, inner, inner),
        st.builds("{}({}, {}={})".format, functions, inner, names, inner),
        st.builds("{}(*{}, **{})".format, functions, inner, inner),
        st.builds("{}.{}({})".format, inner, st.sampled_from(sorted(METHOD_NAMES)), inner),
        st.builds("{}.{}({}, {})".format, inner, st.sampled_from(sorted(METHOD_NAMES)), inner, inner),
        pair.map(lambda p: f"expand({p[0]}, x={p[1]})"),
    )


@settings(max_examples=max(400, MANY), derandomize=not MANY)
@given(st.recursive(atoms, compound, max_leaves=6))
def test_a_value_or_a_diagnostic(text):
    BENCH.renew(20_000)
    try:
        BENCH.value(text, JOB)
    except FlowfileError as error:
        for d in error.diagnostics:
            assert d.code in CODES
            assert d.span is not None
            assert d.message[0] == d.message[0].lower()
            assert not d.message.endswith(".")
