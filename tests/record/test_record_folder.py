"""The folder of a history: private, of this program, and of this user."""

from __future__ import annotations

import errno
import os

import pytest

from flowrules.errors import StateError
from flowrules.record.store import Store


def test_the_folder_is_private_and_marked(directory, journal):
    old = os.umask(0)
    try:
        Store.open(directory).close()
    finally:
        os.umask(old)
    assert os.stat(journal.parent).st_mode & 0o777 == 0o700
    assert os.stat(journal).st_mode & 0o777 == 0o600
    assert (journal.parent / "version").read_text() == "1\n"
    assert "*\n" in (journal.parent / ".gitignore").read_text()


def test_a_newer_format_is_refused_in_plain_words(directory, journal):
    Store.open(directory).close()
    (journal.parent / "version").write_text("2\n")
    for read_only in (True, False):
        with pytest.raises(StateError) as error:
            Store.open(directory, read_only)
        assert "was written by a newer flowrules (format 2; this program knows 1)" in error.value.message
        assert "update flowrules" in error.value.hint


@pytest.mark.parametrize("content", ["", "x", "-1", "²"])
def test_a_version_that_is_none(directory, journal, content):
    Store.open(directory).close()
    (journal.parent / "version").write_text(content)
    with pytest.raises(StateError, match="does not hold a version number"):
        Store.open(directory)


def test_a_link_is_refused(directory, journal, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    os.symlink("elsewhere", journal.parent)
    for read_only in (True, False):
        with pytest.raises(StateError, match="is a symbolic link"):
            Store.open(directory, read_only)


def test_a_linked_journal_is_refused(directory, journal, tmp_path):
    Store.open(directory).close()
    os.rename(journal, tmp_path / "elsewhere")
    os.symlink(tmp_path / "elsewhere", journal)
    with pytest.raises(StateError, match="cannot open the journal"):
        Store.open(directory)


def test_a_folder_of_another_user_is_refused(directory, journal, monkeypatch):
    Store.open(directory).close()
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 12345)
    with pytest.raises(StateError, match="belongs to another user"):
        Store.open(directory)


def test_a_place_that_cannot_be_written(directory, monkeypatch):
    def refuse(path, mode):
        raise OSError(errno.EROFS, "Read-only file system", path)

    monkeypatch.setattr(os, "mkdir", refuse)
    with pytest.raises(StateError, match="read-only file system") as error:
        Store.open(directory)
    assert "`-n` (dry run) does not" in error.value.hint
    assert Store.open(directory, read_only=True).last("a") is None
