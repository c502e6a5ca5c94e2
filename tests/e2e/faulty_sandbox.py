"""The program on a sandbox that misbehaves: `python faulty_sandbox.py FAULT ARGUMENTS`.

What the sandbox was asked to take, and what it made of it, is added to the file `submissions`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import flowrules.app.drive.batch
from flowrules.cli.main import main
from flowrules.errors import BatchError, BatchFull
from flowrules.execute.batch.commands import asking
from flowrules.execute.batch.patience import Manners, Patient
from flowrules.execute.batch.sandbox import Sandbox
from flowrules.model.batch import BatchState, BatchStatus, QueueToday
from flowrules.model.profile import Profile
from flowrules.ports import Waiting

HASTY = Manners(every=0.2, gap=0.0, looks=(0.05, 0.1, 0.2), tries=5, pause=0.1, longest=0.5, lasting=5.0)


class Faulty(Sandbox):
    """A sandbox with the fault of that name."""

    fault = ""
    calls = 0

    def submit(self, script: str, name: str) -> Waiting[str]:
        self.calls += 1
        happens: Callable[[str, str], Waiting[str]] = getattr(self, self.fault, super().submit)
        said = "nothing yet"
        try:
            said = yield from happens(script, name)
        except BatchError as error:
            said = error.message
            raise
        finally:
            with open("submissions", "a", encoding="utf-8") as file:
                file.write(f"{name} {said}\n")
        return said

    def fails_three_times(self, script: str, name: str) -> Waiting[str]:
        if self.calls <= 3:
            raise BatchError("the server is down")
        return (yield from super().submit(script, name))

    def fails_for_ever(self, script: str, name: str) -> Waiting[str]:
        raise BatchError("the server is down")

    def refuses(self, script: str, name: str) -> Waiting[str]:
        raise BatchError("your account has expired", final=True)

    def is_full_twice(self, script: str, name: str) -> Waiting[str]:
        if self.calls <= 2:
            raise BatchFull("the queue takes no more")
        return (yield from super().submit(script, name))

    def loses_the_answer(self, script: str, name: str) -> Waiting[str]:
        yield from super().submit(script, name)
        raise BatchError("no answer came")

    def forgets(self, script: str, name: str) -> Waiting[str]:
        yield from ()
        return f"{self.calls}00.nowhere"

    def never_starts(self, script: str, name: str) -> Waiting[str]:
        yield from ()
        return f"{self.calls}00.queued"

    is_deaf = never_starts

    def breaks_scripts(self, script: str, name: str) -> Waiting[str]:
        return super().submit(script.replace("\ncd ", "\nexit 5\ncd "), name)

    def hangs_at_the_second(self, script: str, name: str) -> Waiting[str]:
        if self.calls > 1:
            yield from asking(["sleep", "1000"], limit=1000)
        return (yield from super().submit(script, name))

    def status(self, ids: Sequence[str]) -> Waiting[Mapping[str, BatchStatus]]:
        if self.fault == "is_silent":
            raise BatchError("no answer came")
        if self.fault == "hangs_when_asked":
            open("asked", "w").close()
            yield from asking(["sleep", "1000"], limit=1000)
        waiting = {id: BatchStatus(BatchState.QUEUED) for id in ids if id.endswith(".queued")}
        return {**(yield from super().status([id for id in ids if id not in waiting])), **waiting}

    def queues(self) -> Waiting[Mapping[str, QueueToday]]:
        known = yield from super().queues()
        if self.fault == "is_shut":
            return {name: replace(queue, enabled=False) for name, queue in known.items()}
        if self.fault == "is_stopped":
            return {**known, "first": replace(known["first"], started=False)}
        if self.fault == "hangs_about_queues":
            yield from asking(["sleep", "1000"], limit=0.5)
        return known

    def cancel(self, id: str) -> Waiting[None]:
        if self.fault == "is_deaf":
            raise BatchError("no answer came")
        if self.fault == "never_starts":
            with open("submissions", "a", encoding="utf-8") as file:
                file.write(f"cancelled {id}\n")
        yield from super().cancel(id)


def faulty(profile: Profile, sandbox: str | None, **more: object) -> Patient:
    assert sandbox is not None
    return Patient(Faulty(sandbox, profile), HASTY)


Faulty.fault = sys.argv.pop(1)
flowrules.app.drive.batch.batch_system = faulty  # type: ignore[assignment]
sys.exit(main())
