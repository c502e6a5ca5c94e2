"""What large workflows and campaigns take, and whether memory and open files stay bounded: rows for docs/trust.md.

`fan-in`: a job with 100,000 inputs. `levels`: a chain of 10,000 jobs. `rules`: 1,000, a job each. `folder`: an output
that is a folder of 100,000 files (a million: `--size 2000000`). `jobs`: 200,000 through one driver, in a block of the
sandbox. `runners`: 64 blocks that write at once. `manners`: what a driver takes of a login node meanwhile, with 10,000
jobs. Each but the last three is run, and looked at again with nothing to do.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import cluster
from measure import flowrules, scratch, settle
from results import ROOT
from watching import tasks_below

KEPT = Path(os.environ.get("LOAD_RESULTS", ROOT / "docs" / "trust-load.json"))

SIZE = 200_000
"""Jobs of the part `jobs`; the others are as much smaller as this is."""

START_CALLS = 2_000
"""Read and write calls of a driver with no jobs."""

_FAN_IN = """\
rule all:
    input: expand("in/{{n}}", n=range({size}))
    output: "total"
    shell: "printf '%s\\\\n' {{input}} | wc -l > {{output}}"
"""

_LEVELS = """\
rule all:
    input: "step/{size}"
rule begin:
    output: "step/0"
    shell: ": > {{output}}"
rule step:
    input: f"step/{{int(wildcards.n) - 1}}"
    output: "step/{{n,[1-9][0-9]*}}"
    shell: ": > {{output}}"
"""

_FOLDER = """\
rule all:
    output: directory("many")
    shell: "mkdir {{output}}; cd {{output}}; seq {size} | xargs touch"
"""

_JOBS = """\
rule all:
    input: expand("out/{{n}}", n=range({size}))
rule nothing:
    output: "out/{{n}}"
    resources: walltime=1min
    shell: ": > {{output}}"
