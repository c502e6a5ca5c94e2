"""Mistakes that people make, each with the exact text they see: one folder of `tests/golden/errors` for each.

`options.json` in a folder gives fields of `LoadOptions`. A folder with `call.txt` belongs to `tests/e2e/test_e2e_mistakes.py`.
"""

import json
from pathlib import Path

import pytest

from flowrules.errors import FlowfileError
from flowrules.load.lower import load_workflow
from flowrules.load.options import LoadOptions
from flowrules.show.problems import render_error, render_text
from flowrules.testing import FakeFiles

FOLDER = Path(__file__).parent.parent / "golden" / "errors"
CASES = sorted(path.name for path in FOLDER.iterdir() if not (path / "call.txt").exists())


@pytest.mark.parametrize("case", CASES)
def test_message(case, golden):
    folder = FOLDER / case
    files = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    wanted = json.loads(files.pop("options.json", b"{}"))
    files.pop("expected.txt", None)
    options = LoadOptions(**{k: tuple(v) if isinstance(v, list) else v for k, v in wanted.items()})
    golden(folder / "expected.txt", told(files, options) + "\n")


def told(files: dict[str, bytes], options: LoadOptions) -> str:
    """What a user sees of a load."""
    try:
        workflow = load_workflow("Flowfile", FakeFiles(files), options)
    except FlowfileError as error:
        return render_error(error)
    return render_text(workflow.warnings) or "no problems"
