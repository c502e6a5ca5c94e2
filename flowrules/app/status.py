"""One look at a campaign from any terminal: reads what driver and blocks have written; holds and changes nothing."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from flowrules.app.standing import standing
from flowrules.model.record import Identity
from flowrules.model.status import BlockState, BlockStatus, DriverStatus, Drives, RuleStatus, Status
from flowrules.record.campaign import campaign_call
from flowrules.record.expected_jobs import ToldJobs, told_jobs
from flowrules.record.owner import describe
from flowrules.record.store import Store
from flowrules.record.watch import BlockView, DriverView, view_blocks, view_driver
from flowrules.show.units import clock_time

SILENT: Final = 60.0
"""Seconds without a word after which a block is said to be silent: a runner says something every 10 s."""


def look(directory: str = ".") -> Status:
    """What is known of a directory's campaign or run.

    Raises:
        StateError: its state folder, or a file of it, cannot be read.
    """
    driver = view_driver(directory)
    blocks = view_blocks(directory)
    store = Store.open(directory, read_only=True)
    told = told_jobs(driver.number, directory) if driver is not None and driver.alive is not False else None
    rules, left = _rules(store, driver, blocks, told)
    now = time.time()
    live = any(not view.over for view in blocks)
    idle = driver is None or driver.alive is False
    return Status(
        None if driver is None else _driver(driver),
        tuple(rules),
        tuple(_block(view, now) for view in blocks),
        campaign_call(directory) if live and idle else "",
        left,
    )


def _driver(view: DriverView) -> DriverStatus:
    owner = view.owner
    alive = {True: Drives.YES, None: Drives.PERHAPS, False: Drives.DIED}
    drives = Drives.ENDED if view.ended else alive[view.alive]
    return DriverStatus(drives, describe(owner), owner.host, owner.pid, owner.command, owner.since, view.silent)


# ── jobs ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _rules(
    store: Store, driver: DriverView | None, blocks: Sequence[BlockView], told: ToldJobs | None
) -> tuple[list[RuleStatus], float | None]:
    """Each job once, by what it is now: in a block, else as its last attempt ended; and how long the rest takes."""
    found = standing(store, driver, blocks)
    counts: dict[str, Counter[str]] = {}
    for job, state in found.states.items():
        counts.setdefault(job[0], Counter())[state] += 1
    waiting = _waiting(told, found.ended, found.now)
    rules = []
    for rule in (*(told.counts if told else ()), *counts):
        if (rule in counts and counts[rule].total() > counts[rule]["killed"]) or waiting.get(rule):
            n = counts.pop(rule, Counter())
            done = n["done"] + n["touched"]
            rules.append(RuleStatus(rule, done, n["running"], n["held"], n["failed"], waiting.pop(rule, 0)))
    return rules, _left(rules, found.took)


def _waiting(
    told: ToldJobs | None, ended: Mapping[Identity, tuple[str, float]], now: Mapping[Identity, str]
) -> dict[str, int]:
    """How many jobs of each rule the driver has yet to start or hand over."""
    if told is None:
        return {}
    left = Counter(told.counts)
    left.subtract(key[0] for key, (_, at) in ended.items() if at >= told.at and key not in now)
    left.subtract(key[0] for key in now)
    return {rule: count for rule, count in left.items() if count > 0}


def _left(rules: Sequence[RuleStatus], took: Mapping[str, Sequence[float]]) -> float | None:
    """Seconds that the rest takes; a job that runs is taken to be half done."""
    at_once = sum(rule.running for rule in rules)
    rest = [(rule, rule.waiting + rule.handed + rule.running / 2) for rule in rules]
    every = [seconds for known in took.values() for seconds in known]
    if not at_once or not every:
        return None
    mean = sum(every) / len(every)
    work = sum(
        jobs * (sum(took[rule.rule]) / len(took[rule.rule]) if took.get(rule.rule) else mean) for rule, jobs in rest
    )
    return work / at_once


# ── blocks ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _block(view: BlockView, now: float) -> BlockStatus:
    spec, state = view.spec, block_state(view)
    counts = Counter(seen.state for seen in view.tasks.values())
    running, held, given = counts.pop("running", 0), counts.pop("held", 0), counts.pop("given", 0)
    if state is BlockState.OVER:  # what it never told the end of went back when it was over
        running, held, given = 0, 0, running + held + given
    left = None
    if view.since and state in (BlockState.RUNS, BlockState.CLOSING):
        left = max(0.0, view.since + spec.walltime - now)
    return BlockStatus(
        spec.block,
        view.batch or (view.begin.batch if view.begin is not None else ""),
        state,
        spec.nodes,
        view.begin.nodes if view.begin is not None else (),
        spec.queue,
        spec.walltime,
        left,
        held,
        running,
        counts.total(),
        given,
        tuple(_notes(view, state, left)),
    )


def block_state(view: BlockView) -> BlockState:
    """Where a block is in its life, by its files."""
    if view.over:
        return BlockState.OVER
    if view.closed is not None:
        return BlockState.CLOSED
    if view.closing is not None:
        return BlockState.CLOSING
    if view.begin is not None:
        return BlockState.RUNS
    return BlockState.SUBMITTED if view.batch else BlockState.MADE


def _notes(view: BlockView, state: BlockState, left: float | None) -> list[str]:
    notes = []
    if state in (BlockState.CLOSING, BlockState.CLOSED) and view.closing is not None and view.closing.why:
        notes.append(view.closing.why)
    if left == 0.0:
        notes.append("its walltime is over")
    if state in (BlockState.RUNS, BlockState.CLOSING) and view.silent >= SILENT:
        notes.append(f"silent for {clock_time(view.silent)}")
    if view.sick and state is not BlockState.OVER:
        notes.append(f"without {', '.join(sorted(set(view.sick)))}")
    return notes
