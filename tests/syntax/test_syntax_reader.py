"""Text to trees, and what cannot be one."""

from pathlib import Path

import pytest

from flowrules.errors import FlowfileError
from flowrules.span import Source
from flowrules.syntax import tree
from flowrules.syntax.build import MAX_DEPTH
from flowrules.syntax.reader import MAX_BYTES, decode_source, parse_expression, read_module
from flowrules.syntax.walk import children

HERE = Path(__file__).parent
FLOWFILES = sorted((HERE / "flowfiles").glob("*.flow"))


def module_of(text):
    module, mistakes = read_module(Source("Flowfile", text))
    assert not mistakes
    return module


def codes(text):
    return [mistake.code for mistake in read_module(Source("Flowfile", text))[1]]


def shown(node, depth=0):
    """A tree as lines: kind, what it says by itself, and what the author wrote there."""
    own = {
        name: getattr(node, name)
        for name in node.__match_args__
        if isinstance(getattr(node, name), (str, int, float, bool)) and name not in {"body", "code", "code_start"}
    }
    words = " ".join(f"{name}={value!r}" for name, value in own.items())
    written = " ".join(node.span.text().split())
    line = f"{'  ' * depth}{type(node).__name__} {words}".rstrip() + f"  «{written[:50]}»"
    return [line, *(line for child in children(node) for line in shown(child, depth + 1))]


@pytest.mark.parametrize("path", FLOWFILES, ids=lambda path: path.stem)
def test_tree(path, golden):
    module = module_of(path.read_text(encoding="utf-8"))
    golden(path.with_suffix(".tree"), "\n".join(line for node in module.statements for line in shown(node)) + "\n")


def test_spans_are_what_was_written():
    (let,) = module_of("let X = (a + b.c)[1:] * -2  # c\n").statements
    assert let.span.text() == "let X = (a + b.c)[1:] * -2"
    assert let.value.span.text() == "(a + b.c)[1:] * -2"
    assert let.value.left.span.text() == "(a + b.c)[1:]"
    assert let.value.left.value.span.text() == "a + b.c"
    assert let.value.left.value.right.name_span.text() == "c"
    assert let.value.right.span.text() == "-2"


def test_a_rule_spans_its_directives():
    module = module_of('# c\nrule a:\n    """Doc."""\n    input: x="a",\n        y = "b"  # c\n\nlet X = 1\n')
    rule = module.statements[0]
    assert rule.span.text() == 'rule a:\n    """Doc."""\n    input: x="a",\n        y = "b"'
    assert rule.doc.body == "Doc."
    (directive,) = rule.directives
    assert [(item.name, item.name_span.text(), item.span.text()) for item in directive.items] == [
        ("x", "x", 'x="a"'),
        ("y", "y", 'y = "b"'),
    ]
    assert [comment.text for comment in module.comments] == ["# c", "# c"]


def test_run_text_is_kept_with_its_place():
    text = "rule a:\n  run:\n    x = 1\n\n    y = 2\n"
    (block,) = module_of(text).statements[0].directives
    assert isinstance(block, tree.RunBlock)
    assert block.code == "    x = 1\n\n    y = 2"
    assert text[block.code_start :].startswith(block.code)


def test_strings_know_where_their_body_begins():
    text = "let X = Rf'''a'''"
    value = module_of(text).statements[0].value
    assert (value.prefix, value.quote, value.body, text[value.body_start]) == ("rf", "'''", "a", "a")


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("-a ** b", "Unary(-)"),
        ("a ** -b ** c", "Binary(**)"),
        ("not a == b", "Unary(not)"),
        ("a or b and c", "BoolOp(or)"),
        ("a < b < c", "Compare"),
        ("a if b else c if d else e", "Conditional"),
        ("a - b - c", "Binary(-)"),
        ("(a, )", "TupleDisplay"),
        ("(a)", "Name"),
        ("'a' \"b\"", "Strings"),
    ],
)
def test_precedence(written, kind):
    value = parse_expression(Source("Flowfile", written), 0, len(written))
    found = type(value).__name__ + (f"({value.op})" if hasattr(value, "op") else "")
    assert found == kind


def test_left_and_right():
    value = parse_expression(Source("Flowfile", "a - b - c"), 0, 9)
    assert value.left.span.text() == "a - b"
    value = parse_expression(Source("Flowfile", "a ** b ** c"), 0, 11)
    assert value.right.span.text() == "b ** c"


def test_a_part_of_a_source_is_an_expression():
    source = Source("Flowfile", 'let X = f"{ wildcards.n + 1 }"')
    found = parse_expression(source, 11, 28)
    assert found.span.text() == "wildcards.n + 1"
    assert found.left.span.column == 13


