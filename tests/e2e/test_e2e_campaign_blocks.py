"""Blocks that are not taken, do not start, are ended from outside, or lose processes: all is made, nothing hangs."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import pytest
from campaign_box import MACHINE, Campaign

from flowrules.execute.batch.sandbox_folder import SandboxFolder

# ── submission ───────────────────────────────────────────────────────────────────────────────────────────────────

PAIR = """
rule all:
    input: "b"
rule a:
    output: "a"
    shell: "echo a >> ledger; echo > {output}"
rule b:
    input: "a"
    output: "b"
    shell: "echo b >> ledger; cp {input} {output}"
"""


def with_fault(box: Campaign, fault: str) -> Campaign:
    """The same, on a sandbox with a fault."""
    script = str(Path(__file__).with_name("faulty_sandbox.py"))
    box.command = lambda *args: [sys.executable, script, fault, *args]
    return box


@pytest.mark.parametrize(
    "fault, submissions", [("fails_three_times", 4), ("is_full_twice", 3), ("loses_the_answer", 1), ("is_silent", 1)]
)
def test_a_submission_that_goes_wrong_is_made_once_in_the_end(campaign, fault: str, submissions: int) -> None:
    box = with_fault(campaign(PAIR), fault)
    box.campaign("-j", "4")
    assert box.read("ledger") == "a\nb\n"
    assert len(box.read("submissions").splitlines()) == submissions
    assert len(os.listdir(box.path / ".flowrules/sandbox/jobs")) == 1
    box.alone()


@pytest.mark.parametrize(
    "fault, words",
    [
        ("refuses", "block b001 was not taken: your account has expired"),
        ("fails_for_ever", "could not be submitted in 5 tries: the server is down"),
        pytest.param("forgets", "block b003 has vanished", marks=pytest.mark.slow),
        ("breaks_scripts", "its script ended with status 5"),
    ],
)
def test_without_blocks_the_campaign_ends_and_says_why(campaign, fault: str, words: str) -> None:
    box = with_fault(campaign(PAIR), fault)
    said = box.campaign("-j", "4", status=1)
    assert words in said and "2 not run" in said
    assert not box.exists("ledger") and not box.history()
    assert len(box.blocks) == (3 if fault in ("forgets", "breaks_scripts") else 1)
    box.alone()


QUEUES = MACHINE + "queues: {first: {walltime: 30min}, second: {walltime: 1h}}\n"
"""Of the first no block is stopped, and it is the one waited for least."""


@pytest.mark.parametrize(
    ("fault", "queue", "words"),
    [
        ("none", "first", ""),
        (
            "is_stopped",
            "second",
            "the queue `first` is stopped: what is submitted to it does not start before that changes",
        ),
        ("hangs_about_queues", "first", "`sleep` did not answer within 0.5s: queues are taken as the profile says"),
    ],
)
def test_a_block_goes_to_a_queue_that_takes_it_today(campaign, fault: str, queue: str, words: str) -> None:
    box = with_fault(campaign(PAIR, machine=QUEUES), fault)
    said = box.campaign("-j", "4")
    assert words in said and f"for 1min in queue {queue}" in said
    box.alone()


@pytest.mark.parametrize("submit", [(), ("--submit",)])
def test_where_no_queue_takes_anything_nothing_is_submitted(campaign, submit: tuple[str, ...]) -> None:
    box = with_fault(campaign(PAIR, machine=QUEUES), "is_shut")
    said = box.campaign("-j", "4", *submit, status=1)
    assert (
        "no batch job can be submitted: `first` takes no batch jobs today; `second` takes no batch jobs today" in said
    )
    assert not box.exists("submissions") and box.blocks == []
    box.alone()


def test_a_block_that_waits_is_taken_out_of_its_queue(campaign) -> None:
    box = with_fault(campaign(PAIR), "never_starts")
    driver = box.driver("-j", "4")
    box.until(lambda: "submitted as 100.queued" in box.read("said"))
    driver.send_signal(signal.SIGINT)
    box.until(lambda: "leaving in" in box.read("said"))
    driver.send_signal(signal.SIGINT)
    assert driver.wait(30) == 130
    assert "cancelled 100.queued" in box.read("submissions")
    box.alone()


def test_who_interrupts_three_times_does_not_wait_for_a_batch_system(campaign) -> None:
    box = with_fault(campaign(PAIR), "is_deaf")
    driver = box.driver("-j", "4")
    box.until(lambda: "submitted as 100.queued" in box.read("said"))
    for words in ("leaving in", "cancelling all blocks", ""):
        driver.send_signal(signal.SIGINT)
        box.until(lambda words=words: words in box.read("said"))
    assert driver.wait(30) == 130


def test_who_interrupts_while_a_command_hangs_is_heard(campaign) -> None:
    """What `qsub` would have said is not known then: the next driver asks for the name of the block."""
    machine = MACHINE.replace("launcher: ssh", "launcher: local").replace("walltime: 20min", "walltime: 5min")
    hangs = "#!/bin/sh\necho ${0##*/} >> asked\nexec sleep 1000\n"
    box = campaign(PAIR, {"bin/qsub": hangs, "bin/qselect": hangs}, machine=machine)
    for command in ("qsub", "qselect"):
        (box.path / "bin" / command).chmod(0o755)
    box.batch = lambda *args: ("--profile", "./machine", *args)
    driver = box.driver("-j", "4", env={**os.environ, "PATH": f"{box.path}/bin:{os.environ['PATH']}"})
    box.until(lambda: box.exists("asked"))
    driver.send_signal(signal.SIGINT)
    box.until(lambda: "leaving in" in box.read("said"))
    assert driver.wait(60) == 130
    assert box.blocks == ["b001"] and not box.exists(".flowrules/blocks/b001/submitted")
    assert box.read("asked").count("qsub") == 1
    box.alone()


# `between` runs beside the driver: nothing gets from `first` to `last` without it
THROUGH = """
let N = [f"{n}" for n in range(8)]
rule all:
    input: expand("last/{n}", n=N)
