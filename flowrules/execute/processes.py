"""Finds and ends the processes of a run by the marks in their environment, wherever they hid.

Every process of a job carries two variables, inherited by whatever it starts:

    FLOWRULES_RUN=<run>            FLOWRULES_ATTEMPT=J<job>.<attempt>

A run inside a job of another run appends its own, so the values are chains: `outer:inner` and `J5.1:J17.2`.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Collection
from contextlib import suppress

RUN = "FLOWRULES_RUN"
ATTEMPT = "FLOWRULES_ATTEMPT"
_RUN_FIELD = RUN.encode() + b"="
_ATTEMPT_FIELD = ATTEMPT.encode() + b"="


def chained(variable: str, value: str) -> str:
    """The value of a mark for processes started here, below a run that may itself be a job of another."""
    outer = os.environ.get(variable)
    return f"{outer}:{value}" if outer else value


def find(run: str, attempts: Collection[str] | None = None) -> list[int]:
    """Processes of a run, or of some of its attempts (such as ``J17.2``), this process and the dead left out.

    Empty where there is no /proc: there only process groups can be ended.
    """
    try:
        names = os.listdir("/proc")
    except OSError:
        return []
    me = os.getpid()
    return [int(n) for n in names if n.isdigit() and int(n) != me and _is_marked(n, run, attempts)]


def send(pids: Collection[int], number: int, run: str, attempts: Collection[str] | None = None) -> None:
    """Signal processes that `find` found, each looked at once more so that a reused number is not hit."""
    for pid in pids:
        if not hasattr(os, "pidfd_open"):
            _quietly_kill(pid, number)
            continue
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        except OSError:
            _quietly_kill(pid, number)
            continue
        try:
            if _is_marked(str(pid), run, attempts):
                signal.pidfd_send_signal(fd, number)
        except OSError:
            pass
        finally:
            os.close(fd)


def sweep(run: str, attempts: Collection[str] | None = None, *, limit: float = 10.0) -> int:
    """Kill what is left of a run, or of some of its attempts, until nothing is.

    A process may start another while it is being looked for, so it takes two looks without a find to be done.

    Args:
        limit: seconds after which it gives up on processes that do not die (they hang in the kernel).

    Returns:
        How many processes were killed.
    """
    killed: set[int] = set()
    clean = 0
    end = time.monotonic() + limit
    while clean < 2 and time.monotonic() < end:
        found = find(run, attempts)
        send(found, signal.SIGKILL, run, attempts)
        killed.update(found)
        clean = 0 if found else clean + 1
        if found:
            time.sleep(0.005)
    return len(killed)


def signal_group(group: int, number: int) -> bool:
    """Signal a process group; whether there is one. Group 0, this process's own, is never meant."""
    if group <= 0:
        return False
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def group_lives(group: int) -> bool:
    """Whether a process group has a process that is not dead; a zombie whose parent forgot it does not count."""
    if not signal_group(group, 0):
        return False
    try:
        names = os.listdir("/proc")
    except OSError:
        return True
    return any(n.isdigit() and _lives_in(n, group) for n in names)


def _lives_in(name: str, group: int) -> bool:
    try:
        with open(f"/proc/{name}/stat", "rb") as file:
            state, _, of = file.read().rpartition(b")")[2].split(None, 3)[:3]
    except (OSError, ValueError):
        return False
    return int(of) == group and state not in (b"Z", b"X")


def _is_marked(name: str, run: str, attempts: Collection[str] | None) -> bool:
    try:
        fd = os.open(f"/proc/{name}/environ", os.O_RDONLY)
    except OSError:
        return False
    try:
        data = b""
        while chunk := os.read(fd, 1 << 20):
            data += chunk
    except OSError:
        return False
    finally:
        os.close(fd)
    if _RUN_FIELD not in data:
        return False
    runs: list[str] = []
    tries: list[str] = []
    for field in data.split(b"\0"):
        if field.startswith(_RUN_FIELD):
            runs = os.fsdecode(field[len(_RUN_FIELD) :]).split(":")
        elif field.startswith(_ATTEMPT_FIELD):
            tries = os.fsdecode(field[len(_ATTEMPT_FIELD) :]).split(":")
    if attempts is None:
        return run in runs
    return any(r == run and t in attempts for r, t in zip(runs, tries, strict=False))


def _quietly_kill(pid: int, number: int) -> None:
    with suppress(OSError):
        os.kill(pid, number)
