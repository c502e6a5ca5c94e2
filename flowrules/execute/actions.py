"""How an action becomes a process: its argument list, its variables, its private files."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field

from flowrules.jobdoc import VARIABLE
from flowrules.model.order import Order
from flowrules.model.rule import RunAction, ScriptAction, ShellAction, TemplateAction

NOT_FOUND = 127
NOT_STARTED = 126
"""Exit statuses of attempts that never began, as shells give them."""

_LONGEST_ARGUMENT = 100_000
"""Bytes up to which a command is one argument; Linux refuses 128 KiB and more."""

_POSIX_SHELLS = ("bash", "sh", "dash", "zsh", "ksh", "ash", "mksh")
_CHILD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "child.py")
_RUNNERS = {
    ".py": (),
    ".R": ("Rscript", "R scripts need R"),
    ".r": ("Rscript", "R scripts need R"),
    ".jl": ("julia", "Julia scripts need Julia"),
    ".sh": ("bash", "shell scripts need bash"),
}


class CannotStart(Exception):
    """An attempt that cannot begin.

    Args:
        message: why, for the user.
        exit: the exit status to report.
    """

    def __init__(self, message: str, exit: int = NOT_STARTED) -> None:
        super().__init__(message)
        self.exit = exit


@dataclass(frozen=True, slots=True)
class Launch:
    """A process to be started.

    Attributes:
        argv: the program, as an absolute path or relative to the working directory, and its arguments.
        env: variables on top of those of the order.
        files: private files to be removed when it has ended.
        long: it may start programs with very long argument lists, and needs the stack limit raised for that.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    long: bool = False


class Scratch:
    """A private folder for what a job is handed as a file; made when first needed, unless it is given."""

    def __init__(self, folder: str = "") -> None:
        self.folder = folder

    def write(self, name: str, data: bytes) -> str:
        """Make a file that only this user can read; returns its path.

        Raises:
            CannotStart: it cannot be written.
        """
        try:
            if not self.folder:
                self.folder = tempfile.mkdtemp(prefix="flowrules-")
            path = os.path.join(self.folder, name)
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with open(fd, "wb") as file:
                file.write(data)
        except OSError as error:
            raise CannotStart(f"a private file for the job cannot be written: {reason(error)}") from error
        return path

    def close(self) -> None:
        """Remove the folder with all that is in it."""
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder = ""


class Preparer:
    """Makes launches; remembers where programs are.

    Args:
        python: the interpreter of scripts, run blocks and templates.
        scratch: where private files go.
    """

    def __init__(self, python: str, scratch: Scratch) -> None:
        self._python = python
        self._scratch = scratch
        self._programs: dict[tuple[str, str], str] = {}

    def prepare(self, order: Order) -> Launch:
        """What to start for an order that is not a `call`.

        Raises:
            CannotStart: a program is missing, or a private file cannot be written.
        """
        action = order.action
        if isinstance(action, ShellAction):
            return self._shell(order)
        if isinstance(action, ScriptAction):
            return self._script(order, action.path)
        if isinstance(action, RunAction):
            request = {"text": action.text, "file": action.file, "first_line": action.first_line, "shell": order.shell}
            return self._python_child(order, "run", request)
        if isinstance(action, TemplateAction):
            return self._python_child(order, "template", {"path": action.path})
        raise TypeError(f"no process for {action!r}")

    def _shell(self, order: Order) -> Launch:
        program = self.program(order.shell[0], order)
        command = order.command
        if "\0" in command:
            raise CannotStart("the command holds a NUL character, which no shell accepts")
        if len(command) < _LONGEST_ARGUMENT // 4 or len(os.fsencode(command)) < _LONGEST_ARGUMENT:
            return Launch((program, *order.shell[1:], "-c", command))
        path = self._scratch.write(f"J{order.job}.{order.attempt}.sh", os.fsencode(command) + b"\n")
        if os.path.basename(program) in _POSIX_SHELLS:
            argv = (program, *order.shell[1:], "-c", f". '{path}'")  # so `$0` is the shell, as for short commands
        else:
            argv = (program, *order.shell[1:], path)
        return Launch(argv, files=(path,), long=True)

    def _script(self, order: Order, path: str) -> Launch:
        extension = os.path.splitext(path)[1]
        if extension not in _RUNNERS:
            raise CannotStart(f"nothing is known to run `{path}` with: a script ends in .py, .R, .jl or .sh", NOT_FOUND)
        if not os.path.isfile(os.path.join(order.directory, path)):
            raise CannotStart(f"the script `{path}` does not exist", NOT_FOUND)
        if extension == ".py":
            return self._python_child(order, "script", {"path": path})
        name, need = _RUNNERS[extension]
        program = self.program(name, order, f"; {need}")
        options = ("-euo", "pipefail") if extension == ".sh" else ()
        document = self._scratch.write(f"J{order.job}.{order.attempt}.json", as_json(order.document))
        return Launch((program, *options, path), {VARIABLE: document}, (document,))

    def _python_child(self, order: Order, kind: str, request: Mapping[str, object]) -> Launch:
        data = as_json(order.document)
        document = self._scratch.write(f"J{order.job}.{order.attempt}.json", data)
        path = self._scratch.write(f"J{order.job}.{order.attempt}.request", as_json({"kind": kind, **request}))
        argv = (*child_argv(self._python), path)
        return Launch(argv, {VARIABLE: document}, (document, path), long=len(data) > _LONGEST_ARGUMENT)

    def program(self, name: str, order: Order, why: str = "") -> str:
        """Where a program is.

        Raises:
            CannotStart: it is not on the PATH of the order.
        """
        search = order.env.get("PATH", os.environ.get("PATH", os.defpath))
        found = self._programs.get((name, search))
        if found is None:
            where = shutil.which(name, path=search)
            if where is None:
                raise CannotStart(f"`{name}` is not on the PATH{why}", NOT_FOUND)
            self._programs[name, search] = found = where
        return found


def child_argv(python: str) -> tuple[str, ...]:
    """How a Python process for jobs is started; with the path of a request, or without for a warm worker."""
    return (python, _CHILD)


def as_json(value: object) -> bytes:
    """JSON in UTF-8; file names that are no UTF-8 go through as escaped surrogates."""
    return _ENCODER.encode(value).encode("ascii")


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    return list(value)  # type: ignore[call-overload]


_ENCODER = json.JSONEncoder(separators=(",", ":"), default=_plain)


def reason(error: OSError) -> str:
    """An operating system's error for a user: `No space left on device: logs/a.txt`."""
    text = error.strerror or str(error)
    if error.errno == errno.EAGAIN:
        text += " (the limit of processes is reached; see `ulimit -u`)"
    return f"{text}: {error.filename}" if error.filename else text
