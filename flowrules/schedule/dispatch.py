"""Decides which block is handed which job, and how many blocks there are: the driver's side of a batch campaign.

    Planned, Checked, Ended, … ──▶ advance ──▶ Hand, Open, Grant, Close, Check, Skipped, Blocked, Kill, Finished
    BlockKnown, BlockBegan, BlockOver, Returned, …

A job is handed over when all it needs has ended well or was handed to the same block. Inside a block the runner's
scheduler decides what starts when; here only the amount of work counts, in node-seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from flowrules.model.dispatch import (
    LOCAL,
    BlockBegan,
    BlockClosing,
    BlockKnown,
    BlockOver,
    BlockPlan,
    Close,
    DispatchAction,
    DispatchEvent,
    Freed,
    Hand,
    NotYet,
    Open,
    OpenRefused,
    Returned,
)
from flowrules.model.events import (
    Blocked,
    Check,
    Checked,
    Ended,
    Finished,
    Kill,
    Planned,
    SchedJob,
    Skipped,
    StopAsked,
)
from flowrules.model.profile import BlockShape, NodeShape
from flowrules.schedule.blocks import Blocks, share_of
from flowrules.schedule.following import Following
from flowrules.schedule.ranks import longest_paths
from flowrules.schedule.ready import Ready
from flowrules.schedule.sharing import Sharing
from flowrules.schedule.states import LOST, OPEN, SETTLED, Jobs, State

Packer = Callable[[Sequence[SchedJob]], Sequence[BlockPlan]]
"""How many blocks of which size a set of jobs is worth."""


MOST_ALIKE = 1000
"""Different amounts of work that are kept once: those of a rule's jobs are mostly the same."""


