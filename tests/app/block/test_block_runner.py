"""Parts of a runner: its nodes, its clocks, and what its scheduler makes of tasks."""

from __future__ import annotations

import os
import stat
from dataclasses import replace

import pytest

from flowrules.app.block.runner_clocks import Clocks
from flowrules.app.block.runner_desk import Back, Desk, End, Place, cluster_of
from flowrules.app.block.runner_hosts import allocated_hosts, batch_id
from flowrules.app.block.runner_nodes import Nodes
from flowrules.app.block.runner_work import Bench, Work, draft_of
from flowrules.errors import BatchError
from flowrules.model.agent import NodeLost, NodeReady
from flowrules.model.block import BlockSpec, Task, TaskEnd
from flowrules.model.events import Need, Slot
from flowrules.model.files import FileRecord
from flowrules.model.profile import GpuSlot, NodeShape
from flowrules.model.record import Record
from flowrules.record.blockfiles import Past
from flowrules.record.disk import Disk
from flowrules.record.messages import Ended
from flowrules.record.spool import BlockFolder
from flowrules.record.spool_runner import RunnerFolder

GPUS = (GpuSlot("0", (2, 3)), GpuSlot("1", (0, 1)))
SPEC = BlockSpec("c", "b001", "n", "x", "/w", 1, 3600.0, NodeShape(4, 100, GPUS, "V", (0,)), "local", idle=300.0)


def task(number: int, *after: int, **more) -> Task:
    more = {"need": Need(), **more}
    return Task(f"1J{number}.1", "", ("true",), (), Record("r", {}, []), after=[f"1J{n}.1" for n in after], **more)


def past(done=(), failed=(), given=()) -> Past:
    found = Past.empty()
    for names, status in ((done, "done"), (failed, "failed")):
        found.ended.update({name: TaskEnd(name, Record("r", {}, [], status=status)) for name in names})
    found.given.update(given)
    return found


def brief(moves) -> list[str]:
    return [
        f"{type(m).__name__.lower()} {m.task.name if isinstance(m, Place) else m.task}"
        for m in moves
        if isinstance(m, Place | Back | End)
    ]


# ── hosts ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_nodes_come_from_the_batch_system(tmp_path):
    nodefile = tmp_path / "nodes"
    nodefile.write_text("x1\nx1\nx0.site\n")
    assert allocated_hosts({"PBS_NODEFILE": str(nodefile)}, "here") == ("x1", "x0.site")
    assert allocated_hosts({"PBS_NODEFILE": str(nodefile), "FLOWRULES_NODES": "n0, n1"}, "here") == ("n0", "n1")
    assert allocated_hosts({}, "here") == ("here",)


def test_slurms_list_is_taken_apart_by_slurm(tmp_path, monkeypatch):
    scontrol = tmp_path / "scontrol"
    scontrol.write_text('#!/bin/sh\n[ "$*" = "show hostnames nid[1-2]" ] && printf "nid1\\nnid2\\n"\n')
    scontrol.chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert allocated_hosts({"SLURM_JOB_NODELIST": "nid[1-2]"}, "here") == ("nid1", "nid2")
    with pytest.raises(BatchError, match="does not say which nodes"):
        allocated_hosts({"SLURM_JOB_NODELIST": "nid[3-4]"}, "here")


def test_a_list_of_nodes_that_cannot_be_read_is_told(tmp_path):
    with pytest.raises(BatchError, match="cannot read"):
        allocated_hosts({"PBS_NODEFILE": str(tmp_path / "none")}, "here")
    (tmp_path / "empty").touch()
    with pytest.raises(BatchError, match="names no nodes"):
        allocated_hosts({"PBS_NODEFILE": str(tmp_path / "empty")}, "here")


def test_the_id_of_the_batch_job():
    assert batch_id({"PBS_JOBID": "7.pbs"}) == "7.pbs"
    assert batch_id({"SLURM_JOB_ID": "8"}) == "8"
    assert batch_id({}) == ""


