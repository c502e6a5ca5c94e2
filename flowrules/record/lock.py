"""One driver per directory: a file lock on one host, numbered ownership across hosts.

A driver holds the file lock `.flowrules/lock` and owns the highest number below `.flowrules/driver/`, which it took
by `mkdir`: that succeeds for one of any number of contenders, on every file system. In the folder of its number lies
the file `owner`: a line of JSON that says who it is, a byte for each beat, and the word `ended` if it ended in order.

- The file lock is free and the last owner was on this host: it is dead, however it died.
- The file lock is held and its owner is dead: what it left behind is ending its jobs, and is waited for.
- The last owner was on another host: it is dead when its file has not grown for a while by *my* clock.

The descriptor of the lock is not inherited by programs that jobs run; a guard process that was forked keeps it.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict

from flowrules.errors import DirectoryHeld, StateError
from flowrules.record.numbered import highest
from flowrules.record.owner import ENDED, Owner, describe, is_local, lives_here, read_owner, shares_kernel
from flowrules.record.state import state_folder, sync_folder, write_all, write_atomically

BEAT_SECONDS = 10.0
"""How often a driver beats."""

SILENCE_SECONDS = 60.0
"""For how long the owner on another host must have been silent to count as dead."""

GUARD_SECONDS = 15.0
"""How long a dead driver's guard may take to end its jobs."""

FRESH_SECONDS = 5.0
"""For how long a look whether another driver took over is good enough; much less than `SILENCE_SECONDS`."""

_POLL_SECONDS = 0.05
_KEPT = 20


class HeldLock:
    """A directory that is held. Made by `acquire`.

    Attributes:
        owner: this driver.
        number: of its ownership; numbers only go up.
        previous: the last owner where it did not end in order, so that what it left behind is to be swept; else None.
    """

    def __init__(self, fd: int, place: str, number: int, owner: Owner, previous: Owner | None) -> None:
        self.owner = owner
        self.number = number
        self.previous = previous
        self._fd = fd
        self._place = place
        self._looked = time.monotonic()

    def fileno(self) -> int:
        """Descriptor of the file lock; the lock lasts as long as a forked process keeps it open."""
        return self._fd

    def beat(self) -> None:
        """Show drivers on other hosts that this one lives; to be called every `BEAT_SECONDS`.

        A full disk takes no beat, and ends no run: it is told by what has to be written.

        Raises:
            DirectoryHeld: another driver took the directory over: this one must end its jobs and write nothing more.
            StateError: the state folder is gone or cannot be written.
        """
        self.look()
        try:
            _append(f"{self._place}/owner", b".")
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                return
            reason = (error.strerror or str(error)).lower()
            raise StateError(f"cannot write `{self._place}/owner`: {reason}") from error

    def look(self) -> None:
        """Look whether this driver is still in charge; to be called before anything is told to blocks.

        Raises:
            DirectoryHeld: another driver took the directory over.
        """
        drivers = os.path.dirname(self._place)
        number = highest(drivers)
        if number > self.number:
            taker = read_owner(_place(drivers, number))[0]
            raise DirectoryHeld(f"another flowrules took over this directory: {describe(taker)}", "this run ends")
        self._looked = time.monotonic()

    def look_again(self) -> None:
        """Look, unless that was a moment ago: whoever was stopped for long does not write before.

        Raises:
            DirectoryHeld: another driver took the directory over.
        """
        if time.monotonic() - self._looked > FRESH_SECONDS:
            self.look()

    def release(self) -> None:
        """Give the directory up, in order. May be called twice."""
        if self._fd < 0:
            return
        with contextlib.suppress(OSError):
            _append(f"{self._place}/owner", ENDED)
        _unlock(self._fd)
        os.close(self._fd)
        self._fd = -1

    def __enter__(self) -> HeldLock:
        return self

    def __exit__(self, *exception: object) -> None:
        self.release()