@pytest.mark.parametrize("text", ["", " ", "a b", "a)", "(a", "'a", "a # b", "let", "a,", "*a", "x = 1"])
def test_no_expression(text):
    source = Source("Flowfile", f"{{{text}}}")
    if text == "let":
        assert parse_expression(source, 1, 4).id == "let"
        return
    with pytest.raises(FlowfileError) as caught:
        parse_expression(source, 1, 1 + len(text))
    assert len(caught.value.diagnostics) == 1


def test_numbers():
    (let,) = module_of("let X = [1_000, 1.5, .5, 2e3, 16GB]\n").statements
    assert [getattr(item, "value", None) for item in let.value.items] == [1000, 1.5, 0.5, 2000.0, None]
    assert codes("let X = 1e999\n") == ["F011"]
    assert codes("let X = " + "1" * 5000) == ["F011"]
    assert codes("let X = 3Gb\n") == ["F011"]


@pytest.mark.parametrize(
    "text",
    [
        "1" + "+1" * 5000,
        "a" + ".b" * 5000,
        "f" + "()" * 5000,
        "-" * 5000 + "1",
        "not " * 5000 + "a",
        "a if b else " * 5000 + "c",
    ],
    ids=["sum", "attributes", "calls", "minus", "not", "conditional"],
)
def test_deep_expressions_are_refused(text):
    assert codes(f"let X = {text}\n") == ["F010"]
    assert codes(f"rule a:\n    input: {text}\n") == ["F010"]
    assert codes(f"if {text}:\n    let X = 1\n") == ["F010"]


def test_expressions_may_be_fairly_deep():
    assert codes("let X = " + " + ".join(["a"] * MAX_DEPTH)) == []
    assert codes("let X = " + "f(" * 99 + "a" + ")" * 99) == []


def test_blocks_may_not_be_deep():
    assert codes("".join(f"{' ' * depth}if a:\n" for depth in range(200)) + " " * 200 + "let X = 1\n")[0] == "F010"


def test_too_large_a_text_is_refused():
    module, (mistake,) = read_module(Source("Flowfile", "#" * (MAX_BYTES + 1)))
    assert (mistake.code, module.statements) == ("F001", ())
    with pytest.raises(FlowfileError):
        decode_source("Flowfile", b"#" * (MAX_BYTES + 1), ".")


def test_bytes_are_decoded():
    source = decode_source("a/Flowfile", b"\xef\xbb\xbflet X = 1\r\nlet Y = '\xc3\xa9'\rlet Z = 3", "a")
    assert (source.name, source.folder) == ("a/Flowfile", "a")
    assert source.text == "let X = 1\nlet Y = 'é'\nlet Z = 3"


@pytest.mark.parametrize(
    ("raw", "line", "column"), [(b"a\r\nb\xff", 2, 2), (b"\xef\xbb\xbf\xe9", 1, 1), (b"let X = 1\n\x00", 2, 1)]
)
def test_what_is_no_text_is_refused(raw, line, column):
    with pytest.raises(FlowfileError) as caught:
        decode_source("Flowfile", raw, ".")
    (mistake,) = caught.value.diagnostics
    assert (mistake.code, mistake.span.line, mistake.span.column) == ("F001", line, column)
    assert mistake.hint


def test_a_rule_without_name_is_left_out_but_its_lines_are_read():
    module, mistakes = read_module(Source("Flowfile", 'rule:\n    input "x"\nrule b:\n    input: "y"\n'))
    assert [statement.name for statement in module.statements] == ["b"]
    assert [mistake.span.line for mistake in mistakes] == [1, 2]


def test_the_body_of_a_misspelt_rule_is_read():
    module, mistakes = read_module(Source("Flowfile", 'ruel a:\n    input: "x"\n    output "y"\n'))
    assert [statement.name for statement in module.statements] == ["a"]
    assert [mistake.span.line for mistake in mistakes] == [1, 3]


def test_statements_after_an_unclosed_bracket_are_read():
    module, _ = read_module(Source("Flowfile", "let X = f(1, 2\nlet Y = 3\nlet Z = [\n\nlet A = 1\n"))
    assert [statement.name for statement in module.statements] == ["Y", "A"]


@pytest.mark.parametrize("indent", [1, 2, 4, 8])
def test_a_first_statement_that_is_indented_and_then_is_not(indent):
    text = " " * indent + "rule all:\n" + " " * (indent + 2) + 'input: "a"\n\nrule a:\n    output: "a"\n'
    module, mistakes = read_module(Source("Flowfile", text))
    assert [(mistake.code, mistake.span.line) for mistake in mistakes] == [("F008", 1)]
    assert [rule.name for rule in module.statements] == ["all", "a"]


def test_lines_left_of_a_body_that_is_not_indented():
    text = '\trule a:\n\toutput: "x"\n    shell: "y"\nrule b:\n    output: "z"\nlet X = 1\n'
    module, mistakes = read_module(Source("Flowfile", text))
    assert mistakes[0].span.line == 1
    assert [type(node).__name__ for node in module.statements][-2:] == ["Rule", "Let"]
