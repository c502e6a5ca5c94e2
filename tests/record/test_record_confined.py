"""What a workflow that is not trusted may look at."""

import os
from pathlib import Path

import pytest

from flowrules.record.confined import ConfinedDisk


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ConfinedDisk:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/key").write_text("s3cret")
    work = tmp_path / "work"
    (work / "data").mkdir(parents=True)
    (work / "data/a.txt").write_text("fine")
    os.symlink("a.txt", work / "data/link")
    os.symlink(tmp_path / "secret/key", work / "data/leak")
    os.symlink(tmp_path / "secret", work / "folder")
    monkeypatch.chdir(work)
    return ConfinedDisk(["."])


def test_inside_is_as_it_is(disk: ConfinedDisk) -> None:
    assert disk.read("data/a.txt", 100) == b"fine"
    assert disk.read("data/link", 100) == b"fine"
    assert list(disk.files_below("data")) == ["data/a.txt", "data/link"]


@pytest.mark.parametrize("path", ["../secret/key", "data/leak", "folder/key", "data/../../secret/key", "/etc/passwd"])
def test_outside_is_not_there(disk: ConfinedDisk, path: str) -> None:
    assert disk.stat(path) is None
    assert disk.digest(path) == ""
    with pytest.raises(PermissionError, match="outside of the workflow's folders"):
        disk.read(path, 100)


def test_folders_outside_are_empty(disk: ConfinedDisk) -> None:
    assert list(disk.files_below("folder")) == []
    assert list(disk.files_below("../secret")) == []
    assert disk.tree_mtime_ns("..") == 0
