"""Literals, operators, access and calls: what expressions evaluate to."""

import pytest
from expr_world import Bench, value
from hypothesis import given
from hypothesis import strategies as st

from flowrules.expr.data import File
from flowrules.model.quantity import parse_quantity
from flowrules.model.values import Flagged, Flags, NamedList

TABLE = "sample,unit,fq1,fq2\nA,1,a1.fq,a2.fq\nA,2,b.fq,\nB,1,c.fq,\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3 - 4 // 3", 6),
        ("2 ** 10 % 1000", 24),
        ("7 / 2", 3.5),
        ("-2 ** 2", -4),
        ("1 < 2 <= 2", True),
        ("1 < 2 < 2", False),
        ("not 0 and not '' and not [] and not {} and not null", True),
        ("0 or 'x'", "x"),
        ("'' and 1", ""),
        ("1 if [] else 2 if {} else 3", 3),
        ("[1, *[2, 3], 4]", [1, 2, 3, 4]),
        ("(1, 2)", [1, 2]),
        ("[1] + [2] * 2", [1, 2, 2]),
        ("'ab' * 2 + 'c'", "ababc"),
        ("{'a': 1, 'b': [2]}", {"a": 1, "b": [2]}),
        ("{'a': 1}['a'] + {'b': 2}.b", 3),
        ("[1, 2, 3][-1]", 3),
        ("[1, 2, 3, 4][1:-1]", [2, 3]),
        ("'abcd'[::-1]", "dcba"),
        ("'abcd'[1]", "b"),
        ("'b' in 'abc' and 'x' not in ['a'] and 'k' in {'k': 1}", True),
        ("1 == 1.0 and 1 != '1' and [1, [2]] == [1, [2]] and {'a': 1} == {'a': 1}", True),
        ("true == 1", False),
        ("null == null", True),
        ("[x * 2 for x in [1, 2, 3] if x != 2]", [2, 6]),
        ("[f'{a}{b}' for a in ['x', 'y'] for b in [1, 2] if b > 1]", ["x2", "y2"]),
        ("{k: v for k, v in {'a': 1}.items()}", {"a": 1}),
        ("[x for x in [1] for x in [x, 2]]", [1, 2]),
        ("[a for a, b in zip([1, 2], [3, 4])]", [1, 2]),
        ("sum(x for x in range(5))", 10),
        ("[k for k in {'a': 1, 'b': 2}]", ["a", "b"]),
        ("-2GB < 1GB and 1GB == 1000MB", True),
        ("[1, 2] < [1, 3]", True),
        ("'a' < 'b'", True),
    ],
)
def test_operators(text, expected):
    assert value(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("16GB * 2", "32GB"),
        ("2 * 16GB", "32GB"),
        ("max(4GB, 3 * 1GB) * 2", "8GB"),
        ("max('4GB', 5GB)", "5GB"),
        ("'4GB' * 2", "8GB"),
        ("1h + '30min'", "1h30min"),
        ("sum([1GB, 2GB])", "3GB"),
        ("-1GB + 2GB", "1GB"),
    ],
)
def test_quantities(text, expected):
    assert value(text) == parse_quantity(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("len([1, 2]) + len('abc') + len({'a': 1})", 6),
        ("unique([1, 'a', 1, [2], [2], null, true])", [1, "a", [2], None, True]),
        ("unique(['b', 'a', 'b'])", ["b", "a"]),
        ("sorted(['b', 'a'])", ["a", "b"]),
        ("sorted([3, 1.5, 2], reverse=true)", [3, 2, 1.5]),
        ("sorted([[2, 'a'], [1, 'b']])", [[1, "b"], [2, "a"]]),
        ("sorted([2GB, 1GB])[0] == 1GB", True),
        ("range(3) + range(1, 3) + range(5, 0, -2)", [0, 1, 2, 1, 2, 5, 3, 1]),
        ("range(3, 0)", []),
        ("enumerate(['a', 'b'], 1)", [[1, "a"], [2, "b"]]),
        ("min(3, 1) + max([1, 2]) + sum([1, 2])", 6),
        ("min('b', 'a')", "a"),
        ("[any([0, 1]), all([0, 1]), any([]), all([])]", [True, False, False, True]),
        ("int('012') + int(2.9) + int(' -3 ')", 11),
        ("float('1e3')", 1000.0),
        ("str(1) + str(true) + str(1.5) + str(16GB)", "1true1.516GB"),
        ("round(2.567, 1) + round(2.5)", 4.6),
        ("join(['a', 1], ',')", "a,1"),
        ("join(['a', 'b'])", "a b"),
        (
            "[basename('a/b.tar.gz'), dirname('a/b'), stem('a/b.tar.gz'), ext('a/b.tar.gz')]",
            ["b.tar.gz", "a", "b.tar", ".gz"],
        ),
        ("match('[a-z]+', 'abc')", True),
        ("match('[a-z]+', 'abc1')", None),
        ("match('(.*)_R([12])', 'x_R2')", ["x", "2"]),
        ("match('(?P<a>.*)-(?P<b>.*)', '1-2').b", "2"),
        ("'x' if match('a*', '') else 'y'", "x"),
        ("' a,b '.strip().split(',')", ["a", "b"]),
        ("'a  b'.split()", ["a", "b"]),
        ("'a-b-c'.split('-', 1)", ["a", "b-c"]),
        ("'Ab'.lower() + 'Ab'.upper() + 'aa'.replace('a', 'b', 1)", "abABba"),
        ("'x.gz'.removesuffix('.gz') + 'out/x'.removeprefix('out/')", "xx"),
        ("'x.gz'.endswith('.bz', '.gz') and 'x'.startswith(['y', 'x'])", True),
        ("['a', 'b'].index('b') + [1, 1].count(1)", 3),
        ("{'a': 1}.get('a') + {'a': 1}.get('b', 2)", 3),
        ("{'a': {'b': 3}}.get('a.b') + {'a.b': 4}.get('a.b')", 7),
        ("[{'a': 1}.keys(), {'a': 1}.values(), {'a': 1}.items()]", [["a"], [1], [["a", 1]]]),
        ("f(1, *[2], **{'c': 3})", [1, 2, 3]),
        ("f(1, c=2)", [1, 10, 2]),
    ],
)
def test_functions_and_methods(text, expected):
    assert value(text, "let f(a, b=10, c=20) = [a, b, c]\n") == expected


