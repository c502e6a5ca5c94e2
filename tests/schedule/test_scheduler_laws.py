"""Whatever happens in whatever order: resources are never exceeded, no job starts too early, every run ends."""

from __future__ import annotations

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from flowrules.model.events import (
    Action,
    Blocked,
    Capacity,
    Check,
    Checked,
    Closing,
    Cluster,
    Ended,
    Event,
    Forgotten,
    Granted,
    Impossible,
    Kill,
    Need,
    NodeBack,
    NodeCapacity,
    NodeGone,
    Planned,
    SchedJob,
    Skipped,
    Slot,
    Start,
    StopAsked,
    Tick,
    TooLate,
    Withdrawn,
)
from flowrules.schedule.core import Scheduler
from flowrules.schedule.queue import LOOK
from flowrules.schedule.simulate import simulate

GPUS = ("g0", "g1", "g2")
MACHINE = Capacity(4, memory=10, gpus=GPUS, limits={"x": 1.5})
NODES = {
    "n0": NodeCapacity("n0", (0, 1, 2, 3), 10, GPUS, ((0,), (1,)), {"x": 1.5}),
    "n1": NodeCapacity("n1", (0, 1, 2, 3), 10, GPUS, ((0,), (1,)), {"x": 1.5}),
    "n2": NodeCapacity("n2", (4, 7), 5, limits={"free": 1}),
}
NEEDS = st.builds(
    Need,
    cores=st.integers(1, 4),
    memory=st.sampled_from([0, 0, 1, 5, 10]),
    gpus=st.sampled_from([0, 0, 0.25, 0.5, 1, 2, 3]),
    custom=st.sampled_from([(), (("x", 1.0),), (("x", 0.5), ("free", 9.0))]),
    nodes=st.sampled_from([0, 0, 0, 1, 2, 3]),
)


def able(node: NodeCapacity, need: Need) -> bool:
    """Whether an empty node is enough for a job, or for one of its nodes."""
    return (
        need.cores <= len(node.cpus)
        and need.memory <= (node.memory or 0)
        and need.gpus <= len(node.gpus)
        and all(amount <= node.limits.get(name, 99) for name, amount in need.custom)
    )


