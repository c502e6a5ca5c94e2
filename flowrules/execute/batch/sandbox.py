"""A batch system emulated on this machine, so that any profile can be tried without an account.

What it knows lies in a private folder. A server is started by the first submission and ends when nothing is left; it is
looked for, and started anew where it was killed, by every call that needs it.
"""

from __future__ import annotations

import os
import pwd
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from flowrules.errors import BatchError, BatchFull, suggestion
from flowrules.execute.batch.directives import Request, read_request
from flowrules.execute.batch.sandbox_folder import SandboxFolder, SandboxJob
from flowrules.execute.processes import ATTEMPT, RUN, chained
from flowrules.model.batch import BatchState, BatchStatus, QueueToday
from flowrules.model.profile import Profile, Queue
from flowrules.ports import Waiting

_MOST_NODES = 16
_START_LIMIT = 30.0
_SERVE = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from flowrules.execute.batch.sandbox_server import main; main(sys.argv[2])"
)
_ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))


class Sandbox:
    """A `BatchSystem`.

    A batch job's script runs once, on "the first node", with the names of all of them in `FLOWRULES_NODES`, its id in
    `FLOWRULES_BATCH_ID`, and the variables that the profile's scheduler would set. Exit statuses are those of PBS: 256
    and the number of the signal that ended the script, -29 at the walltime.
    """

    def __init__(
        self,
        folder: str,
        profile: Profile,
        *,
        nodes: int | None = None,
        grace: float = 10.0,
        directory: str | None = None,
        python: str = sys.executable,
    ) -> None:
        """
        Args:
            folder: private to the sandbox, made when it is needed.
            nodes: how many there are; by default what all blocks of the profile need, 16 at most unless one needs more.
            grace: seconds between TERM and KILL for a batch job that is ended.
            directory: from where batch jobs are submitted; the current one by default.
        """
        shape = profile.blocks
        self.nodes = nodes or max(shape.nodes, min(_MOST_NODES, shape.nodes * shape.max))
        self._folder = SandboxFolder(folder)
        self._profile = profile
        self._grace = grace
        self._directory = os.path.abspath(directory or os.curdir)
        self._python = python

    def submit(self, script: str, name: str) -> Waiting[str]:
        """See `BatchSystem`; this and all else is answered at once."""
        yield from ()
        request = read_request(script)
        queue = self._queue(request)
        nodes = request.nodes or self._profile.blocks.nodes
        walltime = request.walltime or self._profile.blocks.walltime
        self._check_shape(request, queue, nodes, walltime)
        with self._told():
            self._folder.make()
            with self._folder.gate():
                self._check_count(queue)
                self._folder.set_nodes(self.nodes)
                number = self._folder.new_number()
                self._folder.put(number, "script", script)
                job = self._job(number, name, queue, nodes, walltime, request, script)
                self._folder.put(number, "job.json", job)
            self._serve()
        return job.id

    def find(self, name: str) -> Waiting[list[str]]:
        """See `BatchSystem`."""
        yield from ()
        with self._told():
            jobs = [self._folder.job(number) for number in self._folder.numbers()]
        return [job.id for job in jobs if job is not None and job.name == name]

    def status(self, ids: Sequence[str]) -> Waiting[Mapping[str, BatchStatus]]:
        """See `BatchSystem`."""
        yield from ()
        with self._told():
            found = {id: status for id in ids if (status := self._status(id)) is not None}
            if any(status.state is not BatchState.ENDED for status in found.values()):
                self._serve()
        return found

    def cancel(self, id: str) -> Waiting[None]:
        """See `BatchSystem`."""
        yield from ()
        number = _number(id)
        with self._told():
            if number is None or self._folder.job(number) is None or self._folder.end(number) is not None:
                return
            self._folder.put(number, "cancel", "")
            self._serve()

    def queues(self) -> Waiting[Mapping[str, QueueToday]]:
        """See `BatchSystem`: they are those of the profile, or the one it names where it lists none."""
        yield from ()
        if not self._profile.queues:
            return {self._profile.queue: QueueToday(self._profile.queue)}
        return {
            queue.name: QueueToday(
                queue.name,
                nodes=queue.nodes,
                walltime=queue.walltime,
                jobs_per_user=queue.jobs_per_user,
                leads_to=tuple(route.name for route in queue.routes),
            )
            for queue in self._profile.queues
        }

    def _status(self, id: str) -> BatchStatus | None:
        number = _number(id)
        job = None if number is None else self._folder.job(number)
        if job is None or job.id != id:
            return None
        end = self._folder.end(job.number)
        if end is not None:
            return BatchStatus(BatchState.ENDED, end.detail, end.exit)
        start = self._folder.start(job.number)
        if start is not None:
            return BatchStatus(BatchState.RUNNING, f"runs on {', '.join(start.nodes)}")
        return BatchStatus(BatchState.QUEUED, self._folder.why(job.number))

    def _queue(self, request: Request) -> Queue:
        """The queue a job script asks for, the first one where it does not.

        Raises:
            BatchError: the profile has none of this name.
        """
        queues = self._profile.queues
        if not request.queues or not queues:
            return queues[0] if queues else Queue("".join(request.queues[:1]))
        for queue in queues:
            if queue.name in request.queues:
                return queue
        asked = request.queues[0]
        raise BatchError(f"unknown queue `{asked}`", suggestion(asked, [q.name for q in queues]), final=True)

    def _check_shape(self, request: Request, queue: Queue, nodes: int, walltime: float) -> None:
        least, most = queue.nodes
        shortest, longest = queue.walltime
        node = self._profile.node
        if nodes < least or (most is not None and nodes > most):
            limits = f"{least} to {most}" if most is not None else f"at least {least}"
            raise _refusal(f"queue `{queue.name}` takes {limits} nodes, the batch job asks for {nodes}")
        if walltime < shortest or (longest is not None and walltime > longest):
            limits = f"{shortest:g}s to {longest:g}s" if longest is not None else f"at least {shortest:g}s"
            raise _refusal(f"queue `{queue.name}` takes walltimes of {limits}, the batch job asks for {walltime:g}s")
        if (request.cpus or 0) > node.cpus or (request.gpus or 0) > len(node.gpus):
            raise _refusal(
                f"a node has {node.cpus} hardware threads and {len(node.gpus)} GPUs, the batch job asks for"
                f" {request.cpus or 0} and {request.gpus or 0}"
            )
        if nodes > self.nodes:
            raise _refusal(f"the sandbox has {self.nodes} nodes, the batch job asks for {nodes}")

    def _check_count(self, queue: Queue) -> None:
        """Raises BatchFull where the queue takes no more now. Call it within the gate."""
        limits = [n for n in (queue.jobs_per_user, queue.queued_per_project) if n is not None]
        if not limits:
            return
        live = 0
        for number in self._folder.numbers():
            job = self._folder.job(number)
            live += job is not None and job.queue == queue.name and not self._folder.has(number, "end.json")
        if live >= min(limits):
            raise BatchFull(f"queue `{queue.name}` takes at most {min(limits)} batch jobs of one user")

    def _job(
        self, number: int, name: str, queue: Queue, nodes: int, walltime: float, request: Request, script: str
    ) -> SandboxJob:
        id = f"{number}.sandbox"
        home = pwd.getpwuid(os.getuid()).pw_dir
        in_home = self._profile.scheduler == "pbs" and os.path.isdir(home)
        return SandboxJob(
            number=number,
            id=id,
            name=name,
            queue=queue.name,
            nodes=nodes,
            walltime=walltime,
            grace=self._grace,
            running=queue.jobs_per_project,
            mark=(mark := f"sandbox.{secrets.token_hex(8)}"),
            argv=(*_interpreter(script), self._folder.of(number, "script")),
            directory=home if in_home else self._directory,
            env=self._env(number, id, name, queue.name, nodes, mark),
            output=self._file(request.output, f"{id}.OU", number, name),
            error="" if request.joined else self._file(request.error, f"{id}.ER", number, name),
            after=tuple(map(self._known, request.after)),
        )

    def _known(self, id: str) -> int:
        number = _number(id)
        if number is None or self._folder.job(number) is None:
            raise _refusal(f"it is to wait for `{id}`, which is no batch job")
        return number

    def _env(self, number: int, id: str, name: str, queue: str, nodes: int, mark: str) -> dict[str, str]:
        """What it has of its own. All else is the server's, and so of the call that started it: it holds secrets, which
        are written down nowhere."""
        env = {RUN: chained(RUN, mark), ATTEMPT: chained(ATTEMPT, "batch"), "FLOWRULES_BATCH_ID": id}
        if self._profile.scheduler == "pbs":
            env |= {
                "PBS_ENVIRONMENT": "PBS_BATCH",
                "PBS_JOBID": id,
                "PBS_JOBNAME": name,
                "PBS_QUEUE": queue,
                "PBS_O_WORKDIR": self._directory,
                "PBS_O_HOME": os.environ.get("HOME", ""),
                "PBS_O_PATH": os.environ.get("PATH", ""),
            }
        elif self._profile.scheduler == "slurm":
            env |= {
                "SLURM_JOB_ID": str(number),
                "SLURM_JOBID": str(number),
                "SLURM_JOB_NAME": name,
                "SLURM_JOB_PARTITION": queue,
                "SLURM_JOB_NUM_NODES": str(nodes),
                "SLURM_NNODES": str(nodes),
                "SLURM_SUBMIT_DIR": self._directory,
            }
        return env

    def _file(self, asked: str, in_folder: str, number: int, name: str) -> str:
        """Absolute path of an output file as PBS or Slurm would find it, "" where none is asked for."""
        if not asked:
            return ""
        if self._profile.scheduler == "slurm":
            for letter, value in (("%j", str(number)), ("%A", str(number)), ("%x", name)):
                asked = asked.replace(letter, value)
        else:
            host, colon, path = asked.partition(":")
            asked = path if colon and "/" not in host else asked
        path = os.path.join(self._directory, asked)
        return os.path.join(path, in_folder) if asked.endswith("/") or os.path.isdir(path) else path

    def _serve(self) -> None:
        """Make sure that there is a server."""
        with self._folder.gate():
            if self._folder.server_lives():
                return
        log = os.open(os.path.join(self._folder.path, "server.log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            subprocess.run(
                [self._python, "-I", "-S", "-c", _SERVE, _ROOT, self._folder.path],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
                timeout=_START_LIMIT,
                check=True,
            )
        finally:
            os.close(log)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Trouble with the folder or the server is told as that of a batch system."""
        try:
            yield
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            raise BatchError(f"the sandbox in `{self._folder.path}` does not answer: {error}") from error


def _number(id: str) -> int | None:
    number = id.partition(".")[0]
    return int(number) if number.isdecimal() else None


def _interpreter(script: str) -> list[str]:
    """Words of the script's `#!` line, split as the kernel does."""
    first = script.partition("\n")[0]
    if not first.startswith("#!"):
        return ["/bin/sh"]
    return first[2:].strip().split(None, 1) or ["/bin/sh"]


def _refusal(message: str) -> BatchError:
    return BatchError(message, final=True)
