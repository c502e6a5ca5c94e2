"""Patience: how often a batch system is asked, and that no name is submitted twice; with a clock that takes no time."""

import pytest

from flowrules.errors import BatchError, BatchFull, UsageError
from flowrules.execute.batch.choose import batch_system
from flowrules.execute.batch.patience import Manners, Patient, finish
from flowrules.execute.batch.pbs import Pbs
from flowrules.execute.batch.sandbox import Sandbox
from flowrules.execute.batch.slurm import Slurm
from flowrules.model.batch import BatchState, BatchStatus
from flowrules.model.profile import Profile

LOST = BatchError("no answer")
DOWN = BatchError("the server is down")
REFUSED = BatchError("unknown queue", final=True)
RUNNING = BatchStatus(BatchState.RUNNING)


class Scripted:
    """A batch system that takes the next answer from a list, the last one again and again; errors are raised."""

    def __init__(self, **answers) -> None:
        self.answers = {what: list(said) for what, said in answers.items()}
        self.now = 0.0
        self.asked: list[tuple[str, float]] = []

    def _next(self, what: str):
        self.asked.append((what, self.now))
        said = self.answers[what]
        answer = said.pop(0) if len(said) > 1 else said[0]
        if isinstance(answer, BatchError):
            raise answer
        return answer

    def submit(self, script, name):
        yield from ()
        return self._next("submit")

    def find(self, name):
        yield from ()
        return self._next("find")

    def status(self, ids):
        yield from ()
        answer = self._next("status")
        return {id: answer[id] for id in ids if id in answer}

    def cancel(self, id):
        yield from ()
        return self._next("cancel")

    def sleep(self, seconds):
        assert seconds > 0
        self.now += seconds

    def times(self, what: str) -> list[float]:
        return [time for asked, time in self.asked if asked == what]


def patient(system, **manners) -> Patient:
    return Patient(system, Manners(**manners), clock=lambda: system.now)


class Box:
    """Somebody who waits for all that takes time."""

    def __init__(self, system: Scripted, **manners) -> None:
        self.patient, self.sleep = patient(system, **manners), system.sleep

    def submit(self, script, name, **more):
        return finish(self.patient.submitting(script, name, **more), self.sleep)

    def status(self, ids):
        return finish(self.patient.asking(ids), self.sleep)

    def cancel(self, id):
        return finish(self.patient.cancelling(id), self.sleep)

    @property
    def answers(self) -> int:
        return self.patient.answers


# submission


def test_what_is_taken_is_not_looked_for():
    system = Scripted(submit=["1", "2"])
    box = Box(system)
    assert (box.submit("s", "a"), box.submit("s", "b")) == ("1", "2")
    assert system.asked == [("submit", 0.0), ("submit", 1.0)]  # no two within a second


@pytest.mark.parametrize("error", [REFUSED, BatchFull("too many")])
def test_a_refusal_is_told_at_once(error):
    system = Scripted(submit=[error])
    with pytest.raises(type(error)):
        Box(system).submit("s", "a")
    assert system.asked == [("submit", 0.0)]


def test_an_answer_that_was_lost_is_found():
    system = Scripted(submit=[LOST], find=[[], ["7"]])
    assert Box(system).submit("s", "a") == "7"
    assert system.asked == [("submit", 0.0), ("find", 5.0), ("find", 25.0)]


def test_what_did_not_arrive_is_submitted_again_after_three_looks_in_a_minute():
    system = Scripted(submit=[LOST, LOST, LOST, "7"], find=[[]])
    assert Box(system).submit("s", "a") == "7"
    assert system.times("submit") == [0.0, 60.0, 120.0, 180.0]
    assert system.times("find")[:3] == [5.0, 25.0, 60.0]
    assert len(system.times("find")) == 9


def test_looks_that_fail_do_not_count():
    system = Scripted(submit=[LOST, "7"], find=[LOST, LOST, [], LOST, [], []])
    assert Box(system).submit("s", "a") == "7"
    assert len(system.times("find")) == 6
    assert system.asked.index(("submit", system.times("submit")[1])) == 7


def test_while_looks_fail_nothing_is_submitted():
    system = Scripted(submit=[LOST], find=[LOST])
    with pytest.raises(BatchError, match="no answer"):
        Box(system).submit("s", "a")
    assert system.times("submit") == [0.0]
    assert 500 < system.now <= 660
    assert len(system.times("find")) < 15  # each pause is twice the last


def test_tries_come_to_an_end():
    system = Scripted(submit=[LOST], find=[[]])
    with pytest.raises(BatchError, match="batch job `a` could not be submitted in 5 tries: no answer") as error:
        Box(system).submit("s", "a")
    assert not error.value.final
    assert len(system.times("submit")) == 5
    assert system.asked[-1][0] == "find"


def test_the_last_try_is_looked_for_too():
    system = Scripted(submit=[LOST], find=[[], [], [], ["9"]])
    assert Box(system, tries=2).submit("s", "a") == "9"
    assert len(system.times("submit")) == 2


