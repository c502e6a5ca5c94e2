"""What befalls a run: each fault is a function of a trial and its driver, and says whether it happened.

Faults within a run strike when something has happened (`Moment`), not after some time. Faults between runs strike while
nothing of the folder runs.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from processes import Process, by_role, processes_of

if TYPE_CHECKING:
    from trial import Driver, Trial

Strike = Callable[["Trial", "Driver"], bool]

_PATIENCE = 3.0
"""Seconds in which the victim of a fault may appear."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The count-th of some events, from the start of a driver.

    Attributes:
        event: ``begin`` or ``end`` of a job, by the ledger; ``line`` of the journal; ``word``, a line the driver says.
    """

    event: str
    count: int

    def __str__(self) -> str:
        return f"{self.event} {self.count}"


def random_moment(rng: random.Random, jobs: int) -> Moment:
    """A moment in a run of some jobs, in its first half more often than not."""
    event = rng.choice(["begin", "begin", "end", "line", "word"])
    return Moment(event, rng.randint(0 if event == "word" else 1, max(1, round(jobs * rng.uniform(0.1, 0.7)))))


# ── processes ────────────────────────────────────────────────────────────────────────────────────────────────────────


def kill_driver(trial: Trial, driver: Driver) -> bool:
    """`kill -9` of the driver."""
    return driver.send(signal.SIGKILL)


def interrupt_driver(trial: Trial, driver: Driver) -> bool:
    """Ctrl-C once, twice or three times, or what a logout sends."""
    numbers = trial.rng.choice([[signal.SIGTERM], [signal.SIGHUP], [signal.SIGINT] * trial.rng.randint(1, 3)])
    struck = False
    for number in numbers:
        struck = driver.send(number) or struck
        time.sleep(0.05)
    return struck


def stop_driver(trial: Trial, driver: Driver) -> bool:
    """The driver is stopped, another one tries to take its place and is refused, the first goes on."""
    if not _holds(trial, driver) or not driver.send(signal.SIGSTOP):
        return False
    try:
        other = trial.look(*trial.options)
    finally:
        driver.send(signal.SIGCONT)
    if other.returncode != 3 or "another flowrules works in this directory" not in other.stdout:
        trial.finds("two drivers", f"beside a stopped driver another ended with {other.returncode}: {other.stdout}")
    return True


def second_driver(trial: Trial, driver: Driver) -> bool:
    """A second driver is started while the first works."""
    if not _holds(trial, driver):
        return False
    other = trial.look(*trial.options)
    if other.returncode not in (0, 3):
        trial.finds("two drivers", f"beside a driver another ended with {other.returncode}: {other.stdout}")
    return other.returncode == 3


_ELSEWHERE = """\
hostname elsewhere
mount --bind "$1" /proc/sys/kernel/random/boot_id
shift
exec "$@"
"""


def take_over(trial: Trial, driver: Driver) -> bool:
    """The driver is stopped, one on another host takes over and works, the first goes on and has to notice."""
    if not trial.apart or not _holds(trial, driver) or not driver.send(signal.SIGSTOP):
        return False
    boot = trial.folder / "boot"
    boot.write_text("00000000-0000-4000-8000-000000000000\n")
    host = ["unshare", "--uts", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    command = trial.place.command(trial.folder, *trial.options)
    with open(trial.folder / "said.elsewhere", "ab") as out:
        other = subprocess.Popen(
            [*host, "bash", "-ec", _ELSEWHERE, "bash", str(boot), *command],
            cwd=trial.work,
            env=trial.place.environ(trial.folder),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    trial.children.append(other)
    taken = _until(lambda: _owner(trial).get("host") == "elsewhere" or other.poll() is not None, trial.place.patience)
    if trial.rng.random() < 0.5:  # else the first goes on while the second works
        _until(lambda: other.poll() is not None, trial.place.patience)
    driver.send(signal.SIGCONT)
    status = driver.wait(trial.place.patience)
    if taken and _owner(trial).get("host") == "elsewhere" and status != 3:
        trial.finds("two drivers", f"one that was taken over ended with {status}:\n{driver.said.read_text()}")
    if not _until(lambda: other.poll() is not None, trial.place.patience):
        trial.finds("hung", f"a driver that took over did not end: {(trial.folder / 'said.elsewhere').read_text()}")
    return taken


def _until(seen: Callable[[], bool], patience: float) -> bool:
    """Wait until something is so; whether it came."""
    end = time.monotonic() + patience
    while not seen():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def _owner(trial: Trial) -> dict[str, Any]:
    """The driver that held the directory last."""
    with suppress(OSError, IndexError, ValueError):
        return json.loads((max((trial.work / ".flowrules/driver").iterdir()) / "owner").read_text().splitlines()[0])
    return {}


def _holds(trial: Trial, driver: Driver) -> bool:
    """Whether the driver holds the directory by now."""
    return driver.lives and _owner(trial).get("pid") == driver.pid


def _kill(role: str) -> Strike:
    def strike(trial: Trial, driver: Driver) -> bool:
        victim = _wait_for(trial, driver, role)
        return victim is not None and victim.send(signal.SIGKILL)

    strike.__doc__ = f"`kill -9` of a process that is a {role}."
    return strike


def _wait_for(trial: Trial, driver: Driver, role: str) -> Process | None:
    """Some process that is of a role; None where none appears soon."""
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end and driver.lives:
        if found := by_role(processes_of(trial.folder), driver.pid).get(role):
            return trial.rng.choice(found)
        time.sleep(0.01)
    return None


def kill_guard_and_driver(trial: Trial, driver: Driver) -> bool:
    """`kill -9` of the driver's guard, and of the driver before it can do anything about that."""
    guard = _wait_for(trial, driver, "guard")
    return guard is not None and guard.send(signal.SIGKILL) and driver.send(signal.SIGKILL)


