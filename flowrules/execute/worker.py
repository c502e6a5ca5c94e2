"""A warm Python process: runs functions of one module, one call after another, and puts back what a call changed.

A request and its answer are one line of JSON each, on a channel that jobs do not see. Module state is shared between
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
import signal
import sys
import time
from contextlib import suppress
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location

from flowrules.execute.children import has_left
from flowrules.execute.inside import print_failure
from flowrules.jobdoc import JobView

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any, TextIO

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
    return _Calls().run(request, _State())


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
        self._state = _State()
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


class _State:
    """What a call may change of the process, as it was before the first one."""

    def __init__(self) -> None:
        self.null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        self.raw: dict[bytes, bytes] = dict(os.environ._data)  # type: ignore[attr-defined]  # quick to compare
        self.given: dict[str, str] = {}
        self.umask = os.umask(0o022)
        os.umask(self.umask)
        self.path = list(sys.path)
        self.signals = b""
        self.handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}
        self.mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        self.folder = ""
        self.streams = (sys.stdin, sys.stdout, sys.stderr)
        self._fresh_streams()

    def enter(self, request: dict[str, Any]) -> str:
        """Take a job's folder, log and variables; returns what went wrong, or nothing."""
        try:
            if self.folder != request["directory"]:
                os.chdir(request["directory"])
                self.folder = os.getcwd()
            log = os.open(request["log"] or os.devnull, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        except OSError as error:
            return f"the log cannot be written: {error.strerror}: {error.filename}"
        os.dup2(self.null, 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.close(log)
        self.given = request["env"]
        for name in request.get("unset", ()):
            del os.environ[name]
        for name, value in self.given.items():
            os.environ[name] = value
        sys.argv = [request.get("path") or request["module"]]
        return ""

    def restore(self, status: bytes) -> None:
        """Put back what a call may have changed; ``status`` is what the kernel says of the process after it."""
        _flush(sys.stdout, sys.stderr, *self.streams[1:])
        for fd in range(3):
            os.dup2(self.null, fd)
        _flush(*self.streams[1:])  # what could not be written to this job's log must not come into the next one's
        if any(stream.closed for stream in self.streams):
            self._fresh_streams()
        sys.stdin, sys.stdout, sys.stderr = self.streams
        os.umask(self.umask)
        try:
            if os.getcwd() != self.folder:
                os.chdir(self.folder)
        except OSError:
            self.folder = ""
        for name in self.given:
            os.environ.pop(name, None)
        if os.environ._data != self.raw:  # type: ignore[attr-defined]
            self._restore_env()
        self._restore_signals(status)
        if sys.path != self.path:
            sys.path[:] = self.path

    def _restore_env(self) -> None:
        now: dict[bytes, bytes] = os.environ._data  # type: ignore[attr-defined]
        for name in now.keys() - self.raw.keys():
            del os.environ[os.fsdecode(name)]
        for name, value in self.raw.items():
            if now.get(name) != value:
                os.environ[os.fsdecode(name)] = os.fsdecode(value)

    def _restore_signals(self, status: bytes) -> None:
        """Put handlers and mask back; the kernel's view of them tells whether it is worth a look at each."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        at = status.find(b"SigBlk:")
        end = status.find(b"\n", status.find(b"SigCgt:"))
        seen = status[at:end] if at >= 0 else b""
        if seen and seen == self.signals and signal.getsignal(signal.SIGINT) is self.handlers[signal.SIGINT]:
            return
        for number, handler in self.handlers.items():
            if signal.getsignal(number) is not handler and handler is not None:
                signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, self.mask)
        again = _proc_status()
        self.signals = again[again.find(b"SigBlk:") : again.find(b"\n", again.find(b"SigCgt:"))]

    def _fresh_streams(self) -> None:
        self.streams = (_stream(0, "r"), _stream(1, "w"), _stream(2, "w"))
        sys.stdin, sys.stdout, sys.stderr = self.streams


class _Calls:
    """The module of this worker, imported once, and the files it came from."""

    def __init__(self) -> None:
        self.module: ModuleType | None = None
        self.loaded = False
        self._files: dict[str, tuple[int, int, int]] = {}
        self._seen = 0
        self._home = ""

    def run(self, request: dict[str, Any], state: _State) -> int:
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
        self.status = _proc_status()
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


def _flush(*streams: TextIO) -> None:
    for stream in streams:
        with suppress(OSError, ValueError, AttributeError):  # full, closed, or replaced by something else
            stream.flush()


def _stream(fd: int, mode: str) -> TextIO:
    errors = "backslashreplace" if fd == 2 else "surrogateescape"
    return open(fd, mode, encoding="utf-8", errors=errors, buffering=1, closefd=False)  # type: ignore[return-value]


def _proc_status() -> bytes:
    try:
        fd = os.open("/proc/self/status", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(fd, 8192)
    finally:
        os.close(fd)


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
