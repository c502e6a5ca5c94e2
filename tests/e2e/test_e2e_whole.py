"""Outputs are whole or not there: whoever is killed first while a job of a block writes, half a file is never believed."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
from campaign_box import Campaign

HALF = """
rule all:
    input: "after"
rule half:
    output: "out", directory("many")
    retries: 1
    shell:
        '''
        echo half > out
        mkdir many; touch many/1
        echo begun >> ledger; touch up
        until [[ -e go ]]; do sleep 0.05; done
        touch many/2
        echo whole > out
        '''
rule after:
    input: "out", "many"
    output: "after"
    shell: "cat out > {output}; ls many >> {output}"
"""


def find(box: Campaign, who: str, driver: int) -> int:
    """A process of a campaign whose only job writes."""
    if who == "driver":
        return driver
    runner = int(json.loads(box.read(".flowrules/blocks/b001/runs/01/owner").splitlines()[0])["pid"])
    if who == "runner":
        return runner
    if who == "agent":
        return next(pid for pid in box.processes("flowrules-agent") if parent(pid) == runner)
    lanes = [pid for pid in box.processes("until [[ -e go ]]") if "flowrules-agent" not in command(pid)]
    return min(lanes)


def parent(pid: int) -> int:
    """Who started a process."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def command(pid: int) -> str:
    """What a process runs."""
    return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")


@pytest.mark.parametrize(
    "victims",
    [
        ("job",),
        ("agent",),
        ("runner",),
        ("job", "agent", "runner", "driver"),
        ("driver", "runner", "agent", "job"),
        ("driver", "job"),
        ("driver", "agent"),
    ],
    ids=" ".join,
)
def test_half_an_output_is_never_believed(campaign, victims: tuple[str, ...]) -> None:
    box = campaign(HALF)
    driver = box.driver("-j", "4", "--set", "blocks.idle=2s")
    box.until(lambda: box.exists("up") and "runs on" in box.read("said"))
    pids = [find(box, who, driver.pid) for who in victims]
    (box.path / "up").unlink()
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    if "driver" in victims:
        driver.wait()
        driver = box.driver("-j", "4")
    box.until(lambda: box.exists("up"), "the job was not begun anew")
    box.write("go", "")
    assert driver.wait(120) == 0, box.read("said")
    assert box.read("out") == "whole\n" and box.read("after") == "whole\n1\n2\n"
    assert box.read("ledger") == "begun\n" * 2 and box.made_twice() == []
    assert [r["outputs"] for r in box.history() if r["rule"] == "half" and r["status"] == "done"] == [["out", "many"]]
    assert box.todo(*box.batch()) == {}
    box.alone()