# ── the desk ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_node_gives_what_is_not_reserved():
    (node,) = cluster_of(SPEC, ["n0"]).nodes
    assert (node.cpus, node.memory, node.gpus) == ((1, 2, 3), 100, ("0", "1"))
    assert node.near == ((2, 3), (1,))


def test_tasks_start_when_what_they_need_has_ended():
    desk = Desk(SPEC, ["n0"], 1000.0, past())
    assert brief(desk.take(0.0, [task(1), task(2, 1), task(3, 2)])) == ["place 1J1.1"]
    assert list(desk.waiting) == ["1J2.1", "1J3.1"]
    assert brief(desk.ended(1.0, "1J1.1", ok=True)) == ["place 1J2.1"]
    assert brief(desk.ended(2.0, "1J2.1", ok=False)) == ["back 1J3.1"]
    assert not desk.waiting
    assert brief(desk.take(3.0, [task(4, 3), task(5, 1)])) == ["back 1J4.1", "place 1J5.1"]


def test_a_task_is_taken_once():
    desk = Desk(SPEC, ["n0"], 1000.0, past(done=["1J1.1"], failed=["1J2.1"], given=["1J3.1"]))
    assert desk.take(0.0, [task(1), task(2), task(3)]) == []
    assert brief(desk.take(0.0, [task(4, 1), task(4, 1), task(5, 2), task(6, 3), task(7, 99)])) == [
        "back 1J5.1",
        "back 1J6.1",
        "back 1J7.1",
        "place 1J4.1",
    ]


def test_tasks_the_scheduler_refuses_go_back_and_spare_the_others():
    desk = Desk(SPEC, ["n0"], 1000.0, past())
    moves = desk.take(0.0, [task(1, need=Need(cores=-1)), task(2, 1), task(3), task(4, need=Need(cores=9))])
    assert sorted(brief(moves)) == ["back 1J1.1", "back 1J2.1", "back 1J4.1", "place 1J3.1"]


def test_what_the_driver_has_is_not_run():
    desk = Desk(SPEC, ["n0"], 1000.0, past())
    desk.have(["1J2.1"])
    desk.take(0.0, [task(1, need=Need(3))])
    desk.have(["1J3.1"])
    assert brief(desk.take(0.0, [task(2), task(3, need=Need(3)), task(4, 3, need=Need(3))])) == []
    desk.have(["1J3.1"])
    assert brief(desk.ended(1.0, "1J1.1", ok=True)) == ["place 1J4.1"]


def test_a_task_that_was_taken_away_goes_back_alone_and_what_needs_it_with_a_reason():
    desk = Desk(SPEC, ["n0"], 1000.0, past())
    desk.take(0.0, [task(1), task(2, 1)])
    (back,) = desk.withdrawn(1.0, "1J1.1")
    assert back == Back("1J2.1", "what it needs is not to be had in this block")


def test_cancelled_tasks_go_back_or_are_ended():
    desk = Desk(SPEC, ["n0"], 1000.0, past())
    desk.take(0.0, [task(1, need=Need(3), priority=1.0), task(2), task(3, 2)])
    assert sorted(brief(desk.cancel(1.0, ["1J1.1", "1J2.1", "1J9.1"]))) == ["back 1J2.1", "back 1J3.1", "end 1J1.1"]


def test_nothing_starts_that_cannot_end_and_a_closed_desk_hands_all_back():
    desk = Desk(SPEC, ["n0"], 100.0, past())
    found = desk.take(0.0, [task(1, expected=200.0), task(2, limit=50.0, need=Need(3)), task(3, limit=60.0)])
    assert brief(found) == ["back 1J1.1", "place 1J2.1"] or brief(found) == ["place 1J2.1", "back 1J1.1"]
    assert brief(desk.tick(41.0)) == ["back 1J3.1"]
    desk.take(42.0, [task(4), task(5, 4)])
    assert sorted(brief(desk.close(43.0))) == ["back 1J4.1", "back 1J5.1"]
    assert brief(desk.take(44.0, [task(6)])) == ["back 1J6.1"]


