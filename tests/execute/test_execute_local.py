"""Shell jobs as processes of this machine."""

import os
import resource
import signal
import stat
import threading
import time

import pytest
from execute_box import Box, boxes


def test_a_job_runs_and_says_how_it_ended(any_box: Box):
    outcome = any_box.run(any_box.shell("echo out; echo err >&2; echo out again; exit 7"))
    assert (outcome.exit, outcome.error, outcome.attempt) == (7, "", 1)
    assert any_box.log() == "out\nerr\nout again\n"
    assert outcome.started <= outcome.ended


def test_the_end_by_a_signal_is_a_negative_number(any_box: Box):
    assert any_box.run(any_box.shell("kill -9 $$")).exit == -9


def test_the_shell_is_strict(box: Box):
    assert box.run(box.shell("false; touch not-reached")).exit == 1
    assert box.run(box.shell("echo $unset_name; touch not-reached")).exit == 1
    assert box.run(box.shell("false | true; touch not-reached")).exit == 1
    assert not os.path.exists("not-reached")


def test_another_shell(box: Box):
    assert box.run(box.shell("echo $0 $-", shell=("dash", "-e"))).exit == 0
    assert box.log() == "dash e\n" or "/dash" in box.log()


def test_the_log_is_appended_to(box: Box):
    box.run(box.shell("echo one"))
    box.run(box.shell("echo two"))
    assert box.log() == "one\ntwo\n"


def test_without_a_log_output_is_discarded(box: Box):
    assert box.run(box.shell("echo lost", log="")).exit == 0
    assert os.listdir() == []


def test_standard_input_is_empty(box: Box):
    assert box.run(box.shell("wc -c")).exit == 0
    assert box.log().strip() == "0"


def test_variables(box: Box, monkeypatch):
    monkeypatch.setenv("FLOWRULES_JOB", "of an outer job")
    order = box.shell('echo "$K $FLOWRULES_RUN $FLOWRULES_ATTEMPT ${FLOWRULES_JOB-none}"', env={"K": "a b"}, attempt=3)
    assert box.run(order).exit == 0
    assert box.log() == f"a b {box.executor.run_id} J{order.job}.3 of an outer job\n" or "none" in box.log()


def test_the_working_directory(box: Box):
    os.mkdir("sub")
    assert box.run(box.shell("pwd; touch here", directory="sub", log="sub.log")).exit == 0
    assert os.path.exists("sub/here")
    assert os.path.exists("sub/sub.log")
    assert os.getcwd() == os.path.realpath(".")


def test_a_working_directory_that_is_not_there(box: Box):
    outcome = box.run(box.shell("true", directory="absent"))
    assert outcome.exit != 0
    assert outcome.error == "the log cannot be written: No such file or directory: absent/log"


def test_jobs_do_not_inherit_what_the_driver_has_open(box: Box):
    read, write = os.pipe()
    assert box.run(box.shell("echo /proc/$$/fd/*; readlink /proc/$$/fd/0")).exit == 0
    numbers, null = box.log().splitlines()
    assert [os.path.basename(path) for path in numbers.split()] == ["0", "1", "2", "3"]  # the last is the listing's own
    assert null == "/dev/null"
    os.close(read)
    os.close(write)


def test_signals_that_python_ignores_are_not_ignored_in_jobs(box: Box):
    assert box.run(box.shell("set +o pipefail; yes | head -n1 > /dev/null; grep SigIgn /proc/self/status")).exit == 0
    assert int(box.log().split()[-1], 16) & (1 << (signal.SIGPIPE - 1)) == 0


def test_an_interpreter_that_is_missing(box: Box):
    outcome = box.run(box.shell("true", shell=("no-such-shell", "-c")))
    assert (outcome.exit, outcome.error) == (127, "`no-such-shell` is not on the PATH")


def test_the_path_of_the_order_counts(box: Box):
    os.mkdir("bin")
    with open("bin/mysh", "w") as file:
        file.write('#!/bin/sh\necho "mine: $2"\n')
    os.chmod("bin/mysh", 0o755)
    path = os.path.abspath("bin") + ":" + os.environ["PATH"]
    assert box.run(box.shell("hello", shell=("mysh",), env={"PATH": path})).exit == 0
    assert box.log() == "mine: hello\n"


