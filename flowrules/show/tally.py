"""Counts of a run per rule, what runs now, and how long the rest may take; kept up to date by a few steps per event."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from time import monotonic
from typing import NamedTuple

from flowrules.model.plan import Decision, Plan
from flowrules.model.progress import JobEnded, JobStarted


class State(IntEnum):
    """What became of a job so far."""

    UNCOUNTED = 0
    """Up to date, and not needed again so far."""
    WAITING = 1
    """It will run, or may run."""
    RUNNING = 2
    """An attempt runs."""
    DONE = 3
    """It succeeded."""
    FAILED = 4
    """It failed for good."""
    SKIPPED = 5
    """It turned out not to be needed."""
    BLOCKED = 6
    """One it needs failed."""
    COLLECTOR = 7
    """It has no action: nothing that anybody waits for."""


_UNCOUNTED, _COLLECTOR = State.UNCOUNTED, State.COLLECTOR  # looking them up on their class takes ten times as long
_WAITING, _RUNNING, _DONE = State.WAITING, State.RUNNING, State.DONE
SETTLED = (State.DONE, State.FAILED, State.SKIPPED, State.BLOCKED)


@dataclass(slots=True)
class RuleCount:
    """Jobs of a rule by state, and the seconds that its ended attempts took."""

    name: str
    counts: list[int] = field(default_factory=lambda: [0] * len(State))
    ended: int = 0
    seconds: float = 0.0

    @property
    def total(self) -> int:
        """Jobs that ran, run, will run or may run."""
        return sum(self.counts[State.WAITING : State.COLLECTOR])

    @property
    def settled(self) -> int:
        """Jobs about which nothing more happens."""
        return sum(self.counts[State.DONE : State.COLLECTOR])


class Running(NamedTuple):
    """An attempt that runs; ``since`` is on the tally's clock."""

    event: JobStarted
    since: float


class Tally:
    """The state of every job of a run.

    Attributes:
        rules: counts by the name of the rule, in the order of the plan.
        running: attempts that run, by job, the oldest first.
        started: time of the first attempt; None before.
        busy: seconds that all ended attempts took together.

    Args:
        clock: seconds of a clock that never goes back.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self.clock = clock
        self.rules: dict[str, RuleCount] = {}
        self.running: dict[int, Running] = {}
        self.started: float | None = None
        self.busy = 0.0
        self._plan = Plan()
        self._states = bytearray()
        self._sums = [0] * len(State)

    # ── events ───────────────────────────────────────────────────────────────────────────────────────────────────

    def plan_ready(self, plan: Plan) -> None:
        """Take in a plan; what already ran keeps its state."""
        self._plan = plan
        self._states.extend(bytes(len(plan.jobs) - len(self._states)))
        for job, decision in zip(plan.jobs, plan.decisions, strict=True):
            state = self._states[job.id]
            if job.rule.action is None:
                self._states[job.id] = State.COLLECTOR
            elif state == State.UNCOUNTED and decision is not Decision.SKIP:
                self._move(job.id, job.rule.name, State.WAITING)
            elif state == State.WAITING and decision is Decision.SKIP:
                self._move(job.id, job.rule.name, State.UNCOUNTED)

    def job_started(self, event: JobStarted) -> bool:
        """Note the start of an attempt; False for a job that nobody counts."""
        if self._states[event.job] == _COLLECTOR:
            return False
        now = self.clock()
        if self.started is None:
            self.started = now
        self.running[event.job] = Running(event, now)
        self._move(event.job, event.rule, _RUNNING)
        return True

    def job_ended(self, event: JobEnded) -> bool:
        """Note the end of an attempt; False for one that nobody waits for: a collector that succeeded."""
        self.running.pop(event.job, None)
        if self._states[event.job] == _COLLECTOR and event.ok:
            return False
        self._move(event.job, event.rule, _DONE if event.ok else _WAITING if event.will_retry else State.FAILED)
        rule = self.rules[event.rule]
        rule.ended += 1
        rule.seconds += event.elapsed
        self.busy += event.elapsed
        return True

    def settle(self, job: int, state: State) -> bool:
        """Note that a job is skipped or blocked; False for one that nobody counts."""
        if self._states[job] == _COLLECTOR:
            return False
        self._move(job, self.rule(job), state)
        return True

    def _move(self, job: int, rule: str, state: State) -> None:
        row = self.rules.get(rule)
        if row is None:
            row = self.rules[rule] = RuleCount(rule)
        old = self._states[job]
        if old != _UNCOUNTED and old != _COLLECTOR:
            row.counts[old] -= 1
            self._sums[old] -= 1
        if state != _UNCOUNTED:
            row.counts[state] += 1
            self._sums[state] += 1
        self._states[job] = state

    # ── questions ────────────────────────────────────────────────────────────────────────────────────────────────

    def label(self, job: int) -> str:
        """Name of a job for people."""
        return self._plan.jobs[job].label

    def rule(self, job: int) -> str:
        """Name of a job's rule."""
        return self._plan.jobs[job].rule.name

    def count(self, state: State) -> int:
        """Jobs in a state."""
        return self._sums[state]

    @property
    def total(self) -> int:
        """Jobs that ran, run, will run or may run."""
        return sum(self._sums[State.WAITING : State.COLLECTOR])

    @property
    def settled(self) -> int:
        """Jobs about which nothing more happens."""
        return sum(self._sums[State.DONE : State.COLLECTOR])

    def remaining_seconds(self) -> float | None:
        """How long the rest takes if jobs go on as they did; None while too little is known.

        Each waiting job is taken to last as long as its rule's jobs did (all jobs' mean where none of the rule ended),
        and as many to run at once as ran on average.
        """
        ended = sum(row.ended for row in self.rules.values())
        now = self.clock()
        if self.started is None or ended < 3 or now <= self.started:
            return None
        mean = self.busy / ended
        means = {name: row.seconds / row.ended if row.ended else mean for name, row in self.rules.items()}
        work = sum(row.counts[State.WAITING] * means[name] for name, row in self.rules.items())
        running = self.busy
        for event, since in self.running.values():
            running += now - since
            work += max(means[event.rule] - (now - since), 0.0)
        at_once = running / (now - self.started)
        return work / at_once if at_once > 0 else None
