"""Ranks the molecules by ionization energy: a CSV table with all, a Markdown table with the highest."""

import csv
import json
from pathlib import Path
from statistics import mean

from ase.data.g2 import data as g2

from flowrules import job

COLUMNS = ("rank", "molecule", "formula", "ionization_energy", "experiment", "difference")


def experiment(molecule):
    """The measured value in eV that ase has, the vertical one if there is one; None where it has none."""
    known = g2[molecule]
    vertical = known.get("vertical ionization energy")
    return known.get("ionization energy") if vertical is None else vertical


def ranking(paths):
    """A row for each molecule, the highest ionization energy first."""
    results = [json.loads(Path(path).read_text(encoding="utf-8")) for path in paths]
    results.sort(key=lambda result: (-result["ionization_energy"], result["molecule"]))
    for rank, result in enumerate(results, start=1):
        measured = experiment(result["molecule"])
        energy = result["ionization_energy"]
        difference = None if measured is None else energy - measured
        yield rank, result["molecule"], result["formula"], energy, measured, difference


def show(value):
    """A cell: numbers with two digits, nothing for None."""
    return "" if value is None else f"{value:.2f}" if isinstance(value, float) else str(value)


rows = list(ranking(job.input))
with open(job.output.csv, "w", encoding="utf-8", newline="") as file:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([show(cell) for cell in row] for row in rows)

best = [[show(cell) for cell in row] for row in rows[: job.params.top]]
table = [[name.replace("_", " ") for name in COLUMNS], *best]
widths = [max(len(cells[column]) for cells in table) for column in range(len(COLUMNS))]
head, *body = ("| " + " | ".join(map(str.rjust, cells, widths)) + " |" for cells in table)

lines = [
    f"# The {len(best)} of {len(rows)} molecules that hold their electrons best",
    "",
    f"Vertical ionization energies in eV by {job.params.method}; measured ones as far as ase has them.",
    "",
    head,
    "|" + "|".join("-" * (width + 1) + ":" for width in widths) + "|",
    *body,
]
differences = [row[-1] for row in rows if row[-1] is not None]
if differences:
    shift = mean(differences)
    spread = mean(abs(difference - shift) for difference in differences)
    lines += [
        "",
        f"For {len(differences)} of the molecules ase has a measured value. The computed ones are higher, by",
        f"{shift:.2f} eV on average, give or take {spread:.2f} eV.",
    ]
Path(job.output.md).write_text("\n".join(lines) + "\n", encoding="utf-8")
