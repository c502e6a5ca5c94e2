"""How a job starts its ranks: what stands for `{mpirun}` in its command, for each kind of `mpiexec` and for `srun`.

It is shell text, run by ``bash -c TEXT mpirun PROGRAM ARGUMENTS``. Where ranks have GPUs or threads of their own, each
goes through a shell that looks up its local rank and takes what is meant for that.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from flowrules.execute.launchers import Flavour, check_host, flavour_of, quoted, ranges

MPIRUN: Final = '${FLOWRULES_MPIRUN:+bash -c "$FLOWRULES_MPIRUN" mpirun}'
"""What `{mpirun}` becomes in a block: where ranks run is known when their job starts. Nothing for a job of one rank."""

_LOCAL_RANK: Final[Mapping[Flavour, str]] = {
    "hydra": "${MPI_LOCALRANKID-${PMI_LOCAL_RANK-${OMPI_COMM_WORLD_LOCAL_RANK-}}}",
    "pals": "${PALS_LOCAL_RANKID-${PMI_LOCAL_RANK-}}",
    "slurm": "${SLURM_LOCALID-}",
}
"""By what each tells a rank which of its node's it is; only its own, as a launcher may run inside another."""

_RANK: Final = (
    "r={local} v=$1 n=$2; shift 2; "
    '[ "$r" ] || {{ echo "flowrules: the launcher does not tell ranks their number on the node" >&2; exit 1; }}; '
    'r=$((2 * (r % n) + 1)); [ "$v" ] && export "$v=${{@:r:1}}"; c=${{@:r+1:1}}; shift $((2 * n)); '
    '[ "$c" ] && taskset -cp "$c" $$ >/dev/null 2>&1; exec "$@"'
)
"""Arguments: a variable or "", a count, for each rank of a node its GPUs and its threads, the program. A node that
lacks some of the threads, as in an emulation, leaves the rank where it is."""


@dataclass(frozen=True, slots=True)
class Place:
    """What one rank of a node has: names of GPUs, and hardware threads it is bound to; none leaves it unbound."""

    gpus: tuple[str, ...] = ()
    cpus: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Ranks:
    """The ranks of a job.

    Attributes:
        count: in all; ppn: on each node; threads: hardware threads of each.
        variable: by which a process is told its GPUs; "" leaves it alone.
        places: of the ranks of each node, by their local number; empty where the launcher may bind them.
    """

    count: int
    ppn: int
    threads: int = 1
    variable: str = ""
    places: tuple[Place, ...] = ()


def mpirun(flavour: Flavour, hosts: Sequence[str], ranks: Ranks) -> str:
    """Shell text that starts the program in its arguments on hosts, or on this machine; "" for one rank in all.

    Ranks without places are bound by PALS and Slurm to as many threads as they have; Hydra leaves them to the job's own
    binding, as it would count from the node's first thread whatever the job was given.

    Raises:
        ValueError: a host's name is none.
    """
    for host in hosts:
        check_host(host)
    if ranks.count <= 1:
        return ""
    return " ".join(["exec", *_LAUNCH[flavour](hosts, ranks), *_each(flavour, ranks), '"$@"'])


def _hydra(hosts: Sequence[str], ranks: Ranks) -> list[str]:
    # one host is named too: else the first of the batch job's is taken
    where = ["-ppn", str(ranks.ppn), "-hosts", ",".join(hosts)] if hosts else []
    return ["mpiexec", "-n", str(ranks.count), *where]


def _pals(hosts: Sequence[str], ranks: Ranks) -> list[str]:
    where = ["--hosts", ",".join(hosts)] if hosts else []
    bind = ["--cpu-bind", "none"] if ranks.places else [f"--depth={ranks.threads}", "--cpu-bind", "depth"]
    # PALS gives ranks a TMPDIR of its own, whose path is too long for a socket
    tmp = ["--env", '"TMPDIR=${TMPDIR:-/tmp}"']
    return ["mpiexec", "-n", str(ranks.count), "--ppn", str(ranks.ppn), *where, *bind, *tmp]