class Run(RuleBasedStateMachine):
    """Plays the loop around a scheduler and keeps its own books."""

    @initialize(
        keep_going=st.booleans(),
        most=st.sampled_from([None, None, 2]),
        block=st.booleans(),
        until=st.sampled_from([None, None, 12.0]),
    )
    def begin(self, keep_going: bool, most: int | None, block: bool, until: float | None) -> None:
        place = Cluster(tuple(NODES.values())) if block else MACHINE
        self.scheduler = Scheduler(place, max_jobs=most, keep_going=keep_going, until=until)
        self.block = block
        self.up = set(NODES)
        self.waited: set[str] = set()
        self.until = until
        self.now = 0.0
        self.most = most
        self.too_many = False
        self.keep_going = keep_going
        self.jobs: dict[int, SchedJob] = {}
        self.needs: dict[int, set[int]] = {}
        self.running: dict[int, tuple[Need, Start]] = {}
        self.need_now: dict[int, Need] = {}
        self.asked: list[int] = []
        self.settled: set[int] = set()
        self.lost: set[int] = set()
        self.gone: set[int] = set()
        self.recalled: set[int] = set()
        self.killed: set[int] = set()
        self.demanded: set[int] = set()
        self.attempts: Counter[int] = Counter()
        self.finished = 0
        self.closed = False
        self.stopped = False
        self.closing = False

    def tell(self, event: Event) -> None:
        if isinstance(event, Planned):
            self.finished = 0
        for action in self.scheduler.advance(event):
            self.take(action)
        self.scheduler.sanity()

    def take(self, action: Action) -> None:
        if isinstance(action, Start):
            self.start(action)
        elif isinstance(action, Check):
            assert self.jobs[action.job].check
            assert action.job not in self.settled
            assert action.job not in self.running
            assert self.needs[action.job] <= self.settled
            self.asked.append(action.job)
        elif isinstance(action, Skipped):
            assert action.job not in self.settled
            self.settled.add(action.job)
        elif isinstance(action, Blocked):
            assert action.because in self.lost
            assert self.needs[action.job] & self.lost
            self.leave(action.job)
            self.lost.add(action.job)
        elif isinstance(action, Kill):
            assert action.job in self.running
            assert action.job not in self.killed
            self.killed.add(action.job)
        elif isinstance(action, Impossible):
            need = self.need_now[action.job]
            assert self.block
            usable = sum(able(NODES[name], need) for name in self.up | self.waited)
            assert usable < max(1, need.nodes)
            self.leave(action.job)
            self.gone.add(action.job)
        elif isinstance(action, TooLate):
            assert self.until is not None
            assert self.now + self.length(action.job) > self.until
            self.leave(action.job)
            self.gone.add(action.job)
        elif isinstance(action, Forgotten):
            assert self.closing or action.job in self.recalled or self.needs[action.job] & self.gone
            self.leave(action.job)
            self.gone.add(action.job)
        else:
            assert not self.running
            self.finished += 1
            assert self.finished == 1

    def leave(self, job: int) -> None:
        assert job not in self.settled | self.lost | self.gone
        assert job not in self.running

    def start(self, action: Start) -> None:
        job = action.job
        assert job in self.jobs
        assert job not in self.running
        assert job not in self.settled
        assert job not in self.lost | self.gone
        assert self.needs[job] <= self.settled
        assert not self.stopped
        assert action.attempt == self.attempts[job] + 1
        assert action.attempt == 1 or action.attempt <= self.jobs[job].retries + 1
        assert not self.closed or action.attempt > 1
        assert self.until is None or self.now + self.length(job) <= self.until
        assert set(action.slot.nodes) <= self.up
        self.attempts[job] += 1
        self.running[job] = (self.need_now[job], action)
        assert self.most is None or len(self.running) <= self.most

    def length(self, job: int) -> float:
        limit = self.jobs[job].limit
        return self.jobs[job].expected if limit is None else limit

    @rule(data=st.data(), count=st.integers(0, 8))
    def plan(self, data: st.DataObject, count: int) -> None:
        known = len(self.jobs)
        jobs = []
        for number in range(known, known + count):
            needs = data.draw(st.sets(st.integers(0, number - 1), max_size=3)) if number else set()
            job = SchedJob(
                number,
                tuple(sorted(needs)),
                check=data.draw(st.booleans()),
                need=data.draw(NEEDS),
                priority=data.draw(st.sampled_from([0, 0, 1])),
                expected=data.draw(st.sampled_from([1.0, 1.0, 5.0])),
                retries=data.draw(st.sampled_from([0, 0, 1, 2])),
                group=data.draw(st.sampled_from([None, "a", "b"])),
                limit=data.draw(st.sampled_from([None, None, 7.0])),
            )
            jobs.append(job)
            self.jobs[number] = job
            self.needs[number] = set(needs)
            self.need_now[number] = job.need
        again = data.draw(st.lists(st.sampled_from(sorted(self.jobs)), max_size=3)) if self.jobs else []
        self.tell(Planned(self.now, tuple(jobs + [self.jobs[n] for n in again])))

    @precondition(lambda self: self.running)
    @rule(
        data=st.data(),
        ok=st.sampled_from([True, True, False]),
        fatal=st.sampled_from([False, False, True]),
        withdrawn=st.sampled_from([False, False, True]),
    )
    def end(self, data: st.DataObject, ok: bool, fatal: bool, withdrawn: bool) -> None:
        job = data.draw(st.sampled_from(sorted(self.running)))
        more = data.draw(st.none() | NEEDS)
        self.end_one(job, ok, fatal, more, withdrawn)

    def end_one(
        self, job: int, ok: bool, fatal: bool = False, more: Need | None = None, withdrawn: bool = False
    ) -> None:
        del self.running[job]
        killed = job in self.killed
        self.killed.discard(job)
        again = not ok and not fatal and not self.stopped and not killed
        again = again and self.attempts[job] <= self.jobs[job].retries
        if withdrawn or (job in self.recalled and not ok):
            self.recalled.add(job)
        elif ok:
            self.settled.add(job)
            self.recalled.discard(job)
        elif not again:
            self.lost.add(job)
            self.closed = self.closed or not self.keep_going
        elif more is not None:
            self.need_now[job] = more
        self.tell(Ended(self.now, job, ok, more, fatal, withdrawn))

    @precondition(lambda self: self.asked)
    @rule(data=st.data(), run=st.booleans())
    def answer(self, data: st.DataObject, run: bool) -> None:
        job = data.draw(st.sampled_from(self.asked))
        self.asked.remove(job)
        demand: list[int] = []
        if run and data.draw(st.booleans()):
            self.demand(job, demand)
        if job not in self.lost | self.gone and run:
            self.settled -= set(demand)
        self.tell(Checked(self.now, job, run, tuple(demand)))

    def demand(self, job: int, order: list[int]) -> None:
        for need in sorted(self.needs[job]):
            if need not in order and need in self.settled and not self.attempts[need]:
                self.demand(need, order)
                order.append(need)

    @precondition(lambda self: self.jobs)
    @rule(kill=st.booleans(), rarely=st.integers(0, 9))
    def stop(self, kill: bool, rarely: int) -> None:
        if rarely == 0:
            self.stopped = self.closed = True
            self.tell(StopAsked(self.now, kill))

    @precondition(lambda self: self.jobs)
    @rule(rarely=st.integers(0, 19))
    def close(self, rarely: int) -> None:
        if rarely == 0:
            self.stopped = self.closed = self.closing = True
            self.tell(Closing(self.now))

    @precondition(lambda self: self.block)
    @rule(name=st.sampled_from(sorted(NODES)), waited=st.booleans(), back=st.booleans())
    def node(self, name: str, waited: bool, back: bool) -> None:
        self.up.discard(name)
        self.waited.discard(name)
        if back:
            self.up.add(name)
            self.tell(NodeBack(self.now, name))
        else:
            if waited:
                self.waited.add(name)
            self.tell(NodeGone(self.now, name, waited))

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        jobs = data.draw(st.lists(st.sampled_from(sorted(self.jobs)), min_size=1, max_size=2))
        self.recalled |= set(jobs) - self.settled - self.lost - self.gone
        self.tell(Withdrawn(self.now, tuple(jobs)))
        assert self.recalled & self.running.keys() <= self.killed

    @rule(most=st.sampled_from([None, 0, 1, 3]))
    def grant(self, most: int | None) -> None:
        self.most = most
        self.too_many = True
        self.tell(Granted(self.now, most))

    @rule(seconds=st.sampled_from([0.5, 1.0, 4.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.tell(Tick(self.now))

    @invariant()
    def nothing_is_exceeded(self) -> None:
        if not hasattr(self, "running"):
            return
        assert self.too_many or self.most is None or len(self.running) <= self.most
        if self.block:
            for name, node in NODES.items():
                here = [(need, start.slot) for need, start in self.running.values() if name in start.slot.nodes]
                self.check_node(node, here)
        else:
            self.check_place([(need, start.slot) for need, start in self.running.values()])

    def check_place(self, here: list[tuple[Need, Slot]], cores: int = 4, memory: int | None = 10) -> None:
        """No more than there is is used by jobs that share a place."""
        shares: Counter[str] = Counter()
        for need, slot in here:
            assert slot.cores == need.cores
            assert len(set(slot.gpus)) == (max(1, int(need.gpus)) if need.gpus else 0)
            for gpu in slot.gpus:
                shares[gpu] += min(need.gpus, 1)  # type: ignore[assignment]
        assert sum(need.cores for need, _ in here) <= cores
        assert sum(need.memory for need, _ in here) <= (memory or 0)
        assert sum(dict(need.custom).get("x", 0) for need, _ in here) <= 1.5
        assert all(share <= 1 for share in shares.values())

    def check_node(self, node: NodeCapacity, here: list[tuple[Need, Slot]]) -> None:
        """The same for a node, on which each thread has one job, and whole ones have one job."""
        assert all(able(node, need) for need, _ in here)
        if any(need.nodes for need, _ in here):
            ((need, slot),) = here
            assert len(set(slot.nodes)) == need.nodes
            assert slot.cores == sum(len(NODES[name].cpus) for name in slot.nodes)
            assert slot.cpus == NODES[slot.nodes[0]].cpus
            return
        self.check_place(here, len(node.cpus), node.memory)
        threads = [cpu for _, slot in here for cpu in slot.cpus]
        assert len(threads) == len(set(threads)) == sum(need.cores for need, _ in here)
        assert set(threads) <= set(node.cpus)
        assert {gpu for _, slot in here for gpu in slot.gpus} <= set(node.gpus)

    def teardown(self) -> None:
        """Let everything end: then the run is finished, once, and every job that could be settled is."""
        if not hasattr(self, "jobs"):
            return
        self.tell(Planned(self.now, ()))
        self.most = None
        self.tell(Granted(self.now, None))
        for name in sorted(self.waited):
            self.up.add(name)
            self.tell(NodeBack(self.now, name))
        while self.running or self.asked:
            while self.asked:
                self.tell(Checked(self.now, self.asked.pop(), True))
            for job in sorted(self.running):
                self.end_one(job, True)
        assert self.finished == 1
        if not self.closed:
            assert self.settled | self.lost | self.gone == set(self.jobs)
            assert not self.settled & (self.lost | self.gone)
            assert not self.lost & self.gone


Run.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestRun = Run.TestCase


def chains(count: int) -> list[SchedJob]:
    """Chains of three rules with different needs."""
    return [
        SchedJob(i, (i - 1,) if i % 3 else (), need=Need(1 + i % 3, memory=i % 2), expected=1 + i * 7919 % 97 / 10)
        for i in range(count)
    ]


def test_the_work_for_an_event_does_not_grow_with_the_number_of_jobs() -> None:
    capacity = Capacity(16, memory=12)
    small, large = simulate(chains(300), capacity), simulate(chains(6000), capacity)
    assert large.events == 6001
    assert large.looks / large.events < 1.2 * small.looks / small.events + 0.1


def test_many_shapes_are_not_all_looked_at() -> None:
    jobs = [SchedJob(i, need=Need(1, memory=1000 + i), expected=1) for i in range(2000)]
    result = simulate(jobs, Capacity(4, memory=9000))
    assert result.looks <= (LOOK + 1) * result.events


def test_a_simulated_run_takes_as_long_as_its_longest_path_or_its_work_allows() -> None:
    jobs = [SchedJob(0, expected=3), SchedJob(1, (0,), expected=4), SchedJob(2, expected=1), SchedJob(3, expected=2)]
    result = simulate(jobs, Capacity(2), keep_starts=True)
    assert result.makespan == 7
    assert result.starts == {0: 0, 3: 0, 2: 2, 1: 3}
    assert result.busy == 10
    assert simulate(jobs, Capacity(1)).makespan == 10
    assert simulate(jobs, Capacity(8), {1: 1.5}).makespan == 4.5
    assert simulate(jobs, Capacity(8), max_jobs=1).makespan == 10
    assert simulate([], Capacity(1)).makespan == 0


def test_jobs_that_may_run_do_in_a_simulation() -> None:
    jobs = [SchedJob(0, expected=3, check=True), SchedJob(1, (0,), expected=4, check=True)]
    assert simulate(jobs, Capacity(2)).makespan == 7


def test_longest_first_packs_a_heavy_tail() -> None:
    jobs = [SchedJob(i, expected=0.05 + (2.0 if i % 40 == 0 else (i * 7919 % 100) / 400)) for i in range(400)]
    result = simulate(jobs, Capacity(16))
    assert result.makespan <= 1.02 * max(result.busy / 16, 2.05)
