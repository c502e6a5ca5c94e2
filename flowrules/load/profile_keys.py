"""Every key of a profile: what kind of value it takes, and what holds where it is not given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Kind: TypeAlias = Literal[
    "section", "names", "choice", "count", "number", "size", "time", "counts", "times", "threads", "gpus", "text",
    "name", "flag", "lines", "script",
]  # fmt: skip
"""Kinds of values.

section: a mapping with the keys listed under it; names: a mapping whose keys the author chooses (`*` below it).
counts, times: a range; threads: a list of hardware threads; gpus: a list of slots; lines: a list of texts.
text: one line that may stand in a job script; script: any text.
"""


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a profile.

    Attributes:
        least: of a count or number.
        choices: of a choice.
    """

    kind: Kind
    least: int = 0
    choices: tuple[str, ...] = ()


SCHEDULERS: Final = ("none", "pbs", "slurm")
LAUNCHERS: Final = ("local", "ssh", "mpiexec", "srun", "parallel")

_LIMITS: Final = {"nodes": Key("counts"), "walltime": Key("times")}

KEYS: Final[Mapping[str, Key]] = {
    "scheduler": Key("choice", choices=SCHEDULERS),
    "launcher": Key("choice", choices=LAUNCHERS),
    "node": Key("section"),
    "node.cpus": Key("count", 1),
    "node.mem": Key("size"),
    "node.gpus": Key("section"),
    "node.gpus.env": Key("name"),
    "node.gpus.slots": Key("gpus"),
    "node.reserved": Key("threads"),
    "node.resources": Key("names"),
    "node.resources.*": Key("number"),
    "blocks": Key("section"),
    "blocks.nodes": Key("count", 1),
    "blocks.walltime": Key("time"),
    "blocks.init": Key("count"),
    "blocks.min": Key("count"),
    "blocks.max": Key("count", 1),
    "blocks.idle": Key("time"),
    "queue": Key("text"),
    "queues": Key("names"),
    "queues.*": Key("section"),
    **{f"queues.*.{name}": key for name, key in _LIMITS.items()},
    "queues.*.jobs_per_user": Key("count", 1),
    "queues.*.jobs_per_project": Key("count", 1),
    "queues.*.queued_per_project": Key("count", 1),
    "queues.*.rerunnable": Key("flag"),
    "queues.*.routes": Key("names"),
    "queues.*.routes.*": Key("section"),
    **{f"queues.*.routes.*.{name}": key for name, key in _LIMITS.items()},
    "pbs": Key("section"),
    "pbs.account": Key("text"),
    "pbs.filesystems": Key("text"),
    "pbs.select": Key("text"),
    "pbs.place": Key("text"),
    "pbs.directives": Key("lines"),
    "pbs.required": Key("lines"),
    "slurm": Key("section"),
    "slurm.account": Key("text"),
    "slurm.queue_as": Key("choice", choices=("partition", "qos")),
    "slurm.partition": Key("text"),
    "slurm.qos": Key("text"),
    "slurm.constraint": Key("text"),
    "slurm.licenses": Key("text"),
    "slurm.gpus_per_node": Key("text"),
    "slurm.directives": Key("lines"),
    "slurm.required": Key("lines"),
    "worker_init": Key("script"),
    "latency_wait": Key("time"),
}

ELSEWHERE: Final[Mapping[str, str]] = {
    "accounts": "account",
    "cores": "cpus",
    "init_blocks": "init",
    "max_blocks": "max",
    "memory": "mem",
    "min_blocks": "min",
    "nodes_per_block": "nodes",
    "partition": "queue",
    "preemptable": "rerunnable",
    "project": "account",
    "provider": "scheduler",
    "threads": "cpus",
    "time": "walltime",
}
"""What people call keys elsewhere, and what they are called here."""


def general(path: str) -> str | None:
    """The key of the table that a dotted key falls under: `queues.debug.nodes` is `queues.*.nodes`; None for no key."""
    found = ""
    for part in path.split("."):
        here = f"{found}.{part}" if found else part
        if here in KEYS:
            found = here
        elif found and f"{found}.*" in KEYS:
            found = f"{found}.*"
        else:
            return None
    return found


def below(path: str) -> tuple[str, ...]:
    """Keys that a section may have, in the order of the table; empty where the author chooses them."""
    inside = f"{path}." if path else ""
    names = [key.removeprefix(inside) for key in KEYS if key.startswith(inside)]
    return tuple(name for name in names if "." not in name and name != "*")
