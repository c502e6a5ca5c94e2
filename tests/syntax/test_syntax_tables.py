"""The shipped parse tables are those of the grammar, and our loop over them does what lark's does."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from lark import Lark, Token, Tree
from lark.exceptions import GrammarError
from lark.lexer import Lexer

from flowrules import bundled
from flowrules.span import Source
from flowrules.syntax.generate import make_tables
from flowrules.syntax.lalr import parse
from flowrules.syntax.lexer import tokenize
from flowrules.syntax.tables import MAKE, SPREAD, STARTS, load_tables, tables

HERE = Path(__file__).parent
FLOWFILES = sorted((HERE / "flowfiles").glob("*.flow"))


def test_the_shipped_tables_are_those_of_the_grammar():
    shipped = json.loads(bundled.tables_text())
    assert shipped == make_tables(bundled.grammar_text()), "run `python grammar/make_tables.py`"


def test_tables_of_another_grammar_are_made_anew():
    grammar = bundled.grammar_text() + "\n// changed\n"
    made = load_tables(grammar, bundled.tables_text())
    assert made.states == tables().states
    assert load_tables(grammar, "").rules == tables().rules


def test_a_grammar_with_conflicts_is_refused():
    with pytest.raises(GrammarError):
        make_tables(bundled.grammar_text().replace("| NOT not_test", "| NOT not_test\n         | test"))


def test_lark_is_not_imported_to_read_a_flowfile():
    code = (
        "import sys; from flowrules.span import Source; from flowrules.syntax.reader import read_module; "
        "read_module(Source('Flowfile', 'let X = 1')); print('lark' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


class OurTokens(Lexer):
    def __init__(self, _conf):
        pass

    def lex(self, state, _parser):
        text = state.text.text
        tokens = tokenize(Source("Flowfile", text))
        for kind, start, end in zip(tokens.kinds[:-1], tokens.starts, tokens.ends, strict=False):
            yield Token(kind, text[start:end])

    __future_interface__ = 2


def larks_tree(node):
    if isinstance(node, Tree):
        return (str(node.data), *(larks_tree(child) for child in node.children))
    return str(node)


def our_tree(text):
    tokens = tokenize(Source("Flowfile", text))

    def maker(name):
        return lambda parts, _start, _end: (
            name,
            *(text[tokens.starts[part] : tokens.ends[part]] if isinstance(part, int) else part for part in parts),
        )

    makers = [maker(rule.name) if rule.action in (MAKE, SPREAD) else None for rule in tables().rules]
    return parse(tables(), "module", tokens, makers, lambda at, expected: pytest.fail(str(at)))


@pytest.mark.parametrize("path", FLOWFILES, ids=lambda path: path.stem)
def test_lark_reads_the_same_tree(path):
    lark = Lark(bundled.grammar_text(), parser="lalr", lexer=OurTokens, start=list(STARTS), maybe_placeholders=False)
    text = path.read_text(encoding="utf-8")
    assert larks_tree(lark.parse(text, start="module")) == our_tree(text)
