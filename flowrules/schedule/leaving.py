"""Jobs that leave without having run to their end: blocked by a failure, taken back, impossible, or too late."""

from __future__ import annotations

from heapq import heappop, heappush

from flowrules.model.events import Action, Blocked, Forgotten, TooLate
from flowrules.schedule.states import LOST, OPEN, UNMET, Jobs, State


class Leaving:
    """Takes jobs, with all that need them, out of the run, and says so in actions.

    Args:
        again: ready jobs that were started before; those that leave are dropped.
        actions: where it is said.
        until: when the block ends; None where nothing does.

    Attributes:
        any: whether any job was lost, so that new ones may need what will not be had.
    """

    def __init__(self, jobs: Jobs, again: dict[int, None], actions: list[Action], until: float | None) -> None:
        self.any = False
        self._jobs = jobs
        self._again = again
        self._actions = actions
        self._until = until
        self._latest: list[tuple[float, int]] = []  # when jobs must have started, a heap

    def fail(self, job: int) -> None:
        """A running job failed for good."""
        self.any = True
        self._jobs.move(job, State.FAILED)
        self._block_users(job, job)

    def unmet(self, job: int) -> bool:
        """Let a job leave if it needs one that will not be had; one that failed counts before one taken back."""
        jobs = self._jobs
        lost = [need for need in jobs.needs(job) if jobs.state(need) in UNMET] if self.any else []
        if not lost:
            return False
        failed = [need for need in lost if jobs.state(need) in LOST]
        if failed:
            self._leave(job, State.BLOCKED, Blocked(job, failed[0]))
            self._block_users(job, failed[0])
        else:
            self.forget(job, Forgotten(job))
        return True

    def _block_users(self, job: int, because: int) -> None:
        """Block every job that cannot run any more, nearest first."""
        for user in self._users(job):
            self._leave(user, State.BLOCKED, Blocked(user, because))

    def forget(self, job: int, action: Action) -> None:
        """A job, if it has not left already, will not run here, and neither will those that need it, nearest first."""
        if self._jobs.state(job) in UNMET:
            return  # with another that it needs
        self.any = True
        self._leave(job, State.WITHDRAWN, action)
        for user in self._users(job):
            self._leave(user, State.WITHDRAWN, Forgotten(user))

    def _users(self, job: int) -> list[int]:
        """Jobs that have not started and need this one, also by way of others."""
        jobs = self._jobs
        reached = [job]
        seen = {job}
        for lost in reached:
            for user in sorted(jobs.users(lost)):
                if user not in seen and jobs.state(user) in OPEN:
                    seen.add(user)
                    reached.append(user)
        return reached[1:]

    def _leave(self, job: int, state: State, action: Action) -> None:
        self._jobs.move(job, state)
        self._again.pop(job, None)
        self._actions.append(action)

    # ── the end of the block ─────────────────────────────────────────────────────────────────────────────────────

    def watch(self, job: int) -> None:
        """Note when an attempt must have started to end before the block does."""
        if self._until is not None:
            heappush(self._latest, (self._until - self._jobs.length[job], job))

    def too_late(self, now: float) -> None:
        """Let jobs leave that have not started and cannot end in time any more."""
        latest = self._latest
        while latest and latest[0][0] < now:
            job = heappop(latest)[1]
            if self._jobs.state(job) in OPEN:
                self.forget(job, TooLate(job))
