"""The public doubles: they answer as what they stand for does, and count what they are asked."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowrules.model.files import FileRecord
from flowrules.model.order import Order, Outcome
from flowrules.model.record import Record
from flowrules.model.rule import ShellAction
from flowrules.record.disk import Disk
from flowrules.record.store import Store
from flowrules.testing import TICK_NS, FakeClock, FakeExecutor, FakeFiles, FakeHistory


class TestFakeFiles:
    def test_what_was_written_is_there_with_its_folders(self):
        files = FakeFiles({"in/a.txt": "four", "empty/": ""})
        assert files.stat("in/a.txt")[:3] == (4, files.now_ns, "f")
        assert files.stat("in").kind == "d"
        assert files.stat("empty").kind == "d"
        assert files.stat(".").kind == "d"
        assert files.stat("nope") is None
        assert files.read("in/a.txt", 4) == b"four"

    def test_each_look_is_counted(self):
        files = FakeFiles(["a"])
        files.stat("a")
        files.stat("b")
        files.stat("b")
        files.digest("a")
        assert files.looks == {"a": 1, "b": 2}
        assert files.digests == {"a": 1}

    def test_a_tick_makes_what_follows_newer(self):
        files = FakeFiles(["old"])
        now = files.tick(2)
        files.write("new")
        assert files.stat("new").mtime_ns == now == files.stat("old").mtime_ns + 2 * TICK_NS
        files.touch("old")
        assert files.stat("old").mtime_ns == now
        files.touch("old", 5)
        assert files.stat("old").mtime_ns == 5

    def test_changes(self):
        files = FakeFiles({"d/a": "x", "d/b": "y", "big": "z"})
        files.protect("big")
        assert files.stat("big").writable is False
        files.write("big", size=10**12)
        assert files.stat("big")[0] == files.record("big").size == 10**12
        files.remove("d")
        files.remove("d")
        assert list(files.files_below(".")) == ["big"]

    def test_what_cannot_be_read(self):
        files = FakeFiles({"d/a": "12345"})
        with pytest.raises(FileNotFoundError):
            files.read("nope", 9)
        with pytest.raises(IsADirectoryError):
            files.read("d", 9)
        with pytest.raises(OSError, match="larger than 4 bytes"):
            files.read("d/a", 4)
        assert files.digest("nope") == ""

    def test_folders_change_with_what_is_below(self):
        files = FakeFiles({"d/a": "x"})
        before = files.digest("d"), files.tree_mtime_ns("d"), files.record("d")
        files.tick()
        files.write("d/a", "x")
        assert files.digest("d") != before[0]
        assert files.tree_mtime_ns("d") == before[1] + TICK_NS
        assert files.record("d") != before[2]
        assert FakeFiles(["e/"]).tree_mtime_ns("e") == 0

    PATHS = st.lists(st.sampled_from(["a", "b", "c.d"]), min_size=1, max_size=3).map("/".join)

    @settings(max_examples=25, deadline=None)
    @given(st.dictionaries(PATHS, st.binary(max_size=5), max_size=5), PATHS)
    def test_it_answers_as_a_disk_does(self, tmp_path_factory, contents, asked):
        root = str(tmp_path_factory.mktemp("twin"))
        files = FakeFiles()
        for path, content in contents.items():
            location = os.path.join(root, path)
            try:
                os.makedirs(os.path.dirname(location), exist_ok=True)
                with open(location, "wb") as file:
                    file.write(content)
            except OSError:  # a file where a folder would have to be
                continue
            files.write(path, content)
        disk = Disk(root)
        for path in (asked, *contents, "."):
            real, fake = disk.stat(path), files.stat(path)
            assert (real and (real.size, real.kind)) == (fake and (fake.size, fake.kind))
            assert list(disk.files_below(path)) == list(files.files_below(path))
            if real and real.kind == "f":
                assert disk.digest(path) == files.digest(path)
                assert disk.read(path, 10) == files.read(path, 10)


DEEDS = st.sampled_from(["start", "done", "failed", "touched"])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(DEEDS, st.sampled_from("abc")), max_size=12))
def test_a_fake_history_answers_as_the_store_does(tmp_path_factory, deeds):
    directory = str(tmp_path_factory.mktemp("history"))
    store, fake = Store.open(directory), FakeHistory()
    for number, (deed, path) in enumerate(deeds):
        for history in (store, fake):
            if deed == "start":
                history.started([path], "r", {}, number)
            elif deed == "failed":
                history.ended(Record("r", {}, [], status="failed", attempt=number), [path])
            else:
                history.ended(Record("r", {}, [FileRecord(path, 1, 1)], status=deed, attempt=number))
            history.remember_text(path, str(deeds.index((deed, path))))
            history.flush()
    store.close()
    store = Store.open(directory, read_only=True)
    for path in "abcd":
        assert store.last(path) == fake.last(path)
        assert store.unfinished(path) == fake.unfinished(path)
        assert store.code_text(path) == fake.code_text(path)
    assert list(store.records()) == list(fake.records())
    store.close()
    assert fake.asked == dict.fromkeys("abcd", 1)


def test_a_fake_history_may_begin_with_records():
    record = Record("r", {}, [FileRecord("a", 1, 1)])
    assert FakeHistory([record]).last("a") == record


def test_a_fake_clock_goes_when_it_is_told():
    clock = FakeClock(5.0)
    assert clock() == 5.0
    clock.sleep(2.0)
    assert clock.advance(1.0) == clock() == 8.0


def order(job, attempt=1, outputs=()):
    action = ShellAction(template=None, code="", span=None)
    return Order(job, attempt, f"job {job}", action, document={"output": {"items": list(outputs), "names": {}}})


class TestFakeExecutor:
    def test_without_more_every_attempt_ends_well_at_once(self):
        executor = FakeExecutor()
        executor.start(order(1))
        executor.start(order(2))
        assert [(outcome.job, outcome.exit) for outcome in executor.wait(None)] == [(1, 0), (2, 0)]
        assert executor.wait(0) == []
        assert [started.job for started in executor.started] == [1, 2]

    def test_a_function_says_how_they_end(self):
        ends = {1: 0, 2: 3, 3: Outcome(3, 1, -9, "out of memory"), 4: None}
        executor = FakeExecutor(lambda order: ends[order.job])
        for job in ends:
            executor.start(order(job))
        assert [(outcome.job, outcome.exit, outcome.error) for outcome in executor.wait(0)] == [
            (1, 0, ""),
            (2, 3, ""),
            (3, -9, "out of memory"),
        ]
        assert list(executor.running) == [4]

    def test_the_test_ends_them_later_with_times(self):
        clock = FakeClock(10.0)
        executor = FakeExecutor(lambda order: None, clock=clock)
        executor.start(order(1, attempt=2))
        clock.advance(5)
        executor.finish(1, 7, "why")
        [outcome] = executor.wait(None)
        assert outcome == Outcome(1, 2, 7, "why", 10.0, 15.0)

    def test_outputs_of_those_that_end_well_are_written(self):
        files = FakeFiles()
        executor = FakeExecutor(lambda order: order.job, files)
        executor.start(order(0, outputs=["out/a", "b"]))
        executor.start(order(1, outputs=["c"]))
        assert list(files.files_below(".")) == ["b", "out/a"]

    def test_killing_and_closing(self):
        executor = FakeExecutor(lambda order: None)
        executor.start(order(1))
        executor.start(order(2))
        executor.kill(1)
        executor.kill(1)
        assert [outcome.exit for outcome in executor.wait(0)] == [-9]
        executor.wake()
        executor.close()
        executor.close()
        assert executor.killed == [1, 2]
        assert executor.closed

    def test_waiting_for_ever_is_a_failed_test(self):
        executor = FakeExecutor(lambda order: None)
        executor.start(order(7))
        with pytest.raises(AssertionError, match=r"waits for ever; running: \[7\]"):
            executor.wait(None)
