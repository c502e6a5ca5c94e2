"""A warm Python process: runs functions of one module, one call after another, and puts back what a call changed.

A request is JSON, an answer a line of it, on a channel that jobs do not see. Module state is shared between
calls, as the author of a `call` knows; folder, environment, umask, streams, signals, arguments and search path are not.

    request  8 characters: the bytes that follow
             {"path" | "module", "function", "document", "directory", "log", "env", "unset"}
             or  {"file": where that is written}
    answer   {"exit", "error", "cpu", "memory", "started", "ended", "retire", "children"}  or  {"stale": true}
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location

from flowrules.execute.children import has_left
from flowrules.execute.inside import print_failure
from flowrules.execute.workerstate import State, proc_status
from flowrules.jobdoc import JobView

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

_CHANNEL = 200
"""Where the channel is kept, or as high as is allowed: above what jobs open, closed in whatever they start."""


def serve(inherited: int) -> None:
    """Answer requests until the driver closes the channel, then end the process."""
    channel = out_of_the_way(inherited)
    me = os.getpid()
    worker = Worker()
    while True:
        request = json.loads(_read(channel, int(_read(channel, 8))))
        if "file" in request:
            with open(request["file"], "rb") as file:
                request = json.load(file)
        answer = {"stale": True} if worker.stale() else worker.carry_out(request)
        if os.getpid() != me:
            os._exit(answer.get("exit", 0))  # a process the function forked came back instead of ending
        data = json.dumps(answer).encode() + b"\n"
        while data:
            data = data[os.write(channel, data) :]
        if not answer.keys().isdisjoint(("stale", "retire", "children")):
            _await_the_end(channel)


def _read(channel: int, size: int) -> bytes:
    """So many bytes and not one more: what this process has not begun with, the driver may take back."""
    data = os.read(channel, size)
    while len(data) < size:
        more = os.read(channel, size - len(data)) if data else b""
        if not more:
            leave()
        data += more
    return data


def _await_the_end(channel: int) -> None:
    """Nobody wants more of this process: whatever else was sent to it, the driver takes back."""
    import select

    end = select.poll()
    end.register(channel, 0)
    end.poll()
    leave()


def call_once(request: dict[str, Any]) -> int:
    """Make one call in this process, which is the job's own; returns the exit status of the job."""
    sys.argv = [request.get("path") or request["module"]]
    return _Calls().run(request, State())


def out_of_the_way(fd: int) -> int:
    """A descriptor moved to where jobs do not look for it."""
    import fcntl

    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = _CHANNEL if allowed == resource.RLIM_INFINITY else min(_CHANNEL, allowed - 8)
    moved = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, highest)
    os.close(fd)
    return moved


class Worker:
    """Makes calls into one module."""

    def __init__(self) -> None:
        self._state = State()
        self._calls = _Calls()
        self._memory = _Memory()

    def stale(self) -> bool:
        """Whether the module changed since it was imported."""
        return self._calls.stale()

    def carry_out(self, request: dict[str, Any]) -> dict[str, Any]:
        """Make the call of a request; the answer."""
        started = time.time()
        if error := self._state.enter(request):
            return {"exit": 1, "error": error, "started": started, "ended": time.time()}
        self._memory.reset()
        before = _cpu()
        exit = self._calls.run(request, self._state)
        answer = {
            "exit": exit,
            "cpu": round(_cpu() - before, 6),
            "memory": self._memory.peak(),
            "started": started,
            "ended": time.time(),
        }
        self._state.restore(self._memory.status)
        if not self._calls.loaded:
            answer["retire"] = True
        if has_left():
            answer["children"] = True
        return answer


