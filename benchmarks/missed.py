"""Why a goal is missed where it is, and what would be done next; shown for those that are missed."""

from __future__ import annotations

from collections.abc import Mapping

NEXT: Mapping[str, str] = {
    "launch, shell jobs, all recorded, on tmpfs": (
        "A fifth of a second goes before the first of 2,000 jobs starts: Python, imports, the plan. After that they "
        "go faster than the goal (see 20,000 jobs). The profile of what follows is flat: no function has a tenth of "
        "it. Next: classes that cost less to make (a third of the imports is what `dataclass` writes for each), and "
        "slots that are started while the plan is made."
    ),
    "plan, nothing built, 10,000 jobs": (
        "Half of it is the start of Python and the imports; Snakemake took 7.1 s where the goal was set. Next: as "
        "for launching."
    ),
    "the same: memory, and growth": (
        "A tenth more time for each job than at 100,000: a gigabyte of small objects does not fit into a cache. Next: "
        "columns in place of objects for jobs of one rule."
    ),
    "start-up: dry run of three jobs": (
        "Imports: a third of them is what `dataclass` writes for each class. Next: fewer and cheaper classes on "
        "this path."
    ),
    "packing, run times known, in virtual time: over the least": (
        "The bound is not the best that can be: in the case that is over it, a hundred other orders do no better "
        "(column `others`). Next: a bound that knows of chains and slots."
    ),
    "packing, 400 sleeps on 16 slots here, whole process: over the least": (
        "The start of the program and of 16 slots is 4 % of five seconds; the rest is starting `sleep` 400 times on "
        "so few cores. Next: as for launching."
    ),
    "packing on 4 ssh nodes × 4 slots, 2,000 sleeps: over the least": (
        "Nearly all of it are the bare agents'; where the machine has other things to do, they miss the goal too. "
        "Next: handing an agent the task after the one it runs."
    ),
    "driver with 1,000,000 jobs in a campaign": (
        "The plan is half of the memory, and what the dispatcher keeps of each job the other. Next: what is the "
        "same for all jobs of a rule kept once."
    ),
    "virtual time: 2,000,000 jobs, 8,000 nodes × 32 slots": (
        "An event makes hardly more calls (329 at 100,000 jobs, 310 at 10,000), but each of them waits longer for "
        "memory: 3 GiB of small objects do not fit into any cache. Next: numbers of jobs in arrays, as in "
        "`schedule/states.py`, for the ready queue and for what runs on a node."
    ),
}
"""By what is aimed at, as in `goals`."""
