"""`flowrules simulate`: what a campaign would take and cost."""

from __future__ import annotations

import json

import pytest

CAMPAIGN = """
rule all:
    input: expand("out/{n}.txt", n=range(24))
rule model:
    output: "out/{n}.txt"
    resources: gpus=1, walltime=10min
    shell: "echo {wildcards.n} > {output}"
"""


@pytest.fixture
def campaign(desk):
    desk.write("Flowfile", CAMPAIGN)
    return desk


def test_a_table_to_choose_from(campaign) -> None:
    assert campaign.ok(
        "simulate", "--profile", "polaris", "--nodes", "1,2,6", "--set", "blocks.max=1"
    ).splitlines() == [
        "24 jobs on profile polaris (pbs; launcher local)",
        "run times: its declared walltime (24)",
        "",
        "nodes  walltime  blocks            queue             time  busy  node-hours  at most",
        "1        1h 00m  2 × 1, 2 in turn  debug           1h 00m  100%           1      1.2",
        "2        1h 00m  1 × 2             debug          30m 00s  100%           1      1.2",
        "6        1h 00m  1 × 6             debug-scaling  10m 00s  100%           1      1.3  fastest, cheapest",
        "",
        "time: from the first start to the last end, without waiting in queues; node-hours: nodes times that,",
        "at most: times the walltimes asked for",
    ]


def test_as_json_and_in_agreement_with_the_dry_run(campaign) -> None:
    call = ("--profile", "polaris", "-j", "8")
    said = json.loads(campaign.ok("simulate", *call, "--nodes", "10", "--format", "json"))
    (choice,) = said["choices"]
    packing = json.loads(campaign.ok("-n", *call, "--format", "json"))["packing"]
    assert said["jobs"] == 24 and said["basis"] == {"job": 0, "rule": 0, "walltime": 24, "nothing": 0}
    assert (choice["makespan"], choice["refused"]) == (packing["makespan"], None)
    assert [(b["nodes"], b["queue"]) for b in choice["blocks"]] == [(b["nodes"], b["queue"]) for b in packing["blocks"]]
    assert choice["node_hours"] == pytest.approx(sum(b["node_hours"] for b in packing["blocks"]))


def test_what_ran_is_known(campaign) -> None:
    campaign.ok("-q", "-j", "2")
    assert campaign.ok("simulate", "--profile", "polaris") == "nothing is to be done: `-F` simulates all of it\n"
    said = json.loads(campaign.ok("simulate", "--profile", "polaris", "-F", "--format", "json"))
    assert said["basis"]["job"] == 24
    assert said["choices"][0]["makespan"] < 600
    assert [choice["nodes"] for choice in said["choices"]] == [1, 2, 4, 8, 10]


def test_sizes_that_will_not_do(campaign) -> None:
    text = campaign.ok("simulate", "--profile", "polaris", "--nodes", "2", "--walltime", "5min,1h,99h")
    assert "2        4d 03h" in text  # a block asks for no more than it needs
    assert [line.split("  ")[-1] for line in text.splitlines()[4:7]] == ["without 24 jobs", "fastest, cheapest", "1.3"]
    assert "24 jobs in no block: they take longer than a block may last" in text
    campaign.write("Flowfile", CAMPAIGN.replace("10min", "200h"))
    text = campaign.ok("simulate", "--profile", "polaris", "--nodes", "2", "--walltime", "300h")
    assert "2 nodes for 12d 12h: a block of 2 nodes for 10d1min fits no queue" in text


def test_mistakes_in_the_call(campaign) -> None:
    assert "`simulate` needs `--profile`" in campaign.wrong("simulate")
    assert "the profile `local` has no batch system" in campaign.wrong("simulate", "--profile", "local")
    assert "`--nodes 0`" in campaign.wrong("simulate", "--profile", "polaris", "--nodes", "1,0")
    assert "`3` is no time" in campaign.wrong("simulate", "--profile", "polaris", "--walltime", "3")