"""


@dataclass(slots=True)
class Taken:
    """What a process took.

    Attributes:
        memory: largest resident set, MiB; files: most descriptors open at once; tasks: most threads and processes.
    """

    seconds: float = 0.0
    memory: float = 0.0
    files: int = 0
    tasks: int = 0

    def told(self) -> str:
        """In words."""
        return f"{self.seconds:.1f} s, {self.memory:.0f} MiB, {self.files} open files"


def run(command: Sequence[str], folder: Path) -> Taken:
    """Runs a command to its end, and looks at it twenty times a second.

    Raises:
        RuntimeError: it did not end well; with the end of what it said.
    """
    taken, over = Taken(), threading.Event()
    log = folder.with_name("log.txt")
    with open(log, "wb") as output:
        begun = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output)

        def look() -> None:
            while not over.wait(0.05):
                try:
                    taken.files = max(taken.files, len(os.listdir(f"/proc/{process.pid}/fd")))
                    taken.tasks = max(taken.tasks, tasks_below(process.pid))
                except OSError:
                    continue

        watcher = threading.Thread(target=look)
        watcher.start()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        taken.seconds = time.perf_counter() - begun
        over.set()
        watcher.join()
    taken.memory = usage.ru_maxrss / 1024
    if status:
        raise RuntimeError(f"`{' '.join(command)}` ended badly\n{log.read_text(errors='replace')[-2000:]}")
    return taken


def save(section: str, what: str, figure: str, size: int, part: str) -> None:
    """Print a row, and keep it in place of what was known of it."""
    print(f"| {what} | {figure} |", flush=True)
    rows: list[dict[str, Any]] = json.loads(KEPT.read_text()) if KEPT.exists() else []
    rows = [row for row in rows if (row["section"], row["what"]) != (section, what)]
    command = f"python benchmarks/load.py --parts {part} --size {size}"
    date = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")
    rows.append({"section": section, "what": what, "command": command, "figure": figure, "date": date})
    rows.sort(key=lambda row: (row["section"], row["what"]))
    KEPT.write_text("[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]\n")


# ── on this machine ──────────────────────────────────────────────────────────────────────────────────────────────


def local(flowfile: str, prepare: Callable[[Path], object] = lambda folder: None) -> str:
    """What a workflow takes to be run here, and once more with nothing to do."""
    base = scratch("flowrules-load-")
    folder = base / "work"
    folder.mkdir()
    try:
        (folder / "Flowfile").write_text(flowfile)
        prepare(folder)
        first = run([flowrules(), "-q", "-j", "2"], folder)
        again = run([flowrules(), "-q", "-j", "2"], folder)
        return f"{first.told()}; again, with nothing to do: {again.told()}"
    finally:
        shutil.rmtree(base)


def _sources(size: int) -> Callable[[Path], object]:
    def make(folder: Path) -> None:
        (folder / "in").mkdir()
        for n in range(size):
            (folder / "in" / str(n)).touch()

    return make


def fan_in(size: int) -> None:
    """A job with very many inputs."""
    count = max(1, size // 2)
    figure = local(_FAN_IN.format(size=count), _sources(count))
    save("load", f"a job with {count:,} inputs", figure, size, "fan-in")


def levels(size: int) -> None:
    """A chain."""
    count = max(1, size // 20)
    save("load", f"a chain of {count:,} jobs", local(_LEVELS.format(size=count)), size, "levels")


def rules(size: int) -> None:
    """Many rules, one job of each."""
    count = max(1, size // 200)
    names = ", ".join(f'"out/{n}"' for n in range(count))
    text = f"rule all:\n    input: {names}\n"
    text += "".join(f'rule r{n}:\n    output: "out/{n}"\n    shell: ": > {{output}}"\n' for n in range(count))
    save("load", f"{count:,} rules, a job of each", local(text), size, "rules")


def folder(size: int) -> None:
    """An output that is a folder of very many files."""
    count = max(1, size // 2)
    figure = local(_FOLDER.format(size=count))
    save("load", f"an output folder with {count:,} files", figure, size, "folder")


# ── in a block ───────────────────────────────────────────────────────────────────────────────────────────────────


def _campaign(count: int, command: Sequence[str], *sets: str) -> tuple[Taken, dict[str, Any]]:
    """Jobs that do nothing, in one block of the sandbox: what the driver took, and what it counted."""
    base = scratch("flowrules-load-")
    folder = base / "work"
    folder.mkdir()
    try:
        (folder / "Flowfile").write_text(_JOBS.format(size=count))
        cluster.write_profile(folder / "machine", 2, 8)
        call = ["-q", "-j", "512", "--profile", "./machine", "--sandbox"]
        taken = run([*command, *call, *(word for text in sets for word in ("--set", text))], folder)
        made = sum(1 for _ in os.scandir(folder / "out"))
        if made != count:
            raise RuntimeError(f"{made} of {count} files were made")
        counted = folder / "counted.json"
        return taken, json.loads(counted.read_text()) if counted.exists() else {}
    finally:
        shutil.rmtree(base, ignore_errors=True)


def jobs(size: int) -> None:
    """Very many jobs through one driver."""
    taken, _ = _campaign(size, [flowrules()])
    rate = f"{size / taken.seconds:,.0f} jobs/s"
    save("load", f"{size:,} jobs through one driver", f"{taken.told()}, {rate}", size, "jobs")


def runners(size: int) -> None:
    """Many blocks, each of which writes into its own files."""
    count = max(2, size * 64 // SIZE)
    each = 50
    sets = (f"blocks={{nodes: 1, walltime: 10min, init: {count}, max: {count}}}",)
    taken, _ = _campaign(count * each, [flowrules()], *sets)
    figure = f"{taken.told()}, {count * each / taken.seconds:,.0f} jobs/s"
    save("load", f"{count} runners writing at once, {count * each:,} jobs", figure, size, "runners")


def manners(size: int) -> None:
    """What a driver takes of a login node; ends with 1 where that is too much."""
    count = max(1, size // 20)
    script = str(Path(__file__).parents[1] / "tests" / "e2e" / "polite_sandbox.py")
    taken, counted = _campaign(count, [sys.executable, script])
    asked = [at for what, at in counted["asked"] if what == "status"]
    least = min((then - now for now, then in pairwise(asked)), default=None)
    turns, calls = counted["turns"] / count, max(0, counted["calls"] - START_CALLS) / count
    apart = f"at least {least:.0f} s apart" if least is not None else "in all"
    queries = f"{len(asked)} status quer{'y' if len(asked) == 1 else 'ies'} {apart}"
    whole = f"{taken.tasks} processes and threads at most, {queries}, {turns:.3f} turns of the loop and {calls:.2f} "
    whole += f"read and write calls a job, {taken.seconds:.0f} s, {taken.memory:.0f} MiB, {taken.files} open files"
    save("manners", f"a driver with `-j 512` and {count:,} jobs in a block", whole, size, "manners")
    if taken.tasks > 16 or (least is not None and least < 30) or turns > 1 or calls > 4:
        sys.exit("that is more than a login node is to be asked for: see the table")


PARTS = {
    "fan-in": fan_in,
    "levels": levels,
    "rules": rules,
    "folder": folder,
    "jobs": jobs,
    "runners": runners,
    "manners": manners,
}


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--size", type=int, default=SIZE, help=f"jobs of the part `jobs`; others in proportion ({SIZE})"
    )
    parser.add_argument("--parts", default=",".join(PARTS), help="those that are measured (all)")
    options = parser.parse_args()
    settle()
    print("### load\n\n| what | figure |\n|---|---|")
    for part in options.parts.split(","):
        if part not in PARTS:
            sys.exit(f"there is no part {part}; there are {', '.join(PARTS)}")
        PARTS[part](options.size)


if __name__ == "__main__":
    main()