class Dispatcher:
    """The driver's scheduler for batch profiles.

    Args:
        packer: what blocks the jobs at hand are worth.
        max_jobs: at most so many run at once, in all blocks together.
        local_jobs: how many jobs run beside the driver at once, of those that ask for it.
        limits: of resources for all jobs together, in blocks and beside the driver.
    """

    def __init__(
        self,
        node: NodeShape,
        shape: BlockShape,
        packer: Packer,
        *,
        max_jobs: int | None = None,
        keep_going: bool = False,
        local_jobs: int = 1,
        limits: Mapping[str, float] | None = None,
    ) -> None:
        self._node = node
        self._packer = packer
        self._keep_going = keep_going
        self._local_free = local_jobs
        self._jobs = Jobs()
        self._listed: dict[int, SchedJob] = {}
        self._work: dict[int, tuple[float, float]] = {}  # node-seconds, and nodes occupied at once
        self._alike: dict[tuple[float, float], tuple[float, float]] = {}
        self._where: dict[int, str] = {}
        self._following = Following()
        self._alone: set[int] = set()
        self._unfit: dict[int, set[str]] = {}  # blocks that cannot run a job
        self._blocks = Blocks(shape, max_jobs)
        self._sharing = Sharing(limits or {}, node, self._listed, self._work, self._blocks)
        known = (self._jobs, self._listed, self._work, self._unfit, self._blocks)
        self._ready = Ready(*known, self._sharing)
        self._group_block: dict[str, str] = {}
        self._left = 0.0
        self._stopped = self._failed = self._finished = self._refused = self._begun = False
        self._killed: set[int] = set()
        self._actions: list[DispatchAction] = []

    def advance(self, *events: DispatchEvent) -> list[DispatchAction]:
        """What is to be done after events, in order. What is handed out is decided once, after the last of them.

        Raises:
            ValueError: an event makes no sense.
        """
        for event in events:
            self._heed(event)
        if self._begun and events:  # blocks of an earlier driver are told of before there is a plan
            now = events[-1].now
            before = len(self._actions)
            self._hand_out(now)
            self._open(now)
            self._actions[before:before] = self._sharing.grants()
            self._close(now)
            self._finish()
        actions, self._actions = self._actions, []
        return actions

    def _heed(self, event: DispatchEvent) -> None:
        match event:
            case Ended():
                self._ended(event)
            case Planned():
                self._planned(event)
            case Checked():
                self._checked(event)
            case StopAsked():
                self._stop(event)
            case Returned():
                for job in event.jobs:
                    self._returned(job, unfit=event.unfit)
            case NotYet():
                self._alone.add(event.job)
                self._returned(event.job)
            case BlockKnown() | BlockBegan() | BlockClosing() | BlockOver():
                self._blocks.heed(event)
                self._sharing.heed(event)
            case Freed():
                self._sharing.heed(event)
            case OpenRefused():
                self._blocks.refused(event.plan)
                self._refused = True

    def state(self, job: int) -> State:
        """Where a job is in its life; RUNNING from the moment it is handed over."""
        return self._jobs.state(job)

    # ── new jobs ─────────────────────────────────────────────────────────────────────────────────────────────

    def _planned(self, event: Planned) -> None:
        jobs = self._jobs
        new = [job for job in event.jobs if jobs.state(job.id) is State.ABSENT]
        ranks = longest_paths(new)
        self._finished, self._begun = False, True
        jobs.reach(max((job.id for job in new), default=-1))
        for job in new:
            jobs.move(job.id, State.WAITING)
            jobs.ask[job.id] = job.check
            jobs.retries[job.id] = max(0, job.retries)
            jobs.priority[job.id] = job.priority
            jobs.rank[job.id] = ranks[job.id]
            self._listed[job.id] = job
            self._weigh(job)
            self._left += self._work[job.id][0]
        for job in new:
            needs = tuple(n for n in dict.fromkeys(job.needs) if jobs.state(n) is not State.ABSENT)
            jobs.set_needs(job.id, needs)
            jobs.waiting[job.id] = sum(jobs.state(n) not in SETTLED for n in needs)
            if job.held is not None:
                self._adopt(job.id, *job.held)
        for job in new:
            for need in jobs.needs(job.id) if self._where else ():
                if need in self._where:
                    self._following.handed([job.id], self._where[need])
        for job in new:
            self._look_at_needs(job.id)

    def _weigh(self, job: SchedJob) -> None:
        """What a job is expected to take of nodes; nothing for those that run beside the driver."""
        share = 0.0 if job.local else share_of(job.need, self._node)
        work = share * job.expected, share
        if len(self._alike) < MOST_ALIKE:
            self._alike.setdefault(work, work)
        self._work[job.id] = self._alike.get(work, work)
        self._sharing.weigh(job)

    def _look_at_needs(self, job: int) -> None:
        """A job that has begun to wait: will it have what it needs?"""
        jobs = self._jobs
        if self._failed and jobs.waiting[job] and jobs.state(job) is State.WAITING:
            lost = next((need for need in jobs.needs(job) if jobs.state(need) in LOST), None)
            if lost is not None:
                self._block(job, lost)
        self._look(job)

    def _look(self, job: int) -> None:
        """A waiting job whose needs changed: may it be asked about, or be handed over?"""
        jobs = self._jobs
        if jobs.state(job) is not State.WAITING:
            return
        waiting = jobs.waiting[job]
        if waiting:
            where = self._following.only(job, waiting)
            if where is None or where == LOCAL or jobs.ask[job] or job in self._alone or self._listed[job].local:
                return
            self._make_ready(job)
        elif jobs.ask[job]:
            if not self._is_closed():
                jobs.move(job, State.ASKED)
                self._actions.append(Check(job))
        else:
            self._make_ready(job)

    def _make_ready(self, job: int) -> None:
        self._jobs.move(job, State.READY)
        self._ready.add(job)

    # ── jobs that may run ────────────────────────────────────────────────────────────────────────────────────

    def _checked(self, event: Checked) -> None:
        jobs, job = self._jobs, event.job
        if jobs.state(job) is State.ASKED and not event.run:
            jobs.move(job, State.SKIPPED)
            self._left -= self._work[job][0]
            self._actions.append(Skipped(job))
            self._settled(job)
        elif event.run and jobs.state(job) in OPEN:
            jobs.ask[job] = False
            self._demand(job, event.demand)

    def _demand(self, job: int, demand: Sequence[int]) -> None:
        """A job must run, after skipped ones whose missing outputs it needs: these wait again, and who needs them."""
        jobs = self._jobs
        revived, users = jobs.revive(demand)
        self._left += sum(self._work[demanded][0] for demanded in revived)
        affected = dict.fromkeys([*revived, job, *users])
        for number in affected:
            if jobs.state(number) is not State.WAITING:
                jobs.move(number, State.WAITING)
            jobs.waiting[number] = jobs.unsettled(number)
        for number in affected:
            self._look_at_needs(number)

    def _settled(self, job: int) -> None:
        jobs = self._jobs
        for user in sorted(jobs.users(job)):
            state = jobs.state(user)
            if state in (State.WAITING, State.READY, State.RUNNING) and jobs.waiting[user]:
                jobs.waiting[user] -= 1
            if state is State.WAITING:
                self._look(user)

    # ── handing over ─────────────────────────────────────────────────────────────────────────────────────────

    def _hand_out(self, now: float) -> None:
        """Hand over what finds a block, the longest way to the end first; what was handed over may free others."""
        self._sharing.begin()
        if not self._is_closed() and (self._blocks.begin_round(now, self._left) or self._local_free > 0):
            self._ready.hand_out(lambda job: self._offered(job, now))

    def _offered(self, job: int, now: float) -> bool:
        """Hand a job over, unless it is for its likes to wait as well."""
        jobs = self._jobs
        if jobs.state(job) is not State.READY or not self._can_follow(job):
            return True
        where = self._place(job, now)
        if where is None:
            self._sharing.refuse(job)
        if where is not None:
            self._hand(job, where)
        elif (
            jobs.waiting[job] and not self._listed[job].local
        ):  # only one block would do, so it tells nothing of others
            jobs.move(job, State.WAITING)
        else:
            return False
        return True

    def _can_follow(self, job: int) -> bool:
        """Whether what a ready job needs is done or still in one block; where not, the job waits again."""
        jobs = self._jobs
        if not jobs.waiting[job]:
            return True
        if self._following.only(job, jobs.waiting[job]) is not None:
            return True
        jobs.move(job, State.WAITING)
        self._look(job)
        return False

    def _place(self, job: int, now: float) -> str | None:
        """The block for a job; None where there is none now."""
        if self._listed[job].local:
            return LOCAL if self._local_free > 0 and self._sharing.may_start_here(job) else None
        listed, lasts, waiting = self._listed[job], self._ready.lasts(job), self._jobs.waiting[job]
        but = self._sharing.unable(job).union(self._unfit.get(job, ()))
        held = self._following.only(job, waiting) if waiting else None
        if held is not None:
            if held in but:
                return None
            mates = listed.group is not None and self._group_block.get(listed.group) == held
            if mates and self._blocks.takes(held, *self._work[job], lasts, now):
                return held
            return held if self._blocks.wants(held, *self._work[job], lasts) else None
        mate = self._group_block.get(listed.group) if listed.group is not None else None
        if mate is not None and mate not in but and self._blocks.takes(mate, *self._work[job], lasts, now):
            return mate
        return self._blocks.emptiest(*self._work[job], lasts, but)

    def _hand(self, job: int, where: str) -> None:
        jobs = self._jobs
        after = tuple(n for n in jobs.needs(job) if jobs.state(n) is State.RUNNING)
        jobs.move(job, State.RUNNING)
        jobs.attempts[job] += 1
        self._where[job] = where
        self._sharing.hand(job, where)
        if where == LOCAL:
            self._local_free -= 1
        else:
            self._blocks.add(where, *self._work[job])
            group = self._listed[job].group
            if group is not None:
                self._group_block[group] = where
        self._actions.append(Hand(job, jobs.attempts[job], where, after))
        users = sorted(jobs.users(job))
        self._following.handed(users, where)
        for user in users:
            self._look(user)

    def _take_back(self, job: int) -> None:
        """A job has left its block."""
        where = self._where.pop(job)
        self._sharing.take_back(job, where)
        self._following.left(self._jobs.users(job), where)
        if where == LOCAL:
            self._local_free += 1
        else:
            self._blocks.remove(where, *self._work[job])

    def _returned(self, job: int, *, unfit: bool = False) -> None:
        """A job comes back as if it had not been handed over, and with it those that were to follow it there."""
        jobs = self._jobs
        if jobs.state(job) is State.RUNNING:
            if unfit:
                self._unfit.setdefault(job, set()).add(self._where[job])
            self._take_back(job)
            jobs.attempts[job] -= 1
            jobs.move(job, State.WAITING)
            jobs.waiting[job] = jobs.unsettled(job)
            self._look_at_needs(job)

    def _adopt(self, job: int, block: str, attempt: int) -> None:
        """A block of an earlier driver holds a job."""
        self._jobs.move(job, State.RUNNING)
        self._jobs.attempts[job] = attempt
        self._where[job] = block
        self._blocks.add(block, *self._work[job])
        self._sharing.adopt(job, block)

    # ── ends ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _ended(self, event: Ended) -> None:
        jobs, job = self._jobs, event.job
        if jobs.state(job) is not State.RUNNING:
            raise ValueError(f"job {job} ended and was not handed over")
        self._take_back(job)
        again = not (event.ok or event.fatal or self._stopped or job in self._killed)
        again = again and jobs.attempts[job] <= jobs.retries[job]
        if again and event.next_need is not None:
            self._left -= self._work[job][0]
            self._weigh(replace(self._listed[job], need=event.next_need))
            self._left += self._work[job][0]
        self._killed.discard(job)
        if event.ok:
            jobs.move(job, State.DONE)
            self._left -= self._work[job][0]
            self._settled(job)
        elif again:
            jobs.move(job, State.WAITING)
            jobs.waiting[job] = jobs.unsettled(job)
            self._look_at_needs(job)
        else:
            jobs.move(job, State.FAILED)
            self._left -= self._work[job][0]
            self._failed = True
            self._block_users(job, job)

    def _block(self, job: int, because: int) -> None:
        self._jobs.move(job, State.BLOCKED)
        self._left -= self._work[job][0]
        self._actions.append(Blocked(job, because))
        self._block_users(job, because)

    def _block_users(self, job: int, because: int) -> None:
        jobs = self._jobs
        reached = [job]
        for lost in reached:
            for user in sorted(jobs.users(lost)):
                if jobs.state(user) in OPEN:
                    jobs.move(user, State.BLOCKED)
                    self._left -= self._work[user][0]
                    self._actions.append(Blocked(user, because))
                    reached.append(user)

    def _stop(self, event: StopAsked) -> None:
        self._stopped = True
        if event.kill:
            for job in sorted(self._where.keys() - self._killed):
                self._killed.add(job)
                self._actions.append(Kill(job))

    def _is_closed(self) -> bool:
        return self._stopped or (self._failed and not self._keep_going)

    # ── blocks ───────────────────────────────────────────────────────────────────────────────────────────────

    def _open(self, now: float) -> None:
        """Ask for blocks where ready jobs find no room in those there are."""
        if self._is_closed() or self._refused or not self._jobs.counts[State.READY] or not self._ready.are_stuck(now):
            return
        found: list[Open] = []
        if self._ready.any():
            if not self._blocks.may_grow:
                return
            todo = [j for n, j in self._listed.items() if not j.local and self._jobs.state(n) in OPEN]
            wanted = self._blocks.wanted(self._packer(todo))
            found = [Open(plan, running, self._sharing.none()) for plan, running in wanted]
            self._actions += found
        # jobs that no block of the profile can hold are left; the others have ended by then
        self._refused = not (found or self._where or self._jobs.counts[State.ASKED] or self._blocks.any_open())

    def _close(self, now: float) -> None:
        """End blocks that hold nothing where nothing is left for them; where nothing new may start, all of them.

        A block that is told to end lets run what runs, and gives the rest back.
        """
        if self._is_closed():
            self._actions += [Close(block) for block in self._blocks.end(idle=False)]
        elif self._blocks.any_idle() and self._is_no_use(now):
            self._actions += [Close(block) for block in self._blocks.end(idle=True)]

    def _is_no_use(self, now: float) -> bool:
        """Whether a block that holds nothing will not be handed anything: what is ready needs more time than it has.

        While something runs, or is asked about, and nothing is ready it stays, for what may follow.
        """
        counts = self._jobs.counts
        if not any(counts[state] for state in OPEN):
            return True
        return self._ready.are_stuck(now) and (self._ready.any() or not (self._where or counts[State.ASKED]))

    def _finish(self) -> None:
        if self._finished or self._where:
            return
        left = sum(self._jobs.counts[state] for state in OPEN)
        if left and not self._is_closed() and not (self._refused and not self._blocks.any_open()):
            return
        self._finished = True
        self._actions.append(Finished())