rule first:
    output: "first/{n}"
    resources: gpus=1, walltime=1min
    shell: "echo {n} > {output}"
rule between:
    input: "first/{n}"
    output: "between/{n}"
    local: true
    shell: "cp {input} {output}"
rule last:
    input: "between/{n}"
    output: "last/{n}"
    shell: "cp {input} {output}"
"""


def test_while_a_submission_hangs_other_blocks_are_collected_and_fed(campaign) -> None:
    box = with_fault(campaign(THROUGH), "hangs_at_the_second")
    driver = box.driver("-j", "8")
    box.until(lambda: "] last n=" in box.read("said"), "no job went from block to driver and back")
    assert box.blocks == ["b001", "b002"] and len(box.read("submissions").splitlines()) == 1
    driver.send_signal(signal.SIGTERM)
    assert driver.wait(60) == 130
    box.command = Campaign.command.__get__(box)
    box.campaign("-j", "8")
    assert box.made_twice() == []
    box.alone()


def test_while_a_status_query_hangs_a_campaign_comes_to_its_end(campaign) -> None:
    box = with_fault(campaign(THROUGH), "hangs_when_asked")
    box.campaign("-j", "8", "--set", "blocks.max=1")
    assert box.exists("asked") and len(box.ran()) == 3
    box.alone()


# ── ended from outside ───────────────────────────────────────────────────────────────────────────────────────────

HOLD = """
let N = [f"{n}" for n in range(6)]
rule all:
    input: "total"
rule quick:
    output: "quick/{n}"
    shell: "echo quick {n} >> ledger; echo {n} > {output}"
rule slow:
    input: "quick/{n}"
    output: "slow/{n}"
    shell: "echo slow {n} >> ledger; until [[ -e go ]]; do sleep 0.05; done; cp {input} {output}"
rule total:
    input: expand("slow/{n}", n=N)
    output: "total"
    shell: "cat {input} > {output}"
