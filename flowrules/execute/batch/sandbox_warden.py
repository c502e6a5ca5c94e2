"""The warden of a batch job of the sandbox: starts its script, holds it to its walltime, and ends all it left.

It is forked by the server and outlives it. Its lock tells the server's successor that the batch job is looked after.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time

from flowrules.execute.batch.sandbox_folder import SandboxEnd, SandboxFolder, SandboxJob, SandboxStart, start_ticks
from flowrules.execute.processes import group_lives, signal_group, sweep

PBS_WALLTIME = -29
PBS_SIGNAL = 256
_LOOK = 0.05
_NO_START = 254
_OUTER = ("PBS_", "SLURM_", "SBATCH_")
"""Variables that a batch job around the sandbox left: its own are none of theirs."""


def watch(folder: SandboxFolder, job: SandboxJob, nodes: tuple[str, ...]) -> None:
    """The whole life of a batch job; its end is written when nothing of it runs any more.

    The caller holds the warden's lock and lets go of it by ending.
    """
    folder.put(job.number, "started.json", SandboxStart(nodes))
    folder.put(job.number, "nodefile", "".join(f"{n}\n" for n in nodes))
    try:
        process = _start(folder, job, nodes)
    except OSError as error:
        end = SandboxEnd(_NO_START, f"its script could not be started: {error}")
    else:
        folder.put(job.number, "started.json", SandboxStart(nodes, process.pid, start_ticks(process.pid)))
        end = _follow(folder, job, process)
        signal_group(process.pid, signal.SIGKILL)
        sweep(job.mark)
    _write_end(folder, job, end)


def _start(folder: SandboxFolder, job: SandboxJob, nodes: tuple[str, ...]) -> subprocess.Popen[bytes]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_OUTER)}
    env = {**inherited, **job.env, "FLOWRULES_NODES": ",".join(nodes)}
    if "PBS_JOBID" in env:
        env["PBS_NODEFILE"] = folder.of(job.number, "nodefile")
    if "SLURM_JOB_ID" in env:
        env["SLURM_JOB_NODELIST"] = env["SLURM_NODELIST"] = ",".join(nodes)
    output = _open(job.output, folder.of(job.number, "output"))
    error = _open(job.error, folder.of(job.number, "error")) if job.error else output
    try:
        return subprocess.Popen(
            job.argv,
            env=env,
            cwd=job.directory,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=error,
            start_new_session=True,
        )
    finally:
        for fd in {output, error}:
            os.close(fd)


def _open(path: str, otherwise: str) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    try:
        return os.open(path or otherwise, flags, 0o644)
    except OSError:  # a batch job whose output cannot be kept runs all the same, as under PBS
        return os.open(otherwise, flags, 0o644)


def _follow(folder: SandboxFolder, job: SandboxJob, process: subprocess.Popen[bytes]) -> SandboxEnd:
    limit = time.monotonic() + job.walltime
    while True:
        try:
            return _natural(process.wait(_LOOK))
        except subprocess.TimeoutExpired:
            pass
        if time.monotonic() >= limit:
            _stop(process, job.grace)
            return SandboxEnd(PBS_WALLTIME, f"was ended at its walltime of {job.walltime:g}s")
        # without its folder nobody can ask for it nor end it: it ends too
        if folder.has(job.number, "cancel") or not folder.has(job.number, "job.json"):
            _stop(process, job.grace)
            return SandboxEnd(PBS_SIGNAL + signal.SIGTERM, "was cancelled while it ran")


def _natural(status: int) -> SandboxEnd:
    if status >= 0:
        return SandboxEnd(status, f"its script ended with status {status}" if status else "")
    return SandboxEnd(PBS_SIGNAL - status, f"its script was ended by signal {-status}")


def _stop(process: subprocess.Popen[bytes], grace: float) -> None:
    """TERM to the script and what it runs in its process group, then KILL."""
    end = time.monotonic() + grace
    signal_group(process.pid, signal.SIGTERM)
    while time.monotonic() < end:
        if process.poll() is not None and not group_lives(process.pid):
            return
        time.sleep(_LOOK)
    signal_group(process.pid, signal.SIGKILL)
    process.wait()


def _write_end(folder: SandboxFolder, job: SandboxJob, end: SandboxEnd) -> None:
    """An end is worth waiting for room on the disk."""
    while folder.has(job.number, "job.json"):
        try:
            return folder.put(job.number, "end.json", end)
        except OSError:
            time.sleep(1.0)
