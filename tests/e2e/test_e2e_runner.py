"""A block works off what is in its inbox: `flowrules run-block` as a job script starts it, on this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from flowrules.app.block.salvage import salvage
from flowrules.model.block import BlockSpec, Task, TaskEnd
from flowrules.model.events import Need
from flowrules.model.files import FileRecord
from flowrules.model.profile import GpuSlot, NodeShape
from flowrules.model.record import Record
from flowrules.model.values import Flags
from flowrules.record.messages import Begin, Closed, Closing, Ended, Given, Granted, Sick, Started
from flowrules.record.spool import BlockFolder

PATIENCE = 120.0
GPU = "CUDA_VISIBLE_DEVICES"
NODE = NodeShape(4, gpus=(GpuSlot("0", (0, 1)), GpuSlot("1", (2, 3))), gpu_variable=GPU)


def children(pid: int) -> list[tuple[int, list[str]]]:
    """Processes that a process started, with their arguments."""
    found = []
    for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        try:
            found.append((int(each), Path(f"/proc/{each}/cmdline").read_text().split("\0")))
        except OSError:
            continue
    return found


class Block:
    """A block in a folder of its own, and the processes that run it."""

    def __init__(self, path: Path, node: NodeShape = NODE, **more) -> None:
        self.path = path
        settings = {"walltime": 3600.0, "idle": 300.0, "latency_wait": 2.0, "launcher": "local", **more}
        campaign = uuid4().hex[:12]  # what has the same is swept as an earlier start of the same block
        spec = BlockSpec(campaign, "b001", f"fr-{campaign}", "n0nce", str(path), 1, node=node, **settings)
        self.folder = BlockFolder.create(spec, 1)
        self.events: list = []
        self.processes: list[subprocess.Popen] = []

    def start(self, batch: str = "1.sandbox", **env: str) -> subprocess.Popen:
        """A runner of this block."""
        command = [sys.executable, "-m", "flowrules", "run-block", self.folder.path]
        environ = {**os.environ, "FLOWRULES_BATCH_ID": batch, **env}
        with open(self.path / "said", "ab") as said:
            process = subprocess.Popen(
                command, cwd="/", env=environ, stdin=subprocess.DEVNULL, stdout=said, stderr=said
            )
        self.processes.append(process)
        return process

    @property
    def said(self) -> str:
        return (self.path / "said").read_text()

    def until(self, seen: Callable[[], object]) -> None:
        """Wait until something is so, reading the news meanwhile."""
        deadline = time.monotonic() + PATIENCE
        while not seen():
            self.events += self.folder.news()
            assert time.monotonic() < deadline, f"{self.events}\n{self.said}"
            time.sleep(0.02)

    def all_of(self, type_: type) -> list:
        return [event for event in self.events if isinstance(event, type_)]

    @property
    def ends(self) -> dict[str, TaskEnd]:
        return {event.end.task: event.end for event in self.all_of(Ended)}

    @property
    def given(self) -> dict[str, str]:
        return {name: event.why for event in self.all_of(Given) for name in event.tasks}

    def has_started(self, name: str) -> bool:
        return any(event.task == name for event in self.all_of(Started))

    def closes(self, process: subprocess.Popen, status: int = 0) -> Closed:
        assert process.wait(PATIENCE) == status, self.said
        self.events += self.folder.news()
        (closed,) = self.all_of(Closed)
        return closed

    def read(self, name: str) -> str:
        return (self.path / name).read_text()


@pytest.fixture
def block(tmp_path) -> Iterator[Callable[..., Block]]:
    made: list[Block] = []

    def make(**more) -> Block:
        made.append(Block(tmp_path, **more))
        return made[-1]

    yield make
    for each in made:
        for process in each.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
        each.folder.close()


def task(name: str, script: str, outputs=(), **more) -> Task:
    files = tuple(out if isinstance(out, tuple) else (out, Flags()) for out in outputs)
    more = {"need": Need(), **more}
    label = more.pop("label", f"rule {name}")
    draft = Record("rule", {"n": name}, [], code="c0de", run="r1", resources={"walltime": "60"})
    return Task(name, label, ("bash", "-euo", "pipefail", "-c", script), files, draft, **more)


# ── what a block is for ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_chain_runs_inside_the_block_and_its_records_are_whole(block):
    b = block()
    (b.path / "in").write_text("sources")
    source = os.stat(b.path / "in")
    b.folder.take(
        [
            task("1J1.1", "cp in a/one; echo said", ["a/one"], inputs=[FileRecord("in", 7, source.st_mtime_ns, "d1")]),
            task("1J2.1", "cat a/one a/one > b", ["b"], after=["1J1.1"], made=["a/one"], log=".flowrules/logs/r/2.log"),
        ]
    )
    runner = b.start()
    b.until(lambda: len(b.ends) == 2)
    one, two = b.ends["1J1.1"].record, b.ends["1J2.1"].record
    assert (one.status, one.exit, one.error, one.code, one.run) == ("done", 0, "", "c0de", "r1")
    assert one.inputs == [FileRecord("in", 7, source.st_mtime_ns, "d1")]
    assert [made.path for made in one.outputs] == ["a/one"] and one.outputs[0].digest
    assert two.inputs == one.outputs
    assert b.read("b") == "sourcessources"
    assert one.ended >= one.started > 0 and one.host and one.threads == 1
    assert b.read(one.log) == "said\n"
    assert two.log == ".flowrules/logs/r/2.log" and not (b.path / two.log).exists(), "it said nothing"
    b.folder.stop()
    assert b.closes(runner) == Closed(True)
    assert b.all_of(Begin)[0].batch == "1.sandbox"


def test_each_attempt_has_its_gpu_its_cores_and_is_told(block):
    b = block()
    say = f'echo "${GPU} $FLOWRULES_GPUS $FLOWRULES_SLOT $FLOWRULES_NODES $OMP_NUM_THREADS $A" > out-$FLOWRULES_ATTEMPT'
    need = Need(2, gpus=1)
    hold = "; touch up-$FLOWRULES_ATTEMPT; while [[ $(ls -d up-* | wc -l) -lt 2 ]]; do sleep 0.02; done"
    b.folder.take([task(f"1J{n}.1", say + hold, [f"out-1J{n}.1"], need=need, env={"A": "b"}) for n in (1, 2)])
    b.start(FLOWRULES_NODES="n0")
    b.until(lambda: len(b.ends) == 2)
    told = sorted(b.read(f"out-1J{n}.1").split() for n in (1, 2))
    assert told == [["0", "0", "0", "n0", "2", "b"], ["1", "1", "1", "n0", "2", "b"]]
    assert sorted(end.gpus for end in b.ends.values()) == [("0",), ("1",)]
    assert sorted(end.cpus for end in b.ends.values()) == ["0-1", "2-3"]
    assert sorted(end.record.gpus for end in b.ends.values()) == [["0"], ["1"]]


def test_work_that_comes_later_is_taken_while_the_block_runs(block):
    b = block(running=1)
    runner = b.start()
    b.until(lambda: b.all_of(Begin))
    for number in range(3):
        b.folder.take([task(f"1J{number}.1", f"echo > o{number}", [f"o{number}"])])
        b.until(lambda number=number: f"1J{number}.1" in b.ends)
    b.folder.grant(3)
    b.until(lambda: b.all_of(Granted))
    hold = "touch {0}; while [[ $(ls -d h? | wc -l) -lt 3 ]]; do sleep 0.02; done"
    b.folder.take([task(f"1J1{n}.1", hold.format(f"h{n}"), [f"h{n}"]) for n in range(3)])
    b.until(lambda: len(b.ends) == 6)
    b.folder.stop()
    b.closes(runner)


# ── failures ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_failure_is_told_and_what_needs_it_goes_back(block):
    b = block()
    b.folder.take(
        [
            task("1J1.1", "echo half > bad; echo because; exit 3", ["bad"], logs=["bad.log"]),
            task("1J2.1", "cp bad worse", ["worse"], after=["1J1.1"], made=["bad"]),
            task("1J3.1", "cp worse worst", ["worst"], after=["1J2.1"], made=["worse"]),
            task("1J4.1", "echo good > good", ["good"], benchmarks=["good.tsv"]),
            task("1J5.1", "true", ["never made"]),
            task("1J6.1", "echo > p", [("p", Flags(protected=True))]),
        ]
    )
    b.start()
    b.until(lambda: len(b.ends) == 4 and len(b.given) == 2)
    bad = b.ends["1J1.1"].record
    assert (bad.status, bad.exit, bad.outputs) == ("failed", 3, [])
    assert not (b.path / "bad").exists()
    assert b.read("bad.log") == b.read(bad.log) == "because\n"
    assert sorted(b.given) == ["1J2.1", "1J3.1"]
    assert b.ends["1J4.1"].record.status == "done" and b.read("good.tsv").startswith("s\th:m:s")
    assert b.ends["1J5.1"].record.error == "the output `never made` was not made"
    assert os.stat(b.path / "p").st_mode & 0o222 == 0


def test_partial_outputs_are_kept_aside_where_that_is_wanted(block):
    b = block(keep_incomplete=True)
    b.folder.take([task("1J1.1", "echo half > bad; exit 1", ["bad"])])
    b.start()
    b.until(lambda: b.ends)
    assert b.read("bad.incomplete") == "half\n"


def test_a_signal_and_a_command_that_is_none(block):
    b = block()
    b.folder.take([task("1J1.1", "kill -SEGV $BASHPID", ["a"])])
    b.folder.take([Task("1J2.1", "x", ("/no/such",), (), Record("r", {}, []), Need())])
    b.start()
    b.until(lambda: len(b.ends) == 2)
    assert b.ends["1J1.1"].record.exit == -signal.SIGSEGV
    assert b.ends["1J2.1"].record.exit == 127


def test_an_input_that_is_not_there_fails_after_a_while_and_holds_nobody_up(block):
    b = block(latency_wait=1.0)
    b.folder.take(
        [
            task("1J1.1", "cp in out", ["out"], inputs=[FileRecord("in", 1, 1)]),
            task("1J2.1", "echo > other", ["other"]),
        ]
    )
    b.start()
    b.until(lambda: len(b.ends) == 2)
    assert list(b.ends) == ["1J2.1", "1J1.1"]
    assert b.ends["1J1.1"].record.error == "input `in` of rule 1J1.1 is not there"


def test_an_input_that_appears_late_is_waited_for(block):
    b = block(latency_wait=PATIENCE)
    b.folder.take([task("1J1.1", "cp in out", ["out"], inputs=[FileRecord("in", 3, 10**18)]), task("1J2.1", "true")])
    b.start()
    b.until(lambda: b.ends)
    (b.path / "in").write_text("now")
    assert not b.has_started("1J1.1"), "it is not the file that the driver saw"
    os.utime(b.path / "in", ns=(10**18, 10**18))
    b.until(lambda: len(b.ends) == 2)
    assert b.read("out") == "now"


def test_an_output_that_appears_late_is_waited_for(block):
    b = block(latency_wait=PATIENCE)
    b.folder.take([task("1J1.1", "true", ["late"])])
    b.start()
    b.until(lambda: b.has_started("1J1.1"))
    b.until(lambda: b.folder.news() == [])
    (b.path / "late").write_text("x")
    b.until(lambda: b.ends)
    assert b.ends["1J1.1"].record.status == "done"


def test_a_task_over_its_limit_is_killed_and_has_failed(block):
    b = block()
    b.folder.take([task("1J1.1", "echo > a; sleep 1000", ["a"], limit=1.0)])
    b.start()
    b.until(lambda: b.ends)
    record = b.ends["1J1.1"].record
    assert record.status == "failed" and record.error.startswith("it was stopped after its walltime of 1s")
    assert not (b.path / "a").exists()


def test_cancelled_tasks_go_back_or_are_killed(block):
    b = block(running=1)
    b.folder.take([task("1J1.1", "echo > a; sleep 1000", ["a"]), task("1J2.1", "true")])
    b.folder.take([task("1J3.1", "true", after=["1J1.1"])])
    b.start()
    b.until(lambda: b.has_started("1J1.1"))
    b.folder.cancel(["1J1.1", "1J2.1"])
    b.until(lambda: b.ends and len(b.given) == 2)
    assert b.ends["1J1.1"].record.status == "killed"
    assert sorted(b.given) == ["1J2.1", "1J3.1"]


def test_what_does_not_fit_goes_back(block):
    b = block(walltime=1000.0)
    b.folder.take(
        [
            task("1J1.1", "true", need=Need(5)),
            task("1J2.1", "true", expected=2000.0),
            task("1J3.1", "true", limit=950.0),
            task("1J4.1", "true", after=["1J3.1"]),
            task("1J5.1", "true", after=["9J9.1"]),
            task("1J6.1", "true", limit=800.0),
        ]
    )
    b.start()
    b.until(lambda: b.ends and len(b.given) == 5)
    assert list(b.ends) == ["1J6.1"]
    assert b.given["1J2.1"] == b.given["1J3.1"] == "it cannot end before the block does"


# ── the end of a block ───────────────────────────────────────────────────────────────────────────────────────────


def test_stop_starts_nothing_lets_jobs_end_and_gives_back_the_rest(block):
    b = block(running=1)
    b.folder.take([task("1J1.1", "while [[ ! -e go ]]; do sleep 0.02; done; echo > a", ["a"]), task("1J2.1", "true")])
    runner = b.start()
    b.until(lambda: b.has_started("1J1.1"))
    b.folder.stop()
    b.until(lambda: b.all_of(Closing))
    b.folder.take([])
    (b.path / "go").touch()
    assert b.closes(runner) == Closed(True)
    assert list(b.ends) == ["1J1.1"] and list(b.given) == ["1J2.1"]


def test_a_block_thought_dead_that_starts_after_all_reads_stop_first(block):
    b = block()
    b.folder.take([task("1J1.1", "echo > a", ["a"])])
    b.folder.stop()
    assert b.closes(b.start()) == Closed(True)
    assert list(b.given) == ["1J1.1"] and not b.all_of(Started)


@pytest.mark.parametrize("how", ["SIGTERM", "grace"])
def test_what_runs_is_killed_and_goes_back_without_a_trace(block, how):
    b = block()
    b.folder.take([task("1J1.1", "echo > a; sleep 1000 & sleep 1000", ["a"]), task("1J2.1", "true", after=["1J1.1"])])
    runner = b.start()
    b.until(lambda: b.has_started("1J1.1") and (b.path / "a").exists())
    if how == "SIGTERM":
        runner.terminate()
    else:
        b.folder.stop(0.0)
    assert b.closes(runner) == Closed(True)
    assert not b.ends and sorted(b.given) == ["1J1.1", "1J2.1"]
    assert not (b.path / "a").exists()


def test_a_block_ends_before_its_walltime(block):
    b = block(walltime=5.0)
    b.folder.take([task("1J1.1", "sleep 1000", expected=1.0)])
    assert b.closes(b.start()) == Closed(True)
    assert list(b.given) == ["1J1.1"] and "walltime" in b.all_of(Closing)[0].why


def test_a_block_whose_agents_cannot_be_started_says_why_and_hands_all_back(block):
    b = block(launcher="mpiexec")
    b.folder.take([task("1J1.1", "true")])
    runner = b.start(PATH="/nonexistent")
    assert b.closes(runner, 2) == Closed(True)
    assert "there is no `mpiexec`" in b.all_of(Closing)[0].why
    b.until(lambda: b.given)
    assert list(b.given) == ["1J1.1"]


def test_a_block_without_work_closes_after_a_while(block):
    b = block(idle=0.5)
    b.folder.take([task("1J1.1", "echo > a", ["a"])])
    assert b.closes(b.start()) == Closed(True)
    assert "1J1.1" in b.ends and "no work" in b.all_of(Closing)[0].why


# ── deaths ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_second_incarnation_runs_nothing_again_that_has_its_end(block):
    b = block(running=2)
    count = "echo x >> ran-{0}; echo > {0}"
    b.folder.take([task(f"1J{n}.1", count.format(n), [str(n)]) for n in range(5)])
    hang = "echo x >> ran-5; if [[ -e second ]]; then echo > 5; else sleep 1000; fi"
    b.folder.take(
        [task("1J5.1", hang, ["5"]), task("1J6.1", "cat 5 0 > 6", ["6"], after=["1J5.1", "1J0.1"], made=["5", "0"])]
    )
    first = b.start()
    b.until(lambda: len(b.ends) == 5 and b.has_started("1J5.1") and (b.path / "ran-5").exists())
    first.kill()
    first.wait()
    (b.path / "second").touch()
    b.start()
    b.until(lambda: len(b.ends) == 7)
    assert all(end.record.status == "done" for end in b.ends.values())
    for number in range(5):
        assert b.read(f"ran-{number}") == "x\n"
    assert b.read("ran-5") == "x\nx\n"
    assert [begin.incarnation for begin in b.all_of(Begin)] == [1, 2]
    assert len(b.all_of(Ended)) == 7


def test_a_runner_that_sees_a_later_one_kills_its_jobs_and_ends(block):
    b = block()
    b.folder.take([task("1J1.1", "echo > up; while sleep 0.02; do echo >> up; done", ["a"])])
    first = b.start()
    b.until(lambda: (b.path / "up").exists())
    os.mkdir(f"{b.folder.path}/runs/02", 0o700)
    assert first.wait(PATIENCE) == 3
    assert "took over" in b.said
    size = (b.path / "up").stat().st_size
    time.sleep(0.2)
    assert (b.path / "up").stat().st_size == size


def test_after_a_failure_that_ends_the_run_nothing_new_starts(block):
    b = block()
    late = "until [[ -e go ]]; do sleep 0.02; done; false"
    b.folder.take(
        [
            task("1J1.1", "false"),
            task("1J2.1", late, last=True),
            task("1J3.1", late.replace("false", "echo > x"), ["x"]),
        ]
    )
    b.folder.take([task(f"1J{n}.1", "true", need=Need(4)) for n in range(4, 9)])
    runner = b.start()
    b.until(lambda: "1J1.1" in b.ends and len(b.all_of(Started)) == 3)
    assert not b.all_of(Closing), "the first will be tried again"
    (b.path / "go").touch()
    assert b.closes(runner) == Closed(True)
    assert len(b.all_of(Started)) == 3 and sorted(b.given) == [f"1J{n}.1" for n in range(4, 9)]
    assert b.ends["1J3.1"].record.status == "done", "what runs is let run"


def test_a_runner_that_is_ended_as_it_begins_says_that_the_block_is_closed(block):
    b = block()
    b.folder.take([task("1J1.1", "sleep 1000")])
    runner = b.start()
    b.until(lambda: b.all_of(Begin))
    runner.terminate()
    assert b.closes(runner) == Closed(True)
    assert list(b.given) == ["1J1.1"]


def test_a_runner_does_not_touch_what_a_newer_program_wrote(block):
    b = block()
    (b.path / ".flowrules/version").write_text("2\n")
    b.folder.take([task("1J1.1", "true")])
    assert b.start().wait(PATIENCE) == 2
    assert "error: `.flowrules` was written by a newer flowrules (format 2; this program knows 1)" in b.said
    assert not os.path.exists(f"{b.folder.path}/runs/01/log")


def test_a_duplicate_ends_at_once_and_leaves_the_first_alone(block):
    b = block()
    first = b.start("1.sandbox")
    b.until(lambda: b.all_of(Begin))
    twin = b.start("2.sandbox")
    assert twin.wait(PATIENCE) == 0 and "duplicate" in b.said
    b.folder.take([task("1J1.1", "true")])
    b.until(lambda: b.ends)
    b.folder.stop()
    b.closes(first)


def test_a_new_driver_takes_the_block_over(block):
    b = block()
    b.folder.take([task("1J1.1", "true"), task("1J2.1", "sleep 1000")])
    runner = b.start()
    b.until(lambda: b.ends and b.has_started("1J2.1"))
    new = BlockFolder.open(b.folder.path, 2)
    deadline = time.monotonic() + PATIENCE
    while not new.accepted:
        new.news()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    fates = new.assigned()
    assert fates["1J1.1"].end is not None and fates["1J2.1"].end is None
    new.take([task("2J3.1", "true", after=["1J1.1"])])
    b.until(lambda: "2J3.1" in b.ends)
    new.stop(0.0)
    b.closes(runner)
    new.close()
    assert not b.all_of(Sick)


# ── nodes ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_lost_agent_is_started_anew_and_its_attempts_go_back(block, number):
    """SIGTERM: the agent ends its attempts and says so, as when a batch system ends the processes of a node."""
    b = block()
    b.folder.take([task(f"1J{n}.1", f"echo > up-{n}; sleep 1000", [f"up-{n}"], need=Need(4)) for n in range(2)])
    runner = b.start(FLOWRULES_NODES="n0,n1")
    b.until(lambda: len(b.all_of(Started)) == 2 and all((b.path / f"up-{n}").exists() for n in range(2)))
    where = {event.task: event.node for event in b.all_of(Started)}
    assert sorted(where.values()) == ["n0", "n1"]
    agents = [pid for pid, words in children(runner.pid) if "--norc" in words]
    assert len(agents) == 2
    os.kill(agents[0], number)
    b.until(lambda: b.given)
    assert len(b.given) == 1 and not b.ends, "that its agent died is not the task's fault"
    (lost,) = b.given
    assert "lost" in b.given[lost] and not (b.path / f"up-{lost[2]}").exists()
    b.until(lambda: "is lost" in b.said)  # before, the agent that is about to end would be given it
    b.folder.take([task("1J7.1", "echo > again", ["again"], need=Need(4))])
    b.until(lambda: "1J7.1" in b.ends)
    assert b.ends["1J7.1"].node == where[lost]
    assert not b.all_of(Sick)
    b.folder.stop(0.0)
    assert b.closes(runner) == Closed(True)


def test_a_node_that_is_lost_twice_is_sick_and_with_the_last_one_the_block_ends(block):
    b = block()
    b.folder.take([task("1J1.1", "echo > up; sleep 1000"), task("1J2.1", "true", after=["1J1.1"])])
    runner = b.start()
    b.until(lambda: (b.path / "up").exists())

    def agents() -> list[int]:
        return [pid for pid, words in children(runner.pid) if "--norc" in words]

    os.kill(agents()[0], signal.SIGKILL)
    b.until(lambda: b.given)
    os.kill(agents()[0], signal.SIGKILL)
    b.closes(runner)
    assert [event.node for event in b.all_of(Sick)] == [b.all_of(Started)[0].node]
    assert sorted(b.given) == ["1J1.1", "1J2.1"] and not b.ends


def test_a_node_that_fails_what_others_do_not_fail_is_used_no_more(block):
    """Its failures are not told: they go back, and cost no job a retry."""
    b = block()
    script = "until [[ -e go.$FLOWRULES_NODES ]]; do sleep 0.02; done; [[ $FLOWRULES_NODES == n0 ]] || exit 9"
    b.folder.take([task(f"1J{n}.1", script) for n in range(8)])
    runner = b.start(FLOWRULES_NODES="n0,n1")
    b.until(lambda: len(b.all_of(Started)) == 8)
    (b.path / "go.n0").touch()
    b.until(lambda: len(b.ends) == 4)
    failing = {event.task for event in b.all_of(Started) if event.node == "n1"}
    assert len(failing) == 4
    (b.path / "go.n1").touch()
    b.until(lambda: len(b.given) == 4)
    assert set(b.given) == failing and not failing & set(b.ends)
    why = "3 jobs in a row failed there that do not fail on other nodes"
    assert b.all_of(Sick) == [Sick("n1", why)] and f"the node n1 is used no more: {why}" in b.said
    b.folder.take([task(f"1J{n}.2", script) for n in range(8)])
    b.until(lambda: len(b.ends) == 12)
    assert {end.record.host for end in b.ends.values()} == {"n0"}
    assert {end.record.status for end in b.ends.values()} == {"done"}
    b.folder.stop(0.0)
    assert b.closes(runner) == Closed(True)


def test_jobs_that_are_killed_are_no_sign_of_a_bad_node(block):
    """For want of memory, perhaps: so ends what has asked for too little, wherever it runs."""
    b = block()
    script = "until [[ -e go.$FLOWRULES_NODES ]]; do sleep 0.02; done; [[ $FLOWRULES_NODES == n0 ]] || kill -9 $$"
    b.folder.take([task(f"1J{n}.1", script) for n in range(8)])
    b.start(FLOWRULES_NODES="n0,n1")
    b.until(lambda: len(b.all_of(Started)) == 8)
    (b.path / "go.n0").touch()
    b.until(lambda: len(b.ends) == 4)
    (b.path / "go.n1").touch()
    b.until(lambda: len(b.ends) == 8)
    assert sorted(end.record.exit for end in b.ends.values()) == [-9] * 4 + [0] * 4
    assert not b.all_of(Sick) and not b.given


def test_a_job_that_fails_by_itself_is_told_though_others_of_its_rule_end_well(block):
    b = block()
    wait = "until [[ -e {} ]]; do sleep 0.02; done"
    script = f"{wait.format('well')}; [[ $FLOWRULES_ATTEMPT == 1J7.1 ]] || exit 0; {wait.format('badly')}; exit 9"
    b.folder.take([task(f"1J{n}.1", script) for n in range(8)])
    b.start(FLOWRULES_NODES="n0,n1")
    b.until(lambda: len(b.all_of(Started)) == 8)
    (b.path / "well").touch()
    b.until(lambda: len(b.ends) == 7)
    (b.path / "badly").touch()
    b.folder.take([task(f"1J{n}.1", script) for n in range(8, 16)])
    b.until(lambda: len(b.ends) == 16)
    assert b.ends["1J7.1"].record.exit == 9 and not b.all_of(Sick) and not b.given


def test_ranks_that_could_not_be_started_are_started_on_other_nodes(block):
    """As PALS fails: nodes that had part in it twice are used no more, and it costs the job no retry."""
    b = block()
    script = """
        case $FLOWRULES_NODES in *n4*) echo "n4: launch failed: Couldn't forward RPC launch(7) to child"; exit 255;; esac
        echo $FLOWRULES_NODES > out
    """
    runner = b.start(FLOWRULES_NODES="n0,n1,n2,n3,n4")
    for attempt in (1, 2, 3):
        b.folder.take([task(f"1J1.{attempt}", script, ["out"], label="mpi", need=Need(1, nodes=2))])
        b.until(lambda attempt=attempt: f"1J1.{attempt}" in b.given or f"1J1.{attempt}" in b.ends)
    assert list(b.given) == ["1J1.1", "1J1.2"] and b.ends["1J1.3"].record.status == "done"
    assert "n4" not in b.read("out")
    told = {sick.node: sick.why for sick in b.all_of(Sick)}
    assert "n4" in told and set(told.values()) == {"ranks could not be started there, again and again"}
    b.folder.stop(0.0)
    assert b.closes(runner) == Closed(True)


def test_a_task_of_several_nodes_is_told_its_hosts_and_how_to_start_ranks(block):
    b = block()
    say = 'echo "$FLOWRULES_NODES $FLOWRULES_MPIRUN" > out'
    ranks = {"FLOWRULES_RANKS_PER_NODE": "4"}
    b.folder.take(
        [
            task("1J1.1", say, ["out"], need=Need(1, nodes=2), env=ranks),
            task("1J2.1", say.replace("out", "one"), ["one"], need=Need(2)),
        ]
    )
    b.start(FLOWRULES_NODES="n0,n1")
    b.until(lambda: len(b.ends) == 2)
    assert b.read("out") == 'n0,n1 exec mpiexec -n 8 "$@"\n', "both are this machine"
    assert b.read("one").split() in (["n0"], ["n1"]), "one rank needs no launcher"


# ── what only a node knows ───────────────────────────────────────────────────────────────────────────────────────


def ends_unheard(b: Block) -> subprocess.Popen:
    """A runner that does not hear how an attempt of its ends well, and dies."""
    script = "echo x >> ran; while [[ ! -e go ]]; do sleep 0.02; done; cat in > out"
    (b.path / "in").write_text("data")
    seen = os.stat(b.path / "in")
    b.folder.take(
        [task("1J1.1", script, ["out"], inputs=[FileRecord("in", 4, seen.st_mtime_ns)], need=Need(2, gpus=1))]
    )
    runner = b.start()
    b.until(lambda: (b.path / "ran").exists())
    runner.send_signal(signal.SIGSTOP)
    (b.path / "go").touch()
    (log,) = Path(b.folder.path).glob("runs/01/node-*.log")
    b.until(lambda: "1J1.1" in log.read_text())
    runner.kill()
    runner.wait()
    return runner


def test_an_end_that_only_the_nodes_log_has_counts_for_the_next_incarnation(block):
    b = block()
    ends_unheard(b)
    b.start()
    b.until(lambda: b.ends)
    end = b.ends["1J1.1"]
    assert end.record.status == "done" and b.read("ran") == "x\n"
    assert [made.path for made in end.record.inputs] == ["in"] and end.gpus == ("0",) and end.cpus == "0-1"


def test_an_end_that_only_the_nodes_log_has_counts_for_the_driver_of_a_block_that_is_over(block):
    b = block()
    ends_unheard(b)
    b.events += b.folder.news()
    (end,) = salvage(b.folder, str(b.path))
    assert end.task == "1J1.1" and end.record.status == "done" and end.gpus == ("0",)
    assert [made.path for made in end.record.outputs] == ["out"]
    (b.path / "out").unlink()
    assert salvage(b.folder, str(b.path)) == []


# ── trouble with files ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_stopped_runner_is_waited_for_and_says_nothing_once_it_goes_on(block):
    b = block()
    b.folder.take([task("1J1.1", "echo x >> ran; sleep 1000")])
    first = b.start()
    b.until(lambda: (b.path / "ran").exists())
    first.send_signal(signal.SIGSTOP)
    b.start()
    b.until(lambda: os.path.exists(f"{b.folder.path}/runs/02/log"))
    first.send_signal(signal.SIGCONT)
    assert first.wait(PATIENCE) == 3
    b.until(lambda: b.read("ran") == "x\nx\n")
    assert [begin.incarnation for begin in b.all_of(Begin)] == [1, 2] and not b.ends and not b.given


def test_damaged_lines_of_the_inbox_are_given_back(block):
    b = block()
    b.folder.take([task("1J1.1", "true"), task("1J2.1", "true"), task("1J3.1", "true")])
    inbox = Path(b.folder.path) / "inbox.000001"
    inbox.write_bytes(inbox.read_bytes().replace(b"rule 1J2.1", b"rule 1J2,1"))
    b.start()
    b.until(lambda: len(b.ends) == 2 and b.given)
    assert list(b.given) == ["1J2.1"] and "damaged" in b.given["1J2.1"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small file system")
def test_a_full_disk_starts_nothing_and_loses_nothing(block, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", str(small)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        b = Block(small)
        hold = "touch {0}/up; while [[ ! -e {0}/go ]]; do sleep 0.02; done"
        tasks = [task("1J1.1", hold.format(tmp_path)), task("1J2.1", f"echo x > {tmp_path}/two", after=["1J1.1"])]
        tasks[0].draft.params = "x" * 20_000  # the end will not find room in the log's last page
        b.folder.take(tasks)
        with open(tmp_path / "said", "wb") as said:
            command = [sys.executable, "-m", "flowrules", "run-block", b.folder.path]
            runner = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        b.processes.append(runner)
        (small / "said").touch()
        b.until(lambda: (tmp_path / "up").exists())
        with open(small / "filler", "wb") as filler:
            os.write(filler.fileno(), b"x" * (2 << 20))  # as much as there is room for
        assert os.statvfs(small).f_bavail == 0
        (tmp_path / "go").touch()
        b.until(lambda: "nothing starts until this is mended" in (tmp_path / "said").read_text())
        assert not (tmp_path / "two").exists()
        (small / "filler").unlink()
        b.until(lambda: len(b.ends) == 2)
        assert all(end.record.status == "done" for end in b.ends.values())
        b.folder.stop()
        assert b.closes(runner) == Closed(True)
    finally:
        for process in b.processes:
            process.kill()
            process.wait()
        b.folder.close()
        subprocess.run(["umount", "-l", str(small)], check=True)
