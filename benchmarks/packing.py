"""How well slots are filled when run times are known: makespan over the least that is possible.

The order and the places are those of flowrules' scheduler, in virtual time, so that nothing but them is measured;
beside them the same jobs in the order of the file, as launchers without a memory take them. Workflows: heavy tails, and
recorded ones in WfFormat from the folder WFINSTANCES, where there is one. Small ones are also solved exactly
(`exact.py`, by HiGHS). Last, sleeps run for real, beside other programs.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import results
from generate import sleep_graph
from measure import Case, flowrules, in_turns, peer_python, save, scratch, table

from flowrules.model.events import Capacity, Need, SchedJob
from flowrules.schedule.ranks import longest_paths
from flowrules.schedule.simulate import simulate

GOAL = 1.05
SLOTS = (4, 16, 64)
SMALL, EXACT_SECONDS = 24, 20.0
ORDERS = 100


def heavy_tail(count: int, seed: int = 1) -> list[SchedJob]:
    """Jobs of 0.05 to 2 s that need nothing, most of them short (Pareto, cut)."""
    chance = random.Random(seed)
    return [SchedJob(n, expected=min(2.0, 0.05 * chance.paretovariate(1.1))) for n in range(count)]


def chains(count: int, seed: int = 1) -> list[SchedJob]:
    """Chains of three jobs, the middle one with a heavy tail, and a summary of all."""
    chance = random.Random(seed)
    jobs: list[SchedJob] = []
    while len(jobs) < count - 1:
        first = len(jobs)
        middle = min(60.0, 2.0 * chance.paretovariate(1.2))
        for at, seconds in enumerate((1.0, middle, 2.0)):
            jobs.append(SchedJob(first + at, (first + at - 1,) if at else (), expected=seconds))
    ends = tuple(range(2, len(jobs), 3))
    return [*jobs, SchedJob(len(jobs), ends, expected=3.0)]


def recorded(path: Path) -> list[SchedJob]:
    """A workflow that was recorded, in WfFormat: what each task waited for, its cores, and what it took."""
    flow = json.loads(path.read_text())["workflow"]
    tasks = {task["id"]: task for task in flow["specification"]["tasks"]}
    took = {task["id"]: task for task in flow["execution"]["tasks"]}
    number = {name: n for n, name in enumerate(tasks)}
    return [
        SchedJob(
            number[name],
            tuple(sorted(number[parent] for parent in task["parents"])),
            need=Need(max(1, int(took[name].get("coreCount", 1)))),
            expected=max(1e-3, float(took[name]["runtimeInSeconds"])),
        )
        for name, task in tasks.items()
    ]


def least(jobs: Sequence[SchedJob], slots: int) -> float:
    """No schedule is shorter than this.

    Of jobs that cannot start before some time h, and after which at least t is still to come, all is done no earlier
    than h, what they take on all slots, and t. What they take is their work over the slots, and no less than what some
    slot gets that has k + 1 jobs, where there are more than k for each.
    """
    after = _rest(jobs)
    users: dict[int, list[int]] = {job.id: [] for job in jobs}
    for job in jobs:
        for need in job.needs:
            users[need].append(job.id)
    before = _rest([replace(job, needs=tuple(users[job.id])) for job in jobs])
    bound = max(after[job.id] + before[job.id] + job.expected for job in jobs)
    for head in _some(before.values()):
        for tail in _some(after.values()):
            inside = [job for job in jobs if before[job.id] >= head and after[job.id] >= tail]
            if inside:
                bound = max(bound, head + tail + _takes(inside, slots))
    return bound


def _takes(jobs: Sequence[SchedJob], slots: int) -> float:
    work = sum(job.expected * job.need.cores for job in jobs) / slots
    if any(job.need.cores > 1 for job in jobs):
        return work
    lengths = sorted((job.expected for job in jobs), reverse=True)
    for k in range(1, (len(lengths) - 1) // slots + 1):
        work = max(work, sum(lengths[k * slots - k : k * slots + 1]))
    return work


def _rest(jobs: Sequence[SchedJob]) -> dict[int, float]:
    """For each job the longest chain of jobs that wait for it, without itself."""
    paths = longest_paths(jobs)
    return {job.id: paths[job.id] - job.expected for job in jobs}


def _some(values: Iterable[float]) -> list[float]:
    """A few of the values that there are, the least among them."""
    known = sorted({0.0, *values})
    return known[:: max(1, len(known) // 25)]


def in_file_order(jobs: Sequence[SchedJob], slots: int) -> float:
    """The makespan of whoever takes what is ready in the order of the file, knowing nothing of run times."""
    blind = [replace(job, expected=0.0) for job in jobs]
    return simulate(blind, Capacity(slots), {job.id: job.expected for job in jobs}).makespan


def exact(jobs: Sequence[SchedJob], slots: int, known: float) -> tuple[float, float] | None:
    """The best makespan and a proven bound, where the solver is installed; ``known``: one that can be had."""
    told = [[job.id, list(job.needs), job.expected, job.need.cores] for job in jobs]
    asked = {"slots": slots, "limit": EXACT_SECONDS, "horizon": known, "jobs": told}
    command = [peer_python(), str(Path(__file__).with_name("exact.py"))]
    done = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"no exact solution: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return None
    best, bound = json.loads(done.stdout)
    return best, bound


def workflows(size: int) -> Mapping[str, list[SchedJob]]:
    """All that are packed, by name."""
    found = {f"heavy tail, {size:,} jobs": heavy_tail(size), f"chains and a join, {size:,} jobs": chains(size)}
    found |= {f"heavy tail, {4 * slots} jobs on {slots}": heavy_tail(4 * slots, 3) for slots in (16,)}
    folder = Path(os.environ.get("WFINSTANCES", results.ROOT.parent / "shared" / "data" / "wfinstances"))
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else ():
        found[path.stem] = recorded(path)
    return found


def other_orders(jobs: Sequence[SchedJob], slots: int) -> float:
    """The best makespan of more orders, each near that of the longest way to the end: whether a bound is too low."""
    chance = random.Random(1)
    ranks = longest_paths(jobs)
    found = []
    for _ in range(ORDERS):
        by = chance.choice([0.02, 0.05, 0.1, 0.3])
        drawn = [replace(job, priority=ranks[job.id] * chance.uniform(1 - by, 1 + by)) for job in jobs]
        found.append(simulate(drawn, Capacity(slots)).makespan)
    return min(found)


def virtual(size: int) -> None:
    """The table of all workflows in virtual time."""
    print("### packing in virtual time, run times known: makespan / least possible\n")
    print(f"| workflow | jobs | slots | least (s) | flowrules | order of the file | best of {ORDERS} other orders |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    rows: list[dict[str, Any]] = []
    for name, jobs in workflows(size).items():
        for slots in SLOTS:
            if max(job.need.cores for job in jobs) > slots:
                continue
            bound = least(jobs, slots)
            ours = simulate(jobs, Capacity(slots)).makespan / bound
            blind = in_file_order(jobs, slots) / bound
            row = {"program": f"{name}, {slots} slots", "ours": ours, "file_order": blind, "least": bound}
            others = ""
            if ours > GOAL:
                row["others"] = other_orders(jobs, slots) / bound
                others = f"{row['others']:.3f}"
            print(f"| {name} | {len(jobs)} | {slots} | {bound:.1f} | {ours:.3f} | {blind:.3f} | {others} |")
            rows.append(row)
    print(f"\nthe worst is {max(row['ours'] for row in rows):.3f}; the goal is {GOAL}\n")
    results.save("packing", "virtual time", size, rows)


def small(count: int = 12) -> None:
    """Small cases beside the best there is."""
    chance = random.Random(5)
    rows = []
    print("### packing beside an exact solution\n\n| jobs | slots | best | flowrules / best | file order / best |")
    print("|--:|--:|--:|--:|--:|")
    for case in range(count):
        size, slots = chance.randint(8, SMALL), chance.choice([2, 3, 4])
        jobs = []
        for n in range(size):
            needs = sorted(chance.sample(range(n), min(n, chance.choice([0, 0, 1, 1, 2]))))
            jobs.append(SchedJob(n, tuple(needs), expected=float(round(min(16.0, chance.paretovariate(0.9)) * 2))))
        ours, blind = simulate(jobs, Capacity(slots)).makespan, in_file_order(jobs, slots)
        found = exact(jobs, slots, ours)
        if found is None:
            return
        best, bound = found
        proven = "" if best - bound < 0.5 else f" (at least {bound:.0f})"
        print(f"| {size} | {slots} | {best:.0f}{proven} | {ours / best:.3f} | {blind / best:.3f} |", flush=True)
        rows.append({"program": f"case {case}", "jobs": size, "slots": slots, "best": best, "ours": ours / best})
        rows[-1] |= {"bound": bound, "file_order": blind / best}
    results.save("packing", "exact", count, rows)
    print()


def sleeps(size: int, rounds: int) -> None:
    """Sleeps for real on 16 slots of this machine: nothing is known but the walltimes, which are in proportion."""
    base = scratch("flowrules-packing-")
    folder = base / "work"
    times = [round(job.expected, 3) for job in heavy_tail(size)]
    ideal = max(sum(times) / 16, max(times))

    def prepare() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        sleep_graph(folder, times)

    try:
        prepare()
        command = "sleep {}; : > out/{}"
        cases = [
            Case("flowrules", [flowrules(), "-q", "-j", "16"], prepare),
            Case("make", ["make", "-j", "16"], prepare),
            Case("ninja", ["ninja", "-j", "16"], prepare),
            Case("xargs", ["xargs", "-a", "times.txt", "-P", "16", "-I{}", "sh", "-c", command], prepare),
            Case("GNU Parallel", ["parallel", "-u", "-j", "16", "-a", "times.txt", command], prepare),
        ]
        measured = in_turns(cases, folder, rounds)
        title = f"packing, {size} sleeps of 0.05-2 s on 16 slots, at least {ideal:.2f} s"
        print(table(title, measured, lambda case: f"{case.seconds / ideal:.3f}", "over the least"))
        for case in measured:
            case.said = f"once started: {case.seconds / ideal:.4f}"
        save("packing", "sleeps", size, measured)
    finally:
        shutil.rmtree(base)


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=2000, help="jobs of the synthetic workflows (2000)")
    parser.add_argument("--rounds", type=int, default=1, help="measurements of each program (1)")
    options = parser.parse_args()
    virtual(options.size)
    small()
    sleeps(min(options.size, 400), options.rounds)


if __name__ == "__main__":
    main()
