"""Makes the call of a task in a warm Python process of its node: `python -I -S warmcall.py MODULE REQUEST`.

It is started for every call, so it imports next to nothing; the process that works is `warmserve`. They meet in a
private folder of the node, which the agent made and names in FLOWRULES_WARM:

    KIND@GPUS@PID   socket of an idle worker; KIND is a hash of all that calls must have in common to share a worker
    b.PID           the same socket while the worker is busy: who renames it to this has the worker for itself
    s.PID           exit status of a worker that died in a call
    u.CLIENT        what a call used, for the agent: CPU microseconds, memory in kB

The worker joins this process's group for the call. So the agent ends, measures and cleans up both alike, and all that
is left to do here is to wait. Where there is no such folder, or a worker cannot be had, this process makes the call.
"""

from __future__ import annotations

import os
import sys
import time
from _blake2 import blake2b
from _signal import SIG_IGN, SIGKILL, SIGPIPE, SIGTERM, SIGXFSZ, signal  # type: ignore[import-not-found]
from _socket import AF_UNIX, SOCK_STREAM, socket, socketpair

POOL = "FLOWRULES_WARM"
_ATTEMPT = "FLOWRULES_ATTEMPT"
_GPUS = "FLOWRULES_GPUS"
_READ_AT_IMPORT = (
    *("OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "NUMEXPR_", "LD_", "PYTHON"),
    *("CUDA_", "ROCR_", "HIP_", "ZE_", _GPUS),
)
"""How variables begin that libraries, or Python itself, look at once."""

_MOST_IDLE = 16
"""Idle workers on a node, or as many as it has hardware threads: rules whose jobs all differ must not fill it."""

_PATIENCE = 5.0
_CHILD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "child.py")


def main() -> None:
    """Make the call; the exit status is the call's."""
    module, request = sys.argv[1:]
    status = None
    folder = os.environ.get(POOL)
    if folder:
        try:
            status = _Pool(folder, module).call(request)
        except OSError:
            status = None
    if status is None:
        os.execv(sys.executable, (sys.executable, _CHILD, request))
    os._exit(status)


class _Pool:
    """The workers of this node, for calls into one module."""

    def __init__(self, folder: str, module: str) -> None:
        self._folder = folder
        self._here = os.open(
            folder, os.O_RDONLY
        )  # names of sockets are at most 107 bytes, those of folders may be long
        at = os.fstat(self._here)
        if at.st_uid != os.getuid() or at.st_mode & 0o077:
            raise PermissionError
        self._gpus = os.environ.get(_GPUS, "")
        sticky = sorted(f"{name}={value}" for name, value in os.environ.items() if name.startswith(_READ_AT_IMPORT))
        text = "\0".join([sys.executable, os.getcwd(), module, *sticky])
        self._kind = blake2b(text.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()

    def call(self, request: str) -> int | None:
        """The exit status of a call; None where no worker took it.

        Raises:
            OSError: there can be no workers here.
        """
        if not set(self._gpus).isdisjoint("@/\n"):
            return None  # such names cannot be told apart in those of files
        others = []
        for name in os.listdir(self._folder):
            kind, at, _ = name.partition("@")
            if not at:
                continue
            if kind != self._kind:
                others.append(name)
            elif self._claim(name) and (status := self._use(self._connect(name), request)) is not None:
                return status
        self._make_room(others)
        return self._use(self._start(), request)

    def _claim(self, name: str) -> bool:
        """Whether a worker that was idle is ours now."""
        try:
            os.rename(os.path.join(self._folder, name), self._busy(_pid_in(name)))
        except OSError:
            return False
        return True

    def _connect(self, name: str) -> socket | None:
        connection = socket(AF_UNIX, SOCK_STREAM)
        try:
            connection.connect(f"/proc/self/fd/{self._here}/b.{_pid_in(name)}")
        except OSError:  # it was killed
            return None
        return connection

    def _busy(self, pid: int) -> str:
        return os.path.join(self._folder, f"b.{pid}")

    # ── a call ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _use(self, connection: socket | None, request: str) -> int | None:
        """The exit status of a call that a worker makes; None where it does not take it: its module changed."""
        if connection is None:
            return None
        try:
            connection.sendall(os.fsencode(request) + b"\n")
            said = b""
            while b"\n" not in said:
                part = connection.recv(64)
                if not part:
                    return None
                said += part
        except OSError:
            return None
        # asked to end, the worker is asked too; it may have a word to say about that
        signal(SIGTERM, SIG_IGN)
        pid, _, answer = said.partition(b"\n")
        try:
            while part := connection.recv(4096):
                answer += part
        except OSError:
            answer = b""
        if not answer:
            return self._how_it_died(int(pid))
        sys.stderr.write(answer[1:].decode("utf-8", "replace"))
        return answer[0]

    def _how_it_died(self, pid: int) -> int:
        path = os.path.join(self._folder, f"s.{pid}")
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            try:
                with open(path, "rb") as file:
                    status = int(file.read())
                os.unlink(path)
            except (OSError, ValueError):
                time.sleep(0.01)
            else:
                return status
        sys.stderr.write("the Python process that made this call is gone\n")
        return 1

    # ── workers come and go ──────────────────────────────────────────────────────────────────────────────────────

    def _start(self) -> socket:
        """A connection to a new worker.

        It has marks of the node only: it is to outlive this attempt, and to end with the agent.
        """
        near, far = socketpair()
        outer, _, _ = os.environ.get(_ATTEMPT, "").rpartition(":")
        env = {name: value for name, value in os.environ.items() if name != _ATTEMPT}
        os.set_inheritable(far.fileno(), True)
        argv = (sys.executable, _CHILD, "--warm", str(far.fileno()), self._folder, f"{self._kind}@{self._gpus}")
        env = {**env, _ATTEMPT: outer} if outer else env
        os.posix_spawn(argv[0], argv, env, setpgroup=0, setsigdef=(SIGPIPE, SIGXFSZ))
        far.close()
        return near

    def _make_room(self, others: list[str]) -> None:
        """End idle workers that hold our GPUs, and the oldest where there are too many."""
        wanted = set(filter(None, self._gpus.split(",")))
        for name in others:
            if not wanted.isdisjoint(name.split("@")[1].split(",")):
                self._end(name)
        idle = [name for name in os.listdir(self._folder) if "@" in name]
        if len(idle) >= max(_MOST_IDLE, os.cpu_count() or 1):
            self._end(min(idle, key=self._since))

    def _since(self, name: str) -> float:
        try:
            return os.stat(os.path.join(self._folder, name)).st_ctime
        except OSError:
            return 0.0

    def _end(self, name: str) -> None:
        """End an idle worker, and wait until what it held is free."""
        if not self._claim(name):
            return
        pid = _pid_in(name)
        end = time.monotonic() + _PATIENCE
        try:
            os.kill(pid, SIGTERM)
            while time.monotonic() < end:
                os.kill(pid, 0)
                time.sleep(0.005)
            os.kill(pid, SIGKILL)
        except OSError:  # it is gone
            return


def _pid_in(name: str) -> int:
    return int(name.rpartition("@")[2])


if __name__ == "__main__":
    main()
