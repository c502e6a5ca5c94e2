"""The folder of a sandbox: files through which its parts talk, and locks that the kernel drops with whoever held them.

    gate                 lock: submissions and the server's decision to end exclude each other
    server.lock          lock: held as long as the server lives
    sandbox.json         how many nodes there are
    jobs/N/job.json      what was submitted, written last of all files of a submission; `script` beside it
    jobs/N/lock          lock: held as long as the warden of the batch job lives
    jobs/N/started.json  where it runs
    jobs/N/why           why it waits
    jobs/N/cancel        somebody wants it ended
    jobs/N/end.json      how it ended; nothing of it runs any more

Server and wardens use the standard library only: they start in an interpreter without packages.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class SandboxJob:
    """A batch job as it was submitted.

    Attributes:
        walltime, grace: seconds it may run, and seconds from TERM to KILL.
        running: at most so many batch jobs of its queue run at once; None: as many as fit.
        mark: value of the run mark of its processes, unique.
        after: numbers of batch jobs that have to have ended before it starts.
        directory: where it starts; env: variables on top of those of the server.
        output, error: absolute paths, "" for a file in the sandbox and for the output.
    """

    number: int
    id: str
    name: str
    queue: str
    nodes: int
    walltime: float
    grace: float
    running: int | None
    mark: str
    argv: tuple[str, ...]
    directory: str
    env: Mapping[str, str]
    output: str
    error: str
    after: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class SandboxStart:
    """Where a batch job runs; pid and ticks are those of its script's process, 0 until it has started."""

    nodes: tuple[str, ...]
    pid: int = 0
    ticks: int = 0


@dataclass(frozen=True, slots=True)
class SandboxEnd:
    """How a batch job ended: its exit status as PBS counts them (None where it never ran), and a sentence."""

    exit: int | None
    detail: str = ""


class SandboxFolder:
    """Reads and writes the files; safe in any number of processes."""

    def __init__(self, path: str) -> None:
        self.path = os.path.abspath(path)
        self.jobs = os.path.join(self.path, "jobs")

    def make(self) -> None:
        """Make the folder, private to its owner."""
        os.makedirs(self.path, mode=0o700, exist_ok=True)
        os.makedirs(self.jobs, mode=0o700, exist_ok=True)

    def of(self, number: int, name: str = "") -> str:
        """Path of a file of a batch job."""
        return os.path.join(self.jobs, str(number), name)

    def numbers(self) -> list[int]:
        """Numbers of all batch jobs, those too of which the submission was not completed."""
        try:
            return sorted(int(name) for name in os.listdir(self.jobs) if name.isdecimal())
        except FileNotFoundError:
            return []

    def new_number(self) -> int:
        """A number that no other batch job has."""
        number = max(self.numbers(), default=0) + 1
        while True:
            try:
                os.mkdir(self.of(number), mode=0o700)
                return number
            except FileExistsError:
                number += 1

    def job(self, number: int) -> SandboxJob | None:
        """What was submitted; None where the submission was not completed."""
        data = self._read(number, "job.json")
        if data is None:
            return None
        return SandboxJob(**{**data, "argv": tuple(data["argv"]), "after": tuple(data.get("after", ()))})

    def start(self, number: int) -> SandboxStart | None:
        """Where it runs or ran; None where it has not started."""
        data = self._read(number, "started.json")
        return None if data is None else SandboxStart(tuple(data["nodes"]), data["pid"], data["ticks"])

    def end(self, number: int) -> SandboxEnd | None:
        """How it ended; None where it has not."""
        data = self._read(number, "end.json")
        return None if data is None else SandboxEnd(**data)

    def has(self, number: int, name: str) -> bool:
        """Whether a file of a batch job is there."""
        return os.path.exists(self.of(number, name))

    def why(self, number: int) -> str:
        """Why it waits, "" where nobody has said."""
        try:
            with open(self.of(number, "why"), encoding="utf-8") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def put(self, number: int, name: str, value: SandboxJob | SandboxStart | SandboxEnd | str) -> None:
        """Write a file of a batch job, whole or not at all."""
        text = value if isinstance(value, str) else json.dumps(asdict(value))
        write_whole(self.of(number, name), text)

    def nodes(self) -> int:
        """How many nodes there are."""
        with open(os.path.join(self.path, "sandbox.json"), encoding="utf-8") as file:
            return int(json.load(file)["nodes"])

    def set_nodes(self, nodes: int) -> None:
        """Say how many nodes there are."""
        write_whole(os.path.join(self.path, "sandbox.json"), json.dumps({"nodes": nodes}))

    @contextmanager
    def gate(self, limit: float = 30.0) -> Iterator[None]:
        """Within it no other process submits, and no server starts or ends.

        Raises:
            TimeoutError: another process has been within it for ``limit`` seconds.
        """
        end = time.monotonic() + limit
        while (fd := take(os.path.join(self.path, "gate"))) is None:
            if time.monotonic() > end:
                raise TimeoutError(f"another process does not leave {self.path}/gate")
            time.sleep(0.005)
        try:
            yield
        finally:
            os.close(fd)

    def take_server(self) -> int | None:
        """The lock of the server, a descriptor; None where another process has it. Call it within the gate."""
        return take(os.path.join(self.path, "server.lock"))

    def server_lives(self) -> bool:
        """Whether there is a server. Call it within the gate."""
        fd = self.take_server()
        if fd is not None:
            os.close(fd)
        return fd is None

    def take_warden(self, number: int) -> int | None:
        """The lock of the warden of a batch job, a descriptor; None where another process has it."""
        return take(self.of(number, "lock"))

    def _read(self, number: int, name: str) -> dict[str, Any] | None:
        try:
            with open(self.of(number, name), encoding="utf-8") as file:
                found: dict[str, Any] = json.load(file)
        except FileNotFoundError:
            return None
        return found


def take(path: str) -> int | None:
    """A lock, as a descriptor that holds it until it is closed; None where another process has it.

    The file says who took it last, for people.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    os.pwrite(fd, b"%-10d\n" % os.getpid(), 0)
    return fd


def write_whole(path: str, text: str) -> None:
    """Write a file so that whoever reads it sees all of it or none."""
    part = f"{path}.{os.getpid()}"
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(fd, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(part, path)


def start_ticks(pid: int) -> int:
    """When a process started, in the kernel's ticks: with its number it names a process for ever. 0 where unknown."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return 0
