"""What machines and sites do to programs (docs/decisions/070-trust.md): a campaign does not mind, or says so."""

from __future__ import annotations

import signal

from campaign_box import MACHINE

from flowrules.execute.batch.sandbox_folder import SandboxFolder

PROXY = "http://127.0.0.1:9"
"""Nobody listens there."""

SOCKETS = """
rule all:
    input: "shell", "python"
rule shell:
    output: "shell"
    shell: "echo $TMPDIR $http_proxy $https_proxy $all_proxy > {output}"
rule python:
    output: "python"
    call: "lib.py:listen"
"""

LIB = """
import os
from multiprocessing.connection import Listener

def listen(job):
    with Listener(family="AF_UNIX") as listener, open(job.output[0], "w") as file:
        print(os.path.dirname(os.path.dirname(listener.address)), file=file)
"""


def test_a_tmpdir_too_long_for_sockets_and_proxies_do_not_matter(campaign) -> None:
    """Jobs have a TMPDIR in which sockets can be made; driver and blocks talk through files, so no proxy is in the way."""
    box = campaign(SOCKETS, {"lib.py": LIB})
    long = box.path / ("t" * 120)
    long.mkdir()
    env = {name: PROXY for name in ("http_proxy", "https_proxy", "all_proxy")}
    box.campaign("-j", "4", env={**env, "TMPDIR": str(long)})
    assert box.read("python") == "/tmp\n"
    assert box.read("shell") == f"/tmp {PROXY} {PROXY} {PROXY}\n", "what jobs need to get out is left to them"
    box.alone()


MANY = """
let N = [f"{n}" for n in range(40)]
rule all:
    input: expand("out/{n}", n=N)
rule one:
    output: "out/{n}"
    shell: "echo $FLOWRULES_NODES:$SITE > {output}"
"""


def test_worker_init_runs_once_on_each_node_whatever_the_number_of_jobs(campaign) -> None:
    machine = MACHINE.replace("nodes: 1, ", "nodes: 2, ") + "worker_init: echo init >> inits; export SITE=here\n"
    box = campaign(MANY, machine=machine)
    box.campaign("-j", "16", "--set", "blocks.max=1")
    assert box.read("inits") == "init\n" * 2
    assert {box.read(f"out/{n}") for n in range(40)} <= {"node1:here\n", "node2:here\n"}
    assert box.ran() == {"one": 40}
    box.alone()


UNBOUND = """
rule all:
    input: "out"
rule one:
    output: "out"
    shell: "echo done > {output}"
"""


def test_modules_that_are_not_there_are_told_with_what_the_node_said(campaign) -> None:
    machine = MACHINE + "worker_init: 'echo module: command not found >&2; exit 4'\n"
    box = campaign(UNBOUND, machine=machine)
    said = box.campaign("-j", "4", "--set", "blocks.max=1", status=1)
    assert (
        "block b001 uses node node1 no more: its agent could not be started, `local` ended with status 4: "
        "module: command not found"
    ) in said
    assert "3 blocks in a row ended before a job started: no more are asked for" in said
    assert not box.exists("out")
    box.alone()


CHECKPOINTED = """
rule all:
    input: "total"
rule long:
    output: "total", update("state.chk")
    shell:
        '''
        from=$(cat state.chk 2>/dev/null || echo 0)
        echo "from $from" >> ledger
        for ((step = from + 1; step <= 4; step++)); do
            echo $step > state.chk
            if [[ $step == 2 && ! -e go ]]; then touch up; sleep 1000; fi
        done
        echo "$step" > total
        '''
"""


def test_a_checkpoint_file_is_kept_for_the_attempt_after_a_preemption(campaign) -> None:
    """`update` of an output keeps what an attempt left that its block was taken from; that costs the job no retry."""
    box = campaign(CHECKPOINTED)
    driver = box.driver("-j", "4")
    box.until(lambda: box.exists("up"))
    box.write("go", "")
    SandboxFolder(str(box.path / ".flowrules/sandbox")).put(1, "cancel", "")
    assert driver.wait(90) == 0, box.read("said")
    assert box.read("ledger") == "from 0\nfrom 2\n" and box.read("total") == "5\n"
    assert box.blocks == ["b001", "b002"]
    (record,) = box.history()
    assert (record["rule"], record["attempt"], record["status"]) == ("long", 1, "done")
    box.alone()


HELD = """
rule all:
    input: "out"
rule one:
    output: "out"
    shell: "echo ran >> ledger; touch up; until [[ -e go ]]; do sleep 0.05; done; echo > {output}"
"""

ELSEWHERE = '{"host": "login9", "pid": 77, "boot": "another", "since": 0.0}'


def test_a_driver_over_which_another_took_ends_and_leaves_its_blocks(campaign) -> None:
    """Stopped for so long that a driver on another host believed it dead; continued, it says nothing to anybody more."""
    box = campaign(HELD)
    driver = box.driver("-j", "4")
    box.until(lambda: box.exists("up"))
    driver.send_signal(signal.SIGSTOP)
    assert f"process {driver.pid}" in box.campaign("-j", "4", status=3), "from this host it is seen to live"
    box.write(".flowrules/driver/000002/owner", ELSEWHERE)
    driver.send_signal(signal.SIGCONT)
    assert driver.wait(60) == 3, box.read("said")
    assert "another flowrules took over this directory: process 77 on login9" in box.read("said")
    inbox = box.read(".flowrules/blocks/b001/inbox.000001")
    assert "\tstop\t" not in inbox and "\tcancel\t" not in inbox
    box.write("go", "")
    box.until(lambda: box.exists("out"), "the block did not go on")
    box.ok("unlock")
    said = box.campaign("-j", "4")
    assert "found block b001 of an earlier run: 1 job ended there" in said
    assert box.ran() == {"one": 1} and box.read("ledger") == "ran\n"
    box.alone()
