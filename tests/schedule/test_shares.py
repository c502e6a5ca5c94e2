"""Limits over a whole campaign: blocks with runners that read late, and drivers that die; the limit always holds."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
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
    Freed,
    Grant,
    Hand,
    Open,
    Returned,
)
from flowrules.model.events import Cluster, Ended, Finished, Need, NodeCapacity, Planned, SchedJob
from flowrules.model.profile import BlockShape, NodeShape
from flowrules.schedule.dispatch import Dispatcher
from flowrules.schedule.packing import pack
from flowrules.schedule.shares import split
from flowrules.schedule.simulate import simulate_blocks

NODE = NodeShape(cpus=4)
PLAN = BlockPlan(2, 6000.0)


def licensed(amount: float = 1, cores: int = 1) -> Need:
    return Need(cores, custom=(("licence", amount),))


def dispatcher(blocks: int, limit: float | None, local: int = 8, **more) -> Dispatcher:
    shape = BlockShape(nodes=2, walltime=6000.0, max=blocks)
    limits = {} if limit is None else {"licence": limit}
    more = {"keep_going": True, "local_jobs": local, **more}
    return Dispatcher(NODE, shape, lambda jobs: [PLAN] * blocks, limits=limits, **more)


class Runner:
    """A block's runner, as far as shares matter: it reads its inbox when it likes, and starts what it may."""

    def __init__(self) -> None:
        self.inbox: list[Grant | Hand] = []
        self.tokens: dict[str, float] = {}
        self.waiting: list[int] = []
        self.running: list[int] = []

    def read(self, count: int) -> None:
        some, self.inbox = self.inbox[:count], self.inbox[count:]
        for said in [said for said in some if isinstance(said, Grant)][-1:]:
            self.tokens = dict(said.tokens)
        self.waiting += [said.job for said in some if isinstance(said, Hand)]

    def start(self, jobs: dict[int, SchedJob], done: set[int]) -> None:
        most = self.tokens.get("licence", float("inf"))
        for job in list(self.waiting):
            fits = held(jobs, [*self.running, job]) <= most + 1e-9 or not jobs[job].need.custom
            if fits and set(jobs[job].needs) <= done:
                self.waiting.remove(job)
                self.running.append(job)


def held(jobs: dict[int, SchedJob], running: list[int]) -> float:
    return sum(dict(jobs[job].need.custom).get("licence", 0.0) for job in running)


class World:
    """Blocks, and the driver of the moment; each step something happens, in an order that nobody chose."""

    def __init__(self, jobs: list[SchedJob], limit: float, blocks: int, rng: random.Random) -> None:
        self.jobs = {job.id: job for job in jobs}
        self.limit, self.most, self.rng = limit, blocks, rng
        self.runners: dict[str, Runner] = {}
        self.begun: set[str] = set()
        self.local: list[int] = []
        self.done: set[int] = set()
        self.attempts: dict[int, int] = {}
        self.names = (f"b{n}" for n in range(1000))
        self.highest = 0.0
        self.finished = False
        self.now = 0.0
        self.drive()

    def drive(self) -> None:
        """A driver begins: it finds the blocks and what they hold."""
        self.driver = dispatcher(self.most, self.limit)
        where = {job: name for name, runner in self.runners.items() for job in self.held_by(runner)}
        for name, runner in self.runners.items():
            grants = [said for said in runner.inbox if isinstance(said, Grant)]
            tokens = dict(grants[-1].tokens) if grants else runner.tokens
            self.tell(BlockKnown(self.now, name, PLAN, None, tokens))
        jobs = []
        for job in self.jobs.values():
            if job.id not in self.done:
                held = (where[job.id], self.attempts[job.id]) if job.id in where else None
                jobs.append(SchedJob(job.id, job.needs, need=job.need, local=job.local, held=held, retries=9))
        self.tell(Planned(self.now, tuple(jobs)))
        for name in self.begun:
            self.tell(BlockBegan(self.now, name, self.now + 6000))

    def held_by(self, runner: Runner) -> list[int]:
        return [*runner.waiting, *runner.running, *(said.job for said in runner.inbox if isinstance(said, Hand))]

    def tell(self, event) -> None:
        for action in self.driver.advance(event):
            if isinstance(action, Open):
                name = next(self.names)
                self.runners[name] = Runner()
                self.runners[name].tokens = dict(action.tokens)
                self.tell(BlockKnown(self.now, name, action.plan, action.running, action.tokens))
            elif isinstance(action, Grant):
                self.runners[action.block].inbox.append(action)
            elif isinstance(action, Hand) and action.block == LOCAL:
                self.attempts[action.job] = action.attempt
                self.local.append(action.job)
            elif isinstance(action, Hand):
                self.attempts[action.job] = action.attempt
                self.runners[action.block].inbox.append(action)
            elif isinstance(action, Close):
                assert not self.held_by(self.runners[action.block])
                del self.runners[action.block]
                self.begun.discard(action.block)
                self.tell(BlockOver(self.now, action.block))
            elif isinstance(action, Finished):
                self.finished = True

    def step(self) -> None:
        self.now += 1.0
        rng = self.rng
        name = rng.choice([*self.runners, LOCAL])
        if name == LOCAL:
            if self.local and rng.random() < 0.5:
                self.end(self.local, LOCAL)
        elif name not in self.begun:
            self.begun.add(name)
            self.tell(BlockBegan(self.now, name, self.now + 6000))
        elif rng.random() < 0.03:
            self.lose(name)
        else:
            runner = self.runners[name]
            runner.read(rng.randint(0, len(runner.inbox)))
            runner.start(self.jobs, self.done)
            if runner.running and rng.random() < 0.7:
                self.end(runner.running, name)
        if rng.random() < 0.02:  # what runs beside it dies with a driver
            self.local.clear()
            self.drive()
        running = [*self.local, *(job for runner in self.runners.values() for job in runner.running)]
        self.highest = max(self.highest, held(self.jobs, running))

    def end(self, running: list[int], name: str) -> None:
        job = running.pop(self.rng.randrange(len(running)))
        self.done.add(job)
        self.tell(Ended(self.now, job, True))

    def lose(self, name: str) -> None:
        runner = self.runners[name]
        back = tuple(self.held_by(runner))
        self.tell(BlockClosing(self.now, name))
        del self.runners[name]
        self.begun.discard(name)
        self.tell(Returned(self.now, back))
        self.tell(BlockOver(self.now, name))


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10**9))
def test_the_limit_holds_whoever_dies_and_everything_ends(seed: int) -> None:
    rng = random.Random(seed)
    limit = rng.choice([1, 2, 3.5, 4])
    jobs = [
        SchedJob(
            n,
            tuple(rng.sample(range(n), min(n, rng.choice([0, 0, 0, 1])))),
            need=rng.choice([Need(), licensed(), licensed(1, 4), licensed(min(limit, 3)), licensed(0.5)]),
            local=rng.random() < 0.15,
        )
        for n in range(rng.randint(1, 40))
    ]
    world = World(jobs, limit, rng.randint(1, 3), rng)
    for _ in range(20_000):
        if world.finished and len(world.done) == len(jobs):
            break
        world.step()
    assert len(world.done) == len(jobs), "it does not end"
    assert world.highest <= limit


