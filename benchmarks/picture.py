"""Draws how cost grows with size, from what was measured: seconds over jobs, both logarithmic. Needs matplotlib.

Run as: picture.py RESULTS.json OUT.svg
"""

import json
import statistics
import sys
from collections import defaultdict

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "flowrules"
import matplotlib.pyplot as plt  # noqa: E402 - the backend comes first

with open(sys.argv[1]) as file:
    groups = json.load(file)["groups"].values()

PANELS = (("plan", "nothing built", "dry run, nothing built"), ("plan", "up to date", "dry run, up to date"))
STYLES = {"flowrules -n": ("C3", "o", 2.5), "make -n": ("C0", "s", 1.2), "ninja -n": ("C2", "^", 1.2)}
figure, axes = plt.subplots(1, 3, figsize=(12, 4), constrained_layout=True)
for axis, (suite, case, title) in zip(axes, PANELS, strict=False):
    lines = defaultdict(list)
    for group in groups:
        if (group["suite"], group["case"]) == (suite, case):
            for row in group["rows"]:
                lines[row["program"]].append((row["jobs"], statistics.median(row["seconds"])))
    for program, points in lines.items():
        points.sort()
        color, marker, width = STYLES.get(program, (None, "x", 1.2))
        axis.plot(*zip(*points, strict=True), label=program, color=color, marker=marker, linewidth=width)
    axis.set_title(title)
    axis.set_ylabel("seconds, whole process")
points = sorted(
    (row["jobs"], 1e6 * row["cpu"] / row["events"], row["memory"])
    for group in groups
    if group["suite"] == "virtual"
    for row in group["rows"]
)
if points:
    jobs, costs, memory = zip(*points, strict=True)
    axes[2].plot(jobs, costs, color="C3", marker="o", linewidth=2.5, label="CPU µs for each event")
    axes[2].plot(jobs, memory, color="C4", marker="d", linewidth=1.2, label="memory, MiB")
axes[2].set_title("campaigns in virtual time")
axes[2].set_ylabel("µs, MiB")
for axis in axes:
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xlabel("jobs")
    axis.grid(True, which="both", alpha=0.2)
    if axis.lines:
        axis.legend(fontsize=8)
figure.savefig(sys.argv[2], metadata={"Date": None})
