"""The history: what was told is answered, at once and after any death; damage costs what it hit and nothing else."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowrules.errors import DirectoryHeld, StateError
from flowrules.model.files import FileRecord
from flowrules.model.record import Record
from flowrules.record import store as store_module
from flowrules.record.store import Store


def done(*outputs, **fields):
    files = [FileRecord(path, 3, 1_700_000_000_000_000_001, "d" * 32) for path in outputs]
    return Record(**{"rule": "relax", "wildcards": {"mol": "benzene"}, "outputs": files, **fields})


def failed(**fields):
    return Record(**{"rule": "relax", "wildcards": {}, "outputs": [], "status": "failed", "exit": 1, **fields})


@pytest.fixture
def directory(tmp_path):
    return str(tmp_path)


@pytest.fixture
def journal(tmp_path):
    return tmp_path / ".flowrules" / "journal"


def reopened(store, directory):
    store.close()
    return Store.open(directory)


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


# ── damage ───────────────────────────────────────────────────────────────────────────────────────────────────────


def write_sample(directory, count=6):
    """A journal of pairs of start and end, and the offset after each line."""
    store = Store.open(directory)
    for i in range(count):
        store.started([f"out/{i}", f"log\t{i}"], "r", {"n": str(i)})
        store.ended(done(f"out/{i}", f"log\t{i}"))
        if i == 2:
            store.started(["out/0", "log\t0"], "r", {"n": "0"}, 2)
            store.ended(failed(), ["out/0", "log\t0"])
    store.close()


def state_of(store, count=6):
    return {
        f"out/{i}": (store.last(f"out/{i}"), store.unfinished(f"out/{i}"), store.unfinished(f"log\t{i}"))
        for i in range(count)
    }


def test_cut_at_any_byte_nothing_before_the_cut_is_lost_and_nothing_invented(tmp_path):
    whole = tmp_path / "whole"
    whole.mkdir()
    write_sample(str(whole))
    content = (whole / ".flowrules" / "journal").read_bytes()
    ends = [i + 1 for i, byte in enumerate(content) if byte == 10]
    cut = tmp_path / "cut"
    cut.mkdir()
    Store.open(str(cut)).close()
    journal = cut / ".flowrules" / "journal"

    def read(length):
        journal.write_bytes(content[:length])
        with_cut = Store.open(str(cut), read_only=True)
        assert with_cut.warnings == ()
        return state_of(with_cut)

    expected = {}
    for end in [0, *ends]:
        expected[end] = read(end)
    previous = 0
    for length in range(len(content)):
        if length in expected:
            previous = length
            continue
        assert read(length) == expected[previous], length


def test_a_writer_goes_on_after_a_torn_end(directory, journal):
    write_sample(directory)
    content = journal.read_bytes()
    lines = content.splitlines(keepends=True)
    for torn in (
        content[:-5],
        content[:-1],
        content + b"garbage",
        content + b"\0" * 5000,
    ):
        journal.write_bytes(torn)
        store = Store.open(directory)
        assert store.warnings == ()
        store.ended(done("new"))
        store = reopened(store, directory)
        assert store.warnings == ()
        assert store.last("new") == done("new")
        assert len(journal.read_bytes().splitlines()) in (len(lines), len(lines) + 1)
        store.close()


def test_damage_at_the_end_is_told_once_and_its_jobs_stay_unfinished(directory, journal):
    write_sample(directory)
    content = journal.read_bytes()
    journal.write_bytes(content[:-20] + b"###" + content[-17:] + b"garbage\n")
    for read_only in (True, False):
        store = Store.open(directory, read_only)
        assert "2 of 15 lines of " in store.warnings[0]
        assert store.unfinished("out/5")
        assert store.unfinished("log\t5")
        store.close()
    store = Store.open(directory)
    assert store.warnings == ()
    assert store.unfinished("out/5")
    assert store.unfinished("log\t5")
    store.close()


def test_every_damaged_line_is_told_and_only_its_jobs_run_again(directory, journal):
    write_sample(directory)
    content = journal.read_bytes()
    good = state_of(Store.open(directory, read_only=True))
    lines = content.splitlines(keepends=True)
    for number, line in enumerate(lines):
        damaged = line[:-10] + b"#########\n"
        journal.write_bytes(b"".join([*lines[:number], damaged, *lines[number + 1 :]]))
        store = Store.open(directory, read_only=True)
        assert store.warnings == (
            f"1 of {len(lines)} lines of `{journal}` are damaged; "
            "the jobs they told of run again where they are needed",
        )
        for output, (record, unfinished, log_unfinished) in state_of(store).items():
            was = good[output]
            assert (record, unfinished, log_unfinished) == was or unfinished, (number, output)
            if output.encode() not in line:
                assert (record, unfinished, log_unfinished) == was


def test_a_line_that_is_missing_is_told(directory, journal):
    write_sample(directory)
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:3] + lines[5:]))
    store = Store.open(directory, read_only=True)
    assert store.warnings[0].startswith(f"2 of {len(lines)} lines of ")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 3000), st.binary(min_size=1, max_size=40))
def test_any_garbage_anywhere_is_survived(tmp_path, offset, garbage):
    directory = str(tmp_path)
    journal = tmp_path / ".flowrules" / "journal"
    if not journal.exists():
        write_sample(directory)
        (tmp_path / "sample").write_bytes(journal.read_bytes())
    content = (tmp_path / "sample").read_bytes()
    offset %= len(content)
    journal.write_bytes(content[:offset] + garbage + content[offset + len(garbage) :])
    store = Store.open(directory)
    for record, _, _ in state_of(store).values():
        assert record is None or record.rule == "relax"
    store.ended(done("new"))
    store = reopened(store, directory)
    assert store.last("new") == done("new")
    list(store.records())
    store.close()


NAMES = st.text(st.characters(codec="utf-8") | st.sampled_from("\t\n\\\x1f\x00\udc80"), min_size=1, max_size=8)
RECORDS = st.builds(
    Record,
    rule=NAMES,
    wildcards=st.dictionaries(NAMES, NAMES, max_size=2),
    outputs=st.lists(
        st.builds(FileRecord, NAMES, st.integers(0, 2**60), st.integers(-(2**60), 2**62)), min_size=1, max_size=3
    ),
    inputs=st.lists(st.builds(FileRecord, NAMES, st.integers(0, 2**60), st.integers(0, 2**62), NAMES), max_size=3),
    code=NAMES,
    params=NAMES,
    exit=st.integers(-64, 255),
    error=NAMES,
    started=st.floats(0, 2e9),
    resources=st.dictionaries(NAMES, NAMES, max_size=2),
    gpus=st.lists(NAMES, max_size=2),
    command=NAMES,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(RECORDS, max_size=6))
def test_what_is_written_is_read(tmp_path_factory, records):
    directory = str(tmp_path_factory.mktemp("law"))
    store = Store.open(directory)
    for record in records:
        store.ended(record)
    store = reopened(store, directory)
    assert list(store.records()) == records
    latest = {file.path: record for record in records for file in record.outputs}
    assert {path: store.last(path) for path in latest} == latest
    store.close()


# ── compaction ───────────────────────────────────────────────────────────────────────────────────────────────────


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


# ── the folder ───────────────────────────────────────────────────────────────────────────────────────────────────


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
