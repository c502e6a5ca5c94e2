"""`flowrules status` beside a campaign that runs: nothing is disturbed, and what is shown is so."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from box import Box

FLOWFILE = """\
    rule all:
        input: expand("out/{n}.txt", n=range(5)), "here.txt"
    rule far:
        output: "out/{n}.txt"
        resources: gpus=1, walltime=1min
        shell: "while [ ! -e go ]; do sleep 0.05; done; echo {wildcards.n} > {output}"
    rule near:
        output: "here.txt"
        local: true
        shell: "while [ ! -e go ]; do sleep 0.05; done; touch {output}"
"""

CALL = ("--profile", "polaris", "--sandbox", "-j", "4", "--set", "blocks.nodes=1", "--set", "worker_init=null")

pytestmark = pytest.mark.slow


def until(box: Box, wanted: Callable[[dict], bool]) -> dict:
    """The first look that shows what is wanted; the test ends before the jobs do, whatever it takes."""
    for _ in range(600):
        said = json.loads(box.ok("status", "--format", "json"))
        if wanted(said):
            return said
        time.sleep(0.05)
    raise AssertionError(said)


def counts(said: dict) -> dict[str, tuple[int, int, int]]:
    return {rule["rule"]: (rule["done"], rule["running"], rule["handed"]) for rule in said["rules"]}


def test_a_campaign_is_looked_at_while_it_runs_and_after_its_driver_died(tmp_path: Path) -> None:
    box = Box(tmp_path, FLOWFILE)
    assert box.ok("status") == "no campaign here, and nothing ran so far\n"
    assert not box.exists(".flowrules")
    driver = box.start(*CALL)
    try:
        said = until(box, lambda said: counts(said) == {"far": (0, 4, 1), "near": (0, 1, 0)})
        assert (said["driver"]["drives"], said["driver"]["pid"], said["go_on"]) == ("drives", driver.pid, None)
        (block,) = said["blocks"]
        assert (block["name"], block["state"], block["nodes"]) == ("b001", "runs", 1)
        assert (block["batch"], block["queue"], block["notes"]) == ("1.sandbox", "debug", [])
        assert 0 < block["left"] <= block["walltime"]
        waits = [json.loads(box.ok("why", f"out/{n}.txt", "--format", "json"))["waits"] for n in range(5)]
        assert waits.count("it runs now, in block b001") == 4
        (held,) = [text for text in waits if "runs now" not in text]
        assert held.startswith("block b001, which has run for ") and held.endswith("it waits for a free slot there")
        assert json.loads(box.ok("why", "here.txt", "--format", "json"))["waits"] == "it runs now"
        os.kill(driver.pid, signal.SIGKILL)
        driver.wait()
        said = until(box, lambda said: said["driver"]["drives"] == "died")
        assert counts(said) == {"far": (0, 4, 1)}
        assert said["go_on"] == "flowrules --profile polaris --sandbox"
        box.write("go", "")
        said = until(box, lambda said: counts(said) == {"far": (5, 0, 0)})
        assert "found block b001 of an earlier run" in box.ok(*CALL)
    finally:
        box.write("go", "")
        driver.kill()
        driver.communicate()
    said = json.loads(box.ok("status", "--format", "json"))
    assert counts(said) == {"far": (5, 0, 0), "near": (1, 0, 0)}
    assert (said["driver"]["drives"], said["blocks"][0]["state"], said["go_on"]) == ("ended", "over", None)
