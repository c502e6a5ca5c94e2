"""Measures whole processes, one after the other and in turns, and prints the medians as a Markdown table."""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Figure:
    """What one process took.

    Attributes:
        seconds: from start to end.
        memory: largest resident set of the process or of a child it waited for, in MiB; never less than that of the
            process that measures (about 14), from which the kernel lets it start.
    """

    seconds: float
    memory: float


@dataclass(slots=True)
class Case:
    """One program that does the work.

    Attributes:
        name: as shown.
        command: its words; the first must be on the search path.
        prepare: run before each measurement, not counted.
        figures: what was measured.
    """

    name: str
    command: Sequence[str]
    prepare: Callable[[], None] | None = None
    figures: list[Figure] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """The median time."""
        return statistics.median(figure.seconds for figure in self.figures)

    @property
    def memory(self) -> float:
        """The median of memory, in MiB."""
        return statistics.median(figure.memory for figure in self.figures)


def flowrules() -> str:
    """The flowrules that lies beside this interpreter, else the one on the search path."""
    beside = Path(sys.executable).with_name("flowrules")
    return str(beside) if beside.exists() else "flowrules"


def run_once(command: Sequence[str], folder: Path) -> Figure:
    """Runs a command in a folder and waits for it.

    Raises:
        RuntimeError: it did not end well; with the end of what it printed.
    """
    log = folder.with_name("log.txt")
    with open(log, "wb") as output:
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, output.fileno(), 1),
            (os.POSIX_SPAWN_DUP2, output.fileno(), 2),
        ]
        before = Path.cwd()
        os.chdir(folder)
        try:
            start = time.perf_counter()
            child = os.posix_spawnp(command[0], list(command), os.environ, file_actions=actions)
            _, status, usage = os.wait4(child, 0)
            seconds = time.perf_counter() - start
        finally:
            os.chdir(before)
    if status != 0:
        end = log.read_text(errors="replace")[-2000:]
        raise RuntimeError(f"`{' '.join(command)}` ended with {os.waitstatus_to_exitcode(status)}\n{end}")
    return Figure(seconds, usage.ru_maxrss / 1024)


def in_turns(cases: Iterable[Case], folder: Path, rounds: int) -> list[Case]:
    """Measures every case once a round, so that a busy minute of the machine hits all alike.

    Programs that are not installed are named on standard error and left out.
    """
    there = []
    for case in cases:
        if shutil.which(case.command[0]):
            there.append(case)
        else:
            print(f"{case.command[0]} is not installed and left out", file=sys.stderr)
    for _ in range(rounds):
        for case in there:
            if case.prepare is not None:
                case.prepare()
            case.figures.append(run_once(case.command, folder))
    return there


def table(title: str, cases: Sequence[Case], extra: Callable[[Case], str] | None = None, head: str = "") -> str:
    """The figures as Markdown; the ratio is our time over the program's, so below 1 we are faster."""
    ours = cases[0]
    lines = [f"### {title}", "", "| program | seconds | MiB | ratio |" + (f" {head} |" if extra else "")]
    lines.append("|---|--:|--:|--:|" + ("--:|" if extra else ""))
    for case in cases:
        ratio = f"{ours.seconds / case.seconds:.2f}"
        row = f"| {case.name} | {case.seconds:.3f} | {case.memory:.0f} | {ratio} |"
        lines.append(row + (f" {extra(case)} |" if extra else ""))
    return "\n".join(lines) + "\n"


def scratch(prefix: str) -> Path:
    """A new folder on a memory file system where there is one, so that the disk is not what is measured."""
    import tempfile

    memory = Path("/dev/shm")
    base = memory if memory.is_dir() and os.access(memory, os.W_OK) else None
    if base is None:
        print("there is no /dev/shm: figures include the disk", file=sys.stderr)
    return Path(tempfile.mkdtemp(prefix=prefix, dir=base))
