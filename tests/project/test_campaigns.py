"""The page on campaigns: its workflow is one, and its dry run says what stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "campaigns.md").read_text(encoding="utf-8")


def flowrules(folder: Path, *arguments: str) -> str:
    """What flowrules prints in a folder, which must go well."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FLOWRULES_")}
    done = subprocess.run(
        [sys.executable, "-m", "flowrules", *arguments],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={**clean, "NO_COLOR": "1", "COLUMNS": "120"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the page's Flowfile."""
    found = re.search(r"^```\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert found
    (tmp_path / "Flowfile").write_text(found[1], encoding="utf-8")
    return tmp_path


def test_the_dry_run(folder: Path) -> None:
    found = re.search(r"^    \$ flowrules (-n .*)\n((?:    .*\n|\n)*)", PAGE, re.MULTILINE)
    assert found
    shown = re.sub(r"^    ", "", found[2], flags=re.MULTILINE).rstrip("\n")
    assert flowrules(folder, *found[1].split()).rstrip("\n") == shown


@pytest.mark.slow
def test_the_campaign(folder: Path) -> None:
    text = (folder / "Flowfile").read_text(encoding="utf-8").replace("sleep 3", "true")
    (folder / "Flowfile").write_text(text, encoding="utf-8")
    said = flowrules(folder, "--profile", "polaris", "--sandbox", "-j", "8")
    assert "block b001 submitted as 1.sandbox: 2 nodes for 37min in queue debug" in said
    assert said.splitlines()[-1].endswith(": 25 jobs")
    assert re.fullmatch(r"(seed \d+ on GPU [0-3] of node[12]\n){24}", (folder / "table.txt").read_text())