"""


def held(box: Campaign, *args: str):
    """A driver whose block has ended all quick jobs and runs all slow ones."""
    driver = box.driver("-j", "8", *args)
    box.until(lambda: box.exists("ledger") and box.read("ledger").count("\n") == 12)
    box.until(lambda: box.read("said").count("] quick n=") == 6)
    return driver


def ends_well(box: Campaign, driver, again: int = 6) -> None:
    """All is made, and of what ran only the slow jobs ran again."""
    assert driver.wait(90) == 0, box.read("said")
    assert box.read("total") == "".join(f"{n}\n" for n in range(6))
    ran = box.read("ledger").splitlines()
    assert sum(line.startswith("quick") for line in ran) == 6
    assert sum(line.startswith("slow") for line in ran) == 6 + again
    assert box.made_twice() == []
    assert "retr" not in box.read("said") and "again:" not in box.read("said")
    box.alone()


def test_a_block_that_is_deleted_goes_on_in_the_next(campaign) -> None:
    box = campaign(HOLD)
    driver = held(box)
    SandboxFolder(str(box.path / ".flowrules/sandbox")).put(1, "cancel", "")
    box.until(lambda: "block b002 runs" in box.read("said"))
    box.write("go", "")
    ends_well(box, driver)
    assert "it got SIGTERM" in box.read("said")


@pytest.mark.slow
def test_at_the_walltime_the_next_block_goes_on(campaign) -> None:
    box = campaign(HOLD)
    driver = held(box, "--set", "blocks.walltime=10s")
    box.until(lambda: "block b002 runs" in box.read("said"))
    box.write("go", "")
    ends_well(box, driver)
    assert "block b001 ends: " in box.read("said"), "by its own clock, or asked to by the batch system"


@pytest.mark.slow
def test_a_job_that_blocks_cut_off_again_and_again_has_failed(campaign) -> None:
    box = campaign(
        """
        rule all:
            input: "out"
        rule long:
            output: "out"
            shell: "echo begun; echo begun >> ledger; sleep 1000"
        """
    )
    said = box.campaign("-j", "4", "--set", "blocks.walltime=12s", status=1)
    words = "it was cut off 2 times, after more than half of a block's walltime: it needs longer blocks"
    assert f"failed: long: killed by SIGTERM, {words}" in said and "| begun" in said, said
    (record,) = box.history("--failed")
    assert (record["rule"], record["status"], record["error"]) == ("long", "failed", words)
    assert 4 <= record["ended"] - record["started"] < 60 and record["host"] == "node1"
    assert box.read("ledger") == "begun\nbegun\n" and box.blocks == ["b001", "b002"]
    box.alone()


def test_a_killed_runner(campaign) -> None:
    box = campaign(HOLD)
    driver = held(box)
    os.kill(runner_of(box), signal.SIGKILL)
    box.until(lambda: "block b002 runs" in box.read("said"))
    box.write("go", "")
    ends_well(box, driver)
    assert "block b001 ended without a word" in box.read("said")


def test_ends_that_a_killed_runner_had_not_heard_of_count(campaign) -> None:
    box = campaign(HOLD)
    driver = held(box)
    runner = runner_of(box)
    os.kill(runner, signal.SIGSTOP)
    box.write("go", "")
    box.until(lambda: box.read(".flowrules/blocks/b001/runs/01/node-node1.log").count(" end ") == 12)
    os.kill(runner, signal.SIGKILL)
    ends_well(box, driver, again=0)
    assert box.blocks == ["b001", "b002"]


def test_a_killed_agent(campaign) -> None:
    box = campaign(HOLD)
    driver = held(box)
    agents = [pid for pid in box.processes("flowrules-agent") if parent(pid) == runner_of(box)]
    os.kill(agents[0], signal.SIGKILL)
    box.until(lambda: box.read("ledger").count("slow") == 12)
    box.write("go", "")
    ends_well(box, driver)
    assert box.blocks == ["b001"]


def test_a_killed_job_failed(campaign) -> None:
    box = campaign(HOLD)
    driver = held(box)
    victim = next(pid for pid in box.processes("until [[ -e go ]]") if "quick/3" in command(pid))
    os.kill(victim, signal.SIGKILL)
    box.until(lambda: "failed: slow n=3" in box.read("said"))
    box.write("go", "")
    assert driver.wait(60) == 1
    statuses = {r["wildcards"].get("n"): r["status"] for r in box.history() if r["rule"] == "slow"}
    assert statuses == {n: "failed" if n == "3" else "done" for n in "012345"}, "what ran was let run"
    box.alone()


def test_a_killed_server_of_the_sandbox(campaign) -> None:
    box = campaign(HOLD)
    driver = held(box)
    (server,) = [pid for pid in box.processes("sandbox_server") if parent(pid) == 1]
    os.kill(server, signal.SIGKILL)
    box.write("go", "")
    ends_well(box, driver, again=0)
    assert box.blocks == ["b001"]


def runner_of(box: Campaign) -> int:
    """The process that works the first block off."""
    return int(json.loads(box.read(".flowrules/blocks/b001/runs/01/owner").splitlines()[0])["pid"])


def parent(pid: int) -> int:
    """Who started a process."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def command(pid: int) -> str:
    """What a process runs."""
    return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