def test_a_shell_that_cannot_be_executed(box: Box):
    with open("junk", "w") as file:
        file.write("#!/no/such/interpreter\n")
    os.chmod("junk", 0o755)
    outcome = box.run(box.shell("true", shell=("./junk",)))
    assert outcome.exit == 126
    assert outcome.error.startswith("the command could not be started: No such file or directory")


def test_a_log_that_cannot_be_written(box: Box):
    os.mkdir("log")
    outcome = box.run(box.shell("touch ran"))
    assert (outcome.exit, outcome.error) == (126, "the log cannot be written: Is a directory: log")
    assert not os.path.exists("ran")


def test_a_full_disk_fails_the_job_only(box: Box):
    outcome = box.run(box.shell("echo text", log="/dev/full"))
    assert outcome.exit != 0
    assert box.run(box.shell("true")).exit == 0


def test_text_that_no_process_can_be_given(box: Box):
    assert "NUL" in box.run(box.shell("echo a\0b")).error
    assert "null byte" in box.run(box.shell("true", env={"A": "x\0y"})).error
    assert box.run(box.shell("true", env={"A=B": "x"})).error.startswith("the command could not be started")


def test_names_that_are_no_utf8(box: Box):
    name = os.fsdecode(b"caf\xe9")
    assert box.run(box.shell(f"touch {name}")).exit == 0
    assert name in os.listdir()


def test_a_very_long_command(box: Box):
    names = " ".join(f"inputs/sample-{n:06d}/aligned.sorted.bam" for n in range(100_000))
    order = box.shell(f'printf "%s\\n" {names} | wc -l; echo "$0 $#"; /bin/echo {names} | wc -w')
    assert box.run(order).exit == 0
    assert box.log() == "100000\n/usr/bin/bash 0\n100000\n" or box.log().split()[0::3] == ["100000", "100000"]


def test_the_file_of_a_long_command_is_private_and_goes_away(box: Box):
    scratch = box.executor._scratch
    outcome = box.run(box.shell(f"stat -c %a {'x' * 0}/proc/self/fd/255 || true; : {'y' * 200_000}"))
    assert outcome.exit == 0
    assert stat.S_IMODE(os.stat(scratch.folder).st_mode) == 0o700
    assert os.listdir(scratch.folder) == []
    folder = scratch.folder
    box.executor.close()
    assert not os.path.exists(folder)


def test_many_quick_jobs(any_box: Box):
    for _ in range(50):
        for _ in range(10):
            any_box.executor.start(any_box.shell("exit 0", shell=("dash", "-e")))
        assert {outcome.exit for outcome in any_box.outcomes(10)} == {0}


def test_no_descriptor_is_lost(any_box: Box):
    for _ in range(3):  # the third has a slot
        any_box.run(any_box.shell("true"))
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        orders = [any_box.shell("true", shell=("dash", "-e")) for _ in range(9)]
        orders.append(any_box.shell("true", log="no/such/folder/log"))
        for order in orders:
            any_box.executor.start(order)
        any_box.outcomes(10)
    assert len(os.listdir("/proc/self/fd")) == before


def test_waiting_ends_with_its_time(any_box: Box):
    any_box.executor.start(any_box.shell("sleep 600"))
    assert any_box.executor.wait(0.01) == []
    assert any_box.executor.wait(0) == []


def test_waiting_for_nothing_returns(any_box: Box):
    assert any_box.executor.wait(None) == []


def test_wake_from_a_signal_handler(any_box: Box):
    any_box.executor.start(any_box.shell("sleep 600"))
    before = signal.signal(signal.SIGUSR1, lambda number, frame: any_box.executor.wake())
    try:
        timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1))
        timer.start()
        assert any_box.executor.wait(None) == []
        timer.join()
        os.kill(os.getpid(), signal.SIGUSR1)
        assert any_box.executor.wait(None) == []  # one that came before the wait
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_signal_that_nobody_wakes_for_does_not_end_the_wait(any_box: Box):
    order = any_box.shell("sleep 0.2")
    any_box.executor.start(order)
    before = signal.signal(signal.SIGUSR1, lambda number, frame: None)
    try:
        timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1))
        timer.start()
        assert any_box.executor.wait(None)[0].job == order.job
        timer.join()
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_kill(any_box: Box):
    order = any_box.shell("sleep 600")
    any_box.executor.start(order)
    any_box.executor.kill(order.job)
    any_box.executor.kill(order.job)
    assert any_box.outcome(order).exit == -signal.SIGTERM
    any_box.executor.kill(order.job)
    any_box.executor.kill(999)


