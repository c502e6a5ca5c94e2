"""What `lint` says: one folder of `tests/golden/lint` for each habit, and the examples of the language page."""

import re
from pathlib import Path

import pytest

from flowrules.codes import LINT
from flowrules.load.lint import lint_workflow
from flowrules.load.lower import load_with_text
from flowrules.load.options import LoadOptions
from flowrules.show.problems import render_text, summary_line
from flowrules.testing import FakeFiles

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "tests" / "golden" / "lint"
CASES = sorted(path.name for path in FOLDER.iterdir())
PAGE = (ROOT / "docs" / "reference" / "lint.md").read_text(encoding="utf-8")


def warnings(files):
    disk = FakeFiles(files)
    return lint_workflow(load_with_text("Flowfile", disk, LoadOptions()), disk)


@pytest.mark.parametrize("case", CASES)
def test_warnings(case, golden):
    folder = FOLDER / case
    files = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    files.pop("expected.txt", None)
    found = warnings(files)
    text = f"{render_text(found)}\n\n{summary_line(found)}\n" if found else "no mistakes, no risky habits\n"
    golden(folder / "expected.txt", text)


def examples():
    """Code, first and second example of each section of the page."""
    for part in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]:
        blocks = re.findall(r"^```\n(.*?)^```$", part, re.DOTALL | re.MULTILINE)
        yield part.split()[0], blocks


def test_the_page_has_every_habit():
    assert [code for code, _ in examples()] == list(LINT)


@pytest.mark.parametrize(("code", "blocks"), list(examples()))
def test_examples_of_the_page(code, blocks):
    bad, good = (
        {"Flowfile": text, "config.yaml": "flags: -x\ngene: A\nout: out\ndata: data\n", "run.py": ""} for text in blocks
    )
    assert {d.code for d in warnings(bad)} == {code}
    assert [d.message for d in warnings(good)] == []