def acquire(
    directory: str,
    owner: Owner,
    *,
    wait: float = 0.0,
    tell: Callable[[str], None] = lambda message: None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> HeldLock:
    """Hold a directory, which makes its state folder.

    Args:
        directory: the working directory.
        owner: this driver, see `Owner.here`.
        wait: seconds to wait for another driver to end.
        tell: is told, in a sentence, when something is waited for.

    Raises:
        DirectoryHeld: another driver holds it.
        StateError: the state folder cannot be used.
    """
    folder = state_folder(directory, create=True)
    assert folder is not None
    patience = _Patience(wait, tell, clock, sleep)
    fd = _open_lock(folder)
    try:
        while (locked := _try_lock(fd)) is False or not os.fstat(fd).st_nlink:
            if locked is False:
                patience.for_lock(_last_owner(f"{folder}/driver"))
            fd = _reopened(fd, folder)
        place, number, previous = _take_number(f"{folder}/driver", owner, patience, by_lock=bool(locked))
    except OSError as error:
        os.close(fd)
        reason = (error.strerror or str(error)).lower()
        raise StateError(f"cannot hold `{folder}`: {reason}") from error
    except BaseException:
        os.close(fd)
        raise
    return HeldLock(fd, place, number, owner, previous)


def _take_number(drivers: str, owner: Owner, patience: _Patience, *, by_lock: bool) -> tuple[str, int, Owner | None]:
    """Own the next number: its folder, the number, and the last owner where it did not end in order.

    Args:
        by_lock: the file lock is held; so nobody else under this kernel lives as an owner.
    """
    while True:
        os.makedirs(drivers, mode=0o700, exist_ok=True)
        number = highest(drivers)
        last, ended, _ = read_owner(_place(drivers, number))
        if number and not ended:
            if last is None or not (by_lock and shares_kernel(last)) or is_local(last):
                patience.for_owner(_place(drivers, number), last)
            last, ended, _ = read_owner(_place(drivers, number))
        place = _place(drivers, number + 1)
        try:
            os.mkdir(place, 0o700)
        except FileExistsError:
            continue
        write_atomically(f"{place}/owner", json.dumps(asdict(owner)).encode())
        sync_folder(drivers)
        _prune(drivers, number + 1)
        return place, number + 1, None if ended else last


def unlock(directory: str) -> Owner | None:
    """Declare the last driver of a directory dead, so that the next one does not wait for it.

    Returns:
        The driver that was declared dead; None where there was none.

    Raises:
        DirectoryHeld: it runs on this host, or a process it left behind does.
        StateError: the state folder cannot be used.
    """
    folder = state_folder(directory, create=False)
    if folder is None:
        return None
    drivers = f"{folder}/driver"
    owner = _last_owner(drivers)
    fd = _open_lock(folder)
    try:
        if _try_lock(fd) is False:
            if owner is None or is_local(owner):
                raise _held(owner, "dead" if owner and not owner.alive() else "alive")
            os.unlink(f"{folder}/lock")
        elif owner is not None and lives_here(owner):
            raise _held(owner, "alive")
        if owner is not None:
            _append(f"{_place(drivers, highest(drivers))}/owner", ENDED)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise StateError(f"cannot unlock `{folder}`: {reason}") from error
    finally:
        os.close(fd)
    return owner


def holder(directory: str) -> Owner | None:
    """The driver that was the last to hold a directory and did not end in order: it runs, or it was killed.

    Raises:
        StateError: the state folder cannot be used.
    """
    folder = state_folder(directory, create=False)
    return None if folder is None else _last_owner(f"{folder}/driver")


class _Patience:
    """What is waited for, and for how long."""

    def __init__(
        self,
        wait: float,
        tell: Callable[[str], None],
        clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._tell_all = tell
        self._told: set[str] = set()
        self._wait = wait
        self._since = clock()
        self._dead_since: float | None = None

    def for_lock(self, owner: Owner | None) -> None:
        """Wait a moment for the file lock."""
        now = self._clock()
        dead = owner is None or (is_local(owner) and not owner.alive())
        if not dead:
            self._dead_since = None
            if now - self._since >= self._wait:
                raise _held(owner, "alive")
            self._tell(f"waiting for another flowrules to end: {describe(owner)}")
        else:
            self._dead_since = now if self._dead_since is None else self._dead_since
            if now - self._dead_since >= max(GUARD_SECONDS, self._wait - (self._dead_since - self._since)):
                raise _held(owner, "dead")
            if now - self._dead_since >= 1.0:
                self._tell(f"waiting for what a killed flowrules left behind to end: {describe(owner)}")
        self._sleep(_POLL_SECONDS)

    def for_owner(self, place: str, owner: Owner | None) -> None:
        """Wait until the last owner, which did not end in order, is known to be dead.

        An ownership without a name was taken a moment ago, or its owner died in that moment.
        """
        if owner is not None and is_local(owner):
            while lives_here(owner):
                if self._clock() - self._since >= self._wait:
                    raise _held(owner, "alive")
                self._tell(f"waiting for another flowrules to end: {describe(owner)}")
                self._sleep(_POLL_SECONDS)
            return
        silence = SILENCE_SECONDS if owner is not None else 2.0
        size = read_owner(place)[2]
        silent_since = self._clock()
        while self._clock() - silent_since < silence:
            self._tell(
                f"the last flowrules in this directory did not end in order: {describe(owner)}; "
                f"listening for {silence:.0f}s whether it lives (`flowrules unlock` skips this)"
            )
            self._sleep(min(1.0, silence / 10))
            _, ended, grown = read_owner(place)
            if ended:
                return
            if grown != size:
                if self._clock() - self._since >= self._wait:
                    raise _held(read_owner(place)[0], "alive")
                size, silent_since = grown, self._clock()

    def _tell(self, message: str) -> None:
        if message not in self._told:
            self._told.add(message)
            self._tell_all(message)


def _held(owner: Owner | None, state: str) -> DirectoryHeld:
    if state == "dead":
        return DirectoryHeld(
            f"what a killed flowrules left behind still holds this directory: {describe(owner)}",
            "end its jobs; `fuser .flowrules/lock` names the process that holds on",
        )
    hint = "wait until it has ended, or end it"
    if owner is not None:
        there = "" if is_local(owner) else f" on {owner.host}"
        hint += f": `kill {owner.pid}`{there}"
    return DirectoryHeld(f"another flowrules works in this directory: {describe(owner)}", hint)


# ── the numbered folders ─────────────────────────────────────────────────────────────────────────────────────────


def _place(drivers: str, number: int) -> str:
    return f"{drivers}/{number:06d}"


def _last_owner(drivers: str) -> Owner | None:
    owner, ended, _ = read_owner(_place(drivers, highest(drivers)))
    return None if ended else owner


def _prune(drivers: str, number: int) -> None:
    """Remove old numbers; the highest always stays, so none is used twice."""
    with contextlib.suppress(OSError):
        for name in os.listdir(drivers):
            if name.isascii() and name.isdigit() and int(name) <= number - _KEPT:
                shutil.rmtree(f"{drivers}/{name}", ignore_errors=True)


def _append(path: str, content: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        write_all(fd, content)
    finally:
        os.close(fd)


# ── the file lock ────────────────────────────────────────────────────────────────────────────────────────────────


def _open_lock(folder: str) -> int:
    try:
        return os.open(f"{folder}/lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise StateError(f"cannot open `{folder}/lock`: {reason}") from error


def _reopened(fd: int, folder: str) -> int:
    """The lock file anew where `unlock` removed it meanwhile."""
    if os.fstat(fd).st_nlink:
        return fd
    anew = _open_lock(folder)
    os.close(fd)
    return anew


def _try_lock(fd: int) -> bool | None:
    """Whether the file lock was got; None on a file system without such locks, where the numbers decide alone."""
    from filelock import lock_descriptor

    try:
        return lock_descriptor(fd, blocking=False)
    except OSError:
        return None


def _unlock(fd: int) -> None:
    from filelock import unlock_descriptor

    with contextlib.suppress(OSError):
        unlock_descriptor(fd)
