"""A whole campaign in virtual time: the driver's dispatcher, a batch system with limits, blocks with their schedulers.

Every decision is that of the code that decides in a real campaign; only starting, waiting and failing are made up, by
a `World`. Jobs are handed over in turns of the driver, as in life: what ends in between waits for the next one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from math import ceil
from typing import Final, Protocol

from flowrules.model.block import usable
from flowrules.model.dispatch import (
    BlockBegan,
    BlockClosing,
    BlockKnown,
    BlockOver,
    BlockPlan,
    Close,
    DispatchAction,
    DispatchEvent,
    Grant,
    Hand,
    Open,
    Returned,
)
from flowrules.model.events import (
    Action,
    Blocked,
    Check,
    Checked,
    Closing,
    Ended,
    Event,
    Finished,
    Forgotten,
    Granted,
    Impossible,
    NodeGone,
    Planned,
    SchedJob,
    Start,
    TooLate,
)
from flowrules.model.profile import Profile
from flowrules.schedule.core import Scheduler
from flowrules.schedule.dispatch import Dispatcher
from flowrules.schedule.nodes import cluster_of
from flowrules.schedule.packing import pack
from flowrules.schedule.queues import Taken, at_once, choose, room

TURN: Final = 2.0
"""Seconds between two looks of the driver at the logs of its blocks."""

END, LOSS, BEGIN, OVER, LOOK = range(5)
"""What may happen: an attempt ends, a node is lost, a block begins, its walltime is over, the driver looks."""


class World(Protocol):
    """What befalls a campaign. Each question is asked once, so the answers may be drawn."""

    def runs(self, job: SchedJob, attempt: int) -> tuple[float, bool]:
        """Seconds that an attempt takes, and whether it ends well."""

    def waits(self, block: int, plan: BlockPlan) -> float:
        """Seconds that a batch job waits in its queue."""

    def losses(self, block: int, plan: BlockPlan) -> Iterable[tuple[float, int]]:
        """Nodes of a block that are lost: seconds since it began, and the number of the node."""


@dataclass(slots=True)
class Outcome:
    """What came of a campaign.

    Attributes:
        makespan: seconds from the first look of the driver to its last.
        done, failed: jobs, blocked ones counted as failed.
        attempts: how many were started; cut: of these, how many were lost with a node or at the end of a walltime.
        blocks: how many began; most: at once.
        used, paid: core seconds of attempts that ended well, and of the nodes of all blocks.
        events: told to the dispatcher and the schedulers of blocks.
    """

    makespan: float = 0.0
    done: int = 0
    failed: int = 0
    attempts: int = 0
    cut: int = 0
    blocks: int = 0
    most: int = 0
    used: float = 0.0
    paid: float = 0.0
    events: int = 0

    @property
    def utilization(self) -> float:
        """Part of the core seconds paid for that brought a result."""
        return self.used / self.paid if self.paid else 0.0


def simulate_campaign(
    jobs: Sequence[SchedJob], profile: Profile, world: World, *, max_jobs: int | None = None, turn: float = TURN
) -> Outcome:
    """Run jobs with a batch profile in virtual time; failures block only what needs them.

    Args:
        max_jobs: at most so many run at once, all blocks together.
        turn: seconds between two looks of the driver.

    Raises:
        ValueError: jobs need each other in a circle, or a need makes no sense.
        UsageError: a block fits no queue.
    """
    return _Campaign(jobs, profile, world, max_jobs, turn).run()


class _Campaign:
    """Driver and batch system."""

    def __init__(
        self, jobs: Sequence[SchedJob], profile: Profile, world: World, max_jobs: int | None, turn: float
    ) -> None:
        self.outcome = Outcome()
        self.world = world
        self.node = profile.node
        self.by_id = {job.id: job for job in jobs}
        self._profile = profile
        self._turn = turn
        self._shape = at_once(profile)
        self._dispatcher = Dispatcher(profile.node, self._shape, self._packed, max_jobs=max_jobs, keep_going=True)
        self._max_jobs = max_jobs
        self._heap: list[tuple[float, int, int, int, int]] = []
        self._order = count()
        self._blocks: list[_Block | None] = []  # None for those that are over
        self._waiting: list[_Block] = []  # until their queue takes them
        self._taken: dict[str, int] = {}
        self._news: list[DispatchEvent] = []
        self._looks = False
        self._finished = False

    def run(self) -> Outcome:
        """From the plan to the end."""
        self._hear([Planned(0.0, tuple(self.by_id.values()))], 0.0)
        while self._heap and not self._finished:
            now, _, kind, index, number = heappop(self._heap)
            block = self._blocks[index]
            if kind == LOOK:
                self._looks = False
                news, self._news = self._news, []
                self._hear(news, now)
                self.outcome.makespan = now
            elif block is None:
                continue
            elif kind == END:
                block.end(number, now)
            elif kind == BEGIN:
                block.begin(now)
            elif kind == LOSS:
                block.lose(number, now)
            else:
                block.stop(now)
        return self.outcome

    def at(self, time: float, kind: int, block: int, number: int = 0) -> None:
        """Let something happen."""
        heappush(self._heap, (time, next(self._order), kind, block, number))

    def tell(self, news: DispatchEvent) -> None:
        """Tell the driver, which hears it when it looks next."""
        self._news.append(news)
        if not self._looks:
            self._looks = True
            self.at((ceil(news.now / self._turn + 1e-9)) * self._turn, LOOK, 0)

    # ── the driver ───────────────────────────────────────────────────────────────────────────────────────────────

    def _packed(self, jobs: Sequence[SchedJob]) -> list[BlockPlan]:
        packing = pack(jobs, self._profile.node, self._shape, max_jobs=self._max_jobs, waves=1)
        return [BlockPlan(block.nodes, block.walltime) for block in packing.blocks]

    def _hear(self, news: Sequence[DispatchEvent], now: float) -> None:
        """One turn: conclude from the news, and hand over what follows, each block's tasks at once."""
        touched: dict[int, _Block] = {}
        while news:
            self.outcome.events += len(news)
            actions = self._dispatcher.advance(*news)
            news = [answer for action in actions for answer in self._perform(action, touched, now)]
        for block in touched.values():
            block.plan_taken(now)

    def _perform(self, action: DispatchAction, touched: dict[int, _Block], now: float) -> Iterator[DispatchEvent]:
        """Do what the driver would, and say what it hears of that at once."""
        block = self._blocks[int(action.block)] if isinstance(action, Hand | Grant | Close) else None
        match action:
            case Hand() if block is None or block.closed:
                yield Returned(now, (action.job,))
            case Hand() if block is not None:
                block.take(self.by_id[action.job], action)
                touched[block.index] = block
            case Grant() if block is not None:
                block.grant(action.running, now)
            case Close() if block is not None:
                block.close(now)
            case Open():
                yield self._open(action, now)
            case Check():
                yield Checked(now, action.job, True)
            case Blocked():
                self.outcome.failed += 1
            case Finished():
                self._finished = True

    # ── the batch system ─────────────────────────────────────────────────────────────────────────────────────────

    def _open(self, action: Open, now: float) -> BlockKnown:
        index = len(self._blocks)
        taken = {name: Taken(user, user) for name, user in self._taken.items()}
        offer = choose(self._profile, action.plan.nodes, action.plan.walltime, taken)
        plan = BlockPlan(offer.nodes, offer.walltime)
        block = _Block(self, index, plan, offer.queue.name, action.running)
        self._blocks.append(block)
        self._waiting.append(block)
        self._submit(now)
        return BlockKnown(now, str(index), action.plan, action.running)

    def _submit(self, now: float) -> None:
        """Submit blocks whose queue takes one more."""
        queues = {queue.name: queue for queue in self._profile.queues}
        held: list[_Block] = []
        for block in self._waiting:
            there = self._taken.get(block.queue, 0)
            if block.queue in queues and room(queues[block.queue], Taken(there, there)) < 1:
                held.append(block)
                continue
            self._taken[block.queue] = there + 1
            block.submitted = True
            self.at(now + self.world.waits(block.index, block.plan), BEGIN, block.index)
        self._waiting = held

    def bury(self, block: _Block, now: float) -> None:
        """A block is over: its queue may take another."""
        self._blocks[block.index] = None
        if block.submitted:
            self._taken[block.queue] -= 1
        else:
            self._waiting.remove(block)
        self._submit(now)
        self.tell(BlockOver(now, str(block.index)))

    def count_blocks(self) -> None:
        """One more has begun."""
        self.outcome.blocks += 1
        self.outcome.most = max(self.outcome.most, sum(block is not None and block.begun for block in self._blocks))


