"""Makes `docs/performance.md` and its picture from what was measured last, and prints the table of goals."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import goals
import hot
import results
from measure import peer_python

PAGE = results.PATH.with_suffix(".md")
PICTURE = results.PATH.with_suffix(".svg")

_HEAD = """\
# Performance

Made by `make bench`, not by hand: figures, goals, picture and profiles are of the runs named beside each. Seconds are
those of a machine with other things to do; what counts is the ratio, of programs that took turns.
[How it is measured](../benchmarks/README.md), and [the figures themselves](performance.json).

"""


def page(kept: Mapping[str, Any]) -> str:
    """The whole page."""
    judged = goals.judge(kept["groups"])
    text = _HEAD + "## Goals\n\n" + goals.table(judged) + "\n"
    if why := goals.missed(judged):
        text += f"## What is missed, and what comes next\n\n{why}\n"
    if PICTURE.exists():
        text += f"## Growth\n\n![cost over size, both logarithmic]({PICTURE.name})\n\n"
    text += "## Figures\n\n"
    for group in sorted(kept["groups"].values(), key=lambda group: (group["suite"], group["case"], group["size"])):
        text += _group(group)
    text += (
        "## Where the time goes\n\nFunctions by their own time, under Python's profiler (which makes calls dearer).\n\n"
    )
    for suite, profile in sorted(kept["hot"].items()):
        text += f"### {suite}: {profile['what']}\n\n{hot.table(profile['lines'])}\n"
    return text


def _group(group: Mapping[str, Any]) -> str:
    size = f", {group['size']:,}" if group["size"] else ""
    load = " ".join(f"{value:g}" for value in group["load"])
    title = f"### {group['suite']}: {group['case']}{size}\n\n"
    when = f"{group['when']} UTC, {group['cores']} cores, load {load}, Python {group['python']}\n\n"
    rows = group["rows"]
    return title + when + (_timed(rows) if "seconds" in rows[0] else _plain(rows)) + "\n"


def _timed(rows: list[Mapping[str, Any]]) -> str:
    text = "| program | jobs | seconds | spread | runs | MiB | ratio | jobs/s | once started |\n"
    text += "|---|--:|--:|--:|--:|--:|--:|--:|--:|\n"
    ours = statistics.median(rows[0]["seconds"]) / max(1, rows[0]["jobs"])
    for row in rows:
        seconds = statistics.median(row["seconds"])
        each = seconds / max(1, row["jobs"])
        spread = f"{min(row['seconds']):.3f}-{max(row['seconds']):.3f}"
        once = f"{row['once_started']:,.4g}" if "once_started" in row else ""
        rate = f"{row['jobs'] / seconds:,.0f}" if row["jobs"] else ""
        text += f"| {row['program']} | {row['jobs']:,} | {seconds:.3f} | {spread} | {len(row['seconds'])} | "
        text += f"{statistics.median(row['memory']):,.0f} | {ours / each:.2f} | {rate} | {once} |\n"
    return text


def _plain(rows: list[Mapping[str, Any]]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = "| " + " | ".join(name.replace("_", " ") for name in names) + " |\n|---" + "|--:" * (len(names) - 1) + "|\n"
    for row in rows:
        text += "| " + " | ".join(_text(row.get(name, "")) for name in names) + " |\n"
    return text


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 10_000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def draw() -> None:
    """Draw the picture anew, where matplotlib is installed."""
    command = [peer_python(), str(results.ROOT / "benchmarks" / "picture.py"), str(results.PATH), str(PICTURE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
    if done.returncode:
        print(f"no picture was drawn: {(done.stderr.strip().splitlines() or ['?'])[-1]}", file=sys.stderr)


def main() -> None:
    """Writes the page, prints the goals."""
    draw()
    kept = results.load()
    PAGE.write_text(page(kept))
    print("### goals\n\n" + goals.table(goals.judge(kept["groups"])))
    print(f"figures, picture and profiles: {os.path.relpath(PAGE)}")


if __name__ == "__main__":
    main()
