"""A history that has grown is written anew without what was superseded, or not at all."""

from __future__ import annotations

import errno
import os

import pytest
from store_samples import done, failed, reopened

from flowrules.model.files import FileRecord
from flowrules.record import store as store_module
from flowrules.record.store import Store


def fill(store, rounds=4):
    store.begin_run("old", 1.0)
    for n in range(rounds):
        store.remember_text(f"code{n}", f"echo {n}")
        for i in range(50):
            store.started([f"out/{i}", f"log/{i}"], "r", {})
            inputs = [FileRecord(f"in/{n}/{k}", 1, 1) for k in range(200)]
            store.ended(done(f"out/{i}", f"log/{i}", code=f"code{n}", run="old", inputs=inputs))
    store.started(["half"], "r", {})
    store.started(["bad"], "r", {})
    store.ended(failed(error="boom"), ["bad"])
    store.ended(failed(error="was fixed later"), ["out/3"])
    store.ended(done("out/3", "log/3", code=f"code{rounds - 1}"))


def everything(store):
    outputs = [f"{kind}/{i}" for kind in ("out", "log") for i in range(50)]
    return (
        {output: store.last(output) for output in outputs},
        store.unfinished_outputs(),
        store.code_text("code3"),
        store.runs(),
        [record.error for record in store.records() if record.status == "failed" and record.error == "boom"],
    )


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(store_module, "COMPACT_BYTES", 4096)


def test_superseded_lines_are_dropped_when_the_journal_has_grown(directory, journal, small):
    store = Store.open(directory)
    fill(store)
    before = everything(store)
    size = journal.stat().st_size
    store = reopened(store, directory)
    assert journal.stat().st_size < size / 2
    assert everything(store) == before
    assert store.code_text("code0") == ""
    assert sum(record.status == "failed" for record in store.records()) == 1
    store.ended(done("new"))
    size = journal.stat().st_size
    store = reopened(store, directory)
    assert store.last("new") == done("new")
    assert journal.stat().st_size >= size
    assert store.warnings == ()
    store.close()


def test_small_journals_keep_everything(directory, journal):
    store = Store.open(directory)
    fill(store)
    store.flush()
    size = journal.stat().st_size
    store = reopened(store, directory)
    assert journal.stat().st_size == size
    store.close()


def test_read_only_never_compacts(directory, journal, small):
    store = Store.open(directory)
    fill(store)
    store.close()
    size = journal.stat().st_size
    Store.open(directory, read_only=True)
    assert journal.stat().st_size == size


def test_outputs_known_from_damage_stay_unfinished(directory, journal, small):
    store = Store.open(directory)
    fill(store)
    store.close()
    lines = journal.read_bytes().splitlines(keepends=True)
    victim = max(i for i, line in enumerate(lines) if b"\te\tout/7\x1f" in line)
    lines[victim] = lines[victim][:-4] + b"###\n"
    journal.write_bytes(b"".join(lines))
    for _ in range(2):
        store = Store.open(directory)
        assert "out/7" in store.unfinished_outputs()
        warnings = store.warnings
        store.close()
    assert warnings == ()  # told once, when it was found


@pytest.mark.parametrize("step", ["open", "write", "fsync", "replace"])
def test_compaction_that_fails_at_any_step_leaves_the_old_journal(directory, journal, small, monkeypatch, step):
    store = Store.open(directory)
    fill(store)
    before = everything(store)
    store.close()
    content = journal.read_bytes()
    real_open = os.open

    def fail(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    def fail_open(path, *arguments, **options):
        return fail() if str(path).endswith(".new") else real_open(path, *arguments, **options)

    monkeypatch.setattr(os, step, fail_open if step == "open" else fail)
    store = Store.open(directory)
    monkeypatch.undo()
    assert journal.read_bytes() == content
    assert everything(store) == before
    assert sorted(os.listdir(journal.parent)) == [".gitignore", "journal", "version"]
    store.close()


def test_what_a_crash_left_of_a_compaction_is_overwritten(directory, journal, small):
    store = Store.open(directory)
    fill(store)
    before = everything(store)
    store.close()
    (journal.parent / "journal.new").write_bytes(b"half")
    store = Store.open(directory)
    assert everything(store) == before
    assert not (journal.parent / "journal.new").exists()
    store.close()
