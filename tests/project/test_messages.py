"""What the program says keeps to docs/style-of-messages.md, as far as that can be read off the source.

Looked at is each text that is written down as a message, a hint or a note: in the calls that make errors and diagnostics, and
where a variable of such a name is set. What an expression puts in is a hole.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowrules import errors
from flowrules.codes import CODES

ROOT = Path(__file__).parents[2]

HOLE = "\0"

ERRORS = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, Exception)}

SAYS = ERRORS | {"Diagnostic", "Related", "ValueProblem", "fail", "tell", "message"}
"""Names of what is called with texts for people."""

NAMED = {"message", "hint", "note", "told", "advice"}
"""Names of variables that hold such texts."""

NAMES = ("DAG", "GPU", "HTML", "JSON", "PBS", "Python", "R scripts", "Julia", "Slurm", "SHA-256", "YAML")
"""What is written with a capital anywhere, so at the start too."""

QUOTED = re.compile(r"`[^`]*`")


def written(node: ast.expr) -> Iterator[str]:
    """The texts that an expression can come to."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(part.value if isinstance(part, ast.Constant) else HOLE for part in node.values)
    elif isinstance(node, ast.IfExp):
        yield from written(node.body)
        yield from written(node.orelse)
    elif isinstance(node, ast.BoolOp):
        for value in node.values:
            yield from written(value)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        for before in list(written(node.left)) or [HOLE]:
            for after in list(written(node.right)) or [HOLE]:
                yield before + after


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of all that a module says to people."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        values: list[ast.expr] = []
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            coded = any(isinstance(a, ast.Constant) and a.value in CODES for a in node.args[:1])
            if name in SAYS or coded:
                values = [*node.args, *(k.value for k in node.keywords if k.arg in ("message", "hint"))]
        elif isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id in NAMED for t in node.targets):
            values = [node.value]
        for value in values:
            for text in written(value):
                if text.strip(HOLE) and text not in CODES and not re.fullmatch(r"[a-z_]+", text):
                    yield value.lineno, text


def breaks(text: str) -> Iterator[str]:
    """What is wrong with the form of a text."""
    plain = QUOTED.sub("`…`", text.strip(HOLE) if text.strip(HOLE) else text)
    if text[0].isupper() and not text.startswith(NAMES):
        yield "it begins with a capital"
    if text.rstrip().endswith(".") and not text.endswith("..."):
        yield "it ends in a full stop"
    if "!" in plain:
        yield "it has an exclamation mark"
    if text.count("`") % 2:
        yield "a backtick is not closed"
    if found := re.search(
        r"\b(please|sorry|oops|unfortunately|you forgot|invalid|illegal|tasks?)\b", plain, re.IGNORECASE
    ):
        yield f"it says `{found[0]}`"
    if found := re.search(r"[\d\0] (s|min|h|kB|MB|GB|TB|KiB|MiB|GiB)\b", text):
        yield f"a blank before the unit: `{found[0]}`"
    if re.search(r"(?<![`\w-])--[a-z]", plain):
        yield "an option without backticks"


def test_texts_are_found():
    found = [text for path in (ROOT / "flowrules").rglob("*.py") for _, text in texts(path)]
    assert len(found) > 800
    assert "there is no `Flowfile` here, and no `workflow/Flowfile`" in found


@pytest.mark.parametrize("part", sorted(path.name for path in (ROOT / "flowrules").iterdir() if path.name[0] != "_"))
def test_texts_keep_to_the_style(part):
    place = ROOT / "flowrules" / part
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {problem}: {text}"
        for path in (place.rglob("*.py") if place.is_dir() else [place] if part.endswith(".py") else [])
        for line, text in texts(path)
        for problem in breaks(text)
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("The file is missing", "it begins with a capital"),
        ("the file is missing.", "it ends in a full stop"),
        ("the file is missing!", "it has an exclamation mark"),
        ("the file `a is missing", "a backtick is not closed"),
        ("please name a file", "it says `please`"),
        ("it took 5 s", "a blank before the unit: `5 s`"),
        ("add --yes", "an option without backticks"),
    ],
)
def test_what_breaks_the_style_is_seen(text, problem):
    assert list(breaks(text)) == [problem]
