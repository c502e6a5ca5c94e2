"""The scheduler of a whole machine, in virtual time: 2,000,000 jobs, 8,000 nodes of 32 slots, with all that goes wrong.

Everything that decides is flowrules' own code: packing, queues, the dispatcher of the driver, the scheduler of each
block with its nodes. Run times, failures, stragglers, lost nodes and waiting in queues are drawn here.
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import json
import math
import random
import resource
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator

import hot
import results

from flowrules.model.dispatch import BlockPlan
from flowrules.model.events import Need, SchedJob
from flowrules.model.profile import BlockShape, NodeShape, Profile, Queue
from flowrules.schedule.virtual import simulate_campaign

SIZES = (10_000, 100_000)
MOST_COUNTED = 30_000
BARE = 18.0
"""MiB of a Python that has only imported flowrules' scheduler."""

SLOTS = 32
JOBS_PER_NODE = 250
AT_ONCE, BLOCKS = 16, 20
"""Blocks that a queue lets one user have at once, and that the profile asks for: the limit is met."""

WALLTIME = 10800.0
FAILS, RETRIES, STRAGGLES, DIES = 0.01, 3, 0.005, 0.01
"""Part of the attempts that fail, further attempts, part that takes three times as long, part of nodes lost a block."""

SAMPLES_A_SUMMARY = 1000


def campaign(count: int, seed: int = 1) -> Iterator[SchedJob]:
    """Chains of three jobs, of which the middle one has a heavy tail, and a summary of each thousand chains."""
    chance = random.Random(seed)
    one, two, big = Need(1, 1 << 30), Need(2, 1 << 30), Need(1, 6 << 30)
    number = 0
    ends: list[int] = []
    while number < count:
        middle = min(3000.0, 800.0 * chance.paretovariate(1.5))
        need = two if chance.random() < 0.03 else big if chance.random() < 0.03 else one
        for at, (seconds, what) in enumerate(((120.0, one), (middle, need), (240.0, one))):
            yield SchedJob(
                number, (number - 1,) if at else (), need=what, expected=seconds, limit=1.5 * seconds, retries=RETRIES
            )
            number += 1
        ends.append(number - 1)
        if len(ends) == SAMPLES_A_SUMMARY or number >= count:
            yield SchedJob(number, tuple(ends), need=one, expected=300.0, limit=900.0, retries=RETRIES)
            number += 1
            ends.clear()


class Chance:
    """A world that draws what befalls."""

    def __init__(self, seed: int = 2) -> None:
        self._chance = random.Random(seed)

    def runs(self, job: SchedJob, attempt: int) -> tuple[float, bool]:
        """Near what is expected; a few take long, a few fail half-way."""
        drawn = self._chance.random
        seconds = job.expected * (0.85 + 0.3 * drawn())
        if drawn() < STRAGGLES:
            seconds *= 3
        if drawn() < FAILS:
            return seconds * drawn(), False
        return seconds, True

    def waits(self, block: int, plan: BlockPlan) -> float:
        """Up to ten minutes."""
        return self._chance.uniform(5.0, 600.0)

    def losses(self, block: int, plan: BlockPlan) -> Iterable[tuple[float, int]]:
        """One node of a hundred, at any time."""
        for node in range(plan.nodes):
            if self._chance.random() < DIES:
                yield self._chance.uniform(0.0, plan.walltime), node


