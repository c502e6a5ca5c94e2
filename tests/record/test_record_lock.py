"""Who may drive a directory: real processes, killed and forked, and owners of other hosts in files."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace

import pytest

from flowrules.errors import DirectoryHeld, StateError
from flowrules.record.lock import BEAT_SECONDS, FRESH_SECONDS, SILENCE_SECONDS, acquire, holder, unlock
from flowrules.record.owner import Owner
from flowrules.testing import FakeClock

HOLD = """
import sys, time
from flowrules.record.lock import acquire
from flowrules.record.owner import Owner
held = acquire(sys.argv[1], Owner.here("run-1", "flowrules -j 8 all"))
print("held", flush=True)
time.sleep(60)
"""

HOLD_WITH_GUARD = """
import os, sys, time
from flowrules.record.lock import acquire
from flowrules.record.owner import Owner
held = acquire(sys.argv[1], Owner.here("run-1"))
reader, writer = os.pipe()
if os.fork() == 0:
    os.close(writer)
    os.read(reader, 1)
    time.sleep(float(sys.argv[2]))
    os._exit(0)
print("held", flush=True)
time.sleep(60)
"""

RACE = """
import sys, time
from flowrules.record.lock import acquire
from flowrules.record.owner import Owner
from flowrules.errors import DirectoryHeld
sys.stdin.readline()
try:
    held = acquire(sys.argv[1], Owner.here())
except DirectoryHeld:
    print("refused", flush=True)
else:
    print("held", flush=True)
