"""The driver of a campaign dies, is asked to end, or meets what an earlier one left; blocks go on meanwhile."""

from __future__ import annotations

import random
import signal
import time

import pytest
from campaign_box import MACHINE, most_at_once

KILLS = 10

LAYERS = """
let N = [f"{n}" for n in range(60)]
rule all:
    input: "total"
rule first:
    output: "first/{n}"
    resources: gpus=0.5
    shell: "sleep 0.1; echo {n} > {output}"
rule second:
    input: "first/{n}"
    output: temp("second/{n}")
    shell: "sleep 0.05; cat {input} {input} > {output}"
rule third:
    input: "second/{n}"
    output: "third/{n}"
    shell: "sleep 0.1; cat {input} {input} > {output}"
rule total:
    input: expand("third/{n}", n=N)
    output: "total"
    shell: "cat {input} > {output}"
"""


@pytest.mark.slow
def test_ten_kills_and_a_plain_rerun_after_each(campaign) -> None:
    calm = campaign(LAYERS, folder="calm")
    calm.campaign("-j", "8")
    box = campaign(LAYERS, folder="box")
    seed = random.randrange(10**6)
    rng = random.Random(seed)
    for _ in range(KILLS):
        driver = box.driver("-j", rng.choice(["6", "12"]), "--set", "blocks.max=3")
        time.sleep(rng.uniform(0.2, 1.5))
        driver.kill()
        driver.wait()
    said = box.campaign("-j", "12", "--set", "blocks.max=3")
    assert most_at_once(box.history()) <= 12, f"seed {seed}"
    assert box.tree() == calm.tree(), f"seed {seed}\n{said}"
    assert box.made_twice() == [], f"seed {seed}: a finished job ran again"
    assert box.ran() == calm.ran(), f"seed {seed}: no job was lost, none ran in vain"
    assert box.todo(*box.batch()) == {}
    box.alone()


# ── asked to end ─────────────────────────────────────────────────────────────────────────────────────────────────

