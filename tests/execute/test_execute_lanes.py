"""Lanes: shells of an agent that are kept, and make one attempt after the other."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from importlib.resources import files
from pathlib import Path

import pytest
from execute_rig import Rig

from flowrules.execute.lanes import Lanes
from flowrules.execute.launchers import message
from flowrules.model.agent import TaskEnded

SH = ("bash", "-euo", "pipefail", "-c")

STATE = """
umask; pwd; set -o; trap; ulimit -Sa; ulimit -Ha; jobs; env | grep -vE "^(FLOWRULES_ATTEMPT=|PARALLEL_)" | sort; ls /proc/self/fd
grep -E '^(Sig(Blk|Ign|Cgt)|Cpus_allowed_list|Seccomp|NoNewPrivs):' /proc/self/status; cat /proc/self/oom_score_adj
"""

UNTIDY = """
umask 0; cd /; export LEFT=1 PATH=/bin:/usr/bin:/left; ulimit -n 50; ulimit -c 0; exec 5>left 7>left; set +e
echo 500 >/proc/self/oom_score_adj; trap '' TERM INT HUP USR1 USR2 CHLD; trap : EXIT
i=0; while ((i < 60000)); do i=$((i + 1)); done
sleep 1000 & exit 3
"""

SLOW = """
import os, subprocess, sys, time
to = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE)
first = True
while data := os.read(0, 60):
    os.write(to.stdin.fileno(), data)
    first = first and b"\\n" not in data
    time.sleep(0.0 if first else 0.4)  # the line that becomes the agent goes fast