class _Block:
    """One block: its tasks, numbered as they come, and the scheduler of its runner."""

    def __init__(self, campaign: _Campaign, index: int, plan: BlockPlan, queue: str, running: int | None) -> None:
        self.index = index
        self.plan = plan
        self.queue = queue
        self.submitted = self.begun = self.closed = False
        self._campaign = campaign
        self._running = running
        self._scheduler: Scheduler | None = None
        self._inbox: list[SchedJob] = []
        self._tasks: list[tuple[int, int]] = []  # job and attempt of each
        self._number: dict[int, int] = {}  # of the latest task of a job
        self._unstarted: set[int] = set()
        self._runs: dict[int, tuple[float, bool, tuple[str, ...]]] = {}  # when it began, whether it ends well, where
        self._names: list[str] = []
        self._began = 0.0

    # ── tasks ────────────────────────────────────────────────────────────────────────────────────────────────────

    def take(self, job: SchedJob, hand: Hand) -> None:
        """A task for the next `plan_taken`."""
        number = self._number[job.id] = len(self._tasks)
        self._tasks.append((job.id, hand.attempt))
        self._inbox.append(job.numbered(number, [self._number[need] for need in hand.after]))

    def plan_taken(self, now: float) -> None:
        """Hand what was taken to the scheduler, once there is one."""
        if self._scheduler is not None and self._inbox:
            inbox, self._inbox = self._inbox, []
            self._unstarted.update([job.id for job in inbox])
            self._advance(Planned(now, tuple(inbox)))

    def grant(self, running: int | None, now: float) -> None:
        self._running = running
        if self._scheduler is not None:
            self._advance(Granted(now, running))

    def end(self, number: int, now: float) -> None:
        """An attempt ends, if it was not cut off before."""
        run = self._runs.pop(number, None)
        if run is None:
            return
        campaign, outcome = self._campaign, self._campaign.outcome
        began, ok, nodes = run
        job, attempt = self._tasks[number]
        listed = campaign.by_id[job]
        if ok:
            outcome.done += 1
            outcome.used += (now - began) * (listed.need.cores if not listed.need.nodes else self._cores * len(nodes))
        elif attempt > listed.retries:
            outcome.failed += 1
        campaign.tell(Ended(now, job, ok))
        self._advance(Ended(now, number, ok, fatal=True))
        self._is_over(now)

    def _cut(self, number: int, now: float) -> None:
        """A running attempt is taken away."""
        del self._runs[number]
        self._campaign.outcome.cut += 1
        self._campaign.tell(Returned(now, (self._tasks[number][0],)))
        self._advance(Ended(now, number, False, fatal=True, withdrawn=True))

    def _advance(self, event: Event) -> None:
        assert self._scheduler is not None
        campaign, outcome = self._campaign, self._campaign.outcome
        outcome.events += 1
        actions: list[Action] = self._scheduler.advance(event)
        back: list[int] = []
        for action in actions:
            if isinstance(action, Start):
                number = action.job
                job, attempt = self._tasks[number]
                listed = campaign.by_id[job]
                seconds, ok = campaign.world.runs(listed, attempt)
                if listed.limit is not None and seconds > listed.limit:
                    seconds, ok = listed.limit, False
                outcome.attempts += 1
                self._unstarted.discard(number)
                self._runs[number] = (event.now, ok, action.slot.nodes)
                campaign.at(event.now + seconds, END, self.index, number)
            elif isinstance(action, Blocked | Forgotten | Impossible | TooLate) and action.job in self._unstarted:
                self._unstarted.discard(action.job)
                back.append(self._tasks[action.job][0])
        if back:
            campaign.tell(Returned(event.now, tuple(back)))

    # ── the block ────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def _cores(self) -> int:
        return self._campaign.node.cpus - len(self._campaign.node.reserved)

    def begin(self, now: float) -> None:
        """Its runner works."""
        campaign = self._campaign
        self.begun, self._began = True, now
        self._names = [str(n) for n in range(self.plan.nodes)]
        until = now + usable(self.plan.walltime)
        cluster = cluster_of(campaign.node, self._names)
        self._scheduler = Scheduler(cluster, max_jobs=self._running, keep_going=True, until=until)
        campaign.count_blocks()
        campaign.at(until, OVER, self.index)
        for after, node in campaign.world.losses(self.index, self.plan):
            campaign.at(now + after, LOSS, self.index, node)
        campaign.tell(BlockBegan(now, str(self.index), now + self.plan.walltime))
        self.plan_taken(now)

    def lose(self, node: int, now: float) -> None:
        """A node dies, and what runs on it."""
        name = self._names[node]
        self._advance(NodeGone(now, name))
        for number in [number for number, run in self._runs.items() if name in run[2]]:
            self._cut(number, now)
        self._is_over(now)

    def close(self, now: float) -> None:
        """Nothing more starts."""
        self._shut(now)
        self._is_over(now)

    def stop(self, now: float) -> None:
        """The walltime is over."""
        self._shut(now)
        for number in list(self._runs):
            self._cut(number, now)
        self._is_over(now)

    def _shut(self, now: float) -> None:
        if self.closed:
            return
        self.closed = True
        self._campaign.tell(BlockClosing(now, str(self.index)))
        if self._inbox:
            jobs = tuple([self._tasks[job.id][0] for job in self._inbox])
            self._inbox.clear()
            self._campaign.tell(Returned(now, jobs))
        if self._scheduler is not None:
            self._advance(Closing(now))

    def _is_over(self, now: float) -> None:
        if self.closed and not self._runs:
            self._campaign.outcome.paid += (now - self._began) * self.plan.nodes * self._cores if self.begun else 0.0
            self._campaign.bury(self, now)
