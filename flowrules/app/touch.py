"""`--touch`: what exists is accepted as up to date, without running anything."""

from __future__ import annotations

import time

from flowrules.app.parts import Result
from flowrules.model.files import FileRecord
from flowrules.model.plan import Decision
from flowrules.model.progress import JobEnded
from flowrules.model.record import Record
from flowrules.plan.build import Planned
from flowrules.ports import Observer
from flowrules.record.disk import Disk
from flowrules.record.outputs import file_record
from flowrules.record.store import Store
from flowrules.show.text import counted


def touch(planned: Planned, disk: Disk, store: Store, observer: Observer, run: str) -> Result:
    """Records every job that would run, and whose outputs and inputs exist, as done; makers before users."""
    result = Result()
    for job, decision in zip(planned.plan.jobs, planned.plan.decisions, strict=True):
        if decision is Decision.SKIP or not job.outputs:
            continue
        missing = [path for path in (*job.inputs, *job.outputs) if disk.stat(path) is None]
        if missing:
            error = f"it cannot be accepted: `{missing[0]}` does not exist"
            observer.job_ended(JobEnded(job.id, job.label, job.rule.name, False, 1, error=error))
            result.failed.append(job.id)
            continue
        fingerprints = planned.judge.fingerprints
        now = time.time()
        code = fingerprints.code(job.rule)
        store.remember_text(code, fingerprints.code_text(job.rule))
        store.ended(
            Record(
                rule=job.rule.name,
                wildcards=job.wildcards,
                outputs=[_seen(planned, disk, path) for path in job.outputs],
                inputs=[_seen(planned, disk, path) for path in job.inputs],
                code=code,
                params=fingerprints.params(job),
                environment=fingerprints.environment(job.rule),
                status="touched",
                reason="accepted by --touch",
                started=now,
                ended=now,
                run=run,
            ),
            job.outputs,
        )
        observer.job_ended(JobEnded(job.id, job.label, job.rule.name, True, 0))
        result.done.append(job.id)
    store.flush()
    observer.message(f"accepted without running: {counted(len(result.done), 'job')}")
    return result


def _seen(planned: Planned, disk: Disk, path: str) -> FileRecord:
    record = file_record(disk, path, planned.judge.policy.hash_limit)
    assert record is not None
    return record
