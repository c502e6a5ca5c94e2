"""What a job waits for while somebody drives, a block, an input or a slot: from what driver and blocks wrote."""

from __future__ import annotations

import time

from flowrules.model.account import Account
from flowrules.model.record import identity
from flowrules.record.store import Store
from flowrules.record.watch import BlockView, DriverView, view_blocks, view_driver
from flowrules.show.units import clock_time

MOST_INPUTS = 3
"""Inputs that are not there yet, as far as they are named."""


class Waits:
    """Tells of each job what it waits for."""

    def __init__(self, store: Store) -> None:
        driver = view_driver(".")
        self._driver = driver if driver is not None and driver.alive is not False else None
        begun = store.under_way(self._driver.owner.run) if self._driver is not None else ()
        self._begun = {identity(rule, wildcards.items()) for rule, wildcards in begun}
        self._held = {
            identity(seen.rule, seen.wildcards): (view, seen.state)
            for view in view_blocks(".")
            if not view.over
            for seen in view.tasks.values()
            if seen.state in ("running", "held")
        }

    def of(self, account: Account) -> str:
        """A sentence; "" where nobody works on it and nothing is waited for."""
        if account.job is None:
            return ""
        job = identity(account.job.rule.name, account.job.wildcards.items())
        if job in self._held:
            return _in_block(*self._held[job], account)
        if job in self._begun:
            return "it runs now"
        return "" if self._driver is None else _driven(self._driver, account)


def _in_block(view: BlockView, state: str, account: Account) -> str:
    name = view.spec.block
    if state == "running":
        return f"it runs now, in block {name}"
    if view.begin is None:
        where = f" as {view.batch}" if view.batch else ""
        queue = f"the queue {view.spec.queue}" if view.spec.queue else "its queue"
        return f"block {name} has it, and waits in {queue}{where}"
    ran = clock_time(max(0.0, time.time() - view.since)) if view.since else ""
    since = f", which has run for {ran}," if ran else ""
    return f"block {name}{since} has it; {_lacks(account) or 'it waits for a free slot there'}"


def _driven(driver: DriverView, account: Account) -> str:
    who = f"process {driver.owner.pid} on {driver.owner.host} drives here"
    return f"{who}; {_lacks(account) or 'it waits for a free slot, or for room in a block'}"


def _lacks(account: Account) -> str:
    """Which inputs are still to be made."""
    made = [maker.path for maker, _ in account.makers]
    more = sum(number for _, number in account.makers) + max(0, len(made) - MOST_INPUTS)
    if not made:
        return ""
    named = ", ".join(f"`{path}`" for path in made[:MOST_INPUTS])
    return f"it waits for its input{'s' if len(made) + more > 1 else ''} {named}{f' and {more:,} more' if more else ''}"
