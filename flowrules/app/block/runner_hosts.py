"""The nodes of the batch job this process runs in."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping

from flowrules.errors import BatchError

_SECONDS = 30.0


def allocated_hosts(environ: Mapping[str, str], here: str) -> tuple[str, ...]:
    """Names of the nodes, each once, in the order in which the batch system tells them.

    Args:
        environ: variables of the job script: `FLOWRULES_NODES` (names parted by commas), else `PBS_NODEFILE` (a file
            with a name per line), else `SLURM_JOB_NODELIST` (which `scontrol` takes apart).
        here: the only node where none of them is set.

    Raises:
        BatchError: the nodes cannot be learned.
    """
    if named := environ.get("FLOWRULES_NODES"):
        return _each_once(named.split(","))
    if file := environ.get("PBS_NODEFILE"):
        try:
            with open(file, encoding="utf-8") as lines:
                return _each_once(lines.read().split())
        except OSError as error:
            raise BatchError(f"cannot read the list of nodes `{file}`: {(error.strerror or '').lower()}") from error
    if listed := environ.get("SLURM_JOB_NODELIST"):
        return _each_once(_expanded(listed).split())
    return (here,)


def batch_id(environ: Mapping[str, str]) -> str:
    """The batch system's id of the job this process runs in, "" outside of one."""
    for variable in ("FLOWRULES_BATCH_ID", "PBS_JOBID", "SLURM_JOB_ID"):
        if environ.get(variable):
            return environ[variable]
    return ""


def _expanded(listed: str) -> str:
    command = ["scontrol", "show", "hostnames", listed]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise BatchError(f"`scontrol` does not say which nodes `{listed}` are: {error}") from error
    return done.stdout


def _each_once(names: list[str]) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(stripped for name in names if (stripped := name.strip())))
    if not found:
        raise BatchError("the batch system names no nodes for this job")
    return found
