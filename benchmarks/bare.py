"""Agents without driver, runner or record: what starting jobs on nodes costs at least."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from cluster import Cluster

from flowrules.execute.agents import Agents
from flowrules.model.agent import NodeLost, NodeReady, TaskEnded
from flowrules.model.block import BlockSpec
from flowrules.model.profile import GpuSlot, NodeShape


def bare_agents(
    base: Path, launcher: str, nodes: int, slots: int, commands: Sequence[str], site: Cluster | None
) -> float:
    """Seconds from the first start to the last end of commands, in their order; each makes a file in `out`.

    They are started from the first host, as by a runner.
    """
    folder = base / "bare"
    (folder / "out").mkdir(parents=True)
    hosts = site.hosts.names[:nodes] if site else [f"node{n}" for n in range(1, nodes + 1)]
    asked = json.dumps([str(folder), launcher, hosts, slots, list(commands)])
    argv = [sys.executable, __file__]
    if site is not None:
        argv = [str(site.folder / "bin/ssh"), hosts[0], f"export PATH='{site.environ['PATH']}'; exec {' '.join(argv)}"]
    done = subprocess.run(argv, input=asked, stdout=subprocess.PIPE, text=True, check=True)
    if len(list((folder / "out").iterdir())) != len(commands):
        raise RuntimeError("bare agents did not run all jobs")
    shutil.rmtree(folder)
    return float(done.stdout)


def _run(folder: str, launcher: str, hosts: list[str], slots: int, commands: list[str]) -> float:
    gpus = tuple(GpuSlot(str(n), (n,)) for n in range(slots))
    shape = NodeShape(slots, gpus=gpus, gpu_variable="CUDA_VISIBLE_DEVICES")
    spec = BlockSpec("bare", "b001", f"fr-bare{os.getpid()}", "n0nce", folder, len(hosts), 3600.0, shape, launcher)
    agents = Agents(spec, hosts, f"{folder}/block", 1)
    try:
        agents.open()
        return _work(agents, hosts, slots, commands)
    finally:
        agents.close(0.0)


def _work(agents: Agents, hosts: list[str], slots: int, commands: Sequence[str]) -> float:
    waiting = set(hosts)
    while waiting:
        for event in agents.wait(None):
            if isinstance(event, NodeLost):
                raise RuntimeError(event.why)
            if isinstance(event, NodeReady):
                waiting.discard(event.node)
    todo = enumerate(commands)
    gpu_of: dict[str, int] = {}

    def start(node: str, gpu: int) -> None:
        number, command = next(todo, (0, ""))
        if command:
            task = f"1J{number}.1"
            gpu_of[task] = gpu
            argv = ["bash", "-euo", "pipefail", "-c", command]
            agents.run(node, task, argv, {"CUDA_VISIBLE_DEVICES": str(gpu)}, "log")

    begun = time.perf_counter()
    for gpu in range(slots):
        for host in hosts:
            start(host, gpu)
    ended = 0
    while ended < len(commands):
        for event in agents.wait(None):
            if isinstance(event, TaskEnded):
                ended += 1
                start(event.node, gpu_of.pop(event.task))
            elif isinstance(event, NodeLost):
                raise RuntimeError(f"the node {event.node} was lost: {event.why}")
    return time.perf_counter() - begun


if __name__ == "__main__":
    print(_run(*json.load(sys.stdin)))