def machine(nodes: int) -> Profile:
    """Nodes of 32 cores; a queue that takes all of them as 16 blocks."""
    each = max(1, nodes // AT_ONCE)
    queue = Queue("prod", (1, each), (300.0, 6 * 3600.0), jobs_per_user=AT_ONCE)
    node = NodeShape(SLOTS, 96 << 30)
    return Profile("virtual", "", "pbs", "mpiexec", node, BlockShape(each, WALLTIME, max=BLOCKS), queues=(queue,))


def run(size: int, nodes: int) -> dict[str, float]:
    """A campaign of about so many jobs, in this process: what came of it, and what that cost.

    Raises:
        RuntimeError: jobs are missing at the end.
    """
    gc.disable()  # as flowrules does while a large plan is built; nothing here is a circle
    jobs = list(campaign(size))
    cpu, wall = time.process_time(), time.perf_counter()
    outcome = simulate_campaign(jobs, machine(nodes), Chance())
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    if outcome.done + outcome.failed != len(jobs):
        raise RuntimeError(f"of {len(jobs)} jobs {outcome.done} are done and {outcome.failed} failed")
    return {
        "jobs": len(jobs),
        "nodes": nodes,
        "wall": wall,
        "cpu": cpu,
        "events": outcome.events,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "hours": outcome.makespan / 3600,
        "utilization": outcome.utilization,
        "blocks": outcome.blocks,
        "attempts": outcome.attempts,
        "cut": outcome.cut,
        "failed": outcome.failed,
    }


def measured(size: int, nodes: int) -> dict[str, float]:
    """The same in a process of its own, so that its memory is its own."""
    command = [sys.executable, __file__, "--size", str(size), "--nodes", str(nodes), "--one"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def calls(size: int) -> tuple[float, cProfile.Profile]:
    """Calls of Python functions per event, and the profile: what does not depend on the machine."""
    jobs = list(campaign(size))
    profile = cProfile.Profile()
    outcome = profile.runcall(simulate_campaign, jobs, machine(nodes_for(size)), Chance())
    counted = sum(entry.callcount for entry in profile.getstats())
    return counted / outcome.events, profile


def nodes_for(size: int) -> int:
    """As many nodes for each job as the largest campaign has."""
    return max(AT_ONCE, size // JOBS_PER_NODE)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, help="jobs (10000, then 100000)")
    parser.add_argument("--nodes", type=int, default=0, help="nodes (one for 250 jobs)")
    parser.add_argument("--one", action="store_true", help="one campaign in this process, as JSON")
    parser.add_argument("--count", action="store_true", help="count calls as well; takes five times as long")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(run(options.size, options.nodes)))
        return
    print(
        f"### virtual time: campaigns on nodes of {SLOTS} slots, with failures, stragglers, lost nodes, walltimes, and "
        f"a queue that takes {AT_ONCE} of {BLOCKS} blocks at once\n"
    )
    heads = (
        *("jobs", "nodes", "s", "CPU s", "events/s", "CPU µs/event", "calls/event", "MiB", "bytes/job", "hours"),
        *("used of what is paid", "blocks", "attempts", "cut off", "failed"),
    )
    print("| " + " | ".join(heads) + " |\n" + "|--:" * len(heads) + "|")
    profile = None
    counted = 0
    for size in [options.size] if options.size else SIZES:
        found = measured(size, options.nodes or nodes_for(size))
        if options.count or size <= MOST_COUNTED:
            found["calls"], profile = calls(size)
            counted = size
        print(
            f"| {found['jobs']:,.0f} | {found['nodes']:,.0f} | {found['wall']:.1f} | {found['cpu']:.1f} | "
            f"{found['events'] / found['wall']:,.0f} | {1e6 * found['cpu'] / found['events']:.1f} | "
            f"{found.get('calls', math.nan):.1f} | {found['memory']:,.0f} | "
            f"{(found['memory'] - BARE) * 2**20 / found['jobs']:,.0f} | {found['hours']:.2f} | "
            f"{found['utilization']:.1%} | {found['blocks']} | {found['attempts']:,} | {found['cut']:,} | "
            f"{found['failed']} |",
            flush=True,
        )
        results.save("virtual", "campaigns", size, [{"program": "flowrules", **found}])
    if profile is not None:
        hot.keep("virtual", f"a campaign of {counted:,} jobs in virtual time", profile)


if __name__ == "__main__":
    main()
