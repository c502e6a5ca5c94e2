"""Strings: placeholders, wildcards, f-strings, `expand`, `pattern`."""

import pytest
from expr_world import Bench, in_rule, value
from hypothesis import given
from hypothesis import strategies as st

from flowrules.model.pattern import Pattern, Wildcard

FLOWFILE = 'let OUT = "results"\nlet BAM = "{OUT}/{sample}.bam"\nlet MOLS = ["a", "b"]\nlet N = 3\n'
CONFIG = {"x": {"a-b": "dash", "l": ["p", "q"]}, "path": "{OUT}/{sample}.vcf", "k": 5, "t": True}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"{OUT}/x"', "results/x"),
        ('"{sample}.bam"', "{sample}.bam"),
        ('"{BAM}.bai"', "results/{sample}.bam.bai"),
        ('BAM + ".bai"', "results/{sample}.bam.bai"),
        ('"{config.x[a-b]}-{config.x.l[1]}-{config.k}-{config.t}-{N}"', "dash-q-5-true-3"),
        ('"{wildcards.s}/{HERE}"', "{s}/flow"),
        ('"{{x}} {{OUT}} {{config.k}} {{s,[a-z]+}}"', "{x} {OUT} {config.k} {s,[a-z]+}"),
        (
            '"{} {1} { a } {print $1} {a b} {1..3} a{2} {\\"k\\": 1} {a-b} {.x}"',
            '{} {1} { a } {print $1} {a b} {1..3} a{2} {"k": 1} {a-b} {.x}',
        ),
        ('"{{{OUT}}}"', "{results}"),
        ('"{ {"', "{ {"),
        ('r"\\d{OUT}"', "\\dresults"),
        ('"{s,[a-z]{2,3}}x"', "{s}x"),
        ('"{s,[^}]+}x"', "{s}x"),
        ('"{s,a\\\\}}x"', "{s}x"),
        ('f"{OUT}/{1 + 1}/{MOLS[0]}"', "results/2/a"),
        ("f\"{N:03d}|{1.25:.1f}|{'ab':>4}|{16GB:MiB}|{'1GiB':MiB}\"", "003|1.2|  ab|15259|1024"),
        ('f"{{sample}}/{{OUT}}/{{{N}}}/{{ }}"', "{sample}/results/{3}/{ }"),
        ('f"{{{{sample}}}}"', "{{sample}}"),
        ('f"{BAM}.bai"', "results/{sample}.bam.bai"),
        ("f\"{[m for m in MOLS][1]}{ {'a': 1}['a'] }{'}'}\"", "b1}"),
        ("f'{f\"{N}\"}'", "3"),
        ("f\"{config.get('x.l')[0]}\"", "p"),
        ("pattern(config.path)", "results/{sample}.vcf"),
        ("config.path", "{OUT}/{sample}.vcf"),
        ('"{config.path}"', "{OUT}/{sample}.vcf"),
        ('BAM.removesuffix(".bam") + ".vcf"', "results/{sample}.vcf"),
        ("dirname('{a}/x.txt')", "{a}"),
        ('basename("{a}/x.txt") + stem("{a}/x.txt") + ext(BAM)', "x.txtx.bam"),
        ('join(["{a}", "b"], "-")', "{a}-b"),
        ('BAM.startswith("results/") and BAM.endswith(".bam", ".cram")', True),
    ],
)
def test_strings(text, expected):
    found = value(text, FLOWFILE, config=CONFIG, here="flow")
    assert (str(found) if isinstance(found, Pattern) else found) == expected


def test_constraints_are_kept():
    assert value('"{s,[a-z]{2}}.txt"') == Pattern((Wildcard("s", "[a-z]{2}"), ".txt"))


