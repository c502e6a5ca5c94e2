"""Text to tokens: logical lines, blocks, `run:`, numbers and strings."""

import pytest

from flowrules.span import Source
from flowrules.syntax.lexer import tokenize, tokenize_expression
from flowrules.syntax.tokens import MAX_TOKENS


def kinds(text):
    return " ".join(tokenize(Source("Flowfile", text)).kinds)


def words(text):
    tokens = tokenize(Source("Flowfile", text))
    return [text[start:end] for start, end in zip(tokens.starts, tokens.ends, strict=True) if end > start]


def only_fault(text):
    (fault,) = tokenize(Source("Flowfile", text)).faults.values()
    return fault.code, text[fault.start : fault.end]


def test_a_statement_takes_deeper_lines():
    assert kinds("let X =\n    1\n  + 2\nlet Y = 3\n") == (
        "LET NAME _ASSIGN NUMBER PLUS NUMBER _NEWLINE LET NAME _ASSIGN NUMBER _NEWLINE $END"
    )


def test_indentation_means_nothing_in_brackets():
    assert kinds("let X = [\n1,\n]\n") == "LET NAME _ASSIGN LSQB NUMBER COMMA RSQB _NEWLINE $END"


def test_blocks_are_bracketed():
    assert kinds('if x:\n    rule a:\n        input: "x"\nelse:\n    include "y"') == (
        "IF NAME COLON _NEWLINE _INDENT RULE NAME COLON _NEWLINE _INDENT NAME COLON STRING _NEWLINE _DEDENT _DEDENT "
        "ELSE COLON _NEWLINE _INDENT INCLUDE STRING _NEWLINE _DEDENT $END"
    )


def test_words_are_reserved_only_where_they_begin_a_statement():
    assert kinds("rule config:\n    input: rule, config, include.if, on\n") == (
        "RULE NAME COLON _NEWLINE _INDENT NAME COLON NAME COMMA NAME COMMA NAME DOT NAME COMMA NAME _NEWLINE _DEDENT $END"
    )
    assert kinds('config "a" optional\nlet X = optional\n') == (
        "CONFIG STRING OPTIONAL _NEWLINE LET NAME _ASSIGN NAME _NEWLINE $END"
    )


def test_run_text_ends_at_the_first_line_that_is_not_deeper():
    text = (
        'rule a:\n    run:  # why\n        x = """\n      y"""\n\n        if x: pass\n    # no code\n    output: "x"\n'
    )
    tokens = tokenize(Source("Flowfile", text))
    code = tokens.kinds.index("CODE")
    assert text[tokens.starts[code] : tokens.ends[code]] == '        x = """\n      y"""\n\n        if x: pass'
    assert [text[start:end] for start, end in tokens.comments] == ["# why", "# no code"]
    assert " ".join(tokens.kinds[code:]) == "CODE _NEWLINE NAME COLON STRING _NEWLINE _DEDENT $END"


def test_run_text_ends_inside_a_python_string_too():
    text = 'rule a:\n    run:\n        x = """\n    output: "x"\n'
    assert "CODE _NEWLINE NAME COLON STRING _NEWLINE" in kinds(text)


@pytest.mark.parametrize(
    "text", ["1", "0.5", ".5", "1e-3", "1.5e+10", "1_000", "16GB", "1.5GiB", "1h30m", "0.25s", "250ms", "1h30.5m"]
)
def test_numbers(text):
    assert words(f"let X = {text} + a\n")[3:] == [text, "+", "a"]


@pytest.mark.parametrize("text", ["1h30", "0x1F", "1__0", "1.2.3", "1e", "12é"])
def test_wrong_numbers(text):
    if text == "1e":  # it reads as a number with a unit; the reader says that there is no such unit
        assert kinds(f"let X = {text}\n") == "LET NAME _ASSIGN QUANTITY _NEWLINE $END"
    else:
        assert only_fault(f"let X = {text}\n") == ("F011", text)


