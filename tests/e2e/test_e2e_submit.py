"""`--submit`: blocks that wait for each other, without a driver; the next run collects them and does the rest."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest
from box import Box

FLOWFILE = """\
    rule all:
        input: "table.txt"
    rule first:
        output: "first/{n}.txt"
        resources: gpus=1, walltime=3min
        shell: "echo first {wildcards.n} >> ran; [ {wildcards.n} != 2 ] || [ -e allowed ]; echo {wildcards.n} > {output}"
    rule second:
        input: "first/{n}.txt"
        output: "second/{n}.txt"
        resources: gpus=1, walltime=3min
        shell: "echo second {wildcards.n} >> ran; cat {input} > {output}"
    rule table:
        input: expand("second/{n}.txt", n=range(4))
        output: "table.txt"
        local: true
        shell: "cat {input} > {output}"
"""

# a block of five minutes has no room for two jobs of three, one after the other: there are two waves
CALL = ("--profile", "polaris", "--sandbox", "--set", "worker_init=null", "--set", "queues.debug.jobs_per_user=9")
SMALL = ("--set", "blocks.nodes=1", "--set", "blocks.walltime=5min")

pytestmark = pytest.mark.slow


def finished(box: Box) -> list[dict]:
    """The blocks, once all of them have ended by themselves."""
    for _ in range(1200):
        blocks = json.loads(box.ok("status", "--format", "json"))["blocks"]
        if all(block["state"] in ("closed", "over") for block in blocks):
            return blocks
        time.sleep(0.05)
    raise AssertionError(blocks)


def ran(box: Box) -> list[str]:
    return sorted(box.read("ran").splitlines())


EACH = sorted(f"{rule} {n}" for rule in ("first", "second") for n in range(4))


def test_all_that_can_is_done_without_a_driver(tmp_path: Path) -> None:
    box = Box(tmp_path, FLOWFILE, {"allowed": ""})
    said = box.ok(*CALL, *SMALL, "--submit")
    assert "8 jobs handed to 2 blocks; nobody drives: `flowrules --profile polaris --sandbox` collects" in said
    assert "left to that run: 1 job beside a driver (`local: true`)" in said
    assert re.search(r"submitted in .*: 8 jobs, 1 left to the next run\n$", said)
    assert "#PBS -W depend=afterany:1.sandbox\n" in box.read(".flowrules/blocks/b002/job.sh")
    assert "blocks of profile `polaris` (pbs, emulated) may still run" in box.run(*CALL, "--submit").stderr
    assert [block["ended"] for block in finished(box)] == [4, 4]
    assert ran(box) == EACH
    said = box.ok(*CALL)
    assert "found 2 blocks of an earlier run: 8 jobs ended there, 0 still held" in said
    assert box.read("table.txt") == "0\n1\n2\n3\n"
    assert ran(box) == EACH
    inputs = {attempt["wildcards"]["n"]: attempt["inputs"] for attempt in box.history("second")}
    assert inputs == {str(n): [f"first/{n}.txt"] for n in range(4)}
    assert box.todo() == {}


def test_what_needs_a_job_that_failed_is_given_back_and_done_later(tmp_path: Path) -> None:
    box = Box(tmp_path, FLOWFILE)
    box.ok(*CALL, *SMALL, "--submit")
    blocks = finished(box)
    assert [(block["ended"], block["back"]) for block in blocks] == [(4, 0), (3, 1)]
    assert ran(box) == [job for job in EACH if job != "second 2"]
    box.write("allowed", "")
    box.ok(*CALL)
    assert ran(box) == sorted([*EACH, "first 2"])
    assert box.read("table.txt") == "0\n1\n2\n3\n"


def test_jobs_nobody_can_hand_over_are_left(tmp_path: Path) -> None:
    box = Box(
        tmp_path,
        """\
        rule all:
            input: "end.txt"
        rule begin:
            output: "begin.txt"
            shell: "echo 3 > {output}"
        rule end:
            input: "begin.txt"
            output: "end.txt"
            params: n=lines(input[0])
            shell: "echo {params.n} > {output}"
        """,
    )
    said = box.ok(*CALL, "--submit")
    assert "1 job handed to 1 block; nobody drives" in said
    assert "left to that run: 1 job whose texts need files that are not there yet" in said
    finished(box)
    box.ok(*CALL)
    assert box.read("end.txt") == "3\n"


def test_a_queue_that_is_full_leaves_the_rest(tmp_path: Path) -> None:
    box = Box(tmp_path, FLOWFILE, {"allowed": ""})
    one = ("--profile", "pbs", "--sandbox", "--set", "worker_init=null", "--set", "node.gpus.env=G")
    one += ("--set", 'node.gpus.slots=[{id: "0"}, {id: "1"}, {id: "2"}, {id: "3"}]', "--set", "queue=one")
    one += ("--set", "queues.one.jobs_per_user=1")
    said = box.ok(*one, *SMALL, "--submit")
    assert "4 jobs handed to 1 block" in said
    finished(box)
    box.ok(*one, *SMALL)
    assert ran(box) == EACH
    assert box.read("table.txt") == "0\n1\n2\n3\n"