to.stdin.close()
"""


def run(rig: Rig, task: str, command: str, env: dict[str, str] | None = None, cpus: tuple[int, ...] = ()) -> TaskEnded:
    rig.opened[-1].run(rig.nodes[0], task, [*SH, command], env or {}, f"{task}.log", cpus)
    return rig.ends(rig.opened[-1])[task]


def said(rig: Rig, task: str) -> str:
    return rig.log(f"{task}.log").strip()


def test_which_lane_an_attempt_gets() -> None:
    lanes = Lanes()
    assert [lanes.take(cpus) for cpus in ("0", "1", "")] == [0, 1, 2]
    for lane in (0, 1, 2):
        lanes.give(lane)
    assert lanes.take("1") == 1 and lanes.take("") == 2  # bound alike
    assert lanes.take("7") == 0 and lanes.take("0") == 3  # no other is free; none is
    lanes.give(0)
    assert lanes.take("0") == 0


def test_nothing_of_an_attempt_is_left_for_the_next(rig: Rig) -> None:
    rig.open()
    assert run(rig, "1J1.1", STATE).exit == 0
    untidy = run(rig, "1J2.1", UNTIDY, {"LEFT": "yes"})
    assert (untidy.exit, untidy.error) == (3, "processes it had left in the background were killed")
    after = run(rig, "1J3.1", STATE)
    assert said(rig, "1J3.1") == said(rig, "1J1.1")
    assert after.cpu < untidy.cpu


def test_attempts_of_a_lane_have_the_same_shell(local: Rig) -> None:
    local.open()
    for number in range(3):
        run(local, f"1J{number}.1", "echo $PPID")
    assert said(local, "1J0.1") == said(local, "1J1.1") == said(local, "1J2.1")


def test_a_lane_whose_shell_was_killed_is_made_anew(local: Rig) -> None:
    agents = local.open()
    run(local, "1J1.1", "echo $PPID")
    shell = int(said(local, "1J1.1"))
    os.kill(shell, signal.SIGKILL)
    local.come(lambda: not os.path.exists(f"/proc/{shell}"))
    assert run(local, "1J2.1", "echo $PPID").exit == 0
    assert int(said(local, "1J2.1")) != shell
    assert run(local, "1J3.1", "kill -KILL $PPID; sleep 1000").error == "the process that watched it was killed"
    assert run(local, "1J4.1", "true").exit == 0
    assert agents.close(1.0)


@pytest.mark.parametrize("remote", ["ssh", "mpiexec"], indirect=True)
def test_numbers_of_processes_may_begin_anew(remote: Rig) -> None:
    """Each job has the number of a process that was there when its lane, or the agent before it, came to be."""
    remote.open()
    run(remote, "1J0.1", "echo $PPID")
    shell, had = int(said(remote, "1J0.1")), set()
    for number in range(2, shell + 3):
        end = run(remote, f"1J{number}.1", f"echo $$; echo {number} >/proc/sys/kernel/ns_last_pid; exit 7")
        assert end.exit == 7, f"as process {said(remote, f'1J{number}.1')}, where the lane is {shell}"
        had.add(int(said(remote, f"1J{number}.1")))
    assert shell - 1 in had


def test_a_node_without_room_for_a_lane_tells(local: Rig) -> None:
    agents = local.open()
    run(local, "1J1.1", "echo $FLOWRULES_WARM")
    folder = Path(said(local, "1J1.1")).parent
    (folder / "l.1").mkdir()
    agents.run(local.nodes[0], "1J2.1", ["sleep", "1"], {}, "")
    agents.run(local.nodes[0], "1J3.1", ["true"], {}, "")
    refused = local.ends(agents)["1J3.1"]
    assert refused.exit == 126 and "takes no more files" in refused.error
    assert local.ends(agents)["1J2.1"].exit == 0
    (folder / "l.1").rmdir()
    assert run(local, "1J4.1", "true").exit == 0


def test_a_kill_that_comes_late_hits_no_other(rig: Rig) -> None:
    agents = rig.open()
    chance = random.Random(1)
    for number in range(0, 30, 2):
        agents.run(rig.nodes[0], f"1J{number}.1", ["sleep", "0.05"], {}, "")
        time.sleep(chance.uniform(0.0, 0.12))
        agents.kill(f"1J{number}.1")
        rig.ends(agents)
        end = run(rig, f"1J{number + 1}.1", "sleep 0.05; exit 7")
        assert end.exit == 7 and not end.killed


def test_a_lane_that_is_told_again_and_again_still_looks_at_the_clock(local: Rig) -> None:
    agents = local.open(grace=2.0)
    stays = "(trap '' TERM; exec sleep 1000) & echo $PPID; wait"
    agents.run(local.nodes[0], "1J1.1", [*SH, stays], {}, "1J1.1.log")
    local.come(lambda: (local.folder / "1J1.1.log").exists() and said(local, "1J1.1"))
    agents.kill("1J1.1")
    shell = int(said(local, "1J1.1"))
    pokes = subprocess.Popen(["bash", "-c", "while kill -USR1 $0; do sleep 0.003; done 2>/dev/null", str(shell)])
    try:
        end = local.ends(agents)["1J1.1"]
    finally:
        pokes.kill()
        pokes.wait()
    assert end.killed and end.exit in (-signal.SIGTERM, -signal.SIGKILL)
    assert run(local, "1J2.1", "echo $PPID").exit == 0 and said(local, "1J2.1") == str(shell)


def test_attempts_of_a_lane_may_be_bound_differently(rig: Rig) -> None:
    rig.open()
    show = "grep Cpus_allowed_list /proc/self/status"
    cpu = min(os.sched_getaffinity(0))
    for task, cpus in (("1J1.1", ()), ("1J2.1", (cpu,)), ("1J3.1", ())):
        run(rig, task, show, cpus=cpus)
    assert said(rig, "1J2.1").split()[-1] == str(cpu)
    assert said(rig, "1J1.1") == said(rig, "1J3.1")


def test_a_lane_that_is_bound_runs_jobs_that_are_not(local: Rig) -> None:
    local.open()
    show = "grep Cpus_allowed_list /proc/self/status"
    cpu = min(os.sched_getaffinity(0))
    for task, cpus in (("1J1.1", (cpu,)), ("1J2.1", ()), ("1J3.1", (cpu,))):
        run(local, task, f"{show}; grep Cpus_allowed_list /proc/$PPID/status", cpus=cpus)
    bound = f"Cpus_allowed_list:\t{cpu}"
    free = f"Cpus_allowed_list:\t{unbound_cpus()}"
    assert said(local, "1J1.1").split("\n") == [bound, bound]
    assert said(local, "1J2.1").split("\n") == [free, bound]
    assert said(local, "1J3.1").split("\n") == [bound, bound]


def unbound_cpus() -> str:
    """What an unbound process of this machine says of itself."""
    command = "taskset -c 0-4095 grep Cpus_allowed_list /proc/self/status"
    return subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout.split()[-1]


@pytest.mark.slow
def test_what_a_long_job_left_is_found_too(local: Rig) -> None:
    agents = local.open(gpus=True)
    gpu = {"CUDA_VISIBLE_DEVICES": "0"}
    end = run(local, "1J1.1", "setsid sleep 1000 & sleep 2.2", gpu)
    assert (end.exit, end.error) == (0, "processes it had left in the background were killed")
    assert local.alive("1J1.1") == []
    assert agents.close(1.0)


def test_processes_that_are_younger_than_another() -> None:
    script = str(files("flowrules.execute").joinpath("attempt.sh"))
    text = """
    . "$1"
    sleep 60 & old=$!
    sleep 60 & new=$!
    fr_processes "$old"; echo " ${fr_seen[*]} " | grep -c " $new "; echo " ${fr_seen[*]} " | grep -c " $old "
    fr_processes 99999999; echo " ${fr_seen[*]} " | grep -c " $old " # numbers began anew: all are looked at
    fr_processes ""; echo " ${fr_seen[*]} " | grep -c " $$ "
    kill $old $new
    """
    done = subprocess.run(["bash", "-c", text, "bash", script], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["1", "0", "1", "1"]


@pytest.mark.slow
def test_messages_that_come_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    ssh = tmp_path / "ssh"
    ssh.write_text(f"#!/bin/sh\nexec {sys.executable} {tmp_path}/slow.py bash --norc --noprofile -s\n")
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    rig = Rig("ssh", tmp_path, None)
    try:
        agents = rig.open()
        text = "x" * 150  # five pieces, 2 s
        assert run(rig, "1J1.1", f"echo {text}").exit == 0 and said(rig, "1J1.1") == text
        agents.run("here", "1J2.1", ["sleep", "1000"], {}, "")
        agents.kill("1J2.1")
        assert rig.ends(agents)["1J2.1"].killed
        assert agents.close(1.0)
    finally:
        rig.close()


def test_the_length_of_a_message() -> None:
    assert message("tick") == b"0004tick"
    with pytest.raises(ValueError, match="too long"):
        message("x" * 10_000)


@pytest.mark.parametrize(
    ("names", "replaced"),
    [
        (["attempt.sh", "agent.sh"], []),
        (["attempt.sh", "plain_node.sh", "plain.sh"], ["fr_nap", "fr_report"]),
    ],
)
def test_texts_that_are_put_together_replace_only_what_is_meant(names: list[str], replaced: list[str]) -> None:
    texts = [files("flowrules.execute").joinpath(name).read_text("utf-8") for name in names]
    made = re.findall(r"^(fr_\w+)\(\)", "\n".join(texts), re.MULTILINE)
    assert sorted({name for name in made if made.count(name) > 1}) == replaced
