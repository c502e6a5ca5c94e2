"""Runs suites one after the other, each in a process of its own, then makes the page: what `make bench` calls.

Run as: run.py [SUITE…] [--size N]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

SUITES = ("start", "plan", "launch", "calls", "packing", "counting", "memory", "scheduling", "virtual")
"""Those that need no root, and take ten minutes together."""


def main() -> None:
    """Runs them; ends with 1 where one failed, after all have had their turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("suites", nargs="*", default=SUITES)
    parser.add_argument("--size")
    options = parser.parse_args()
    folder = Path(__file__).parent
    known = sorted(path.stem for path in folder.glob("*.py"))
    if strange := [suite for suite in options.suites if suite not in known]:
        sys.exit(f"there is no suite {strange[0]}; there are {', '.join(SUITES)}, blocks, simulated")
    failed = []
    for suite in options.suites:
        print(f"## {suite}\n", flush=True)
        begun = time.monotonic()
        command = [sys.executable, str(folder / f"{suite}.py"), *(["--size", options.size] if options.size else [])]
        if subprocess.run(command, check=False).returncode:
            failed.append(suite)
        print(f"({suite}: {time.monotonic() - begun:.0f} s)\n", flush=True)
    subprocess.run([sys.executable, str(folder / "report.py")], check=True)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
