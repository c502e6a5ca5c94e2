"""What a dry run does, counted: looks at files, records read, Python calls for each job, on any machine the same.

System calls are counted by strace, where it is installed; a look is any call of the stat family. Calls of Python
functions are counted by Python's own profiler, calls of built-in ones left out.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import results
from generate import build_plan_graph, plan_graph, samples_of
from measure import flowrules, run_once, scratch, settle

SIZES = (10_000, 100_000)


def inside(arguments: Sequence[str]) -> None:
    """Run flowrules in this process and write what was called as JSON to `counts.json`."""
    from flowrules.__main__ import main

    sys.argv = ["flowrules", *arguments]
    profile = cProfile.Profile(builtins=False)
    try:
        profile.runcall(main)
    except SystemExit as end:
        if end.code:
            raise
    calls = records = 0
    for (file, _, name), (_, count, *_) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        calls += count
        if name.startswith("decode_") and file.endswith("record/codec.py"):
            records += count
    Path("counts.json").write_text(json.dumps({"calls": calls, "records": records}))


def called(folder: Path) -> dict[str, int]:
    """Python functions called by a dry run, and records decoded."""
    subprocess.run(
        [sys.executable, __file__, "--inside"],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    found: dict[str, int] = json.loads((folder / "counts.json").read_text())
    (folder / "counts.json").unlink()
    return found


def traced(folder: Path) -> dict[str, int]:
    """System calls of a dry run by name; empty where there is no strace."""
    if shutil.which("strace") is None:
        return {}
    log = folder.with_name("strace.txt")
    command = ["strace", "-f", "-c", "-U", "time-percent,total-time,avg-time,calls,errors,name", "-o", str(log)]
    run_once([*command, flowrules(), "-n"], folder)
    found = {}
    for line in log.read_text().splitlines():
        match = re.match(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)\s*$", line)
        if match:
            found[match[2]] = int(match[1])
    return found


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, help="jobs (10000, then 100000)")
    parser.add_argument("--inside", action="store_true", help="be what is counted")
    options = parser.parse_args()
    if options.inside:
        inside(["-n"])
        return
    settle()
    if shutil.which("strace") is None:
        print("strace is not installed: system calls are not counted", file=sys.stderr)
    print("### what a dry run does, counted\n")
    heads = ("jobs", "state", "paths", "looks at files", "for each path", "folders listed", "files opened")
    print("| " + " | ".join((*heads, "records read", "Python calls for each job")) + " |")
    print("|--:|---|--:|--:|--:|--:|--:|--:|--:|")
    for size in [options.size] if options.size else SIZES:
        base = scratch("flowrules-counting-")
        folder = base / "work"
        folder.mkdir()
        try:
            jobs = plan_graph(folder, size)
            paths = jobs + samples_of(size)
            count(folder, "nothing built", size, jobs, paths)
            build_plan_graph(folder)
            run_once([flowrules(), "--touch"], folder)
            count(folder, "up to date", size, jobs, paths)
        finally:
            shutil.rmtree(base)


def count(folder: Path, state: str, size: int, jobs: int, paths: int) -> None:
    """One row."""
    run_once([flowrules(), "-n"], folder)  # what is kept from one plan to the next is there
    calls, system = called(folder), traced(folder)
    looks = sum(number for name, number in system.items() if "stat" in name)
    listed, opened = system.get("getdents64", 0) // 2, system.get("openat", 0)
    row = {"jobs": jobs, "paths": paths, "calls_per_job": calls["calls"] / jobs, "records": calls["records"]}
    if system:
        row |= {"looks": looks, "looks_per_path": looks / paths, "listed": listed, "opened": opened}
    told = f"{looks:,} | {looks / paths:.2f} | {listed:,} | {opened:,}" if system else " | | | "
    print(
        f"| {jobs:,} | {state} | {paths:,} | {told} | {calls['records']:,} | {row['calls_per_job']:.1f} |", flush=True
    )
    results.save("counting", state, size, [{"program": "flowrules", **row}])


if __name__ == "__main__":
    main()