def test_a_job_may_clean_up_when_it_is_killed(any_box: Box):
    order = any_box.shell("trap 'echo cleaned; exit 3' TERM; touch ready; while :; do sleep 0.01; done")
    any_box.executor.start(order)
    any_box.until(lambda: os.path.exists("ready"))
    any_box.executor.kill(order.job)
    assert any_box.outcome(order).exit == 3
    assert any_box.log().endswith("cleaned\n")


@pytest.mark.parametrize(
    "command",
    [
        pytest.param("trap '' TERM; touch ready; while :; do sleep 1; done", id="ignores TERM"),
        pytest.param("(trap '' TERM; sleep 600) & trap 'exit 1' TERM; touch ready; wait", id="child ignores TERM"),
        pytest.param("setsid sleep 600 & touch ready; wait", id="own session"),
        pytest.param("(setsid bash -c 'trap \"\" TERM; sleep 600; :' &) ; touch ready; sleep 600", id="daemon"),
        pytest.param("touch ready; kill -STOP $$", id="stopped"),
    ],
)
def test_kill_reaches_everything(any_box: Box, command: str):
    order = any_box.shell(command)
    any_box.executor.start(order)
    any_box.until(lambda: os.path.exists("ready"))
    any_box.executor.kill(order.job)
    assert any_box.outcome(order).exit != 0
    assert any_box.living() == []


def test_killing_one_job_leaves_the_others(box: Box):
    first, second = box.shell("setsid sleep 600 & wait"), box.shell("setsid sleep 600 & touch ready; wait")
    box.executor.start(first)
    box.executor.start(second)
    box.until(lambda: os.path.exists("ready"))
    box.executor.kill(first.job)
    assert box.outcome(first).exit < 0
    assert len(box.living()) == 2


def test_what_is_left_in_the_background_may_end(box: Box):
    outcome = box.run(box.shell("echo text > >(sleep 0.1; cat > copy)"))
    assert (outcome.exit, outcome.error) == (0, "")
    with open("copy") as file:
        assert file.read() == "text\n"


def test_what_stays_in_the_background_is_killed_and_told(box: Box):
    outcome = box.run(box.shell("sleep 600 &"))
    assert (outcome.exit, outcome.error) == (0, "processes it had left in the background were killed")
    assert box.living() == []


def test_a_job_with_a_gpu_leaves_nothing_on_it(box: Box):
    outcome = box.run(box.shell("setsid sleep 600 &", env={"CUDA_VISIBLE_DEVICES": "0"}))
    assert (outcome.exit, outcome.error) == (0, "processes it had left in the background were killed")
    assert box.living() == []


def test_close_ends_daemons(box: Box):
    box.run(box.shell("setsid sleep 600 &"))
    box.executor.start(box.shell("trap '' TERM; sleep 600"))
    box.until(lambda: len(box.living()) >= 2)
    box.executor.close()
    assert box.living() == []
    assert box.executor.wait(None) == []


def test_cpu_and_memory_of_all_processes(box: Box):
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 + (100 << 20)  # that of the driver hides less
    command = f"python3 -c 'x = bytearray({size}); sum(range(10**6))'; true"
    outcome = box.run(box.shell(command))
    assert outcome.exit == 0
    assert outcome.memory > size
    assert outcome.cpu > 0.01


def test_memory_below_that_of_the_driver_is_unknown(box: Box):
    assert box.run(box.shell("true")).memory == 0


def test_a_nested_run_is_known_by_both_names(box: Box, monkeypatch):
    monkeypatch.setenv("FLOWRULES_RUN", "outer")
    monkeypatch.setenv("FLOWRULES_ATTEMPT", "J5.1")
    from flowrules.execute.local import LocalExecutor
    from flowrules.execute.processes import find

    inner = LocalExecutor("inner")
    inner.start(box.shell("sleep 600"))
    box.until(lambda: find("outer", {"J5.1"}) == find("inner", {f"J{box.number}.1"}) == find("inner") != [])
    assert find("outer", {f"J{box.number}.1"}) == []
    inner.close()


def test_the_driver_that_ignores_sigchld_still_hears_of_ends(tmp_path, monkeypatch):
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        for box in boxes(tmp_path, monkeypatch):
            assert box.run(box.shell("exit 5")).exit == 5
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_times_are_those_of_the_clock(box: Box):
    outcome = box.run(box.shell("true"))
    assert abs(outcome.started - time.time()) < 60
