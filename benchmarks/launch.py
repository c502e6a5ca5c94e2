"""How fast small jobs are started: 2,000 shell jobs of one small file each, two at once, whole process, on tmpfs.

flowrules records every one of them, as ninja and doit do; make and xargs record nothing. Programs that would take
minutes are given fewer jobs; those that take seconds to start say how fast they are after that. Bare warm shells are
what the jobs of flowrules run in, driven by nothing. What the record takes is measured by writing that alone.
"""

from __future__ import annotations

import argparse
import shutil
import time
from functools import partial
from pathlib import Path

from generate import launch_graph, write_names
from hot import profile_command
from measure import Case, Figure, flowrules, in_turns, peer, peer_python, save, scratch, table

FEW = 200
"""Jobs for programs that are slow to start each."""


def cases(folder: Path, size: int) -> list[Case]:
    """The programs, each of which finds nothing built and nothing remembered."""

    def prepare(jobs: int = size) -> None:
        shutil.rmtree(folder / "out")
        (folder / "out").mkdir()
        for remembered in (".flowrules", ".snakemake", "parsl"):
            shutil.rmtree(folder / remembered, ignore_errors=True)
        for remembered in (".ninja_log", ".doit.db.dat", ".doit.db.dir", ".doit.db.bak", ".doit.db"):
            (folder / remembered).unlink(missing_ok=True)
        write_names(folder, jobs)

    few = min(FEW, size)
    python, snakefile = peer_python(), str(peer("launch_Snakefile"))
    parsl, dask, hyperqueue = str(peer("parsl_jobs.py")), str(peer("dask_jobs.py")), str(peer("hyperqueue_jobs.py"))
    doit = ["doit", "-f", str(peer("launch_dodo.py")), "-d", ".", "-n", "2", "-P", "thread"]
    return [
        Case("flowrules", [flowrules(), "-q", "-j", "2"], prepare),
        Case("flowrules, 64 at once", [flowrules(), "-q", "-j", "64"], prepare),
        Case("bare warm shells", ["bash", str(peer("warm_shells.sh"))], prepare),
        Case("make", ["make", "-j", "2"], prepare),
        Case("ninja", ["ninja", "-j", "2"], prepare),
        Case("xargs", ["xargs", "-a", "names.txt", "-P", "2", "-I{}", "sh", "-c", "echo {} > out/{}"], prepare),
        Case("doit", doit, prepare),
        Case("GNU Parallel", ["parallel", "-u", "-j", "2", "-a", "names.txt", "echo {} > out/{}"], prepare),
        Case("Parsl, threads", [python, parsl, "threads"], prepare, module="parsl"),
        Case("Parsl, HTEX", [python, parsl, "processes"], prepare, module="parsl", rounds=1),
        Case("Dask", [python, dask], prepare, module="distributed", rounds=1),
        Case("HyperQueue", [python, hyperqueue], prepare, module="hyperqueue"),
        Case(
            "Snakemake",
            ["snakemake", "-s", snakefile, "-d", ".", "--cores", "2", "-q", "all"],
            partial(prepare, few),
            few,
            rounds=1,
        ),
    ]


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=2000, help="jobs (2000)")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each program (3)")
    parser.add_argument("--programs", default="", help="those that are measured, flowrules first (all)")
    options = parser.parse_args()
    only = options.programs.split(",") if options.programs else None
    base = scratch("flowrules-launch-")
    folder = base / "work"
    try:
        launch_graph(folder, options.size)
        chosen = [case for case in cases(folder, options.size) if only is None or case.name in only]
        measured = in_turns(chosen, folder, options.rounds, lambda case: _check(case, folder))
        title = f"launch, {options.size:,} shell jobs, two at once"
        rate = lambda case: f"{(case.jobs or options.size) / case.seconds:,.0f}"  # noqa: E731
        print(table(title, measured, rate, "jobs/s"))
        save("launch", "shell jobs", options.size, measured)
        if only is not None:
            return
        seconds = record_alone(base / "record", options.size)
        share = seconds / measured[0].seconds
        print(f"the record alone: {seconds / options.size * 1e6:.0f} µs a job, {share:.0%} of the run\n")
        save("launch", "the record alone", options.size, [Case("flowrules", [], figures=[Figure(seconds, 0.0)])])
        shutil.rmtree(folder)
        launch_graph(folder, options.size)
        profile_command("launch", f"{options.size:,} shell jobs, two at once", ["-q", "-j", "2"], folder)
    finally:
        shutil.rmtree(base)


def record_alone(folder: Path, size: int) -> float:
    """Seconds to write the starts and ends of so many jobs, two at a time, as a run does."""
    from flowrules.model.files import FileRecord
    from flowrules.model.record import Record
    from flowrules.record.store import Store

    folder.mkdir()
    store = Store.open(str(folder))
    start = time.perf_counter()
    for first in range(0, size, 2):
        jobs = [(f"j{number}", f"out/j{number}") for number in range(first, min(first + 2, size))]
        for name, path in jobs:
            store.started([path], "echo", {"name": name}, 1, "run")
        store.flush()
        for name, path in jobs:
            made = FileRecord(path, 6, time.time_ns(), "0" * 32)
            store.ended(Record("echo", {"name": name}, [made], code="0" * 32, log=f"log/{name}", run="run"), [path])
        store.flush()
        store.tick(time.monotonic())
    store.close()
    return time.perf_counter() - start


def _check(case: Case, folder: Path) -> None:
    """Whether a program made what it was to make."""
    asked, made = len((folder / "names.txt").read_text().split()), len(list((folder / "out").iterdir()))
    if made != asked:
        raise RuntimeError(f"{case.name} made {made} of {asked} files")


if __name__ == "__main__":
    main()
