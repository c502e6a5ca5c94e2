"""Where the time goes: flowrules run once under the profiler of Python, and the functions that took most of it."""

from __future__ import annotations

import cProfile
import pstats
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import results
from measure import settle

TOP = 12

_STARTER = """\
import sys
from flowrules.__main__ import main
sys.argv = ["flowrules", *sys.argv[1:]]
sys.exit(main())
"""


def profile_command(suite: str, what: str, arguments: Sequence[str], folder: Path) -> None:
    """Profile `flowrules ARGUMENTS` in a folder, show the top lines and keep them."""
    settle()
    starter, found = folder.with_name("starter.py"), folder.with_name("profile")
    starter.write_text(_STARTER)
    subprocess.run(
        [sys.executable, "-m", "cProfile", "-o", str(found), str(starter), *arguments],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    keep(suite, what, pstats.Stats(str(found)))


def keep(suite: str, what: str, stats: pstats.Stats | cProfile.Profile) -> None:
    """Show and keep the top lines of a profile."""
    if isinstance(stats, cProfile.Profile):
        stats = pstats.Stats(stats)
    functions: list[tuple[float, float, int, str]] = []
    for (file, line, name), (_, calls, own, both, _) in stats.stats.items():  # type: ignore[attr-defined]
        functions.append((own, both, calls, _place(file, line, name)))
    total = sum(own for own, *_ in functions)
    functions.sort(reverse=True)
    lines: list[dict[str, Any]] = [
        {"share": round(own / total, 3), "with": round(both / total, 3), "calls": calls, "function": place}
        for own, both, calls, place in functions[:TOP]
    ]
    results.save_hot(suite, what, lines)
    print(f"where the time of {what} goes\n\n{table(lines)}")


def table(lines: Sequence[dict[str, Any]]) -> str:
    """The top lines as Markdown."""
    text = "| own time | with callees | calls | function |\n|--:|--:|--:|---|\n"
    for line in lines:
        text += f"| {line['share']:.1%} | {line['with']:.0%} | {line['calls']:,} | `{line['function']}` |\n"
    return text


def _place(file: str, line: int, name: str) -> str:
    """A function with its file: from the package on, or the name of the module."""
    if file == "~":
        return name.strip("<>").replace("built-in method ", "")
    path = Path(file)
    parts = path.parts
    for root in ("flowrules", "benchmarks"):
        if root in parts:
            at = len(parts) - 1 - parts[::-1].index(root)
            return f"{'/'.join(parts[at:])}:{line} {name}"
    return f"{path.name} {name}"
