"""Whether a job must run for reasons of its own: one list of checks that both decides and explains.

With a record of the job's last success, its inputs are compared with what they were when it started, so clocks of
different machines never matter; only a job without a record is judged by which file is newer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from flowrules.model.files import FileRecord, Stamp
from flowrules.model.job import Job
from flowrules.model.plan import Cause, Reason
from flowrules.model.record import Record
from flowrules.model.values import NO_FLAGS
from flowrules.plan.fingerprint import UNKNOWN, Fingerprints
from flowrules.plan.policy import Policy
from flowrules.ports import FileView, History


class Judge:
    """Compares jobs with what the disk says and what was remembered.

    Attributes:
        looked_inside: how often it took more than size, time and kind of a file to judge.
    """

    def __init__(self, files: FileView, history: History, fingerprints: Fingerprints, policy: Policy) -> None:
        self.files = files
        self.history = history
        self.fingerprints = fingerprints
        self.policy = policy
        self._digested: dict[str, frozenset[str]] = {}
        self._texts: dict[str, str] = {}
        self.looked_inside = 0
        self._stat, self._last, self._open = files.stat, history.last, history.unfinished

    def first(self, job: Job) -> Reason | None:
        """The reason that decides, or None where the job's own state gives none."""
        if not job.outputs:
            return None
        output = job.outputs[0]
        record = self._last(output)
        if record is None and self._stat(output) is None:  # no check but this has anything to go by
            return Reason(Cause.UNFINISHED) if self._open(output) else None
        record = self._matching(record, job)
        for check in CHECKS if record is not None else CHECKS_WITHOUT_RECORD:
            reason = check(self, job, record)
            if reason is not None:
                return reason
        return None

    def reasons(self, job: Job) -> Iterator[Reason]:
        """Every reason of the job's own, in the order of `CHECKS`; missing outputs are none (nobody may need them)."""
        if not job.outputs:
            return
        record = self._matching(self.history.last(job.outputs[0]), job)
        for check in CHECKS:
            reason = check(self, job, record)
            if reason is not None:
                yield reason

    def _matching(self, record: Record | None, job: Job) -> Record | None:
        if record is not None and [f.path for f in record.outputs] != list(job.outputs):
            return None  # the file was made by another rule, or with other siblings
        return record

    def unchanged(self, path: str, then: FileRecord) -> bool:
        """Whether a file still is what a record says, by size and time or, where it is small enough, by content."""
        now = self.files.stat(path)
        if now is None:
            return self._unchanged_in_memory(path, then)
        if now.kind == "d":
            self.looked_inside += 1
            return then.digest != "" and self.files.digest(path) == then.digest
        if now.size != then.size:
            return False
        if now.mtime_ns == then.mtime_ns:
            return True
        if not self.policy.cutoff or not then.digest or now.size > self.policy.hash_limit:
            return False
        self.looked_inside += 1
        return self.files.digest(path) == then.digest

    def _unchanged_in_memory(self, path: str, then: FileRecord) -> bool:
        """A file that is gone (a temp one) is judged by what its maker's record says it was."""
        made = self.history.last(path)
        if made is None:
            return True
        last = next((f for f in made.outputs if f.path == path), None)
        if last is None or (last.size == then.size and last.mtime_ns == then.mtime_ns):
            return True
        return self.policy.cutoff and bool(then.digest) and last.digest == then.digest

    def may_be_cut_off(self, job: Job, path: str) -> bool:
        """Whether an input that is made anew can turn out to be what it was."""
        if not self.policy.cutoff or not job.outputs:
            return False
        key = job.outputs[0]
        digested = self._digested.get(key)
        if digested is None:
            record = self.history.last(key)
            digested = frozenset(f.path for f in record.inputs if f.digest) if record is not None else frozenset()
            self._digested[key] = digested
        return path in digested

    def counts(self, job: Job, path: str) -> bool:
        """Whether a change of an input matters to a job: it is not `ancient`, and time is a trigger."""
        if "mtime" not in self.policy.triggers:
            return False
        if not job.input_flags:
            return True
        return not all(
            job.input_flags.get(at, NO_FLAGS).ancient for at, other in enumerate(job.inputs) if other == path
        )

    def text_then(self, code: str) -> str:
        """The text of a command as it was recorded; many jobs have the same."""
        text = self._texts.get(code)
        if text is None:
            text = self._texts[code] = self.history.code_text(code)
        return text

    def mtime(self, path: str, stamp: Stamp) -> int:
        """When a file last changed; a folder's time is that of the newest file below it, never its own."""
        if stamp.kind != "d":
            return stamp.mtime_ns
        self.looked_inside += 1
        return self.files.tree_mtime_ns(path)


