"""`--resources NAME=N` over a whole campaign: the record proves that never more than N were held, in whatever hands."""

from __future__ import annotations

import signal

from campaign_box import Campaign, most_at_once

MACHINE = """
scheduler: pbs
launcher: ssh
node: {cpus: 2}
blocks: {nodes: 1, walltime: 20min, min: 0, max: 2}
"""

FLOWFILE = """
let N = [f"{n:02}" for n in range(24)]
rule all:
    input: "total"
rule licensed:
    output: "licensed/{n}"
    resources: licence=1, walltime=100s
    shell: "until [[ -e go ]]; do sleep 0.05; done; sleep 0.2; echo {n} > {output}"
rule pair:
    output: "pair/{n}"
    resources: licence=2, walltime=100s
    shell: "until [[ -e go ]]; do sleep 0.05; done; sleep 0.1; echo {n} > {output}"
rule here:
    output: "here/{n}"
    resources: licence=1
    local: true
    shell: "sleep 0.2; echo {n} > {output}"
rule free:
    output: "free/{n}"
    resources: walltime=100s
    shell: "sleep 0.1; echo {n} > {output}"
rule total:
    input:
        expand("licensed/{n}", n=N), expand("pair/{n}", n=N[:6]), expand("here/{n}", n=N[:4]), expand("free/{n}", n=N)
    output: "total"
    local: true
    shell: "cat {input} > {output}"
"""


def licences(record: dict) -> float:
    return {"licensed": 1, "pair": 2, "here": 1}.get(record["rule"], 0)


def check(box: Campaign, limit: int) -> None:
    records = box.history()
    assert box.made_twice() == [] and box.read("total").count("\n") == 24 + 6 + 4 + 24
    assert most_at_once(records, licences) == limit, "all of them are used, and no more"
    box.alone()


def test_a_limit_holds_over_two_blocks_and_the_driver(campaign) -> None:
    box = campaign(FLOWFILE, machine=MACHINE)
    box.write("go", "")
    box.campaign("-j", "8", "--resources", "licence=3", "--local-cores", "2")
    assert len(box.blocks) == 2
    hosts = {record["host"] for record in box.history() if record["rule"] in ("licensed", "pair")}
    assert len(hosts) == 2, "both blocks had a share"
    check(box, 3)


def test_a_limit_holds_under_the_next_driver(campaign) -> None:
    box = campaign(FLOWFILE, machine=MACHINE)
    arguments = ("-j", "8", "--resources", "licence=3")

    def running() -> int:
        return len(box.processes("until"))

    driver = box.driver(*arguments)
    box.until(lambda: box.exists("free/23") and running() >= 2, "nothing waits in blocks")
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    driver = box.driver(*arguments)
    box.write("go", "")
    assert driver.wait(120) == 0, box.read("said")
    assert "found 2 blocks of an earlier run" in box.read("said")
    check(box, 3)


def test_blocks_without_a_driver_part_the_limit(campaign) -> None:
    box = campaign(FLOWFILE, machine=MACHINE)
    box.write("go", "")
    arguments = ("-j", "8", "--resources", "licence=3")
    box.campaign("--submit", *arguments)
    box.campaign(*arguments)
    check(box, 3)


def test_what_is_counted_on_nodes_is_no_limit_of_a_campaign(campaign) -> None:
    box = campaign(FLOWFILE, machine=MACHINE)
    done = box.run(*box.batch("--resources", "gpus=4"))
    assert done.returncode == 2
    assert done.stderr == (
        "error: `--resources gpus=…`: with the profile `machine` that is counted on each node\n"
        "   hint: limit by it what all nodes share, such as licences; `-j` says how many jobs run at once\n"
    )
    done = box.run(*box.batch("--resources", "licence=1"))
    assert done.returncode == 2 and "pair n=00 asks for 2 of `licence`, but there are only 1" in done.stderr
