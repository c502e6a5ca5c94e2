"""The state folder `.flowrules/`: made private, refused where it cannot be trusted or belongs to a newer program."""

from __future__ import annotations

import errno
import os
import stat as modes

from flowrules.errors import StateError
from flowrules.record.disk import STATE_FOLDER

FORMAT = 1
"""Version of everything in the state folder; a program refuses folders with a higher one."""

_IGNORE = "# flowrules keeps its records here\n*\n"


def state_folder(directory: str, *, create: bool) -> str | None:
    """Path of a directory's state folder, checked.

    Args:
        directory: the working directory.
        create: make it where it is missing, which also marks it with the format's version.

    Returns:
        The path; None where there is no folder and none was to be made.

    Raises:
        StateError: it is not ours, is no folder, was written by a newer program, or cannot be made.
    """
    path = STATE_FOLDER if directory == "." else f"{directory.rstrip('/')}/{STATE_FOLDER}"
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        if not create:
            return None
        _make(path, directory)
        status = os.lstat(path)
    except OSError as error:
        raise _unusable(path, error) from error
    if modes.S_ISLNK(status.st_mode):
        raise StateError(
            f"`{path}` is a symbolic link", "remove it: the state folder lies in the working directory itself"
        )
    if not modes.S_ISDIR(status.st_mode):
        raise StateError(f"`{path}` is no folder", "remove or rename it: flowrules keeps its records under this name")
    if status.st_uid != os.geteuid():
        raise StateError(
            f"`{path}` belongs to another user ({_user(status.st_uid)})",
            "work in a directory of your own, or ask its owner to remove the folder",
        )
    if status.st_mode & 0o022:
        _refuse_planted(path)
    _check_version(path)
    if create:
        try:
            if status.st_mode & 0o077:
                os.chmod(path, 0o700)
            _mark(path)
        except OSError as error:
            raise _unusable(path, error) from error
    return path


def require_own(fd: int, path: str) -> None:
    """Make sure that an open file is a regular one of this user's: what others wrote there is not to be believed.

    Raises:
        StateError: it is not.
    """
    status = os.fstat(fd)
    if not modes.S_ISREG(status.st_mode):
        raise StateError(f"`{path}` is no file", "remove it: flowrules keeps its records under this name")
    if status.st_uid != os.geteuid():
        raise _foreign(path, status.st_uid)


def _foreign(path: str, uid: int) -> StateError:
    hint = "somebody could write in this folder: remove the file, and what else there is not yours"
    return StateError(f"`{path}` belongs to another user ({_user(uid)})", hint)


def _refuse_planted(path: str) -> None:
    """A folder in which others may write may hold files of theirs, which they can still change when it is private."""
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                owner = entry.stat(follow_symlinks=False).st_uid
                if owner != os.geteuid():
                    raise _foreign(entry.path, owner)
    except OSError as error:
        raise _unusable(path, error) from error


def write_atomically(path: str, content: bytes) -> None:
    """Replace a small file as a whole, readable by its owner only; it is on disk when this returns.

    Raises:
        OSError: it cannot be written; the old file is as it was.
    """
    temporary = f"{path}.{os.getpid()}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(temporary, flags, 0o600)
    try:
        try:
            write_all(fd, content)
            os.fsync(fd)
        finally:
            os.close(fd)
        os.replace(temporary, path)
    except OSError:
        os.unlink(temporary)
        raise
    sync_folder(os.path.dirname(path) or ".")


def write_all(fd: int, content: bytes | bytearray) -> None:
    """Write all of a content, however many calls it takes.

    Raises:
        OSError: a part, perhaps none of it, was written.
    """
    written = os.write(fd, content)
    while written < len(content):
        written += os.write(fd, content[written:])


def sync_folder(path: str) -> None:
    """Have the names in a folder on disk; file systems that cannot do this for folders are let be."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EROFS):
            raise
    finally:
        os.close(fd)


def _make(path: str, directory: str) -> None:
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        return
    except FileNotFoundError as error:
        raise StateError(f"there is no directory `{directory}`", "make it, or choose another with `-d`") from error
    except OSError as error:
        raise _unusable(path, error) from error


def _mark(path: str) -> None:
    version = f"{path}/version"
    if not os.path.exists(version):
        write_atomically(version, f"{FORMAT}\n".encode())
        write_atomically(f"{path}/.gitignore", _IGNORE.encode())


def _check_version(path: str) -> None:
    try:
        with open(f"{path}/version", "rb") as file:
            text = file.read(64).decode("ascii", "replace").strip()
    except FileNotFoundError:
        return
    except OSError as error:
        raise _unusable(path, error) from error
    if not text.isascii() or not text.isdigit():
        raise StateError(
            f"`{path}/version` does not hold a version number",
            f"if nobody else writes there, remove `{path}`: this loses history, never outputs",
        )
    if int(text) > FORMAT:
        raise StateError(
            f"`{path}` was written by a newer flowrules (format {text}; this program knows {FORMAT})",
            f"update flowrules, or remove `{path}`: this loses history, never outputs",
        )


def _unusable(path: str, error: OSError) -> StateError:
    hint = None
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        hint = "flowrules needs to write in the working directory; `-n` (dry run) does not"
    elif error.errno in (errno.ENOSPC, errno.EDQUOT):
        hint = "make room, or raise the quota"
    return StateError(f"cannot use `{path}`: {(error.strerror or str(error)).lower()}", hint)


def _user(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