def _slurm(hosts: Sequence[str], ranks: Ranks) -> list[str]:
    # not --exact: Slurm would choose threads of its own for each step, the same for two jobs that share a node
    where = [f"--nodes={len(hosts)}", f"--nodelist={','.join(hosts)}"] if hosts else ["--nodes=1"]
    many = [f"--ntasks={ranks.count}"]
    if ranks.count == ranks.ppn * max(1, len(hosts)):  # else srun says that it cannot be so, and does as we want
        many.append(f"--ntasks-per-node={ranks.ppn}")
    bind = "--cpu-bind=" + ("none" if ranks.places else "cores")
    return ["srun", "--overlap", "--mem=0", *where, *many, f"--cpus-per-task={ranks.threads}", bind]


_LAUNCH: Final = {"hydra": _hydra, "pals": _pals, "slurm": _slurm}


def _each(flavour: Flavour, ranks: Ranks) -> list[str]:
    """The shell that gives each rank what is its own."""
    if not ranks.places:
        return []
    rank = _RANK.format(local=_LOCAL_RANK[flavour])
    words = [rank, "flowrules-rank", ranks.variable, str(len(ranks.places))]
    for place in ranks.places:
        words += [",".join(place.gpus), ranges(place.cpus)]
    return ["bash", "-c", *map(quoted, words)]


def places(
    gpus: Sequence[str],
    near: Mapping[str, Sequence[int]],
    cpus: Sequence[int],
    ppn: int,
    *,
    gpus_per_rank: float,
    threads: int | None,
) -> tuple[Place, ...]:
    """What each rank of a node gets of what a job has there.

    Args:
        gpus: names of the job's GPUs; near: for each GPU the hardware threads beside it.
        cpus: hardware threads of the job.
        gpus_per_rank: whole ones, or a part below 1 of one that is shared; 0: all see all.
        threads: of each rank; None for an equal share of those beside its GPUs, or of all.
    """
    sets = [_gpus_of(rank, gpus, gpus_per_rank) for rank in range(ppn)]
    found = []
    for rank, mine in enumerate(sets):
        beside = [cpu for gpu in dict.fromkeys(mine) for cpu in near.get(gpu, ()) if cpu in cpus]
        mates = [other for other, its in enumerate(sets) if its == mine] if gpus_per_rank and beside else range(ppn)
        share = _part(beside if gpus_per_rank and beside else cpus, mates.index(rank), len(mates))
        found.append(Place(mine, tuple(sorted(share[:threads]))))
    return tuple(found)


def _gpus_of(rank: int, gpus: Sequence[str], per_rank: float) -> tuple[str, ...]:
    if not per_rank:
        return tuple(gpus)
    if per_rank < 1:  # a fraction is rounded down: three share one by 0.33
        return tuple(gpus[rank // int(1 / per_rank + 1e-6) :][:1])
    return tuple(gpus[rank * int(per_rank) :][: int(per_rank)])


def _part(cpus: Sequence[int], index: int, count: int) -> Sequence[int]:
    """One of so many equal parts; what does not divide is left, and too few are shared by all."""
    each = len(cpus) // count
    return cpus[index * each : (index + 1) * each] if each else cpus


def installed_flavour() -> Flavour:
    """Whose `mpiexec` is on the PATH; where there is none but `srun`, Slurm's.

    Raises:
        ValueError: none, or one that is not known.
    """
    for name in ("mpiexec", "srun"):
        try:
            done = subprocess.run([name, "--version"], capture_output=True, text=True, timeout=60.0, check=False)
        except (OSError, subprocess.TimeoutExpired):
            continue
        flavour = flavour_of(done.stdout + done.stderr)
        if flavour is None:
            raise ValueError(f"`{name}` is of a kind that is not known")
        return flavour
    raise ValueError("there is no `mpiexec`")
