"""The DAG as a tree, and as texts for other programs."""

import html
import json
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from show_plans import MAY, RUN, SKIP, Builder, molecules

from flowrules.errors import UsageError
from flowrules.model.plan import Plan
from flowrules.show.dag import FORMATS, LEVELS, render_dag
from flowrules.show.graph_formats import label_lines
from flowrules.show.graph_model import graph_of
from flowrules.show.text import cells

NASTY = [
    'a"b',
    "<b>x</b>", "a\nb", "end", "`md`", "x]y", "}}", "|p|", "#quot;", "&amp;lt;", "$$x$$", "中文", "\u202e", "\udc80",
    "\\N\\", "-->", "%%", "subgraph", "1. list", '"];n9', "@{x}", "*a*_b_", "", " ", "\\", "<script>alert(1)</script>",
    "]]>", "\x00\x1b[31m", '"""', ";", "\uffff", "x" * 500,
]  # fmt: skip


def nasty_plan(names=NASTY):
    b = Builder()
    previous = ()
    for i, name in enumerate(names):
        decision = (RUN, MAY, SKIP)[i % 3]
        previous = (b.add(f"r{name}", previous, [f"in{name}"], [f"out{name}"], decision, wild=name),)
    b.plan.targets = (f"out{names[-1]}",) if names else ()
    return b.plan


@pytest.mark.parametrize(
    ("level", "tree"),
    [
        ("jobs", ["○ all", "└─ ● use", "● read"]),
        ("files", ["○ all", "└─ ● u ← use", "● list.txt ← read"]),
        ("rules", ["○ all", "└─ ● use (1 job will run)", "● read (1 job will run)"]),
    ],
)
def test_a_tree_tells_of_checkpoints_that_only_the_planner_reads(level, tree):
    b = Builder()
    b.add("read", outputs=["list.txt"])
    use = b.add("use", outputs=["u"])
    b.plan.target_jobs = (b.add(b.rule("all", action=None), (use,), ["u"]),)
    b.plan.targets = ("u",)
    assert render_dag(b.plan, "text", level).split("\n")[:3] == tree


def test_a_tree_of_jobs_tells_what_is_shared_once():
    b = Builder()
    index = b.add("index", outputs=["i"], decision=SKIP)
    trims = [b.add("trim", outputs=[f"t{i}"], sample=f"s{i}") for i in range(2)]
    aligns = [b.add("align", (trim, index), outputs=[f"a{i}"], sample=f"s{i}") for i, trim in enumerate(trims)]
    merge = b.add("merge", (*aligns, index), outputs=["m"], decision=MAY)
    b.plan.target_jobs = (b.add(b.rule("all", action=None), (merge,)),)
    assert (
        render_dag(b.plan, "text", "jobs")
        == """\
○ all
└─ ◐ merge
   ├─ ● align sample=s0
   │  ├─ ● trim sample=s0
   │  └─ ✓ index
   ├─ ● align sample=s1
   │  ├─ ● trim sample=s1
   │  └─ ✓ index
   └─ ✓ index

● will run  ◐ may run  ✓ up to date  ○ collects
4 jobs will run, 1 may run, 1 is up to date"""
    )


def test_a_tree_of_rules_counts_their_jobs():
    b = Builder()
    trims = [b.add("trim", outputs=[f"t{i}"], sample=f"s{i}", decision=RUN if i else SKIP) for i in range(2)]
    first = b.add("sum", tuple(trims), outputs=["s0"], n="0")
    last = b.add("sum", (first,), outputs=["s1"], n="1")
    b.add("plot", (last, trims[0]), outputs=["p"])
    assert (
        render_dag(b.plan, "text", "rules")
        == """\
● plot (1 job will run)
├─ ● sum ↻ (2 jobs will run)
│  └─ ● trim (1 will run, 1 up to date)
└─ ● trim (1 will run, 1 up to date)

● will run
4 jobs will run, 1 is up to date"""
    )


def test_a_tree_of_files_names_who_makes_them():
    b = Builder()
    pair = b.add("pair", (), ["src", "src"], ["x", "y"], mol="m")
    b.add("use", (pair,), ["x", "y", "x/below"], ["z"], MAY)
    b.plan.targets = ("z",)
    b.plan.producer["x/below"] = pair
    assert (
        render_dag(b.plan, "text", "files")
        == """\
◐ z ← use
├─ ● x ← pair mol=m
│  └─ · src
├─ ● y ← pair mol=m (see above)
└─ ● x/below ← pair mol=m (see above)

● will run  ◐ may run  · source
1 job will run, 1 may run"""
    )


def test_rules_in_a_cycle_are_no_trap():
    b = Builder()
    choose = b.add("choose", outputs=["c0"], n="0")
    use = b.add("use", (choose,), outputs=["u0"], n="0")
    b.add("choose", (use,), outputs=["c1"], n="1")
    for form in FORMATS:
        assert "choose" in render_dag(b.plan, form, "rules")
    assert "● choose (2 jobs will run) (see above)" in render_dag(b.plan, "text", "rules")


def test_a_large_tree_is_shortened():
    text = render_dag(molecules(5000), "text", "jobs")
    assert "   └─ … 4,988 more: score 4,988\n… and 9,976 more jobs; `--level rules` shows less\n" in text
    assert len(text.splitlines()) < 40