WAITING = """
rule all:
    input: "b", "c"
rule a:
    output: "a"
    shell: "echo begun >> ledger; touch up; while [[ ! -e go ]]; do sleep 0.05; done; echo > {output}"
rule b:
    input: "a"
    output: "b"
    shell: "echo b >> ledger; cp {input} {output}"
rule c:
    output: "c"
    shell: "echo > {output}"
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_driver_leaves_and_the_next_collects(campaign, number: signal.Signals) -> None:
    box = campaign(WAITING)
    driver = box.driver("-j", "4")
    box.until(lambda: box.exists("up") and box.exists("c"))
    driver.send_signal(number)
    assert driver.wait(120) == 130
    box.write("go", "")
    box.until(lambda: box.exists("b"), "the block did not go on")
    said = box.campaign("-j", "4")
    assert "found block b001 of an earlier run" in said
    assert box.read("ledger") == "begun\nb\n"
    assert box.ran() == {"a": 1, "b": 1, "c": 1} and box.blocks == ["b001"]
    box.alone()


def test_one_interrupt_leaves_after_a_while(campaign) -> None:
    box = campaign(WAITING)
    driver = box.driver("-j", "4")
    box.until(lambda: box.exists("up"))
    driver.send_signal(signal.SIGINT)
    assert driver.wait(120) == 130
    assert "1 block will go on" in box.read("said")
    refused = box.run("-j", "4")
    assert refused.returncode == 2, "jobs that the block may run are not run here"
    assert "blocks of profile `./machine` (pbs, emulated) may still run jobs here: b001 (batch job" in refused.stderr
    assert "--profile ./machine --sandbox" in refused.stderr
    box.write("go", "")
    box.campaign("-j", "4")
    assert box.read("ledger") == "begun\nb\n"
    assert box.todo() == {}
    box.ok("-j", "4")


def test_two_interrupts_cancel(campaign) -> None:
    box = campaign(WAITING)
    driver = box.driver("-j", "4")
    box.until(lambda: box.exists("up") and "c 0." in box.read("said"))
    driver.send_signal(signal.SIGINT)
    box.until(lambda: "leaving in" in box.read("said"))
    driver.send_signal(signal.SIGINT)
    assert driver.wait(60) == 130
    box.alone()
    assert not box.exists("a") and not box.exists("b")
    assert {record["rule"]: record["status"] for record in box.history()} == {"c": "done", "a": "killed"}
    box.write("go", "")
    box.campaign("-j", "4")
    assert box.read("ledger") == "begun\nbegun\nb\n"


def test_after_a_failure_no_block_starts_a_further_job_even_without_a_driver(campaign) -> None:
    box = campaign(
        """
        rule all:
            input: "bad", "after"
        rule bad:
            output: "bad"
            threads: 8
            resources: walltime=10min
            shell: "touch up1; until [[ -e go1 ]]; do sleep 0.05; done; exit 3"
        rule hold:
            output: "hold"
            threads: 8
            resources: walltime=5min
            shell: "touch up2; until [[ -e go2 ]]; do sleep 0.05; done; touch {output}"
        rule after:
            input: "hold"
            output: "after"
            threads: 8
            shell: "echo after >> ledger; touch {output}"
        """,
    )
    driver = box.driver("-j", "4")
    box.until(lambda: box.exists("up1") and box.exists("up2"))
    assert box.blocks == ["b001", "b002"]
    driver.kill()
    driver.wait()
    box.write("go1", "")
    for block in box.blocks:
        log = box.path / f".flowrules/blocks/{block}/runs/01/log"
        box.until(lambda log=log: "\tclosing\t" in log.read_text(), "a block was not told")
    box.write("go2", "")
    box.until(lambda: box.exists("hold"))
    box.campaign("-k", "-j", "4", "--omit-from", "bad", status=0)
    assert box.read("ledger") == "after\n" and len(box.blocks) == 3, "what ran went on, and nothing began after it"
    assert box.ran() == {"bad": 1, "hold": 1, "after": 1}
    assert not list(box.path.glob(".flowrules/failed.*"))
    box.alone()


def test_a_driver_that_keeps_going_decides_for_what_an_earlier_one_handed_over(campaign) -> None:
    box = campaign(
        """
        rule all:
            input: "bad", "after"
        rule bad:
            output: "bad"
            threads: 4
            shell: "touch up1; until [[ -e go1 ]]; do sleep 0.05; done; exit 3"
        rule hold:
            output: "hold"
            threads: 4
            shell: "touch up2; until [[ -e go2 ]]; do sleep 0.05; done; touch {output}"
        rule after:
            input: "hold"
            output: "after"
            shell: "touch {output}"
        """,
    )
    driver = box.driver("-j", "4")
    box.until(lambda: box.exists("up1") and box.exists("up2"))
    driver.kill()
    driver.wait()
    driver = box.driver("-j", "4", "-k")
    log = box.path / ".flowrules/blocks/b001/runs/01/log"
    box.until(lambda: log.read_text().count("\taccept\t") == 1, "the block does not know its new driver")
    box.write("go1", "")
    box.until(lambda: "failed: bad" in box.read("said"))
    box.write("go2", "")
    assert driver.wait(60) == 1
    assert box.exists("after") and box.blocks == ["b001"]
    box.alone()


# ── what changed meanwhile ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("old, new", [('word="old"', 'word="new"'), ("rule make:", "rule renamed:")])
def test_a_task_that_is_another_today_is_cancelled_before_it_runs_anew(campaign, old: str, new: str) -> None:
    box = campaign(
        """
        rule all:
            input: "out"
        rule make:
            output: "out"
            params: word="old"
            shell:
                '''
                stop() { sleep 0.3; echo end >> ledger; exit 1; }; trap stop TERM
                echo begin >> ledger
                while [[ ! -e go ]]; do sleep 0.05; done
                echo {params.word} > {output}
                echo end >> ledger
                '''
        """,
    )
    driver = box.driver("-j", "4")
    box.until(lambda: box.exists("ledger"))
    driver.kill()
    driver.wait()
    box.write("Flowfile", box.read("Flowfile").replace(old, new))
    driver = box.driver("-j", "4")
    box.until(lambda: box.read("ledger").count("begin") == 2)
    box.write("go", "")
    assert driver.wait(60) == 0, box.read("said")
    assert box.read("ledger") == "begin\nend\nbegin\nend\n"
    assert box.read("out") == ("new\n" if "word" in new else "old\n")
    assert box.todo(*box.batch()) == {}
    box.alone()


def test_blocks_of_another_profile_are_not_gone_on_with_before_they_have_closed(campaign) -> None:
    box = campaign(WAITING)
    box.write("other/profile.yaml", MACHINE.replace("cpus: 8", "cpus: 9"))
    driver = box.driver("-j", "4", "--set", "blocks.idle=1s")
    box.until(lambda: box.exists("up") and box.exists("c"))
    driver.kill()
    driver.wait()
    other = ("--profile", "./other", "--sandbox", "-j", "4")
    refused = box.run(*other)
    assert refused.returncode == 2
    assert "and this run is for profile `./other` (pbs, emulated): b001 (batch job `1.sandbox`)" in refused.stderr
    assert box.read("ledger") == "begun\n"
    box.write("go", "")
    box.until(lambda: "\tclosed\t" in (box.path / ".flowrules/blocks/b001/runs/01/log").read_text())
    said = box.ok(*other)
    assert "found block b001 of an earlier run" in said
    assert box.read("ledger") == "begun\nb\n", "what ended there is not run again"
    box.alone()


def test_blocks_of_a_profile_that_has_changed_are_used_as_they_are(campaign) -> None:
    box = campaign(WAITING)
    driver = box.driver("-j", "4")
    box.until(lambda: box.exists("up") and box.exists("c"))
    driver.kill()
    driver.wait()
    box.write("machine/profile.yaml", "scheduler: pbs\nlauncher: local\nnode: {cpus: 4}\nblocks: {nodes: 1}\n")
    box.write("go", "")
    box.campaign("-j", "4", "--set", "blocks.walltime=30min")
    assert box.blocks == ["b001"] and box.read("ledger") == "begun\nb\n"
    box.alone()


def test_a_broken_flowfile_does_not_touch_the_blocks(campaign) -> None:
    box = campaign(WAITING)
    driver = box.driver("-j", "4")
    box.until(lambda: box.exists("up"))
    driver.kill()
    driver.wait()
    good = box.read("Flowfile")
    box.write("Flowfile", good.replace('input: "a"', 'input: "a'))
    assert "Flowfile:" in box.campaign("-j", "4", status=2)
    box.write("Flowfile", good.replace('output: "a"', 'output: "A"'))
    assert "`a`" in box.campaign("-j", "4", status=2)
    box.write("go", "")
    box.until(lambda: box.exists("b"), "the block did not go on")
    box.write("Flowfile", good)
    box.campaign("-j", "4")
    assert box.read("ledger") == "begun\nb\n" and box.made_twice() == []


def test_of_two_drivers_one_is_refused(campaign) -> None:
    box = campaign(WAITING)
    driver = box.driver("-j", "4")
    box.until(lambda: box.exists("up"))
    assert f"process {driver.pid}" in box.campaign("-j", "4", status=3)
    box.write("go", "")
    assert driver.wait(60) == 0
    assert box.read("ledger") == "begun\nb\n"


def test_a_driver_that_was_stopped_for_long_finds_its_blocks_over(campaign) -> None:
    box = campaign(
        """
        rule all:
            input: "b"
        rule a:
            output: "a"
            retries: 1
            threads: attempt
            shell:
                '''
                touch up
                while [[ ! -e go ]]; do sleep 0.05; done
                echo try >> ledger
                [[ {threads} == 2 ]]
                echo > {output}
                '''
        rule b:
            input: "a"
            output: "b"
            shell: "cp {input} {output}"
        """,
    )
    driver = box.driver("-j", "4", "--set", "blocks.idle=1s")
    box.until(lambda: box.exists("up") and "runs on" in box.read("said"))
    driver.send_signal(signal.SIGSTOP)
    box.write("go", "")
    box.until(lambda: "closed" in (box.path / ".flowrules/blocks/b001/runs/01/log").read_text())
    driver.send_signal(signal.SIGCONT)
    assert driver.wait(60) == 0, box.read("said")
    assert box.read("ledger") == "try\ntry\n" and box.blocks == ["b001", "b002"]
    box.alone()