# ── by hand ──────────────────────────────────────────────────────────────────────────────────────────────────────


def begin(d: Dispatcher, jobs: list[SchedJob], blocks: int = 1) -> list:
    said = d.advance(Planned(0.0, tuple(jobs)))
    names = [f"b{n + 1}" for n in range(blocks)]
    opened = [action for action in said if isinstance(action, Open)]
    for name, action in zip(names, opened, strict=True):
        said = d.advance(BlockKnown(0.0, name, action.plan, action.running, action.tokens))
    found = list(said)
    for name in names:
        found += d.advance(BlockBegan(0.0, name, 6000.0))
    return found


def shares(actions: list) -> dict[str, float]:
    return {action.block: action.tokens["licence"] for action in actions if isinstance(action, Grant)}


def handed(actions: list) -> list[tuple[int, str]]:
    return [(action.job, action.block) for action in actions if isinstance(action, Hand)]


def test_a_block_that_waits_in_a_queue_is_handed_no_share() -> None:
    d = dispatcher(1, 2)
    said = d.advance(Planned(0.0, (SchedJob(0, need=licensed()), SchedJob(1))))
    (opened,) = [action for action in said if isinstance(action, Open)]
    assert opened.tokens == {"licence": 0.0}
    assert handed(d.advance(BlockKnown(0.0, "b1", PLAN, None, opened.tokens))) == [(1, "b1")]
    said = d.advance(BlockBegan(5.0, "b1", 6000.0))
    assert said[0] == Grant("b1", None, {"licence": 1.0}), "it is told before"
    assert handed(said) == [(0, "b1")]


def test_a_block_has_work_ahead_and_hears_of_its_share_once() -> None:
    d = dispatcher(1, 2)
    said = begin(d, [SchedJob(n, need=licensed(), expected=60.0) for n in range(10)])
    assert shares(said) == {"b1": 2.0} and len(handed(said)) == 4, "twice what runs at once"
    for n in range(5):
        said = d.advance(Ended(1.0, n, True))
        assert len(handed(said)) == 1 and shares(said) == {}
    d = dispatcher(1, 2)
    said = begin(d, [SchedJob(n, need=licensed(), expected=0.5) for n in range(200)])
    assert len(handed(said)) == 120, "half a minute of short jobs"


def test_what_one_block_cannot_use_another_has() -> None:
    d = dispatcher(2, 4)
    jobs = [SchedJob(n, need=licensed(), expected=600.0) for n in range(40)]
    said = begin(d, jobs, blocks=2)
    assert sum(shares(said).values()) == 4
    where = dict(handed(said))
    assert shares(said)["b1"] >= 1
    said = d.advance(BlockClosing(1.0, "b1"))
    mine = tuple(job for job, block in where.items() if block == "b1")
    said += d.advance(Returned(1.0, mine))
    assert shares(said) == {"b2": 4.0}


