"""A folder with a workflow and a machine of a few small nodes: campaigns on its sandbox, and what the record proves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from box import Box

PATIENCE = 120.0

MACHINE = """
scheduler: pbs
launcher: ssh
node:
  cpus: 8
  mem: 16GB
  gpus:
    env: CUDA_VISIBLE_DEVICES
    slots:
      - {id: "0", cpus: "0-1"}
      - {id: "1", cpus: "2-3"}
      - {id: "2", cpus: "4-5"}
      - {id: "3", cpus: "6-7"}
blocks: {nodes: 1, walltime: 20min, min: 0, max: 2}
"""


class Campaign(Box):
    """A working directory whose campaigns run on a machine of its own."""

    def __init__(self, path: Path, flowfile: str, files: dict[str, str] | None = None, machine: str = MACHINE) -> None:
        path.mkdir(exist_ok=True)
        super().__init__(path, flowfile, {"machine/profile.yaml": machine, **(files or {})})
        self.drivers: list[subprocess.Popen] = []

    def batch(self, *args: str) -> tuple[str, ...]:
        """Arguments of a campaign on the sandbox."""
        return ("--profile", "./machine", "--sandbox", *args)

    def campaign(self, *args: str, status: int = 0, **more) -> str:
        """Run a campaign to its end; all it said."""
        done = self.run(*self.batch(*args), **more)
        assert done.returncode == status, f"status {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def driver(self, *args: str, **more) -> subprocess.Popen:
        """A campaign that is left running; its output goes to the file `said`."""
        with open(self.path / "said", "ab") as said:
            driver = subprocess.Popen(
                self.command(*self.batch(*args)),
                cwd=self.path,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                **more,
            )
        self.drivers.append(driver)
        return driver

    def until(self, seen: Callable[[], object], else_say: str = "it did not happen", seconds: float = PATIENCE) -> None:
        """Wait until something is so."""
        deadline = time.monotonic() + seconds
        while not seen():
            said = self.read("said") if self.exists("said") else ""
            assert time.monotonic() < deadline, f"{else_say}\n{said}"
            time.sleep(0.02)

    # ── the record ───────────────────────────────────────────────────────────────────────────────────────────────

    def ran(self) -> Counter[str]:
        """How many attempts of each rule were recorded."""
        return Counter(record["rule"] for record in self.history())

    def made_twice(self) -> list[str]:
        """Files that two recorded attempts made."""
        made = Counter(path for r in self.history() if r["status"] == "done" for path in r["outputs"])
        return [path for path, times in made.items() if times > 1]

    def tree(self) -> dict[str, bytes]:
        """Every file with its content, but for what flowrules keeps and what the test itself writes."""
        return {
            str(p.relative_to(self.path)): p.read_bytes()
            for p in sorted(self.path.rglob("*"))
            if p.is_file() and ".flowrules" not in p.parts and p.name != "said"
        }

    # ── blocks ───────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def blocks(self) -> list[str]:
        """Blocks that were made, by name."""
        folder = self.path / ".flowrules" / "blocks"
        return sorted(p.name for p in folder.iterdir()) if folder.exists() else []

    def hosts(self, block: str) -> list[str]:
        """Nodes a block runs on."""
        return (self.path / f".flowrules/blocks/{block}/runs/01/nodes").read_text().split()

    def processes(self, *words: str) -> list[int]:
        """Processes that work in this folder or were told of it, and have all these words in their command line."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                line = (entry / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
                here = os.readlink(entry / "cwd").startswith(str(self.path)) or str(self.path) in line
            except OSError:
                continue
            if here and line and all(word in line for word in words):
                found.append(int(entry.name))
        return found

    def alone(self) -> None:
        """Wait until no process is left."""
        self.until(lambda: not self.processes(), "processes are left")

    def end(self) -> None:
        """End whatever still runs."""
        for driver in self.drivers:
            driver.kill()
            driver.wait()
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def most_at_once(records: Iterable[dict], amount: Callable[[dict], float] = lambda record: 1) -> float:
    """The most of something that attempts had at the same time; one that ends when another starts frees it first."""
    changes = []
    for record in records:
        changes += [(record["started"], amount(record)), (record["ended"], -amount(record))]
    now = most = 0.0
    for _, change in sorted(changes):
        now += change
        most = max(most, now)
    return most


def gpus_of(records: Iterable[dict]) -> dict[tuple[str, str], list[dict]]:
    """Attempts by the node and GPU they were given."""
    found: dict[tuple[str, str], list[dict]] = {}
    for record in records:
        for gpu in record["gpus"]:
            found.setdefault((record["host"], gpu), []).append(record)
    return found


def events(said: str) -> list[dict]:
    """What `--format json` told."""
    return [json.loads(line) for line in said.splitlines() if line.startswith("{")]
