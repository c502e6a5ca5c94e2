"""What happens to jobs when the driver dies."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
import time

import pytest
from execute_box import PATIENCE, Box

from flowrules.errors import FlowrulesError
from flowrules.execute.guard import start_guard
from flowrules.execute.processes import find, sweep

DRIVER = """\
import fcntl, os, sys, time
from flowrules.execute.guard import start_guard
from flowrules.execute.local import LocalExecutor
from flowrules.model.order import Order
from flowrules.model.rule import CallAction, ShellAction

run, how = sys.argv[1:]
lock = os.open("lock", os.O_CREAT | os.O_RDWR)
fcntl.flock(lock, fcntl.LOCK_EX)
guard = start_guard(run, [lock])
executor = LocalExecutor(run)
commands = (
    "trap '' TERM INT HUP; setsid sleep 600 & (setsid setsid sleep 600 &); sleep 600",
    "sleep 600 | cat",
    "while :; do (sleep 0.01 &); sleep 0.01; done",
)
for number, command in enumerate(commands):
    executor.start(Order(number, 1, "job", ShellAction(None, "", None), command))
executor.start(Order(9, 1, "job", CallAction("m.py", None, "f", None)))
executor.wait(0.3)
open("ready", "w").close()
if how == "close":
    executor.close()
    guard.close()
    open("closed", "w").close()
time.sleep(600)
"""


def driver(run: str, how: str = "") -> subprocess.Popen:
    with open("driver.py", "w") as file:
        file.write(DRIVER)
    with open("m.py", "w") as file:
        file.write("import time\ndef f(job):\n    open('called', 'w').close()\n    time.sleep(600)\n")
    process = subprocess.Popen([sys.executable, "driver.py", run, how], start_new_session=True)
    until(lambda: (os.path.exists("ready") and os.path.exists("called")) or process.poll() is not None)
    return process


def until(condition) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)


def free(path: str = "lock") -> bool:
    with open(path) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = f"guard-{os.getpid()}-{time.time_ns()}"
    yield run
    sweep(run)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_all_jobs_die_with_the_driver_and_the_lock_is_held_until_then(run: str, number: int):
    process = driver(run)
    assert len(find(run)) >= 7
    assert not free()
    process.send_signal(number)
    process.wait()
    until(free)
    assert find(run) == []


def test_the_whole_session_of_the_driver_may_be_killed(run: str):
    process = driver(run)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    until(free)
    assert find(run) == []


def test_a_stopped_driver_keeps_its_jobs(run: str):
    process = driver(run)
    process.send_signal(signal.SIGSTOP)
    time.sleep(0.1)
    assert find(run) != []
    assert not free()
    process.kill()
    process.wait()
    until(free)


def test_a_clean_end_needs_no_sweep(run: str):
    process = driver(run, "close")
    until(lambda: os.path.exists("closed"))
    assert find(run) == []
    process.kill()
    process.wait()


def test_the_guard_lets_go_after_a_good_end(run: str, tmp_path):
    lock = os.open("lock", os.O_CREAT | os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    before = len(os.listdir("/proc/self/fd"))
    guard = start_guard(run, [lock])
    os.close(lock)
    assert not free()
    guard.close()
    guard.close()
    assert free()
    assert len(os.listdir("/proc/self/fd")) == before - 1
    with pytest.raises(ProcessLookupError):
        os.kill(guard.pid, 0)


def test_a_guard_that_was_killed_is_no_trouble(run: str):
    guard = start_guard(run)
    os.kill(guard.pid, signal.SIGKILL)
    os.waitid(os.P_PID, guard.pid, os.WEXITED | os.WNOWAIT)
    guard.close()


def test_the_guard_does_not_mind_signals(run: str):
    guard = start_guard(run)
    for _ in range(20):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(guard.pid, number)
        time.sleep(0.001)
    assert os.waitid(os.P_PID, guard.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
    guard.close()


def test_the_guard_removes_private_folders(run: str, tmp_path):
    os.mkdir("private")
    with open("private/file", "w"):
        pass
    guard = start_guard(run, scratch=["private", "gone"])
    os.close(guard._pipe)
    guard._pipe = -1
    os.waitpid(guard.pid, 0)
    assert not os.path.exists("private")


def test_the_next_driver_sweeps(box: Box):
    box.executor.start(box.shell("setsid sleep 600 & setsid sleep 600 & wait"))
    box.until(lambda: len(box.living()) == 3)
    assert sweep("another run") == 0
    assert sweep(box.executor.run_id) == 3
    assert box.living() == []
    assert sweep(box.executor.run_id) == 0


def test_without_room_for_it_there_is_an_error_and_nothing_is_left(monkeypatch):
    def never():
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(os, "fork", never)
    before = len(os.listdir("/proc/self/fd")), signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with pytest.raises(FlowrulesError, match="see `ulimit -u`"):
        start_guard("run")
    assert (len(os.listdir("/proc/self/fd")), signal.pthread_sigmask(signal.SIG_BLOCK, ())) == before