def test_a_block_has_no_more_than_it_can_use_at_once() -> None:
    d = dispatcher(1, 100)
    said = begin(d, [SchedJob(n, need=licensed(1, 4), expected=60.0) for n in range(40)])
    assert shares(said) == {"b1": 2.0}, "it has two nodes, and each job takes one"
    d = dispatcher(1, 100, max_jobs=3)
    said = begin(d, [SchedJob(n, need=licensed(1, 1), expected=60.0) for n in range(40)])
    assert shares(said) == {"b1": 3.0}


def test_who_waits_for_a_licence_holds_nobody_else_up_and_no_block_is_asked_for() -> None:
    d = dispatcher(1, 1)
    jobs = [SchedJob(n, need=licensed(), expected=60.0, priority=9) for n in range(300)]
    said = begin(d, [*jobs, *[SchedJob(n, expected=1.0) for n in range(300, 400)]])
    assert len(handed(said)) == 102
    assert not [action for action in said if isinstance(action, Open)]


def test_a_job_beside_the_driver_gets_its_turn() -> None:
    d = dispatcher(1, 1)
    jobs = [SchedJob(n, need=licensed(), expected=60.0) for n in range(10)]
    assert handed(begin(d, jobs)) == [(0, "b1"), (1, "b1")]
    assert handed(d.advance(Planned(1.0, (SchedJob(10, need=licensed(), local=True, priority=1),)))) == []
    assert handed(d.advance(Ended(2.0, 0, True))) == [], "the block is not handed what would keep its share"
    assert handed(d.advance(Ended(3.0, 1, True))) == [(10, LOCAL)]
    said = d.advance(Ended(4.0, 10, True))
    assert handed(said) == [(2, "b1"), (3, "b1")] and shares(said) == {}


def test_one_that_needs_nearly_all_is_waited_for() -> None:
    d = dispatcher(2, 4)
    jobs = [SchedJob(n, need=licensed(), expected=600.0) for n in range(60)]
    said = begin(d, jobs, blocks=2)
    there = [job for job, _ in handed(said)]
    said = d.advance(Planned(1.0, (SchedJob(99, need=licensed(4), expected=9.0, priority=5),)))
    assert handed(said) == []
    order = []
    for job in there:
        order += [job for job, _ in handed(d.advance(Ended(2.0, job, True)))]
    assert order[0] == 99


def test_a_driver_with_a_lower_limit_lowers_shares_and_one_without_lifts_them() -> None:
    for limit, told in ((2, {"licence": 2.0}), (None, {})):
        d = dispatcher(1, limit)
        d.advance(BlockKnown(0.0, "b7", PLAN, None, {"licence": 4.0}))
        jobs = tuple(SchedJob(n, need=licensed(), held=("b7", 1)) for n in range(8))
        said = d.advance(Planned(0.0, (*jobs, SchedJob(8, need=licensed(), local=True))))
        assert [action for action in said if isinstance(action, Grant)] == [Grant("b7", None, told)]
        assert bool(handed(said)) is (limit is None)


def test_what_is_no_job_of_the_plan_counts_until_it_has_ended() -> None:
    d = dispatcher(1, 2)
    d.advance(BlockKnown(0.0, "b7", PLAN, None, {"licence": 2.0}, (licensed(2),)))
    said = d.advance(Planned(0.0, (SchedJob(0, need=licensed(), local=True),)))
    assert handed(said) == []
    assert handed(d.advance(Freed(1.0, "b7", licensed(2)))) == [(0, LOCAL)]


# ── without a driver ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("limit", "blocks", "wanted"),
    [
        (4, [[1] * 8, [1] * 8], [2, 2]),
        (4, [[1] * 8, [1]], [3, 1]),
        (4, [[3, 1], [2, 2], [1]], [3, 0, 1]),
        (4, [[], [1, 1]], [0, 2]),
        (1.5, [[0.5] * 4, [0.5] * 4], [1.0, 0.5]),
    ],
)
def test_blocks_without_a_driver_part_what_there_is(limit, blocks, wanted) -> None:
    needs = [[licensed(amount) for amount in amounts] for amounts in blocks]
    assert [share["licence"] for share in split({"licence": limit}, needs)] == wanted


def starts(runs) -> Iterator[tuple[float, float]]:
    for run in runs:
        yield from ((start, start + 10.0) for start in run.starts.values())


def test_the_prediction_knows_the_limit() -> None:
    jobs = [SchedJob(n, need=licensed(), expected=10.0) for n in range(12)]
    nodes = Cluster((NodeCapacity("n0", (0, 1, 2, 3)),))
    runs = simulate_blocks([jobs[:6], jobs[6:]], nodes, max_jobs=[None, None], keep_starts=True, limits={"licence": 3})
    spans = list(starts(runs))
    assert max(run.makespan for run in runs) == 40.0
    assert max(sum(a <= t < b for a, b in spans) for t, _ in spans) == 3
    (block,) = pack(jobs, NODE, BlockShape(nodes=4, walltime=3600.0, max=2), limits={"licence": 2}).blocks
    assert (block.nodes, block.makespan) == (1, 60.0), "two at once are not worth more"