def test_a_deep_or_wide_tree_stays_small():
    b = Builder()
    previous = ()
    for i in range(3000):
        previous = (b.add("chain", previous, outputs=[f"c{i}"], i=str(i)),)
    text = render_dag(b.plan, "text", "jobs")
    assert max(map(cells, text.splitlines())) < 200
    assert "… and 2,959 more jobs" in text
    wide = Builder()
    for i in range(3000):
        wide.add("single", outputs=[f"s{i}"], i=str(i))
    assert len(render_dag(wide.plan, "text", "jobs").splitlines()) < 410


def test_the_empty_dag():
    for level in LEVELS:
        assert render_dag(Plan(), "text", level) == "the DAG is empty"
        for form in FORMATS:
            render_dag(Plan(), form, level)


def test_colours_only_where_asked():
    assert "\x1b" not in render_dag(molecules(2), "text", "jobs")
    assert "\x1b[36m●\x1b[0m relax" in render_dag(molecules(2), "text", "jobs", color=True)


def test_unknown_formats_and_levels():
    with pytest.raises(UsageError, match="unknown format `png`"):
        render_dag(Plan(), "png", "jobs")
    with pytest.raises(UsageError, match="unknown level `all`"):
        render_dag(Plan(), "svg", "all")


def test_dot():
    b = Builder()
    b.add("a", outputs=["1"], mol='"x\\')
    b.add("b", (0,), outputs=["2"], decision=MAY)
    text = render_dag(b.plan, "dot", "jobs")
    assert '    n0 [label="a\\nmol=\\"x\\\\", tooltip="a mol=\\"x\\\\ (will run)\\nwhy: missing output: out' in text
    assert "shape=box" in text and "shape=hexagon" in text and "\n    n0 -> n1;\n" in text


def test_mermaid():
    b = Builder()
    b.add("a", outputs=["1"], mol='"<x>#')
    b.add("b", (0,), outputs=["2"], decision=SKIP)
    assert (
        render_dag(b.plan, "mermaid", "jobs")
        == """\
flowchart LR
    n0["a<br/>mol=#34;#60;x#62;#35;"]:::run
    n1(["b"]):::skip
    n0 --> n1
    classDef run fill:#ddf4ff,stroke:#0969da,stroke-width:2px,color:#1f2328
    classDef skip fill:#f6f8fa,stroke:#8c959f,color:#57606a"""
    )


def test_json():
    found = json.loads(render_dag(molecules(1), "json", "jobs"))
    assert found["level"] == "jobs" and found["headline"] == "3 jobs will run" and found["roots"] == [3]
    assert found["nodes"][0] == {
        "id": 0, "kind": "job", "name": "relax", "detail": "mol=m0", "state": "will run", "loop": False,
    }  # fmt: skip
    assert found["edges"] == [[0, 1], [1, 2], [2, 3]]
    files = json.loads(render_dag(molecules(1), "json", "files"))
    names = [node["name"] for node in files["nodes"]]
    assert [f"{names[a]} > {names[b]}" for a, b in files["edges"]][:3] == [
        "in/m0.xyz > relax",
        "relax > out/m0.traj",
        "out/m0.traj > score",
    ]


@pytest.mark.parametrize("level", LEVELS)
def test_nasty_names_stay_inside_their_labels(level):
    plan = nasty_plan()
    nodes = graph_of(plan, level).nodes
    for form in FORMATS:
        text = render_dag(plan, form, level)
        text.encode()
        assert all(c.isprintable() or c == "\n" for c in text), form
    svg = ElementTree.fromstring(render_dag(plan, "svg", level))
    space = "{http://www.w3.org/2000/svg}"
    texts = [e.text or "" for e in svg.iter(f"{space}text") if e.get("class") in ("name", "detail")]
    assert sorted(texts) == sorted(line for node in nodes for line in label_lines(node, 34))
    assert len(list(svg.iter(f"{space}title"))) == len(nodes)
    assert "<script" not in render_dag(plan, "svg", level)
    mermaid = render_dag(plan, "mermaid", level).splitlines()
    assert sum(line.count('"') for line in mermaid) == 2 * len(nodes)


@pytest.mark.parametrize("level", LEVELS)
def test_graphviz_reads_the_dot_text(level):
    if shutil.which("dot") is None:
        pytest.skip("graphviz is not installed")
    plan = nasty_plan()
    done = subprocess.run(
        ["dot", "-Tdot_json"],
        input=render_dag(plan, "dot", level).encode(),
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert not done.stderr
    found = json.loads(done.stdout)
    graph = graph_of(plan, level)
    labels = [html.unescape(node["label"]).replace("\\\\", "\\").replace('\\"', '"') for node in found["objects"]]
    assert labels == ["\\n".join(label_lines(node)) for node in graph.nodes]
    assert len(found.get("edges", [])) == graph.edges


@given(st.lists(st.text(st.characters(codec=None), max_size=30), max_size=5))
@settings(max_examples=40, deadline=None)
def test_any_names_make_wellformed_pictures(names):
    plan = nasty_plan(names)
    for level in LEVELS:
        ElementTree.fromstring(render_dag(plan, "svg", level))
        json.loads(render_dag(plan, "json", level))
        for form in FORMATS:
            text = render_dag(plan, form, level)
            assert not set(text) & set("\x1b\x00\x7f\u202e\u2028")


def test_pictures_that_would_be_too_large_show_rules():
    plan = molecules(1500)
    svg = render_dag(plan, "svg", "jobs")
    assert "rules are shown: 3,002 jobs and 3,001 edges are too many to draw" in svg
    assert svg.count("<title>") == 4


def test_a_picture_of_the_largest_size_is_drawn():
    assert render_dag(molecules(990), "svg", "jobs").count("<title>") == 1982
