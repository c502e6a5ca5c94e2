"""The agents of a block as its runner sees them: one on each node, told what to start and heard as things end."""

from __future__ import annotations

import math
import os
import resource
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.resources import files

from flowrules.execute import agentlines, launchers
from flowrules.execute.feeder import Feeder
from flowrules.execute.guard import Guard, start_guard
from flowrules.execute.lanes import Lanes
from flowrules.execute.launchers import Flavour
from flowrules.execute.link import Link
from flowrules.execute.mpirun import installed_flavour
from flowrules.execute.processes import ATTEMPT, RUN, chained, sweep
from flowrules.execute.reactor import Reactor
from flowrules.model.agent import AgentEvent, NodeLost, TaskEnded
from flowrules.model.block import BlockSpec

BLOCK = "FLOWRULES_BLOCK"
AGENT = "FLOWRULES_AGENT"
_BATCH_JOB = ("PBS_JOBID", "PBS_NODEFILE", "SLURM_JOB_ID", "SLURM_CONF")
"""By what `mpiexec` and `srun` of a job know the batch job they are in; ssh does not take them along."""
_HARD = 15.0
"""Seconds beyond the grace that agents have to end everything and say so."""
_TAIL = 400
"""Characters of what a launcher said last, kept to tell why a node was lost."""


@dataclass(slots=True, eq=False)
class _Node:
    """One node.

    Attributes:
        generation: counts the agents that were started on it; since: when the last was.
        reaped: nothing of ours is known to live there.
        leaving: the block ends.
        said: the last line that was not the agent's.
        tasks: those that were started and whose end is not known, with their lanes.
    """

    name: str
    generation: int = 0
    link: Link | None = None
    ready: bool = False
    reaped: bool = True
    leaving: bool = False
    said: str = ""
    since: float = 0.0
    tasks: dict[str, int] = field(default_factory=dict)
    lanes: Lanes = field(default_factory=Lanes)


