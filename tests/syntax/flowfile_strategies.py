"""Hypothesis strategies for the text of Flowfiles: valid ones laid out in any way, and valid ones with a mistake."""

from itertools import pairwise
from pathlib import Path

from hypothesis import strategies as st

CORPUS = [path.read_text(encoding="utf-8") for path in sorted((Path(__file__).parent / "flowfiles").glob("*.flow"))]

names = st.sampled_from(["a", "b", "config", "input", "rule", "wildcards", "X", "OUT", "f", "rules", "let"])
atoms = st.one_of(
    names,
    st.sampled_from(
        ["1", "0.5", "16GB", "1h30m", "true", "None", '"x"', "'{a}'", 'f"{x}"', 'r"\\d"', '"""t\n  u\n"""']
    ),
)


def _joined(*parts):
    return st.tuples(*(st.just([part]) if isinstance(part, str) else part for part in parts)).map(
        lambda found: [token for part in found for token in part]
    )


def _listed(items, most=3):
    """Items with commas between them, and perhaps one after the last."""
    return st.tuples(st.lists(items, max_size=most), st.booleans()).map(
        lambda found: [
            token
            for number, item in enumerate(found[0])
            for token in [*item, *([","] if number + 1 < len(found[0]) or found[1] else [])]
        ]
    )


def _larger(inner):
    operators = st.sampled_from(["+", "-", "*", "/", "//", "%", "**", "<", ">=", "==", "!=", "in", "and", "or"])
    clause = _joined("for", names.map(lambda name: [name]), "in", _joined("(", inner, ")"))
    argument = st.one_of(inner, _joined("k", "=", inner), _joined("*", inner), _joined("**", inner))
    return st.one_of(
        _joined("(", inner, ")", operators.map(lambda sign: [sign]), "(", inner, ")"),
        _joined("not", "(", inner, ")"),
        _joined("-", "(", inner, ")"),
        _joined("(", inner, "if", "(", inner, ")", "else", inner, ")"),
        _joined("[", _listed(inner), "]"),
        _joined("(", inner, ",", inner, ")"),
        _joined("(", inner, ",", ")"),
        _joined("{", _listed(_joined("(", inner, ")", ":", inner)), "}"),
        _joined("[", inner, clause, "if", "(", inner, ")", "]"),
        _joined("f", "(", inner, clause, ")"),
        _joined("f", "(", _listed(argument), ")"),
        _joined("x", ".", "y", "[", inner, "]", "[", inner, ":", "]"),
    )


expressions = st.recursive(atoms.map(lambda atom: [atom]), _larger, max_leaves=6)
_items = _listed(st.one_of(expressions, _joined("n", "=", expressions), _joined("*", expressions)), most=3).filter(
    lambda tokens: tokens and tokens != [","]
)
_gaps = st.sampled_from([" ", " ", " ", "  ", "\n  ", "\n    ", "\n\n      ", "\n # c\n   ", "  # c\n  "])


@st.composite
def _laid_out(draw, tokens, indent):
    """Tokens of a logical line with any white space between them that keeps it one."""
    text = tokens[0]
    for before, token in pairwise(tokens):
        touching = (before, token) in {("x", "."), (".", "y")}
        text += "" if touching else draw(_gaps).replace("\n", "\n" + indent)
        text += token
    return (
        text
        + draw(st.sampled_from(["\n", "  # end\n", "\n\n", "\n\n\n\n"]))
        + draw(st.sampled_from(["", f"{indent}# below\n", f"{indent}  # deeper\n", "# far left\n"]))
    )


@st.composite
def _rules(draw, indent):
    body = indent + draw(st.sampled_from(["  ", "    "]))
    text = f"{indent}rule r:" + draw(st.sampled_from(["\n", "  # head\n", "\n\n"]))
    if draw(st.booleans()):
        text += body + draw(st.sampled_from(['"""Doc."""\n', '"""Doc\n       more\n    """\n']))
    for name in draw(
        st.lists(st.sampled_from(["input", "output", "shell", "config", "wildcards"]), min_size=1, max_size=3)
    ):
        text += body + draw(_laid_out([name, ":", *draw(_items)], body))
    if draw(st.booleans()):
        text += f"{body}run:\n{body}  x = 1\n\n{body}    # c\n{body}  y = '''\n{body}   z\n{body}  '''\n"
    return text


@st.composite
def modules(draw, depth=0):
    """The text of a valid Flowfile."""
    indent = "  " * depth
    text = draw(st.sampled_from(["", f"{indent}# first\n", "\n\n"]))
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.integers(0, 5 if depth < 2 else 4))
        if kind == 0:
            text += indent + draw(_laid_out(["let", "X", "=", *draw(expressions)], indent))
        elif kind == 1:
            text += indent + draw(
                _laid_out(["let", "f", "(", "a", ",", "b", "=", *draw(expressions), ")", "=", "a"], indent)
            )
        elif kind == 2:
            text += indent + draw(_laid_out(["wildcards", ":", *draw(_items)], indent))
        elif kind == 3:
            text += indent + draw(_laid_out(["envvars", '"A"', ",", '"B"'], indent))
        elif kind == 4:
            text += draw(_rules(indent))
        else:
            text += f"{indent}if (a):\n" + draw(modules(depth + 1))
            text += draw(st.sampled_from(["", f"{indent}else:\n{indent}  let Y = 1\n"]))
    return text


@st.composite
def mutations(draw):
    """A valid Flowfile in which something was lost, doubled, put in or moved."""
    text = draw(st.sampled_from(CORPUS))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 12)))
        new = draw(
            st.one_of(
                st.just(""),
                st.just(text[start:end] * 2),
                st.text(max_size=4),
                st.sampled_from(
                    ["(", ")", "[", "]", "{", "}", '"', "'", '"""', "\n", "\t", "    ", ":", ",", "=", "#", "\\"]
                ),
                st.sampled_from(
                    [" if ", " else ", " for ", "\nrule x:\n", "lambda x: ", "let ", "\n  run:\n", "\nelse:\n"]
                ),
            )
        )
        text = text[:start] + new + text[end:]
    return text
