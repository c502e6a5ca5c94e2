"""One look at a campaign: who drives, the jobs of each rule, the blocks; for people, and as one JSON object."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Final

from flowrules.model.status import BlockState, BlockStatus, DriverStatus, Drives, RuleStatus, Status
from flowrules.show.grid import Column, grid
from flowrules.show.text import counted, escape, json_line
from flowrules.show.units import clock_time

MOST_OVER: Final = 5
"""Blocks that are over of which each is shown, the latest."""

_RULES: Final = (
    Column("rule", cut="end"),
    Column("done", right=True),
    Column("running", right=True),
    Column("handed", right=True),
    Column("waiting", right=True),
    Column("failed", right=True),
)
_STATES: Final = {
    "runs": "run",
    "closing": "may",
    "closed": "may",
    "over": "good",
}
_BLOCKS: Final = (
    Column("block"),
    Column("batch job", cut="middle"),
    Column("state", styles=_STATES),
    Column("nodes", right=True),
    Column("queue"),
    Column("walltime", right=True),
    Column("left", right=True),
    Column("handed", right=True),
    Column("running", right=True),
    Column("ended", right=True),
    Column("back", right=True),
    Column("note", cut="end"),
)


def render_status(status: Status, form: str = "text", color: bool = False, width: int | None = None) -> str:
    """The look as text, or as one JSON object (``form`` `json`): times in seconds."""
    if form == "json":
        return json_line(_object(status))
    return "\n".join(_lines(status, color, width))


def _lines(status: Status, color: bool, width: int | None) -> Iterator[str]:
    if status.driver is None and not status.rules and not status.blocks:
        yield "no campaign here, and nothing ran so far"
        return
    yield escape(_driver_line(status.driver))
    if status.rules:
        yield ""
        yield from grid(_RULES, [*map(_rule_row, status.rules), *_total(status.rules)], color=color, width=width)
    if status.left is not None:
        yield f"about {clock_time(status.left)} left, if it goes on as now"
    if status.blocks:
        over = [block.name for block in status.blocks if block.state is BlockState.OVER]
        hidden = set(over[:-MOST_OVER])
        rows = [_block_row(block) for block in status.blocks if block.name not in hidden]
        yield ""
        yield from grid(_BLOCKS, rows, color=color, width=width)
        if hidden:
            yield f"{counted(len(hidden), 'earlier block')}, over"
    if status.go_on:
        yield ""
        yield escape(f"`{status.go_on}` collects what blocks did, and goes on")


def _driver_line(driver: DriverStatus | None) -> str:
    if driver is None:
        return "nobody drives"
    match driver.drives:
        case Drives.YES:
            return f"driven by {driver.words}"
        case Drives.PERHAPS:
            return f"driven by {driver.words}; last sign of life {clock_time(driver.silent)} ago"
        case Drives.ENDED:
            return f"nobody drives; the last was {driver.words}"
        case Drives.DIED:
            return f"nobody drives; the last died: {driver.words}"


def _rule_row(rule: RuleStatus) -> tuple[str, ...]:
    return (rule.rule, *map(_number, (rule.done, rule.running, rule.handed, rule.waiting, rule.failed)))


def _total(rules: Sequence[RuleStatus]) -> list[tuple[str, ...]]:
    """A last row for all rules, where there are several."""
    if len(rules) < 2:
        return []
    sums = (
        sum(column) for column in zip(*((r.done, r.running, r.handed, r.waiting, r.failed) for r in rules), strict=True)
    )
    return [("all", *map(_number, sums))]


def _block_row(block: BlockStatus) -> tuple[str, ...]:
    return (
        block.name,
        block.batch,
        block.state.value,
        f"{block.nodes:,}",
        block.queue,
        clock_time(block.walltime),
        "" if block.left is None else clock_time(block.left),
        *map(_number, (block.held, block.running, block.ended, block.back)),
        "; ".join(block.notes),
    )


def _number(count: int) -> str:
    """A count; "" for none, so that columns of nothing are left out."""
    return f"{count:,}" if count else ""


def _object(status: Status) -> dict[str, object]:
    driver = status.driver
    return {
        "driver": None if driver is None else {**asdict(driver), "drives": driver.drives.value},
        "rules": [asdict(rule) for rule in status.rules],
        "blocks": [{**asdict(block), "state": block.state.value} for block in status.blocks],
        "go_on": status.go_on or None,
        "left": status.left,
    }
