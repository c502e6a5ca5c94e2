"""How well blocks are filled, and how fast: whole campaigns, from the driver through runner and agents to the record.

`packing`: heavy-tailed jobs on hosts with sshd, over ssh, mpiexec and GNU Parallel: from the start of the average slot
(nodes get ready one after the other) to the last end in the record, over the least that is possible. `throughput`: as
many jobs that do nothing, beside the bare agents and GNU Parallel. `driver`: what driver and runner cost where there
are many jobs.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cluster
import results
from bare import bare_agents
from measure import flowrules, scratch
from watching import Cost, Watch

SLOTS = 4
INTERRUPTED = 130
GOALS = {"ssh": 1.05, "mpiexec": 1.05, "parallel": 1.15}

_PACKING = """\
let JOBS = lines("jobs.txt")

rule all:
    input: expand("out/{job}", job=JOBS)

# what it takes is declared by a walltime in proportion, long enough for nothing to be stopped
rule wait:
    output: "out/{number}_{seconds}"
    resources: gpus=1, walltime=float(wildcards.seconds) * 100s
    shell: "sleep {seconds}; : > {output}"
"""

_THROUGHPUT = """\
let JOBS = lines("jobs.txt")

rule all:
    input: expand("out/{job}", job=JOBS)

rule nothing:
    output: "out/{job}"
    resources: gpus=1, walltime=1min
    shell: ": > {output}"