def test_a_function_sees_its_arguments_constants_and_config():
    flowfile = "let N = 2\nlet double(x) = x * N * config.k\nlet twice(x) = double(double(x))\n"
    assert value("twice(1)", flowfile, config={"k": 3}) == 36


def test_the_same_names_inside_and_outside_of_a_function_are_apart():
    flowfile = "let f(x) = [x for x in [x, x + 1]]\n"
    assert value("[f(x) for x in [1, 10]]", flowfile) == [[1, 2], [10, 11]]


def test_config():
    config = {"a": {"b": 1, "items": 5, "x-y": "z", "no": None}, "list": [1, 2]}
    bench = Bench(config=config)
    assert bench.value("config.a.b + config['a'].b + config.a.items") == 7
    assert bench.value("len(config.a.items())") == 4
    assert bench.value("config.a['x-y']") == "z"
    assert bench.value("[config.get('a.b'), config.get('a.q'), config.get('a.q', 3), config.get('q.r.s', 0)]") == [
        1,
        None,
        3,
        0,
    ]
    assert bench.value("config.a.get('no', 3)") is None
    assert bench.value("config.list[1]") == 2


def test_tables():
    bench = Bench("let U = table('u.csv')\nlet fq(s, u) = lookup(U, sample=s, unit=u).fq1\n", files={"u.csv": TABLE})
    assert bench.value("U.sample") == ["A", "A", "B"]
    assert bench.value("len(U)") == 3
    assert bench.value("fq('A', 2)") == "b.fq"
    assert bench.value("[r.unit for r in rows(U, sample='A')]") == ["1", "2"]
    assert bench.value("[r.unit for r in rows(rows(U, sample='A'), fq2=null)]") == ["2"]
    assert bench.value("[u.fq2 for u in U if u.fq2]") == ["a2.fq"]
    assert bench.value("U[0].get('nope', 'x') + U[0]['sample'] + U[-1].get('sample')") == "xAB"
    assert bench.value("expand('{u.sample}-{u.unit}', u=U)") == ["A-1", "A-2", "B-1"]
    assert bench.value("lookup(U, sample='B').keys()") == ["sample", "unit", "fq1", "fq2"]


def test_table_formats():
    files = {
        "a.tsv": "\ufeffx\ty\n1\t2\n\n3\n",
        "a.dat": "x;y\n'1;2'\n",
        "q.csv": 'x,y\n"a,b","c\nd"\n',
        "h.csv": "x\n",
    }
    bench = Bench(files=files)
    assert bench.value("[r.x for r in table('a.tsv')]") == ["1", "3"]
    assert bench.value("[r.y for r in table('a.tsv')]") == ["2", None]
    assert bench.value("table('a.dat', sep=';').x") == ["'1"]
    assert bench.value("[table('q.csv')[0].x, table('q.csv')[0].y]") == ["a,b", "c\nd"]
    assert bench.value("len(table('h.csv'))") == 0


