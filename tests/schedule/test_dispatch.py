"""The dispatcher: which block is handed which job, played with blocks that begin late, end early and give back."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from flowrules.model.dispatch import (
    LOCAL,
    BlockBegan,
    BlockClosing,
    BlockKnown,
    BlockOver,
    BlockPlan,
    Close,
    Grant,
    Hand,
    NotYet,
    Open,
    OpenRefused,
    Returned,
)
from flowrules.model.events import Blocked, Check, Checked, Ended, Finished, Kill, Need, Planned, SchedJob, StopAsked
from flowrules.model.profile import BlockShape, GpuSlot, NodeShape
from flowrules.schedule.dispatch import Dispatcher
from flowrules.schedule.states import State

NODE = NodeShape(cpus=8, mem=64, gpus=(GpuSlot("0"), GpuSlot("1")))
PLAN = BlockPlan(2, 600.0)


def dispatcher(blocks: int = 1, *, plans: int | None = None, **more) -> Dispatcher:
    shape = BlockShape(nodes=2, walltime=600.0, max=blocks)
    return Dispatcher(NODE, shape, lambda jobs: [PLAN] * (plans or blocks), **more)


def job(id: int, *needs: int, **more) -> SchedJob:
    return SchedJob(id, needs, **{"need": Need(1), "expected": 10.0, **more})


class Play:
    """A dispatcher with the blocks it asked for."""

    def __init__(self, under_test: Dispatcher, *jobs: SchedJob) -> None:
        self.d = under_test
        self.now = 0.0
        self.handed: dict[int, Hand] = {}
        self.said: list[object] = []
        self.tell(Planned(0.0, jobs))

    def tell(self, event) -> None:
        todo = self.d.advance(event)
        self.said += todo
        for action in todo:
            if isinstance(action, Hand):
                self.handed[action.job] = action

    def take(self, kind: type) -> list:
        found = [action for action in self.said if isinstance(action, kind)]
        self.said = [action for action in self.said if not isinstance(action, kind)]
        return found

    def block(self, name: str = "b1", begin: bool = True) -> None:
        opened, *others = self.take(Open)
        self.said += others
        self.tell(BlockKnown(self.now, name, opened.plan, opened.running))
        if begin:
            self.tell(BlockBegan(self.now, name, self.now + opened.plan.walltime))

    def end(self, number: int, ok: bool = True) -> None:
        self.tell(Ended(self.now, number, ok))


def test_a_chain_goes_to_one_block_at_once() -> None:
    play = Play(dispatcher(), job(0), job(1, 0), job(2, 1))
    assert play.take(Hand) == []
    play.block()
    assert play.take(Hand) == [Hand(0, 1, "b1"), Hand(1, 1, "b1", (0,)), Hand(2, 1, "b1", (1,))]
    for number in range(3):
        play.end(number)
    assert play.take(Close) == [Close("b1")]
    assert play.take(Finished) == [Finished()]


def test_a_join_over_two_blocks_waits_for_all_but_one() -> None:
    play = Play(dispatcher(2), job(0, expected=500.0, need=Need(8)), job(1, expected=500.0, need=Need(8)), job(2, 0, 1))
    play.block("b1")
    play.block("b2")
    assert {hand.block for hand in play.take(Hand)} == {"b1", "b2"}
    play.end(0)
    (hand,) = play.take(Hand)
    assert (hand.job, hand.block, hand.after) == (2, play.handed[1].block, (1,))


def test_what_may_run_is_asked_when_its_needs_are_settled() -> None:
    play = Play(dispatcher(), job(0), job(1, 0, check=True), job(2, 1))
    play.block()
    assert [hand.job for hand in play.take(Hand)] == [0]
    play.end(0)
    assert play.take(Check) == [Check(1)]
    play.tell(Checked(0.0, 1, True))
    assert [hand.job for hand in play.take(Hand)] == [1, 2]


def test_a_failed_job_is_handed_again_and_those_behind_it_follow() -> None:
    play = Play(dispatcher(keep_going=True), job(0, retries=1), job(1, 0))
    play.block()
    play.take(Hand)
    play.end(0, ok=False)
    play.tell(Returned(0.0, (1,)))
    assert play.take(Hand) == [Hand(0, 2, "b1"), Hand(1, 1, "b1", (0,))]
    play.end(0, ok=False)
    play.tell(Returned(0.0, (1,)))
    assert play.take(Blocked) == [Blocked(1, 0)]
    assert play.take(Finished) == [Finished()]


def test_a_job_that_cannot_be_rendered_yet_waits_for_its_inputs() -> None:
    play = Play(dispatcher(), job(0), job(1, 0))
    play.block()
    play.take(Hand)
    play.tell(NotYet(0.0, 1))
    assert play.take(Hand) == []
    play.end(0)
    assert play.take(Hand) == [Hand(1, 1, "b1")]


def test_work_of_a_block_that_is_over_goes_to_the_next() -> None:
    play = Play(dispatcher(), job(0), job(1, 0))
    play.block()
    play.take(Hand)
    play.tell(BlockClosing(0.0, "b1"))
    play.tell(Returned(0.0, (1, 0)))
    play.tell(BlockOver(0.0, "b1"))
    play.block("b2")
    assert play.take(Hand) == [Hand(0, 1, "b2"), Hand(1, 1, "b2", (0,))]


def test_a_block_is_not_handed_more_than_its_time_allows() -> None:
    play = Play(dispatcher(), *[job(n, need=Need(8), expected=100.0) for n in range(30)])
    play.block()
    assert len(play.take(Hand)) == 10  # 2 nodes × (600 s − 60 s) × 0.95 are 1,026 node-seconds
    assert play.take(Open) == []  # there may be one block only


def test_most_jobs_at_once_are_split_over_blocks_and_handed_on() -> None:
    play = Play(dispatcher(2, max_jobs=5), *[job(n, need=Need(8), expected=200.0) for n in range(12)])
    assert [opened.running for opened in play.said if isinstance(opened, Open)] == [3, 2]
    play.block("b1")
    play.block("b2")
    held = [n for n, hand in play.handed.items() if hand.block == "b2"]
    play.tell(BlockClosing(0.0, "b2"))
    play.tell(Returned(0.0, tuple(held)))
    play.tell(BlockOver(0.0, "b2"))
    granted = sum(grant.running for grant in play.take(Grant)) or 3
    assert granted + sum(opened.running for opened in play.take(Open)) <= 5


def test_blocks_that_were_allowed_more_by_an_earlier_driver_are_lowered() -> None:
    under_test = dispatcher(3, max_jobs=6)
    for name, running in (("b1", 8), ("b2", None), ("b3", 2)):
        under_test.advance(BlockKnown(0.0, name, PLAN, running))
    under_test.advance(BlockClosing(0.0, "b3"))
    p = Play(under_test, job(0, held=("b1", 1)), job(1, held=("b2", 1)), job(2, held=("b3", 1)))
    assert p.take(Grant) == [Grant("b1", 2), Grant("b2", 2)]
    p.tell(Ended(1.0, 0, True))
    assert p.take(Grant) == []
    p.tell(Ended(1.0, 2, True))
    p.tell(BlockOver(2.0, "b3"))
    assert p.take(Grant) == [Grant("b2", 4)], "b1 has nothing to do any more and ends"


def test_several_blocks_keep_something_back_for_whoever_is_done_first() -> None:
    play = Play(dispatcher(2), *[job(n, need=Need(8)) for n in range(40)])
    play.block("b1")
    play.block("b2")
    blocks = [hand.block for hand in play.take(Hand)]
    assert 10 <= blocks.count("b1") <= 20 and 10 <= blocks.count("b2") <= 20
    assert len(blocks) < 40


def test_a_job_is_not_offered_to_a_block_that_cannot_run_it() -> None:
    play = Play(dispatcher(2), job(0), job(1))
    play.block("b1")
    play.tell(Returned(0.0, (0,)))
    assert play.take(Hand)[-1].block == "b1"
    play.tell(Returned(0.0, (0,), unfit=True))
    assert [hand for hand in play.take(Hand) if hand.job == 0] == []
    play.block("b2")
    assert play.take(Hand) == [Hand(0, 1, "b2")]


def test_a_job_that_lasts_longer_than_a_block_has_left_waits_for_another() -> None:
    play = Play(dispatcher(), job(0, expected=1.0, limit=300.0))
    play.block()
    assert len(play.take(Hand)) == 1
    play.now = 400.0
    play.tell(Returned(400.0, (0,)))
    assert play.take(Hand) == []


def test_what_no_block_can_hold_is_left() -> None:
    d = Dispatcher(NODE, BlockShape(nodes=2, walltime=600.0), lambda jobs: [])
    play = Play(d, job(0, limit=9_999.0))
    assert play.take(Finished) == [Finished()]
    assert d.state(0) is State.READY


def test_many_that_no_block_can_hold_keep_nobody_else_waiting() -> None:
    long = [job(n, limit=9_999.0, priority=9) for n in range(100)]
    play = Play(dispatcher(), *long, *[job(n) for n in range(100, 200)])
    play.block()
    assert {hand.job for hand in play.take(Hand)} == set(range(100, 200))
    for n in range(100, 200):
        play.end(n)
    assert play.take(Close) == [Close("b1")]
    play.tell(BlockOver(0.0, "b1"))
    assert play.take(Finished) == [Finished()]
    assert play.d.state(0) is State.READY


def test_jobs_without_time_in_a_block_keep_short_ones_not_waiting() -> None:
    play = Play(dispatcher(), *[job(n) for n in range(10)])
    play.block()
    play.now = 400.0
    play.take(Hand)
    play.tell(Planned(400.0, tuple(job(n, limit=300.0, priority=9) for n in range(10, 110))))
    play.tell(Planned(400.0, (job(200), job(201))))
    assert {hand.job for hand in play.take(Hand)} == {200, 201}


def test_an_empty_block_without_time_for_what_is_ready_makes_way_for_another() -> None:
    play = Play(dispatcher(), job(0, limit=500.0))
    play.block()
    play.now = 300.0
    play.tell(Returned(300.0, (0,)))
    assert play.take(Close) == [Close("b1")]
    play.tell(BlockOver(300.0, "b1"))
    play.block("b2")
    assert play.take(Hand)[-1] == Hand(0, 1, "b2")


def test_an_empty_block_stays_while_something_runs_that_others_wait_for() -> None:
    play = Play(dispatcher(2), *[job(n, need=Need(8)) for n in range(3)], job(9, 0, 1, 2, check=True))
    play.block("b1")
    play.block("b2")
    blocks = {n: play.handed[n].block for n in range(3)}
    alone = next(n for n in range(3) if list(blocks.values()).count(blocks[n]) == 1)
    play.end(alone)
    assert play.take(Close) == []
    for n in set(range(3)) - {alone}:
        play.end(n)
    assert play.take(Check) == [Check(9)]


def test_a_block_that_waits_in_its_queue_is_not_handed_what_others_could_do() -> None:
    jobs = [job(n, need=Need(8), expected=50.0) for n in range(16)]
    play = Play(dispatcher(2), *jobs)
    play.block("b1")
    play.block("b2", begin=False)
    blocks = [hand.block for hand in play.handed.values()]
    assert blocks.count("b2") == 4  # twice what runs there at once
    assert blocks.count("b1") >= 5


def test_what_follows_is_handed_over_in_advance_only_while_its_block_holds_less_than_its_part() -> None:
    chains = [job(n, *([n - 1] if n % 2 else []), need=Need(8), expected=100.0 if n % 2 else 1.0) for n in range(40)]
    play = Play(dispatcher(2), *chains)
    play.block("b1")
    play.block("b2")
    total, most = sum(each.expected for each in chains), 0.0
    for block in ("b1", "b2"):
        most = max(most, sum(chains[n].expected for n, hand in play.handed.items() if hand.block == block))
    assert most <= 0.75 * total / 2 + 100.0


def test_a_wide_join_is_not_looked_through_at_each_end() -> None:
    count = 400
    play = Play(dispatcher(), *[job(n, expected=0.1) for n in range(count)], job(count, *range(count), expected=0.1))
    play.block()
    needs = play.d._jobs.needs
    asked: list[int] = []
    play.d._jobs.needs = lambda number: asked.append(number) or needs(number)
    for n in range(count):
        play.end(n)
    assert asked.count(count) <= 2


def test_jobs_beside_the_driver_need_no_block() -> None:
    play = Play(dispatcher(), job(0, local=True), job(1, local=True), job(2, 0, local=True))
    assert play.take(Hand) == [Hand(0, 1, LOCAL)]
    play.end(0)
    assert play.take(Hand) == [Hand(1, 1, LOCAL)]
    assert play.take(Open) == []


def test_after_a_failure_blocks_end_and_give_back_what_has_not_started() -> None:
    play = Play(dispatcher(), job(0), job(1), job(2, 0))
    play.block()
    play.end(0, ok=False)
    assert play.take(Close) == [Close("b1")]
    play.tell(Returned(0.0, (1, 2)))
    assert play.take(Blocked) == [Blocked(2, 0)]
    assert play.take(Finished) == [Finished()]


def test_a_group_stays_together() -> None:
    jobs = [job(n, need=Need(8), group=f"g{n % 2}") for n in range(8)]
    play = Play(dispatcher(2), *jobs)
    play.block("b1")
    play.block("b2")
    for label in (0, 1):
        assert len({play.handed[n].block for n in range(label, 8, 2)}) == 1


def test_stopping() -> None:
    play = Play(dispatcher(), job(0), job(1))
    play.block()
    play.take(Hand)
    play.tell(StopAsked(0.0, True))
    assert play.take(Kill) == [Kill(0), Kill(1)]
    play.tell(Returned(0.0, (0, 1)))
    assert play.take(Finished) == [Finished()]


def test_where_no_block_can_be_had_it_ends() -> None:
    play = Play(dispatcher(), job(0))
    play.tell(OpenRefused(0.0, play.take(Open)[0].plan))
    assert play.take(Finished) == [Finished()]
    assert play.d.state(0) is State.READY


def test_what_an_earlier_driver_handed_over_is_adopted() -> None:
    d = dispatcher()
    d.advance(BlockKnown(0.0, "b7", PLAN))
    play = Play(d, job(0, held=("b7", 2), retries=2), job(1, 0))
    assert play.take(Hand) == [Hand(1, 1, "b7", (0,))]
    play.end(0, ok=False)
    play.tell(Returned(0.0, (1,)))
    assert play.take(Hand)[0] == Hand(0, 3, "b7")


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**9))
def test_every_job_ends_whatever_blocks_do(seed: int) -> None:
    rng = random.Random(seed)
    count = rng.randint(1, 25)
    jobs = [
        job(
            n,
            *rng.sample(range(n), min(n, rng.choice([0, 0, 1, 1, 2]))),
            need=Need(rng.randint(1, 8), gpus=rng.choice([0, 0.5, 1, 2])),
            expected=rng.choice([1.0, 20.0, 200.0]),
            retries=rng.choice([0, 2]),
            check=rng.random() < 0.15,
            local=rng.random() < 0.1,
            group=rng.choice([None, None, "a"]),
        )
        for n in range(count)
    ]
    most = rng.choice([None, 1, 3])
    d = dispatcher(rng.randint(1, 3), max_jobs=most, keep_going=True, local_jobs=2)
    needs = {j.id: j.needs for j in jobs}
    holds: dict[str, list[int]] = {LOCAL: []}
    granted: dict[str, int | None] = {}
    todo: list = d.advance(Planned(0.0, tuple(jobs)))
    done: set[int] = set()
    names = iter(f"b{n}" for n in range(10_000))
    begun: set[str] = set()
    for step in range(20_000):
        now = float(step)
        while todo:
            action = todo.pop(0)
            if isinstance(action, Open):
                name = next(names)
                holds[name], granted[name] = [], action.running
                todo += d.advance(BlockKnown(now, name, action.plan, action.running))
            elif isinstance(action, Hand):
                if not set(action.after) <= set(holds[action.block]):
                    todo += d.advance(Returned(now, (action.job,)))  # one of them was not handed over after all
                    continue
                assert all(n in done or n in holds[action.block] for n in needs[action.job])
                assert set(action.after) == {n for n in needs[action.job] if n not in done}
                if rng.random() < 0.05 and action.after:
                    todo += d.advance(NotYet(now, action.job))
                else:
                    holds[action.block].append(action.job)
            elif isinstance(action, Check):
                run = rng.random() < 0.5
                if not run:
                    done.add(action.job)
                todo += d.advance(Checked(now, action.job, run))
            elif isinstance(action, Grant):
                granted[action.block] = action.running
            elif isinstance(action, Close):
                assert not holds[action.block]
                del holds[action.block], granted[action.block]
                todo += d.advance(BlockOver(now, action.block))
            elif isinstance(action, Finished):
                assert not any(holds.values())
                assert all(d.state(j.id) in (State.DONE, State.SKIPPED, State.FAILED, State.BLOCKED) for j in jobs)
                return
            if most is not None:
                assert sum(n or 0 for n in granted.values()) <= most
        block = rng.choice([name for name in holds])
        if block != LOCAL and block not in begun:
            begun.add(block)
            todo += d.advance(BlockBegan(now, block, now + 600.0))
        elif block != LOCAL and rng.random() < 0.05:
            back = tuple(holds.pop(block))
            granted.pop(block)
            todo += d.advance(BlockClosing(now, block))
            todo += d.advance(Returned(now, back))
            todo += d.advance(BlockOver(now, block))
        elif holds[block]:
            number = next((n for n in holds[block] if set(needs[n]) <= done), None)
            if number is None:
                continue
            holds[block].remove(number)
            ok = rng.random() < 0.9
            if ok:
                done.add(number)
            todo += d.advance(Ended(now, number, ok))
            if not ok:
                lost = [number]
                for gone in lost:
                    lost += [n for n in holds[block] if gone in needs[n] and n not in lost]
                back = tuple(n for n in lost[1:])
                holds[block] = [n for n in holds[block] if n not in back]
                todo += d.advance(Returned(now, back))
    raise AssertionError("it does not end")


def test_where_no_further_block_may_be_asked_for_nothing_is_packed() -> None:
    packed: list[int] = []

    def pack(jobs) -> list[BlockPlan]:
        packed.append(len(jobs))
        return [PLAN]

    shape = BlockShape(nodes=2, walltime=600.0, max=1)
    # twice what the block has time for, so that it never has room for all
    jobs = [job(n, need=Need(8), expected=100.0) for n in range(24)]
    play = Play(Dispatcher(NODE, shape, pack), *jobs)
    play.block()
    assert packed == [24]
    held = sorted(play.handed)
    assert 0 < len(held) < 24
    play.now = 400.0  # jobs take longer than was expected
    for number in held[:4]:
        play.end(number)
    assert packed == [24], "the one block there may be is there"
    play.tell(BlockClosing(play.now, "b1"))
    play.tell(BlockOver(play.now, "b1"))
    assert len(packed) == 2 and len(play.take(Open)) == 1