def _unfinished(judge: Judge, job: Job, record: Record | None) -> Reason | None:
    if judge.history.unfinished(job.outputs[0]):
        return Reason(Cause.UNFINISHED)
    return None


def _inputs(judge: Judge, job: Job, record: Record | None) -> Reason | None:
    if record is None or "inputs" not in judge.policy.triggers or job.waits:
        return None
    before = [f.path for f in record.inputs]
    if len(before) == len(job.inputs) and all(a == b for a, b in zip(before, job.inputs, strict=True)):
        return None
    old, new = set(before), set(job.inputs)
    if old == new:
        return None
    added, gone = sorted(new - old), sorted(old - new)
    return Reason(Cause.INPUTS, _some(added, "+") + (" " if added and gone else "") + _some(gone, "-"))


def _changed(judge: Judge, job: Job, record: Record | None) -> Reason | None:
    if record is None or "mtime" not in judge.policy.triggers:
        return None
    stat = judge.files.stat
    same_order = len(record.inputs) == len(job.inputs)
    by_path = None if same_order else {f.path: f for f in record.inputs}
    for at, path in enumerate(job.inputs):
        then = record.inputs[at] if by_path is None else by_path.get(path)
        if then is None or then.path != path:
            by_path = by_path or {f.path: f for f in record.inputs}
            then = by_path.get(path)
            if then is None:
                continue
        now = stat(path)
        if now is not None and now.mtime_ns == then.mtime_ns and now.size == then.size and now.kind == "f":
            continue
        if job.input_flags.get(at, NO_FLAGS).ancient:
            continue
        if not judge.unchanged(path, then):
            return Reason(Cause.CHANGED, path)
    return None


def _newer(judge: Judge, job: Job, record: Record | None) -> Reason | None:
    if record is not None or "mtime" not in judge.policy.triggers:
        return None
    oldest = None
    for path in job.outputs:
        stamp = judge.files.stat(path)
        if stamp is None:
            return None  # a missing output is a matter of who needs it
        when = judge.mtime(path, stamp)
        oldest = when if oldest is None or when < oldest else oldest
    for at, path in enumerate(job.inputs):
        stamp = judge.files.stat(path)
        if stamp is None or oldest is None or job.input_flags.get(at, NO_FLAGS).ancient:
            continue
        if judge.mtime(path, stamp) > oldest:
            return Reason(Cause.NEWER, path)
    return None


def _code(judge: Judge, job: Job, record: Record | None) -> Reason | None:
    if record is None or "code" not in judge.policy.triggers or (record.status == "touched" and not record.code):
        return None
    now = judge.fingerprints.code(job.rule)
    if now in (record.code, UNKNOWN):
        return None
    return Reason(Cause.CODE, "", judge.text_then(record.code), judge.fingerprints.code_text(job.rule))


def _params(judge: Judge, job: Job, record: Record | None) -> Reason | None:
    if record is None or "params" not in judge.policy.triggers:
        return None
    now = judge.fingerprints.params(job)
    return Reason(Cause.PARAMS, "", record.params, now) if now not in (record.params, UNKNOWN) else None


def _environment(judge: Judge, job: Job, record: Record | None) -> Reason | None:
    if record is None or "env" not in judge.policy.triggers:
        return None
    now = judge.fingerprints.environment(job.rule)
    return Reason(Cause.ENVIRONMENT, "", record.environment, now) if now != record.environment else None


Check = Callable[[Judge, Job, "Record | None"], "Reason | None"]

CHECKS: tuple[Check, ...] = (_unfinished, _inputs, _changed, _newer, _code, _params, _environment)
CHECKS_WITHOUT_RECORD: tuple[Check, ...] = (_unfinished, _newer)
"""Those that can find something without a record of the job's last success."""


def _some(paths: list[str], sign: str) -> str:
    shown = " ".join(f"{sign}{p}" for p in paths[:3])
    return f"{shown} and {len(paths) - 3} more" if len(paths) > 3 else shown
