"""Measures whole processes, one after the other and in turns; prints the medians as a Markdown table, and keeps all."""

from __future__ import annotations

import compileall
import os
import re
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import results


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
        jobs: how many jobs this program is given, where slow ones get fewer than the others.
        rounds: how often it is measured at most, where that is seldom.
        module: without which the program, a Python script of `peers`, is left out.
        figures: what was measured; said: what the last process printed.
    """

    name: str
    command: Sequence[str]
    prepare: Callable[[], None] | None = None
    jobs: int = 0
    module: str = ""
    rounds: int = 0
    figures: list[Figure] = field(default_factory=list)
    said: str = ""

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


def peer(script: str) -> Path:
    """A file of `peers`."""
    return Path(__file__).with_name("peers") / script


def peer_python() -> str:
    """The interpreter that has the programs of `requirements.txt`: of the benchmarks' own environment, or this one."""
    beside = Path(os.environ.get("BENCH_VENV", results.ROOT / ".venv-bench")) / "bin" / "python"
    return str(beside) if beside.exists() else sys.executable


def settle() -> None:
    """Have the program compiled before it is measured, as after an installation; and the peers on the search path."""
    peers = str(Path(peer_python()).parent)
    if peers not in os.environ["PATH"].split(os.pathsep):
        os.environ["PATH"] += os.pathsep + peers
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    compileall.compile_dir(results.ROOT / "flowrules", quiet=2)


def _missing(case: Case) -> str:
    """What of a case is not installed."""
    if shutil.which(case.command[0]) is None:
        return case.command[0]
    library = Path(peer_python()).parents[1] / "lib"
    return "" if not case.module or any(library.glob(f"python*/site-packages/{case.module}")) else case.module


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


def in_turns(
    cases: Iterable[Case], folder: Path, rounds: int, check: Callable[[Case], None] | None = None
) -> list[Case]:
    """Measures every case once a round, so that a busy minute of the machine hits all alike.

    ``check`` looks at what was made, after each.

    Programs that are not installed are named on standard error and left out.
    """
    settle()
    there = []
    for case in cases:
        if missing := _missing(case):
            print(f"{missing} is not installed and left out", file=sys.stderr)
        else:
            there.append(case)
    for turn in range(rounds):
        for case in there:
            if turn >= (case.rounds or rounds):
                continue
            if case.prepare is not None:
                case.prepare()
            case.figures.append(run_once(case.command, folder))
            if check is not None:
                check(case)
            case.said = folder.with_name("log.txt").read_text(errors="replace")[-4000:]
    return there


def save(suite: str, what: str, size: int, cases: Sequence[Case]) -> None:
    """Keep figures, for the page."""
    rows = []
    for case in cases:
        row = {"program": case.name, "seconds": [f.seconds for f in case.figures]}
        row |= {"memory": [f.memory for f in case.figures], "jobs": case.jobs or size}
        if found := re.search(r"once started: ([0-9.]+)", case.said):
            row["once_started"] = float(found[1])
        rows.append(row)
    results.save(suite, what, size, rows)


def table(title: str, cases: Sequence[Case], extra: Callable[[Case], str] | None = None, head: str = "") -> str:
    """The figures as Markdown; the ratio is our time over the program's for as many jobs, so below 1 we are faster."""
    ours = cases[0]
    lines = [f"### {title}", "", "| program | seconds | spread | MiB | ratio |" + (f" {head} |" if extra else "")]
    lines.append("|---|--:|--:|--:|--:|" + ("--:|" if extra else ""))
    for case in cases:
        jobs = (case.jobs or ours.jobs or 1) / (ours.jobs or case.jobs or 1)
        ratio = f"{ours.seconds / case.seconds * jobs:.2f}"
        spread = f"{min(f.seconds for f in case.figures):.3f}-{max(f.seconds for f in case.figures):.3f}"
        name = case.name if jobs == 1 else f"{case.name} ({case.jobs:,} jobs)"
        row = f"| {name} | {case.seconds:.3f} | {spread} | {case.memory:.0f} | {ratio} |"
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
