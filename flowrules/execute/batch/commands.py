"""Asks the commands of a batch system, each within a time limit, and takes whatever they say; nobody stands still."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from flowrules.errors import BatchError
from flowrules.ports import Waiting

_LONGEST_WORDS = 400
_USAGE = re.compile(r"^\s*usage\b", re.IGNORECASE)
_FIRST_LOOK, _LAST_LOOK = 0.01, 0.2
"""Seconds between two looks whether a command has ended, soon after it began and later."""

_REAPED = 1.0
"""Seconds in which a command that was killed is gone, unless it hangs in the kernel."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command said: its exit status (negative: the signal that ended it), output and errors.

    What is not UTF-8 in them has become replacement characters.
    """

    status: int
    out: str
    err: str

    def lines(self) -> list[str]:
        """Lines of the output that are not empty, without space around them."""
        return [line.strip() for line in self.out.splitlines() if line.strip()]

    def words(self, program: str) -> str:
        """What it said of an error, in one line for people: without its own name, help and control characters."""
        said = "; ".join(_telling(self.err, program) or _telling(self.out, program))
        said = "".join(c if c.isprintable() else "�" for c in said)
        return said if len(said) <= _LONGEST_WORDS else said[: _LONGEST_WORDS - 1] + "…"


def asking(
    argv: Sequence[str],
    *,
    limit: float,
    text: str = "",
    directory: str | None = None,
    env: Mapping[str, str] | None = None,
) -> Waiting[Answer]:
    """Run a command to its end, while whoever asks does other things. Given up, it is killed.

    Its streams are files: one that leaves a process behind, as `qsub` does, keeps nobody waiting.

    Args:
        limit: seconds after which it is killed.
        text: what it reads.

    Raises:
        BatchError: it is not there (final), cannot be started now, or did not end in time.
    """
    name = os.path.basename(argv[0])
    try:
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            given.write(text.encode("utf-8", "surrogateescape"))
            given.seek(0)
            process = subprocess.Popen(
                argv, stdin=given, stdout=out, stderr=err, cwd=directory, env=env, start_new_session=True
            )
            status = yield from _waiting(process, limit)
            out.seek(0)
            err.seek(0)
            return Answer(status, out.read().decode("utf-8", "replace"), err.read().decode("utf-8", "replace"))
    except FileNotFoundError as error:
        raise BatchError(
            f"there is no command `{name}` here",
            "run on a login node of the machine, or with `--sandbox`",
            final=True,
        ) from error
    except OSError as error:
        raise BatchError(f"`{name}` could not be started: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise BatchError(f"`{name}` did not answer within {limit:g}s") from error


def _waiting(process: subprocess.Popen[bytes], limit: float) -> Waiting[int]:
    end, pause = time.monotonic() + limit, _FIRST_LOOK
    try:
        while (status := process.poll()) is None:
            left = end - time.monotonic()
            if left <= 0:
                raise subprocess.TimeoutExpired(process.args, limit)
            yield min(pause, left)
            pause = min(2 * pause, _LAST_LOOK)
        return status
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            with suppress(subprocess.TimeoutExpired):
                process.wait(_REAPED)


def _telling(text: str, program: str) -> list[str]:
    return list(_until_usage(text, re.compile(rf"^{re.escape(program)}(: error)?: +")))


def _until_usage(text: str, prefix: re.Pattern[str]) -> Iterator[str]:
    for line in text.splitlines():
        if _USAGE.match(line):
            return
        if line.strip():
            yield prefix.sub("", line.strip())
