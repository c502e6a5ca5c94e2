"""What `lint` says: one folder of `tests/golden/lint` for each habit; `tests/cli/test_cli_explain.py` has short ones."""

from pathlib import Path

import pytest

from flowrules.load.lint import lint_workflow
from flowrules.load.lower import load_with_text
from flowrules.load.options import LoadOptions
from flowrules.show.problems import render_text, summary_line
from flowrules.testing import FakeFiles

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "tests" / "golden" / "lint"
CASES = sorted(path.name for path in FOLDER.iterdir())


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
