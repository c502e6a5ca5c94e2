"""All that speaks for making a file anew, not only what decided: each changed input, param and line, and whence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flowrules.model.account import Account, Finding
from flowrules.model.files import FileRecord
from flowrules.model.job import Job
from flowrules.model.plan import Cause, Decision, Plan, Reason
from flowrules.model.values import NO_FLAGS
from flowrules.plan.build import Planned
from flowrules.plan.judge import Judge

DEPTH = 12
"""How far back an account goes: from a file to what its job needs, and so on."""


def accounts(planned: Planned) -> list[Account]:
    """One account for each file that a plan was made for."""
    teller = _Teller(planned)
    return [teller.account(path) for path in planned.plan.targets]


class _Teller:
    """Tells of each job once, and of a job that is met again only that it runs."""

    def __init__(self, planned: Planned) -> None:
        self._planned = planned
        plan = planned.plan
        asked = {path: number for number in plan.target_jobs for path in plan.jobs[number].outputs}
        self._maker = {**asked, **plan.producer}  # the plan itself says only who makes what a job needs
        self._told: set[int] = set()

    def account(self, path: str, depth: int = DEPTH) -> Account:
        """Of a file, and of those that its job needs, as deep as is left."""
        plan, judge = self._planned.plan, self._planned.judge
        number = self._maker.get(path)
        stamp, last = judge.files.stat(path), judge.history.last(path)
        if number is None:
            users = tuple(job.label for job in plan.jobs if path in job.inputs)
            return Account(path, None, Decision.SKIP, stamp, last, users=users, kept=path in plan.kept)
        job, decision = plan.jobs[number], plan.decisions[number]
        account = Account(path, job, decision, stamp, last)
        if decision is Decision.SKIP or number in self._told:
            return account
        self._told.add(number)
        account.findings = tuple(_findings(self._planned, job))
        by_rule: dict[str, list[str]] = {}
        for made_anew in _made_anew(plan, job):
            by_rule.setdefault(plan.jobs[plan.producer[made_anew]].rule.name, []).append(made_anew)
        if depth:
            account.makers = tuple((self.account(paths[0], depth - 1), len(paths) - 1) for paths in by_rule.values())
        account.deeper = bool(by_rule) and not depth
        return account


def _made_anew(plan: Plan, job: Job) -> Iterator[str]:
    """One input for each maker that will or may run."""
    seen: set[int] = set()
    for path in job.inputs:
        maker = plan.producer.get(path)
        if maker is not None and maker not in seen and plan.decisions[maker] is not Decision.SKIP:
            seen.add(maker)
            yield path


def _findings(planned: Planned, job: Job) -> Iterator[Finding]:
    plan, judge = planned.plan, planned.judge
    told: set[tuple[Cause, str]] = set()
    for reason in plan.reasons[job.id]:
        for finding in _expanded(judge, job, reason):
            told.add((finding.reason.cause, finding.reason.subject))
            yield finding
    for reason in judge.reasons(job):
        for finding in _expanded(judge, job, reason):
            if (finding.reason.cause, finding.reason.subject) not in told:
                yield finding
    for path in job.outputs:
        if judge.files.stat(path) is None and (Cause.MISSING, path) not in told:
            yield Finding(Reason(Cause.MISSING, path))
    for path in _made_anew(plan, job):
        if (Cause.UPSTREAM, path) not in told and judge.counts(job, path):
            yield Finding(Reason(Cause.UPSTREAM, path))


def _expanded(judge: Judge, job: Job, reason: Reason) -> Iterator[Finding]:
    """A reason; one about the first changed input becomes one for each."""
    if reason.cause is Cause.CHANGED:
        record = judge.history.last(job.outputs[0])
        yield from _changed_inputs(judge, job, record.inputs if record else ())
    elif reason.cause is Cause.NEWER:
        oldest = min(judge.mtime(path, stamp) for path in job.outputs if (stamp := judge.files.stat(path)) is not None)
        for at, path in enumerate(job.inputs):
            stamp = judge.files.stat(path)
            if stamp is not None and not job.input_flags.get(at, NO_FLAGS).ancient:
                when = judge.mtime(path, stamp)
                if when > oldest:
                    yield Finding(Reason(Cause.NEWER, path), FileRecord(job.outputs[0], 0, oldest), stamp)
    elif reason.cause is Cause.INPUTS:
        record = judge.history.last(job.outputs[0])
        before, after = {f.path for f in record.inputs} if record else set(), set(job.inputs)
        yield Finding(Reason(Cause.INPUTS, "", *("\n".join(sorted(part)) for part in (before - after, after - before))))
    else:
        yield Finding(reason)


def _changed_inputs(judge: Judge, job: Job, before: Sequence[FileRecord]) -> Iterator[Finding]:
    by_path = {known.path: known for known in before}
    told: set[str] = set()
    for at, path in enumerate(job.inputs):
        then = by_path.get(path)
        if then is None or path in told or job.input_flags.get(at, NO_FLAGS).ancient or judge.unchanged(path, then):
            continue
        told.add(path)
        yield Finding(Reason(Cause.CHANGED, path), then, judge.files.stat(path))
