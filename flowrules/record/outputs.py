"""What is done to the files of a job around its attempt: room made before, outputs looked at, kept or removed after.

Removing never follows a symbolic link: the link goes, what it points to stays. Every function that changes a path ends
the snapshot of the disk for it.
"""

from __future__ import annotations

import os
import shutil
import stat as modes
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from flowrules.errors import FlowrulesError
from flowrules.model.files import FileRecord, Stamp
from flowrules.model.values import NO_FLAGS, Flags
from flowrules.record.digest import DIGEST_LENGTH, sha256_file
from flowrules.record.disk import STATE_FOLDER, Disk

INCOMPLETE = ".incomplete"
"""Ending of what is kept of a failed job's outputs."""

HASH_LIMIT = 1 << 20
"""Bytes up to which content is compared, unless the user says otherwise."""


@dataclass(slots=True)
class Checked:
    """The outputs of an attempt that ended with status 0.

    Attributes:
        records: those that are there, as they are now.
        missing: paths that are not there, or not there yet on a slow file system: look again until patience ends.
        problems: what is wrong with others, in sentences for the user.
    """

    records: list[FileRecord] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether all outputs are there and as they were declared."""
        return not self.missing and not self.problems


def prepare(disk: Disk, outputs: Sequence[tuple[str, Flags]], logs: Iterable[str] = ()) -> None:
    """Make room for an attempt: the folders of outputs and logs exist, old ones are gone unless they are updated.

    Args:
        outputs: paths with their flags.
        logs: what is written while the attempt runs; they lie where flowrules keeps its own.

    Raises:
        FlowrulesError: it cannot be done, or an old output must not be removed. Outputs before it are gone by then.
    """
    for path, flags in outputs:
        _refuse_own(path)
        make_folder(disk, path)
        if not flags.update:
            remove_old(disk, path, flags)
    for path in logs:
        make_folder(disk, path)
        remove_old(disk, path, NO_FLAGS)
    disk.forget([path for path, _ in outputs])


def check_outputs(disk: Disk, outputs: Sequence[tuple[str, Flags]], hash_limit: int = HASH_LIMIT) -> Checked:
    """Look whether an attempt made what it promised; makes the outputs that are only to be touched.

    Absence is judged by listing the folder, as network file systems remember for a while that a name was absent. Old
    outputs were removed before the start, so what is there is new; times are not compared.

    Args:
        hash_limit: bytes up to which a file's record gets a digest.
    """
    checked = Checked()
    disk.forget([path for path, _ in outputs])
    for path, flags in outputs:
        if flags.touch:
            _touch(disk, path, checked)
        try:
            stamp = disk.stat(path) or look_again(disk, path)
        except FlowrulesError as error:
            checked.problems.append(error.message)
            continue
        if stamp is None:
            checked.missing.append(path)
        elif (problem := _wrong_kind(path, flags, stamp)) is not None:
            checked.problems.append(problem)
        else:
            record = _record(disk, path, stamp, hash_limit)
            checked.records.append(record)
            problem = _broken_promise(disk, record, flags)
            if problem is not None:
                checked.problems.append(problem)
    return checked


def look_again(disk: Disk, path: str) -> Stamp | None:
    """A look at a path that seems absent after its folder was listed, which ends what a client remembers of names."""
    location = disk.locate(path)
    folder, name = os.path.split(location)
    try:
        if name not in os.listdir(folder or "."):
            return None
    except OSError:
        return None
    disk.forget([path])
    return disk.stat(path)


def file_record(disk: Disk, path: str, hash_limit: int = HASH_LIMIT) -> FileRecord | None:
    """A file as it is in the disk's snapshot; None where it is absent.

    A folder has size 0, the time of the newest file below it, and a digest of names, sizes and times.

    Raises:
        FlowrulesError: the disk does not say whether it is there.
    """
    stamp = disk.stat(path)
    return None if stamp is None else _record(disk, path, stamp, hash_limit)


def remove(disk: Disk, path: str) -> bool:
    """Remove a file, a link, or a folder with all below it. Whether there was something.

    Raises:
        FlowrulesError: it cannot be removed, or must not be: the working directory, one above it, the home directory,
            or what flowrules itself keeps.
    """
    _refuse_own(path)
    location = disk.locate(path)
    try:
        status = os.lstat(location)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise _failed("remove", path, error) from error
    try:
        if modes.S_ISDIR(status.st_mode):
            _refuse_holy(disk, path)
            _remove_tree(location)
        else:
            os.unlink(location)
    except OSError as error:
        raise _failed("remove", path, error) from error
    finally:
        disk.forget([path])
    return True


def remove_outputs(disk: Disk, outputs: Sequence[tuple[str, Flags]]) -> list[str]:
    """Remove what a failed attempt left, but for files it was to update. What could not be removed, in sentences."""
    problems = []
    for path, flags in outputs:
        if not flags.update:
            try:
                remove(disk, path)
            except FlowrulesError as error:
                problems.append(error.message)
    return problems


def keep_aside(disk: Disk, path: str) -> str | None:
    """Rename what a failed attempt left to `NAME.incomplete`, in place of an older one. The new path, if there was any.

    Raises:
        FlowrulesError: it cannot be renamed.
    """
    _refuse_own(path)
    aside = path + INCOMPLETE
    location = disk.locate(path)
    if not os.path.lexists(location):
        return None
    if os.path.isdir(location) and not os.path.islink(location):
        _refuse_holy(disk, path)
    remove(disk, aside)
    try:
        os.rename(location, disk.locate(aside))
    except OSError as error:
        raise _failed("rename", path, error) from error
    finally:
        disk.forget([path, aside])
    return aside


def protect(disk: Disk, path: str) -> None:
    """Make a file read-only, or a folder with all below it.

    Raises:
        FlowrulesError: it cannot be done.
    """
    location = disk.locate(path)
    try:
        for entry in _whole_tree(location):
            mode = os.stat(entry).st_mode
            if mode & 0o222:
                os.chmod(entry, modes.S_IMODE(mode) & ~0o222)
    except OSError as error:
        raise _failed("protect", path, error) from error
    finally:
        disk.forget([path])


def set_times(disk: Disk, path: str, mtime_ns: int | None = None) -> None:
    """Give a file, or a folder and every file below it, a time of last change, by default now.

    Raises:
        FlowrulesError: it cannot be done.
    """
    times = None if mtime_ns is None else (mtime_ns, mtime_ns)
    try:
        for entry in _whole_tree(disk.locate(path)):
            os.utime(entry, ns=times) if times else os.utime(entry)
    except OSError as error:
        raise _failed("touch", path, error) from error
    finally:
        disk.forget([path])


def refuse_loss(disk: Disk, path: str) -> None:
    """Refuse an output whose removal no workflow can mean; for who cannot look at the time of the removal.

    Raises:
        FlowrulesError: it is, or holds, the working directory, the home directory, or what flowrules itself keeps.
    """
    _refuse_own(path)
    _refuse_holy(disk, path)


# ── before ───────────────────────────────────────────────────────────────────────────────────────────────────────


def make_folder(disk: Disk, path: str) -> None:
    """Have the folder of a path.

    Raises:
        FlowrulesError: it cannot be made.
    """
    folder = os.path.dirname(disk.locate(path))
    if not folder or os.path.isdir(folder):
        return
    try:
        os.makedirs(folder, exist_ok=True)
    except FileExistsError as error:
        raise FlowrulesError(
            f"cannot make the folder of `{path}`: a file has its name", "remove or rename the file"
        ) from error
    except OSError as error:
        raise _failed("make the folder of", path, error) from error
    disk.forget([path])


def remove_old(disk: Disk, path: str, flags: Flags) -> None:
    """Remove an output of an earlier attempt.

    Raises:
        FlowrulesError: it cannot be removed, or must not be.
    """
    location = disk.locate(path)
    if flags.protected and os.path.exists(location) and not os.stat(location).st_mode & 0o222:
        raise FlowrulesError(
            f"`{path}` is protected", f"if it is to be made anew, make it writable first: `chmod -R u+w {path}`"
        )
    if flags.directory:
        remove(disk, path)
        return
    try:
        os.unlink(location)
    except FileNotFoundError:
        pass
    except OSError as error:
        if os.path.isdir(location):
            raise FlowrulesError(
                f"the output `{path}` is a folder on disk",
                "declare it `directory(…)`, or remove the folder: only declared folders are removed by flowrules",
            ) from error
        raise _failed("remove the old", path, error) from error


# ── after ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _touch(disk: Disk, path: str, checked: Checked) -> None:
    try:
        location = disk.locate(path)
        if not os.path.isdir(location):
            os.close(os.open(location, os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC, 0o666))
        os.utime(location)
    except OSError as error:
        checked.problems.append(_failed("touch", path, error).message)
    disk.forget([path])


def _wrong_kind(path: str, flags: Flags, stamp: Stamp) -> str | None:
    if flags.directory:
        return None if stamp.kind == "d" else f"the output `{path}` is a file, but it is declared as `directory()`"
    if stamp.kind == "d":
        return f'the output `{path}` is a folder: declare it `directory("…")`'
    return None if stamp.kind == "f" else f"the output `{path}` is neither a file nor a folder"


def _record(disk: Disk, path: str, stamp: Stamp, hash_limit: int) -> FileRecord:
    if stamp.kind == "d":
        return FileRecord(path, 0, disk.tree_mtime_ns(path), disk.digest(path))
    digest = disk.digest(path) if stamp.size <= hash_limit else ""
    return FileRecord(path, stamp.size, stamp.mtime_ns, digest)


def _broken_promise(disk: Disk, record: FileRecord, flags: Flags) -> str | None:
    """What `ensure` asks for and the file is not."""
    path = record.path
    if flags.non_empty and (next(disk.files_below(path), None) is None if flags.directory else not record.size):
        return f"the output `{path}` is empty, but `ensure(…, non_empty=true)` asks for content"
    if flags.sha256 is not None and not flags.directory:
        wanted = flags.sha256.lower()
        if record.digest and record.digest != wanted[:DIGEST_LENGTH]:
            found = record.digest + "…"
        else:
            try:
                found = sha256_file(disk.locate(path))
            except OSError as error:
                return _failed("read", path, error).message
        if found != wanted:
            return f"the output `{path}` has the SHA-256 {found}, but `ensure(…, sha256=…)` asks for {wanted}"
    return None


# ── removing ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _refuse_own(path: str) -> None:
    if path == STATE_FOLDER or path.startswith(STATE_FOLDER + "/"):
        raise FlowrulesError(f"`{path}` lies in the state folder of flowrules", "choose another place for it")


def _refuse_holy(disk: Disk, path: str) -> None:
    """Refuse folders whose loss no workflow can mean."""
    location = os.path.abspath(disk.locate(path))
    real = os.path.join(os.path.realpath(os.path.dirname(location)), os.path.basename(location)).rstrip("/")
    directory = os.path.realpath(disk.locate("."))
    for holy, name in (
        (directory, "holds the working directory"),
        (os.path.realpath(os.path.expanduser("~")), "holds your home directory"),
    ):
        if holy == real or holy.startswith(real + "/"):
            raise FlowrulesError(f"`{path}` is not removed: it {name}", "an output lies below the working directory")
    state = f"{directory}/{STATE_FOLDER}"
    if real == state or real.startswith(state + "/"):
        _refuse_own(STATE_FOLDER)


def _remove_tree(location: str) -> None:
    """Remove a folder with all below it, also where folders in it are read-only."""
    try:
        shutil.rmtree(location)
    except PermissionError:
        for folder in _folders_below(location):
            with suppress(OSError):
                os.chmod(folder, 0o700)
        shutil.rmtree(location)
    except FileNotFoundError:  # something vanished while it was removed
        shutil.rmtree(location, ignore_errors=True)
        if os.path.lexists(location):
            raise


def _folders_below(location: str) -> Iterable[str]:
    """A folder and those below it, outermost first, so that each can be made readable before it is read."""
    yield location
    with suppress(OSError), os.scandir(location) as entries:
        for entry in list(entries):
            if entry.is_dir(follow_symlinks=False):
                yield from _folders_below(entry.path)


def _whole_tree(location: str) -> Iterable[str]:
    """A file; or a folder's files and folders, innermost first, without links and what they lead to."""
    if os.path.isdir(location):
        with os.scandir(location) as entries:
            for entry in list(entries):
                if not entry.is_symlink():
                    yield from _whole_tree(entry.path)
    yield location


def _failed(verb: str, path: str, error: OSError) -> FlowrulesError:
    return FlowrulesError(f"cannot {verb} `{path}`: {(error.strerror or str(error)).lower()}")
