"""Keeps polite rates with a batch system and asks again what failed, without ever submitting one name twice.

All that takes time is a generator that yields seconds to wait, so that a driver does other things meanwhile: `finish`
runs one to its end for those who have nothing else to do. One command runs at a time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from flowrules.errors import BatchError
from flowrules.model.batch import BatchState, BatchStatus, QueueToday
from flowrules.ports import BatchSystem, Waiting

T = TypeVar("T")

_TURN: Final = 0.1
"""Seconds between two looks whether the command before has ended."""


def finish(steps: Waiting[T], sleep: Callable[[float], None] = time.sleep) -> T:
    """Run what takes time to its end."""
    while True:
        try:
            wait = next(steps)
        except StopIteration as end:
            value: T = end.value
            return value
        sleep(wait)


@dataclass(frozen=True, slots=True)
class Manners:
    """How a batch system is treated; all times in seconds.

    Attributes:
        every: between status queries.
        gap: between submissions.
        looks: pauses before each look for a batch job whose submission may have arrived; then it counts as not arrived.
        tries: submissions of one batch job before its error is told.
        pause: before something that failed is asked again; doubled each time, at most ``longest``.
        lasting: how long a batch system that does not answer a look is asked on.
    """

    every: float = 30.0
    gap: float = 1.0
    looks: tuple[float, ...] = (5.0, 20.0, 35.0)
    tries: int = 5
    pause: float = 2.0
    longest: float = 300.0
    lasting: float = 600.0


class Patient:
    """Asks a batch system as its manners say.

    Attributes:
        answers: how often `asking` was answered by the batch system itself: what is absent twice is so in two answers.
    """

    def __init__(
        self, system: BatchSystem, manners: Manners | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.system = system
        self.manners = manners or Manners()
        self.answers = 0
        self._clock = clock
        self._busy = False
        self._submit_from = 0.0
        self._ask_from = 0.0
        self._failures = 0
        self._error: BatchError | None = None
        self._asked: frozenset[str] = frozenset()
        self._told: dict[str, BatchStatus] = {}

    def asking(self, ids: Sequence[str]) -> Waiting[Mapping[str, BatchStatus]]:
        """What became of batch jobs; see `BatchSystem.status`.

        Asks at most every so often for the same ids, and answers from memory meanwhile. After a failure it waits longer
        and longer; meanwhile the error is raised again. A batch job that was submitted since the last query is queued.
        """
        wanted = frozenset(ids)
        if self._clock() < self._ask_from:
            if self._error is not None:
                raise BatchError(self._error.message, self._error.hint, final=self._error.final)
            if wanted <= self._asked:
                return {id: self._told[id] for id in ids if id in self._told}
        try:
            answer = yield from self._in_turn(lambda: self.system.status(sorted(wanted)))
        except BatchError as error:
            self._error = error
            self._failures += 1
            self._ask_from = self._clock() + min(self.manners.every * 2.0**self._failures, self.manners.longest)
            raise
        self._error, self._failures = None, 0
        self._ask_from = self._clock() + self.manners.every
        self._asked, self._told = wanted, dict(answer)
        self.answers += 1
        return answer

    def queues(self) -> Waiting[Mapping[str, QueueToday]]:
        """See `BatchSystem`; asks once."""
        return self._in_turn(self.system.queues)

    def submitting(
        self, script: str, name: str, *, doubtful: bool = False, tell: Callable[[BatchError], None] | None = None
    ) -> Waiting[str]:
        """Submits a batch job once, whatever happens; returns its id.

        Args:
            doubtful: it may have been submitted before, by a driver that died: it is looked for first.
            tell: given each failure after which it goes on.

        Raises:
            BatchError: it was refused (final), or all tries failed, or the batch system does not answer.
        """
        last: BatchError | None = None
        for _ in range(self.manners.tries):
            if doubtful and (ids := (yield from self.looking_up(name, tell))):
                return self._submitted(ids[0])
            if (wait := self._submit_from - self._clock()) > 0:
                yield wait
            self._submit_from = self._clock() + self.manners.gap
            try:
                return self._submitted((yield from self._in_turn(lambda: self.system.submit(script, name))))
            except BatchError as error:
                if error.final:
                    raise
                last, doubtful = error, True
                if tell is not None:
                    tell(error)
        if ids := (yield from self.looking_up(name, tell)):
            return self._submitted(ids[0])
        raise BatchError(f"batch job `{name}` could not be submitted in {self.manners.tries} tries: {last}") from last

    def looking_up(self, name: str, tell: Callable[[BatchError], None] | None = None) -> Waiting[list[str]]:
        """Ids of batch jobs with this name; none only if the batch system said so several times over a minute.

        Args:
            tell: given each failure after which it asks again.

        Raises:
            BatchError: it did not answer for a long time.
        """
        end = self._clock() + sum(self.manners.looks) + self.manners.lasting
        for wait in self.manners.looks:
            yield wait
            ids = yield from self._repeated(lambda: self.system.find(name), end, tell)
            if ids:
                return sorted(ids)
        return []

    def cancelling(self, id: str) -> Waiting[None]:
        """Ends a batch job; asks again where that failed.

        Raises:
            BatchError: it was refused, or failed for a long time.
        """
        yield from self._repeated(lambda: self.system.cancel(id), self._clock() + self.manners.lasting)

    def _repeated(
        self, call: Callable[[], Waiting[T]], end: float, tell: Callable[[BatchError], None] | None = None
    ) -> Waiting[T]:
        """Repeat what does no harm when it is repeated, until it succeeds or ``end``."""
        pause = self.manners.pause
        while True:
            try:
                return (yield from self._in_turn(call))
            except BatchError as error:
                if error.final or self._clock() + pause > end:
                    raise
                if tell is not None:
                    tell(error)
            yield pause
            pause = min(pause * 2, self.manners.longest)

    def _in_turn(self, call: Callable[[], Waiting[T]]) -> Waiting[T]:
        """One command at a time: whoever comes while another is waited for waits until that has ended."""
        while self._busy:
            yield _TURN
        self._busy = True
        try:
            return (yield from call())
        finally:
            self._busy = False

    def _submitted(self, id: str) -> str:
        self._asked |= {id}
        self._told.setdefault(id, BatchStatus(BatchState.QUEUED, "was submitted just now"))
        return id