def test_reading():
    files = {"l.txt": "a\r\nb\n\nc\n\n", "e.txt": "\n", "j.json": '{"a": [1, 2.5, null]}', "y.yaml": "a: no\nb: 0x10\n"}
    bench = Bench(files=files)
    assert bench.value("lines('l.txt')") == ["a", "b", "", "c"]
    assert bench.value("lines('./e.txt')") == []
    assert bench.value("json('j.json').a") == [1, 2.5, None]
    assert bench.value("yaml('y.yaml').a") == "no"
    assert bench.value("exists('l.txt') and not exists('nope')") is True
    assert bench.value("size('e.txt') == 1B and size(['e.txt', 'l.txt']) == 10B") is True
    assert list(bench.world.reads) == ["l.txt", "e.txt", "j.json", "y.yaml", "nope"]


def test_glob():
    bench = Bench(files={"s/a.xyz": "", "s/b.xyz": "", "s/b.txt": ""})
    assert bench.value("glob('s/{mol}.xyz')") == ["s/a.xyz", "s/b.xyz"]
    assert bench.value("glob('s/{mol}.{e}').mol") == ["a", "b", "b"]
    assert bench.value("glob('s/{mol}.{e,txt}').e") == ["txt"]
    assert not bench.world.warnings
    assert bench.value("glob('q/{mol}.xyz').mol") == []
    assert [d.message for d in bench.world.warnings] == ["no file matches `q/{mol}.xyz`"]


def test_flags():
    assert value("temp(directory('x'))") == Flagged(Flagged("x", Flags(directory=True)), Flags(temp=True))
    digest = "0" * 64
    assert value(f"ensure('x', non_empty=true, sha256='{digest}')").flags == Flags(non_empty=True, sha256=digest)


def test_lists_of_files():
    job = {
        "input": NamedList(["a.bam", "b.fq", "c.fq"], {"bam": (0, 1), "fq": (1, 3), "no": (3, 3)}),
        "output": NamedList(["o.bed"]),
    }
    bench = Bench(job_names=frozenset(job))
    assert bench.value("[input.bam, input.bam[0], len(input.bam), [f for f in input.bam]]", job) == [
        "a.bam",
        "a.bam",
        1,
        ["a.bam"],
    ]
    assert bench.value("input.bam + '.bai'", job) == "a.bam.bai"
    assert bench.value("input.fq + [input[0]]", job) == ["b.fq", "c.fq", "a.bam"]
    assert bench.value("input.no or 'none'", job) == "none"
    assert bench.value("len(input) + len(input.fq)", job) == 5
    assert bench.value("output[0].removesuffix('.bed') + output.removesuffix('.bed')", job) == "oo"
    assert bench.value("f'{output}.idx'", job) == "o.bed.idx"
    assert bench.value("input['fq'][1]", job) == "c.fq"
    assert bench.value("'b.fq' in input", job) is True
    assert isinstance(bench.value("input.bam", job), File)


def test_environment():
    assert value("env('A') + env('B', 'x') + str(env('B', null) == null)", env={"A": "1"}) == "1xtrue"


def test_other_rules():
    from flowrules.model.pattern import Pattern, Wildcard
    from flowrules.model.rule import Output

    files = [Output(Pattern(("a/", Wildcard("s"))), None, "x"), Output("b", None, "y"), Output("c", None, "y")]
    world = {"rule_files": lambda rule, section: files if section == "output" else [], "rule_names": {"r"}}
    assert str(value("rules.r.output.x", **world)) == "a/{s}"
    assert str(value('"{rules.r.output.x}.idx"', **world)) == "a/{s}.idx"
    assert value("rules.r.output.y + [rules.r.output[1]]", **world) == ["b", "c", "b"]
    assert len(value("rules.r.log", **world)) == 0


scalars = st.none() | st.booleans() | st.integers(-1000, 1000) | st.text("ab", max_size=3)
data = st.recursive(
    scalars, lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text("ab", max_size=2), x, max_size=3), max_leaves=8
)


@given(data, data)
def test_equality_is_that_of_the_data(a, b):
    bench = Bench(config={"a": a, "b": b})
    assert bench.value("config.a == config.a") is True
    assert bench.value("config.a == config.b") == (repr(_canonical(a)) == repr(_canonical(b)))
    assert bench.value("config.a in [config.b, config.a]") is True


def _canonical(x):
    if isinstance(x, dict):
        return {k: _canonical(x[k]) for k in sorted(x)}
    return [_canonical(v) for v in x] if isinstance(x, list) else x


@given(st.lists(st.integers(0, 5), max_size=6), st.integers(-7, 7), st.integers(-7, 7))
def test_lists_behave_as_pythons_do(items, a, b):
    bench = Bench(config={"l": items, "a": a, "b": b})
    assert bench.value("config.l[config.a:config.b]") == items[a:b]
    assert bench.value("sorted(config.l)") == sorted(items)
    assert bench.value("unique(config.l)") == list(dict.fromkeys(items))
    assert bench.value("range(config.a, config.b)") == list(range(a, b))
    assert bench.value("range(config.b, config.a, -2)") == list(range(b, a, -2))
    assert bench.value("[config.a // 3, config.a % 3, -config.b]") == [a // 3, a % 3, -b]
