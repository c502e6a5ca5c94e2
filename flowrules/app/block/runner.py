"""`flowrules run-block`: becomes the next incarnation of a block and works it off."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from types import FrameType

from flowrules.app.block.runner_agents import AgentsMaker, tell
from flowrules.app.block.runner_hosts import allocated_hosts, batch_id
from flowrules.app.block.runner_loop import Runner
from flowrules.errors import DirectoryHeld
from flowrules.execute.machine import host
from flowrules.record.blockfiles import read_spec
from flowrules.record.spool_runner import RunnerFolder
from flowrules.record.state import state_folder

LOST_STATUS = 3


def run_block(folder: str, agents: AgentsMaker) -> int:
    """Work a block off; started by its job script on the first node.

    Args:
        folder: the block's.
        agents: makes what starts tasks on nodes.

    Returns:
        The exit status: 0 where the block was closed in order, or is another batch job's; 2 where no agent could be
        started; 3 where a later start of the block took over.

    Raises:
        StateError: the block's folder cannot be used, or the state folder is a newer program's.
        BatchError: the nodes of the batch job cannot be learned.
    """
    begun = time.monotonic()
    early: list[int] = []  # asked to end before there was a runner to tell: it still says that the block is closed
    _heed(lambda number, frame: early.append(number))
    path = os.path.abspath(folder)
    spec = read_spec(path)
    os.chdir(spec.directory)
    state_folder(".", create=False)  # which may be of a newer program, where this one was made older meanwhile
    hosts = allocated_hosts(os.environ, host())
    if spec.launcher == "local" and not os.environ.get("FLOWRULES_NODES"):
        hosts = hosts[:1]
    try:
        block = RunnerFolder.begin(path, batch_id(os.environ), hosts)
        if block is None:
            tell("duplicate: another batch job holds this block, or it was closed")
            return 0
        with block:
            runner = Runner(block, agents(spec, hosts, path, block.incarnation), hosts, begun)
            _heed(runner.stop)
            for number in early:
                runner.stop(number, None)
            return runner.run()
    except DirectoryHeld as error:
        tell(f"{error.message}; {error.hint}")
        return LOST_STATUS


def _heed(handler: Callable[[int, FrameType | None], object]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handler)
