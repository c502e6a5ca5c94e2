"""The blocks a driver keeps, with a batch system that does what it is told to: each step of the clock is the test's."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from flowrules.app.fleet import Fleet
from flowrules.app.fleet_news import Over, Refused, Shuts, TaskEnded, TasksGiven
from flowrules.app.profiles import open_profile
from flowrules.errors import BatchError
from flowrules.execute.batch.patience import Manners, Patient
from flowrules.model.batch import BatchState, BatchStatus
from flowrules.model.block import Task, TaskEnd
from flowrules.model.dispatch import BlockPlan
from flowrules.model.events import Need
from flowrules.model.record import Record
from flowrules.record.messages import Closed, Ended, Grant, Started
from flowrules.record.spool_runner import RunnerFolder

PROFILE = open_profile("pbs", {}, (), None)
QUEUED, ENDED = BatchStatus(BatchState.QUEUED), BatchStatus(BatchState.ENDED, "was deleted")


class Machine:
    """A batch system of this test."""

    def __init__(self) -> None:
        self.jobs: dict[str, BatchStatus] = {}
        self.submitted: list[str] = []
        self.cancelled: list[str] = []
        self.fails: BatchError | None = None

    def submit(self, script: str, name: str) -> str:
        if self.fails is not None:
            raise self.fails
        self.submitted.append(name)
        self.jobs[f"{len(self.submitted)}.m"] = QUEUED
        return f"{len(self.submitted)}.m"

    def find(self, name: str) -> list[str]:
        return [f"{n + 1}.m" for n, known in enumerate(self.submitted) if known == name]

    def status(self, ids: Sequence[str]) -> Mapping[str, BatchStatus]:
        return {id: self.jobs[id] for id in ids if id in self.jobs}

    def cancel(self, id: str) -> None:
        if self.fails is not None:
            raise self.fails
        self.cancelled.append(id)


class Yard:
    """A directory, its batch system, and drivers of it one after another."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.machine = Machine()
        self.now = 1000.0
        self.said: list[str] = []
        self.epoch = 0
        self.fleet = self.driver()

    def driver(self) -> Fleet:
        """The next driver; the one before is dead."""
        self.epoch += 1
        manners = Manners(every=10.0, gap=0.0, looks=(1.0, 2.0), pause=1.0, longest=2.0, lasting=20.0)
        self.fleet = Fleet(
            PROFILE,
            Patient(self.machine, manners, clock=lambda: self.now),
            str(self.path),
            "c",
            self.epoch,
            self.said.append,
            lambda: None,
            launcher="local",
            hash_limit=1 << 20,
            keep_incomplete=False,
            every=10.0,
        )
        return self.fleet

    def news(self, seconds: float = 0.0) -> list:
        """What happened in so many seconds."""
        found = []
        end = self.now + seconds
        while True:
            found += self.fleet.poll(self.now)
            if self.now >= end:
                return found
            self.now += 1.0

    def block(self, *tasks: Task) -> str:
        """A block that holds tasks."""
        name = self.fleet.open(BlockPlan(1, 600.0), None)
        self.fleet.hand(name, tasks)
        return name

    def runner(self, block: str) -> RunnerFolder:
        """The runner of a block begins, and reads what it is told."""
        runner = RunnerFolder.begin(f"{self.path}/.flowrules/blocks/{block}", "1.m", ["n1"])
        assert runner is not None
        runner.inbox()
        runner.flush()
        return runner

    def is_over(self, block: str) -> bool:
        return os.path.exists(f"{self.path}/.flowrules/blocks/{block}/over")


@pytest.fixture
def yard(tmp_path, monkeypatch) -> Yard:
    monkeypatch.chdir(tmp_path)
    os.mkdir(".flowrules", 0o700)
    return Yard(tmp_path)


def task(name: str) -> Task:
    return Task(name, name, ("true",), (), Record("rule", {"n": name}, []), Need())


def done(name: str) -> Ended:
    return Ended(TaskEnd(name, Record("rule", {"n": name}, [], status="done")))


def of(news: list, type_: type) -> list:
    return [item for item in news if isinstance(item, type_)]


def test_a_block_is_over_for_later_drivers_only_when_its_ends_are_recorded(yard):
    block = yard.block(task("1J1.1"))
    yard.news(1)
    with yard.runner(block) as runner:
        for line in (Started("1J1.1", "n1"), done("1J1.1"), runner.closing("it was told to"), Closed(True)):
            runner.write(line)
        runner.sync()
        news = yard.news()
    assert len(of(news, TaskEnded)) == 1 and isinstance(news[-1], Over)
    assert not yard.is_over(block)
    assert yard.driver().attach()[block]["1J1.1"].end is not None, "a driver that died here loses nothing"
    news = yard.news()
    assert isinstance(news[-1], Over)
    yard.fleet.bury(block)
    assert yard.is_over(block) and not yard.driver().attach()


