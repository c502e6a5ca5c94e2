"""What a plain script's nodes wrote, put into the block's log: so a driver reads it as it reads any block's.

The script has no Python and writes lines without sums, of jobs that began and ended; here they become the messages of a
runner. Outputs are looked at once more, as nobody recorded what they were. Only the driver that holds the block writes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from flowrules.app.block.runner_work import Bench, Work, draft_of
from flowrules.errors import FlowrulesError
from flowrules.execute.agentlines import ended
from flowrules.execute.launchers import numbers as cpus_of
from flowrules.model.agent import TaskEnded
from flowrules.model.block import Task, TaskEnd
from flowrules.model.events import Slot
from flowrules.record.blockfiles import Fate, epochs, inbox_path, log_name, log_path, unusable
from flowrules.record.disk import Disk
from flowrules.record.messages import Begin, Closed, Closing, Cut, Ended, LogMessage, Started, encode_message
from flowrules.record.numbered import numbers
from flowrules.record.polled import Appender
from flowrules.record.spool import BlockFolder


@dataclass(frozen=True, slots=True)
class _Said:
    """A line of a node, `start` or `end`, in words after its nonce."""

    node: str
    words: list[str]

    @property
    def task(self) -> str:
        return self.words[1]

    @property
    def time(self) -> float:
        """When it started or ended, seconds since the epoch."""
        return int(self.words[4]) / 1e6


class Scribe:
    """Writes the log of a block without a runner.

    Raises:
        StateError: a file of the block cannot be read.
    """

    def __init__(self, folder: BlockFolder, directory: str = ".") -> None:
        self._folder = folder
        self._fates: dict[str, Fate] | None = None
        self._directory = directory
        self._read: dict[str, int] = {}
        self._done: set[int] = set()

    def write(self) -> None:
        """Add what nodes wrote since.

        Raises:
            StateError: a file cannot be read or written.
        """
        try:
            runs = numbers(f"{self._folder.path}/runs")
            for run in runs:
                if run not in self._done:
                    self._write_run(run, runs)
        except OSError as error:
            raise unusable(self._folder.path, error) from error

    def _write_run(self, run: int, runs: list[int]) -> None:
        path = f"{self._folder.path}/runs/{run:02d}"
        hosts = _words(f"{path}/nodes")
        if len(hosts) < self._folder.spec.nodes:
            return  # it is being made
        closed = _words(f"{path}/closed")  # before the logs are: nothing comes after it
        said = sorted(self._new(path), key=lambda line: line.time)  # makers before users
        messages: list[LogMessage] = []
        if not os.path.exists(log_path(self._folder.path, run)):
            messages += self._beginning(run, runs, hosts, " ".join(_words(f"{path}/batch")))
        for line in said:
            messages += self._messages(line)
        over = bool(closed) or run != runs[-1]
        if closed:
            messages.append(Closed(closed == ["1"]))
        if over:
            self._done.add(run)
        if messages and not (closed and self._is_closed(run)):
            log = Appender(log_path(self._folder.path, run))
            try:
                for message in messages:
                    log.append(*encode_message(message))
                log.sync()
            finally:
                log.close()

    def _is_closed(self, run: int) -> bool:
        """Whether an earlier driver wrote all of a run."""
        return self._folder.closed is not None or b"\tclosed\t" in _bytes(log_path(self._folder.path, run))

    def _beginning(self, run: int, runs: list[int], hosts: list[str], batch: str) -> Iterator[LogMessage]:
        for earlier in runs[: runs.index(run)]:
            yield Cut(log_name(earlier), os.path.getsize(log_path(self._folder.path, earlier)))
        yield Begin(run, hosts[0], 0, batch, tuple(hosts))
        first = epochs(self._folder.path)[0]
        yield Closing(first, os.path.getsize(inbox_path(self._folder.path, first)))  # it reads no more

    def _new(self, path: str) -> Iterator[_Said]:
        """What nodes wrote since the last look."""
        for name in sorted(os.listdir(path)):
            if name.startswith("node-") and name.endswith(".log"):
                file = f"{path}/{name}"
                data = _bytes(file)[self._read.get(file, 0) :]
                whole = data.rpartition(b"\n")[0]
                self._read[file] = self._read.get(file, 0) + len(whole) + (1 if whole else 0)
                yield from _lines(whole, name[len("node-") : -len(".log")], self._folder.spec.nonce)

    def _messages(self, line: _Said) -> Iterable[LogMessage]:
        if self._fates is None:
            self._fates = self._folder.assigned()
            ends = [fate.end for fate in self._fates.values() if fate.end is not None]
            self._bench = Bench(self._folder.spec, Disk(self._directory), ends)
        fate = self._fates.get(line.task)
        if fate is None or fate.end is not None:
            return
        if line.words[0] == "start":
            _, name, gpus, cpus, _ = line.words
            given = () if gpus == "-" else tuple(gpus.split(","))
            fate.started = Started(name, line.node, given, "" if cpus == "-" else cpus, line.time)
            yield fate.started
        elif fate.started is not None:
            said = ended(line.node, line.words[1:], [path for path, _ in fate.task.outputs])
            fate.end = None if said is None or said.killed else self._end(fate.task, fate.started, said, line.words[-1])
            if fate.end is not None:
                yield Ended(fate.end)

    def _end(self, task: Task, started: Started, said: TaskEnded, flag: str) -> TaskEnd | None:
        """The end of an attempt; None where it said that it went well and files are not there any more."""
        slot = Slot(task.need.cores, started.gpus, (started.node,), cpus_of(started.cpus))
        work = Work(task, slot, started.node, 0, draft_of(task, slot, started.node), 0.0)
        work.unwanted = "limit" if flag == "limit" else ""
        try:
            self._bench.look_at_inputs(work)
        except FlowrulesError:
            if said.exit == 0:
                return None
        end = self._bench.finish(work, said, patient=False)
        if end is not None and "." in flag:  # its command ended well
            end.record.exit = 0
        return None if end is None or (said.exit == 0 and end.record.status != "done") else end


def _lines(data: bytes, node: str, nonce: str) -> Iterator[_Said]:
    """The good lines of a node's log: `start TASK GPUS CPUS TIME`, `end TASK STATUS STARTED ENDED CPU MEMORY FLAG`."""
    for text in data.decode("ascii", "replace").split("\n"):
        said, *words = text.split(" ")
        whole = len(words) == {"start": 5, "end": 8}.get(words[0] if words else "", -1)
        if said == nonce and whole and words[4].isdigit():
            yield _Said(node, words)


def _words(path: str) -> list[str]:
    return _bytes(path).decode("ascii", "replace").split()


def _bytes(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""
