"""What some processes cost while they run, read from /proc now and then: CPU, memory, threads, children."""

from __future__ import annotations

import os
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from tasks_below import tasks_below as tasks_below  # for those who watch by themselves

_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Cost:
    """What the processes of one kind cost.

    Attributes:
        cpu: seconds of the processes themselves, to within an interval of looking.
        memory: largest resident set of one, MiB.
        most: processes and threads at once, with all their descendants that did not leave them.
        early: seconds of CPU until processes of all kinds were there.
    """

    cpu: float = 0.0
    early: float = 0.0
    memory: float = 0.0
    most: int = 0


class Watch:
    """Watches, in a thread, processes by what their command lines hold.

    Args:
        marks: for each kind a text; the oldest process that holds it is meant: what it forked holds it too.
    """

    def __init__(self, marks: dict[str, str], interval: float = 0.2) -> None:
        self.costs = {kind: Cost() for kind in marks}
        self._marks = {kind: mark.encode() for kind, mark in marks.items()}
        self._found: dict[str, int] = {}
        self._interval = interval
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._done.wait(self._interval):
            lacking = [kind for kind in self._marks if kind not in self._found]
            if lacking:
                self._search(lacking)
            for kind, pid in self._found.items():
                self._look(self.costs[kind], pid)
            if lacking and len(self._found) == len(self._marks):
                for cost in self.costs.values():
                    cost.early = cost.cpu

    def _search(self, kinds: list[str]) -> None:
        oldest: dict[str, tuple[int, int]] = {}
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                words = Path(f"/proc/{name}/cmdline").read_bytes().replace(b"\0", b" ")
                if b"python" not in words.split(b" ", 1)[0]:
                    continue
                begun = int(Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()[19])
            except OSError:
                continue
            for kind in kinds:
                if self._marks[kind] in words:
                    oldest[kind] = min(oldest.get(kind, (begun, int(name))), (begun, int(name)))
        self._found.update((kind, pid) for kind, (_, pid) in oldest.items())

    def _look(self, cost: Cost, pid: int) -> None:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            return
        cost.cpu = (int(fields[11]) + int(fields[12])) / _TICK
        peak = [int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")]
        cost.memory = max([cost.memory, *[kb / 1024 for kb in peak]])
        cost.most = max(cost.most, tasks_below(pid))
