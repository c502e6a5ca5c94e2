"""Hostile expressions end soon, with a diagnostic, in little memory: a step costs what it takes."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest
from expr_world import Bench

from flowrules.codes import CODES
from flowrules.errors import FlowfileError
from flowrules.expr.world import BUDGET, BudgetSpent

DOUBLING = "".join(
    f"let T{i} = T{i - 1} + T{i - 1}\nlet L{i} = [L{i - 1}, L{i - 1}]\nlet M{i} = [M{i - 1}, M{i - 1}]\n"
    for i in range(1, 61)
)
PATTERNS = "".join(f'let P{i} = "{{P{i - 1}}}{{P{i - 1}}}"\n' for i in range(1, 61))
FUNCTIONS = "let f0(x) = [x, x]\n" + "".join(f"let f{i}(x) = f{i - 1}(x) + f{i - 1}(x)\n" for i in range(1, 61))
CHAIN = "".join(f"let C{i} = C{i - 1} + 1\n" for i in range(1, 3001))
FLOWFILE = f"""\
let T0 = "abcdefgh"
let L0 = [1]
let M0 = [1]
let P0 = "{{a}}{{b}}"
let C0 = 1
{DOUBLING}{PATTERNS}{FUNCTIONS}{CHAIN}
let R = range(10000)
let LONG = "ab" * 100000
let U = table("u.csv")
"""
FILES = {
    "u.csv": "a,b\n1,2\n",
    "deep.json": "[" * 100_000,
    "many.json": "[" + "[]," * 3_000_000 + "[]]",
    "wide.csv": ",".join(map(str, range(3000))) + "\n" * 2 + "x\n" * 10_000,
}

ATTACKS = {
    "a power of powers": "9**9**9",
    "a power": "(2**4000) * (2**4000)",
    "a power of a fraction": "9.5 ** 99999",
    "text repeated": '"a" * 10**9',
    "wide text repeated": '"\\u4e00" * 10**8',
    "a list repeated": "[0] * 10**9",
    "a range": "range(10**12)",
    "a long loop": "[x for x in range(10**9)]",
    "loops in loops": "[0 for a in range(10**5) for b in range(10**5)]",
    "lists in lists": "[[b for b in range(10**5)] for a in range(10**5)]",
    "a dict": "{str(a): [a] for b in range(10**4) for a in range(10**6)}",
    "new text in a loop": "[str(a) + str(b) for a in range(5000) for b in range(5000)]",
    "a sum": "sum(range(10**9))",
    "any": "any(0 for a in range(10**9))",
    "join": 'join(["x" * 10**6] * 10**6, "y")',
    "join by long text": 'join([1] * 10**6, "y" * 10**6)',
    "replace": '("a" * 10**6).replace("a", "b" * 10**6)',
    "upper in turn": '("\\u0390" * 10**7).upper().upper().upper()',
    "split": '("a " * 10**8).split()',
    "expand": 'expand("{a}{b}{c}", a=range(1000), b=range(1000), c=range(1000))',
    "expand of many": 'expand(["{a}{b}"] * 10**6, a=range(10), b=range(10))',
    "expand into patterns": 'expand("{a}{b}{c}", a=range(2000), b=range(2000))',
    "expand of long text": 'expand("{a}{b}", a=["x" * 10**6] * 1000, b=range(1000))',
    "zip": "[zip(R, R, R) for a in R]",
    "unique of lists": "unique([[a] for a in range(10**5)])",
    "in": "[a in R for a in R]",
    "count": "[R.count(a) for a in R]",
    "slices": "[R[a:] for a in R]",
    "text in text": "[LONG in LONG + LONG for a in range(10**6)]",
    "many beginnings": "[LONG.startswith(['x'] * 1000) for a in range(10**6)]",
    "equality of shared lists": "L60 == M60",
    "order of shared lists": "L60 < M60",
    "text that doubles": "T60",
    "patterns that double": "P60",
    "functions that double": "f60(1)",
    "constants in a chain": "C3000",
    "a regular expression": 'match("(a|aa)+[bc]", "a" * 60 + "d")',
    "regular expressions": '[match("(a|aa)+[bc]", "a" * n + "d") for i in range(10**6) for n in [12, 16, 20, 24]]',
    "a nested regular expression": 'match("(" * 5000 + ")" * 5000, "")',
    "placeholders in data": 'pattern("{" * 10**7)',
    "placeholders in data that are wildcards": 'pattern("{x}" * 10**7)',
    "rows": "[rows(U, a='1') for a in range(10**7)]",
    "deep JSON": "json('deep.json')",
    "JSON of many small lists": "json('many.json')",
    "a wide table": "table('wide.csv')",
    "nested brackets": "(" * 100_000,
    "signs": "-" * 100_000 + "1",
    "a chain of conditions": "1 if 0 else " * 100_000 + "1",
    "loops without end": "[1 " + "for a in [1, 2] " * 500 + "]",
    "attributes": "config" + ".a" * 100_000,
    "a digit string": 'int("9" * 10**6)',
    "digits": "9" * 100_000,
    "a wide format": 'f"{1:99999999d}"',
    "wide formats": '[f"{a:999d}" for a in range(10**7)]',
    "nested constraints": '"{x,' + "(" * 3000 + ")" * 3000 + '}"',
    "class": '"".__class__',
    "class of config": "config.__class__",
    "globals of a function": "f0.__globals__",
    "subclasses": "[].__class__.__base__.__subclasses__()",
    "format of an attribute": '"{config.__class__}"',
    "a key that is a method": "{}.get.__self__",
}

SHARE = 8
"""Attacks get this part of the budget here, and of the memory beyond what starting takes: both grow alike."""

START_MEGABYTES, MEGABYTES = 220, 600


@pytest.mark.parametrize("names", [list(ATTACKS)[i::4] for i in range(4)], ids=lambda names: "")
def test_attacks_end_in_little_memory(names):
    """Each group runs in a process whose memory is limited; a hang would be ended from outside."""
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import test_expr_limits as t; t.attack({names!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert [line.partition(": ")[0] for line in done.stdout.splitlines()] == names


def attack(names):
    """Runs attacks in this process; what the limit leaves must do for each."""
    limit = (START_MEGABYTES + (MEGABYTES - START_MEGABYTES) // SHARE) << 20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    bench = Bench(FLOWFILE, files=FILES, config={"a": 1})
    for name in names:
        bench.renew(BUDGET // SHARE)
        try:
            bench.value(ATTACKS[name])
        except FlowfileError as error:
            assert all(d.span is not None and d.code in CODES for d in error.diagnostics)
            print(f"{name}: {error.diagnostics[0].code}")
        else:
            raise AssertionError(f"{name} found its value")


def test_every_kind_of_work_is_paid_for():
    """A hundredth of the budget is spent by a hundredth of the work."""
    for text in ("[x for x in range(10**5)]", '"a" * 10**7', "range(10**6)", 'expand("{a}{b}", a=R, b=range(100))'):
        bench = Bench(FLOWFILE, budget=BUDGET // 100)
        with pytest.raises(BudgetSpent):
            bench.value(text)


def test_a_budget_that_is_spent_can_grow():
    bench = Bench(budget=10)
    assert bench.mistakes("range(100)")[0].startswith("1: F118 this takes too many steps or too much memory to compute")
    bench.world.meter.grow(1000)
    assert len(bench.value("range(100)")) == 100


def test_honest_work_fits_the_budget():
    bench = Bench(
        'let S = [f"s{i}" for i in range(100000)]\nlet OUT = "out"\n', files={"u.csv": "a,b\n" + "x,y\n" * 100_000}
    )
    assert len(bench.value('expand("{OUT}/{s}.txt", s=S)')) == 100_000
    assert len(bench.value('[f"{OUT}/{s}" for s in S if match("(s.*)(1|2)", s)]')) == 20_000
    assert len(bench.value('expand("{u.a}-{u.b}", u=table("u.csv"))')) == 100_000


def test_long_sums_need_no_stack():
    assert Bench().value(" + ".join(["1"] * 150)) == 150
    assert Bench().value(" and ".join(["1"] * 20_000)) == 1
    assert Bench().value(" < ".join(map(str, range(20_000)))) is True
