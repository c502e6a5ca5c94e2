"""The queues of a profile, as the batch system has them today where it says so in time."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flowrules.errors import BatchError, UsageError
from flowrules.execute.batch.patience import Patient, finish
from flowrules.model.batch import QueueToday
from flowrules.model.profile import Profile
from flowrules.ports import Waiting
from flowrules.schedule.queues import Offer, Taken, choose
from flowrules.schedule.today import of_today


def asks_with(profile: Profile) -> str:
    """The command that tells of a profile's queues; "" where none does, as where queues are qos."""
    if profile.scheduler == "slurm":
        return "" if profile.options.get("queue_as") == "qos" else "scontrol"
    return "qstat" if profile.scheduler == "pbs" else ""


class Queues:
    """Chooses queues for blocks.

    The batch system is asked once, at the start, and answers while other things are done; the first block waits for
    that. Where it cannot say, or not in time, queues are taken as the profile says.
    """

    def __init__(self, profile: Profile, batch: Patient, tell: Callable[[str], None]) -> None:
        self._profile = profile
        self._tell = tell
        self._refused: UsageError | None = None
        self._asked: Waiting[Mapping[str, QueueToday]] | None = batch.queues() if asks_with(profile) else None
        self._next_at = float("-inf")
        self.go_on(self._next_at)

    def go_on(self, now: float) -> None:
        """Look whether there is an answer; does not wait for it."""
        if self._asked is None or now < self._next_at:
            return
        try:
            self._next_at = now + next(self._asked)
        except StopIteration as done:
            self._heed(done.value)
        except BatchError as error:
            self._not_answered(error)

    def give_up(self) -> None:
        """No answer is waited for any more."""
        self._asked = None

    def choose(self, nodes: int, walltime: float, taken: Mapping[str, Taken]) -> Offer:
        """The queue for a block, see `flowrules.schedule.queues.choose`.

        Raises:
            UsageError: the block fits no queue, or none takes batch jobs today.
        """
        if self._asked is not None:
            try:
                self._heed(finish(self._asked))
            except BatchError as error:
                self._not_answered(error)
        if self._refused is not None:
            raise self._refused
        return choose(self._profile, nodes, walltime, taken)

    def _heed(self, today: Mapping[str, QueueToday]) -> None:
        self._asked = None
        try:
            self._profile, told = of_today(self._profile, today)
        except UsageError as error:
            self._refused = error
            return
        for words in told:
            self._tell(words)

    def _not_answered(self, error: BatchError) -> None:
        """A batch system that cannot say is none to complain of; one that should have is."""
        self._asked = None
        if not error.final:
            self._tell(f"{error.message}: queues are taken as the profile says")
