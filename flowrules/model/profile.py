"""A profile: what there is to know of a machine and its batch system, as values, and where each came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

SchedulerName: TypeAlias = Literal["none", "pbs", "slurm"]
LauncherName: TypeAlias = Literal["local", "ssh", "mpiexec", "srun", "parallel"]


@dataclass(frozen=True, slots=True)
class GpuSlot:
    """A GPU of a node: its name as the node's variable wants it, and the hardware threads beside it."""

    id: str
    cpus: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class NodeShape:
    """One node.

    Attributes:
        cpus: hardware threads; what `threads` of a rule counts.
        mem: bytes; None where it is not counted.
        gpus: in the order in which they are handed out.
        gpu_variable: by which a process is told its GPUs; "" where the machine has none.
        reserved: hardware threads that jobs are not given.
        resources: custom resources of each node, counted.
    """

    cpus: int
    mem: int | None = None
    gpus: tuple[GpuSlot, ...] = ()
    gpu_variable: str = ""
    reserved: tuple[int, ...] = ()
    resources: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BlockShape:
    """Blocks as they are asked for: nodes of one, seconds of walltime, how many at the start, at least and at most.

    Attributes:
        idle: seconds a block without work and without driver waits before it ends.
    """

    nodes: int = 1
    walltime: float = 3600.0
    init: int = 1
    min: int = 0
    max: int = 1
    idle: float = 300.0


@dataclass(frozen=True, slots=True)
class Route:
    """A queue behind a queue: where the batch system sends a job of this size, or drops it if it is too long.

    Attributes:
        nodes, walltime: least and most nodes and seconds of one block.
    """

    name: str
    nodes: tuple[int, int | None] = (1, None)
    walltime: tuple[float, float | None] = (0.0, None)


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue and its limits; None where there is none.

    Attributes:
        nodes, walltime: least and most nodes and seconds of one block.
        jobs_per_user, jobs_per_project: batch jobs at once, waiting and running.
        queued_per_project: batch jobs that wait.
        rerunnable: the batch system may stop a block and run it again under its id.
        routes: a block has to fit one of them as well; empty where jobs run in the queue itself.
    """

    name: str
    nodes: tuple[int, int | None] = (1, None)
    walltime: tuple[float, float | None] = (0.0, None)
    jobs_per_user: int | None = None
    jobs_per_project: int | None = None
    queued_per_project: int | None = None
    rerunnable: bool = False
    routes: tuple[Route, ...] = ()


@dataclass(frozen=True, slots=True)
class Profile:
    """A whole profile.

    Attributes:
        folder: where `profile.yaml` lies.
        queue: name of a queue, or `auto`: the program chooses one in which the block fits.
        options: the section named like the scheduler (`pbs:`, `slurm:`), for the job script.
        worker_init: shell text that is run once on each node before jobs.
        template: path of the job script's Jinja2 template; "" where the scheduler needs none.
        latency_wait: seconds a file may take to appear on another node.
        origins: for each dotted key where its value came from, in words.
    """

    name: str
    folder: str
    scheduler: SchedulerName = "none"
    launcher: LauncherName = "local"
    node: NodeShape = NodeShape(1)
    blocks: BlockShape = BlockShape()
    queue: str = "auto"
    queues: tuple[Queue, ...] = ()
    options: Mapping[str, object] = field(default_factory=dict)
    worker_init: str = ""
    template: str = ""
    latency_wait: float = 60.0
    origins: Mapping[str, str] = field(default_factory=dict)
