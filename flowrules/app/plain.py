"""Blocks without a runner: their tasks as stages of a plain script (`execute.plainscript`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flowrules.app.runner_work import Bench, Work, log_of
from flowrules.errors import UsageError
from flowrules.execute.launchers import ranges
from flowrules.execute.plainscript import PlainBlock, PlainJob, PlainSlot, plain_script
from flowrules.model.block import BlockSpec, Task, usable
from flowrules.model.events import Need
from flowrules.record.disk import Disk
from flowrules.record.outputs import refuse_loss
from flowrules.schedule.slottable import Place, places
from flowrules.show.text import escape

SCRIPT = "plain.sh"
"""The script of a block that has no runner."""

_OF_THE_SLOT = ("FLOWRULES_NODES", "FLOWRULES_GPUS", "FLOWRULES_SLOT")


@dataclass(frozen=True, slots=True)
class Kept:
    """What a script is told beside the block's own description.

    Attributes:
        folder: where it keeps what it writes, absolute; before: nonce and folder of earlier blocks.
        reach: other nodes are reached by ssh; once: failed jobs are left to the next run.
    """

    folder: str
    before: Sequence[tuple[str, str]] = ()
    reach: bool = True
    once: bool = True


def plain_text(spec: BlockSpec, tasks: Sequence[Task], kept: Kept) -> str:
    """The script of a block that holds these tasks.

    A task runs in the stage after the last of those it needs; a stage is for jobs of one shape, as its slots are fixed.

    Raises:
        UsageError: a task has no slot on such a node, or something that no command can hold.
        FlowrulesError: an output must not be removed before its job starts.
    """
    disk = Disk(spec.directory)
    bench = Bench(spec, disk)
    names = [f"frnode.{number}." for number in range(spec.nodes)]
    needs: dict[Need, int] = {}
    for task in tasks:
        needs.setdefault(task.need, len(needs))
        for path, _ in task.outputs:
            refuse_loss(disk, path)
    tables = [places(spec.node, names, need) for need in needs]
    stages = _stages(tasks, needs)
    shapes = sorted(set(stages.values()))
    jobs = []
    for task in sorted(tasks, key=lambda task: (-task.priority, -task.expected)):
        level, shape = stages[task.name]
        if not tables[shape]:
            raise UsageError(f"{task.label} fits no node of the block")
        env = _environment(bench, task, tables[shape][0], spec.node.gpu_variable)
        jobs.append(PlainJob(task, shapes.index((level, shape)), env, escape(task.label), log_of(task)))
    block = PlainBlock(
        name=f"{spec.campaign}.{spec.block}",
        nonce=spec.nonce,
        folder=kept.folder,
        directory=spec.directory,
        nodes=spec.nodes,
        seconds=usable(spec.walltime),
        gpu_variable=spec.node.gpu_variable,
        worker_init=spec.worker_init,
        latency=spec.latency_wait,
        keep_incomplete=spec.keep_incomplete,
        running=spec.running,
        reach=kept.reach,
        once=kept.once,
        before=kept.before,
        shapes=[shape for _, shape in shapes],
        slots=[_slot(shape, place, names) for shape, table in enumerate(tables) for place in table],
    )
    try:
        return plain_script(block, jobs)
    except ValueError as error:
        raise UsageError(f"no script can be written: {error}") from None


def _stages(tasks: Sequence[Task], shapes: dict[Need, int]) -> dict[str, tuple[int, int]]:
    """Level and shape of each task, by name; tasks come after those they need."""
    found: dict[str, tuple[int, int]] = {}
    for task in tasks:
        level = max((found[name][0] + 1 for name in task.after if name in found), default=0)
        found[task.name] = level, shapes[task.need]
    return found


def _environment(bench: Bench, task: Task, place: Place, gpu_variable: str) -> dict[str, str]:
    """Variables of a task, without those that its slot has."""
    work = Work(task, place.slot, place.slot.nodes[0], place.number, task.draft, 0.0)
    slot = {name for name in (*_OF_THE_SLOT, gpu_variable) if name and name not in task.env}
    return {name: value for name, value in bench.environment(work).items() if name not in slot}


def _slot(shape: int, place: Place, names: Sequence[str]) -> PlainSlot:
    slot = place.slot
    nodes = tuple(names.index(name) for name in slot.nodes)
    return PlainSlot(shape, nodes, slot.gpus, ranges(slot.cpus), place.number)