@pytest.mark.parametrize(
    "text",
    [
        '"a"',
        "'a'",
        '""',
        "''",
        '"a\\"b"',
        'r"\\"',
        "f'{x}'",
        "Rf'''a\n'b'\n'''",
        '"""a""b"""',
        '"""\\""""',
        '"a\\\nb"',
        '""""""',
    ],
)
def test_strings(text):
    if text == 'r"\\"':
        assert only_fault(f"let X = {text}\n")[0] == "F004"
    else:
        assert words(f"let X = {text}, b\n")[3:] == [text, ",", "b"]


def test_an_unclosed_string_is_shown_where_it_begins():
    assert only_fault('let X = "abc\nlet Y = 1\n') == ("F004", '"abc')
    assert only_fault('rule a:\n  shell: """\n  cmd\nrule b:\n  shell: """\n  cmd\n  """\n') == ("F004", '"""')
    assert kinds('rule a:\n  shell: """\n  cmd\nrule b:\n  input: "x"\n').endswith(
        "FAULT _NEWLINE _DEDENT RULE NAME COLON _NEWLINE _INDENT NAME COLON STRING _NEWLINE _DEDENT $END"
    )


def test_an_unclosed_bracket_takes_only_its_own_line():
    assert kinds('rule a:\n    input: f(1, [2)\n    output: "x"\nlet X = 1\n') == (
        "RULE NAME COLON _NEWLINE _INDENT NAME COLON NAME LPAR NUMBER COMMA LSQB NUMBER FAULT _NEWLINE "
        "NAME COLON STRING _NEWLINE _DEDENT LET NAME _ASSIGN NUMBER _NEWLINE $END"
    )
    assert kinds('rule a:\n    input: f(1\n    output: "x"\nlet X = 1\n') == (
        "RULE NAME COLON _NEWLINE _INDENT NAME COLON NAME FAULT _NEWLINE "
        "NAME COLON STRING _NEWLINE _DEDENT LET NAME _ASSIGN NUMBER _NEWLINE $END"
    )


def test_brackets_nest_a_hundred_deep():
    assert "FAULT" not in kinds("let X = " + "(" * 100 + "1" + ")" * 100)
    assert only_fault("let X = " + "(" * 101 + "1" + ")" * 101) == ("F010", "(")


def test_tabs_are_fine_until_they_are_mixed():
    assert "FAULT" not in kinds('rule a:\n\tinput:\n\t\t"x"\n\toutput: "y"\nrule b:\n    input: "z"\n')
    assert only_fault('rule a:\n\tinput: "x"\n        output: "y"\n')[0] == "F007"
    assert only_fault('rule a:\n \tinput: "x"\n \toutput: "y"\n')[0] == "F007"


def test_an_expression_has_no_lines_and_no_comments():
    source = Source("Flowfile", 'f"{ a +\nb }"')
    assert tokenize_expression(source, 3, 10).kinds == ["NAME", "PLUS", "NAME", "$END"]
    assert "FAULT" in tokenize_expression(Source("Flowfile", "a # b"), 0, 5).kinds


@pytest.mark.parametrize(
    "text",
    [
        "(" * 300_000,
        "(\n" * 100_000,
        "let A = [\n" * 30_000,
        ")(\n" * 100_000,
        "a: (\n" + ")(\n" * 100_000,
        '"' * 300_001,
        '"""\n' * 50_001,
        '"""' + '\\"""' * 100_000,
        '"' + "\\" * 300_001,
        "let A = '''\nrule a:\n" * 10_001,
        "@ " * 100_000,
        "\n" * 300_000,
        "if a:\n" + "".join(f"{' ' * depth}if a:\n" for depth in range(1, 500)),
        "rule a:\n    run:\n" * 20_000,
    ],
    ids=range(14),
)
def test_hostile_text_is_read_in_linear_work(text):
    tokens = tokenize(Source("Flowfile", text))
    assert tokens.kinds[-1] == "$END"
    assert len(tokens.kinds) <= 2 * len(text) + 200


def test_too_many_tokens_end_the_reading():
    tokens = tokenize(Source("Flowfile", "a " * (MAX_TOKENS + 1000)))
    assert len(tokens.kinds) < MAX_TOKENS + 10
    assert [fault.code for fault in tokens.faults.values()] == ["F001"]


def test_names_are_not_endless():
    name = "x" * 300
    assert only_fault(f"{name} = 1\n") == ("F012", name)
    assert only_fault(f"let X = f({name})\n") == ("F012", name)