def test_raw_strings_of_constraints_have_no_placeholders():
    assert value('"[a-z]{2}{OUT}{x}"', raw=True) == "[a-z]{2}{OUT}{x}"
    assert value('f"[a-z]{{2}}{{x}}"', raw=True) == "[a-z]{2}{x}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('expand("{OUT}/{mol}.energy", mol=MOLS)', ["results/a.energy", "results/b.energy"]),
        ('expand("{a}-{b}", a=[1, 2], b=["x", "y"])', ["1-x", "1-y", "2-x", "2-y"]),
        ('expand("{b}-{a}{a}", a=[1, 2], b=["x", "y"])', ["x-11", "y-11", "x-22", "y-22"]),
        ('expand("{a}-{b}", zip, a=[1, 2], b=["x", "y"])', ["1-x", "2-y"]),
        ('expand(["{a}", "{b}"], a=[1, 2], b="x")', ["1", "2", "x"]),
        ('expand("{a}-{s}", a=[1, 2])', ["1-{s}", "2-{s}"]),
        ('expand(BAM, sample=["x"])', ["results/x.bam"]),
        ('expand("x{e}", e=[".a", ".b"])', ["x.a", "x.b"]),
        ('expand("100%/{a}%s", a=1)', ["100%/1%s"]),
        ('expand("{a}%{b}%", a=1, b=2)', ["1%2%"]),
        ('expand("{a}", a=[])', []),
        ('expand("{a}/{b}", zip, a=[], b=[])', []),
        ('expand("{a}", a={"k": 1, "l": 2})', ["k", "l"]),
        ('expand("{r.x}{r.y}", r=[{"x": 1, "y": 2}, {"x": 3, "y": 4}])', ["12", "34"]),
        ('expand("{r.x}{k}{r.y}", r=[{"x": 1, "y": 2}, {"x": 3, "y": 4}], k=["-", "+"])', ["1-2", "1+2", "3-4", "3+4"]),
        ('expand("{r[0]}", r=[[1, 2], [3, 4]])', ["1", "3"]),
        ('expand("{a}", **{"a": [1, 2]})', ["1", "2"]),
        ('expand("{{a}}-{a}", a=1)', ["{a}-1"]),
        ('expand("{a}", a="{s}.txt")', ["{s}.txt"]),
        ('[expand("{a}{b}", a=1, b=c) for c in [1, 2]]', [["11"], ["12"]]),
        ('expand(f"{{m}}.{N}", m=MOLS)', ["a.3", "b.3"]),
        ('expand("{m}", m=[m for m in MOLS])', ["a", "b"]),
        ('expand("{a,[0-9]+}", a=1)', ["1"]),
    ],
)
def test_expand(text, expected):
    found = value(text, FLOWFILE)
    assert [x if isinstance(x, list) else str(x) for x in found] == expected


def test_wildcards_of_the_rule_stay_or_are_read():
    bench = Bench(FLOWFILE, files={"c/x.txt": "a\nb\n"}, **in_rule("sample", "s"))
    job = {"wildcards": {"s": "x", "sample": "y"}}
    assert str(bench.value('"{sample}.txt"', job)) == "{sample}.txt"
    assert bench.value('f"{wildcards.s}.txt"', job) == "x.txt"
    assert bench.value('lines("c/{s}.txt")', job) == ["a", "b"]
    assert bench.value("exists(BAM)", job) is False
    assert list(bench.world.reads)[-1] == "results/y.bam"


@pytest.mark.parametrize(
    ("text", "per_job", "uses"),
    [
        ('"{s}.txt"', False, set()),
        ("wildcards.s", True, {"wildcards"}),
        ('lines("c/{s}.txt")', True, {"wildcards"}),
        ('lines("c.txt")', False, set()),
        ("exists(BAM)", True, {"wildcards"}),
        ("exists(BAI)", True, {"wildcards"}),
        ("exists(OUT)", False, set()),
        ('glob("{x}.txt").x', False, set()),
        ('glob("{s}/{x}.txt").x', True, {"wildcards"}),
        ('[f"{m}" for m in lines("{wildcards.s}.txt")]', True, {"wildcards"}),
        ('expand("{s}/{m}", m=lines("all.txt"))', False, set()),
        ("size(input) * attempt", True, {"input", "attempt"}),
        ('lines(path("x"))', True, {"wildcards"}),
        ("config.a", False, set()),
    ],
)
def test_what_belongs_to_a_job(text, per_job, uses):
    flowfile = 'let OUT = "r"\nlet BAM = "{OUT}/{sample}.bam"\nlet BAI = BAM + ".bai"\nlet path(x) = "{sample}" + x\n'
    names = {"job_names": frozenset({"wildcards", "input", "attempt"})}
    compiled = Bench(flowfile, **{**in_rule("sample", "s"), **names}).compile(text)
    assert (compiled.per_job, compiled.uses) == (per_job, uses)


names = st.from_regex(r"[a-z][a-z0-9_]{0,4}", fullmatch=True)
literal = st.text(st.characters(codec="utf-8", exclude_characters='{}"\\\n\r', exclude_categories=("Cs",)), max_size=6)


@given(st.lists(st.tuples(literal, names), min_size=1, max_size=4), literal)
def test_a_pattern_keeps_all_text_and_all_wildcards(holes, last):
    text = "".join(part + "{" + name + "}" for part, name in holes) + last
    found = value(f'"{text}"')
    assert str(found) == text
    assert found.names == tuple(dict.fromkeys(name for _, name in holes))


@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=12))
def test_text_from_data_is_never_scanned(text):
    bench = Bench("let T = config.t\n", config={"t": text})
    assert bench.value('"{config.t}{T}"') == text + text
    assert bench.value('f"{config.t}"') == text
    assert bench.value('expand("{x}", x=[T])') == [text]


@given(st.text("{}ab,.[]1 \\", max_size=14))
def test_any_braces_are_read_or_told(body):
    from flowrules.errors import FlowfileError

    for prefix in ("", "f"):
        try:
            value(f'{prefix}"{body}"', "let A = 1\n")
        except FlowfileError as error:
            assert all(d.span is not None for d in error.diagnostics)