def test_a_refusal_after_a_lost_answer_is_told():
    system = Scripted(submit=[LOST, REFUSED], find=[[]])
    with pytest.raises(BatchError, match="unknown queue") as error:
        Box(system).submit("s", "a")
    assert error.value.final


def test_what_goes_wrong_meanwhile_is_told():
    told: list[BatchError] = []
    system = Scripted(submit=[LOST, "7"], find=[DOWN, []])
    assert Box(system).submit("s", "a", tell=told.append) == "7"
    assert told == [LOST, DOWN]
    with pytest.raises(BatchError):
        Box(Scripted(submit=[REFUSED])).submit("s", "a", tell=told.append)
    assert told == [LOST, DOWN], "a refusal is the end"


def test_a_submission_in_doubt_is_looked_for_first():
    system = Scripted(submit=["8"], find=[["7"]])
    assert Box(system).submit("s", "a", doubtful=True) == "7"
    assert system.times("submit") == []


def test_a_driver_may_do_other_things_meanwhile():
    system = Scripted(submit=[LOST, "7"], find=[[]])
    steps = patient(system).submitting("s", "a")
    waits = []
    with pytest.raises(StopIteration) as end:
        while True:
            waits.append(next(steps))
            system.now += waits[-1]
    assert waits == [5.0, 20.0, 35.0]
    assert end.value.value == "7"


class Slow(Scripted):
    """Whose commands take a second each."""

    def __init__(self) -> None:
        super().__init__()
        self.going: list[str] = []

    def _takes(self, what, answer):
        self.going.append(what)
        yield 1.0
        self.going.remove(what)
        return answer

    def submit(self, script, name):
        return self._takes(f"submit {name}", name.upper())

    def status(self, ids):
        return self._takes("status", {})


def test_one_command_runs_at_a_time():
    system = Slow()
    box = patient(system, gap=0.0)
    first, second, status = box.submitting("s", "a"), box.submitting("s", "b"), box.asking(["1"])
    for steps in (first, second, status):
        next(steps)
    assert system.going == ["submit a"]
    assert finish(first, system.sleep) == "A"
    next(status)
    assert system.going == ["status"]
    next(second)
    status.close()  # nobody waits for it any more: it is the turn of the next
    next(second)
    assert system.going == ["status", "submit b"]
    assert finish(second, system.sleep) == "B"


# status


def test_status_is_asked_every_so_often():
    system = Scripted(status=[{"1": RUNNING}])
    box = Box(system, every=30.0)
    for second in range(0, 100, 5):
        system.now = float(second)
        assert box.status(["1"]) == {"1": RUNNING}
    assert system.times("status") == [0.0, 30.0, 60.0, 90.0]
    assert box.answers == 4


def test_status_of_another_is_asked_at_once():
    system = Scripted(status=[{"1": RUNNING, "2": RUNNING}])
    box = Box(system)
    box.status(["1"])
    assert box.status(["1", "2"]).keys() == {"1", "2"}
    assert box.status(["2"]).keys() == {"2"}
    assert len(system.times("status")) == 2


def test_what_was_just_submitted_is_queued():
    system = Scripted(status=[{}], submit=["1"])
    box = Box(system, every=30.0)
    box.status([])
    id = box.submit("s", "a")
    assert box.status([id])[id].state is BatchState.QUEUED
    system.now = 31.0
    assert box.status([id]) == {}  # the batch system does not know it: that is its answer
    assert box.answers == 2


def test_status_that_fails_is_asked_less_and_less():
    system = Scripted(status=[LOST])
    box = Box(system, every=10.0, longest=60.0)
    for second in range(0, 200):
        system.now = float(second)
        with pytest.raises(BatchError, match="no answer"):
            box.status(["1"])
    assert system.times("status") == [0.0, 20.0, 60.0, 120.0, 180.0]
    assert box.answers == 0
    system.answers["status"] = [{"1": RUNNING}]
    system.now = 240.0
    assert box.status(["1"]) == {"1": RUNNING}
    system.now = 250.0
    assert box.status(["1"]) == {"1": RUNNING}
    assert system.times("status")[-2:] == [240.0, 250.0]


# cancel


def test_cancel_is_asked_again():
    system = Scripted(cancel=[LOST, LOST, None])
    Box(system).cancel("1")
    assert system.times("cancel") == [0.0, 2.0, 6.0]


def test_cancel_refused():
    system = Scripted(cancel=[REFUSED])
    with pytest.raises(BatchError):
        Box(system).cancel("1")
    assert system.times("cancel") == [0.0]


# which one


def test_which_batch_system(tmp_path):
    def chosen(scheduler, sandbox=None):
        return batch_system(Profile("p", "/", scheduler=scheduler), sandbox).system

    assert isinstance(chosen("pbs"), Pbs)
    assert isinstance(chosen("slurm"), Slurm)
    assert isinstance(chosen("pbs", str(tmp_path)), Sandbox)
    assert isinstance(chosen("none", str(tmp_path)), Sandbox)
    with pytest.raises(UsageError, match="profile `p` has no batch system"):
        chosen("none")
    assert batch_system(Profile("p", "/"), str(tmp_path), nodes=3).system.nodes == 3
