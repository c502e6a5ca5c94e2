"""Blocks without a runner: their tasks as stages of a plain script (`execute.plainscript`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from flowrules.app.block.runner_work import Bench, Work, log_of
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

OVERHEAD: Final = 2.0
"""Seconds that a job takes beside its own: it is reached by ssh and looked after by some shells."""

_OF_THE_SLOT: Final = frozenset({"FLOWRULES_NODES", "FLOWRULES_GPUS", "FLOWRULES_SLOT", "FLOWRULES_MPIRUN"})

_Shape: TypeAlias = tuple[Need, tuple[tuple[str, str], ...]]


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
    shapes: dict[_Shape, int] = {}
    slots: list[list[Place]] = []
    tables: list[PlainSlot] = []
    for task in tasks:
        for path, _ in task.outputs:
            refuse_loss(disk, path)
        if _shape(task) in shapes:
            continue
        shape = shapes[_shape(task)] = len(shapes)
        slots.append(places(spec.node, names, task.need)[: _most(task.need, spec.tokens)])
        if not slots[shape]:
            raise UsageError(f"{task.label} fits no node of the block")
        for place in slots[shape]:
            tables.append(_slot(shape, place, names, bench.environment(_work(task, place))["FLOWRULES_MPIRUN"]))
    levels = _levels(tasks)
    stages = sorted({(levels[task.name], shapes[_shape(task)]) for task in tasks})
    number = {stage: at for at, stage in enumerate(stages)}
    jobs = []
    for task in sorted(tasks, key=lambda task: (-task.priority, -task.expected)):
        shape = shapes[_shape(task)]
        env = bench.environment(_work(task, slots[shape][0]))
        for name in _OF_THE_SLOT.union({spec.node.gpu_variable} - task.env.keys()):
            env.pop(name, None)
        jobs.append(PlainJob(task, number[levels[task.name], shape], env, escape(task.label), log_of(task)))
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
        shapes=[shape for _, shape in stages],
        slots=tables,
    )
    try:
        return plain_script(block, jobs)
    except ValueError as error:
        raise UsageError(f"no script can be written: {error}") from None


def _most(need: Need, tokens: Mapping[str, float]) -> int | None:
    """How many such tasks what is shared with other blocks is enough for; a stage has no others beside them."""
    most = [int(tokens[name] / amount) for name, amount in need.custom if amount and name in tokens]
    return min(most, default=None)


def _levels(tasks: Sequence[Task]) -> dict[str, int]:
    """How many tasks of the block have to run before each, by name; those that are needed come first."""
    found: dict[str, int] = {}
    for task in tasks:
        found[task.name] = max((found[name] + 1 for name in task.after if name in found), default=0)
    return found


def _shape(task: Task) -> _Shape:
    """What tasks have in common that can use the same slots: what they occupy, and how their ranks are started."""
    ranks = [(name, value) for name, value in task.env.items() if name.startswith("FLOWRULES_") and "RANK" in name]
    return task.need, tuple(sorted(ranks))


def _work(task: Task, place: Place) -> Work:
    return Work(task, place.slot, place.slot.nodes[0], place.number, task.draft, 0.0)


def _slot(shape: int, place: Place, names: Sequence[str], ranks: str) -> PlainSlot:
    slot = place.slot
    nodes = tuple(names.index(name) for name in slot.nodes)
    return PlainSlot(shape, nodes, slot.gpus, ranges(slot.cpus), place.number, ranks)
