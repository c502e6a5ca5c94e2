"""Writes a file of a user in one step, so that a crash leaves the old or the new one."""

from __future__ import annotations

import os
import stat
import tempfile

from flowrules.errors import FlowrulesError


def replace_file(path: str, text: str) -> None:
    """Write a text. A file that was there keeps its mode, a new one is readable by its owner only.

    Raises:
        FlowrulesError: it cannot be written.
    """
    target = os.path.realpath(path)
    try:
        mode = os.stat(target).st_mode if os.path.exists(target) else stat.S_IFREG | 0o600
        if not stat.S_ISREG(mode):  # a pipe or a terminal is written to, not replaced
            with open(target, "w", encoding="utf-8", newline="") as file:
                file.write(text)
            return
        fd, temporary = tempfile.mkstemp(dir=os.path.dirname(target), prefix=".flowrules-")
        try:
            with open(fd, "w", encoding="utf-8", newline="") as file:
                file.write(text)
            os.chmod(temporary, mode & 0o7777)
            os.replace(temporary, target)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise FlowrulesError(f"`{path}` cannot be written: {(error.strerror or str(error)).lower()}") from None
