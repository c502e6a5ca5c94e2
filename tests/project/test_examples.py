"""Every example explains itself, and its dry run is what `expected-plan.txt` beside it says."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/Flowfile"))


def flowrules(folder: Path, *arguments: str) -> str:
    """What flowrules prints in a folder, which must go well."""
    done = subprocess.run(
        [sys.executable, "-m", "flowrules", *arguments],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "120"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def copy_of(name: str, target: Path) -> Path:
    """The example as a clone has it: without what a run left there."""
    ignored = (EXAMPLES / name / ".gitignore").read_text(encoding="utf-8").split()
    leave = shutil.ignore_patterns(".flowrules", "__pycache__", *(line.rstrip("/") for line in ignored))
    return Path(shutil.copytree(EXAMPLES / name, target / name, ignore=leave))


def test_there_are_examples():
    assert {"hello", "letters", "molecules"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_dry_run(name, tmp_path, golden):
    folder = copy_of(name, tmp_path)
    golden(EXAMPLES / name / "expected-plan.txt", flowrules(folder, "-n"))
    assert not (folder / ".flowrules").exists()


@pytest.mark.parametrize("name", NAMES)
def test_readme(name):
    text = (EXAMPLES / name / "README.md").read_text(encoding="utf-8")
    assert text.startswith("# ")


@pytest.mark.parametrize("name", NAMES)
def test_layout_and_habits(name, tmp_path):
    folder = copy_of(name, tmp_path)
    flowrules(folder, "fmt", "--check")
    flowrules(folder, "lint")


def test_hello_runs_once(tmp_path):
    folder = copy_of("hello", tmp_path)
    flowrules(folder, "-j", "2")
    assert (folder / "results/top.txt").read_text(encoding="utf-8").splitlines()[0] == "results/hill.txt 8 the"
    made = (folder / "results/top.txt").stat().st_mtime_ns
    flowrules(folder, "-j", "2")
    assert (folder / "results/top.txt").stat().st_mtime_ns == made


def test_letters_follow_the_words(tmp_path):
    folder = copy_of("letters", tmp_path)
    flowrules(folder, "-j", "2")
    table = (folder / "count.tsv").read_text(encoding="utf-8").splitlines()
    assert table[:3] == ["b\t3", "s\t3", "a\t2"]
    with open(folder / "words.txt", "a", encoding="utf-8") as words:
        words.write("zebra\n")
    flowrules(folder, "-j", "2")
    assert (folder / "count.tsv").read_text(encoding="utf-8").splitlines() == [*table, "z\t1"]
    assert not (folder / "counts/z.tsv").exists()


def test_readme_shows_hello_as_it_is():
    readme = (EXAMPLES.parent / "README.md").read_text(encoding="utf-8")
    for name in ("Flowfile", "expected-plan.txt"):
        assert (EXAMPLES / "hello" / name).read_text(encoding="utf-8") in readme
