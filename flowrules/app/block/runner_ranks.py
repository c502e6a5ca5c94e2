"""How the ranks of a task are started, once it is known where."""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property

from flowrules.execute.launchers import Flavour
from flowrules.execute.mpirun import Place, Ranks, installed_flavour, mpirun, places
from flowrules.model.block import BlockSpec, Task
from flowrules.model.events import Slot


class Starter:
    """Makes launch commands for the jobs of a block."""

    def __init__(self, spec: BlockSpec) -> None:
        self._spec = spec
        self._near = {gpu.id: gpu.cpus for gpu in spec.node.gpus}

    def text(self, task: Task, slot: Slot) -> str:
        """The launch command of a task, whose ranks its own variables tell; "" where one rank is all."""
        nodes = len(slot.nodes)
        count, ppn = int(_number(task, "RANKS")), int(_number(task, "RANKS_PER_NODE"))
        ppn = ppn or -(-count // nodes) or 1
        count = count or nodes * ppn
        threads, per_rank = int(_number(task, "THREADS_PER_RANK")), _number(task, "GPUS_PER_RANK")
        if count <= 1:
            return ""
        # a share of a node: Hydra's ranks have the job's own binding, the others do not start them as its children
        share = not task.need.nodes and self._flavour != "hydra"
        found: tuple[Place, ...] = ()
        if per_rank or share:
            found = places(slot.gpus, self._near, slot.cpus, ppn, gpus_per_rank=per_rank, threads=threads or None)
        ranks = Ranks(count, ppn, threads or max(1, slot.cores // (nodes * ppn)), self._spec.node.gpu_variable, found)
        here = self._spec.launcher == "local"  # its nodes are all this machine
        return mpirun(self._flavour, () if here else slot.nodes, ranks)

    @cached_property
    def _flavour(self) -> Flavour:
        """Whose `mpiexec` there is; where none is found, the job's own attempt to start it will say so."""
        if self._spec.launcher == "srun":
            return "slurm"
        with suppress(ValueError):
            return installed_flavour()
        return "hydra"


def _number(task: Task, name: str) -> float:
    """A number in a variable of a task; 0 where there is none."""
    with suppress(ValueError):
        return max(0.0, float(task.env.get(f"FLOWRULES_{name}", "")))
    return 0.0
