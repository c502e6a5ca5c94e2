"""What each job is now, each once: in a block, running, or as its last attempt ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from flowrules.model.record import Identity, identity
from flowrules.record.store import Store
from flowrules.record.watch import BlockView, DriverView


@dataclass(frozen=True, slots=True)
class Standing:
    """Jobs by what they are.

    Attributes:
        ended: how the last attempt of each ended, and when.
        now: `held` for those that a block has, `running` for those that run, in a block or beside the driver.
        took: run times, in seconds, of attempts that ended well, by rule.
    """

    ended: dict[Identity, tuple[str, float]] = field(default_factory=dict)
    now: dict[Identity, str] = field(default_factory=dict)
    took: dict[str, list[float]] = field(default_factory=dict)

    @property
    def states(self) -> dict[Identity, str]:
        """One word for each job."""
        return {**{job: state for job, (state, _) in self.ended.items()}, **self.now}


def standing(store: Store, driver: DriverView | None, blocks: Sequence[BlockView]) -> Standing:
    """What is known from the record, and from what driver and blocks have written since."""
    found = Standing()
    for record in store.records():
        found.ended[record.job] = record.status, record.ended
        if record.status == "done":
            found.took.setdefault(record.rule, []).append(record.elapsed)
    for view in blocks:
        for seen in view.tasks.values():
            job = identity(seen.rule, seen.wildcards)
            if seen.state in ("held", "running"):
                if not view.over:
                    found.now[job] = seen.state
            elif seen.state != "given" and seen.at > found.ended.get(job, ("", 0.0))[1]:
                found.ended[job] = seen.state, seen.at
    if driver is not None and driver.alive is not False:
        mine = _handed_by(driver.number, blocks)
        for rule, wildcards in store.under_way(driver.owner.run):
            job = identity(rule, wildcards.items())
            if job not in mine:
                found.now[job] = "running"
    return found


def _handed_by(number: int, blocks: Sequence[BlockView]) -> set[Identity]:
    """Jobs that a driver handed to blocks: what the journal says of their starts, the blocks know better."""
    begin = f"{number}J"
    return {
        identity(seen.rule, seen.wildcards)
        for view in blocks
        for name, seen in view.tasks.items()
        if name.startswith(begin)
    }
