"""One look at a campaign, as people and programs get it."""

from __future__ import annotations

import json
from dataclasses import replace

from flowrules.model.status import BlockState, BlockStatus, DriverStatus, Drives, RuleStatus, Status
from flowrules.show.status import render_status

DRIVER = DriverStatus(Drives.YES, "process 7 on login2", "login2", 7, "flowrules -j 8", 1e9, 4.0)
BLOCK = BlockStatus("b001", "77.pbs", BlockState.RUNS, 2, ("n1", "n2"), "debug", 3600.0, 1805.0, 12, 8, 4, 0)


def test_nothing_is_said_plainly() -> None:
    assert render_status(Status(None, (), ())) == "no campaign here, and nothing ran so far"


def test_a_campaign() -> None:
    waiting = replace(
        BLOCK, name="b002", batch="78.pbs", state=BlockState.SUBMITTED, hosts=(), left=None, running=0, ended=0
    )
    rules = (RuleStatus("relax", 1000, 8, 12, 0, 30), RuleStatus("rank", 0, 0, 0, 1))
    assert render_status(Status(DRIVER, rules, (BLOCK, waiting), left=725.0)) == (
        "driven by process 7 on login2\n"
        "\n"
        "rule    done  running  handed  waiting  failed\n"
        "relax  1,000        8      12       30\n"
        "rank                                         1\n"
        "all    1,000        8      12       30       1\n"
        "about 12m 05s left, if it goes on as now\n"
        "\n"
        "block  batch job  state      nodes  queue  walltime     left  handed  running  ended\n"
        "b001   77.pbs     runs           2  debug    1h 00m  30m 05s      12        8      4\n"
        "b002   78.pbs     submitted      2  debug    1h 00m               12"
    )


def test_who_drives() -> None:
    def said(drives: Drives) -> str:
        return render_status(Status(replace(DRIVER, drives=drives), (), ()))

    assert said(Drives.PERHAPS) == "driven by process 7 on login2; last sign of life 4s ago"
    assert said(Drives.ENDED) == "nobody drives; the last was process 7 on login2"
    assert said(Drives.DIED) == "nobody drives; the last died: process 7 on login2"
    assert render_status(Status(None, (), (BLOCK,))).startswith("nobody drives\n")
    left = Status(replace(DRIVER, drives=Drives.DIED), (), (), "flowrules --profile polaris")
    assert render_status(left).endswith("\n\n`flowrules --profile polaris` collects what blocks did, and goes on")


def test_of_many_blocks_that_are_over_the_latest_are_shown() -> None:
    over = [replace(BLOCK, name=f"b{n:03d}", state=BlockState.OVER) for n in range(1, 10)]
    lines = render_status(Status(DRIVER, (), (*over, replace(BLOCK, name="b010")))).splitlines()
    assert [line[:4] for line in lines[3:-1]] == ["b005", "b006", "b007", "b008", "b009", "b010"]
    assert lines[-1] == "4 earlier blocks, over"


def test_a_program_gets_numbers() -> None:
    noted = replace(BLOCK, notes=("silent for 2m 00s",))
    said = json.loads(render_status(Status(DRIVER, (RuleStatus("relax", 1, 2, 3, 4),), (noted,)), "json"))
    assert said["driver"]["drives"] == "drives"
    assert said["rules"] == [{"rule": "relax", "done": 1, "running": 2, "handed": 3, "failed": 4, "waiting": 0}]
    (block,) = said["blocks"]
    assert (block["state"], block["left"], block["hosts"], block["notes"]) == (
        "runs",
        1805.0,
        ["n1", "n2"],
        ["silent for 2m 00s"],
    )
    assert said["go_on"] is None
    assert json.loads(render_status(Status(None, (), ()), "json"))["driver"] is None


def test_hostile_names_are_spelt_out() -> None:
    hostile = replace(BLOCK, batch="\x1b[2J", notes=("\x1b[31m",))
    text = render_status(Status(replace(DRIVER, words="\x1b]0;x"), (RuleStatus("a", 1, 0, 0, 0),), (hostile,)))
    assert "\x1b" not in text
