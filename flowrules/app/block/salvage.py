"""Ends that only the logs of nodes have: their runner died before it could write them down."""

from __future__ import annotations

import os
from collections.abc import Iterable

from flowrules.app.block.runner_work import Bench, Work, draft_of
from flowrules.errors import FlowrulesError, StateError
from flowrules.execute.agentlines import node_log
from flowrules.execute.launchers import numbers as cpus_of
from flowrules.model.agent import TaskEnded
from flowrules.model.block import TaskEnd
from flowrules.model.events import Slot
from flowrules.record.disk import Disk
from flowrules.record.numbered import numbers
from flowrules.record.spool import BlockFolder


def good_ends(path: str, nonce: str, nodes: Iterable[str], before: int | None = None) -> dict[str, TaskEnded]:
    """Attempts that ended with status 0 as the logs of nodes say.

    Args:
        path: the block's folder; nonce: the block's.
        before: only of incarnations before this one.

    Raises:
        StateError: a log cannot be read.
    """
    found: dict[str, TaskEnded] = {}
    try:
        for run in numbers(f"{path}/runs"):
            if before is not None and run >= before:
                continue
            present = set(os.listdir(f"{path}/runs/{run:02d}"))
            for node in sorted(nodes):
                if (name := f"node-{node}.log") in present:
                    with open(f"{path}/runs/{run:02d}/{name}", "rb") as file:
                        ends = node_log(file.read(), node, nonce)
                    found.update((end.task, end) for end in ends if end.exit == 0 and not end.killed)
    except OSError as error:
        raise StateError(f"cannot read `{error.filename}`: {(error.strerror or str(error)).lower()}") from error
    return found


def salvage(block: BlockFolder, directory: str = ".") -> list[TaskEnd]:
    """Complete the ends that a block which is over has only in the logs of its nodes; for its driver.

    To be called when nothing of the block can run any more, before what has no end goes back to the queue.

    Args:
        directory: the working directory.

    Returns:
        Ends whose outputs are all there; attempts that did not end well are run again.

    Raises:
        StateError: a log cannot be read.
    """
    open_ends = {name: fate for name, fate in block.assigned().items() if fate.started and not (fate.end or fate.given)}
    nodes = {fate.started.node for fate in open_ends.values() if fate.started}
    said = good_ends(block.path, block.spec.nonce, nodes) if nodes else {}
    bench = Bench(block.spec, Disk(directory))
    found: list[TaskEnd] = []
    for name, fate in open_ends.items():
        if name not in said or fate.started is None:
            continue
        slot = Slot(fate.task.need.cores, fate.started.gpus, (fate.started.node,), cpus_of(fate.started.cpus))
        work = Work(fate.task, slot, fate.started.node, 0, draft_of(fate.task, slot, fate.started.node), 0.0)
        try:
            bench.look_at_inputs(work)
            end = bench.finish(work, said[name], patient=False)
        except FlowrulesError:
            continue
        if end is not None and end.record.status == "done":
            found.append(end)
    return found