class Agents:
    """The agents of a block.

    Args:
        hosts: names of the nodes, as the launcher wants them; all different.
        folder: the block's, with `runs/NN` of the incarnation in it.
        incarnation: of the runner.
        lease: seconds without a sign after which an agent ends its jobs, and the runner gives up an agent.
        grace: seconds between TERM and KILL.
        most_starting: agents that are started at the same time.
        start_limit: seconds an agent has to get ready, `worker_init` included.
        flavour: of `mpiexec`; None to ask it.
        options: further options of ssh or mpiexec.
    """

    def __init__(
        self,
        spec: BlockSpec,
        hosts: Sequence[str],
        folder: str,
        incarnation: int,
        *,
        lease: float = 60.0,
        grace: float = 10.0,
        most_starting: int = 32,
        start_limit: float = 300.0,
        flavour: Flavour | None = None,
        options: Sequence[str] = (),
    ) -> None:
        for host in hosts:
            launchers.check_host(host)
        launchers.check_name(mark := f"{spec.campaign}.{spec.block}.{incarnation}")
        self.mark = mark
        self._spec = spec
        self._folder = os.path.abspath(folder)
        self._run = os.path.join(self._folder, "runs", f"{incarnation:02d}")
        self._lease, self._grace = lease, grace
        self._most, self._start_limit = most_starting, start_limit
        self._flavour = flavour
        self._options = options
        self._files = 0
        self._text = ""
        self._nodes = {host: _Node(host) for host in hosts}
        self._queue: deque[_Node] = deque()
        self._where: dict[str, _Node] = {}
        self._filed: set[str] = set()
        self._events: list[AgentEvent] = []
        self._guard: Guard | None = None
        self._feeder: Feeder | None = None
        self._reactor: Reactor | None = None
        self._noise = -1

    def open(self) -> None:
        """Begin to start the agents; `wait` tells which are ready. Call it before anything starts a thread.

        Raises:
            OSError: the block's folder cannot be written.
            ValueError: `mpiexec` is of a kind that is not known.
        """
        self._files, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        if self._flavour is None:
            self._flavour = installed_flavour() if self._spec.launcher == "mpiexec" else "hydra"
        self._text = _agent_text(self._spec.launcher)
        os.makedirs(self._run, exist_ok=True)
        os.makedirs(os.path.join(self._folder, "cmd"), mode=0o700, exist_ok=True)
        path = os.path.join(self._run, "agents.log")
        self._noise = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._guard = start_guard(self.mark)
        self._reactor = Reactor()
        self._feeder = Feeder(self._lease / 6)
        self._queue.extend(self._nodes.values())
        self._start_some()

    def run(
        self,
        node: str,
        task: str,
        argv: Sequence[str],
        env: Mapping[str, str],
        log: str,
        cpus: Sequence[int] = (),
    ) -> None:
        """Start an attempt on a node that is ready; `wait` tells of its end.

        Args:
            env: variables on top of what `worker_init` left on the node.
            log: file, relative to the working directory, to which output and error are appended; "" discards them.
            cpus: hardware threads it is bound to; none leaves it unbound.

        Raises:
            ValueError: no such node is ready, or a word holds what none can.
            OSError: a long command could not be written to its file.
        """
        there = self._nodes[node]
        launchers.check_name(task)
        if there.link is None or not there.ready or there.leaving or task in self._where:
            raise ValueError(f"`{task}` cannot be started on `{node}`")
        sweep = bool(self._spec.node.gpu_variable) and self._spec.node.gpu_variable in env
        how, words = "run", launchers.task_words(argv, env, log, cpus, sweep=sweep)
        if len(words) > launchers.LINE_LIMIT:
            path = self._words_file(task)
            self._filed.add(task)
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with open(fd, "w", encoding="ascii") as file:
                file.write(words + "\n")
            how, words = "file", launchers.quoted(path)
        lane = there.lanes.take(launchers.ranges(cpus))
        there.link.send(f"{how} {lane} {task} {words}")
        there.tasks[task], self._where[task], there.reaped = lane, there, False

    def kill(self, task: str) -> None:
        """End an attempt: TERM, KILL after the grace, and a search for what hid. Nothing if it has ended."""
        node = self._where.get(task)
        if node is not None and node.link is not None:
            node.link.send(f"kill {task}")

    def sweep(self, node: str, task: str) -> None:
        """End what is left on a node of an attempt that ended on another: ranks that outlived their launcher."""
        link = self._nodes[node].link
        if link is not None:
            link.send(f"sweep {task}")

    def restart(self, node: str) -> None:
        """Start the agent of a lost node anew. Its `NodeReady` proves that nothing of the earlier one lives there."""
        there = self._nodes[node]
        if there.link is None and there not in self._queue:
            self._queue.append(there)
            self._start_some()

    def wait(self, timeout: float | None) -> list[AgentEvent]:
        """What happened; waits for it up to some seconds, without end for None, or until `wake`."""
        end = None if timeout is None else time.monotonic() + timeout
        while (reactor := self._reactor) is not None:
            left = 1.0 if end is None else min(1.0, max(0.0, end - time.monotonic()))
            reactor.poll(0.0 if self._events else left)
            self._look_at_clocks()
            self._start_some()
            if self._events or reactor.take_wake() or (end is not None and time.monotonic() >= end):
                break
        events, self._events = self._events, []
        return events

    def wake(self) -> None:
        """End a `wait`, or the next one; may be called in a signal handler or a callback of `watch`."""
        if self._reactor is not None:
            self._reactor.wake()

    def watch(self, fd: int, ready: Callable[[], None]) -> None:
        """Call back in `wait` whenever a descriptor can be read."""
        self._open_reactor().add(fd, ready)

    def unwatch(self, fd: int) -> None:
        """No longer look at a descriptor."""
        self._open_reactor().remove(fd)

    def close(self, grace: float) -> bool:
        """End all attempts and agents, and release everything. Ends of attempts are told by a last `wait(0)`.

        Args:
            grace: seconds between TERM and KILL.

        Returns:
            Whether nothing of this block is left on any node, as far as the agents could make sure.
        """
        if self._feeder is None:
            return all(node.reaped for node in self._nodes.values())
        self._queue.clear()
        for node in self._nodes.values():
            node.leaving = True
            if node.link is not None and node.ready:
                node.link.send(f"bye {round(grace * 1e6)}")
            else:
                self._drop(node)
        end = time.monotonic() + grace + _HARD
        reactor = self._open_reactor()
        while any(node.link for node in self._nodes.values()) and time.monotonic() < end:
            reactor.poll(0.2)
        for node in self._nodes.values():
            self._drop(node)
        # the ssh that Hydra has in a session of its own waits for a dead node for hours, and PBS does not end it
        sweep(self.mark)
        self._feeder.close()
        self._feeder = self._reactor = None
        reactor.close()
        if self._guard is not None:
            self._guard.close()
        os.close(self._noise)
        resource.setrlimit(resource.RLIMIT_NOFILE, (self._files, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        return all(node.reaped for node in self._nodes.values())

    def node_log(self, node: str) -> str:
        """Path of the log that the agent of a node writes; see `agentlines.node_log`."""
        return os.path.join(self._run, f"node-{node}.log")

    def _start_some(self) -> None:
        starting = sum(node.link is not None and not node.ready for node in self._nodes.values())
        while self._queue and starting < self._most:
            self._start(self._queue.popleft())
            starting += 1

    def _start(self, node: _Node) -> None:
        assert self._reactor is not None and self._feeder is not None and self._flavour is not None
        argv = launchers.agent_command(self._spec.launcher, node.name, flavour=self._flavour, options=self._options)
        node.generation += 1
        node.ready = False
        node.said = ""
        node.since = time.monotonic()
        try:
            node.link = Link(
                argv,
                {**os.environ, RUN: chained(RUN, self.mark)},
                self._first(node),
                self._reactor,
                self._feeder,
                line=lambda line: self._heard(node, line),
                noise=lambda line: self._noted(node, line),
                gone=lambda: self._lose(node, ""),
            )
        except OSError as error:
            self._lose(node, f"`{argv[0]}` cannot be started: {error.strerror}")

    def _first(self, node: _Node) -> bytes:
        spec, agent = self._spec, f"{node.name}.{node.generation}"
        times = (str(math.ceil(self._lease)), str(round(self._grace * 1e6)))
        texts = (self._run, spec.directory, str(max(1, spec.node.cpus)), spec.worker_init)
        marks = {BLOCK: chained(BLOCK, self.mark), RUN: chained(RUN, self.mark), AGENT: chained(AGENT, agent)}
        marks[ATTEMPT] = os.environ.get(ATTEMPT, "")
        marks.update((name, os.environ[name]) for name in _BATCH_JOB if name in os.environ)
        if "SLURM_JOB_ID" in marks:  # an agent may be a step, and what a job starts by srun would wait for its end
            marks["SLURM_OVERLAP"] = "1"
        arguments = (spec.nonce, agent, self.mark, *times, *texts)
        here = self._files if spec.launcher == "local" else None
        return launchers.bootstrap(self._text, arguments, marks, files=here)

    def _heard(self, node: _Node, line: bytes) -> None:
        """A line of a launcher's output: an agent's, which begins with the nonce, or noise."""
        words = line.decode("ascii", "replace").split(" ")
        if words[0] != self._spec.nonce or len(words) < 2:
            self._noted(node, line)
            return
        kind, rest = words[1], words[2:]
        if kind == "end":
            end = agentlines.ended(node.name, rest)
            if end is not None:
                self._end(node, end)
        elif kind == "ready" and (ready := agentlines.ready(node.name, rest)) is not None:
            self._collect(node)
            node.ready = node.reaped = True
            node.tasks.clear()
            node.lanes = Lanes()
            self._events.append(ready)
        elif kind == "reaped":
            node.reaped = True
            if not node.leaving:  # else it ends by itself, and its launcher with it
                self._lose(node, "its agent ended: it was told to by a signal, or heard nothing any more")
        elif kind == "fail":
            self._lose(node, " ".join(rest))
        elif kind == "note":
            self._events.append(agentlines.note(node.name, rest))

    def _noted(self, node: _Node, line: bytes) -> None:
        """Keep what nobody asked for, for those who look why something does not work."""
        text = line.strip()
        if text:
            node.said = text.decode("utf-8", "replace")[-_TAIL:]
            with suppress(OSError):
                os.write(self._noise, b"%s: %s\n" % (node.name.encode(), text))

    def _end(self, node: _Node, end: TaskEnded) -> None:
        if end.task not in node.tasks or self._where.get(end.task, node) is not node:
            return
        node.lanes.give(node.tasks.pop(end.task))
        self._where.pop(end.task, None)
        if end.task in self._filed:
            self._filed.discard(end.task)
            with suppress(OSError):
                os.unlink(self._words_file(end.task))
        self._events.append(end)

    def _lose(self, node: _Node, why: str) -> None:
        """A node's agent or launcher is gone, or is given up."""
        was = node.ready
        status = self._drop(node)
        if node.leaving:
            return
        if not why:
            why = "its agent is gone" if was else "its agent could not be started"
            why += f", `{self._spec.launcher}` ended with status {status}"
            why += f": {node.said}" if node.said else ""
        self._collect(node)
        for task in node.tasks:
            self._where.pop(task, None)
        self._events.append(NodeLost(node.name, why, node.reaped))

    def _drop(self, node: _Node) -> int:
        link, node.link = node.link, None
        node.ready = False
        return 0 if link is None else link.drop()

    def _collect(self, node: _Node) -> None:
        """Ends that an agent wrote down and could no longer tell."""
        if not node.tasks:
            return
        try:
            with open(self.node_log(node.name), "rb") as file:
                data = file.read()
        except OSError:
            return
        for end in agentlines.node_log(data, node.name, self._spec.nonce):
            self._end(node, end)

    def _look_at_clocks(self) -> None:
        now = time.monotonic()
        for node in self._nodes.values():
            if node.link is None:
                continue
            if node.ready and now - node.link.heard > self._lease:
                self._lose(node, f"nothing was heard of its agent for {self._lease:.0f}s")
            elif not node.ready and now - node.since > self._start_limit:
                self._lose(node, f"its agent was not ready within {self._start_limit:.0f}s")

    def _words_file(self, task: str) -> str:
        return os.path.join(self._folder, "cmd", f"{task}.words")

    def _open_reactor(self) -> Reactor:
        if self._reactor is None:
            raise RuntimeError("the agents were not opened")
        return self._reactor


def _agent_text(launcher: str) -> str:
    names = ["attempt.sh", "agent.sh", *(["relay.sh"] if launcher == "parallel" else [])]
    return "\n".join(
        [*(files("flowrules.execute").joinpath(name).read_text("utf-8") for name in names), 'fr_main "$@"']
    )