def test_nodes_come_and_go():
    desk = Desk(SPEC, ["n0", "n1"], 1000.0, past())
    for node in ("n0", "n1"):
        desk.node_gone(0.0, node, waited=True)
    assert desk.take(0.0, [task(1, need=Need(3)), task(2, need=Need(1, nodes=2))]) == []
    assert brief(desk.nodes_back(1.0, ["n1"])) == ["place 1J1.1"]
    desk.node_gone(2.0, "n0", waited=False)
    assert "1J2.1" not in desk.waiting


def test_a_grant_holds_at_once():
    desk = Desk(SPEC, ["n0"], 1000.0, past())
    assert desk.grant(0.0, 0, {}) == []
    assert desk.take(0.0, [task(1), task(2)]) == []
    assert brief(desk.grant(1.0, 1, {})) == ["place 1J1.1"]
    assert brief(desk.grant(1.0, None, {})) == ["place 1J2.1"]
    none = Desk(replace(SPEC, running=0), ["n0"], 1000.0, past())
    assert none.take(0.0, [task(1)]) == []


def test_tasks_wait_for_what_all_blocks_share():
    desk = Desk(replace(SPEC, tokens={"licence": 0.0}), ["n0"], 1000.0, past())
    one, two = (task(n, need=Need(custom=(("licence", 1.0), ("free", 9.0)))) for n in (1, 2))
    assert brief(desk.take(0.0, [one, two, task(3)])) == ["place 1J3.1"], "who waits for that holds nobody up"
    assert brief(desk.grant(1.0, None, {"licence": 1.0})) == ["place 1J1.1"]
    assert brief(desk.ended(2.0, "1J1.1", ok=True)) == ["place 1J2.1"]
    assert brief(desk.grant(3.0, None, {})) == []


# ── nodes ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_first_nodes_wait_for_the_others_where_a_task_needs_several(tmp_path):
    driver = BlockFolder.create(replace(SPEC, directory=str(tmp_path)), 1)
    block = RunnerFolder.begin(driver.path, "1", ["n0", "n1", "n2"])

    def nodes_of_which(*ready: str) -> Nodes:
        nodes = Nodes(block, ["n0", "n1", "n2"], 150.0)
        for node in ready:
            nodes.ready(NodeReady(node, node))
        return nodes

    nodes = nodes_of_which("n1")
    assert nodes.usable(1.0, lambda: False) == ["n1"], "no task needs several"
    assert nodes.usable(1.0, lambda: False) == [], "told once"
    nodes = nodes_of_which("n1", "n0")
    assert nodes.usable(1.0, lambda: True) == []
    nodes.ready(NodeReady("n2", "n2"))
    assert nodes.usable(2.0, lambda: True) == ["n1", "n0", "n2"], "all are there"
    nodes = nodes_of_which("n1", "n0")
    nodes.lost(NodeLost("n0", "its agent is gone", reaped=True), [], 1.0)
    assert nodes.usable(2.0, lambda: True) == [], "one of three has not answered"
    nodes.lost(NodeLost("n2", "it could not be started", reaped=True), [], 3.0)
    assert nodes.usable(3.0, lambda: True) == ["n1"], "all have answered"
    nodes = nodes_of_which("n1")
    assert nodes.usable(1.0, lambda: True) == []
    assert nodes.usable(40.0, lambda: True) == ["n1"], "they have waited long enough"
    block.close()
    driver.close()


