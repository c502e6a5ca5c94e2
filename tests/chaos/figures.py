"""Keeps figures of trust: one JSON file, from which the page `docs/trust.md` is made.

A suite calls `save(section, row)`; a row takes the place of an earlier one of the same `what`. `python figures.py` writes
the page anew.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FILE = Path(os.environ.get("TRUST_FIGURES", ROOT / "docs" / "trust.json"))

BESIDE = ("trust-fuzz.json", "trust-load.json")
"""Rows kept beside `FILE`, with their section and their figures in words: `make load` writes its own, those of `make fuzz`
are taken over by hand from what it prints."""

_HEAD = """\
# Trust

What is promised, and figures from tests that anyone can run. Each row names the command that makes it again; the
page is put together by `tests/chaos/figures.py`. Who may do what is in the [threat model](threat-model.md), which test shows
what becomes of each failure in [decision 070](decisions/070-trust.md).
"""

SECTIONS = {
    "chaos": (
        "Faults",
        """\
`make chaos` makes small random workflows (chains, diamonds, fan-in, temporary files, folders, retries; shell, script
and function), runs them, and lets faults strike at random moments: at the n-th job, line of the journal or word of
the driver. Then it runs them plainly until all is made. A *place* is this machine (`local`), blocks of the sandbox
(`sandbox`), or blocks on three hosts with an sshd each, in network namespaces, behind commands that look like those of
PBS (`ssh`; started by ssh or mpiexec). A seed reproduces workflow, options and faults; what exactly a fault meets is a
matter of time.

After each run these are counted: **lost**, an output or a record that is not there in the end; **repeated**, a job that
ran again after its good end was on disk, unless its outputs were destroyed, or those of jobs it is made with;
**corrupted**, an output that is not byte for byte what it must be, now or while a record calls it done; **left**, a process or a temporary file that is still there;
**other**, a traceback, a driver that hangs or does not say why it ends, a state folder that cannot be read, two drivers.

Waits of the program that are minutes are seconds here: the quarantine of a block that ended without a word (15 s instead
of 150), time limits of scheduler commands (2 s instead of 60).

A command of the batch system that hangs ends by itself after 20 s here. One that hangs for ever stays when the driver is
killed by `kill -9`: it may be a `qsub`, whose batch job must not die with it.

A driver on another host that takes over is one in namespaces of its own, with locks switched off, and only on `local`; held
blocks are answers of the sandbox that say so. In the rows of this machine, and of the sandbox's seeds 1 to 95, agents and lanes
were not told from their guards: what is called an agent's guard there was any of the three.

Not built yet: files that appear late, clocks that jump, a file system that hangs, blocks that are requeued or preempted,
jobs that a block's walltime cuts off (blocks of 10 seconds are there, jobs are shorter), limits on processes, an
unwritable log, a zombie that goes on writing on a second node, a full disk and a read-only folder on `ssh`, a shim under
which the whole engine suite passes.""",
    ),
    "fuzz": ("Bad input", ""),
    "load": ("Load", ""),
    "manners": ("Manners on a login node", ""),
}
"""Sections of the page in their order: title, and what the figures mean."""


def save(section: str, row: Mapping[str, Any]) -> None:
    """Keep a row and write the page.

    Args:
        section: one of `SECTIONS`.
        row: ``what`` (text, unique in its section), ``command`` (text), ``figures`` (numbers or text by name, the
            columns of the table), and ``details`` (counts by name, optional). The date is added.
    """
    assert section in SECTIONS, section
    kept = load()
    today = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")
    made = {**row, "date": today, "python": platform.python_version()}
    rows = [old for old in kept.get(section, []) if old["what"] != row["what"]]
    kept[section] = sorted([*rows, made], key=_in_order)
    FILE.parent.mkdir(parents=True, exist_ok=True)
    lines = []
    for name in SECTIONS:
        rows = ",\n".join(json.dumps(row, ensure_ascii=False) for row in kept.get(name, []))
        lines.append(f'"{name}": [\n{rows}\n]' if rows else f'"{name}": []')
    _write(FILE, "{" + ",\n".join(lines) + "}\n")
    _write(FILE.with_suffix(".md"), page(everything()))


def everything() -> dict[str, list[dict[str, Any]]]:
    """All rows, by section, those of other programs too."""
    kept = {section: list(rows) for section, rows in load().items()}
    for name in BESIDE:
        path = FILE.with_name(name)
        for row in json.loads(path.read_text()) if path.exists() else ():
            kept.setdefault(row["section"], []).append({**row, "figures": {"found": row["figure"]}})
    return kept


def _in_order(row: Mapping[str, Any]) -> list[tuple[int, int | str]]:
    """By words, and by the numbers among them."""
    return [(1, int(word)) if word.isdigit() else (0, word) for word in row["what"].split()]


def load() -> dict[str, list[dict[str, Any]]]:
    """All rows, by section."""
    return json.loads(FILE.read_text()) if FILE.exists() else {}


def page(kept: Mapping[str, list[dict[str, Any]]]) -> str:
    """The page of figures."""
    parts = [_HEAD]
    for section, (title, words) in SECTIONS.items():
        rows = kept.get(section, [])
        if rows or words:
            parts += [f"## {title}\n", *([words + "\n"] if words else [])]
        if rows:
            parts += [_table(rows), *filter(None, map(_details, rows))]
    return "\n".join(parts)


def _table(rows: list[dict[str, Any]]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row["figures"]))
    lines = [f"| | {' | '.join(names)} | date | made by |", f"|---|{'--:|' * len(names)}---|---|"]
    for row in rows:
        values = " | ".join(_shown(row["figures"].get(name, "")) for name in names)
        lines.append(f"| {row['what']} | {values} | {row['date']} | `{row['command']}` |")
    return "\n".join(lines) + "\n"


def _details(row: dict[str, Any]) -> str:
    details = row.get("details", {})
    words = ", ".join(f"{name} {_shown(details[name])}" for name in sorted(details, key=lambda name: -details[name]))
    return f"- {row['what']}: {words}\n" if words else ""


def _shown(value: float | str) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _write(path: Path, text: str) -> None:
    beside = path.with_suffix(".new")
    beside.write_text(text)
    beside.replace(path)


if __name__ == "__main__":
    _write(FILE.with_suffix(".md"), page(everything()))