# ── blocks ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def delete_block(trial: Trial, driver: Driver) -> bool:
    """An operator deletes a batch job."""
    block = _running_block(trial)
    if block is None:
        return False
    if trial.place.name == "sandbox":
        from flowrules.execute.batch.sandbox_folder import SandboxFolder

        SandboxFolder(str(trial.work / ".flowrules/sandbox")).put(int(block.partition(".")[0]), "cancel", "")
    else:
        trial.place.delete(block)
    return True


def block_twice(trial: Trial, driver: Driver) -> bool:
    """A batch job starts a second time while the first goes on: under the same id, or as another one's."""
    block = _running_block(trial)
    if block is None or trial.place.name != "sandbox":
        return False
    job = trial.work / ".flowrules/sandbox/jobs" / block.partition(".")[0]
    try:
        said = json.loads((job / "job.json").read_text())
        nodes = (job / "nodefile").read_text().split()
    except OSError:
        return False
    env = {**said["env"], "FLOWRULES_NODES": ",".join(nodes), "PBS_NODEFILE": str(job / "nodefile")}
    if trial.rng.random() < 0.5:
        env["FLOWRULES_BATCH_ID"] = env["PBS_JOBID"] = "999.sandbox"
    with open(trial.folder / "twin", "ab") as out:
        twin = subprocess.Popen(
            said["argv"], env=env, cwd=said["directory"], stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
    trial.children.append(twin)
    return True


def power_off(trial: Trial, driver: Driver) -> bool:
    """A host loses its power, and has it again."""
    if _running_block(trial) is None or trial.place.name != "ssh":
        return False
    trial.place.power_off(trial.rng.choice(trial.place.cluster.hosts.names))
    return True


def _running_block(trial: Trial) -> str | None:
    """The batch system's id of a block that runs and has not closed."""
    found = []
    for block in sorted((trial.work / ".flowrules/blocks").glob("b*")):
        with suppress(OSError, ValueError, KeyError):
            log = max((block / "runs").iterdir()) / "log"
            if "\tclosed\t" not in log.read_text():
                found.append(json.loads((block / "submitted").read_text())["id"])
    return trial.rng.choice(found) if found else None


# ── the disk ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def fill_disk(trial: Trial, driver: Driver) -> bool:
    """The file system has no room left, for a moment."""
    if not trial.small or not driver.lives:
        return False
    ballast = trial.work / ".ballast"
    with suppress(OSError), open(ballast, "wb", buffering=0) as file:
        for size in (1 << 16, 1 << 10, 1):
            with suppress(OSError):
                while True:
                    file.write(b"\0" * size)
    said, end = driver.words, time.monotonic() + 1.5
    while driver.lives and driver.words < said + 3 and time.monotonic() < end:
        time.sleep(0.01)
    ballast.unlink()
    return True


def read_only(trial: Trial, driver: Driver) -> bool:
    """The folder of a rule's outputs cannot be written any more, until the driver has ended."""
    if not trial.may_mount or not driver.lives:
        return False
    rule = trial.rng.choice(trial.dag.jobs).outputs[0].partition("/")[0]
    folder = trial.work / rule
    folder.mkdir(exist_ok=True)
    trial.mount("--bind", str(folder), str(folder))
    trial.mount("-o", "remount,bind,ro", str(folder), known=True)
    return True


# ── between runs ─────────────────────────────────────────────────────────────────────────────────────────────────────


def delete_outputs(trial: Trial) -> bool:
    """A stranger deletes outputs that were made."""
    there = [path for path in trial.dag.kept if os.path.lexists(trial.work / path)]
    for path in trial.rng.sample(there, min(len(there), trial.rng.randint(1, 3))):
        place = trial.work / path
        shutil.rmtree(place) if place.is_dir() else place.unlink()
        trial.excuse(path)
    return bool(there)


def _times(change: Callable[[float, random.Random], float]) -> Callable[[Trial], bool]:
    def strike(trial: Trial) -> bool:
        # not below folders that are outputs: these are compared by times
        there = [path for name in (*trial.dag.sources, *trial.dag.content) if (path := trial.work / name).is_file()]
        for path in trial.rng.sample(there, max(1, len(there) // 2)):
            changed = change(path.stat().st_mtime, trial.rng)
            os.utime(path, (changed, changed))
        return True

    return strike


def tear_journal(trial: Trial) -> bool:
    """The last line of the journal was not written to its end."""
    journal = trial.work / ".flowrules/journal"
    if not journal.exists():
        return False
    with open(journal, "ab") as file:
        file.write(b"1f0e9a3c\t999\te\tr1/a0"[: trial.rng.randint(3, 22)])
    return True


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault.

    Attributes:
        weight: how often it is drawn; places: where it can happen.
    """

    weight: int
    places: tuple[str, ...]
    strike: Strike


EVERYWHERE = ("local", "sandbox", "ssh")
BLOCKS = ("sandbox", "ssh")

WITHIN: dict[str, Kind] = {
    "kill the driver": Kind(6, EVERYWHERE, kill_driver),
    "interrupt the driver": Kind(2, EVERYWHERE, interrupt_driver),
    "stop the driver": Kind(2, EVERYWHERE, stop_driver),
    "a second driver": Kind(1, EVERYWHERE, second_driver),
    "another host takes over": Kind(2, ("local",), take_over),
    "kill the guard": Kind(1, EVERYWHERE, _kill("guard")),
    "kill guard and driver": Kind(2, EVERYWHERE, kill_guard_and_driver),
    "kill a job": Kind(2, EVERYWHERE, _kill("job")),
    "kill a slot": Kind(2, ("local",), _kill("child")),
    "kill the runner": Kind(3, BLOCKS, _kill("runner")),
    "kill an agent": Kind(2, BLOCKS, _kill("agent")),
    "kill an agent's guard": Kind(1, BLOCKS, _kill("agent guard")),
    "kill a lane": Kind(2, BLOCKS, _kill("lane")),
    "kill a launcher": Kind(3, ("ssh",), _kill("launcher")),
    "kill the batch server": Kind(1, ("sandbox",), _kill("server")),
    "kill a batch job's warden": Kind(1, ("sandbox",), _kill("warden")),
    "delete a block": Kind(3, BLOCKS, delete_block),
    "start a block twice": Kind(2, ("sandbox",), block_twice),
    "a host loses power": Kind(2, ("ssh",), power_off),
    "fill the disk": Kind(2, ("local", "sandbox"), fill_disk),
    "a read-only folder": Kind(1, ("local", "sandbox"), read_only),
}
"""Faults while a driver runs, by name."""

BETWEEN: dict[str, Callable[[Trial], bool]] = {
    "delete outputs": delete_outputs,
    "old times": _times(lambda time, rng: time - rng.uniform(3600, 10**7)),
    "future times": _times(lambda time, rng: time + rng.uniform(60, 10**6)),
    "whole seconds": _times(lambda time, rng: float(int(time))),
    "tear the journal": tear_journal,
}
"""Faults while nothing runs, by name."""

FEW = "few descriptors"
"""A driver that may have only some files open."""


def drawn(rng: random.Random, place: str) -> str:
    """The name of a fault within a run."""
    names = [name for name, kind in WITHIN.items() if place in kind.places]
    return rng.choices(names, [WITHIN[name].weight for name in names])[0]
