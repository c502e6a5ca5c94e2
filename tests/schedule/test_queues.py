"""Queues: which admit a block, which is best, what is missing, and how many batch jobs they take."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowrules.errors import UsageError
from flowrules.model.batch import QueueToday
from flowrules.model.profile import BlockShape, Profile, Queue, Route
from flowrules.schedule.queues import Taken, at_once, choose, enlarged, fitting, full, lacks, no_queue, room, way_out
from flowrules.schedule.today import of_today

HOUR = 3600.0

DEBUG = Queue("debug", (1, 2), (300, HOUR), jobs_per_user=1)
SCALING = Queue("debug-scaling", (1, 10), (300, HOUR), jobs_per_user=1)
PROD = Queue(
    "prod",
    (10, 496),
    (300, 24 * HOUR),
    queued_per_project=100,
    routes=(
        Route("small", (10, 24), (300, 3 * HOUR)),
        Route("medium", (25, 99), (300, 6 * HOUR)),
        Route("large", (100, 496), (300, 24 * HOUR)),
    ),
)
PREEMPTABLE = Queue("preemptable", (1, 10), (300, 72 * HOUR), jobs_per_project=20, rerunnable=True)
POLARIS = (DEBUG, SCALING, PROD, PREEMPTABLE)


def names(nodes: int, walltime: float) -> list[str]:
    return [offer.queue.name for offer in fitting(POLARIS, nodes, walltime)]


def profile(queue: str = "auto", queues: tuple[Queue, ...] = POLARIS) -> Profile:
    return Profile("polaris", "p", queue=queue, queues=queues)


def test_best_first():
    assert names(1, HOUR) == ["debug", "debug-scaling", "preemptable"]
    assert names(3, HOUR) == ["debug-scaling", "preemptable"]
    assert names(10, HOUR) == ["debug-scaling", "prod", "preemptable"], "one that is stopped comes last"
    assert names(10, 2 * HOUR) == ["prod", "preemptable"]
    assert names(3, 2 * HOUR) == ["preemptable"]
    assert names(200, 20 * HOUR) == ["prod"]
    assert names(500, HOUR) == names(3, 73 * HOUR) == []


def test_walltime_of_a_route():
    assert lacks(PROD, 10, 3 * HOUR) == ()
    assert lacks(PROD, 10, 3 * HOUR + 1) == ("at most 3h with 10 nodes (`small`)",)
    assert lacks(PROD, 25, 6 * HOUR) == ()
    assert lacks(PROD, 99, 7 * HOUR) == ("at most 6h with 99 nodes (`medium`)",)
    assert lacks(PROD, 496, 24 * HOUR) == ()
    gap = Queue("gap", (1, 100), routes=(Route("few", (1, 4)), Route("many", (50, 100))))
    assert lacks(gap, 10, HOUR) == ("it leads to no queue for 10 nodes",)


def test_both_things_that_are_missing_are_told():
    assert lacks(DEBUG, 3, 2 * HOUR) == ("at most 2 nodes", "at most 1h")
    assert lacks(PROD, 1, 25 * HOUR) == ("at least 10 nodes", "at most 1d")


def test_short_blocks_ask_for_the_least_walltime():
    (offer, *_) = fitting(POLARIS, 1, 60)
    assert (offer.queue, offer.walltime, offer.nodes, offer.spare) == (DEBUG, 300, 1, 0)


def test_no_queue_is_told_with_a_way_out():
    assert no_queue(POLARIS, 500, HOUR) == (
        "a block of 500 nodes for 1h fits no queue (`debug`: at most 2 nodes; `debug-scaling`: at most 10 nodes; "
        "`prod`: at most 496 nodes; `preemptable`: at most 10 nodes)"
    )
    assert no_queue((DEBUG,), 1, 2 * HOUR) == "a block of 1 node for 2h does not fit the queue `debug`: at most 1h"
    assert way_out(POLARIS, 500, HOUR) == "it would fit with 496 nodes"
    assert way_out((SCALING, PROD), 5, 2 * HOUR) == "it would fit with 10 nodes (`prod`) or 1h"
    assert way_out((PROD,), 10, 5 * HOUR) == "it would fit with 25 nodes (`prod`) or 3h"
    assert way_out((DEBUG,), 5, 2 * HOUR) is None, "one change does not do"


def test_more_nodes_than_wanted():
    (offer,) = enlarged((DEBUG, PROD), 3, 2 * HOUR)
    assert (offer.queue, offer.nodes, offer.spare) == (PROD, 10, 7)
    (offer,) = enlarged((DEBUG, PROD), 3, 4 * HOUR)
    assert (offer.nodes, offer.spare) == (25, 22), "the next route takes longer ones"
    assert enlarged(POLARIS, 500, HOUR) == []


def test_choice_by_the_program():
    assert choose(profile(), 10, HOUR).queue is SCALING
    assert choose(profile(), 10, HOUR, {"debug-scaling": Taken(user=1)}).queue is PROD
    full = {"debug-scaling": Taken(user=1), "prod": Taken(queued=100), "preemptable": Taken(project=20)}
    assert choose(profile(), 10, HOUR, full).queue is SCALING, "where none has room the best is waited for"


def test_choice_of_the_user():
    assert choose(profile("prod"), 10, HOUR).queue is PROD
    with pytest.raises(UsageError) as caught:
        choose(profile("prod"), 3, HOUR)
    assert caught.value.message == "a block of 3 nodes for 1h does not fit the queue `prod`: at least 10 nodes"
    assert caught.value.hint == "it would fit with 10 nodes (`prod`)"
    with pytest.raises(UsageError) as caught:
        choose(profile("prd"), 3, HOUR)
    assert caught.value.hint == "did you mean `prod`?"


def test_no_queues_listed():
    assert choose(profile(queues=()), 10**6, inf).queue == Queue("")
    assert choose(profile("night", ()), 1, HOUR).queue == Queue("night")


def test_limits():
    assert room(PROD, Taken(user=5, project=110, queued=99)) == 1
    assert room(PROD, Taken(queued=101)) == 0
    assert room(Queue("any"), Taken(10**6, 10**6, 10**6)) == inf
    assert full(SCALING, Taken(user=1)) == ("it takes 1 batch jobs of one user at once, there is 1",)
    assert full(PREEMPTABLE, Taken(project=19)) == ()
    assert full(PROD, Taken(queued=100)) == ("it takes 100 waiting batch jobs of the project, there are 100",)


RANGES = st.tuples(st.integers(1, 20), st.none() | st.integers(0, 20)).map(
    lambda pair: (pair[0], None if pair[1] is None else pair[0] + pair[1])
)
QUEUES = st.builds(
    Queue,
    st.sampled_from("abc"),
    RANGES,
    RANGES,
    routes=st.lists(st.builds(Route, st.just("r"), RANGES, RANGES), max_size=2).map(tuple),
)


@given(st.lists(QUEUES, max_size=4), st.integers(1, 50), st.integers(1, 50))
def test_laws(queues, nodes, walltime):
    offers = fitting(queues, nodes, walltime)
    assert len(offers) == sum(not lacks(queue, nodes, walltime) for queue in queues)
    for offer in [*offers, *enlarged(queues, nodes, walltime)]:
        queue = offer.queue
        assert queue.nodes[0] <= offer.nodes == nodes + offer.spare
        assert offer.walltime >= max(walltime, queue.walltime[0])
        assert not lacks(queue, offer.nodes, walltime)
    if queues and not offers:
        assert no_queue(queues, nodes, walltime)
        way_out(queues, nodes, walltime)


# as they are today


def today(*queues: QueueToday) -> dict[str, QueueToday]:
    return {queue.name: queue for queue in queues}


ALL = today(
    *(QueueToday(name) for name in ("debug", "debug-scaling", "preemptable")),
    QueueToday("prod", leads_to=("small", "medium", "large")),
)


def test_queues_that_are_as_the_profile_says():
    assert of_today(profile(), ALL) == (profile(), [])
    assert of_today(profile(queues=()), ALL) == (profile(queues=()), [])
    assert of_today(profile("R77", queues=()), {**ALL, **today(QueueToday("R77"))})[1] == []


@pytest.mark.parametrize(
    ("change", "left", "told"),
    [
        (
            QueueToday("debug", enabled=False),
            "debug-scaling prod preemptable",
            "the queue `debug` takes no batch jobs today",
        ),
        (
            QueueToday("prod", direct=False),
            "debug debug-scaling preemptable",
            "the queue `prod` takes batch jobs from other queues only",
        ),
        (
            QueueToday("debug", started=False),
            "debug-scaling prod preemptable",
            "the queue `debug` is stopped: what is submitted to it does not start before that changes",
        ),
        (
            QueueToday("debug", nodes=(1, 1)),
            "debug debug-scaling prod preemptable",
            "the queue `debug` takes 1 to 1 nodes today, the profile says 1 to 2",
        ),
        (QueueToday("debug", nodes=(1, 99), walltime=(0.0, 9e9)), "debug debug-scaling prod preemptable", ""),
        (
            QueueToday("debug", walltime=(0.0, 1800.0)),
            "debug debug-scaling prod preemptable",
            "the queue `debug` takes 30min at most today, the profile says 1h",
        ),
        (
            QueueToday("small", walltime=(0.0, HOUR)),
            "debug debug-scaling prod preemptable",
            "the queue `small` takes 1h at most today, the profile says 3h",
        ),
        (
            QueueToday("prod", leads_to=("small", "medium", "huge")),
            "debug debug-scaling prod preemptable",
            "the queue `prod` does not lead to `large` today",
        ),
        (
            QueueToday("large", enabled=False),
            "debug debug-scaling prod preemptable",
            "the queue `prod` does not lead to `large` today",
        ),
    ],
)
def test_what_has_changed_is_told(change: QueueToday, left: str, told: str):
    now, words = of_today(profile(), {**ALL, change.name: change})
    assert [queue.name for queue in now.queues] == left.split()
    assert words == ([told] if told else [])


def test_limits_are_those_that_both_allow():
    now, _ = of_today(profile(), {**ALL, **today(QueueToday("debug", walltime=(600.0, 1800.0), jobs_per_user=5))})
    assert now.queues[0] == Queue("debug", (1, 2), (600.0, 1800.0), jobs_per_user=1)
    now, _ = of_today(profile(), {**ALL, **today(QueueToday("prod", nodes=(20, None), jobs_per_user=5))})
    assert (now.queues[2].nodes, now.queues[2].jobs_per_user) == ((20, 496), 5)
    with pytest.raises(UsageError, match="does not fit the queue `debug`: at most 30min"):
        choose(of_today(profile(), today(QueueToday("debug", walltime=(0.0, 1800.0))))[0], 1, HOUR)


def test_stopped_queues_are_taken_where_there_is_no_better_or_one_is_named():
    stopped = {name: QueueToday(name, started=False) for name in ALL}
    now, words = of_today(profile(), stopped)
    assert now.queues == POLARIS and len(words) == 4
    now, words = of_today(profile("debug"), {**ALL, **today(QueueToday("debug", started=False))})
    assert choose(now, 1, 600).queue.name == "debug"
    assert words == ["the queue `debug` is stopped: what is submitted to it does not start before that changes"]


@pytest.mark.parametrize(
    ("which", "known", "message", "hint"),
    [
        (
            profile(),
            today(QueueToday("work")),
            "no batch job can be submitted: `debug` does not exist; `debug-scaling` does not exist; `prod` does not exist; `preemptable` does not exist",
            "`--set queue=NAME` names another queue",
        ),
        (
            profile("debug"),
            today(QueueToday("debgu")),
            "no batch job can be submitted: `debug` does not exist",
            "did you mean `debgu`?",
        ),
        (
            profile("debug"),
            {**ALL, **today(QueueToday("debug", enabled=False))},
            "no batch job can be submitted: `debug` takes no batch jobs today",
            "`--set queue=NAME` names another queue",
        ),
        (profile("prdo", queues=()), ALL, "the queue `prdo` does not exist", "did you mean `prod`?"),
    ],
)
def test_without_a_queue_nothing_is_submitted(which: Profile, known: dict, message: str, hint: str):
    with pytest.raises(UsageError) as error:
        of_today(which, known)
    assert (error.value.message, error.value.hint) == (message, hint)


@pytest.mark.parametrize(
    "queues,most",
    [
        ((), 8),
        ((Queue("q"),), 8),
        ((Queue("q", jobs_per_user=3),), 3),
        ((Queue("q", jobs_per_user=3, jobs_per_project=2),), 2),
        ((Queue("q", jobs_per_user=3), Queue("r", jobs_per_user=1)), 4),
        ((Queue("q", jobs_per_user=3), Queue("r")), 8),
        ((Queue("q", jobs_per_user=0),), 1),
    ],
)
def test_no_more_blocks_are_asked_for_than_queues_let_one_have(queues: tuple[Queue, ...], most: int) -> None:
    assert at_once(Profile("p", "p", blocks=BlockShape(max=8), queues=queues)).max == most
