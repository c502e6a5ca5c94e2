"""The history: what was told is answered, at once and after any death."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest
from store_samples import done, failed, reopened

from flowrules.errors import DirectoryHeld, StateError
from flowrules.model.files import FileRecord
from flowrules.record.store import Store


class TestHistory:
    def test_an_empty_one(self, directory):
        store = Store.open(directory)
        assert store.last("a") is None
        assert not store.unfinished("a")
        assert store.code_text("d") == ""
        assert list(store.records()) == []
        assert store.runs() == []
        store.close()

    def test_read_only_makes_nothing(self, directory):
        store = Store.open(directory, read_only=True)
        assert store.last("a") is None
        assert not store.unfinished("a")
        assert list(store.records()) == []
        assert store.runs() == []
        assert os.listdir(directory) == []

    def test_a_success_is_the_last_of_each_output(self, directory):
        record = done("out/a", "out/b", code="c", inputs=[FileRecord("in", 1, 2)], attempt=2, cpu=1.5, gpus=["0"])
        store = Store.open(directory)
        store.started(["out/a", "out/b"], "relax", {"mol": "benzene"})
        assert store.unfinished("out/a")
        assert store.unfinished("out/b")
        store.ended(record)
        for _ in range(2):
            assert store.last("out/a") == record
            assert store.last("out/b") == record
            assert store.last("out/c") is None
            assert not store.unfinished("out/a")
            assert not store.unfinished("out/b")
            store = reopened(store, directory)
        store.close()

    def test_a_failure_leaves_the_last_success_and_is_unfinished(self, directory):
        good = done("a")
        store = Store.open(directory)
        store.ended(good)
        store.started(["a"], "relax", {})
        store.ended(failed(error="boom"), ["a"])
        for _ in range(2):
            assert store.last("a") == good
            assert store.unfinished("a")
            assert [record.status for record in store.records()] == ["done", "failed"]
            store = reopened(store, directory)
        store.ended(done("a", status="touched"))
        assert not store.unfinished("a")
        assert store.last("a").status == "touched"
        store.close()

    def test_a_failure_without_outputs_told_stays_unfinished_by_its_start(self, directory):
        store = Store.open(directory)
        store.started(["a"], "relax", {})
        store.ended(failed())
        store = reopened(store, directory)
        assert store.unfinished("a")
        assert store.unfinished_outputs() == ["a"]
        store.close()

    def test_texts_are_kept_once(self, directory, journal):
        store = Store.open(directory)
        for _ in range(3):
            store.remember_text("abc", "echo 'ä'\n\tx\n")
        store = reopened(store, directory)
        store.remember_text("abc", "not kept")
        store.flush()
        assert store.code_text("abc") == "echo 'ä'\n\tx\n"
        assert journal.read_bytes().count(b"\n") == 1
        store.close()

    def test_runs(self, directory):
        store = Store.open(directory)
        store.begin_run("r1", 10.0, {"command": "flowrules all"})
        store.end_run("r1", 20.0, {"exit": 0})
        store.begin_run("r2", 30.0)
        first, second = store.runs()
        assert (first.id, first.started, first.ended) == ("r1", 10.0, 20.0)
        assert first.info == {"command": "flowrules all"}
        assert first.result == {"exit": 0}
        assert (second.id, second.ended) == ("r2", None)
        store.close()

    @pytest.mark.parametrize(
        "name", ["a b", "tab\there", "line\nend", "back\\slash", "unit\x1fsep", "é", "🙂", "caf\udce9", "\\09"]
    )
    def test_any_name_of_a_file(self, directory, name):
        record = done(name, "second", wildcards={"w": name}, inputs=[FileRecord(name, 1, 1)] * 2, command=f"cat {name}")
        store = Store.open(directory)
        store.started([name], "r", {"w": name})
        store.ended(record)
        store.started(["x" + name], "r", {"w": name})
        store.remember_text("d", name)
        store = reopened(store, directory)
        assert store.warnings == ()
        assert store.last(name) == record
        assert store.unfinished_outputs() == ["x" + name]
        assert store.code_text("d") == name
        store.close()

    def test_names_with_and_without_escapes_are_told_apart(self, directory):
        store = Store.open(directory)
        store.ended(done("a\tb", command="tab"))
        store.ended(done("a\\09b", command="text"))
        store = reopened(store, directory)
        assert store.last("a\tb").command == "tab"
        assert store.last("a\\09b").command == "text"
        store.close()

    def test_long_lists_of_inputs_are_shared(self, directory, journal):
        inputs = [FileRecord(f"in/{i}", i, i, "d" * 32) for i in range(2000)]
        store = Store.open(directory)
        for i in range(50):
            store.ended(done(f"out/{i}", inputs=inputs))
        store = reopened(store, directory)
        assert journal.stat().st_size < 300_000
        assert all(store.last(f"out/{i}").inputs == inputs for i in range(50))
        assert sum(len(record.inputs) for record in store.records()) == 50 * 2000
        store.close()


class TestTimes:
    def test_of_each_job_by_output_and_rule(self, directory):
        store = Store.open(directory)
        store.ended(done("a", "b", started=10.0, ended=12.0))
        store.ended(done("c", started=10.0, ended=15.0))
        store.ended(done("c", started=10.0, ended=17.0))
        store.ended(done("d", status="touched"))
        store.ended(failed(started=10.0, ended=99.0), ["e"])
        asked = [("c", "relax"), ("a", "relax"), ("c", "other"), ("d", "relax"), ("e", "relax"), ("f", "relax")]
        assert store.took(asked) == [7.0, 2.0, None, None, None, None], "before it is in the file"
        store.flush()
        store.ended(done("f", started=1.0, ended=2.0))
        assert store.took(asked) == [7.0, 2.0, None, None, None, 1.0], "part of it is"
        store = reopened(store, directory)
        assert store.took(asked) == [7.0, 2.0, None, None, None, 1.0]
        store.close()
        assert Store.open(directory, read_only=True).took(asked)[0] == 7.0
        assert Store.open(f"{directory}/none", read_only=True).took(asked) == [None] * 6

    def test_a_path_that_is_no_utf8(self, directory):
        store = Store.open(directory)
        store.ended(done("a\udcff", started=1.0, ended=4.0))
        assert store.took([("a\udcff", "relax")]) == [3.0]
        store.close()

    def test_all_are_read_in_one_go(self, directory, monkeypatch):
        store = Store.open(directory)
        for n in range(5_000):
            store.ended(done(f"out/{n}", started=0.0, ended=float(n)))
        store.close()
        store = Store.open(directory)
        reads = []
        monkeypatch.setattr(os, "pread", lambda *args, real=os.pread: reads.append(args) or real(*args))
        assert store.took([(f"out/{n}", "relax") for n in reversed(range(5_000))]) == [
            *map(float, reversed(range(5_000)))
        ]
        assert len(reads) < 50
        store.close()

    def test_of_rules_the_latest_and_some_of_all(self, directory):
        store = Store.open(directory)
        for n in range(100):
            store.ended(
                done(f"old/{n}", rule="old", ended=5.0, resources={"walltime": "1min"}, inputs=[FileRecord("x", 7, 0)])
            )
        for n in range(10_000):
            store.ended(done(f"new/{n}", rule="new", ended=6.0))
        store.ended(done("t", rule="touched", status="touched"))
        found = list(store.timings())
        assert {t.rule for t in found} == {"old", "new"}
        assert next(t for t in found if t.rule == "old") == ("old", 5.0, 60.0, 7)
        assert next(t for t in found if t.rule == "new") == ("new", 6.0, None, 0)
        assert len(found) <= 3_001
        store.close()


class TestWriting:
    def test_nothing_is_written_before_the_flush_and_then_with_one_write(self, directory, journal, monkeypatch):
        store = Store.open(directory)
        writes = []
        real = os.write
        monkeypatch.setattr(os, "write", lambda fd, data: writes.append(len(data)) or real(fd, data))
        for i in range(10):
            store.started([f"a{i}"], "r", {})
            store.ended(done(f"a{i}"))
        assert journal.read_bytes() == b""
        assert store.last("a3") == done("a3")
        store.flush()
        store.flush()
        assert writes == [journal.stat().st_size]
        store.close()

    def test_on_disk_after_a_second_or_a_thousand_lines(self, directory, monkeypatch):
        syncs = []
        store = Store.open(directory)
        real = os.fdatasync
        monkeypatch.setattr(os, "fdatasync", lambda fd: syncs.append(fd) or real(fd))
        store.tick(100.0)
        store.ended(done("a"))
        for now in (100.0, 100.3, 100.9):
            store.tick(now)
        assert len(syncs) == 0
        store.tick(101.0)
        assert len(syncs) == 1
        store.tick(105.0)
        assert len(syncs) == 1
        for i in range(1000):
            store.ended(done(f"b{i}"))
        store.tick(105.1)
        assert len(syncs) == 2
        store.ended(done("c"))
        store.close()
        assert len(syncs) == 3

    @pytest.mark.parametrize("written", [0, 1, 57, 10_000])
    def test_a_full_disk_loses_nothing_and_leaves_no_half_line(self, directory, journal, monkeypatch, written):
        store = Store.open(directory)
        store.ended(done("before"))
        store.flush()
        before = journal.read_bytes()
        store.started(["a"], "r", {})
        store.ended(done("b"))
        real = os.write

        def full(fd, data):
            if written < len(data):
                if written:
                    real(fd, data[:written])
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(fd, data)

        monkeypatch.setattr(os, "write", full)
        if written < 10_000:
            for _ in range(2):
                with pytest.raises(StateError, match="no space left on device") as error:
                    store.flush()
                assert "make room" in error.value.hint
                assert journal.read_bytes() == before
                with pytest.raises(StateError):
                    store.tick(1.0)
        assert store.last("b") == done("b")
        monkeypatch.setattr(os, "write", real)
        store.ended(done("c"))
        store = reopened(store, directory)
        assert store.warnings == ()
        assert store.unfinished("a")
        assert [record.outputs[0].path for record in store.records()] == ["before", "b", "c"]
        store.close()

    @pytest.mark.parametrize("write", [Store.flush, Store.sync, lambda store: store.tick(1.0), Store.close])
    def test_a_driver_that_was_taken_over_writes_nothing_more(self, directory, journal, write):
        def taken_over():
            raise DirectoryHeld("another flowrules took over this directory")

        store = Store.open(directory)
        store.ended(done("before"))
        store.flush()
        before = journal.read_bytes()
        store.fence = taken_over
        store.started(["a"], "r", {})
        store.ended(done("b"))
        with pytest.raises(DirectoryHeld):
            write(store)
        store.close()
        assert journal.read_bytes() == before

    def test_short_writes_are_gone_on_with(self, directory, monkeypatch):
        store = Store.open(directory)
        real = os.write
        monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:7]))
        store.ended(done("a"))
        store = reopened(store, directory)
        assert store.last("a") == done("a")
        store.close()

    def test_what_cannot_be_cut_off_is_cut_off_later(self, directory, journal, monkeypatch):
        store = Store.open(directory)
        store.ended(done("a"))
        real_write, real_cut = os.write, os.ftruncate

        def torn(fd, data):
            real_write(fd, data[:20])
            raise OSError(errno.EIO, "Input/output error")

        def refuse(fd, length):
            raise OSError(errno.EIO, "Input/output error")

        monkeypatch.setattr(os, "write", torn)
        monkeypatch.setattr(os, "ftruncate", refuse)
        with pytest.raises(StateError):
            store.flush()
        monkeypatch.setattr(os, "write", real_write)
        with pytest.raises(StateError, match="cannot mend"):
            store.flush()
        monkeypatch.setattr(os, "ftruncate", real_cut)
        store.flush()
        assert journal.read_bytes().count(b"\n") == 1
        assert store.last("a") == done("a")
        store.close()

    def test_a_removed_state_folder_is_noticed(self, directory, journal):
        store = Store.open(directory)
        store.ended(done("a"))
        os.unlink(journal)
        with pytest.raises(StateError, match="removed while flowrules was running"):
            store.sync()
        with pytest.raises(StateError):
            store.close()
        store.close()

    def test_a_reader_beside_the_writer_sees_whole_lines(self, directory):
        store = Store.open(directory)
        store.begin_run("r", 1.0)
        store.ended(done("a"))
        store.flush()
        reader = Store.open(directory, read_only=True)
        store.ended(done("b"))
        store.flush()
        assert reader.last("a") == done("a")
        assert reader.last("b") is None
        assert len(list(reader.records())) == 2
        with pytest.raises(StateError):
            reader.ended(done("c"))
            reader.flush()
        store.close()

    def test_kill_9_loses_nothing_that_was_flushed(self, directory):
        program = """
import os, signal, sys
from flowrules.record.store import Store
from flowrules.model.record import Record
from flowrules.model.files import FileRecord
store = Store.open(sys.argv[1])
for i in range(500):
    store.started([f"a{i}"], "r", {})
    if i != 250:
        store.ended(Record("r", {}, [FileRecord(f"a{i}", 1, 1)]))
    store.flush()
store.ended(Record("r", {}, [FileRecord("a250", 1, 1)]))
os.kill(os.getpid(), signal.SIGKILL)
"""
        assert subprocess.run([sys.executable, "-c", program, directory]).returncode == -9
        store = Store.open(directory)
        assert store.warnings == ()
        assert store.unfinished_outputs() == ["a250"]
        assert len(list(store.records())) == 499
        store.close()
