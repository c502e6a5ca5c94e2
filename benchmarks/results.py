"""Keeps what was measured: one JSON file, from which the page of figures and its picture are made.

A group is what was measured together, in turns: one suite, one case, one size. Measuring it again replaces it whole, so
that ratios are always of one run.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PATH = Path(os.environ.get("BENCH_RESULTS", ROOT / "docs" / "performance.json"))

Row = dict[str, Any]
"""One program: `program`, then lists `seconds` and `memory` (MiB), one item a process, or single figures by name."""


def load() -> dict[str, Any]:
    """All that is kept: `groups` by "suite / case / size", `hot` by suite."""
    kept: dict[str, Any] = json.loads(PATH.read_text()) if PATH.exists() else {}
    return {"groups": kept.get("groups", {}), "hot": kept.get("hot", {})}


def save(suite: str, case: str, size: int, rows: Sequence[Mapping[str, Any]]) -> None:
    """Keep a group in place of what was known of it. The first row is flowrules."""
    kept = load()
    kept["groups"][f"{suite} / {case} / {size}"] = {
        "suite": suite,
        "case": case,
        "size": size,
        "when": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M"),
        "load": [round(value, 1) for value in os.getloadavg()],
        "python": platform.python_version(),
        "cores": len(os.sched_getaffinity(0)),
        "rows": [_rounded(row) for row in rows],
    }
    _write(kept)


def save_hot(suite: str, what: str, lines: Sequence[Mapping[str, Any]]) -> None:
    """Keep where the time of a suite goes."""
    kept = load()
    kept["hot"][suite] = {"what": what, "lines": list(lines)}
    _write(kept)


def _rounded(row: Mapping[str, Any]) -> Row:
    def short(value: object) -> object:
        if isinstance(value, float):
            return float(f"{value:.4g}")
        return [short(item) for item in value] if isinstance(value, list) else value

    return {name: short(value) for name, value in row.items()}


def _write(kept: Mapping[str, Any]) -> None:
    PATH.parent.mkdir(parents=True, exist_ok=True)
    groups = {name: kept["groups"][name] for name in sorted(kept["groups"])}
    lines = [f"{json.dumps(name)}: {json.dumps(group)}" for name, group in groups.items()]
    hot = [f"{json.dumps(name)}: {json.dumps(kept['hot'][name])}" for name in sorted(kept["hot"])]
    text = '{"groups": {\n' + ",\n".join(lines) + '\n},\n"hot": {\n' + ",\n".join(hot) + "\n}}\n"
    beside = PATH.with_suffix(".new")
    beside.write_text(text)
    beside.replace(PATH)
