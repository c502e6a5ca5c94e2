"""Mistakes that only a plan shows: each folder of `tests/golden/errors` with a `call.txt` is what one call says there."""

import shlex
import shutil
from pathlib import Path

import pytest

from flowrules.cli.main import status_of

FOLDER = Path(__file__).parents[1] / "golden" / "errors"
CASES = sorted(path.parent.name for path in FOLDER.glob("*/call.txt"))


@pytest.fixture
def folder(request, tmp_path, monkeypatch):
    """A copy of a case as the working directory; files named `*.protected` are the read-only ones."""
    shutil.copytree(FOLDER / request.param, tmp_path, dirs_exist_ok=True)
    (tmp_path / "expected.txt").unlink(missing_ok=True)
    for file in tmp_path.rglob("*.protected"):
        file.rename(file.with_suffix("")).chmod(0o444)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    return tmp_path


@pytest.mark.parametrize(("folder", "case"), [(case, case) for case in CASES], indirect=["folder"], ids=CASES)
def test_message(folder, case, golden, capsys):
    call = (folder / "call.txt").read_text(encoding="utf-8").strip()
    status = status_of(shlex.split(call))
    shown = capsys.readouterr()
    golden(FOLDER / case / "expected.txt", f"$ flowrules {call}\n{shown.out}{shown.err}status {status}\n")
    if "-n" in call.split():
        assert not (folder / ".flowrules").exists()
