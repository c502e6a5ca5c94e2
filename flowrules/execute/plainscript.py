"""Writes the script that works a block off without a runner: GNU Parallel, with one sshlogin for each slot."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

from flowrules.execute.launchers import quoted
from flowrules.model.block import Task
from flowrules.model.values import Flags
from flowrules.version import __version__

_TEXTS: Final = ("attempt.sh", "plain_node.sh", "plain.sh")


@dataclass(frozen=True, slots=True)
class PlainSlot:
    """A line of the slot table.

    Attributes:
        shape: jobs of this shape run in it; nodes: their numbers in the block, from 0.
        place: its number among those of its shape on its first node, from 0.
        ranks: what starts the ranks of its jobs, in which the node with number N of the slot is called `frnode.N.`;
            "" for one rank.
    """

    shape: int
    nodes: tuple[int, ...]
    gpus: tuple[str, ...]
    cpus: str
    place: int
    ranks: str = ""


@dataclass(frozen=True, slots=True)
class PlainJob:
    """A job of a script.

    Attributes:
        stage: those of one stage run at once, and the next stage begins when they have ended.
        env: its variables, but for those that its slot has.
        label: in words, on one line.
        log: file for output and error, relative to the working directory.
    """

    task: Task
    stage: int
    env: Mapping[str, str]
    label: str
    log: str


@dataclass(frozen=True, slots=True)
class PlainBlock:
    """What a script is for.

    Attributes:
        name: marks its processes; nonce: begins the lines that nodes write.
        folder: where it keeps what it writes, absolute; directory: in which jobs run, absolute.
        before: nonce and folder of blocks that may have made what jobs need.
        seconds: in which jobs may run; latency: seconds a file may take to appear on another node.
        running: at most so many jobs at once, or None.
        reach: other nodes are reached by ssh; False where all of them are this machine under other names.
        once: a job that failed is not tried again when the script is run again.
        shapes: of each stage, the shape of its jobs.
    """

    name: str
    nonce: str
    folder: str
    directory: str
    nodes: int
    seconds: float
    gpu_variable: str
    worker_init: str
    latency: float
    keep_incomplete: bool
    running: int | None
    reach: bool
    once: bool
    before: Sequence[tuple[str, str]]
    shapes: Sequence[int]
    slots: Sequence[PlainSlot]


def plain_script(block: PlainBlock, jobs: Sequence[PlainJob]) -> str:
    """The script of a block.

    Args:
        jobs: in the order in which those of a stage start.

    Raises:
        ValueError: a command, path or variable holds a NUL character.
    """
    before = " ".join(quoted(f"{nonce} {folder}") for nonce, folder in block.before)
    values = {
        "fr_name": block.name,
        "fr_nonce": block.nonce,
        "fr_folder": block.folder,
        "fr_directory": block.directory,
        "fr_nodes": str(block.nodes),
        "fr_seconds": str(int(block.seconds)),
        "fr_latency": str(ceil(block.latency)),
        "fr_running": str(block.running or len(block.slots) + 1),
        "fr_gpu_variable": block.gpu_variable,
        "fr_reach": "1" if block.reach else "",
        "fr_keep": "1" if block.keep_incomplete else "",
        "fr_once": "1" if block.once else "",
        "fr_init": block.worker_init,
    }
    lines = [
        "#!/bin/bash",
        f"# Jobs: {len(jobs)}, by GNU Parallel; nodes: {block.nodes}. Written by flowrules {__version__}.",
        "# Run it on the first node of an allocation; run it again to go on with what is missing.",
        "",
        *(f"{name}={quoted(value) if value else ''}" for name, value in values.items()),
        f"fr_earlier=({before})",
        f"fr_stage=({' '.join(map(str, block.shapes))}) # the shape of the jobs of each stage",
        "",
        "fr_table() { # SHAPE.NUMBER|NODES|GPUS|THREADS|NUMBER ON THE NODE|RANKS: each is an sshlogin",
        "  cat <<'END'",
        *map(_slot, range(len(block.slots)), block.slots),
        "END",
        "}",
        "",
        *(_text(name) for name in _TEXTS),
        'fr_act "$@"',
        "exit",
        "",
    ]
    return "\n".join(lines) + "".join(map(_job, jobs))


def _slot(number: int, slot: PlainSlot) -> str:
    nodes, gpus = ",".join(map(str, slot.nodes)), ",".join(slot.gpus)
    return f"{slot.shape}.{number}|{nodes}|{gpus}|{slot.cpus}|{slot.place}|{slot.ranks}"


def _job(job: PlainJob) -> str:
    task = job.task
    limit = f"{task.limit:g}" if task.limit is not None else "0"
    seconds = ceil(task.expected if task.limit is None else task.limit)
    outputs = [path for path, _ in task.outputs]
    inputs = [*(known.path for known in task.inputs), *task.made]
    variables = [f"{name}={value}" for name, value in job.env.items()]
    words = [
        *(limit, str(seconds), job.log, "sweep" if task.need.gpus else ""),
        *(str(len(items)) for items in (outputs, inputs, task.logs, task.benchmarks, variables)),
        *(_flags(flags) for _, flags in task.outputs),
        *(*outputs, *inputs, *task.logs, *task.benchmarks, *variables, *task.argv),
    ]
    line = " ".join(quoted(word) if word else "''" for word in words)
    return f"#: {task.name} {job.stage} {','.join(task.after) or '-'} {job.label}\n{line}\n"


def _flags(flags: Flags) -> str:
    """What there is to know of an output, as `plain_node.sh` reads it."""
    letters = {
        "D": flags.directory,
        "U": flags.update,
        "T": flags.touch,
        "P": flags.protected,
        "N": flags.non_empty,
    }
    text = "".join(letter for letter, is_set in letters.items() if is_set)
    return text + (f"={flags.sha256.lower()}" if flags.sha256 else "")


def _text(name: str) -> str:
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), name), encoding="utf-8") as file:
        return file.read()
