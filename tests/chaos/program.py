"""The program with short waits, and a sandbox that fails as it is told: `python program.py FOLDER ARGUMENTS`.

In FOLDER lie `submit`, `status`, `find` and `cancel`: what becomes of the first call, the second, …, a word a line (see
`Faulty`). Each call takes a line off; what happened is added to the file `happened`. Blocks run the same program.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import flowrules.app.block.runner_loop
import flowrules.app.block.runner_nodes
import flowrules.app.drive.batch
import flowrules.app.drive.fleet
import flowrules.app.setting
import flowrules.record.lock
from flowrules.cli.main import main
from flowrules.errors import BatchError, BatchFull
from flowrules.execute.batch.choose import batch_system
from flowrules.execute.batch.commands import asking
from flowrules.execute.batch.patience import Manners, Patient
from flowrules.execute.batch.pbs import Pbs
from flowrules.execute.batch.sandbox import Sandbox
from flowrules.model.batch import BatchState, BatchStatus
from flowrules.model.profile import Profile
from flowrules.ports import Waiting
from flowrules.record.spool_runner import RunnerFolder

HASTY = Manners(every=0.2, gap=0.0, looks=(0.05, 0.1, 0.3), tries=5, pause=0.1, longest=0.5, lasting=10.0)
QUARANTINE = 15.0
"""Instead of 150 s: all hosts are on one machine, and agents whose runner is gone are told so at once."""

LIMIT = 2.0
"""Seconds a command may take instead of 60."""

FOLDER = Path(sys.argv.pop(1))


def fault(call: str) -> str:
    """What is to become of a call; "" or `none`: nothing."""
    path = FOLDER / call
    word, _, rest = (path.read_text() if path.exists() else "").partition("\n")
    if word:
        path.write_text(rest)
    if word not in ("", "none"):
        with open(FOLDER / "happened", "a") as file:
            file.write(f"{call} {word}\n")
    return word


class Faulty(Sandbox):
    """A sandbox whose calls fail, hang, find the queue full, lose their answer, answer half, call jobs held, or happen twice."""

    def submit(self, script: str, name: str) -> Waiting[str]:
        word = yield from self._befalls("submit")
        if word == "full":
            raise BatchFull("the queue takes no more")
        id = yield from super().submit(script, name)
        if word == "twice":
            id = yield from super().submit(script, name)
        if word == "lose":
            raise BatchError("no answer came")
        return id

    def status(self, ids: Sequence[str]) -> Waiting[Mapping[str, BatchStatus]]:
        word = yield from self._befalls("status")
        found = yield from super().status(ids[: len(ids) // 2] if word == "half" else ids)
        if word == "held":
            found = {id: _held(status) for id, status in found.items()}
        return found

    def find(self, name: str) -> Waiting[list[str]]:
        yield from self._befalls("find")
        return (yield from super().find(name))

    def cancel(self, id: str) -> Waiting[None]:
        word = yield from self._befalls("cancel")
        yield from super().cancel(id)
        if word == "lose":
            raise BatchError("no answer came")

    def _befalls(self, call: str) -> Waiting[str]:
        word = fault(call)
        if word == "fail":
            raise BatchError("the server is down")
        if word == "hang":
            yield from asking(["sleep", "20"], limit=LIMIT)
        return word


def _held(status: BatchStatus) -> BatchStatus:
    """The state of a batch job, which is held if it waits."""
    return BatchStatus(BatchState.HELD, "job held") if status.state is BatchState.QUEUED else status


def chosen(profile: Profile, sandbox: str | None, **more: object) -> Patient:
    """The batch system of a call."""
    if sandbox is not None:
        return Patient(Faulty(sandbox, profile), HASTY)
    patient = batch_system(profile, sandbox)
    return Patient(Pbs(limit=LIMIT) if profile.scheduler == "pbs" else patient.system, HASTY)


flowrules.app.drive.batch.batch_system = chosen  # type: ignore[assignment]
flowrules.app.drive.batch.EVERY = 1.0  # type: ignore[misc]
flowrules.app.drive.fleet.QUARANTINE = QUARANTINE  # type: ignore[misc]
flowrules.app.block.runner_nodes.QUARANTINE_SECONDS = QUARANTINE  # type: ignore[misc]
flowrules.app.block.runner_loop.QUARANTINE_SECONDS = QUARANTINE  # type: ignore[misc]
RunnerFolder.begin.__func__.__kwdefaults__["quarantine"] = QUARANTINE  # type: ignore[attr-defined]
if (FOLDER / "apart").exists():  # drivers on several hosts, on a file system without locks
    flowrules.record.lock._try_lock = lambda fd: None
    flowrules.record.lock.SILENCE_SECONDS = 4.0
    flowrules.record.lock.FRESH_SECONDS = 0.5
    flowrules.app.setting.BEAT_SECONDS = 1.0
if os.path.exists(FOLDER / "python"):  # what blocks are started with
    sys.executable = str(FOLDER / "python")
sys.exit(main())
