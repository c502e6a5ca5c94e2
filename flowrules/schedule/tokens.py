"""What jobs of a whole campaign share, such as licences: a room that is limited by that as well."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from flowrules.model.events import Need, Slot
from flowrules.schedule.room import Amounts, Grant, Room, Shape, millionths


class Tokens:
    """How much of each shared resource may be held at once, and how much is. One without a limit is only counted."""

    def __init__(self, limits: Mapping[str, float] | None = None) -> None:
        self._limits: dict[str, int] = {}
        self._held: dict[str, int] = {}
        self.grant(limits or {})

    def grant(self, limits: Mapping[str, float]) -> None:
        """From now on these are the limits; what is held beyond them is kept."""
        self._limits = {name: millionths(most) for name, most in limits.items()}

    def fit(self, wanted: Amounts, kept: Amounts = ()) -> bool:
        """Whether there is so much, beside what is kept for others."""
        aside = dict(kept)
        for name, amount in wanted:
            most = self._limits.get(name)
            if most is not None and self._held.get(name, 0) + amount + aside.get(name, 0) > most:
                return False
        return True

    def take(self, wanted: Amounts) -> None:
        for name, amount in wanted:
            self._held[name] = self._held.get(name, 0) + amount

    def give(self, wanted: Amounts) -> None:
        for name, amount in wanted:
            self._held[name] -= amount

    def held(self) -> dict[str, int]:
        """What is held, in millionths."""
        return {name: amount for name, amount in self._held.items() if amount}


class SharingRoom:
    """A `Room` whose jobs hold tokens while they run.

    Args:
        tokens: may be those of several rooms.
    """

    def __init__(self, room: Room, tokens: Tokens) -> None:
        self._room = room
        self._tokens = tokens
        self._kept: Shape | None = None
        self.ahead = 0

    @property
    def size(self) -> int:
        return self._room.size

    @property
    def cores(self) -> int:
        return self._room.cores

    def shape(self, need: Need) -> Shape:
        shape = self._room.shape(need)
        shared = amounts(need)
        return replace(shape, shared=shared) if shared else shape

    def possible(self, shape: Shape) -> bool:
        return self._room.possible(shape)

    def fits(self, shape: Shape) -> bool:
        return not self._lacks(shape) and self._room.fits(shape)

    def _lacks(self, shape: Shape) -> bool:
        if not shape.shared:
            return False
        kept = self._kept.shared if self._kept is not None and self._kept != shape else ()
        return not self._tokens.fit(shape.shared, kept)

    def is_rival(self, shape: Shape, waiting: Shape) -> bool:
        """Who waits for tokens waits for those who hold such, and needs no room to be kept from others."""
        if not self._lacks(waiting):
            return self._room.is_rival(shape, waiting)
        return not {name for name, _ in shape.shared}.isdisjoint(name for name, _ in waiting.shared)

    def keep(self, shape: Shape | None) -> None:
        self._kept = shape
        self._room.keep(shape)

    def take(self, shape: Shape) -> tuple[Grant, Slot]:
        taken = self._room.take(shape)
        self._tokens.take(shape.shared)
        return taken

    def give(self, grant: Grant) -> None:
        self._tokens.give(grant.shape.shared)
        self._room.give(grant)

    def gone(self, node: str, waited: bool) -> None:
        self._room.gone(node, waited)

    def back(self, node: str) -> None:
        self._room.back(node)

    def check(self, grants: Iterable[Grant]) -> None:
        known = list(grants)
        self._room.check(known)
        mine = Tokens()
        for grant in known:
            mine.take(grant.shape.shared)
        held = self._tokens.held()
        assert all(amount <= held[name] for name, amount in mine.held().items())


def amounts(need: Need) -> Amounts:
    """What a job takes of resources that may be shared."""
    return tuple([(name, millionths(amount)) for name, amount in need.custom if amount])
