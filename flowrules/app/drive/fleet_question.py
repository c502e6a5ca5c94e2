"""One question to the batch system for all blocks, asked now and then; the driver goes on while it is answered."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from flowrules.app.drive.fleet_block import Live
from flowrules.errors import BatchError
from flowrules.execute.batch.patience import Patient
from flowrules.model.batch import BatchStatus
from flowrules.ports import Waiting


@dataclass(slots=True)
class _Asked:
    """A question that is not answered yet: of which ids, after how many answers, and when it is looked at again."""

    steps: Waiting[Mapping[str, BatchStatus]]
    ids: frozenset[str]
    answers: int
    next_at: float


class Question:
    """Asks what became of blocks.

    Args:
        every: seconds between two questions.
    """

    def __init__(self, batch: Patient, every: float, tell: Callable[[str], None]) -> None:
        self._batch = batch
        self._every = every
        self._tell = tell
        self._asked: _Asked | None = None
        self._asked_at = float("-inf")
        self._silent = False

    @property
    def is_open(self) -> bool:
        """Whether an answer is waited for."""
        return self._asked is not None

    def give_up(self) -> None:
        """No answer is waited for any more."""
        self._asked = None

    def go_on(self, blocks: Collection[Live], now: float) -> None:
        """A step: ask where it is time to, see whether there is an answer, and tell the blocks what it says of them."""
        asked = self._asked
        if asked is None:
            ids = frozenset(live.id for live in blocks if live.id)
            if now - self._asked_at < self._every or not ids:
                return
            self._asked_at = now
            asked = self._asked = _Asked(self._batch.asking(sorted(ids)), ids, self._batch.answers, now)
        if now < asked.next_at:
            return
        try:
            asked.next_at = now + next(asked.steps)
        except StopIteration as done:
            self._asked, self._silent = None, False
            if self._batch.answers != asked.answers:  # else it is from memory
                self._heed(done.value, [live for live in blocks if live.id in asked.ids], now)
        except BatchError as error:
            self._asked = None
            if not self._silent:
                self._tell(f"{error.message}; asking again")
            self._silent = True

    def _heed(self, answers: Mapping[str, BatchStatus], blocks: Collection[Live], now: float) -> None:
        for live in blocks:
            if said := live.heed(answers.get(live.id), self._batch.answers, now, self._every):
                self._tell(said)
