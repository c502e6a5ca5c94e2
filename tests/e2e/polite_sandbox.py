"""The program on a sandbox that is treated as a site's batch system; what it does is counted: `python polite_sandbox.py …`.

When it ends the file `counted.json` has `asked`: for each command of the batch system its name and when it was given (seconds of
the monotonic clock); `turns`: how often the loop waited for something; `calls`: read and write calls of the driver itself.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence

import flowrules.app.drive.batch as drive
from flowrules.cli.main import main
from flowrules.execute.batch.patience import Manners, Patient
from flowrules.execute.batch.sandbox import Sandbox
from flowrules.execute.local import LocalExecutor
from flowrules.model.batch import BatchStatus, QueueToday
from flowrules.model.order import Outcome
from flowrules.model.profile import Profile
from flowrules.ports import Waiting

asked: list[tuple[str, float]] = []
turns = 0
driver = os.getpid()


class Counting(Sandbox):
    """A sandbox that knows what it was asked."""

    def submit(self, script: str, name: str) -> Waiting[str]:
        asked.append(("submit", time.monotonic()))
        return super().submit(script, name)

    def find(self, name: str) -> Waiting[list[str]]:
        asked.append(("find", time.monotonic()))
        return super().find(name)

    def status(self, ids: Sequence[str]) -> Waiting[Mapping[str, BatchStatus]]:
        asked.append(("status", time.monotonic()))
        return super().status(ids)

    def cancel(self, id: str) -> Waiting[None]:
        asked.append(("cancel", time.monotonic()))
        return super().cancel(id)

    def queues(self) -> Waiting[Mapping[str, QueueToday]]:
        asked.append(("queues", time.monotonic()))
        return super().queues()


def polite(profile: Profile, sandbox: str | None, **more: object) -> Patient:
    assert sandbox is not None
    return Patient(Counting(sandbox, profile), Manners())


def counting_wait(self: LocalExecutor, timeout: float | None) -> list[Outcome]:
    global turns
    turns += 1
    return waits(self, timeout)


waits = LocalExecutor.wait
LocalExecutor.wait = counting_wait  # type: ignore[method-assign]
drive.batch_system = polite  # type: ignore[assignment]
drive.SANDBOX_EVERY = drive.EVERY  # type: ignore[misc]
try:
    status = main()
finally:
    if os.getpid() == driver:
        with open("/proc/self/io", encoding="ascii") as io:
            calls = sum(int(line.split()[1]) for line in io if line.startswith(("syscr", "syscw")))
        with open("counted.json", "w", encoding="utf-8") as file:
            json.dump({"asked": asked, "turns": turns, "calls": calls}, file)
sys.exit(status)