def test_what_ran_on_a_lost_node_goes_back_when_it_is_known_to_be_dead(tmp_path):
    driver = BlockFolder.create(replace(SPEC, directory=str(tmp_path)), 1)
    block = RunnerFolder.begin(driver.path, "1", ["n0", "n1"])
    nodes = Nodes(block, ["n0", "n1"], 150.0)
    for node in nodes.names:
        nodes.ready(NodeReady(node, node, cpus=(0, 1)))
    works = [nodes.work(task(n), Slot(1, nodes=(f"n{n % 2}",), cpus=(n,)), 0.0) for n in range(5)]
    assert [work.number for work in works] == [0, 0, 1, 1, 2]
    assert [nodes.bindable(work) for work in works[:3]] == [(0,), (1,), ()], "n0 has no third core"
    for work in works[:4]:
        work.begun = 1.0
    works[2].ended = 5.0
    assert nodes.lost(NodeLost("n0", "no sign of it", reaped=False), works, 10.0), "it is tried once more"
    assert nodes.orphans == {"1J0.1"}, "others run elsewhere, had ended, or had not begun"
    assert not nodes.is_ready(works[0]) and nodes.is_ready(works[1])
    assert nodes.settled_orphans(159.0) == []
    assert nodes.settled_orphans(160.0) == [works[0]]
    assert not nodes.lost(NodeLost("n0", "again", reaped=True), works, 170.0)
    assert nodes.settled_orphans(170.0, "n0") == [works[0]] and not nodes.all_sick
    nodes.leave(works[0])
    assert nodes.work(task(9), Slot(1, nodes=("n0",)), 0.0).number == 0
    block.close()
    driver.close()


def test_a_node_that_is_given_up_does_not_come_back_and_the_last_one_stays(tmp_path):
    driver = BlockFolder.create(replace(SPEC, directory=str(tmp_path)), 1)
    block = RunnerFolder.begin(driver.path, "1", ["n0", "n1", "n2"])
    nodes = Nodes(block, ["n0", "n1", "n2"], 150.0)
    for node in nodes.names:
        nodes.ready(NodeReady(node, node))
    assert not nodes.give_up("n0", 3), "a job of three nodes needs it"
    assert nodes.give_up("n0", 2) and not nodes.give_up("n0", 2), "new only once"
    assert nodes.is_sick("n0") and not nodes.is_sick("n1")
    assert nodes.usable(1.0, lambda: False) == ["n1", "n2"]
    assert not nodes.lost(NodeLost("n0", "its agent is gone", reaped=True), [], 2.0), "its agent is not started anew"
    nodes.ready(NodeReady("n0", "n0"))
    assert nodes.usable(3.0, lambda: False) == []
    assert nodes.has_others("n0") and nodes.has_others("n1") and nodes.has_others("n1", 1)
    assert nodes.give_up("n1", 1) and not nodes.give_up("n2", 1) and not nodes.all_sick
    assert not nodes.has_others("n2") and nodes.has_others("n1")
    block.close()
    driver.close()


GPU_NODE = NodeShape(4, gpus=(GpuSlot("0", (2, 3)), GpuSlot("1", (0, 1))), gpu_variable="CUDA_VISIBLE_DEVICES")


@pytest.mark.parametrize(
    ("launcher", "nodes", "env", "wanted"),
    [
        ("ssh", ("a", "b"), {"RANKS_PER_NODE": "4"}, "exec mpiexec -n 8 -ppn 4 -hosts a,b "),
        ("ssh", ("a", "b"), {"RANKS": "3"}, "exec mpiexec -n 3 -ppn 2 -hosts a,b "),
        ("ssh", ("a", "b"), {}, "exec mpiexec -n 2 -ppn 1 -hosts a,b "),
        ("ssh", ("a",), {"RANKS": "3"}, "exec mpiexec -n 3 -ppn 3 -hosts a "),
        ("ssh", ("a",), {"RANKS": "many"}, ""),
        ("local", ("a", "b"), {"RANKS": "4"}, "exec mpiexec -n 4 "),
        (
            "srun",
            ("a", "b"),
            {"RANKS_PER_NODE": "2"},
            "--ntasks=4 --ntasks-per-node=2 --cpus-per-task=1 --cpu-bind=cores ",
        ),
        ("srun", ("a",), {"RANKS": "2"}, " flowrules-rank CUDA_VISIBLE_DEVICES 2 0,1 0-1 0,1 2-3 "),
        (
            "ssh",
            ("a", "b"),
            {"RANKS": "4", "GPUS_PER_RANK": "1"},
            " flowrules-rank CUDA_VISIBLE_DEVICES 2 0 2-3 1 0-1 ",
        ),
        (
            "local",
            ("a", "b"),
            {"RANKS": "4", "GPUS_PER_RANK": "0.5", "THREADS_PER_RANK": "1"},
            " flowrules-rank CUDA_VISIBLE_DEVICES 2 0 2 0 3 ",
        ),
    ],
)
def test_a_task_is_told_how_to_start_its_ranks(monkeypatch, launcher, nodes, env, wanted):
    monkeypatch.setenv("PATH", "/nonexistent")  # as where no `mpiexec` says whose it is
    need = Need(4, nodes=len(nodes) - 1 and 2)
    made = task(1, env={f"FLOWRULES_{name}": value for name, value in env.items()}, need=need)
    slot = Slot(4, ("0", "1"), nodes=nodes, cpus=(0, 1, 2, 3))
    bench = Bench(replace(SPEC, launcher=launcher, node=GPU_NODE), Disk("."))
    work = Work(made, slot, nodes[0], 0, draft_of(made, slot, nodes[0]), 0.0)
    text = bench.environment(work)["FLOWRULES_MPIRUN"]
    assert wanted in text if wanted else text == ""


