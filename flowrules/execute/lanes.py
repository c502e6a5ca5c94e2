"""Which of the kept shells of a node's agent makes an attempt."""

from __future__ import annotations


class Lanes:
    """The lanes of a node: numbers from 0, each for one attempt at a time.

    A lane's shell is bound as its first attempt is, so those that are bound alike should have the same.
    """

    def __init__(self) -> None:
        self._bound: list[str] = []
        self._free: list[int] = []

    def take(self, cpus: str) -> int:
        """A lane that is free: if possible one whose first attempt was bound to these threads, else a new one."""
        alike = (lane for lane in self._free if self._bound[lane] == cpus)
        lane = next(alike, self._free[0] if self._free else len(self._bound))
        if lane == len(self._bound):
            self._bound.append(cpus)
        else:
            self._free.remove(lane)
        return lane

    def give(self, lane: int) -> None:
        """Its attempt has ended."""
        self._free.append(lane)
