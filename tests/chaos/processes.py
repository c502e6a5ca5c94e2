"""Processes of one folder, wherever they hide, and what each of them is in a run."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

LAUNCHERS = ("ssh", "mpiexec", "mpiexec.hydra", "hydra_pmi_proxy")


@dataclass(frozen=True, slots=True)
class Process:
    """A process that lived a moment ago."""

    pid: int
    parent: int
    argv: tuple[str, ...]

    @property
    def line(self) -> str:
        """Its command line."""
        return " ".join(self.argv)

    def send(self, number: int) -> bool:
        """Signal it; whether it was there."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)
            return True
        return False


def processes_of(folder: Path) -> list[Process]:
    """Processes that work below a folder, or know its name by an argument or their environment.

    All that a run starts is among them, also on hosts in namespaces: an agent works in the run's folder, and what leaves
    it has the folder's name in its environment. Zombies are not.
    """
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        if int(name) != os.getpid() and (process := _read(name, os.fsencode(folder))) is not None:
            found.append(process)
    return found


def _read(name: str, folder: bytes) -> Process | None:
    try:
        line = Path(f"/proc/{name}/cmdline").read_bytes()
        environ = Path(f"/proc/{name}/environ").read_bytes()
        directory = os.readlink(os.fsencode(f"/proc/{name}/cwd"))
        if not line or not (folder in line or folder in environ or directory.startswith(folder)):
            return None
        parent = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()[1]
    except OSError:
        return None
    return Process(int(name), int(parent), tuple(line.decode(errors="replace").rstrip("\0").split("\0")))


def by_role(processes: Iterable[Process], driver: int) -> dict[str, list[Process]]:
    """Processes by what they are, as far as that is known: see `_role`."""
    known = {process.pid: process for process in processes}
    found: dict[str, list[Process]] = {}
    for process in known.values():
        if role := _role(process, known.get(process.parent), driver):
            found.setdefault(role, []).append(process)
    return found


def _role(process: Process, parent: Process | None, driver: int) -> str:
    argv, line = process.argv, process.line
    above = parent.line if parent is not None else ""
    if process.pid == driver:
        return "driver"
    if os.path.basename(argv[0]) in LAUNCHERS:
        return "launcher"
    if len(argv) > 1 and argv[1].endswith("lib/job.sh"):
        return "job"
    if "sandbox_server" in line:
        return "warden" if "sandbox_server" in above else "server"
    if argv[-1] == "flowrules-guard":
        return "agent guard"
    if "flowrules-agent" in line:
        return "lane" if "flowrules-agent" in above else "agent"
    if "run-block" in argv:
        return "runner"
    if parent is not None and parent.pid == driver:
        return "guard" if argv == parent.argv else "child"
    return ""


def kill_all(folder: Path) -> None:
    """End whatever is left of a folder."""
    for process in processes_of(folder):
        process.send(signal.SIGKILL)
