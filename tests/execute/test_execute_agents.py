"""Agents on real nodes: what is started ends, is told, and never outlives what it belongs to."""

import os
import signal
import time
from pathlib import Path

import pytest
from execute_rig import Rig

from flowrules.execute import agentlines
from flowrules.model.agent import NodeLost, NodeNote, NodeReady, TaskEnded

SH = ("bash", "-euo", "pipefail", "-c")


def test_what_is_told_of_an_end(rig: Rig) -> None:
    agents = rig.open(init="export GREETING='good day'; false; cd /")
    node = rig.nodes[0]
    show = 'printf "%s|" "$CUDA_VISIBLE_DEVICES" "$GREETING" "$PWD" "$FLOWRULES_ATTEMPT" "$FLOWRULES_BLOCK"; exit 3'
    before = time.time()
    agents.run(node, "1J1.1", [*SH, show], {"CUDA_VISIBLE_DEVICES": "2"}, "one.log")
    agents.run(node, "1J2.1", [*SH, "kill -SEGV $$"], {}, "two.log")
    agents.run(node, "1J3.1", ["nonesuch"], {}, "three.log")
    agents.run(node, "1J4.1", [*SH, "i=0; while ((i < 60000)); do i=$((i + 1)); done"], {}, "")
    agents.run(node, "1J5.1", ["true"], {}, "no/such/folder.log")
    ends = rig.ends(agents, 5)
    assert ends["1J1.1"].exit == 3
    assert rig.log("one.log") == f"2|good day|{rig.folder}|1J1.1|{agents.mark}|"
    assert ends["1J2.1"].exit == -signal.SIGSEGV
    assert ends["1J3.1"].exit == 127 and "nonesuch: not found" in rig.log("three.log")
    assert ends["1J4.1"].exit == 0 and 0.01 < ends["1J4.1"].cpu < 60
    assert ends["1J5.1"].exit == 126 and ends["1J5.1"].error == "its log could not be opened"
    for end in ends.values():
        assert before - 1 < end.started <= end.ended < time.time() + 1 and end.node == node and not end.killed
    assert agents.close(1.0)
    rig.come(lambda: not rig.alive())  # a guard takes a moment to leave


def test_nasty_words_arrive_as_they_are(rig: Rig) -> None:
    agents = rig.open()
    words = ["a b", "", "it's", '"$HOME" `id` \\', "new\nline", "é€", "\udcff", "*", "-x", "!!", "x" * 5000]
    for task, some in (("1J1.1", words[:-1]), ("1J2.1", words)):  # on a line, and by file
        agents.run(rig.nodes[0], task, ["printf", "%s\\0", *some], {"W": "a'\n$b"}, f"a '$b'\n{task}.log")
    agents.run(rig.nodes[0], "1J3.1", [*SH, 'printf "%s" "$W"'], {"W": "a'\n$b"}, "env.log")
    assert {end.exit for end in rig.ends(agents, 3).values()} == {0}
    assert (rig.folder / "a '$b'\n1J1.1.log").read_bytes() == b"".join(os.fsencode(w) + b"\0" for w in words[:-1])
    assert (rig.folder / "a '$b'\n1J2.1.log").read_bytes() == b"".join(os.fsencode(w) + b"\0" for w in words)
    assert rig.log("env.log") == "a'\n$b"
    assert list((rig.block / "cmd").iterdir()) == []


def test_a_job_has_two_streams_and_no_way_to_forge_a_line(rig: Rig) -> None:
    agents = rig.open(init="echo secret5 end 1J1.1 0 1 2 3 4 -; echo some noise")
    forged = "secret5 end 1J1.1 7 1 2 3 4 -"
    agents.run(
        rig.nodes[0], "1J1.1", [*SH, f"cat; echo {forged}; echo {forged} >&2; ls /proc/self/fd; exit 5"], {}, "job.log"
    )
    ends = rig.ends(agents)
    assert ends["1J1.1"].exit == 5
    assert rig.log().split() == [*forged.split(), *forged.split(), "0", "1", "2", "3"]  # 3 is that of ls
    assert "some noise" in (rig.block / "runs/01/agents.log").read_text()


