"""Draws all ionization energies in order, and the computed ones against the measured ones."""

import csv
from statistics import mean

from matplotlib import rcParams
from matplotlib.figure import Figure

from flowrules import job

rcParams["svg.hashsalt"] = "molecules"  # the same picture is the same file

with open(job.input.csv, encoding="utf-8", newline="") as file:
    rows = list(csv.DictReader(file))
energies = [float(row["ionization_energy"]) for row in rows]
measured = [(float(row["experiment"]), float(row["ionization_energy"])) for row in rows if row["experiment"]]

figure = Figure(figsize=(11, 5), layout="constrained")
order, parity = figure.subplots(1, 2)
order.plot(range(1, len(rows) + 1), energies, ".", color="tab:blue")
order.set(xlabel="rank", ylabel=f"ionization energy by {job.params.method} (eV)", title=f"{len(rows)} molecules")
for index, side, offset in ((0, "left", 6), (-1, "right", -6)):
    place = (index % len(rows) + 1, energies[index])
    order.annotate(rows[index]["molecule"], place, xytext=(offset, 0), textcoords="offset points", ha=side, va="center")

if measured:
    shift = mean(computed - known for known, computed in measured)
    ends = min(known for known, _ in measured), max(known for known, _ in measured)
    parity.plot(*zip(*measured, strict=True), ".", color="tab:blue")
    parity.plot(ends, ends, "-", color="0.7", label="equal")
    parity.plot(ends, [end + shift for end in ends], "--", color="0.4", label=f"{shift:.2f} eV higher")
    parity.legend(loc="upper left")
parity.set(xlabel="measured (eV)", ylabel="computed (eV)", title=f"{len(measured)} molecules with a measured value")

for path in job.output:
    figure.savefig(path, dpi=150, metadata={"Date": None} if path.endswith(".svg") else None)
