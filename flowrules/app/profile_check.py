"""Looks whether this machine has what a profile speaks of: commands, and on a compute node the node itself."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from typing import Final

from flowrules.app.drive.fleet_queues import asks_with
from flowrules.app.drive.manners import room
from flowrules.errors import BatchError, UsageError
from flowrules.execute.batch.choose import batch_system
from flowrules.execute.batch.patience import finish
from flowrules.execute.jobscript import ScriptBlock, render_script
from flowrules.execute.machine import gpus, memory_bytes
from flowrules.execute.topology import gpu_neighbours, hardware_threads
from flowrules.model.profile import Profile
from flowrules.model.quantity import Quantity
from flowrules.schedule.queues import choose
from flowrules.schedule.today import of_today
from flowrules.show.profiles import Finding

COMMANDS: Final[Mapping[str, tuple[str, ...]]] = {
    "none": (),
    "pbs": ("qsub", "qstat", "qdel"),
    "slurm": ("sbatch", "squeue", "sacct", "scancel"),
    "local": (),
    "ssh": ("ssh",),
    "mpiexec": ("mpiexec",),
    "srun": ("srun",),
    "parallel": ("parallel", "ssh"),
}
"""What each batch system and launcher is spoken to with."""

INSIDE: Final = {"pbs": "PBS_JOBID", "slurm": "SLURM_JOB_ID"}
"""Variables that a batch job has."""


def check_profile(profile: Profile, environ: Mapping[str, str]) -> list[Finding]:
    """What was looked at, and whether it is as the profile says. The profile itself is valid already."""
    inside = profile.scheduler == "none" or bool(environ.get(INSIDE[profile.scheduler]))
    return [
        Finding("ok", "profile.yaml", "no mistakes"),
        *_commands(profile, inside, environ),
        *_script(profile),
        *_queues(profile, environ),
        *_ssh(profile, environ),
        *([] if inside else _tasks(environ)),
        *(_node(profile, environ) if inside else _elsewhere(profile)),
    ]


def _commands(profile: Profile, inside: bool, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Commands of the batch system wherever we are; the launcher is needed in a batch job only."""
    for command in COMMANDS[profile.scheduler]:
        place = shutil.which(command, path=environ.get("PATH"))
        lacks = f"not on the PATH, and `{profile.scheduler}` is spoken to with it"
        yield Finding("ok" if place else "wrong", command, place or lacks)
    for command in COMMANDS[profile.launcher]:
        place = shutil.which(command, path=environ.get("PATH"))
        if place:
            yield Finding("ok", command, place)
        else:
            where = "" if inside else "; it is needed on compute nodes only"
            lacks = f"not on the PATH, and the launcher `{profile.launcher}` starts processes with it{where}"
            yield Finding("wrong" if inside else "note", command, lacks)


def _script(profile: Profile) -> Iterator[Finding]:
    """Whether a job script comes out."""
    if profile.scheduler == "none":
        return
    try:
        offer = choose(profile, profile.blocks.nodes, profile.blocks.walltime)
        example = ScriptBlock("example", offer.nodes, offer.walltime, offer.queue.name, "/folder", "/directory")
        render_script(profile, example, "true")
    except UsageError as error:
        yield Finding("wrong", "job script", f"{error.message}; {error.hint}" if error.hint else error.message)
        return
    where = f"queue {offer.queue.name}" if offer.queue.name else "the batch system's own queue"
    yield Finding("ok", "job script", f"{offer.nodes} nodes for {Quantity(offer.walltime, 'seconds')}, {where}")


def _queues(profile: Profile, environ: Mapping[str, str]) -> Iterator[Finding]:
    """The queues as the batch system has them today, where there is one to be asked."""
    command = asks_with(profile)
    if not command or not shutil.which(command, path=environ.get("PATH")):
        return
    try:
        _, told = of_today(profile, finish(batch_system(profile, None).queues()))
    except BatchError as error:
        yield Finding("note", "queues", f"not compared: {error.message}")
        return
    except UsageError as error:
        told = [error.message]
    for words in told:
        yield Finding("wrong", "queues", words)
    if not told:
        yield Finding("ok", "queues", f"as the profile says, or wider, by `{command}`")


def _ssh(profile: Profile, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Whether nodes will let each other in by key: sshd does not trust keys in folders that others may write."""
    home = environ.get("HOME", "")
    if profile.launcher not in ("ssh", "parallel") or not os.path.isdir(home):
        return
    fine = True
    for name, folder in (("$HOME", home), ("~/.ssh", f"{home}/.ssh")):
        try:
            mode = stat.S_IMODE(os.stat(folder).st_mode)
        except OSError:
            continue
        if mode & 0o077:
            fine = False
            then = "refuses keys then" if mode & 0o022 else "may refuse keys then"
            said = f"`{name}` has mode {mode:o}, and sshd of a node {then}: `chmod 700 {name}`"
            yield Finding("wrong" if mode & 0o022 else "note", "ssh between nodes", said)
    if not os.path.exists(f"{home}/.ssh/authorized_keys"):
        fine = False
        said = "there is no `~/.ssh/authorized_keys`: unless hosts of this site trust each other, add your public key"
        yield Finding("note", "ssh between nodes", said)
    if fine:
        yield Finding("ok", "ssh between nodes", "`$HOME` and `~/.ssh` are private, `authorized_keys` is there")


def _tasks(environ: Mapping[str, str]) -> Iterator[Finding]:
    """What a login node lets a user have, where it says so."""
    if (found := room(environ)) is not None:
        enough, said = found
        yield Finding("ok" if enough else "wrong", "processes", said)


def _elsewhere(profile: Profile) -> Iterator[Finding]:
    said = f"not compared: this is no batch job ({INSIDE[profile.scheduler]} is not set)"
    yield Finding("note", "node", said)


def _node(profile: Profile, environ: Mapping[str, str]) -> Iterator[Finding]:
    """This machine against the node of the profile."""
    node = profile.node
    if profile.origins.get("node.cpus") == "default":
        yield Finding("note", "node", "not declared: cores, memory and GPUs are counted when a run starts")
        return
    there = hardware_threads()
    said = f"{there} hardware threads here, {node.cpus} in the profile"
    yield Finding("wrong" if there < node.cpus else "ok" if there == node.cpus else "note", "node.cpus", said)
    if node.mem is not None:
        memory = memory_bytes()
        said = f"{Quantity(memory // 10**9 * 10**9, 'bytes')} here, {Quantity(node.mem, 'bytes')} in the profile"
        yield Finding("wrong" if memory < node.mem else "ok", "node.mem", said)
    if node.gpus:
        yield from _gpus(profile, environ)


def _gpus(profile: Profile, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Numbers of GPUs, and the threads beside them."""
    node = profile.node
    here = gpus(environ)
    said = f"{len(here)} here, {len(node.gpus)} in the profile"
    yield Finding("ok" if len(here) == len(node.gpus) else "wrong", "node.gpus", said)
    neighbours = gpu_neighbours()
    if not neighbours:
        yield Finding("note", "node.gpus.slots", "not compared: which threads are beside a GPU is not known here")
    for gpu in node.gpus:
        near = neighbours.get(gpu.id)
        far = [cpu for cpu in gpu.cpus if near is not None and cpu not in near]
        if far:
            yield Finding("wrong", f"GPU {gpu.id}", f"hardware thread {far[0]} is beside it in the profile, not here")
        elif near is not None:
            yield Finding("ok", f"GPU {gpu.id}", f"its {len(gpu.cpus)} hardware threads are beside it")