def test_killed_politely_then_hard_and_what_hid_is_found(rig: Rig) -> None:
    agents = rig.open(gpus=True)
    polite = "trap 'echo bye; exit 9' TERM; echo up >&2; while :; do sleep 0.05 || :; done"
    stubborn = "trap '' TERM; setsid sleep 1000 & echo up >&2; while :; do sleep 0.05 || :; done"
    for task, command in (("1J1.1", polite), ("1J2.1", stubborn)):
        agents.run(rig.nodes[0], task, [*SH, command], {}, f"{task}.log")
    for task in ("1J1.1", "1J2.1"):
        rig.come(lambda task=task: (rig.folder / f"{task}.log").exists() and "up" in rig.log(f"{task}.log"))
        agents.kill(task)
    agents.kill("1J9.1")
    ends = rig.ends(agents, 2)
    assert ends["1J1.1"].killed and ends["1J1.1"].exit == 9 and rig.log("1J1.1.log").endswith("bye\n")
    assert ends["1J2.1"].killed and ends["1J2.1"].exit == -signal.SIGKILL
    assert ends["1J2.1"].ended - ends["1J2.1"].started > 0.9
    assert rig.alive("1J2.1") == []


def test_an_agent_that_a_signal_ends_does_not_wait_for_the_grace_to_be_over(local: Rig) -> None:
    agents = local.open(gpus=True, grace=600.0)
    agents.run(local.nodes[0], "1J1.1", [*SH, "echo up; sleep 1000"], {"CUDA_VISIBLE_DEVICES": "0"}, "job.log")
    local.come(lambda: (local.folder / "job.log").exists() and "up" in local.log())
    os.kill(local.agent(), signal.SIGTERM)
    (lost,) = [event for event in local.until(agents, NodeLost) if isinstance(event, NodeLost)]
    assert lost.reaped and "told to by a signal" in lost.why
    local.come(lambda: not local.alive())


def test_killed_before_it_has_started(rig: Rig) -> None:
    agents = rig.open()
    for i in range(20):
        agents.run(rig.nodes[0], f"1J{i}.1", ["sleep", "1000"], {}, "")
        agents.kill(f"1J{i}.1")
    assert all(end.killed for end in rig.ends(agents, 20).values())


def test_what_a_job_leaves_is_ended_and_told(rig: Rig) -> None:
    agents = rig.open(gpus=True)
    agents.run(rig.nodes[0], "1J1.1", [*SH, "sleep 1000 & exit 0"], {}, "job.log")
    agents.run(rig.nodes[0], "1J2.1", [*SH, "setsid sleep 1000 & exit 0"], {"CUDA_VISIBLE_DEVICES": "0"}, "job.log")
    agents.run(rig.nodes[0], "1J3.1", [*SH, "exec > >(sleep 0.3; tee late); echo text"], {}, "job.log")
    ends = rig.ends(agents, 3)
    for task in ("1J1.1", "1J2.1"):
        assert (ends[task].exit, ends[task].error) == (0, "processes it had left in the background were killed")
        assert rig.alive(task) == []
    assert ends["1J3.1"].error == "" and rig.log("late") == "text\n"


@pytest.mark.slow
def test_memory_and_binding(rig: Rig) -> None:
    agents = rig.open()
    hold = "x=$(head -c 60000000 /dev/zero | tr '\\0' x); sleep 3; :"
    agents.run(rig.nodes[0], "1J1.1", [*SH, hold], {}, "job.log")
    agents.run(rig.nodes[0], "1J2.1", [*SH, "grep Cpus_allowed_list /proc/self/status"], {}, "bound.log", cpus=[0])
    agents.run(rig.nodes[0], "1J3.1", ["true"], {}, "bound.log", cpus=[4090, 4091])
    events = rig.until(agents, TaskEnded, count=3)
    ends = {event.task: event for event in events if isinstance(event, TaskEnded)}
    assert 60e6 < ends["1J1.1"].memory < 600e6 and ends["1J2.1"].memory == 0
    assert rig.log("bound.log").split()[-1] == "0"
    assert ends["1J3.1"].exit == 0
    assert [e.text for e in events if isinstance(e, NodeNote)] == [
        "jobs are not bound to cores: `taskset` cannot bind to 4090-4091 there"
    ]


def test_a_job_that_kills_the_process_that_watches_it(rig: Rig) -> None:
    agents = rig.open()
    agents.run(rig.nodes[0], "1J1.1", [*SH, "kill -KILL $PPID; sleep 1000"], {}, "job.log")
    end = rig.ends(agents)["1J1.1"]
    assert (end.exit, end.error) == (-signal.SIGKILL, "the process that watched it was killed")
    assert rig.alive("1J1.1") == []


