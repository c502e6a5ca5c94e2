"""What is made of the files of driver, journal and blocks: each job counted once, each block in one state."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flowrules.app.status import SILENT, look
from flowrules.model.block import BlockSpec, Task, TaskEnd
from flowrules.model.events import Need
from flowrules.model.files import FileRecord
from flowrules.model.profile import NodeShape
from flowrules.model.record import Record
from flowrules.model.status import BlockState, Drives, RuleStatus
from flowrules.record.blockfiles import OVER
from flowrules.record.campaign import Asked, campaign_id
from flowrules.record.lock import HeldLock, acquire
from flowrules.record.messages import Closed, Ended, Given, Started
from flowrules.record.owner import Owner
from flowrules.record.spool import BlockFolder
from flowrules.record.spool_runner import RunnerFolder
from flowrules.record.store import Store


def record(number: int, status: str = "done", ended: float = 0.0) -> Record:
    outputs = [FileRecord(f"out/{number}", 3, 5, "d1gest")] if status == "done" else []
    return Record("make", {"n": str(number)}, outputs, status=status, ended=ended, run="run-1")  # type: ignore[arg-type]


def task(number: int, attempt: int = 1) -> Task:
    return Task(f"1J{number}.{attempt}", f"make n={number}", ("true",), (), record(number, "killed"), Need(1))


class Campaign:
    """A directory with a driver, a journal and blocks, as their own programs write them."""

    def __init__(self, path: Path, lock: HeldLock) -> None:
        self.path = path
        self.lock = lock
        self.store = Store.open(str(path))
        self.blocks: list[BlockFolder] = []
        self.runners: list[RunnerFolder] = []

    def block(self, *tasks: Task) -> BlockFolder:
        name = f"b{len(self.blocks) + 1:03d}"
        spec = BlockSpec("c0ffee", name, f"fr-{name}", "nonce", str(self.path), 1, 3600.0, NodeShape(8), "local")
        folder = BlockFolder.create(spec, 1)
        folder.take(tasks)
        self.blocks.append(folder)
        return folder

    def runner(self, block: BlockFolder) -> RunnerFolder:
        runner = RunnerFolder.begin(block.path, "77", ["here"])
        assert runner is not None
        runner.inbox()
        self.runners.append(runner)
        return runner

    def rules(self) -> tuple[RuleStatus, ...]:
        self.store.flush()
        for runner in self.runners:
            runner.sync()
        return look(str(self.path)).rules


@pytest.fixture
def campaign(tmp_path: Path) -> Iterator[Campaign]:
    with acquire(str(tmp_path), Owner.here("run-1", "flowrules --profile p")) as lock:
        campaign = Campaign(tmp_path, lock)
        campaign_id(str(tmp_path), Asked("p"))
        yield campaign
        for file in (campaign.store, *campaign.blocks, *campaign.runners):
            file.close()


def test_a_job_counts_once_by_what_it_is_now(campaign: Campaign) -> None:
    assert campaign.rules() == ()
    block = campaign.block(*(task(n) for n in range(6)))
    assert campaign.rules() == (RuleStatus("make", 0, 0, 6, 0),)
    runner = campaign.runner(block)
    for n in range(5):
        runner.write(Started(f"1J{n}.1", "here"))
    runner.write(Ended(TaskEnd("1J0.1", record(0, ended=1.0))))  # the driver has not heard of it yet
    runner.write(Ended(TaskEnd("1J1.1", record(1, ended=1.0))))
    campaign.store.ended(record(1, ended=1.0))
    runner.write(Ended(TaskEnd("1J2.1", record(2, "failed", ended=1.0))))
    runner.write(Given(("1J3.1",), "a node was lost"))
    assert campaign.rules() == (RuleStatus("make", 2, 1, 1, 1),)
    block.take([task(2, attempt=2)])  # tried again
    assert campaign.rules() == (RuleStatus("make", 2, 1, 2, 0),)


def test_jobs_beside_the_driver_run_as_long_as_it_does(campaign: Campaign) -> None:
    campaign.store.started(["out/7"], "local", {}, 1, "run-1")
    campaign.store.started(["out/8"], "local", {"n": "old"}, 1, "run-0")
    assert campaign.rules() == (RuleStatus("local", 0, 1, 0, 0),)
    campaign.lock.release()
    assert campaign.rules() == ()


def test_what_came_back_from_a_block_waits(campaign: Campaign) -> None:
    block = campaign.block(task(1), task(2))
    campaign.store.started(["out/1"], "make", {"n": "1"}, 1, "run-1")
    runner = campaign.runner(block)
    runner.write(Started("1J1.1", "here"))
    runner.write(Given(("1J2.1",), "no time"))
    runner.sync()
    Path(f"{block.path}/{OVER}").touch()
    assert campaign.rules() == ()
    (shown,) = look(str(campaign.path)).blocks
    assert (shown.state, shown.held, shown.running, shown.back) == (BlockState.OVER, 0, 0, 2)


def test_the_life_of_a_block(campaign: Campaign) -> None:
    def shown():
        return look(str(campaign.path)).blocks[0]

    block = campaign.block(task(1))
    assert (shown().state, shown().left) == (BlockState.MADE, None)
    Path(f"{block.path}/submitted").write_text('{"id": "77.pbs"}')
    assert (shown().state, shown().batch) == (BlockState.SUBMITTED, "77.pbs")
    runner = campaign.runner(block)
    assert (shown().state, shown().hosts) == (BlockState.RUNS, ("here",))
    left = shown().left
    assert left is not None
    assert 0 < left <= 3600.0
    runner.write(runner.closing("it got SIGTERM"))
    runner.sync()
    assert (shown().state, shown().notes) == (BlockState.CLOSING, ("it got SIGTERM",))
    runner.write(Closed(True))
    runner.sync()
    assert (shown().state, shown().left) == (BlockState.CLOSED, None)


def test_a_block_that_says_nothing(campaign: Campaign, backdate: Callable[[str, float], None]) -> None:
    block = campaign.block(task(1))
    runner = campaign.runner(block)
    runner.sync()
    backdate(f"{block.path}/runs/01/log", 2 * SILENT)
    (shown,) = look(str(campaign.path)).blocks
    assert shown.notes[0].startswith("silent for 2m")


@pytest.fixture
def backdate() -> Callable[[str, float], None]:
    def change(path: str, seconds: float) -> None:
        old = os.stat(path).st_mtime - seconds
        os.utime(path, (old, old))

    return change


def test_how_to_go_on_is_said_where_nobody_does(campaign: Campaign) -> None:
    block = campaign.block(task(1))
    assert look(str(campaign.path)).go_on == ""
    campaign.lock.release()
    status = look(str(campaign.path))
    assert status.driver is not None
    assert status.driver.drives is Drives.ENDED
    assert status.go_on == "flowrules --profile p"
    Path(f"{block.path}/{OVER}").touch()
    assert look(str(campaign.path)).go_on == ""
