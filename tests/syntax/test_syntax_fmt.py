"""The one layout: what it looks like, and that it changes nothing."""

from pathlib import Path

import pytest
from flowfile_strategies import modules
from hypothesis import HealthCheck, given, settings

from flowrules.errors import FlowfileError
from flowrules.span import Source
from flowrules.syntax.fmt import format_module
from flowrules.syntax.reader import read_module
from flowrules.syntax.walk import trees_equal

HERE = Path(__file__).parent
FLOWFILES = sorted((HERE / "flowfiles").glob("*.flow"))


def laid_out(text):
    return format_module(Source("Flowfile", text))


@pytest.mark.parametrize("path", FLOWFILES, ids=lambda path: path.stem)
def test_layout(path, golden):
    text = laid_out(path.read_text(encoding="utf-8"))
    assert laid_out(text) == text
    golden(path.with_suffix(".laid-out"), text)


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("let  X=f( a,b = 1 )", "let X = f(a, b=1)\n"),
        ("let X = -a**-b+not_ - (c if not(d)else[e ,])", "let X = -a ** -b + not_ - (c if not (d) else [e])\n"),
        ("let X = (1,)", "let X = (1,)\n"),
        ("let X = (1,2,)", "let X = (1, 2)\n"),
        ("let X = x [ 1 : ] . y ( ** z ) { }"[:-4], "let X = x[1:].y(**z)\n"),
        ("let X = 1 .x", "let X = 1 .x\n"),
        ("let X =\n  1", "let X = 1\n"),
        ("let X = [1,\n2]", "let X = [\n    1,\n    2\n]\n"),
        ("let X = [\n1, # one\n# two\n\n\n2]", "let X = [\n    1,  # one\n    # two\n\n    2\n]\n"),
        ("\n\n# a\n\n\n\nlet X = 1\n\n\n\n\n#b\n\n\n", "# a\n\n\nlet X = 1\n\n\n#b\n"),
        ("rule a :\n  input :a='x',b='y',\n", "rule a:\n    input: a='x', b='y'\n"),
        ("rule a:\n  input:\n   a='x',b='y',\n", "rule a:\n    input:\n        a = 'x',\n        b = 'y',\n"),
        ("rule a:\n  input: # first\n   'x' # second\n", "rule a:\n    input:  # first\n        'x'  # second\n"),
        (
            "rule a:\n  input: 'x'\n     # old\n  # new\n# far\n",
            "rule a:\n    input:\n        'x'\n        # old\n    # new\n# far\n",
        ),
        (
            'rule a:\n  shell:\n    """\n    a\n      b\n    """\n',
            'rule a:\n    shell:\n        """\n        a\n          b\n        """\n',
        ),
        ("rule a:\n  shell:\n    'a'\n    'b'\n", "rule a:\n    shell:\n        'a'\n        'b'\n"),
        (
            "rule a:\n  run: # why\n   if x:\n\n     y # c\n",
            "rule a:\n    run:  # why\n        if x:\n\n          y # c\n",
        ),
        (
            "if  a :\n let X = 1\n # in\nelif b:\n\n let X = 2\nelse :\n let X = 3\n",
            "if a:\n    let X = 1\n    # in\nelif b:\n    let X = 2\nelse:\n    let X = 3\n",
        ),
        ("", ""),
        ("# only", "# only\n"),
    ],
)
def test_small_layouts(written, wanted):
    assert laid_out(written) == wanted
    assert laid_out(wanted) == wanted


def test_long_lines_are_broken_at_items_and_brackets():
    item = f'expand("{{a}}.txt", a={"A" * 67})'
    assert len(item) == 88
    assert laid_out(f"rule r:\n    input: {item}, x\n") == f"rule r:\n    input:\n        {item},\n        x\n"
    assert laid_out(f"rule r:\n    input: temp({item})\n") == (
        f"rule r:\n    input:\n        temp(\n            {item}\n        )\n"
    )


def test_strings_are_kept_where_moving_them_would_change_them():
    text = 'rule a:\n  shell:\n    """\n   a\n\tb\n    """\n'
    assert '\n   a\n\tb\n    """' in laid_out(text)


def test_mistakes_are_raised():
    with pytest.raises(FlowfileError) as caught:
        laid_out("let X\nlet Y\n")
    assert len(caught.value.diagnostics) == 2


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(modules())
def test_layout_keeps_tree_and_comments_and_itself(text):
    before, mistakes = read_module(Source("Flowfile", text))
    assert not mistakes
    once = laid_out(text)
    after, _ = read_module(Source("Flowfile", once))
    assert trees_equal(before, after)
    assert sorted(comment.text for comment in before.comments) == sorted(comment.text for comment in after.comments)
    assert laid_out(once) == once
    assert "\n\n\n\n" not in once
    assert not once.startswith("\n")


def test_trees_differ_in_what_was_written_not_where():
    def tree(text):
        return read_module(Source("Flowfile", text))[0]

    assert trees_equal(tree("let X = [1, 2]"), tree("let X = [\n1,\n2,\n]  # c"))
    assert not trees_equal(tree("let X = [1, 2]"), tree("let X = [1, 2.0]"))
    assert not trees_equal(tree("let X = true"), tree("let X = 1"))
    assert not trees_equal(tree("let X = (1)"), tree("let X = (1,)"))
    assert not trees_equal(tree('let X = "a"'), tree("let X = 'a'"))
    assert not trees_equal(tree("let X = 1"), tree("let X = 1\nlet Y = 1"))