@pytest.mark.slow
def test_kill_9_of_the_agent(rig: Rig) -> None:
    agents = rig.open()
    node = rig.nodes[0]
    agents.run(node, "1J1.1", [*SH, "exit 4"], {}, "job.log")
    rig.ends(agents)
    agents.run(node, "1J2.1", [*SH, "setsid sleep 1000 & touch up.1; sleep 1000"], {}, "job.log")
    rig.come(lambda: (rig.folder / "up.1").exists())
    os.kill(rig.agent(), signal.SIGKILL)
    (lost,) = rig.until(agents, NodeLost)
    assert isinstance(lost, NodeLost) and lost.node == node and not lost.reaped
    took = rig.come(lambda: not rig.alive("1J2.1"))
    print(f"{rig.launcher}: all of a node dead {took:.2f}s after its agent's end was noticed")
    agents.restart(node)
    (ready,) = rig.until(agents, NodeReady, NodeLost)
    assert isinstance(ready, NodeReady)
    agents.run(node, "1J2.1", [*SH, "exit 6"], {}, "job.log")
    assert rig.ends(agents)["1J2.1"].exit == 6
    assert agents.close(1.0)


def test_kill_9_of_the_launcher(remote: Rig) -> None:
    agents = remote.open()
    agents.run(remote.nodes[0], "1J1.1", [*SH, "setsid sleep 1000 & touch up.1; sleep 1000"], {}, "job.log")
    remote.come(lambda: (remote.folder / "up.1").exists())
    name = "mpiexec" if remote.launcher == "mpiexec" else "ssh"
    for pid in remote.called(name):
        if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(name.encode()):
            os.kill(pid, signal.SIGKILL)
    lost = next(event for event in remote.until(agents, NodeLost) if isinstance(event, NodeLost))
    assert not lost.reaped and "status -9" in lost.why
    remote.come(lambda: not remote.alive())


def test_kill_9_of_a_nodes_sshd(remote: Rig) -> None:
    agents = remote.open()
    agents.run(remote.nodes[0], "1J1.1", [*SH, "setsid sleep 1000 & touch up.1; sleep 1000"], {}, "job.log")
    remote.come(lambda: (remote.folder / "up.1").exists())
    assert remote.hosts is not None
    remote.hosts.shell(remote.nodes[0], "for p in $(pgrep -x sshd); do [ $p = 2 ] || kill -9 $p; done")
    if remote.launcher == "mpiexec":  # Hydra's own connections do not go through ssh
        agents.kill("1J1.1")
        assert remote.ends(agents)["1J1.1"].killed and agents.close(1.0)
        return
    (lost,) = remote.until(agents, NodeLost)
    assert isinstance(lost, NodeLost)
    remote.come(lambda: not remote.alive())


def test_kill_9_of_the_runner(rig: Rig) -> None:
    runner = rig.runner("setsid sleep 1000 & touch up.$HOSTNAME; sleep 1000")
    assert rig.alive("1J0.1")
    runner.kill()
    runner.wait()
    took = rig.come(lambda: not rig.alive())
    print(f"{rig.launcher}: all dead {took:.2f}s after kill -9 of the runner")


@pytest.mark.slow
def test_a_runner_that_stops_loses_its_lease(rig: Rig) -> None:
    runner = rig.runner("setsid sleep 1000 & touch up.$HOSTNAME; sleep 1000", lease=3.0)
    os.kill(runner.pid, signal.SIGSTOP)
    try:
        rig.come(lambda: not rig.alive("1J0.1"))
    finally:
        runner.kill()
        runner.wait()
    rig.come(lambda: not rig.alive())


@pytest.mark.slow
def test_a_busy_runner_keeps_its_lease(local: Rig) -> None:
    agents = local.open(lease=2.0)
    agents.run("here", "1J1.1", ["sleep", "4"], {}, "")
    time.sleep(3.5)  # as in a call to a file system that hangs: only the thread of the ticks is at work
    assert local.ends(agents)["1J1.1"].exit == 0


@pytest.mark.slow
def test_a_node_that_loses_power(request: pytest.FixtureRequest, tmp_path) -> None:
    hosts = request.getfixturevalue("hosts")
    rig = Rig("ssh", tmp_path, hosts)
    rig.nodes = [hosts.names[2]]
    agents = rig.open(lease=3.0)
    agents.run(rig.nodes[0], "1J1.1", ["sleep", "1000"], {}, "")
    hosts.power_off(rig.nodes[0])
    (lost,) = rig.until(agents, NodeLost)
    assert isinstance(lost, NodeLost) and not lost.reaped
    assert agents.close(0.0) is False
    hosts.start(rig.nodes[0])
    again = rig.open(incarnation=2)
    assert again.close(0.0) is True


