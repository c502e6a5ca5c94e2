"""What an event costs the scheduler of one machine, counted: calls of functions, and lines of ready jobs looked at.

Chains of three jobs of different shapes with drawn lengths, and one join of all. Neither should grow with the number of
jobs; inside the heaps comparisons do, with its logarithm.
"""

from __future__ import annotations

import argparse
import cProfile
import random
import time

import hot
import results

from flowrules.model.events import Capacity, Need, SchedJob
from flowrules.schedule.simulate import simulate

SIZES = (10_000, 100_000)


def jobs(count: int, seed: int = 1) -> list[SchedJob]:
    """The workflow."""
    chance = random.Random(seed)
    shapes = [Need(1), Need(2), Need(1, 1 << 30)]
    made = [
        SchedJob(n, (n - 1,) if n % 3 else (), need=shapes[n % 3], expected=chance.paretovariate(1.2))
        for n in range(count)
    ]
    return [*made, SchedJob(count, tuple(range(2, count, 3)))]


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, help="jobs (10000, then 100000)")
    options = parser.parse_args()
    heads = ("jobs", "events", "calls/event", "lines looked at/event", "CPU µs/event")
    print("### an event of the scheduler of one machine, counted\n\n| " + " | ".join(heads) + " |\n" + "|--:" * 5 + "|")
    for size in [options.size] if options.size else SIZES:
        listed = jobs(size)
        cpu = time.process_time()
        found = simulate(listed, Capacity(64, 96 << 30))
        cpu = time.process_time() - cpu
        profile = cProfile.Profile()
        profile.runcall(simulate, listed, Capacity(64, 96 << 30))
        calls = sum(entry.callcount for entry in profile.getstats()) / found.events
        row = {"jobs": size, "events": found.events, "calls": calls, "looks": found.looks / found.events}
        row["microseconds"] = 1e6 * cpu / found.events
        print(
            f"| {size:,} | {found.events:,} | {calls:.1f} | {row['looks']:.2f} | {row['microseconds']:.1f} |",
            flush=True,
        )
        results.save("scheduling", "one machine", size, [{"program": "flowrules", **row}])
    hot.keep("scheduling", f"{size:,} jobs on one machine in virtual time", profile)


if __name__ == "__main__":
    main()
