"""The server of a sandbox: decides which batch job starts when, and ends when there is nothing left to do.

Run as ``main(FOLDER)`` in an interpreter of its own; that process ends as soon as a detached child serves the folder.
It keeps nothing in memory that its successor would miss.
"""

from __future__ import annotations

import os
import signal
import time
import traceback

from flowrules.execute.batch.sandbox_folder import SandboxEnd, SandboxFolder, SandboxJob, SandboxStart, start_ticks
from flowrules.execute.batch.sandbox_warden import watch
from flowrules.execute.processes import signal_group, sweep

_LOOK = 0.05


def main(path: str) -> None:
    """Serve a folder, unless another process does. Returns in the parent when it is served."""
    read, write = os.pipe()
    if os.fork():
        os.close(write)
        os.read(read, 1)  # until the child has its lock, or has ended
        os._exit(0)
    os.close(read)
    os.setsid()
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # wardens are not waited for
    folder = SandboxFolder(path)
    with folder.gate():
        lock = folder.take_server()
    os.close(write)
    if lock is not None:
        Server(folder, lock).run()
    os._exit(0)


class Server:
    """Runs batch jobs first come, first served: one that waits for nodes lets none of the later ones pass."""

    def __init__(self, folder: SandboxFolder, lock: int) -> None:
        self.folder = folder
        self._lock = lock
        self._over: set[int] = set()
        self._given: dict[int, tuple[str, ...]] = {}
        """Nodes of batch jobs whose wardens may not have written them yet."""
        self._why: dict[int, str] = {}

    def run(self) -> None:
        """Serve until nothing is queued or running."""
        while True:
            if not self._look():
                with self.folder.gate():  # what is submitted from now on finds no server and starts one
                    # a warden that was forked within the gate would keep it as long as its batch job runs
                    if not self._look(start=False):
                        os.close(self._lock)
                        return
            time.sleep(_LOOK)

    def _look(self, *, start: bool = True) -> bool:
        """One round; whether there is anything left."""
        queued: list[SandboxJob] = []
        running: list[SandboxJob] = []
        for number in self.folder.numbers():
            if number in self._over:
                continue
            job = self.folder.job(number)
            if job is None:
                continue
            if self._is_over(job):
                self._over.add(number)
                self._given.pop(number, None)
            elif number in self._given:
                running.append(job)
            else:
                queued.append(job)
        if queued and start:
            self._start_some(queued, running)
        return bool(queued or running)

    def _is_over(self, job: SandboxJob) -> bool:
        """Whether a batch job has ended; notes the nodes of one that runs, and ends what a killed warden left."""
        number = job.number
        if self.folder.has(number, "end.json"):
            return True
        lock = self.folder.take_warden(number)
        start = self.folder.start(number)
        if lock is None:
            self._given[number] = start.nodes if start else self._given.get(number, ())
            return False
        try:
            if self.folder.has(number, "end.json"):  # written since
                return True
            if start is not None:
                self._reap(job, start)
                return True
            self._given.pop(number, None)  # its warden was killed before it did anything
            if self.folder.has(number, "cancel"):
                self.folder.put(number, "end.json", SandboxEnd(None, "was cancelled before it started"))
                return True
            return False
        finally:
            os.close(lock)

    def _reap(self, job: SandboxJob, start: SandboxStart) -> None:
        if start.ticks and start_ticks(start.pid) == start.ticks:
            signal_group(start.pid, signal.SIGKILL)
        sweep(job.mark)
        self.folder.put(job.number, "end.json", SandboxEnd(None, "the process that looked after it was killed"))

    def _start_some(self, queued: list[SandboxJob], running: list[SandboxJob]) -> None:
        if not all(self._given[job.number] for job in running):
            return  # one that a former server started has not yet written where it runs
        busy = {node for job in running for node in self._given[job.number]}
        free = [name for name in node_names(self.folder.nodes()) if name not in busy]
        turn = True
        for job in queued:
            before = [number for number in job.after if not self.folder.has(number, "end.json")]
            if before:  # it lets others pass
                self._wait(job, f"waits for batch job {before[0]} to end")
                continue
            of_queue = sum(other.queue == job.queue for other in running)
            if job.running is not None and of_queue >= job.running:
                self._wait(job, f"queue `{job.queue}` runs at most {job.running} at once")
            elif not turn or job.nodes > len(free):
                turn = False
                self._wait(job, f"waits for {job.nodes} nodes, {len(free)} are free")
            elif self._start(job, tuple(free[: job.nodes])):
                free = free[job.nodes :]
                running.append(job)

    def _wait(self, job: SandboxJob, why: str) -> None:
        if self._why.get(job.number) != why:
            self._why[job.number] = why
            self.folder.put(job.number, "why", why)

    def _start(self, job: SandboxJob, nodes: tuple[str, ...]) -> bool:
        lock = self.folder.take_warden(job.number)
        if lock is None:
            return False
        if os.fork():
            os.close(lock)  # the child's copy keeps it
            self._given[job.number] = nodes
            return True
        try:
            os.close(self._lock)
            os.pwrite(lock, b"%-10d\n" % os.getpid(), 0)
            os.setsid()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            watch(self.folder, job, nodes)
        except BaseException:
            traceback.print_exc()  # into server.log
        finally:
            os._exit(0)


def node_names(count: int) -> list[str]:
    """Names of the nodes of a sandbox."""
    return [f"node{n}" for n in range(1, count + 1)]
