"""Seven jobs of different lengths and numbers of nodes in one batch job of three: nodes are refilled as they come free.

The picture is that of "Asynchronous Node Packing in Balsam". No job ends by the clock: each waits until it has seen
what the prediction says happens before its end, so that a runner which works jobs off in waves would never get through.
"""

from __future__ import annotations

import msgspec
from box import Box

from flowrules.model.events import Need, SchedJob
from flowrules.model.packing import Span
from flowrules.model.profile import BlockShape, NodeShape
from flowrules.schedule.packing import pack

JOBS = {"a": (2, 30), "b": (1, 18), "c": (1, 24), "d": (3, 12), "e": (1, 6), "f": (2, 15), "g": (1, 36)}
"""Nodes and declared minutes of each, a walltime that none comes near to."""

FLOWFILE = """
    let JOBS = config.jobs

    config "jobs.json"

    rule all:
        input: expand("out/{job}", job=JOBS.keys())

    rule run:
        output: "out/{job}"
        resources: nodes=JOBS[wildcards.job][0], walltime=JOBS[wildcards.job][1] * 1min
        shell: '''
            touch seen/{job}.started
            for event in $(cat before/{job}); do
                until [[ -e seen/$event ]]; do sleep 0.02; done
            done
            echo $FLOWRULES_NODES > {output}
            sleep 1  # those it waited for have said that they end, and are now seen to have ended
            touch seen/{job}.ended
        '''
"""

PROFILE = """
scheduler: pbs
launcher: ssh
node: {cpus: 2}
blocks: {nodes: 3, walltime: 10h, max: 1}
"""


def predicted() -> dict[str, Span]:
    """When each job starts and ends, in expected seconds."""
    names = list(JOBS)
    jobs = [SchedJob(n, need=Need(nodes=JOBS[name][0]), expected=60.0 * JOBS[name][1]) for n, name in enumerate(names)]
    (block,) = pack(jobs, NodeShape(2), BlockShape(3, 36000.0)).blocks
    return {names[span.job]: span for span in block.spans}


def seen(box: Box, job: str) -> int:
    """When a job had done all it does."""
    return (box.path / f"seen/{job}.ended").stat().st_mtime_ns


def test_nodes_are_refilled_as_they_come_free_in_the_predicted_order(tmp_path):
    plan = predicted()
    assert len({span.end for span in plan.values()}) == len(JOBS), "each end is an event of its own"
    files = {
        "jobs.json": msgspec.json.encode({"jobs": JOBS}).decode(),
        "profile/profile.yaml": PROFILE,
        "seen/.keep": "",
    }
    for name, mine in plan.items():
        starts = [f"{other}.started" for other, span in plan.items() if span.start < mine.end]
        ends = [f"{other}.ended" for other, span in plan.items() if span.end < mine.end]
        files[f"before/{name}"] = " ".join([*starts, *ends])
    box = Box(tmp_path, FLOWFILE, files)

    shown = msgspec.json.decode(box.ok("-n", "--profile", "./profile", "--sandbox", "--format", "json"))
    assert shown["packing"]["makespan"] == max(span.end for span in plan.values()), "the dry run predicts the same"
    box.ok("--profile", "./profile", "--sandbox")

    record = {each["wildcards"]["job"]: each for each in box.history()}
    assert record.keys() == JOBS.keys() and {each["status"] for each in record.values()} == {"done"}
    for name, mine in plan.items():
        for other, span in plan.items():
            if span.start < mine.start:
                assert record[other]["started"] <= record[name]["started"], f"{other} starts before {name}"
            if (
                span.end < mine.end
            ):  # by what jobs do last: a shell may take longer to end than the next job's last step
                assert seen(box, other) <= seen(box, name), f"{other} ends before {name}"
    nodes = {name: set(box.read(f"out/{name}").strip().split(",")) for name in JOBS}
    assert {name: len(nodes[name]) for name in JOBS} == {name: count for name, (count, _) in JOBS.items()}
    assert set.union(*nodes.values()) == {"node1", "node2", "node3"}
    refilled = 0
    for name, mine in record.items():
        for other, its in record.items():
            if name != other and mine["started"] < its["ended"] and its["started"] < mine["ended"]:
                assert not nodes[name] & nodes[other], f"{name} and {other} ran at once"
        running = [each for each in record.values() if each["started"] < mine["started"] < each["ended"]]
        ended = [each for each in record.values() if each["ended"] <= mine["started"]]
        refilled += bool(running and ended)
    assert refilled >= 3, "jobs start where others ended, while others still run"
