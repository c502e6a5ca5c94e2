"""The shortest schedule of a small workflow: a mixed integer program, solved by HiGHS (scipy), in an environment apart.

Reads jobs as JSON, writes the best makespan and a proven lower bound. Times are whole numbers. Each job starts once; at
each moment those that run occupy no more than there are slots; a job starts no earlier than those it needs have ended.
"""

import json
import sys

import numpy
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import lil_matrix

asked = json.load(sys.stdin)
jobs, slots = asked["jobs"], asked["slots"]
length = {number: int(seconds) for number, _, seconds, _ in jobs}
cores = {number: count for number, _, _, count in jobs}
earliest: dict[int, int] = {}
for number, needs, _, _ in jobs:
    earliest[number] = max([earliest[need] + length[need] for need in needs], default=0)
horizon = int(asked["horizon"])  # of a schedule that can be had
at = {}
for number in length:
    for time in range(earliest[number], horizon - length[number] + 1):
        at[number, time] = len(at)
end = len(at)  # the variable of the makespan
rows: list[tuple[dict[int, float], float, float]] = []
for number in length:
    starts = {column: 1.0 for (n, _), column in at.items() if n == number}
    rows.append((starts, 1.0, 1.0))
    ends = {column: -float(time + length[number]) for (n, time), column in at.items() if n == number}
    rows.append(({end: 1.0, **ends}, 0.0, numpy.inf))
for number, needs, _, _ in jobs:
    for need in needs:
        later = {c: float(t) for (n, t), c in at.items() if n == number}
        earlier = {c: -float(t + length[need]) for (n, t), c in at.items() if n == need}
        rows.append(({**later, **earlier}, 0.0, numpy.inf))
for time in range(horizon):
    running = {c: float(cores[n]) for (n, t), c in at.items() if t <= time < t + length[n]}
    rows.append((running, -numpy.inf, float(slots)))
matrix = lil_matrix((len(rows), end + 1))
for index, (entries, _, _) in enumerate(rows):
    for column, value in entries.items():
        matrix[index, column] = value
cost = numpy.zeros(end + 1)
cost[end] = 1.0
kinds = numpy.ones(end + 1)
kinds[end] = 0
found = milp(
    cost,
    constraints=LinearConstraint(matrix.tocsr(), [low for _, low, _ in rows], [high for _, _, high in rows]),
    integrality=kinds,
    bounds=Bounds(0, numpy.append(numpy.ones(end), horizon)),
    options={"time_limit": asked["limit"]},
)
if found.x is None:
    sys.exit(f"no schedule was found: {found.message}")
print(json.dumps([float(round(found.fun)), float(found.mip_dual_bound)]))
