"""A block's agents under test, over any launcher, and what lives of them on all hosts."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from real_hosts import Hosts

from flowrules.execute.agents import Agents
from flowrules.model.agent import AgentEvent, NodeLost, NodeReady, TaskEnded
from flowrules.model.block import BlockSpec
from flowrules.model.profile import NodeShape

PATIENCE = 120.0

RUNNER = """
import json, sys, time
from execute_rig import Rig
rig = Rig.again(json.loads(sys.argv[1]))
agents = rig.open(lease=float(sys.argv[3]))
for i, node in enumerate(rig.nodes):
    agents.run(node, f"1J{i}.1", ["bash", "-c", sys.argv[2]], {}, "job.log")
print("up", flush=True)
while True:
    agents.wait(None)
"""


class Rig:
    """Agents of one block; `close` kills what is left.

    Nodes of a PID namespace are seen from here too, so `alive` sees every host.
    """

    def __init__(self, launcher: str, folder: Path, hosts: Hosts | None, nodes: int = 1) -> None:
        self.launcher = launcher
        self.folder = folder
        self.hosts = hosts
        self.campaign = f"c{random.SystemRandom().randrange(1 << 32):08x}"
        self.nodes = ["here"] if hosts is None else hosts.names[:nodes]
        self.options: list[str] = []
        if hosts is not None:
            self.options = ["-F", str(hosts.config)]
            if launcher == "mpiexec":
                self.options = ["-launcher", "ssh", "-launcher-exec", str(hosts.ssh), "-localhost", hosts.gateway]
        self.block = folder / ".flowrules/blocks/b001"
        self.opened: list[Agents] = []
        self.early: list[AgentEvent] = []

    def written(self) -> str:
        return json.dumps([self.launcher, str(self.folder), self.campaign, self.nodes, self.options])

    @classmethod
    def again(cls, values: list) -> "Rig":
        rig = cls(values[0], Path(values[1]), None)
        rig.campaign, rig.nodes, rig.options = values[2:]
        return rig

    def agents(self, incarnation: int = 1, init: str = "", gpus: bool = False, **settings) -> Agents:
        shape = NodeShape(4, gpu_variable="CUDA_VISIBLE_DEVICES" if gpus else "")
        spec = BlockSpec(
            *(self.campaign, "b001", f"fr-{self.campaign}", "secret5", str(self.folder), len(self.nodes)),
            *(600.0, shape, self.launcher, init),
        )
        settings = {"options": self.options, "grace": 1.0, **settings}
        self.opened.append(Agents(spec, self.nodes, str(self.block), incarnation, **settings))
        return self.opened[-1]

    def open(self, incarnation: int = 1, init: str = "", gpus: bool = False, **settings) -> Agents:
        """Agents that are all ready."""
        agents = self.agents(incarnation, init, gpus, **settings)
        agents.open()
        waiting = set(self.nodes)
        while waiting:
            for event in self.until(agents, NodeReady):
                if isinstance(event, NodeReady):
                    waiting.discard(event.node)
                else:
                    assert not isinstance(event, NodeLost), event
                    self.early.append(event)
        return agents

    def until(self, agents: Agents, *kinds: type, count: int = 1) -> list[AgentEvent]:
        """Events up to so many of some kinds."""
        events: list[AgentEvent] = []
        end = time.monotonic() + PATIENCE
        while sum(isinstance(event, kinds) for event in events) < count:
            assert time.monotonic() < end, events
            events += agents.wait(1.0)
        return events

    def ends(self, agents: Agents, count: int = 1) -> dict[str, TaskEnded]:
        events = self.until(agents, TaskEnded, NodeLost, count=count)
        assert not [event for event in events if isinstance(event, NodeLost)], events
        return {event.task: event for event in events if isinstance(event, TaskEnded)}

    def alive(self, task: str | None = None) -> list[int]:
        """Processes of this campaign anywhere, or of one of its tasks."""
        found = []
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                fields = Path(f"/proc/{name}/environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if not any(
                f.startswith((b"FLOWRULES_BLOCK=", b"FLOWRULES_RUN=")) and self.campaign.encode() in f for f in fields
            ):
                continue
            if task is None or any(f.startswith(b"FLOWRULES_ATTEMPT=") and f.endswith(task.encode()) for f in fields):
                found.append(int(name))
        return found

    def called(self, text: str) -> list[int]:
        """Processes of this campaign whose command line holds a text."""
        found = []
        for pid in self.alive():
            try:
                if text.encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                    found.append(pid)
            except OSError:
                continue
        return found

    def agent(self) -> int:
        """The agent of the only node."""
        pids = set(self.called("flowrules-agent"))
        return next(pid for pid in pids if _parent(pid) not in pids)

    def runner(self, command: str, lease: float = 60.0) -> "subprocess.Popen[str]":
        """A runner in a process of its own that has started a command on each node."""
        path = [str(Path(__file__).parents[up]) for up in range(3)]
        process = subprocess.Popen(
            [sys.executable, "-c", RUNNER, self.written(), command, str(lease)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
        )
        assert process.stdout is not None
        with process.stdout as out:
            assert out.readline() == "up\n"
        self.come(lambda: len(list(self.folder.glob("up.*"))) >= len(self.nodes))
        return process

    def log(self, name: str = "job.log") -> str:
        return (self.folder / name).read_text()

    def come(self, true: Callable[[], object], patience: float = PATIENCE) -> float:
        """Wait until something is true; returns how long that took."""
        start = time.monotonic()
        while not true():
            assert time.monotonic() < start + patience, "it did not come"
            time.sleep(0.01)
        return time.monotonic() - start

    def close(self) -> None:
        for agents in self.opened:
            agents.close(0.0)
        for pid in self.alive():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        for folder in Path("/dev/shm").glob(f"flowrules@{self.campaign}.*"):  # of those that were killed by -9
            shutil.rmtree(folder, ignore_errors=True)


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
