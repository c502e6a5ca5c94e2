"""What the jobs of a dispatcher take of limited resources, and which blocks can have them with that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from flowrules.model.dispatch import LOCAL, BlockKnown, BlockOver, DispatchEvent, Freed, Grant
from flowrules.model.events import Need, SchedJob
from flowrules.model.profile import NodeShape
from flowrules.schedule.blocks import Blocks, share_of
from flowrules.schedule.room import Amounts
from flowrules.schedule.shares import Place, Shares
from flowrules.schedule.tokens import amounts

HERE: Final = Place(LOCAL, 1)
"""Where jobs run beside the driver."""


class Sharing:
    """Keeps the `Shares` of a dispatcher's blocks by its jobs.

    Args:
        listed, work: what the dispatcher knows of jobs: as they came, node-seconds and nodes.
    """

    def __init__(
        self,
        limits: Mapping[str, float],
        node: NodeShape,
        listed: Mapping[int, SchedJob],
        work: Mapping[int, tuple[float, float]],
        blocks: Blocks,
    ) -> None:
        self._shares = Shares(limits)
        self._wants: dict[int, Amounts] = {}
        self._node = node
        self._listed = listed
        self._work = work
        self._blocks = blocks

    def weigh(self, job: SchedJob) -> None:
        """A job, or its next attempt, needs this."""
        self._wants.pop(job.id, None)
        if wants := self._shares.wants(amounts(job.need)):
            self._wants[job.id] = wants

    def wants(self, job: int) -> Amounts:
        """What a job takes of limited resources."""
        return self._wants.get(job, ())

    def _all(self, job: int) -> tuple[Amounts, float, float]:
        return self.wants(job), self._work[job][1], self._listed[job].expected

    def _of_stranger(self, need: Need) -> tuple[Amounts, float, float]:
        return self._shares.wants(amounts(need)), share_of(need, self._node), 1.0

    def heed(self, event: DispatchEvent) -> None:
        """Learn of blocks, and of jobs there that are none of the plan."""
        if isinstance(event, BlockKnown):
            self._shares.know(event.block, event.tokens)
            for need in event.strange:
                self._shares.adopt(event.block, *self._of_stranger(need))
        elif isinstance(event, BlockOver):
            self._shares.forget(event.block)
        elif isinstance(event, Freed):
            self._shares.remove(event.block, *self._of_stranger(event.need))

    # ── handing over ─────────────────────────────────────────────────────────────────────────────────────────

    def begin(self) -> None:
        """A round begins, in which jobs are offered in their order."""
        self._shares.begin()

    def may_start_here(self, job: int) -> bool:
        """Whether a job may start beside the driver."""
        return self._shares.takes(HERE, self.wants(job), 0.0)

    def unable(self, job: int) -> set[str]:
        """Blocks that cannot be handed a job now: they have no share for it, or have not begun, and it would wait."""
        wants = self.wants(job)
        if not wants:
            return set()
        nodes = self._work[job][1]
        able = {place.name for place in self._blocks.places() if self._shares.takes(place, wants, nodes)}
        return set(self._blocks.readers()) - able

    def refuse(self, job: int) -> None:
        """A job found no place."""
        if job in self._wants:
            places = [HERE] if self._listed[job].local else self._blocks.places()
            self._shares.refuse(self._wants[job], places)

    def is_short(self, job: int) -> bool:
        """Whether a job waits for others to end: no further block would help it."""
        return self._shares.is_short(self.wants(job))

    def hand(self, job: int, where: str) -> None:
        """A job is handed over."""
        if job in self._wants:
            place = next(place for place in (HERE, *self._blocks.places()) if place.name == where)
            self._shares.hand(place, *self._all(job))

    def adopt(self, job: int, where: str) -> None:
        """A block of an earlier driver holds a job."""
        self._shares.adopt(where, *self._all(job))

    def take_back(self, job: int, where: str) -> None:
        """A job has left its block."""
        self._shares.remove(where, *self._all(job))

    # ── what blocks are told ─────────────────────────────────────────────────────────────────────────────────

    def none(self) -> dict[str, float]:
        """The shares of a block that is new."""
        return self._shares.none()

    def grants(self) -> Iterator[Grant]:
        """What blocks are to be told of their parts of all limits, before they are handed what was handed since."""
        changed = dict.fromkeys(block for block, _ in self._blocks.grants())
        changed.update(dict.fromkeys(self._shares.grants(self._blocks.places(), self._blocks.readers())))
        for block in changed:
            yield Grant(block, self._blocks.running_of(block), self._shares.told(block))
