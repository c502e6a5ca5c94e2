"""How fast calls of Python functions are started: no-op functions, two at once, beside Parsl's.

A job of flowrules makes a file and is recorded, those of Parsl do nothing at all. Both say how fast they were once they
had started: flowrules by its record, from the first start to the last end.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
from pathlib import Path

from generate import call_graph
from hot import profile_command
from measure import Case, flowrules, in_turns, peer, peer_python, save, scratch, table


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=2000, help="jobs (2000)")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each program (3)")
    options = parser.parse_args()
    base = scratch("flowrules-calls-")
    folder = base / "work"

    def prepare() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        call_graph(folder, options.size)

    try:
        prepare()
        cases = [
            Case("flowrules", [flowrules(), "-q", "-j", "2"], prepare),
            Case(
                "Parsl, HTEX", [peer_python(), str(peer("parsl_jobs.py")), "nothing"], prepare, module="parsl", rounds=1
            ),
        ]
        rates: list[float] = []

        def check(case: Case) -> None:
            if case is cases[0]:
                rates.append(_rate(folder, options.size))

        measured = in_turns(cases, folder, options.rounds, check)
        cases[0].said = f"once started: {sorted(rates)[len(rates) // 2]:.1f}"
        title = f"calls, {options.size:,} Python functions, two at once"
        print(
            table(
                title, measured, lambda case: case.said.rpartition("once started: ")[2].strip(), "jobs/s once started"
            )
        )
        save("calls", "functions that do nothing", options.size, measured)
        prepare()
        profile_command("calls", f"{options.size:,} calls, two at once", ["-q", "-j", "2"], folder)
    finally:
        shutil.rmtree(base)


def _rate(folder: Path, size: int) -> float:
    """Jobs a second from the first start to the last end, by the record."""
    command = [flowrules(), "history", "--format", "json"]
    said = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout
    records = [json.loads(line) for line in said.splitlines()]
    if [record["status"] for record in records] != ["done"] * size:
        raise RuntimeError(f"{len(records)} attempts are recorded for {size} jobs, or some failed")
    return size / (max(each["ended"] for each in records) - min(each["started"] for each in records))


if __name__ == "__main__":
    main()
