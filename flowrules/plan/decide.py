"""Run, may run, or skip: each job's own reasons first, then what follows for its makers and users.

States only rise (skip → may run → run), so the spreading ends; its order does not matter.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import compress

from flowrules.model.job import Job
from flowrules.model.plan import Cause, Decision, Reason
from flowrules.plan.judge import Judge

SKIP, MAY, RUN = 0, 1, 2
_NOBODY = -1
_new = tuple.__new__  # half the time of calling Reason, of which a plan makes a million
_OTHERWISE = bytes([1, *[0] * 255])
_DECISIONS = (Decision.SKIP, Decision.MAY, Decision.RUN)


class Deciding:
    """Decides about the jobs of a DAG.

    Args:
        jobs, needs: makers before users; ``jobs[i].id == i``.
        producer: the chosen maker of each path, None for a source.
        asked: paths the user asks for: missing ones are a reason to run.
        read: paths that expressions ask for: likewise, but a file in a folder may well lack.
        settled: 1 for jobs that are known to have no reason of their own, 0 for those that are to be judged.

    Attributes:
        settled: the same after `decide`; a job that was judged by content, which may change unseen, is not settled.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        needs: Sequence[tuple[int, ...]],
        producer: Mapping[str, Job | None],
        asked: Collection[str],
        read: Collection[str],
        judge: Judge,
        settled: bytes | None = None,
    ) -> None:
        self._jobs = jobs
        self._needs = needs
        self._producer = producer
        self._asked = asked
        self._read = read
        self._judge = judge
        self.settled = bytearray(settled or bytes(len(jobs)))
        self._level = bytearray(len(jobs))
        self._reasons: list[tuple[Reason, ...]] = [()] * len(jobs)
        self._queue: list[int] = []
        self._running = 0
        self._active = sum(job.rule.action is not None for job in jobs)
        self._users: list[list[int]] | None = None

    def decide(self, forced: Mapping[int, Reason]) -> tuple[list[Decision], list[tuple[Reason, ...]]]:
        """One decision and one tuple of reasons for each job; ``forced`` run whatever their state."""
        self._judge_each(forced)
        self._look_beside_outputs()
        self._spread()
        return [_DECISIONS[level] for level in self._level], self._reasons

    def judged(self) -> int:
        """How many jobs are judged, for those who watch; may be called while another thread decides."""
        return max(self.settled.count(1), self._running)

    def _judge_each(self, forced: Mapping[int, Reason]) -> None:
        """Every job's own reasons; a missing output is one where somebody asks for it."""
        stat, first = self._judge.files.stat, self._judge.first
        wanted = {*self._asked, *self._read}
        judge, settled = self._judge, self.settled
        known = bytes(settled)
        for job in self._jobs if 1 not in known else compress(self._jobs, known.translate(_OTHERWISE)):
            if job.rule.action is None:
                settled[job.id] = 1
                continue
            looked_inside = judge.looked_inside
            reason = forced.get(job.id) if forced else None
            if reason is None and not wanted.isdisjoint(job.outputs):
                missing = next((path for path in job.outputs if path in wanted and stat(path) is None), None)
                reason = None if missing is None else Reason(Cause.MISSING, missing)
            if reason is None:
                reason = first(job)
            if reason is not None:
                self._raise(job.id, RUN, reason)
            elif judge.looked_inside == looked_inside:
                settled[job.id] = 1

    def _look_beside_outputs(self) -> None:
        """What is asked for may be no output itself: a file below a `directory()`, a log, a benchmark."""
        for path in (*self._asked, *self._read):
            maker = self._producer.get(path)
            if maker is None or path in maker.outputs or maker.rule.action is None:
                continue
            if path not in self._asked:
                path = next((folder for folder in maker.outputs if path.startswith(f"{folder}/")), path)
            if self._judge.files.stat(path) is None:
                self._raise(maker.id, RUN, Reason(Cause.MISSING, path))

    def _raise(self, job: int, level: int, reason: Reason) -> None:
        if self._level[job] >= level:
            return
        self._level[job] = level
        if level == RUN:
            self._running += 1
        before = self._reasons[job]
        self._reasons[job] = (reason, *before) if before else (reason,)
        self._queue.append(job)

    def _spread(self) -> None:
        """What follows from jobs that run or may run: first for all that they need, then for those that need them."""
        raised: list[int] = []
        while self._queue or raised:
            while self._queue:
                number = self._queue.pop()
                raised.append(number)
                self._tell_makers(number)
            if self._running == self._active:
                return  # nobody is left to be told anything: the usual end where nothing was built yet
            self._tell_users(raised.pop())

    def _tell_makers(self, number: int) -> None:
        """A hot path: every input of a job that runs comes by."""
        level, levels, stat = self._level[number], self._level, self._judge.files.stat
        cause = Cause.MISSING if level == RUN else Cause.NEEDED
        job, makers = self._jobs[number], self._needs[number]
        if not makers:
            return
        if len(makers) != len(job.inputs) or job.waits:  # else each input has a maker of its own, in order
            made = [self._producer[path] for path in job.inputs]
            makers = tuple([_NOBODY if maker is None else maker.id for maker in made])
        for path, maker in zip(job.inputs, makers, strict=True):
            if maker != _NOBODY and levels[maker] < level and stat(path) is None:
                self._raise(maker, level, _new(Reason, (cause, path, "", "")))

    def _tell_users(self, number: int) -> None:
        level, job = self._level[number], self._jobs[number]
        for user in self._users_of(number):
            if self._level[user] < level and self._jobs[user].rule.action is not None:
                self._tell(job, self._jobs[user], level)

    def _tell(self, job: Job, user: Job, level: int) -> None:
        """A user's input will or may be made anew."""
        judge = self._judge
        if user.waits and any(self._producer[path] is job for path in user.waits):
            self._raise(user.id, MAY, Reason(Cause.WAITS, min(user.waits)))
        for path in self._between(job, user):
            if judge.counts(user, path):
                certain = level == RUN and not judge.may_be_cut_off(user, path)
                self._raise(user.id, RUN if certain else MAY, Reason(Cause.UPSTREAM, path))

    def _between(self, job: Job, user: Job) -> Sequence[str]:
        """The files of a job that a user takes; cheap for the job with one output and the user with 100,000 inputs."""
        if len(job.outputs) == 1 and not (job.rule.logs or job.rule.benchmarks or job.rule.outputs[0].flags.directory):
            return () if job.outputs[0] in user.waits else job.outputs
        return [path for path in dict.fromkeys(user.inputs) if self._producer[path] is job]

    def _users_of(self, number: int) -> Sequence[int]:
        if self._users is None:
            users: list[list[int]] = [[] for _ in self._jobs]
            for user, needs in enumerate(self._needs):
                for need in needs:
                    users[need].append(user)
            self._users = users
        return self._users[number]