"""


@dataclass(slots=True)
class Campaign:
    """What one campaign took.

    Attributes:
        jobs: how many ended well.
        wall: seconds of the driver from start to end; makespan: from the first start to the last end, by the record.
        ready: seconds by which a slot, on average, had its first job later than the first of all: its node was still
            starting. It belongs to start-up, not to packing.
        busy: part of its slots' time in which a job ran.
        gap: median milliseconds in a slot from the end of a job to the start of the next.
        over: median milliseconds by which jobs took longer than their sleep, where they are named by it.
    """

    jobs: int
    wall: float
    makespan: float
    ready: float
    busy: float
    gap: float
    over: float
    driver: Cost
    runner: Cost
    queries: int = 0

    @property
    def packed(self) -> float:
        """Seconds from the start of the average slot to the last end."""
        return self.makespan - self.ready

    @property
    def apart(self) -> float:
        """Seconds before the start of the average slot, and after the last end."""
        return self.wall - self.packed


@dataclass(slots=True)
class Bench:
    """Runs campaigns in folders below one."""

    base: Path
    count: int = 0

    def campaign(
        self,
        flowfile: str,
        jobs: Sequence[str],
        nodes: int,
        launcher: str,
        site: cluster.Cluster | None,
        options: Sequence[str] = (),
        most: float | None = None,
    ) -> Campaign:
        """One campaign in a new folder, which goes again when it ended well.

        Args:
            most: seconds after which it is cancelled, as by two Ctrl-C, and measured as far as it came.

        Raises:
            RuntimeError: it did not; with the end of what it printed.
        """
        self.count += 1
        folder = self.base / f"c{self.count}"
        folder.mkdir()
        (folder / "Flowfile").write_text(flowfile)
        (folder / "jobs.txt").write_text("".join(f"{job}\n" for job in jobs))
        profile = cluster.write_profile(folder / "profile", nodes, SLOTS)
        where = ["--launcher", launcher] if site else ["--sandbox"]
        command = [flowrules(), "-q", "--profile", str(profile), *where, *options]
        environ = site.environ if site else dict(os.environ)
        before = site.queries if site else 0
        marks = {"driver": " ".join(command), "runner": f"run-block {folder}"}
        with Watch(marks) as watch, open(folder / "said", "wb") as said:
            start = time.perf_counter()
            driver = subprocess.Popen(
                command, cwd=folder, env=environ, stdin=subprocess.DEVNULL, stdout=said, stderr=said
            )
            whole = _wait(driver, most)
            wall = time.perf_counter() - start
        if driver.returncode != (0 if whole else INTERRUPTED):
            raise RuntimeError(f"it ended with {driver.returncode}\n{(folder / 'said').read_text()[-3000:]}")
        records = self._records(folder, len(jobs) if whole else 0)
        shutil.rmtree(folder)
        first = min(each["started"] for each in records)
        makespan = max(each["ended"] for each in records) - first
        ready = statistics.mean(mine[0]["started"] for mine in _slots(records)) - first
        return Campaign(
            len(records),
            wall,
            makespan,
            ready,
            sum(each["elapsed"] for each in records) / ((makespan - ready) * nodes * SLOTS),
            1000 * statistics.median(_gaps(records)),
            1000 * statistics.median(each["elapsed"] - float(each["wildcards"].get("seconds", 0)) for each in records),
            watch.costs["driver"],
            watch.costs["runner"],
            site.queries - before if site else 0,
        )

    def _records(self, folder: Path, count: int) -> list[dict[str, Any]]:
        """All attempts; those that ended well where ``count`` is 0."""
        command = [flowrules(), "history", "--format", "json"]
        said = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout
        records = [json.loads(line) for line in said.splitlines()]
        if not count:
            return [record for record in records if record["status"] == "done"]
        if [record["status"] for record in records] != ["done"] * count:
            raise RuntimeError(f"{len(records)} attempts are recorded for {count} jobs, or some failed")
        return records

    def median(self, rounds: int, one: Callable[[], Campaign]) -> tuple[Campaign, list[Campaign]]:
        """The campaign with the median time of some, and all of them."""
        found = []
        for _ in range(rounds):
            cluster.wait_for_quiet(20.0, 0.5)
            found.append(one())
        middle = statistics.median_low(each.packed for each in found)
        return next(each for each in found if each.packed == middle), found


def _wait(driver: subprocess.Popen[bytes], most: float | None) -> bool:
    """Waits for a driver, or cancels its campaign after some seconds; whether it came to its end by itself."""
    try:
        driver.wait(most)
    except subprocess.TimeoutExpired:
        for _ in range(2):
            driver.send_signal(signal.SIGINT)
            time.sleep(1.0)
        driver.wait()
        return False
    return True


def _slots(records: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """The jobs of each slot, in the order of their starts."""
    slots: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for record in sorted(records, key=lambda record: record["started"]):
        slots.setdefault((record["host"], record["gpus"][0] if record["gpus"] else ""), []).append(record)
    return list(slots.values())


def _gaps(records: Sequence[dict[str, Any]]) -> list[float]:
    """Seconds between two jobs in one slot, all slots together."""
    pairs = [pair for mine in _slots(records) for pair in itertools.pairwise(mine)]
    return [later["started"] - before["ended"] for before, later in pairs]


def heavy_tailed(count: int, seed: int = 1) -> list[float]:
    """Run times of 0.05 to 2 s: most are short, a few make up much of the sum (Pareto, cut at 2 s)."""
    chance = random.Random(seed)
    return [round(min(2.0, 0.05 * chance.paretovariate(1.1)), 3) for _ in range(count)]


def packing(bench: Bench, site: cluster.Cluster, size: int, rounds: int, launchers: Sequence[str]) -> None:
    """Prints the table of `packing`."""
    times = heavy_tailed(size)
    nodes = len(site.hosts.names)
    least = max(sum(times) / (nodes * SLOTS), max(times))
    jobs = [f"{number}_{seconds}" for number, seconds in enumerate(times)]
    commands = [f"sleep {seconds}; : > out/{at}" for at, seconds in enumerate(sorted(times, reverse=True))]
    print(
        f"### packing, {size:,} sleeps of 0.05-2 s (mean {statistics.mean(times):.3f} s), {nodes} ssh hosts x {SLOTS} "
        f"slots, at least {least:.2f} s\n\n"
        "| launcher | time / least | goal | runs | from first start | start-up and end (s) | slots busy | gap (ms) | "
        "over (ms) | driver CPU (s) | runner CPU (s) | queries | |\n"
        "|---|--:|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|---|"
    )
    for launcher in launchers:
        if package := cluster.lacking(launcher):
            print(f"{launcher} is left out: {package} is not installed", file=sys.stderr)
            continue
        middle, all_ = bench.median(rounds, partial(bench.campaign, _PACKING, jobs, nodes, launcher, site))
        runs = " ".join(f"{each.packed / least:.3f}" for each in all_)
        print(
            f"| {launcher} | {middle.packed / least:.3f} | {GOALS[launcher]} | {runs} | "
            f"{middle.makespan / least:.3f} | {middle.apart:.1f} | {middle.busy:.1%} | {middle.gap:.1f} | "
            f"{middle.over:.1f} | {middle.driver.cpu:.1f} | {middle.runner.cpu:.1f} | {middle.queries} | "
            f"{cluster.load()} |",
            flush=True,
        )
        bare = [bare_agents(bench.base, launcher, nodes, SLOTS, commands, site) / least for _ in range(rounds)]
        runs = " ".join(f"{each:.3f}" for each in bare)
        median = statistics.median(bare)
        print(f"| bare agents, {launcher} | {median:.3f} | | {runs} | | | | | | | | | {cluster.load()} |", flush=True)
        row = {
            "program": "flowrules",
            "over_least": middle.packed / least,
            "from_first_start": middle.makespan / least,
            "busy": middle.busy,
            "apart": middle.apart,
        }
        results.save("blocks", f"packing, {launcher}", size, [row, {"program": "bare agents", "over_least": median}])
    print()


def throughput(bench: Bench, site: cluster.Cluster | None, size: int, rounds: int, only: Sequence[str]) -> None:
    """Prints the table of `throughput`."""
    jobs = [f"j{number}" for number in range(size)]
    print(
        f"### throughput, {size:,} jobs of `: > FILE`\n\n| | nodes x slots | jobs/s | runs | driver CPU (s) | "
        "runner CPU (s) | driver MiB | runner MiB | |\n|---|---|--:|---|--:|--:|--:|--:|---|"
    )
    places: list[tuple[str, int, cluster.Cluster | None]] = [("local", 2, None)]
    if site is not None:
        places += [("ssh", len(site.hosts.names), site), ("mpiexec", len(site.hosts.names), site)]
    for launcher, nodes, where in places:
        if launcher not in only or cluster.lacking(launcher):
            continue
        one = partial(bench.campaign, _THROUGHPUT, jobs, nodes, launcher, where)
        middle, all_ = bench.median(rounds, one)
        runs = " ".join(f"{size / each.makespan:.0f}" for each in all_)
        print(
            f"| flowrules, {launcher} | {nodes} x {SLOTS} | {size / middle.makespan:.0f} | {runs} | "
            f"{middle.driver.cpu:.1f} | {middle.runner.cpu:.1f} | {middle.driver.memory:.0f} | "
            f"{middle.runner.memory:.0f} | {cluster.load()} |",
            flush=True,
        )
        commands = [f": > out/{job}" for job in jobs]
        rates = [size / bare_agents(bench.base, launcher, nodes, SLOTS, commands, where) for _ in range(rounds)]
        print(_peer(f"bare agents, {launcher}", nodes, rates), flush=True)
        ours = {"program": "flowrules", "rate": size / middle.makespan, "driver_cpu": middle.driver.cpu}
        peer = {"program": "bare agents", "rate": statistics.median(rates)}
        results.save("blocks", f"throughput, {launcher}", size, [ours, peer])
    if shutil.which("parallel"):
        print(_peer("GNU Parallel", 2, [_parallel(bench.base, 2 * SLOTS, size) for _ in range(rounds)]), flush=True)
    else:
        print("GNU Parallel is not installed and left out", file=sys.stderr)
    print()


def _peer(name: str, nodes: int, rates: Sequence[float]) -> str:
    runs = " ".join(f"{rate:.0f}" for rate in rates)
    shape = f"{nodes} x {SLOTS}"
    return f"| {name} | {shape} | {statistics.median(rates):.0f} | {runs} | | | | | {cluster.load()} |"


def driver(bench: Bench, sizes: Sequence[int], most: float | None) -> None:
    """Prints what driver and runner cost in a sandbox with 2 nodes and `-j 64`."""
    print(
        "### driver and runner, sandbox, `-j 64`, jobs of `: > FILE`\n\n| jobs | of them ended | wall (s) | driver "
        "processes and threads | driver CPU (s) | driver MiB | runner CPU (s) | runner MiB | jobs/s | |\n"
        "|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|"
    )
    for size in sizes:
        jobs = [f"j{number}" for number in range(size)]
        it = bench.campaign(_THROUGHPUT, jobs, 2, "local", None, ["-j", "64"], most)
        print(
            f"| {size:,} | {it.jobs:,} | {it.wall:.0f} | {it.driver.most} | {it.driver.cpu:.1f} | "
            f"{it.driver.memory:.0f} | {it.runner.cpu:.1f} | {it.runner.memory:.0f} | "
            f"{it.jobs / it.makespan:.0f} | {cluster.load()} |",
            flush=True,
        )
        row = {"program": "flowrules", "memory": it.driver.memory, "driver_cpu": it.driver.cpu, "jobs": it.jobs}
        each = (it.driver.cpu - it.driver.early) / it.jobs + it.driver.early / size
        row |= {"core_at_100": 100 * each, "runner_memory": it.runner.memory, "wall": it.wall}
        results.save("blocks", "driver", size, [row])
    print()


def _parallel(base: Path, slots: int, size: int) -> float:
    folder = base / "parallel"
    folder.mkdir()
    (folder / "out").mkdir()
    names = "".join(f"j{number}\n" for number in range(size))
    start = time.perf_counter()
    subprocess.run(
        ["parallel", "-u", "--will-cite", "-j", str(slots), "--joblog", "joblog", ": > out/{}"],
        cwd=folder,
        input=names.encode(),
        check=True,
    )
    seconds = time.perf_counter() - start
    shutil.rmtree(folder)
    return size / seconds


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=2000, help="jobs (2000)")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each (3)")
    parser.add_argument("--launchers", default="local,ssh,mpiexec,parallel", help="those that are measured")
    parser.add_argument("--parts", default="packing,throughput", help="what is measured (packing,throughput; driver)")
    parser.add_argument("--driver-sizes", default="10000,50000", help="jobs of the part `driver`")
    parser.add_argument("--driver-seconds", type=float, help="of a campaign of the part `driver`, at most (no limit)")
    options = parser.parse_args()
    launchers, parts = options.launchers.split(","), options.parts.split(",")
    base = scratch("flowrules-blocks-")
    lacking = cluster.missing()
    if lacking:
        print(f"what needs hosts is left out: {lacking}", file=sys.stderr)
    (base / "site").mkdir()
    remote = not lacking and any(name != "local" for name in launchers)
    site = cluster.Cluster(base / "site", 4) if remote else None
    try:
        bench = Bench(base)
        if site is not None and "packing" in parts:
            packing(bench, site, options.size, options.rounds, [name for name in launchers if name in GOALS])
        if "throughput" in parts:
            throughput(bench, site, options.size, options.rounds, launchers)
        if "driver" in parts:
            driver(bench, [int(size) for size in options.driver_sizes.split(",")], options.driver_seconds)
    finally:
        if site is not None:
            site.close()
        shutil.rmtree(base)


if __name__ == "__main__":
    main()
