"""The Python API, as the manual writes it, and where programs call it from."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from flowrules import FlowfileError, Workflow
from flowrules.errors import UsageError

FLOWFILE = """\
rule all:
    input: "a"
rule a:
    output: "a"
    shell: "echo {config.n} > {output}"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "Flowfile").write_text(FLOWFILE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_load_plan_run(folder: Path) -> None:
    wf = Workflow.load("Flowfile", config={"n": 3})
    assert wf.rules == ("all", "a")
    plan = wf.plan(["all"])
    assert [job.label for job in plan.jobs] == ["a"]
    assert [str(reason) for reason in plan.reasons["a"]] == ["missing output: a"]
    assert plan.graph.number_of_nodes() == 2
    outcome = plan.run(jobs=2)
    assert outcome.ok
    assert outcome.done == ("a",)
    assert outcome.failed == ()
    assert outcome.elapsed > 0
    assert (folder / "a").read_text() == "3\n"
    assert wf.plan(["all"]).jobs == []


def test_mistakes_of_a_workflow_are_raised(folder: Path) -> None:
    with pytest.raises(FlowfileError) as caught:
        Workflow.load("Flowfile")
    assert caught.value.diagnostics[0].code.startswith("F")


def test_mistakes_of_a_call_are_raised(folder: Path) -> None:
    plan = Workflow.load(config={"n": 3}).plan()
    for jobs in (0, -1, "4", 1.5):
        with pytest.raises(UsageError, match="whole number from 1"):
            plan.run(jobs=jobs)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="no profile `nowhere`"):
        plan.run(profile="nowhere")
    with pytest.raises(UsageError, match="needs `pbs"):
        plan.run(profile="polaris")
    with pytest.raises(UsageError, match="`sandbox` goes with `profile`"):
        plan.run(sandbox=True)
    with pytest.raises(FlowfileError, match="whole number"):
        plan.run(profile="polaris", sandbox=True, settings={"blocks.nodes": "many"})
    assert not (folder / ".flowrules").exists()


def test_a_plan_runs_in_blocks(folder: Path) -> None:
    plan = Workflow.load(config={"n": 3}).plan()
    outcome = plan.run(jobs=2, profile="polaris", sandbox=True, settings={"blocks.nodes": 1, "worker_init": None})
    assert (outcome.ok, outcome.done, outcome.stranded) == (True, ("a",), ())
    assert (folder / "a").read_text() == "3\n"
    assert (folder / ".flowrules/blocks/b001/over").exists()


def test_jobs_without_a_block_are_told(folder: Path) -> None:
    plan = Workflow.load(config={"n": 3}).plan()
    (folder / "mine").mkdir()
    (folder / "mine/profile.yaml").write_text("scheduler: pbs\nnode: {cpus: 2}\n")
    (folder / "mine/job.sh.j2").write_text("#!/bin/sh\n{{ nothing }}\n")
    outcome = plan.run(profile="./mine", sandbox=True)
    assert (outcome.ok, outcome.done, outcome.stranded) == (False, (), ("a",))
    assert "asks for something that is not there" in outcome.refused[0]
    assert not (folder / ".flowrules/blocks").exists()


def test_the_profile_local_is_this_machine(folder: Path) -> None:
    assert Workflow.load(config={"n": 3}).plan().run(profile="local").ok
    assert not (folder / ".flowrules/blocks").exists()


def test_one_target_by_itself(folder: Path) -> None:
    assert [job.label for job in Workflow.load(config={"n": 3}).plan("all").jobs] == ["a"]


def test_a_run_in_another_thread(folder: Path) -> None:
    plan = Workflow.load(config={"n": 3}).plan()
    outcomes = []
    thread = threading.Thread(target=lambda: outcomes.append(plan.run(jobs=1)))
    thread.start()
    thread.join()
    assert [outcome.ok for outcome in outcomes] == [True]


def test_a_run_in_an_event_loop(folder: Path) -> None:
    """As in a notebook, whose cells run in one that heeds signals too."""
    code = """
import asyncio, signal
from flowrules import Workflow

async def main():
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, heard.set)
    print(Workflow.load(config={"n": 3}).plan().run(jobs=1).ok)
    signal.raise_signal(signal.SIGTERM)
    await asyncio.wait_for(heard.wait(), 30)
    print("heard")

heard = asyncio.Event()
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("True\nheard\n", "")