def test_a_block_that_was_only_half_made_is_none(yard):
    block = yard.block()
    os.unlink(f".flowrules/blocks/{block}/job.sh")
    assert yard.driver().attach() == {}
    assert yard.is_over(block) and yard.fleet.names == []
    assert yard.block(task("2J1.1")) == "b002"


def test_a_driver_that_died_at_its_submission_does_not_submit_twice(yard):
    block = yard.block(task("1J1.1"))
    yard.machine.submit("", f"fr-c-{block}")  # and nobody wrote down the answer
    yard.driver().attach()
    yard.news(5)
    assert yard.machine.submitted == [f"fr-c-{block}"]
    assert any("submitted as 1.m" in said for said in yard.said)


def test_a_block_nobody_wants_any_more_is_not_submitted_to_be_ended(yard):
    block = yard.block(task("1J1.1"))
    yard.driver().attach()
    yard.fleet.close(block)
    news = yard.news(10)
    assert yard.machine.submitted == [] and of(news, TasksGiven) == [TasksGiven(block, ("1J1.1",))]


def test_a_block_that_waits_is_withdrawn_however_long_that_takes(yard):
    block = yard.block(task("1J1.1"))
    yard.news(1)
    yard.machine.fails = BatchError("the server is down")
    yard.fleet.close(block)
    assert yard.news(60) == [], "nothing is known, so nothing is taken back"
    assert any("could not be taken out of its queue" in said for said in yard.said)
    yard.machine.fails = None
    news = yard.news(20)
    assert yard.machine.cancelled == ["1.m"] and isinstance(news[-1], Over)
    assert not news[-1].barren, "it was not wanted"


def test_one_that_begins_while_it_is_withdrawn_is_waited_for(yard):
    block = yard.block(task("1J1.1"))
    yard.news(1)
    yard.fleet.close(block)
    with yard.runner(block) as runner:
        assert of(yard.news(10), Over) == []
        runner.write(runner.closing("it was told to"))
        runner.write(Closed(True))
        runner.sync()
        assert len(of(yard.news(), Over)) == 1


def test_a_refused_block_is_told_to_end_should_it_have_arrived(yard):
    yard.machine.fails = BatchError("the server is down")
    block = yard.block(task("1J1.1"))
    news = yard.news(60)
    assert [type(item) for item in news] == [Refused, Shuts, TasksGiven, Over]
    assert b"\tstop\t" in Path(f".flowrules/blocks/{block}/inbox.000001").read_bytes()


def test_a_block_without_a_word_is_quarantined_where_it_had_begun(yard):
    began, queued = yard.block(task("1J1.1")), yard.block(task("1J2.1"))
    yard.news(2)
    with yard.runner(began):
        pass
    yard.machine.jobs = dict.fromkeys(yard.machine.jobs, ENDED)
    news = yard.news(40)
    assert of(news, Over) == [Over(queued, barren=True)], "of one that never began nothing can run"
    assert of(yard.news(100), Over) == []
    assert of(yard.news(60), Over) == [Over(began, barren=True)]


def test_an_id_that_vanished_is_no_end_where_the_block_had_begun(yard):
    block = yard.block(task("1J1.1"))
    yard.news(2)
    with yard.runner(block):
        yard.machine.jobs.clear()
        assert of(yard.news(600), Over) == []
    (told,) = [said for said in yard.said if "nothing was heard" in said]
    assert told.endswith("the batch system says it is unknown: waiting on"), "once"


def test_a_lost_answer_is_learned_from_the_block_itself(yard):
    block = yard.block(task("1J1.1"))
    yard.machine.fails = BatchError("no answer came")
    yard.news(1)
    with yard.runner(block):
        assert of(yard.news(60), Refused) == []
    assert '"1.m"' in Path(f".flowrules/blocks/{block}/submitted").read_text()


def test_what_the_driver_before_wrote_last_is_known_when_it_may_still_live_elsewhere(yard):
    block = yard.block(task("1J1.1"))
    old, beats = yard.fleet, []
    yard.news(1)
    with yard.runner(block) as runner:

        def beat() -> None:
            if not beats:
                old.hand(block, [task("1J2.1")])
            beats.append(runner.inbox())
            runner.flush()

        assert list(yard.driver().attach(beat)[block]) == ["1J1.1", "1J2.1"]
        assert beats, "it was waited for that the block reads from nobody else"
        old.hand(block, [task("1J3.1")])
        assert runner.inbox() == []


def test_a_block_keeps_its_last_grant_under_the_next_driver(yard):
    block = yard.block()
    assert yard.fleet.grant_of(block).running is None
    yard.fleet.grant(block, 7, {"licence": 2.5})
    yard.driver().attach()
    assert yard.fleet.grant_of(block) == Grant(7, {"licence": 2.5})