class _Calls:
    """The module of this worker, imported once, and the files it came from."""

    def __init__(self) -> None:
        self.module: ModuleType | None = None
        self.loaded = False
        self._files: dict[str, tuple[int, int, int]] = {}
        self._seen = 0
        self._home = ""

    def run(self, request: dict[str, Any], state: State) -> int:
        """Call the function; returns the exit status of the job. Failures are told on standard error."""
        view = JobView(request["document"])
        if JobView.current is None:
            JobView.current = JobView(request["document"])
        else:
            JobView.current.fill(request["document"])
        try:
            if not self.loaded:
                self._load(request)
                state.path = list(sys.path)
            function: Callable[[JobView], object] | None = getattr(self.module, request["function"], None)
            if function is None:
                raise AttributeError(_no_function(self.module, request))
            function(view)
        except SystemExit as end:
            return _exit_status(end)
        except BaseException as error:
            print_failure(error)
            return 1
        finally:
            if len(sys.modules) != self._seen:
                self._look_for_files()
        return 0

    def stale(self) -> bool:
        """Whether a file of the module, or of a module beside it, changed since it was imported."""
        return any(_stamp(path) != stamp for path, stamp in self._files.items())

    def _load(self, request: dict[str, Any]) -> None:
        path = request.get("path")
        if path is None:
            sys.path.insert(0, os.getcwd())
            self._home = os.getcwd()
            self.module = import_module(request["module"])
        else:
            path = os.path.abspath(path)
            self._home = os.path.dirname(path)
            sys.path.insert(0, self._home)
            self._files[path] = _stamp(path)  # before it is read, so that a change in between is seen
            self.module = _import_file(path)
        self.loaded = True

    def _look_for_files(self) -> None:
        if not self.loaded:
            return
        home = self._home + os.sep
        for module in list(sys.modules.values()):
            file = getattr(module, "__file__", None)
            if not isinstance(file, str) or not file.startswith(home) or "site-packages" in file[len(home) :]:
                continue
            self._files.setdefault(file, _stamp(file))
        self._seen = len(sys.modules)


class _Memory:
    """Peak memory of one call: the kernel's high-water mark, set back before it.

    Attributes:
        status: the kernel's view of the process when `peak` was asked last; b"" where there is no /proc.
    """

    def __init__(self) -> None:
        self._reset = _open("/proc/self/clear_refs", os.O_WRONLY)
        self._children = 0
        self.status = b""

    def reset(self) -> None:
        if self._reset >= 0:
            try:
                os.write(self._reset, b"5")
            except OSError:
                self._reset = -1
        self._children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss

    def peak(self) -> int:
        """Bytes; processes the call started count where they had more than any before them; 0 if unknown."""
        children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        self.status = proc_status()
        at = self.status.find(b"VmHWM:")
        own = int(self.status[at + 6 :].split(None, 1)[0]) if self._reset >= 0 and at >= 0 else 0
        return max(own, children if children > self._children else 0) * 1024


def _import_file(path: str) -> ModuleType:
    """The module of a file, under its own name unless another module has that already."""
    name = os.path.splitext(os.path.basename(path))[0]
    if name in sys.modules or name in sys.builtin_module_names or name in sys.stdlib_module_names:
        name = f"flowrules_call_{name}"
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"`{path}` is no Python file")
    module = sys.modules[name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _no_function(module: ModuleType | None, request: dict[str, Any]) -> str:
    from flowrules.errors import suggestion

    where = request.get("path") or request["module"]
    names = [n for n, v in vars(module).items() if callable(v) and not n.startswith("_")]
    hint = suggestion(request["function"], names)
    return f"`{where}` has no function `{request['function']}`" + (f"; {hint}" if hint else "")


def _exit_status(end: SystemExit) -> int:
    """What `sys.exit(…)` means, as Python itself takes it."""
    if end.code is None:
        return 0
    if isinstance(end.code, int):
        return end.code & 0xFF
    sys.stderr.write(f"{end.code}\n")
    return 1


def leave() -> None:
    """End as an interpreter does, but do not wait for threads that functions left behind."""
    import atexit

    try:
        atexit._run_exitfuncs()
    finally:
        os._exit(0)


def _cpu() -> float:
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def _stamp(path: str) -> tuple[int, int, int]:
    try:
        at = os.stat(path)
    except OSError:
        return (0, 0, 0)
    return (at.st_mtime_ns, at.st_size, at.st_ino)


def _open(path: str, flags: int) -> int:
    try:
        return os.open(path, flags | os.O_CLOEXEC)
    except OSError:
        return -1
