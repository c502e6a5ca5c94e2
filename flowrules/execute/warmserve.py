"""The warm Python process of a node: makes one call after another for the clients that `warmcall` describes.

There are two processes: one makes calls, the other waits for its end, to leave nothing behind and to tell its status.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import socket
import struct
from contextlib import suppress

from flowrules.execute.children import living
from flowrules.execute.worker import Worker, leave, out_of_the_way

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_IDLE = 60.0
_F_SETSIG = 10  # fcntl.F_SETSIG came with Python 3.13


def serve(inherited: int, folder: str, kind: str, idle: float = _IDLE) -> None:
    """Answer the client at a descriptor, then others, until none came for so many seconds.

    A return ends the interpreter as that of any program.
    """
    _keep(inherited, folder, kind)
    door = _Door(folder, kind, out_of_the_way(inherited))
    worker = Worker()
    while True:
        request = _request(door, worker)
        if request is None:
            door.shut()
            leave()
        elif not _answer(door, worker, request):
            return
        elif not door.wait(idle):
            leave()


class _Door:
    """Where clients come in.

    Attributes:
        client: the connection to the one that is here; pid, group: of its process.
    """

    def __init__(self, folder: str, kind: str, first: int) -> None:
        me = os.getpid()
        self.folder = folder
        self._home = os.getpgrp()
        self._busy = os.path.join(folder, f"b.{me}")
        self._idle = os.path.join(folder, f"{kind}@{me}")
        listening = socket.socket(socket.AF_UNIX)
        self._listening = socket.socket(fileno=out_of_the_way(listening.detach()))
        here = os.open(folder, os.O_RDONLY)
        self._listening.bind(f"/proc/self/fd/{here}/b.{me}")  # at most 107 bytes, whatever the folder's name
        os.close(here)
        self._listening.listen(1)
        self.client = socket.socket(fileno=first)
        self.pid = 0
        # a child of a call must not seem to be the worker
        os.register_at_fork(after_in_child=self._close)

    def _close(self) -> None:
        self.client.close()
        self._listening.close()

    def read(self) -> str:
        """The path that the client sends; "" where it is gone."""
        self.pid, _, _ = struct.unpack("3i", self.client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        data = b""
        while not data.endswith(b"\n"):
            chunk = self.client.recv(1 << 16)
            if not chunk:
                return ""
            data += chunk
        return os.fsdecode(data[:-1])

    def join(self) -> None:
        """Be part of the client's process group, and die with it: if the client goes, the kernel kills the group.

        Raises:
            OSError: the client is gone.
        """
        os.setpgid(0, os.getpgid(self.pid))
        fd = self.client.fileno()
        fcntl.fcntl(fd, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(fd, _F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_ASYNC)
        look = select.poll()
        look.register(fd, 0)
        if look.poll(0):  # it went just before
            raise BrokenPipeError
        self.client.sendall(b"%d\n" % os.getpid())

    def part(self) -> None:
        """The call is over: the client may go. What the call left in its group stays there, for the agent to find."""
        fd = self.client.fileno()
        fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) & ~os.O_ASYNC)

    def go_home(self) -> bool:
        """Leave the client's group and be there for others, if that can be."""
        try:
            os.setpgid(0, self._home)
            os.rename(self._busy, self._idle)
        except OSError:
            return False
        return True

    def shut(self) -> None:
        """Be there for nobody any more."""
        with suppress(OSError):
            os.unlink(self._busy)

    def tell(self, answer: dict[str, Any]) -> None:
        """Tell the client how its call ended."""
        error = answer.get("error", "")
        with suppress(OSError):  # it is gone
            self.client.sendall(bytes([answer["exit"] & 0xFF]) + (f"{error}\n" if error else "").encode())

    def wait(self, seconds: float) -> bool:
        """Let the client go, wait for another one; whether one came."""
        self.client.close()
        self._listening.settimeout(seconds)
        for _ in range(2):
            try:
                accepted, _ = self._listening.accept()
            except TimeoutError:
                try:
                    os.rename(self._idle, self._busy)
                except OSError:
                    continue  # somebody was quicker, and is about to come
                break
            accepted.setblocking(True)
            self.client = socket.socket(fileno=out_of_the_way(accepted.detach()))
            return True
        self.shut()
        return False


def _request(door: _Door, worker: Worker) -> dict[str, Any] | None:
    """What a client wants, in the words of `worker`, where this process can do it; it is in the client's group then.

    The request is in a file; folder, variables, log and cores are those of the client's process.
    """
    try:
        path = door.read()
        if not path or worker.stale():
            return None
        with open(path, "rb") as file:
            request: dict[str, Any] = json.load(file)
        client = f"/proc/{door.pid}"
        with open(f"{client}/environ", "rb") as file:
            fields = [os.fsdecode(field).partition("=") for field in file.read().split(b"\0") if b"=" in field[1:]]
        env = {name: value for name, _, value in fields}
        request["unset"] = [name for name in os.environ if name not in env]
        request["env"] = {name: value for name, value in env.items() if os.environ.get(name) != value}
        request["directory"] = os.readlink(f"{client}/cwd")
        request["log"] = f"{client}/fd/1"
        _bind(os.sched_getaffinity(door.pid))
        door.join()
    except (OSError, ValueError):  # the client is gone, or makes the call itself and then tells what is wrong
        return None
    return request


def _answer(door: _Door, worker: Worker, request: dict[str, Any]) -> bool:
    """Make a client's call; whether this process is fit for another one."""
    me = os.getpid()
    answer = worker.carry_out(request)
    if os.getpid() != me:
        os._exit(answer["exit"])  # a process the function forked came back instead of ending
    door.part()
    with suppress(OSError), open(os.path.join(door.folder, f"u.{door.pid}"), "w", encoding="ascii") as file:
        file.write(f"{round(answer.get('cpu', 0.0) * 1e6)} {answer.get('memory', 0) // 1024}\n")
    # what is left in the group of the client is to end; helpers end in order when their interpreter does
    fit = not answer.get("retire") and not living()
    fit = fit and door.go_home()  # before the client ends, so that the next one finds this process
    if not fit:
        door.shut()
    door.tell(answer)
    return fit


def _bind(cpus: set[int]) -> None:
    """Run on these hardware threads, with all threads that libraries have started."""
    for thread in os.listdir("/proc/self/task"):
        with suppress(OSError):  # it has ended
            os.sched_setaffinity(int(thread), cpus)


def _keep(inherited: int, folder: str, kind: str) -> None:
    """Return in a child, and wait for its end here; no thread has been started yet."""
    child = os.fork()
    if not child:
        return
    null = os.open(os.devnull, os.O_RDWR)
    for fd in range(3):
        os.dup2(null, fd)
    os.close(inherited)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)  # its number stays taken while files have it in their names
    with suppress(OSError):
        os.unlink(os.path.join(folder, f"{kind}@{child}"))
    busy = os.path.join(folder, f"b.{child}")
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    with suppress(OSError):
        os.unlink(busy)  # it was in a call, whose client wants to know
        with open(f"{busy}.part", "w", encoding="ascii") as file:
            file.write(str(code if code >= 0 else 128 - code))
        os.rename(f"{busy}.part", os.path.join(folder, f"s.{child}"))
    os._exit(0)