# ── clocks ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_files_of_other_blocks_are_waited_for_as_they_were_left():
    known, left = FileRecord("source", 1, 1, ""), FileRecord("other", 7, 9, "d1gest")
    before = TaskEnd("1J1.1", Record("r", {}, [left]))
    bench = Bench(SPEC, Disk("."), before=[before])
    asked = bench.expecting(task(2, 1, inputs=[known], made=["mine", "other"]))
    assert (asked.inputs, asked.made) == ([known, left], ["mine"])
    own = task(3, 2, made=["mine"])
    assert bench.expecting(own) is own


def test_ends_of_blocks_before_are_those_that_count(tmp_path):
    first = BlockFolder.create(replace(SPEC, directory=str(tmp_path)), 1)
    runner = RunnerFolder.begin(first.path, "1", ["here"])
    for number, status in ((1, "done"), (2, "failed")):
        runner.write(Ended(TaskEnd(f"1J{number}.1", Record("r", {}, [], status=status))))
    runner.sync()
    spec = replace(SPEC, directory=str(tmp_path), block="b002", after=("b001", "b007"))
    second = BlockFolder.create(spec, 1)
    later = RunnerFolder.begin(second.path, "2", ["here"])
    assert list(later.ends_before()) == ["1J1.1"]
    for file in (first, second, runner, later):
        file.close()


def test_a_block_ends_a_minute_before_its_walltime_or_a_tenth_of_a_short_one():
    assert Clocks(SPEC, 10.0).ends_at == 10.0 + 3600.0 - 60.0
    short = BlockSpec("c", "b", "n", "x", "/w", 1, 100.0, NodeShape(1), "local")
    assert Clocks(short, 0.0).ends_at == 90.0


def test_the_inbox_is_read_often_while_something_comes():
    clocks = Clocks(SPEC, 0.0)
    waits = []
    now = 0.0
    for found in (True, False, False, False, False, False, True):
        assert clocks.must_read(now)
        clocks.has_read(now, found=found)
        waits.append(clocks.patience(now, busy=False, reads=True))
        assert not clocks.must_read(now + waits[-1] * 0.9)
        now += waits[-1]
    assert waits[0] == pytest.approx(0.2) and waits[5] == pytest.approx(1.0) and waits[6] == pytest.approx(0.2)


def test_a_block_is_idle_from_when_it_last_had_work():
    clocks = Clocks(SPEC, 0.0)
    assert not clocks.reason_to_end(299.0)
    clocks.works(299.0)
    assert not clocks.reason_to_end(598.0)
    assert clocks.reason_to_end(600.0) == "there was no work for 300s"
    clocks.works(3600.0)
    assert clocks.reason_to_end(3600.0) == "its walltime is over"


def test_trouble_with_files_is_told_once_and_waited_for():
    clocks = Clocks(SPEC, 0.0)
    assert clocks.stuck(10.0) and not clocks.stuck(15.0)
    assert clocks.patience(15.0, busy=True, reads=True) == 5.0
    clocks.stuck_until = 0.0
    assert clocks.stuck(30.0)