def test_an_end_that_was_not_told_is_found_in_the_nodes_log(local: Rig) -> None:
    agents = local.open()
    agents.run("here", "1J1.1", [*SH, "touch up.1; sleep 0.5; exit 3"], {}, "")
    local.come(lambda: (local.folder / "up.1").exists())
    path = Path(agents.node_log("here"))
    # nobody listens until both are past
    local.come(lambda: path.read_bytes().endswith(b"\n"))
    assert [end.exit for end in agentlines.node_log(path.read_bytes(), "here", "secret5")] == [3]
    assert agentlines.node_log(path.read_bytes()[:-1], "here", "secret5") == []
    assert agentlines.node_log(path.read_bytes(), "here", "other") == []
    agents.run("here", "1J2.1", [*SH, "touch up.2; sleep 1000"], {}, "")
    local.come(lambda: (local.folder / "up.2").exists())
    with path.open("a") as log:
        log.write("secret5 end 1J2.1 0 1000000 2500000 1000 0 -\nsecret5 end 1J2.1 0 10")
    os.kill(local.agent(), signal.SIGKILL)
    events = local.until(agents, NodeLost)
    assert [(e.task, e.exit) for e in events if isinstance(e, TaskEnded)] == [("1J1.1", 3), ("1J2.1", 0)]


def test_an_agent_sweeps_what_earlier_incarnations_left(rig: Rig) -> None:
    runner = rig.runner("trap '' TERM; setsid sleep 1000 & touch up.$HOSTNAME; sleep 1000")
    os.kill(runner.pid, signal.SIGSTOP)  # so that its agents live on
    agents = rig.open(incarnation=2)
    assert rig.alive("1J0.1") == []
    runner.kill()
    runner.wait()
    agents.run(rig.nodes[0], "2J1.1", ["true"], {}, "")
    assert rig.ends(agents)["2J1.1"].exit == 0


def test_nodes_on_one_machine_do_not_sweep_one_another(local: Rig) -> None:
    local.nodes = ["a", "b"]
    agents = local.open()
    for node in "ab":
        agents.run(node, f"1J{node}.1", [*SH, f"touch up.{node}; sleep 1000"], {}, "")
    local.come(lambda: len(list(local.folder.glob("up.*"))) == 2)
    before = local.alive("1Jb.1")
    (agent,) = [
        p for p in local.called("flowrules-agent") if b"FLOWRULES_AGENT=a.1\0" in _environ(p) and os.getsid(p) == p
    ]
    os.kill(agent, signal.SIGKILL)
    local.until(agents, NodeLost)
    local.come(lambda: not local.alive("1Ja.1"))
    agents.restart("a")
    local.until(agents, NodeReady)
    assert local.alive("1Jb.1") == before


def test_a_node_that_cannot_be_had(request: pytest.FixtureRequest, tmp_path) -> None:
    rig = Rig("ssh", tmp_path, request.getfixturevalue("hosts"))
    rig.nodes = ["nowhere.invalid"]
    agents = rig.agents()
    agents.open()
    (lost,) = rig.until(agents, NodeLost)
    assert isinstance(lost, NodeLost) and lost.reaped and "nowhere.invalid" in lost.why and "255" in lost.why
    with pytest.raises(ValueError, match="cannot be started"):
        agents.run("nowhere.invalid", "1J1.1", ["true"], {}, "")
    assert agents.close(0.0)


def test_worker_init_that_leaves_or_takes_too_long(local: Rig) -> None:
    agents = local.agents(init="echo no modules here >&2; exit 4")
    agents.open()
    (lost,) = local.until(agents, NodeLost)
    assert isinstance(lost, NodeLost) and "status 4: no modules here" in lost.why
    slow = local.agents(incarnation=2, init="sleep 1000", start_limit=1.0)
    slow.open()
    (lost,) = local.until(slow, NodeLost)
    assert isinstance(lost, NodeLost) and "not ready within 1s" in lost.why
    local.come(lambda: not local.alive())


def test_times_without_the_clock_of_bash_5(local: Rig) -> None:
    agents = local.open(init="unset EPOCHREALTIME")
    before = time.time()
    agents.run("here", "1J1.1", ["sleep", "0.3"], {}, "")
    end = local.ends(agents)["1J1.1"]
    assert before - 0.1 < end.started < end.started + 0.25 < end.ended < time.time() + 0.1


def test_few_are_started_at_the_same_time(local: Rig) -> None:
    local.nodes = [f"n{i}" for i in range(5)]
    agents = local.agents(most_starting=2, init="sleep 0.3")
    agents.open()
    most = 0
    ready: set[str] = set()
    while len(ready) < 5:
        most = max(most, len({p for p in local.called("flowrules-agent") if os.getsid(p) == p}) - len(ready))
        ready |= {event.node for event in agents.wait(0.02) if isinstance(event, NodeReady)}
    assert 1 <= most <= 2


