"""State folders of every version that kept some (tools/keep_state.py) are read; one of a newer version is refused."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

KEPT = Path(__file__).parents[1] / "golden" / "state"
VERSIONS = sorted(path.name for path in KEPT.glob("*") if path.is_dir())


def restored(version: str, name: str, path: Path) -> Path:
    """A working directory as it was: its files with their times, and its state folder, private."""
    kept, folder = KEPT / version / name, path / name
    shutil.copytree(kept / "files", folder)
    shutil.copytree(kept / "state", folder / ".flowrules")
    for place in (folder / ".flowrules", *(folder / ".flowrules").rglob("*")):
        place.chmod(0o700 if place.is_dir() else 0o600)
    times = json.loads((kept / "times.json").read_text())
    for inside, at in times.items():
        os.utime(folder / inside, ns=(at, at))
    return folder


def call(folder: Path, *arguments: str, status: int = 0) -> str:
    """What the program says."""
    done = subprocess.run(
        [sys.executable, "-m", "flowrules", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=240,
        check=False,
        env={**os.environ, "TZ": "UTC", "COLUMNS": "120", "FLOWRULES_PROFILE": ""},
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_states_are_kept():
    assert "0.1.0" in VERSIONS


@pytest.mark.parametrize("version", VERSIONS)
def test_a_run_on_one_machine(version, tmp_path, golden):
    folder = restored(version, "local", tmp_path)
    assert "nothing to do" in call(folder, "-n")
    golden(KEPT / version / "local" / "history.txt", call(folder, "history"))
    golden(KEPT / version / "local" / "why.txt", call(folder, "why", "count.txt", "words/one.txt"))
    golden(KEPT / version / "local" / "failures.txt", call(folder, "failures"))
    call(folder, "report", "-o", "report.html")
    page = (folder / "report.html").read_text()
    assert "words" in page and "count" in page and "bad" in page
    (folder / "one.txt").write_text("another rule of thumb\n")
    said = call(folder, "-n")
    assert "1 job will run, 1 may run, 1 is up to date" in said, "what changed is known by what was recorded"
    call(folder, "-q", "-j", "2")
    assert (folder / "count.txt").read_text().strip() == "6"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_campaign_that_came_to_its_end(version, tmp_path, golden):
    folder = restored(version, "sandbox", tmp_path)
    batch = ("--profile", "./machine", "--sandbox")
    assert "nothing to do" in call(folder, "-n", *batch)
    golden(KEPT / version / "sandbox" / "history.txt", call(folder, "history"))
    golden(KEPT / version / "sandbox" / "why.txt", call(folder, "why", "runs/1.txt"))
    golden(KEPT / version / "sandbox" / "status.txt", call(folder, "status"))
    call(folder, "report", "-o", "report.html")
    assert "b001" in (folder / "report.html").read_text()
    assert "nothing to do" in call(folder, "-n"), "its block is over, so a run here may go on"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_block_whose_driver_was_killed_is_collected(version, tmp_path):
    folder = restored(version, "left", tmp_path)
    call(folder, "unlock")  # its driver was on another host
    said = call(folder, "-j", "4", "--profile", "./machine", "--sandbox")
    assert "found block b001 of an earlier run: 4 jobs ended there, 0 still held" in said
    assert (folder / "table.txt").read_text() == "".join(f"seed {n}\n" for n in range(1, 5))
    history = [json.loads(line) for line in call(folder, "history", "--format", "json").splitlines()]
    assert sorted(record["rule"] for record in history) == ["model"] * 4 + ["table"], "none ran again"


LOOKS = (
    (),
    ("-n",),
    ("--profile", "./machine", "--sandbox"),
    ("history",),
    ("status",),
    ("summary",),
    ("failures",),
    ("why", "table.txt"),
    ("report", "-o", "report.html"),
    ("unlock",),
)


def test_a_newer_state_folder_is_refused_in_plain_words(tmp_path, golden):
    folder = restored(VERSIONS[-1], "sandbox", tmp_path)
    call(folder, "-n")  # what is remembered of a plan is not believed either
    (folder / ".flowrules/version").write_text("2\n")
    before = {path: path.read_bytes() for path in (folder / ".flowrules").rglob("*") if path.is_file()}
    said = ""
    for words in LOOKS:
        said += f"$ flowrules {' '.join(words)}\n{call(folder, *words, status=2)}\n"
    golden(KEPT / "newer.txt", said.replace(str(folder), "DIRECTORY"))
    after = {path: path.read_bytes() for path in (folder / ".flowrules").rglob("*") if path.is_file()}
    assert after == before, "nothing in it was touched"
