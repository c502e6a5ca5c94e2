"""The scheduler of a whole machine, in virtual time: 2,000,000 jobs, 8,000 nodes of 32 slots, with all that goes wrong.

Everything that decides is flowrules' own code: packing, queues, the dispatcher of the driver, the scheduler of each
block with its nodes. Run times, failures, stragglers, lost nodes and waiting in queues are drawn here.
"""

from __future__ import annotations

import argparse
import gc
import random
import resource
import time
from collections.abc import Iterable, Iterator

from flowrules.model.dispatch import BlockPlan
from flowrules.model.events import Need, SchedJob
from flowrules.model.profile import BlockShape, NodeShape, Profile, Queue
from flowrules.schedule.virtual import Outcome, simulate_campaign

SLOTS = 32
JOBS_PER_NODE = 250
AT_ONCE, BLOCKS = 16, 20
"""Blocks that a queue lets one user have at once, and that the profile asks for: the limit is met."""

WALLTIME = 3600.0
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
        middle = min(1500.0, 400.0 * chance.paretovariate(1.5))
        need = two if chance.random() < 0.03 else big if chance.random() < 0.03 else one
        for at, (seconds, what) in enumerate(((120.0, one), (middle, need), (240.0, one))):
            yield SchedJob(
                number, (number - 1,) if at else (), need=what, expected=seconds, limit=2 * seconds, retries=RETRIES
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


def run(size: int, nodes: int) -> tuple[Outcome, float, int]:
    """A campaign of about so many jobs: what came of it, the seconds that took, and how many jobs there were."""
    gc.disable()  # as while a large plan is built: nothing here is a circle
    jobs = list(campaign(size))
    start = time.process_time()
    outcome = simulate_campaign(jobs, machine(nodes), Chance())
    return outcome, time.process_time() - start, len(jobs)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=100_000, help="jobs (100000)")
    parser.add_argument("--nodes", type=int, default=0, help="nodes (one for 250 jobs)")
    options = parser.parse_args()
    nodes = options.nodes or max(AT_ONCE, options.size // JOBS_PER_NODE)
    outcome, seconds, count = run(options.size, nodes)
    print(outcome, f"{outcome.utilization:.3f}")
    print(
        f"{count} jobs, {nodes} nodes, {seconds:.1f} s, {outcome.events / seconds:.0f} events/s, {1e6 * seconds / outcome.events:.1f} us/event {1e6 * seconds / count:.0f} us/job,"
        f" {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB"
    )


if __name__ == "__main__":
    main()
