"""Who holds a directory: written down when it is taken, and asked whether it still lives."""

from __future__ import annotations

import json
import os
import platform
import time
from dataclasses import dataclass

import msgspec

ENDED = b"\nended\n"
"""How the file of an owner that ended in order ends."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Who holds a directory.

    Attributes:
        started: when the process started, in the unit and from the origin of its host; "" where the host does not say.
        boot: which start of the host it was; "" where the host does not say.
        since: seconds since the epoch, by the clock of its host.
    """

    host: str
    pid: int
    started: str = ""
    boot: str = ""
    run: str = ""
    user: str = ""
    command: str = ""
    since: float = 0.0

    @classmethod
    def here(cls, run: str = "", command: str = "", since: float | None = None) -> Owner:
        """This process."""
        import getpass

        try:
            user = getpass.getuser()
        except (OSError, KeyError):
            user = f"uid {os.geteuid()}"
        started = _process_started(os.getpid()) or ""
        now = time.time() if since is None else since
        return cls(platform.node(), os.getpid(), started, _boot_id(), run, user, command, now)

    def alive(self) -> bool:
        """Whether the process runs, for an owner on this host."""
        if self.boot != _boot_id():
            return False
        if self.started:
            return _process_started(self.pid) == self.started
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        return True


def is_local(owner: Owner) -> bool:
    """Whether an owner's process is, or was, a process of this host as this process sees it."""
    return owner.host == platform.node()


def shares_kernel(owner: Owner) -> bool:
    """Whether an owner runs, or ran, under this kernel, perhaps in another container: file locks reach it."""
    return owner.boot != "" and owner.boot == _boot_id()


def lives_here(owner: Owner) -> bool:
    """Whether an owner is another process of this host that runs; the lock file may have been removed under it."""
    return is_local(owner) and owner.pid != os.getpid() and owner.alive()


def describe(owner: Owner | None) -> str:
    """An owner in words."""
    if owner is None:
        return "its name is not known yet"
    try:
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(owner.since))
    except (OverflowError, ValueError, OSError):  # its file is damaged
        since = "at a time that no clock shows"
    user = f" by {owner.user}" if owner.user else ""
    command = f": `{owner.command}`" if owner.command else ""
    return f"process {owner.pid} on {owner.host}, started {since}{user}{command}"


def read_owner(place: str) -> tuple[Owner | None, bool, int]:
    """The owner of a number, whether it ended in order, and the size of its file; opened anew, as NFS wants it."""
    try:
        with open(f"{place}/owner", "rb") as file:
            content = file.read()
    except OSError:
        return None, False, 0
    ended = content.endswith(ENDED)
    try:
        said, _ = json.JSONDecoder().raw_decode(content.decode("utf-8", "replace"))
        return msgspec.convert(said, Owner), ended, len(content)
    except ValueError:
        return None, ended, len(content)


def _boot_id() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def _process_started(pid: int) -> str | None:
    """When a process started, in clock ticks since the host did; None where it is dead, a zombie, or not told."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            status = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if status[0] in (b"Z", b"X") else status[19].decode()