def test_close_releases_everything_and_the_last_ends_are_told_after_it(local: Rig) -> None:
    before = len(os.listdir("/proc/self/fd"))
    agents = local.open()
    agents.run("here", "1J1.1", ["sleep", "1000"], {}, "")
    assert agents.close(1.0) and agents.close(1.0)
    assert [(e.task, e.killed) for e in agents.wait(None) if isinstance(e, TaskEnded)] == [("1J1.1", True)]
    assert agents.wait(None) == []
    assert len(os.listdir("/proc/self/fd")) == before


def test_what_a_launcher_has_in_a_session_of_its_own_does_not_outlive_the_block(tmp_path, monkeypatch) -> None:
    """As Hydra's ssh, which waits for a node that is dead and hears nothing of its `mpiexec` being killed."""
    launcher = tmp_path / "bin/mpiexec"
    launcher.parent.mkdir()
    launcher.write_text('#!/bin/bash\nsetsid sleep 1000 <&- >&- 2>&- &\nexec "${@: -4}"\n')
    launcher.chmod(0o755)
    monkeypatch.setenv("PATH", f"{launcher.parent}:{os.environ['PATH']}")
    rig = Rig("mpiexec", tmp_path, None)
    try:
        agents = rig.open(flavour="hydra")
        rig.come(lambda: rig.called("sleep\0" + "1000"))
        assert agents.close(1.0)
        assert not rig.called("sleep\0" + "1000")
    finally:
        rig.close()


def test_names_that_would_mean_something_to_a_shell(local: Rig) -> None:
    agents = local.open()
    for task in ("", "1J1.1;id", "a b", "../x", "$x"):
        with pytest.raises(ValueError, match="letters, digits"):
            agents.run("here", task, ["true"], {}, "")
    local.campaign = "a;b"
    with pytest.raises(ValueError, match="letters, digits"):
        local.agents()


def test_hydras_descriptor_stays_open_in_the_agent_and_is_in_no_job(remote: Rig) -> None:
    agents = remote.open()
    agents.run(remote.nodes[0], "1J1.1", [*SH, "ls -l /proc/$$/fd"], {}, "job.log")
    assert remote.ends(agents)["1J1.1"].exit == 0
    assert "socket:" not in remote.log()
    wanted, end, held = len(remote.nodes) if remote.launcher == "mpiexec" else 0, time.monotonic() + 30, -1
    while held != wanted and time.monotonic() < end:  # a fork that is about to end holds it for a moment
        held = sum(os.path.exists(f"/proc/{pid}/fd/4") for pid in remote.called("flowrules-agent"))
    assert held == wanted
    assert agents.close(1.0)


def test_a_descriptor_beside_the_agents(local: Rig) -> None:
    agents = local.open()
    read, write = os.pipe()
    seen: list[bytes] = []

    def ready() -> None:
        seen.append(os.read(read, 10))
        agents.wake()

    agents.watch(read, ready)
    os.write(write, b"x")
    assert agents.wait(PATIENCE_FOR_NOTHING) == [] and seen == [b"x"]
    agents.unwatch(read)
    os.close(read)
    os.close(write)


PATIENCE_FOR_NOTHING = 30.0


@pytest.mark.slow
def test_thousands_of_short_jobs(rig: Rig) -> None:
    agents = rig.open()
    count = 2000 if rig.launcher == "local" else 500  # others differ only in the way to the agent; GNU Parallel is slow
    waiting = [f"1J{i}.1" for i in range(count)]
    ends: dict[str, TaskEnded] = {}
    free = 4
    start = time.monotonic()
    while len(ends) < count:
        while free and waiting:
            agents.run(rig.nodes[0], waiting.pop(), ["true"], {}, "all.log")
            free -= 1
        for event in agents.wait(5.0):
            assert isinstance(event, TaskEnded), event
            ends[event.task] = event
            free += 1
    print(f"{rig.launcher}: {count / (time.monotonic() - start):.0f} jobs/s through one agent")
    assert {(end.exit, end.error) for end in ends.values()} == {(0, "")}
    assert len(agentlines.node_log(Path(agents.node_log(rig.nodes[0])).read_bytes(), "", "secret5")) == count
    assert agents.close(1.0)
    if rig.launcher == "parallel":
        (joblog,) = (rig.block / "runs/01").glob("*.joblog")
        assert sum("run-one" in row and row.split("\t")[6] == "0" for row in joblog.read_text().splitlines()) == count


def _environ(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()
