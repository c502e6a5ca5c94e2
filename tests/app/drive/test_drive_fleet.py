"""The blocks a driver keeps, with a batch system that does what it is told to: each step of the clock is the test's."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from flowrules.app.drive.fleet import Fleet
from flowrules.app.drive.fleet_news import Over, Refused, Shuts, TaskEnded, TasksGiven
from flowrules.app.profiles import open_profile
from flowrules.errors import BatchError, UsageError
from flowrules.execute.batch.patience import Manners, Patient, finish
from flowrules.model.batch import BatchState, BatchStatus, QueueToday
from flowrules.model.block import Task, TaskEnd
from flowrules.model.dispatch import BlockPlan
from flowrules.model.events import Need
from flowrules.model.profile import Profile, Queue
from flowrules.model.record import Record
from flowrules.ports import Waiting
from flowrules.record.messages import Closed, Ended, Grant, Started
from flowrules.record.spool_runner import RunnerFolder

PROFILE = open_profile("pbs", {}, (), None)
QUEUED, RUNNING = BatchStatus(BatchState.QUEUED), BatchStatus(BatchState.RUNNING)
ENDED = BatchStatus(BatchState.ENDED, "was deleted")


class Machine:
    """A batch system of this test."""

    def __init__(self) -> None:
        self.jobs: dict[str, BatchStatus] = {}
        self.submitted: list[str] = []
        self.cancelled: list[str] = []
        self.fails: BatchError | None = None
        self.hangs = False
        self.queues_today: Mapping[str, QueueToday] | BatchError = {}

    def takes(self) -> Waiting[None]:
        """What a command takes."""
        while self.hangs:
            yield 0.5

    def submit(self, script: str, name: str) -> Waiting[str]:
        yield from self.takes()
        if self.fails is not None:
            raise self.fails
        self.submitted.append(name)
        self.jobs[f"{len(self.submitted)}.m"] = QUEUED
        return f"{len(self.submitted)}.m"

    def find(self, name: str) -> Waiting[list[str]]:
        yield from self.takes()
        return [f"{n + 1}.m" for n, known in enumerate(self.submitted) if known == name]

    def status(self, ids: Sequence[str]) -> Waiting[Mapping[str, BatchStatus]]:
        yield from self.takes()
        return {id: self.jobs[id] for id in ids if id in self.jobs}

    def queues(self) -> Waiting[Mapping[str, QueueToday]]:
        yield from self.takes()
        if isinstance(self.queues_today, BatchError):
            raise self.queues_today
        return self.queues_today

    def cancel(self, id: str) -> Waiting[None]:
        yield from self.takes()
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

    def driver(self, profile: Profile = PROFILE) -> Fleet:
        """The next driver; the one before is dead."""
        self.epoch += 1
        manners = Manners(every=10.0, gap=0.0, looks=(1.0, 2.0), pause=1.0, longest=2.0, lasting=20.0)
        self.fleet = Fleet(
            profile,
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
        runner = RunnerFolder.begin(f"{self.path}/.flowrules/blocks/{block}", "1.m", ["n1"], quarantine=0.0)
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
    finish(yard.machine.submit("", f"fr-c-{block}"))  # and nobody wrote down the answer
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


def test_a_submission_that_takes_long_is_told_of_once(yard):
    block = yard.block(task("1J1.1"))
    yard.machine.fails = BatchError("the server is down")
    yard.news(6)
    assert yard.said == [f"block {block} is not submitted yet: the server is down; trying again"]
    yard.machine.fails = None
    yard.news(6)
    assert [said for said in yard.said[1:] if "submitted as 1.m" in said] == yard.said[1:], "and then that it is"
    assert len(yard.said) == 2


def test_a_block_that_is_started_again_says_so(yard):
    block = yard.block(task("1J1.1"))
    yard.news(1)
    for _ in range(2):
        with yard.runner(block):
            yard.news()
    runs = [said for said in yard.said if "runs on" in said]
    assert runs == [
        f"block {block} runs on n1",
        f"block {block} was started again by the batch system, and runs on n1",
    ]


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


@pytest.mark.parametrize("known", [True, False])
def test_a_block_that_is_silent_long_after_its_walltime_has_ended(yard, known):
    """Its first node lost its power, and the batch system never learns of it."""
    block = yard.block(task("1J1.1"))
    yard.news(2)
    with yard.runner(block):
        yard.machine.jobs = {"1.m": RUNNING} if known else {}
        assert of(yard.news(890), Over) == []
        assert "waiting on" in yard.said[-1] and yard.machine.cancelled == []
        assert of(yard.news(100), Over) == [], "quarantine"
    state = "running" if known else "unknown"
    said = f"nothing was heard of block {block} for 5min; the batch system says it is {state}"
    assert yard.said[-1] == f"{said}: its walltime is long over, so it counts as ended"
    news = yard.news(100)
    assert of(news, TasksGiven) == [TasksGiven(block, ("1J1.1",))] and len(of(news, Over)) == 1
    assert yard.machine.cancelled == ["1.m"]
    assert b"\tstop\t" in Path(f".flowrules/blocks/{block}/inbox.000001").read_bytes(), "should it wake up"


@pytest.mark.parametrize("state", [BatchState.HELD, BatchState.QUEUED])
def test_a_block_that_is_suspended_or_queued_again_is_waited_for(yard, state):
    block = yard.block(task("1J1.1"))
    yard.news(2)
    with yard.runner(block):
        yard.machine.jobs = {"1.m": BatchStatus(state)}
        assert of(yard.news(3600), Over) == []


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


def test_while_a_command_hangs_blocks_are_read_and_fed(yard):
    block = yard.block(task("1J1.1"))
    yard.news(1)
    yard.machine.hangs = True
    other = yard.block(task("1J2.1"))
    with yard.runner(block) as runner:
        runner.write(done("1J1.1"))
        runner.flush()
        assert len(of(yard.news(1), TaskEnded)) == 1
        yard.fleet.hand(block, [task("1J3.1")])
        assert any("1J3.1" in str(message) for message in runner.inbox())
        assert yard.news(60) == [], "and nothing is concluded of what is not known"
        yard.machine.hangs = False
        yard.news(10)
    assert [name.rsplit("-")[-1] for name in yard.machine.submitted] == [block, other], "each once"


def test_who_leaves_waits_for_no_answer(yard):
    yard.machine.hangs = True
    block = yard.block(task("1J1.1"))
    yard.news(3)
    yard.fleet.leave()
    yard.machine.hangs = False
    yard.driver().attach()
    yard.news(10)
    assert yard.machine.submitted == [f"fr-c-{block}"], "what became of it is found out by the next"


DEBUG, PROD = Queue("debug", (1, 2), (0, 3600.0)), Queue("prod", (1, 10), (0, 24 * 3600.0))
QUEUES = replace(PROFILE, queues=(DEBUG, PROD))


@pytest.mark.parametrize(
    ("queue", "today", "chosen", "told"),
    [
        ("auto", {}, "", "no batch job can be submitted: `debug` does not exist; `prod` does not exist"),
        ("auto", [QueueToday("debug"), QueueToday("prod")], "debug", ""),
        ("auto", [QueueToday("prod")], "prod", "the queue `debug` does not exist"),
        (
            "auto",
            [QueueToday("debug", enabled=False), QueueToday("prod")],
            "prod",
            "the queue `debug` takes no batch jobs today",
        ),
        ("auto", [QueueToday("debug", started=False), QueueToday("prod")], "prod", "the queue `debug` is stopped"),
        ("debug", [QueueToday("debug", started=False), QueueToday("prod")], "debug", "the queue `debug` is stopped"),
        ("debug", [QueueToday("prod")], "", "no batch job can be submitted: `debug` does not exist"),
        (
            "auto",
            [QueueToday("debug", walltime=(0.0, 60.0)), QueueToday("prod")],
            "prod",
            "`debug` takes 1min at most today",
        ),
        ("auto", BatchError("`qstat` did not answer"), "debug", "did not answer: queues are taken as the profile says"),
        ("auto", BatchError("there is no command `qstat` here", final=True), "debug", ""),
    ],
)
def test_queues_are_as_the_batch_system_says(yard, queue, today, chosen, told):
    yard.machine.queues_today = today if isinstance(today, BatchError | dict) else {q.name: q for q in today}
    fleet = yard.driver(replace(QUEUES, queue=queue))
    if chosen:
        block = fleet.open(BlockPlan(1, 600.0), None)
        assert json.loads(Path(f".flowrules/blocks/{block}/block.json").read_text())["queue"] == chosen
        assert [said for said in yard.said if told in said] if told else not yard.said
    else:
        with pytest.raises(UsageError, match=told):
            fleet.open(BlockPlan(1, 600.0), None)
        assert yard.machine.submitted == [] and fleet.names == []


def test_that_queues_are_not_told_of_holds_up_no_other_question(yard):
    block = yard.block(task("1J1.1"))
    yard.news(1)
    yard.machine.hangs = True
    yard.driver().attach()
    yard.machine.hangs = False
    with yard.runner(block):
        yard.machine.jobs["1.m"] = ENDED
        yard.news(250)
    assert any("ended without a word" in said for said in yard.said), "the block was asked about"
