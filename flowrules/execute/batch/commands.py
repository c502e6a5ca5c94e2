"""Asks the commands of a batch system, each within a time limit, and takes whatever they say."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from flowrules.errors import BatchError

_LONGEST_WORDS = 400
_USAGE = re.compile(r"^\s*usage\b", re.IGNORECASE)
_SLICE = 0.5
"""Seconds between two looks at what else there is to do while a command is waited for."""


class _Unwanted(Exception):
    """A command is not waited for any longer."""


@dataclass(slots=True)
class Meanwhile:
    """What is done while a command is waited for, which may hang: `call` says whether to give it up.

    It is filled in when there is a driver that has something to do.
    """

    call: Callable[[], bool] = lambda: False


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


def ask(
    argv: Sequence[str],
    *,
    limit: float,
    text: str = "",
    directory: str | None = None,
    env: Mapping[str, str] | None = None,
    meanwhile: Meanwhile | None = None,
) -> Answer:
    """Run a command to its end.

    Its streams are files: one that leaves a process behind, as `qsub` does, keeps nobody waiting.

    Args:
        limit: seconds after which it is killed.
        text: what it reads.
        meanwhile: is called now and then, and may end it earlier.

    Raises:
        BatchError: it is not there (final), cannot be started now, did not end in time, or was given up.
    """
    name = os.path.basename(argv[0])
    try:
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            given.write(text.encode("utf-8", "surrogateescape"))
            given.seek(0)
            fds = given.fileno(), out.fileno(), err.fileno()
            status = _run(argv, limit, directory, env, fds, meanwhile or Meanwhile())
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
    except _Unwanted as error:
        raise BatchError(f"`{name}` was not waited for any longer") from error


def _run(
    argv: Sequence[str],
    limit: float,
    directory: str | None,
    env: Mapping[str, str] | None,
    fds: tuple[int, int, int],
    meanwhile: Meanwhile,
) -> int:
    given, out, err = fds
    process = subprocess.Popen(
        argv, stdin=given, stdout=out, stderr=err, cwd=directory, env=env, start_new_session=True
    )
    end = time.monotonic() + limit
    try:
        while (left := end - time.monotonic()) > _SLICE:
            with suppress(subprocess.TimeoutExpired):
                return process.wait(_SLICE)
            if meanwhile.call():
                raise _Unwanted
        return process.wait(max(0.0, left))
    except BaseException:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(5.0)  # longer only where it hangs in the kernel
        raise


def _telling(text: str, program: str) -> list[str]:
    return list(_until_usage(text, re.compile(rf"^{re.escape(program)}(: error)?: +")))


def _until_usage(text: str, prefix: re.Pattern[str]) -> Iterator[str]:
    for line in text.splitlines():
        if _USAGE.match(line):
            return
        if line.strip():
            yield prefix.sub("", line.strip())