sys.stdin.readline()
"""


class Driver:
    """Another process that holds, or wants to hold, a directory."""

    def __init__(self, program, *arguments):
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self):
        return self

    def says(self):
        return self.process.stdout.readline().strip()

    def tell(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def __exit__(self, *exception):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


def me(**changes):
    return replace(Owner.here("run-2", "flowrules all", 0.0), **changes)


def leave(directory, owner, tail=b"", number=1):
    """What a driver that is not there any more left."""
    place = directory / ".flowrules" / "driver" / f"{number:06d}"
    place.mkdir(parents=True)
    (place / "owner").write_bytes(json.dumps(asdict(owner)).encode() + tail)
    return place / "owner"


def test_a_directory_is_held_released_and_held_again(tmp_path):
    with acquire(str(tmp_path), me()) as held:
        assert held.previous is None
        assert holder(str(tmp_path)) == me()
    assert holder(str(tmp_path)) is None
    with acquire(str(tmp_path), me()) as again:
        assert again.previous is None
        assert again.number == held.number + 1


def test_release_twice_is_harmless(tmp_path):
    held = acquire(str(tmp_path), me())
    held.release()
    held.release()
    assert held.fileno() == -1


def test_a_second_driver_is_refused_with_who_and_what_to_do(tmp_path):
    with Driver(HOLD, tmp_path) as other:
        assert other.says() == "held"
        with pytest.raises(DirectoryHeld) as refusal:
            acquire(str(tmp_path), me())
    error = refusal.value
    assert error.exit_code == 3
    assert f"process {other.process.pid} on " in error.message
    assert "flowrules -j 8 all" in error.message
    assert error.hint == f"wait until it has ended, or end it: `kill {other.process.pid}`"


def test_the_second_driver_in_one_process_is_refused_too(tmp_path):
    with acquire(str(tmp_path), me()), pytest.raises(DirectoryHeld):
        acquire(str(tmp_path), me())


def test_after_kill_9_the_next_driver_takes_over_at_once_and_knows_the_run(tmp_path):
    with Driver(HOLD, tmp_path) as other:
        assert other.says() == "held"
        other.process.send_signal(signal.SIGKILL)
        # not waited for: a zombie is dead
        while not Owner.here().alive() or holder(str(tmp_path)).alive():
            time.sleep(0.01)
        with acquire(str(tmp_path), me()) as held:
            assert held.previous is not None
            assert held.previous.run == "run-1"
            assert held.previous.pid == other.process.pid


def test_the_guard_of_a_killed_driver_is_waited_for(tmp_path):
    with Driver(HOLD_WITH_GUARD, tmp_path, 0.3) as other:
        assert other.says() == "held"
        with pytest.raises(DirectoryHeld, match="another flowrules works"):
            acquire(str(tmp_path), me())
        other.process.kill()
        other.process.wait()
        with acquire(str(tmp_path), me()) as held:
            assert held.previous.run == "run-1"


def test_a_guard_that_does_not_end_is_named(tmp_path):
    clock = FakeClock()
    told = []
    with Driver(HOLD_WITH_GUARD, tmp_path, 10) as other:
        assert other.says() == "held"
        other.process.kill()
        other.process.wait()
        with pytest.raises(DirectoryHeld, match="killed flowrules left behind still holds"):
            acquire(str(tmp_path), me(), clock=clock, sleep=clock.sleep, tell=told.append)
        assert 15 <= clock.now < 16
        assert len(told) == 1


def test_of_many_at_once_exactly_one_wins(tmp_path):
    drivers = [Driver(RACE, tmp_path) for _ in range(5)]
    try:
        for driver in drivers:
            driver.tell()
        assert sorted(driver.says() for driver in drivers) == ["held", *["refused"] * 4]
    finally:
        for driver in drivers:
            driver.__exit__()


def test_waiting_for_a_live_driver_ends_when_it_does(tmp_path):
    with Driver(HOLD, tmp_path) as other:
        assert other.says() == "held"
        told = []

        def sleep(seconds):
            other.process.kill()
            other.process.wait()

        with acquire(str(tmp_path), me(), wait=60, sleep=sleep, tell=told.append) as held:
            assert held.previous.run == "run-1"
    assert len(told) == 1
    assert "waiting for another flowrules" in told[0]


def test_programs_that_are_started_do_not_keep_the_lock(tmp_path):
    held = acquire(str(tmp_path), me())
    with subprocess.Popen(["sleep", "30"], close_fds=False) as child:
        try:
            os.close(held.fileno())  # as if this process had died
            with acquire(str(tmp_path), me()):
                pass
        finally:
            child.kill()


class TestOtherHosts:
    ELSEWHERE = Owner("login9", 77, "123", "another-boot", "run-1", "ada", "flowrules all", 0.0)

    def test_silence_of_a_minute_is_death(self, tmp_path):
        leave(tmp_path, self.ELSEWHERE)
        clock = FakeClock()
        told = []
        with acquire(str(tmp_path), me(), clock=clock, sleep=clock.sleep, tell=told.append) as held:
            assert held.previous == self.ELSEWHERE
            assert held.number == 2
        assert clock.now >= SILENCE_SECONDS
        assert len(told) == 1
        assert "process 77 on login9" in told[0]
        assert "`flowrules unlock` skips this" in told[0]

    def test_a_beat_is_life(self, tmp_path):
        owner = leave(tmp_path, self.ELSEWHERE)
        clock = FakeClock()

        def sleep(seconds):
            clock.sleep(seconds)
            if clock.now > BEAT_SECONDS:
                owner.write_bytes(owner.read_bytes() + b".")

        with pytest.raises(DirectoryHeld) as refusal:
            acquire(str(tmp_path), me(), clock=clock, sleep=sleep)
        assert refusal.value.hint.endswith("`kill 77` on login9")
        assert clock.now < 2 * BEAT_SECONDS

    def test_one_that_ended_in_order_is_not_waited_for(self, tmp_path):
        leave(tmp_path, self.ELSEWHERE, b"....\nended\n")
        clock = FakeClock()
        with acquire(str(tmp_path), me(), clock=clock, sleep=clock.sleep) as held:
            assert held.previous is None
        assert clock.now == 0

    def test_unlock_skips_the_wait(self, tmp_path):
        leave(tmp_path, self.ELSEWHERE, b"...")
        assert unlock(str(tmp_path)) == self.ELSEWHERE
        assert unlock(str(tmp_path)) is None
        clock = FakeClock()
        with acquire(str(tmp_path), me(), clock=clock, sleep=clock.sleep):
            assert clock.now == 0

    def test_another_container_of_this_kernel_is_dead_if_the_lock_is_free(self, tmp_path):
        leave(tmp_path, replace(me(), host="3f2a9c", pid=1))
        clock = FakeClock()
        with acquire(str(tmp_path), me(), clock=clock, sleep=clock.sleep) as held:
            assert held.previous.host == "3f2a9c"
        assert clock.now == 0

    def test_a_driver_that_was_taken_over_notices_at_its_next_beat(self, tmp_path):
        with acquire(str(tmp_path), me()) as held:
            held.beat()
            leave(tmp_path, self.ELSEWHERE, number=held.number + 1)
            with pytest.raises(DirectoryHeld, match="took over this directory: process 77 on login9"):
                held.beat()

    def test_it_looks_again_when_its_last_look_is_old(self, tmp_path, monkeypatch):
        with acquire(str(tmp_path), me()) as held:
            leave(tmp_path, self.ELSEWHERE, number=held.number + 1)
            held.look_again()
            now = time.monotonic()
            monkeypatch.setattr(time, "monotonic", lambda: now + FRESH_SECONDS + 1)
            with pytest.raises(DirectoryHeld, match="took over this directory: process 77 on login9"):
                held.look_again()

    def test_a_full_disk_takes_no_beat_and_ends_no_run(self, tmp_path, monkeypatch):
        def full(fd, data):
            raise OSError(errno.ENOSPC, "No space left on device")

        with acquire(str(tmp_path), me()) as held:
            owner = tmp_path / ".flowrules" / "driver" / f"{held.number:06d}" / "owner"
            before = owner.read_bytes()
            with monkeypatch.context() as patch:
                patch.setattr(os, "write", full)
                held.beat()
            assert owner.read_bytes() == before
            held.beat()
            assert owner.read_bytes() == before + b"."

    def test_a_beat_without_state_folder_says_so(self, tmp_path):
        with acquire(str(tmp_path), me()) as held:
            os.rename(tmp_path / ".flowrules", tmp_path / "gone")
            with pytest.raises(StateError, match="cannot write"):
                held.beat()


def test_without_file_locks_the_numbers_decide(tmp_path, monkeypatch):
    monkeypatch.setattr("flowrules.record.lock._try_lock", lambda fd: None)
    with Driver(HOLD, tmp_path) as other:
        assert other.says() == "held"
        with pytest.raises(DirectoryHeld):
            acquire(str(tmp_path), me())


def test_a_number_without_owner_is_passed_over(tmp_path):
    (tmp_path / ".flowrules" / "driver" / "000004").mkdir(parents=True)
    clock = FakeClock()
    with acquire(str(tmp_path), me(), clock=clock, sleep=clock.sleep) as held:
        assert held.number == 5
        assert held.previous is None


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[1]", b'{"host": 1, "pid": "x"}', b'{"host": "h"'])
def test_a_damaged_owner_is_nobody(tmp_path, content):
    place = tmp_path / ".flowrules" / "driver" / "000001"
    place.mkdir(parents=True)
    (place / "owner").write_bytes(content)
    clock = FakeClock()
    with acquire(str(tmp_path), me(), clock=clock, sleep=clock.sleep) as held:
        assert held.previous is None


def test_old_numbers_are_removed_and_none_is_used_twice(tmp_path):
    for _ in range(25):
        acquire(str(tmp_path), me()).release()
    numbers = sorted(int(name) for name in os.listdir(tmp_path / ".flowrules" / "driver"))
    assert numbers == list(range(6, 26))


def test_unlock_refuses_while_a_driver_lives(tmp_path):
    with Driver(HOLD, tmp_path) as other:
        assert other.says() == "held"
        with pytest.raises(DirectoryHeld):
            unlock(str(tmp_path))


def test_unlock_refuses_even_if_the_lock_file_was_removed_under_it(tmp_path):
    with Driver(HOLD, tmp_path) as other:
        assert other.says() == "held"
        os.unlink(tmp_path / ".flowrules" / "lock")
        with pytest.raises(DirectoryHeld):
            unlock(str(tmp_path))
        with pytest.raises(DirectoryHeld):
            acquire(str(tmp_path), me())


def test_unlock_where_nothing_is(tmp_path):
    assert unlock(str(tmp_path)) is None
    assert not list(tmp_path.iterdir())


def test_an_absent_directory(tmp_path):
    with pytest.raises(StateError, match="there is no directory"):
        acquire(str(tmp_path / "nowhere"), me())


def test_a_file_in_place_of_the_state_folder(tmp_path):
    (tmp_path / ".flowrules").write_text("")
    with pytest.raises(StateError, match="is no folder"):
        acquire(str(tmp_path), me())


def test_a_folder_in_place_of_the_lock(tmp_path):
    (tmp_path / ".flowrules" / "lock").mkdir(parents=True)
    with pytest.raises(StateError, match=r"cannot open `.*/lock`: is a directory"):
        acquire(str(tmp_path), me())
