"""The life of a job in the scheduler: its states, what may follow what, and all jobs as compact arrays by id."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import Final


class State(IntEnum):
    """Where a job is in its life.

    WAITING ──▶ READY ──▶ RUNNING ──▶ DONE          a job that will run
    WAITING ──▶ ASKED ──▶ SKIPPED                   a job that may run, and need not
                ASKED ──▶ READY, WAITING            it must, at once or after jobs whose outputs it demands
    RUNNING ──▶ WAITING (for a further attempt), FAILED
    WAITING ──▶ RUNNING                         a block of an earlier driver holds it
    any that has not ended ──▶ WITHDRAWN            taken back: it may run elsewhere
    """

    ABSENT = 0
    """No job has this id."""
    WAITING = 1
    """Jobs it needs are not settled."""
    ASKED = 2
    """Its needs are settled; whether it must run has been asked, and not been answered."""
    READY = 3
    """It waits for room on the machine, nothing else."""
    RUNNING = 4
    """An attempt runs."""
    DONE = 5
    """An attempt ended well."""
    SKIPPED = 6
    """It need not run. If another job demands its outputs later it waits again."""
    FAILED = 7
    """Its last attempt failed."""
    BLOCKED = 8
    """It cannot run, because a job it needs failed or is blocked."""
    WITHDRAWN = 9
    """It was taken back, or needs a job that was, or cannot run here; nobody failed."""


# looking a member up on its class takes as long as ten lookups of these
ABSENT: Final = State.ABSENT
WAITING: Final = State.WAITING
ASKED: Final = State.ASKED
READY: Final = State.READY
RUNNING: Final = State.RUNNING
DONE: Final = State.DONE

SETTLED: Final = frozenset({State.DONE, State.SKIPPED})
"""Others need not wait for such a job."""
LOST: Final = frozenset({State.FAILED, State.BLOCKED})
"""Others that need such a job cannot run."""
UNMET: Final = LOST | {State.WITHDRAWN}
"""Others that need such a job will not run here."""
FINAL: Final = SETTLED | UNMET
OPEN: Final = frozenset({State.WAITING, State.ASKED, State.READY})
"""Not started, and it may still be."""

FOLLOWS: Final = {
    State.ABSENT: frozenset({State.WAITING}),
    State.WAITING: frozenset({State.ASKED, State.READY, State.RUNNING, State.BLOCKED, State.WITHDRAWN}),
    State.ASKED: frozenset({State.READY, State.SKIPPED, State.WAITING, State.BLOCKED, State.WITHDRAWN}),
    State.READY: frozenset({State.RUNNING, State.WAITING, State.BLOCKED, State.WITHDRAWN}),
    State.RUNNING: frozenset({State.DONE, State.FAILED, State.WAITING, State.WITHDRAWN}),
    State.DONE: frozenset[State](),
    State.SKIPPED: frozenset({State.WAITING}),
    State.FAILED: frozenset[State](),
    State.BLOCKED: frozenset[State](),
    State.WITHDRAWN: frozenset[State](),
}
"""For each state those that may come next."""

_END: Final = -1
_STATES: Final = tuple(State)
_LEGAL: Final = frozenset((before, after) for before, nexts in FOLLOWS.items() for after in nexts)


class Jobs:
    """All jobs the scheduler knows, as arrays by id: their state, who needs whom, and what orders them.

    Attributes:
        waiting: how many of its needs are not settled.
        ask: 1 where it must be asked whether the job runs.
        shape: index of the resources of its next attempt.
        attempts: how many were started; ``retries``: how many may follow the first.
        length: seconds that must be left of a block when an attempt starts.
        priority, rank: what orders ready jobs; a rank is the longest path of expected seconds from the job's start.
        group: index of its group, -1 for none.
        counts: number of jobs by state.
    """

    def __init__(self) -> None:
        self._state = bytearray()
        self.waiting = array("l")
        self.ask = bytearray()
        self.shape = array("l")
        self.attempts = array("l")
        self.retries = array("l")
        self.length = array("d")
        self.priority = array("d")
        self.rank = array("d")
        self.group = array("l")
        self.counts = [0] * len(State)
        # Who needs a job: a linked list of edges for each, since further plans add to it.
        self._first = array("l")
        self._next = array("l")
        self._user = array("l")
        # What a job needs: a range of one array, and a list for needs that came with a later plan.
        self._needs_start = array("l")
        self._needs_count = array("l")
        self._needs = array("l")
        self._more_needs: dict[int, list[int]] = {}

    def __len__(self) -> int:
        """One more than the largest id that was ever seen."""
        return len(self._state)

    def reach(self, largest: int) -> None:
        """Make room for ids up to ``largest``."""
        more = largest + 1 - len(self._state)
        if more <= 0:
            return
        self._state += bytes(more)
        self.ask += bytes(more)
        zeros = array("l", bytes(more * self.waiting.itemsize))
        for numbers in (self.waiting, self.shape, self.attempts, self.retries, self._needs_start, self._needs_count):
            numbers.extend(zeros)
        floats = array("d", bytes(more * 8))
        self.length.extend(floats)
        self.priority.extend(floats)
        self.rank.extend(floats)
        self._first.extend(array("l", [_END]) * more)
        self.group.extend(array("l", [_END]) * more)
        self.counts[State.ABSENT] += more

    def state(self, job: int) -> State:
        """The state of a job; ABSENT for an id that was never seen."""
        return _STATES[self._state[job]] if 0 <= job < len(self._state) else ABSENT

    def open(self) -> list[int]:
        """All jobs that have not started and still may; looks at every job."""
        return [job for job, state in enumerate(self._state) if state in OPEN]

    def move(self, job: int, after: State) -> None:
        """Change the state of a job; every change passes here.

        Raises:
            AssertionError: such a change makes no sense.
        """
        before = self._state[job]
        assert (before, after) in _LEGAL, f"job {job}: {_STATES[before].name} to {after.name}"
        self._state[job] = after
        self.counts[before] -= 1
        self.counts[after] += 1

    def set_needs(self, job: int, needs: tuple[int, ...]) -> None:
        """Note what a new job needs."""
        self._needs_start[job] = len(self._needs)
        self._needs_count[job] = len(needs)
        self._needs.extend(needs)
        self._link(job, needs)

    def add_needs(self, job: int, needs: tuple[int, ...]) -> None:
        """Note further needs of a job."""
        self._more_needs.setdefault(job, []).extend(needs)
        self._link(job, needs)

    def _link(self, job: int, needs: tuple[int, ...]) -> None:
        first, following, user = self._first, self._next, self._user
        for need in needs:
            following.append(first[need])
            first[need] = len(user)
            user.append(job)

    def needs(self, job: int) -> list[int]:
        """Ids of the jobs a job needs."""
        start = self._needs_start[job]
        return [*self._needs[start : start + self._needs_count[job]], *self._more_needs.get(job, ())]

    def users(self, job: int) -> Iterator[int]:
        """Ids of the jobs that need a job."""
        at = self._first[job]
        while at != _END:
            yield self._user[at]
            at = self._next[at]

    def has_users(self, job: int) -> bool:
        """Whether any job needs a job."""
        return self._first[job] != _END

    def revive(self, demand: Sequence[int]) -> tuple[list[int], list[int]]:
        """Skipped jobs whose missing outputs are demanded wait again, and run without being asked about.

        Returns:
            Those of the demanded that were skipped, and the jobs not started yet that need one of them.
        """
        revived = [job for job in dict.fromkeys(demand) if self.state(job) is State.SKIPPED]
        affected: dict[int, None] = {}
        for job in revived:
            self.move(job, State.WAITING)
            self.ask[job] = False
            affected.update(dict.fromkeys(user for user in self.users(job) if self.state(user) in OPEN))
        return revived, list(affected)

    def unsettled(self, job: int) -> int:
        """How many of its needs are not settled, counted afresh."""
        return sum(self.state(need) not in SETTLED for need in self.needs(job))
