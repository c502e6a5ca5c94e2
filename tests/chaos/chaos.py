"""Runs disturbed workflows, one for each seed, and counts what went wrong: `make chaos N=20 PLACE=local SEED=1`.

Prints a paragraph for each failure, with the command that runs its seed again. Ends with 1 if there was any.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import figures
from places import PLACES, Place
from trial import Trial, Verdict

SAVED = 20
"""From so many runs on figures go onto the page."""

COUNTED = ("lost", "repeated", "corrupted", "left")


def verdicts(
    place: Place, seeds: range, base: Path, workers: int, on: Callable[[], bool] = lambda: True, keep: bool = False
) -> Iterator[Verdict]:
    """Run trials in threads, in the order of their seeds.

    Args:
        base: where their folders are made; those of failures stay.
        on: asked before each whether it is to begin; keep: all folders stay.
    """

    def one(seed: int) -> Verdict | None:
        if not on():
            return None
        trial = Trial(place, seed, base)
        told = trial.described()
        try:
            verdict = trial.run()
        except Exception:
            verdict = trial.verdict
            trial.finds("harness", traceback.format_exc())
        if verdict.problems:
            trial.finds("what befell", told)
        elif not keep:
            trial.clean()
        return verdict

    with ThreadPoolExecutor(workers) as pool:
        yield from (verdict for verdict in pool.map(one, seeds) if verdict is not None)


def told(verdict: Verdict, place: str) -> str:
    """A failure in words."""
    lines = [f"seed {verdict.seed} failed after {verdict.seconds:.0f}s"]
    lines += [f"  {kind}: {words}" for kind, words in verdict.problems]
    lines += [f"  struck: {', '.join(verdict.happened)}; missed: {', '.join(verdict.missed)}"]
    lines += [f"  again: make chaos PLACE={place} N=1 SEED={verdict.seed}", f"  folder: {verdict.folder}"]
    return "\n".join(lines)


def counts(found: list[Verdict]) -> dict[str, int]:
    """Columns of the page."""
    kinds = Counter(kind for verdict in found for kind in {kind for kind, _ in verdict.problems} - {"what befell"})
    row = {"runs": len(found), "jobs": sum(verdict.jobs for verdict in found)}
    row["faults"] = sum(sum(verdict.happened.values()) for verdict in found)
    row |= {kind: kinds.pop(kind, 0) for kind in COUNTED}
    return {**row, "other": sum(kinds.values())}


def main() -> int:
    """Runs what the command line says; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=20, help="runs (20)")
    parser.add_argument("--place", choices=sorted(PLACES), default="local", help="where they run (local)")
    parser.add_argument("--seed", type=int, default=1, help="the first seed (1)")
    parser.add_argument("--workers", type=int, default=2, help="runs at once (2); on ssh always 1")
    parser.add_argument("--minutes", type=float, default=1e9, help="begin no further run after so many minutes")
    parser.add_argument("--keep", action="store_true", help="keep folders of runs that went well")
    options = parser.parse_args()
    place = PLACES[options.place]()
    if why := place.lacks():
        print(f"no place `{place.name}` here: {why}")
        return 2
    begun = time.monotonic()
    found: list[Verdict] = []
    workers = 1 if place.name == "ssh" else options.workers
    seeds = range(options.seed, options.seed + options.n)
    base = Path(tempfile.mkdtemp(prefix="chaos-"))
    try:
        on = lambda: time.monotonic() - begun < options.minutes * 60  # noqa: E731 - a word for a clock
        for verdict in verdicts(place, seeds, base, workers, on, options.keep):
            found.append(verdict)
            if verdict.problems:
                print(told(verdict, place.name), flush=True)
    finally:
        place.close()
    row = counts(found)
    happened = sum((verdict.happened for verdict in found), Counter())
    missed = sum(sum(verdict.missed.values()) for verdict in found)
    print(f"{place.name}: " + ", ".join(f"{name} {value}" for name, value in row.items()) + f", missed {missed}")
    print("faults: " + ", ".join(f"{name} {count}" for name, count in happened.most_common()))
    slow = sorted(found, key=lambda verdict: -verdict.seconds)[:3]
    print(f"{time.monotonic() - begun:.0f}s; slowest: " + ", ".join(f"seed {v.seed} {v.seconds:.0f}s" for v in slow))
    if len(found) >= SAVED:
        what = {"local": "this machine", "sandbox": "blocks of the sandbox", "ssh": "blocks on hosts"}[place.name]
        what += f", seeds {options.seed} to {options.seed + len(found) - 1}"
        command = f"make chaos PLACE={place.name} N={len(found)} SEED={options.seed}"
        figures.save("chaos", {"what": what, "command": command, "figures": row, "details": dict(happened)})
    failed = any(verdict.problems for verdict in found)
    if not failed and not options.keep:
        base.rmdir()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
