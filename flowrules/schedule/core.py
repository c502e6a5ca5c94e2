"""Decides which job starts when: events in, actions out, no clock and no effect of its own.

    Planned, Checked, Ended, StopAsked ──▶ advance ──▶ Check, Start, Kill, Skipped, Blocked, Finished
    in a block also NodeGone, NodeBack,                 Impossible, TooLate, Forgotten
    Withdrawn, Granted, Closing, Tick

See `flowrules.schedule.states` for the life of a job, `queue` for the order, `room` for the resources of a machine
(`pool`) or of the nodes of a block (`nodes`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from flowrules.model.events import (
    Action,
    Ahead,
    Capacity,
    Check,
    Checked,
    Closing,
    Cluster,
    Ended,
    Event,
    Finished,
    Forgotten,
    Granted,
    Impossible,
    Kill,
    NodeBack,
    NodeGone,
    Planned,
    SchedJob,
    Skipped,
    Start,
    StopAsked,
    Tick,
    Withdrawn,
)
from flowrules.schedule.leaving import Leaving
from flowrules.schedule.nodes import NodePool
from flowrules.schedule.pool import Pool
from flowrules.schedule.queue import Queue
from flowrules.schedule.ranks import longest_paths
from flowrules.schedule.room import Grant, Room
from flowrules.schedule.sanity import check_books
from flowrules.schedule.states import ABSENT, ASKED, DONE, OPEN, READY, RUNNING, SETTLED, WAITING, Jobs, State
from flowrules.schedule.tokens import SharingRoom, Tokens

LEAST_PATIENCE: Final = 16


class Scheduler:
    """The scheduler of one machine or block.

    Jobs start by priority, then by the longest way to the end of the workflow in expected time, then those whose group
    has begun, then by id; a job without room lets others pass, but at most as many as the machine has cores (or 16).

    Args:
        capacity: of this machine, or the nodes of a block.
        max_jobs: at most so many run at once.
        keep_going: go on with jobs that do not depend on a failed one. Otherwise nothing new starts after a failure;
            a job that was started before is still given its further attempts.
        until: when the block ends; no job starts whose limit, or else expected time, goes beyond.
        tokens: of what its jobs share with those of other blocks; for a block only.
    """

    def __init__(
        self,
        capacity: Capacity | Cluster,
        *,
        max_jobs: int | None = None,
        keep_going: bool = False,
        until: float | None = None,
        tokens: Tokens | None = None,
    ) -> None:
        if max_jobs is not None and max_jobs < 1:
            raise ValueError("max_jobs must be at least 1")
        self._max_jobs = max_jobs
        self._keep_going = keep_going
        self._tokens = tokens or Tokens()
        if isinstance(capacity, Cluster):
            self._room: Room = SharingRoom(NodePool(capacity), self._tokens)
        else:
            self._room = Pool(capacity)
        self._jobs = Jobs()
        self._queue = Queue(self._jobs, self._room, max(LEAST_PATIENCE, self._room.size))
        self._running: dict[int, Grant] = {}
        self._again: dict[int, None] = {}  # ready jobs that were started before
        self._killed: set[int] = set()
        self._recalled: set[int] = set()  # withdrawn while they ran
        self._stopped = False
        self._closing = False
        self._failed = False
        self._finished = True  # until there is a plan
        self._actions: list[Action] = []
        self._leaving = Leaving(self._jobs, self._again, self._actions, until)
        self._handlers: dict[type, Callable[[Any], None]] = {
            Planned: self._planned,
            Checked: self._checked,
            Ended: self._ended,
            StopAsked: self._stop,
            NodeGone: self._node_gone,
            NodeBack: self._node_back,
            Withdrawn: self._withdrawn,
            Granted: self._granted,
            Ahead: self._ahead,
            Closing: self._close,
            Tick: lambda event: None,
        }

    def advance(self, *events: Event) -> list[Action]:
        """What is to be done after events, in order. What starts is decided once, after the last of them.

        Each `Planned` is followed by one `Finished`, at once or later, unless another `Planned` comes before. Each job
        is told once how it left: `Skipped`, `Blocked`, `Impossible`, `TooLate` or `Forgotten`, or its `Ended` was.

        Raises:
            ValueError: the event makes no sense: a need exceeds the capacity of the machine, jobs need each other in a
                circle, a job or a node is unknown, a job does not run. That event has changed nothing then.
        """
        for event in events:
            self._handlers[type(event)](event)
            self._leaving.too_late(event.now)
        self._start()
        self._finish()
        actions = self._actions[:]
        self._actions.clear()
        return actions

    @property
    def counts(self) -> dict[State, int]:
        """How many jobs are in each state."""
        return {state: self._jobs.counts[state] for state in State if state is not ABSENT}

    def state(self, job: int) -> State:
        """Where a job is in its life."""
        return self._jobs.state(job)

    @property
    def looks(self) -> int:
        """How often a line of ready jobs was looked at, a measure of work."""
        return self._queue.looks

    # ── new jobs ─────────────────────────────────────────────────────────────────────────────────────────────

    def _planned(self, event: Planned) -> None:
        """Add jobs that are new; those known only get further needs, if they have not started.

        A known job keeps its rank: what a new job adds behind it is not counted.
        """
        new, shapes = self._validated(event.jobs)
        ranks = longest_paths(new)
        jobs, queue = self._jobs, self._queue
        self._finished = False
        jobs.reach(max((job.id for job in new), default=-1))
        for job, shape in zip(new, shapes, strict=True):
            number = job.id
            jobs.move(number, WAITING)
            jobs.ask[number] = job.check
            jobs.shape[number] = shape
            jobs.retries[number] = max(0, job.retries)
            jobs.length[number] = job.expected if job.limit is None else job.limit
            jobs.priority[number] = job.priority
            jobs.rank[number] = ranks[number]
            if job.group is not None:
                jobs.group[number] = queue.group_of(job.group)
        state = jobs.state
        for job in new:
            needs = tuple(dict.fromkeys([need for need in job.needs if state(need) is not ABSENT]))
            jobs.set_needs(job.id, needs)
            jobs.waiting[job.id] = sum([state(need) not in SETTLED for need in needs])
        fresh = {job.id for job in new}
        for job in event.jobs:
            if job.id not in fresh:
                self._more_needs(job)
        impossible = self._impossible_shapes(shapes)
        for job, shape in zip(new, shapes, strict=True):
            number = job.id
            self._leaving.watch(number)
            if self._closing or shape in impossible:
                self._leaving.forget(number, Forgotten(number) if self._closing else Impossible(number))
            self._after_needs(number)

    def _validated(self, listed: Sequence[SchedJob]) -> tuple[list[SchedJob], list[int]]:
        """The jobs that are new, each once, and the lines of their shapes."""
        jobs: dict[int, SchedJob] = {}
        lines: dict[object, int] = {}
        state = self._jobs.state
        for job in listed:
            if job.id < 0:
                raise ValueError(f"a job has a negative id: {job}")
            if state(job.id) is ABSENT and job.id not in jobs:
                jobs[job.id] = job
                if job.need not in lines:
                    lines[job.need] = self._queue.line_of(self._room.shape(job.need))
        return list(jobs.values()), [lines[job.need] for job in jobs.values()]

    def _more_needs(self, job: SchedJob) -> None:
        jobs, number = self._jobs, job.id
        if jobs.state(number) not in OPEN:
            return
        known = set(jobs.needs(number))
        more = tuple(n for n in dict.fromkeys(job.needs) if n not in known and jobs.state(n) is not ABSENT)
        if not more:
            return
        jobs.add_needs(number, more)
        if any(jobs.state(need) not in SETTLED for need in more):
            self._wait_again(number)
            self._after_needs(number)

    def _wait_again(self, job: int) -> None:
        """A job that has not started waits for the needs it has now."""
        if self._jobs.state(job) is not WAITING:
            self._jobs.move(job, WAITING)
            self._again.pop(job, None)
        self._jobs.waiting[job] = self._jobs.unsettled(job)

    def _after_needs(self, job: int) -> None:
        """A waiting job whose needs may be settled, or lost."""
        jobs = self._jobs
        if jobs.state(job) is not WAITING:
            return
        if jobs.waiting[job]:
            self._leaving.unmet(job)
        elif jobs.ask[job]:
            if not self._is_closed():
                jobs.move(job, ASKED)
                self._actions.append(Check(job))
        else:
            jobs.move(job, READY)
            self._queue.add(job)
            if jobs.attempts[job]:
                self._again[job] = None

    # ── jobs that may run ────────────────────────────────────────────────────────────────────────────────────

    def _checked(self, event: Checked) -> None:
        jobs, job = self._jobs, event.job
        state = jobs.state(job)
        if state is ABSENT:
            raise ValueError(f"job {job} was never planned")
        for demanded in event.demand:
            if jobs.state(demanded) is ABSENT:
                raise ValueError(f"job {demanded}, which job {job} demands, was never planned")
        if state is ASKED and not event.run:
            jobs.move(job, State.SKIPPED)
            self._actions.append(Skipped(job))
            self._settled(job)
        elif state in OPEN and event.run:
            jobs.ask[job] = False
            self._demand(job, event.demand)

    def _demand(self, job: int, demand: Sequence[int]) -> None:
        """A job must run, after those it demands: jobs that were skipped wait again, and with them who needs them."""
        revived, users = self._jobs.revive(demand)
        affected = dict.fromkeys([*revived, job, *users])
        for number in affected:
            self._wait_again(number)
        for number in affected:
            self._after_needs(number)

    def _settled(self, job: int) -> None:
        """Tell jobs that need this one."""
        jobs = self._jobs
        for user in sorted(jobs.users(job)) if jobs.has_users(job) else ():
            if jobs.state(user) is WAITING and jobs.waiting[user]:
                jobs.waiting[user] -= 1
                if not jobs.waiting[user]:
                    self._after_needs(user)

    # ── attempts ─────────────────────────────────────────────────────────────────────────────────────────────

    def _start(self) -> None:
        """Start whatever finds room."""
        while self._is_closed() and not self._stopped and self._again and not self._is_full():
            job = next(iter(self._again))
            if not self._room.fits(self._queue.shape(self._jobs.shape[job])):
                return
            self._launch(job)
        while not self._is_closed() and not self._is_full():
            found = self._queue.pop()
            if found is None:
                return
            self._launch(found)

    def _launch(self, job: int) -> None:
        jobs = self._jobs
        grant, slot = self._room.take(self._queue.shape(jobs.shape[job]))
        jobs.move(job, RUNNING)
        jobs.attempts[job] += 1
        self._again.pop(job, None)
        self._running[job] = grant
        self._queue.begin_group(job)
        self._actions.append(Start(job, jobs.attempts[job], slot, ahead=self._room.cores < 0))

    def _is_full(self) -> bool:
        return self._room.cores + self._room.ahead < 1 or (
            self._max_jobs is not None and len(self._running) >= self._max_jobs
        )

    def _is_closed(self) -> bool:
        """Whether nothing new may start."""
        return self._stopped or (self._failed and not self._keep_going)

    def _ended(self, event: Ended) -> None:
        jobs, job = self._jobs, event.job
        if jobs.state(job) is not RUNNING:
            raise ValueError(f"job {job} ended and was not running")
        withdrawn = event.withdrawn or (job in self._recalled and not event.ok)
        again = not (event.ok or withdrawn or event.fatal or self._stopped or job in self._killed)
        again = again and jobs.attempts[job] <= jobs.retries[job]
        if again and event.next_need is not None:
            jobs.shape[job] = self._queue.line_of(self._room.shape(event.next_need))
        self._room.give(self._running.pop(job))
        self._killed.discard(job)
        self._recalled.discard(job)
        if withdrawn:
            self._leaving.forget(job, Forgotten(job))
        elif event.ok:
            jobs.move(job, DONE)
            self._settled(job)
        elif again:
            self._try_again(job)
        else:
            self._failed = True
            self._leaving.fail(job)

    def _try_again(self, job: int) -> None:
        self._wait_again(job)
        self._leaving.watch(job)
        if self._impossible_shapes({self._jobs.shape[job]}):
            self._leaving.forget(job, Impossible(job))
        else:
            self._after_needs(job)

    # ── jobs that leave without an end ───────────────────────────────────────────────────────────────────────────

    def _withdrawn(self, event: Withdrawn) -> None:
        jobs = self._jobs
        if any(jobs.state(job) is ABSENT for job in event.jobs):
            raise ValueError("a job that is withdrawn was never planned")
        for job in event.jobs:
            if jobs.state(job) in OPEN:
                self._leaving.forget(job, Forgotten(job))
            elif jobs.state(job) is RUNNING:
                self._recalled.add(job)
                self._kill(job)

    # ── the block changes ────────────────────────────────────────────────────────────────────────────────────────

    def _impossible_shapes(self, lines: Iterable[int]) -> set[int]:
        """Which shapes, by their lines, no longer fit even when nothing runs."""
        return {line for line in lines if not self._room.possible(self._queue.shape(line))}

    def _node_gone(self, event: NodeGone) -> None:
        self._room.gone(event.node, event.waited)
        impossible = self._impossible_shapes(range(self._queue.shapes))
        for job in self._jobs.open() if impossible else ():
            if self._jobs.shape[job] in impossible:
                self._leaving.forget(job, Impossible(job))

    def _node_back(self, event: NodeBack) -> None:
        for node in (event.node, *event.more):
            self._room.back(node)

    def _granted(self, event: Granted) -> None:
        if event.running is not None and event.running < 0:
            raise ValueError("not fewer than 0 jobs can run at once")
        self._max_jobs = event.running
        if event.tokens is not None:
            self._tokens.grant(event.tokens)

    def _ahead(self, event: Ahead) -> None:
        self._room.ahead = event.jobs
        for job in event.back:
            self._room.give(self._running.pop(job))
            self._jobs.attempts[job] -= 1
            self._wait_again(job)
            self._after_needs(job)

    # ── the end ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _close(self, event: Closing) -> None:
        """End like a stop, and hand back what has not started."""
        self._closing = self._stopped = True
        for job in self._jobs.open():
            self._leaving.forget(job, Forgotten(job))

    def _stop(self, event: StopAsked) -> None:
        self._stopped = True
        self._again.clear()
        if event.kill:
            for job in sorted(self._running):
                self._kill(job)

    def _kill(self, job: int) -> None:
        if job not in self._killed:
            self._killed.add(job)
            self._actions.append(Kill(job))

    def _finish(self) -> None:
        if self._finished or self._running or (self._again and not self._stopped):
            return
        counts = self._jobs.counts
        left = counts[WAITING] + counts[ASKED] + counts[READY]
        if left and not self._is_closed():
            if not counts[ASKED] and not counts[READY]:
                raise ValueError(f"jobs need each other in a circle, among them {self._jobs.open()[:10]}")
            return
        self._finished = True
        self._actions.append(Finished())

    def sanity(self) -> None:
        """Check from scratch all that must always be true; for tests.

        Raises:
            AssertionError: something is not.
        """
        check_books(self._jobs, self._queue, self._room, self._running, self._is_closed())
