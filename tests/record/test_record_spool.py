"""Driver and runner of a block speak through files: nothing is lost, doubled, or believed that does not count."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import replace

import pytest

from flowrules.errors import DirectoryHeld, StateError
from flowrules.model.block import BlockSpec, Task, TaskEnd
from flowrules.model.events import Need
from flowrules.model.files import FileRecord
from flowrules.model.profile import GpuSlot, NodeShape
from flowrules.model.record import Record
from flowrules.model.values import Flags
from flowrules.record.blockfiles import (
    block_names,
    block_path,
    forget_failed,
    has_failed,
    inbox_path,
    log_path,
    read_spec,
)
from flowrules.record.messages import (
    Accept,
    Beat,
    Begin,
    Cancel,
    Closed,
    Cut,
    Damaged,
    Ended,
    Given,
    Grant,
    Have,
    Started,
    Stop,
    Take,
    decode_message,
    encode_message,
)
from flowrules.record.polled import Appender, Follower
from flowrules.record.spool import BlockFolder
from flowrules.record.spool_runner import RunnerFolder


def spec(directory, **more) -> BlockSpec:
    node = NodeShape(8, gpus=(GpuSlot("0", (0, 1)), GpuSlot("1")), gpu_variable="CUDA_VISIBLE_DEVICES")
    return BlockSpec("c0ffee", "b001", "fr-c0ffee-b001", "nonce", str(directory), 1, 3600.0, node, "local", **more)


def task(number: int, **more) -> Task:
    name = f"1J{number}.1"
    outputs = ((f"out/{number}", Flags(temp=True)),)
    draft = Record("make", {"n": str(number)}, [], code="c0de")
    return Task(name, f"make n={number}", ("bash", "-c", "true"), outputs, draft, Need(2, gpus=0.5), **more)


def end(number: int, status="done") -> TaskEnd:
    outputs = [FileRecord(f"out/{number}", 3, 5, "d1gest")] if status == "done" else []
    return TaskEnd(f"1J{number}.1", Record("make", {"n": str(number)}, outputs, status=status), "here", ("0",), "0-1")


def names(messages) -> list[str]:
    return [m.task.name for m in messages if isinstance(m, Take)]


@pytest.fixture
def block(tmp_path):
    folder = BlockFolder.create(spec(tmp_path), 1)
    yield folder
    folder.close()


def begin(block: BlockFolder, batch="77", **more) -> RunnerFolder:
    more = {"sleep": lambda seconds: None, **more}
    runner = RunnerFolder.begin(block.path, batch, ["here"], **more)
    assert runner is not None
    return runner


def die(runner: RunnerFolder) -> None:
    """Its process is not there any more: it starts at no time at which any process did."""
    runner.close()
    path = f"{runner.path}/runs/{runner.incarnation:02d}/owner"
    with open(path) as file:
        text = file.read()
    with open(path, "w") as file:
        file.write(text.replace('"started": "', '"started": "9'))


# ── lines ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "message",
    [
        Take(task(3, after=("1J1.1",), inputs=(FileRecord("a\udcff", 1, 2),), limit=60.0, env={"A": "b"})),
        Ended(end(4)),
        Begin(2, "host", 7, "12.pbs", ("a", "b")),
        Grant(None, {"licences": 2.0}),
        Stop(None),
        Started("1J1.1", "n0", ("0",), "0-3", 1.5),
        Closed(True),
    ],
)
def test_a_message_is_read_as_it_was_written(message):
    kind, _, payload = encode_message(message)
    found = decode_message(kind, payload)
    assert encode_message(found) == encode_message(message)
    assert b"\n" not in payload and b"\t" not in payload


def test_kinds_of_later_programs_are_passed_over():
    assert decode_message("later", b"{}") is None


def test_a_line_without_its_end_is_not_there_yet(tmp_path):
    path = str(tmp_path / "log")
    writer, reader = Appender(path), Follower(path)
    writer.append("give", ["a"], b"1")
    writer.flush()
    assert [line.names for line in reader.poll()] == [("a",)]
    writer.append("give", ["b"], b"2")
    writer.flush()
    whole = (tmp_path / "log").read_bytes()
    (tmp_path / "log").write_bytes(whole[:-3])
    assert reader.poll() == [] == reader.poll()
    (tmp_path / "log").write_bytes(whole)
    assert [(line.names, line.payload) for line in reader.poll()] == [(("b",), b"2")]
    assert reader.offset == len(whole) and not reader.lost
    writer.close()


def test_a_writer_ends_the_torn_line_of_its_own_old_file(tmp_path):
    path = tmp_path / "log"
    writer = Appender(str(path))
    for name in "abc":
        writer.append("give", [name], b"x")
    writer.flush()
    writer.close()
    path.write_bytes(path.read_bytes()[:-4])
    writer = Appender(str(path))
    writer.append("give", ["d"], b"x")
    writer.sync()
    writer.close()
    reader = Follower(str(path))
    assert [line.names for line in reader.poll()] == [("a",), ("b",), ("d",)]
    assert not reader.lost


def test_a_wrong_sum_with_good_lines_after_it_is_damage_and_says_of_whom(tmp_path):
    path = tmp_path / "log"
    writer = Appender(str(path))
    for name in "abc":
        writer.append("give", [name], b"payload")
    writer.flush()
    content = path.read_bytes().split(b"\n")
    spoilt = content[1].replace(b"payload", b"paxload")
    path.write_bytes(b"\n".join([content[0], spoilt]) + b"\n")
    reader = Follower(str(path))
    assert [line.names for line in reader.poll()] == [("a",)]
    assert not reader.lost, "it is the last line: it may not be there yet"
    path.write_bytes(b"\n".join([content[0], spoilt, *content[2:]]))
    assert [line.names for line in reader.poll()] == [("c",)]
    assert (reader.lost, reader.suspects) == (1, ["b"])
    writer.close()


def test_a_line_that_vanished_is_damage(tmp_path):
    path = tmp_path / "log"
    writer = Appender(str(path))
    for name in "abc":
        writer.append("give", [name], b"")
    writer.flush()
    writer.close()
    content = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(content[0] + content[2])
    reader = Follower(str(path))
    assert [line.names for line in reader.poll()] == [("a",), ("c",)]
    assert reader.lost == 1


def test_nothing_counts_beyond_a_cut(tmp_path):
    path = str(tmp_path / "log")
    writer = Appender(path)
    writer.append("give", ["a"], b"")
    writer.flush()
    cut = os.stat(path).st_size
    writer.append("give", ["b"], b"")
    writer.flush()
    assert [line.names for line in Follower(path, cut).poll()] == [("a",)]
    writer.close()


def test_a_full_disk_tears_a_line_and_nothing_is_lost_or_doubled(tmp_path, monkeypatch):
    path = str(tmp_path / "log")
    writer, reader = Appender(path), Follower(path)
    room = [95]

    def write(fd, content, real=os.write):
        if not room[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        part = bytes(content)[: room[0]]
        room[0] -= len(part)
        return real(fd, part)

    monkeypatch.setattr("flowrules.record.state.os.write", write)
    for name in "abcdef":
        writer.append("give", [name], b'"0123456789"')
    with pytest.raises(StateError) as raised:
        writer.flush()
    assert "no space left" in raised.value.message and "make room" in raised.value.hint
    assert 0 < writer.waiting < 6
    first = [line.names[0] for line in reader.poll()]
    with pytest.raises(StateError):
        writer.sync()
    room[0] = 10_000
    writer.append("give", ["g"], b"")
    writer.sync()
    assert first + [line.names[0] for line in reader.poll()] == list("abcdefg")
    assert not reader.lost and not writer.waiting and not writer.unsynced
    writer.close()


def test_what_was_taken_and_dropped_before_it_was_synced_is_written_again(tmp_path, monkeypatch):
    path = tmp_path / "log"
    writer = Appender(str(path))
    writer.append("give", ["a"], b"")
    writer.sync()
    size = path.stat().st_size
    for name in "bc":
        writer.append("give", [name], b"")
    writer.flush()

    def fsync(fd):
        os.truncate(path, size + 4)
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    with monkeypatch.context() as patch:
        patch.setattr("flowrules.record.polled.os.fsync", fsync)
        with pytest.raises(StateError):
            writer.sync()
    writer.sync()
    reader = Follower(str(path))
    assert [line.names[0] for line in reader.poll()] == list("abc")
    assert not reader.lost
    writer.close()


# ── a block ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_block_is_private_and_says_what_it_is(block, tmp_path):
    assert read_spec(block.path) == block.spec == spec(tmp_path)
    assert block_names(str(tmp_path)) == ["b001"]
    for folder, _, files in os.walk(block.path):
        assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700
        for name in files:
            assert stat.S_IMODE(os.stat(f"{folder}/{name}").st_mode) == 0o600


def test_a_block_is_made_once(block):
    with pytest.raises(StateError):
        BlockFolder.create(block.spec, 1)


def test_a_folder_that_others_may_write_is_not_trusted(block):
    os.chmod(block.path, 0o770)
    with pytest.raises(StateError) as raised:
        RunnerFolder.begin(block.path, "1", ["here"])
    assert "not private" in raised.value.message


def test_tasks_go_there_and_ends_come_back(block):
    block.take([task(1), task(2)])
    runner = begin(block)
    assert names(runner.inbox()) == ["1J1.1", "1J2.1"]
    assert runner.inbox() == []
    block.take([task(3)])
    block.grant(2)
    block.cancel(["1J2.1"])
    block.stop(5.0)
    found = runner.inbox()
    assert names(found) == ["1J3.1"]
    assert found[1:] == [Grant(2), Cancel(("1J2.1",)), Stop(5.0)]
    runner.write(Started("1J1.1", "here"))
    assert [type(event) for event in block.news()] == [Begin]
    runner.write(Ended(end(1)))
    runner.flush()
    assert block.news() == [Started("1J1.1", "here"), Ended(end(1))]
    runner.write(runner.closing("it was asked to"))
    runner.write(Closed(True))
    runner.sync()
    block.news()
    assert block.closed == Closed(True) and block.closing is not None
    runner.close()


def test_ends_are_synced_once_a_second_or_after_a_thousand(block, monkeypatch):
    runner = begin(block)
    runner.write(Ended(end(1)))
    runner.flush()
    runner.tick(10.0)
    assert runner.unsynced
    runner.tick(11.0)
    assert not runner.unsynced
    for number in range(1000):
        runner.write(Ended(end(number)))
    runner.tick(11.1)
    assert not runner.unsynced
    runner.write(Given(("1J1.1",)))
    runner.tick(11.2)
    assert not runner.unsynced, "the driver can hand it to another block at once"
    runner.close()


def test_what_comes_after_the_closing_is_given_back(block):
    block.take([task(1)])
    runner = begin(block)
    runner.inbox()
    closing = runner.closing("its walltime is over")
    block.take([task(2), task(3)])
    runner.write(closing)
    runner.sync()
    given = [event for event in block.news() if isinstance(event, Given)]
    assert [event.tasks for event in given] == [("1J2.1", "1J3.1")]
    assert sorted(block.assigned()) == ["1J1.1"]
    runner.close()


def test_damage_in_an_inbox_names_the_tasks(block):
    block.take([task(1), task(2), task(3)])
    path = inbox_path(block.path, 1)
    with open(path, "rb") as file:
        lines = file.read().split(b"\n")
    lines[2] = lines[2].replace(b"make", b"mXke")
    with open(path, "wb") as file:
        file.write(b"\n".join(lines))
    runner = begin(block)
    found = runner.inbox()
    assert names(found) == ["1J1.1", "1J3.1"]
    assert found[2:] == [Damaged("b001/inbox.000001", 1, ("1J2.1",))]
    runner.close()


# ── several drivers ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_driver_that_is_not_in_charge_says_nothing(block):
    def look():
        raise DirectoryHeld("another flowrules took over this directory")

    old = BlockFolder.open(block.path, 1, look)
    before = os.stat(inbox_path(block.path, 1)).st_size
    with pytest.raises(DirectoryHeld):
        old.take([task(1)])
    assert os.stat(inbox_path(block.path, 1)).st_size == before
    old.close()


def test_the_inbox_of_an_older_driver_is_read_no_further_once_a_new_one_is_there(block):
    block.take([task(1)])
    runner = begin(block)
    assert names(runner.inbox()) == ["1J1.1"]
    block.take([task(2)])
    new = BlockFolder.open(block.path, 4)
    assert not new.accepted
    new.take([task(4)])
    assert names(runner.inbox()) == ["1J2.1", "1J4.1"], "what the old one said until then counts"
    block.take([task(3)])
    assert names(runner.inbox()) == []
    accepted = [event for event in new.news() if isinstance(event, Accept)]
    assert [(event.epoch, event.before) for event in accepted] == [(4, 1)]
    assert new.accepted
    runner.write(Ended(end(2)))
    runner.write(Given(("1J4.1",)))
    runner.flush()
    found = new.assigned()
    assert sorted(found) == ["1J1.1", "1J2.1", "1J4.1"], "the third came too late and does not exist"
    assert found["1J1.1"].end is None and not found["1J1.1"].given
    assert found["1J2.1"].end == end(2)
    assert found["1J4.1"].given
    new.close()
    runner.close()


def test_what_ends_the_run_of_a_driver_stops_its_blocks_and_no_later_ones(tmp_path):
    first, second = (BlockFolder.create(replace(spec(tmp_path), block=f"b00{n}"), 1) for n in (1, 2))
    failing, other = begin(first), begin(second)
    assert other.inbox() == []
    assert failing.inbox() == []
    assert failing.ends_run(task(1, last=True)) and not failing.ends_run(task(2))
    failing.tell_others()
    assert other.inbox() == [Stop()], "before the driver knows, and without one"
    first.close()
    second.close()
    again = BlockFolder.open(second.path, 2)
    assert other.inbox() == [], "the driver of another epoch decides for itself"
    assert not other.ends_run(task(1, last=True)), "and of what an earlier one handed over"
    forget_failed(str(tmp_path), 2)
    assert not has_failed(str(tmp_path), 1)
    again.close()
    failing.close()
    other.close()


def test_an_epoch_whose_driver_never_spoke_is_passed_over(block):
    runner = begin(block)
    runner.inbox()
    with open(inbox_path(block.path, 2), "wb"):
        pass
    assert runner.inbox() == []
    third = BlockFolder.open(block.path, 3)
    third.take([task(1)])
    assert names(runner.inbox()) == ["1J1.1"]
    third.close()
    runner.close()


# ── several incarnations ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_second_incarnation_goes_on_from_what_the_first_said(block):
    block.take([task(1), task(2), task(3)])
    first = begin(block)
    first.inbox()
    first.write(Started("1J1.1", "here"))
    first.write(Ended(end(1)))
    first.write(Started("1J2.1", "here"))
    first.write(Given(("1J3.1",)))
    first.sync()
    die(first)
    second = begin(block)
    assert (first.incarnation, second.incarnation) == (1, 2)
    assert second.past.ended == {"1J1.1": end(1)}
    assert sorted(second.past.started) == ["1J1.1", "1J2.1"] and second.past.given == {"1J3.1"}
    assert names(second.inbox()) == ["1J1.1", "1J2.1", "1J3.1"]
    with pytest.raises(DirectoryHeld):
        first.look()
    second.look()
    second.close()


def test_what_a_cut_log_says_later_does_not_exist(block):
    first = begin(block)
    first.write(Ended(end(1)))
    first.sync()
    assert len(block.news()) == 2
    size = os.stat(log_path(block.path, 1)).st_size
    first.write(Ended(end(2)))
    first.sync()
    with open(f"{block.path}/runs/01/log", "rb") as file:
        late = file.read()[size:]
    os.truncate(log_path(block.path, 1), size)
    die(first)
    second = begin(block)
    with open(log_path(block.path, 1), "ab") as file:
        file.write(late)
    second.write(Ended(end(3)))
    second.sync()
    told = block.news()
    assert [event for event in told if isinstance(event, Ended)] == [Ended(end(3))]
    assert Cut("01/log", size) in told
    assert sorted(second.past.ended) == ["1J1.1"]
    second.close()


def test_a_driver_stands_by_an_end_that_was_cut_away_after_it_believed_it(block):
    block.take([task(1), task(2)])
    first = begin(block)
    size = os.stat(log_path(block.path, 1)).st_size
    first.write(Ended(end(1)))
    first.write(Given(("1J2.1",)))
    first.sync()
    assert Ended(end(1)) in block.news()
    log = log_path(block.path, 1)
    with open(log, "rb") as file:
        whole = file.read()
    os.truncate(log, size)  # the second incarnation's host does not see the last lines yet
    die(first)
    second = begin(block)
    assert second.past.ended == {}
    with open(log, "wb") as file:
        file.write(whole)
    assert block.news()
    assert [m for m in second.inbox() if not isinstance(m, Take)] == [Have(("1J1.1",)), Cancel(("1J2.1",))]
    second.close()


def test_a_driver_reads_nothing_of_an_incarnation_before_it_has_said_what_counts(block):
    first = begin(block)
    block.news()
    first.write(Ended(end(1)))
    first.sync()
    os.mkdir(f"{block.path}/runs/02", 0o700)
    assert block.news() == []
    first.close()
    die(first)
    now = [0.0]
    third = begin(block, clock=lambda: now[0], sleep=lambda s: now.append(now.pop() + s))
    assert third.incarnation == 3 and now[0] >= 5.0, "a number without an owner may yet get one"
    assert Ended(end(1)) in block.news()
    third.close()


def test_three_incarnations_and_a_driver_that_comes_late(block):
    block.take([task(number) for number in range(1, 6)])
    for number in (1, 2, 3):
        runner = begin(block)
        assert sorted(runner.past.ended) == [f"1J{n}.1" for n in range(1, number)]
        runner.write(Ended(end(number)))
        runner.sync()
        die(runner)
    driver = BlockFolder.open(block.path, 2)
    told = [event.end.task for event in driver.news() if isinstance(event, Ended)]
    assert told == ["1J1.1", "1J2.1", "1J3.1"]
    found = driver.assigned()
    assert [name for name, fate in found.items() if fate.end is None] == ["1J4.1", "1J5.1"]
    driver.close()


def test_another_batch_job_on_the_same_block_is_a_duplicate_while_the_first_lives(block):
    first = begin(block, "77")
    assert RunnerFolder.begin(block.path, "78", ["there"]) is None
    first.look()
    die(first)
    second = begin(block, "78")
    assert second.incarnation == 2
    second.write(Closed(True))
    second.sync()
    die(second)
    assert RunnerFolder.begin(block.path, "78", ["there"]) is None, "the block was closed"


def test_a_first_incarnation_on_a_host_that_cannot_be_asked_is_listened_to(block):
    first = begin(block, "77")
    path = f"{block.path}/runs/01/owner"
    with open(path) as file:
        text = file.read()
    with open(path, "w") as file:
        file.write(text.replace('"host": "', '"host": "other-'))
    now = [0.0]

    def sleep(seconds, beats=True):
        now[0] += 10.0
        if beats:
            first.write(Beat())
            first.flush()

    assert RunnerFolder.begin(block.path, "78", ["x"], clock=lambda: now[0], sleep=sleep) is None
    second = RunnerFolder.begin(block.path, "78", ["x"], clock=lambda: now[0], sleep=lambda s: sleep(s, False))
    assert second is not None and now[0] >= 60.0 + 150.0
    second.close()
    first.close()


def test_an_inbox_that_was_left_for_a_later_one_stays_left(block):
    block.take([task(1)])
    first = begin(block)
    first.inbox()
    new = BlockFolder.open(block.path, 2)
    new.take([task(2)])
    first.inbox()
    block.take([task(3)])
    die(first)
    second = begin(block)
    assert names(second.inbox()) == ["1J1.1", "1J2.1"]
    new.close()
    second.close()


def test_a_block_that_began_to_close_goes_on_closing(block):
    block.take([task(1)])
    first = begin(block)
    first.inbox()
    first.write(first.closing("SIGTERM"))
    first.sync()
    block.take([task(2)])
    die(first)
    second = begin(block)
    assert second.past.closing is not None
    assert names(second.inbox()) == ["1J1.1"]
    second.close()


def test_the_folder_of_a_block_lies_in_the_state_folder():
    assert block_path("/w", "b003") == "/w/.flowrules/blocks/b003"
