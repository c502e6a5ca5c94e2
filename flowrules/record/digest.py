"""Digests of what lies on disk, and the one way in which files of a workflow are opened."""

from __future__ import annotations

import errno
import hashlib
import os
import stat as modes

DIGEST_LENGTH = 32
"""Hexadecimal digits of a digest: 128 bits of SHA-256, the fastest of hashlib on processors of this decade."""

_CHUNK = 1 << 20
_PAGE = 4096


def open_regular(location: str) -> tuple[int, int]:
    """Open a regular file for reading without ever blocking.

    Returns:
        Descriptor and size in bytes.

    Raises:
        OSError: it cannot be opened or is a folder, pipe, device or socket.
    """
    try:
        fd = os.open(location, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except ValueError as error:
        raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), location) from error
    status = os.fstat(fd)
    mode = status.st_mode
    if not modes.S_ISREG(mode):
        os.close(fd)
        if modes.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), location)
        raise OSError(errno.EINVAL, "not a regular file", location)
    return fd, status.st_size


def digest_file(location: str) -> str:
    """Digest of a regular file's content.

    Raises:
        OSError: it cannot be read.
    """
    return sha256_file(location)[:DIGEST_LENGTH]


def sha256_file(location: str) -> str:
    """SHA-256 of a regular file's content, hexadecimal.

    Raises:
        OSError: it cannot be read.
    """
    fd, size = open_regular(location)
    try:
        first = os.read(fd, min(size + 1, _CHUNK))  # one byte more than there should be: less is the end of the file
        running = hashlib.sha256(first)
        while len(first) != size and (chunk := os.read(fd, min(max(size, _PAGE), _CHUNK))):
            running.update(chunk)
    finally:
        os.close(fd)
    return running.hexdigest()


def digest_tree(location: str) -> tuple[str, int]:
    """Digest of the names, sizes and times of all files below a folder, and the time of the newest.

    A symbolic link counts with where it points to and is not followed. Folders count only through the files in them.
    """
    running = hashlib.sha256()
    newest = 0
    folders = [("", location)]
    while folders:
        prefix, place = folders.pop()
        files: list[str] = []  # names only: there may be a million
        below: list[str] = []
        try:
            with os.scandir(place) as entries:
                for entry in entries:
                    (below if entry.is_dir(follow_symlinks=False) else files).append(entry.name)
        except OSError as error:
            running.update(f"{prefix}\0unreadable {error.errno}\n".encode("utf-8", "surrogateescape"))
            continue
        for name in sorted(files):
            path = os.path.join(place, name)
            try:
                status = os.lstat(path)
                target = os.readlink(path) if modes.S_ISLNK(status.st_mode) else ""
            except FileNotFoundError:
                continue
            newest = max(newest, status.st_mtime_ns)
            line = f"{prefix}{name}\0{status.st_size}\0{status.st_mtime_ns}\0{target}\n"
            running.update(line.encode("utf-8", "surrogateescape"))
        folders.extend((f"{prefix}{name}/", os.path.join(place, name)) for name in sorted(below, reverse=True))
    return running.hexdigest()[:DIGEST_LENGTH], newest
