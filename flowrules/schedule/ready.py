"""Ready jobs of a campaign as they wait for a block, and whether any block can be handed one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from flowrules.model.events import SchedJob
from flowrules.schedule.backlog import BESIDE, Backlog, likeness
from flowrules.schedule.blocks import Blocks
from flowrules.schedule.sharing import Sharing
from flowrules.schedule.states import Jobs


class Ready:
    """Ready jobs.

    Args:
        listed, work, unfit: what the dispatcher knows of jobs: as they came, node-seconds and nodes, blocks that cannot
            run them.
        sharing: what jobs take of limited resources.
    """

    def __init__(
        self,
        jobs: Jobs,
        listed: Mapping[int, SchedJob],
        work: Mapping[int, tuple[float, float]],
        unfit: Mapping[int, set[str]],
        blocks: Blocks,
        sharing: Sharing,
    ) -> None:
        self._jobs = jobs
        self._listed = listed
        self._work = work
        self._unfit = unfit
        self._blocks = blocks
        self._sharing = sharing
        self._backlog = Backlog()

    def lasts(self, job: int) -> float:
        """Seconds that must be left of a block."""
        listed = self._listed[job]
        return listed.expected if listed.limit is None else listed.limit

    def add(self, job: int) -> None:
        """Line a job up, unless no block will ever be able to take it."""
        entry = -self._jobs.priority[job], -self._jobs.rank[job], job
        if self._listed[job].local:
            self._backlog.add(entry, (*BESIDE[:-1], self._sharing.wants(job)))
            return
        (work, share), lasts = self._work[job], self.lasts(job)
        if self._blocks.could_take(share, lasts):
            self._backlog.add(
                entry, likeness(lasts, work, int(share), self._unfit.get(job, ()), self._sharing.wants(job))
            )

    def hand_out(self, hand: Callable[[int], bool]) -> None:
        """Offer jobs, as `Backlog.hand_out` does."""
        self._backlog.hand_out(hand)

    def any(self) -> bool:
        """Whether any job waits for a block."""
        return next(self._heads(), None) is not None

    def are_stuck(self, now: float) -> bool:
        """Whether no block that there is or is asked for can be handed any of the jobs."""
        takes = self._blocks.any_takes
        return not self._blocks.are_asked and not any(
            takes(*self._work[job], self.lasts(job), now, self._unfit.get(job, ())) for job in self._heads()
        )

    def _heads(self) -> Iterator[int]:
        """One job of each kind that waits for a block, and not for others to end."""
        short = self._sharing.is_short
        return (job for job in self._backlog.heads() if not self._listed[job].local and not short(job))
