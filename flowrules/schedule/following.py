"""Where what a job waits for is: which blocks were handed those of its needs that are not settled."""

from __future__ import annotations

from collections.abc import Iterable


class Following:
    """For each job that waits, by id, its needs that were handed over, counted by block.

    Kept as needs come and go, so that a join of thousands of jobs is not looked through at each of their ends.
    """

    def __init__(self) -> None:
        self._counts: dict[int, dict[str, int]] = {}

    def handed(self, users: Iterable[int], where: str) -> None:
        """A block was handed a job that these need."""
        for user in users:
            counts = self._counts.get(user)
            if counts is None:
                self._counts[user] = {where: 1}
            else:
                counts[where] = counts.get(where, 0) + 1

    def left(self, users: Iterable[int], where: str) -> None:
        """A job that these need is there no more."""
        for user in users:
            counts = self._counts[user]
            counts[where] -= 1
            if not counts[where]:
                del counts[where]
                if not counts:
                    del self._counts[user]

    def only(self, job: int, waiting: int) -> str | None:
        """The one block in which all needs of a job are that it still waits for; None where there is none such.

        Args:
            waiting: how many these are.
        """
        counts = self._counts.get(job)
        if counts is None or len(counts) > 1:
            return None
        ((where, count),) = counts.items()
        return where if count == waiting else None
