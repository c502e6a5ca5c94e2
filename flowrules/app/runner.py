"""The runner of a block: works off what its driver hands it, on the nodes of its batch job.

inbox ──tasks──▶ desk (scheduler) ──slots──▶ agents ──ends──▶ outputs looked at ──▶ log, desk

What is concluded from an end, and what is started, waits until its line is in the log.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import Protocol

from flowrules.app.runner_desk import Back, Desk, End, Move, Place
from flowrules.app.runner_hosts import allocated_hosts, batch_id
from flowrules.app.runner_nodes import Nodes
from flowrules.app.runner_work import Bench, Work, draft_of, free_number
from flowrules.errors import DirectoryHeld, FlowrulesError, StateError
from flowrules.execute.launchers import ranges
from flowrules.execute.machine import host
from flowrules.model.agent import AgentEvent, NodeLost, NodeNote, NodeReady, TaskEnded
from flowrules.model.block import BlockSpec, TaskEnd
from flowrules.record.blockfiles import read_spec
from flowrules.record.disk import Disk
from flowrules.record.messages import (
    Beat,
    Cancel,
    Closed,
    Damaged,
    Ended,
    Given,
    Grant,
    Granted,
    Have,
    Sick,
    Started,
    Stop,
    Take,
)
from flowrules.record.spool_runner import QUARANTINE_SECONDS, RunnerFolder

LOOK_SECONDS = 4.0
"""How old a look for a later incarnation may be when something is done outwards; the protocol allows 5."""

BEAT_SECONDS = 10.0
RESERVE_SECONDS = 60.0
"""So long before its walltime a block ends; a tenth of it where that is less."""

FULL_DISK_SECONDS = 5.0
QUICK_POLL, SLOW_POLL = 0.2, 1.0
GRACE_SECONDS = 10.0
LOST_STATUS = 3


class AgentsLike(Protocol):
    """What the runner wants of `flowrules.execute.agents.Agents`."""

    def open(self) -> None: ...

    def run(
        self, node: str, task: str, argv: Sequence[str], env: Mapping[str, str], log: str, cpus: Sequence[int] = ()
    ) -> None: ...

    def kill(self, task: str) -> None: ...

    def restart(self, node: str) -> None: ...

    def wait(self, timeout: float | None) -> list[AgentEvent]: ...

    def wake(self) -> None: ...

    def close(self, grace: float) -> bool: ...


AgentsMaker = Callable[[BlockSpec, Sequence[str], str, int], AgentsLike]


def run_block(folder: str, agents: AgentsMaker) -> int:
    """Work a block off; started by its job script on the first node.

    Args:
        folder: the block's.
        agents: makes what starts tasks on nodes: of the block, its hosts, its folder, the incarnation.

    Returns:
        The exit status: 0 where the block was closed in order, or is another batch job's; 3 where a later start of it
        took over.

    Raises:
        StateError: the block's folder cannot be used.
        BatchError: the nodes of the batch job cannot be learned.
    """
    path = os.path.abspath(folder)
    spec = read_spec(path)
    os.chdir(spec.directory)
    hosts = allocated_hosts(os.environ, host())
    begun = time.monotonic()
    try:
        block = RunnerFolder.begin(path, batch_id(os.environ), hosts)
    except DirectoryHeld as error:
        _tell(error.message)
        return LOST_STATUS
    if block is None:
        _tell("duplicate: another batch job holds this block, or has closed it")
        return 0
    runner = Runner(block, agents(spec, hosts, path, block.incarnation), hosts, begun)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, runner.stop)
    return runner.run()


class Runner:
    """Turns until the block is closed.

    Args:
        begun: when the batch job began, monotonic seconds.
    """

    def __init__(self, block: RunnerFolder, agents: AgentsLike, hosts: Sequence[str], begun: float) -> None:
        spec = block.spec
        self._block = block
        self._spec = spec
        self._agents = agents
        self._ends_at = begun + spec.walltime - min(RESERVE_SECONDS, spec.walltime / 10)
        self._desk = Desk(spec, hosts, self._ends_at, block.past)
        self._bench = Bench(spec, Disk("."))
        self._nodes = Nodes(block, hosts, begun + QUARANTINE_SECONDS)
        self._works: dict[str, Work] = {}
        self._awaiting: list[Work] = []
        self._to_start: list[Work] = []
        self._late: list[tuple[Work, TaskEnded]] = []
        self._ended: list[tuple[Work, TaskEnd]] = []
        self._signal = ""
        self._why = ""  # why the block is closing; "" while it is not
        self._kill_at: float | None = None
        self._over = False
        self._stuck_until = 0.0
        self._poll_seconds = QUICK_POLL
        self._poll_at = self._look_at = self._beat_at = self._tick_at = 0.0
        self._idle_since = begun

    def stop(self, number: int, frame: FrameType | None) -> None:
        """Close the block at once; a signal handler."""
        self._signal = signal.Signals(number).name
        self._agents.wake()

    def run(self) -> int:
        """Run until the block is closed. The exit status, as of `run_block`."""
        for end in self._block.past.ended.values():
            self._bench.learn(end)
        try:
            self._agents.open()
            now = time.monotonic()
            for node in self._nodes.names:
                self._do(self._desk.node_gone(now, node, waited=True))
            while not self._over:
                self._turn()
            return 0
        except DirectoryHeld as error:
            _tell(f"{error.message}; {error.hint}")
            self._agents.close(0.0)
            return LOST_STATUS
        finally:
            self._block.close()

    def _turn(self) -> None:
        now = time.monotonic()
        if now - self._look_at >= LOOK_SECONDS:
            self._block.look()
            self._look_at = now
        if now >= self._stuck_until:
            self._read_inbox(now)
            self._start_awaiting(now)
            self._hand_over(now)
        for event in self._agents.wait(self._patience(now)):
            self._heed(event, time.monotonic())
        now = time.monotonic()
        self._finish_late(now)
        self._hand_over(now)
        self._watch_clocks(now)

    def _patience(self, now: float) -> float:
        """Seconds to wait at most for something to happen."""
        if self._to_start or (self._ended and now >= self._stuck_until):
            return 0.0
        soon = QUICK_POLL if self._late or self._awaiting or self._block.unsynced else SLOW_POLL
        return max(0.0, min(soon, self._poll_at - now if not self._why else soon))

    # ── from the driver ──────────────────────────────────────────────────────────────────────────────────────────

    def _read_inbox(self, now: float) -> None:
        if now < self._poll_at or self._why:
            return
        try:
            messages = self._block.inbox()
        except StateError as error:
            return self._is_stuck(error, now)
        self._poll_seconds = QUICK_POLL if messages else min(SLOW_POLL, self._poll_seconds * 1.5)
        self._poll_at = now + self._poll_seconds
        for had in messages:
            if isinstance(had, Have):
                self._do(self._desk.have(now, had.tasks))
        # a block that is told to end, or began to before, starts nothing of what it is told along with it
        stop = next((message for message in messages if isinstance(message, Stop)), None)
        if stop is not None or self._block.past.closing is not None:
            self._close("it was told to", now, grace=stop.grace if stop is not None else 0.0)
        self._do(self._desk.take(now, [message.task for message in messages if isinstance(message, Take)]))
        for message in messages:
            if isinstance(message, Cancel):
                self._do(self._desk.cancel(now, message.tasks), unwanted="cancel")
            elif isinstance(message, Grant):
                self._do(self._desk.grant(now, message.running))
                self._block.write(Granted(message.running, message.tokens))
            elif isinstance(message, Damaged):
                lost = tuple(name for name in message.tasks if not self._desk.knows(name))
                self._block.write(Given(lost, f"{message.lines} lines of `{message.file}` are damaged"))
        if messages:
            self._idle_since = now

    def _do(self, moves: Sequence[Move], unwanted: str = "cancel") -> None:
        """Carry out what the desk wants."""
        given: dict[str, list[str]] = {}
        for move in moves:
            if isinstance(move, Place):
                self._place(move)
            elif isinstance(move, End):
                self._kill(self._works[move.task], unwanted)
            elif isinstance(move, Back):
                given.setdefault(move.why, []).append(move.task)
        for why, names in given.items():
            self._block.write(Given(tuple(names), self._why or why))

    # ── attempts begin ───────────────────────────────────────────────────────────────────────────────────────────

    def _place(self, move: Place) -> None:
        task, slot = move.task, move.slot
        node = slot.nodes[0] if slot.nodes else self._nodes.names[0]
        number = free_number([work.number for work in self._works.values() if work.node == node])
        work = Work(task, slot, node, number, task.draft, time.monotonic() + self._spec.latency_wait)
        work.record = draft_of(task, slot, node, work.log)
        self._works[task.name] = work
        self._awaiting.append(work)

    def _start_awaiting(self, now: float) -> None:
        """Starts whatever has its inputs; others are looked at again."""
        awaiting, self._awaiting = self._awaiting, []
        for work in awaiting:
            if self._nodes.is_in_question(work.task.name, now):
                work.until = now + self._spec.latency_wait
                self._awaiting.append(work)
            elif (ended := self._nodes.ended_before(work)) is not None:
                self._late.append((work, ended))
            elif (missing := self._bench.missing(work.task)) and now < work.until:
                self._awaiting.append(work)
            else:
                self._prepare(work, missing)

    def _prepare(self, work: Work, missing: Sequence[str]) -> None:
        try:
            self._bench.prepare(work)
        except (FlowrulesError, OSError) as error:
            self._refuse(work, error.message if isinstance(error, FlowrulesError) else str(error))
            return
        if missing:
            _tell(f"inputs of {work.task.label} are not as the driver saw them: {', '.join(missing)}")
        slot = work.slot
        self._block.write(Started(work.task.name, work.node, slot.gpus, ranges(slot.cpus), time.time()))
        self._to_start.append(work)

    def _refuse(self, work: Work, error: str) -> None:
        end = self._bench.refuse(work, error)
        self._block.write(Ended(end))
        self._ended.append((work, end))

    # ── attempts end ─────────────────────────────────────────────────────────────────────────────────────────────

    def _heed(self, event: AgentEvent, now: float) -> None:
        if isinstance(event, TaskEnded):
            work = self._works.get(event.task)
            if work is not None and work.begun is not None:
                work.until = now + self._spec.latency_wait
                self._late.append((work, event))
        elif isinstance(event, NodeReady):
            self._nodes.ready(event)
            self._settle_orphans(now, event.node)
            self._do(self._desk.node_back(now, event.node))
        elif isinstance(event, NodeLost):
            self._lost(event, now)
        elif isinstance(event, NodeNote):
            _tell(f"{event.node}: {event.text}")

    def _lost(self, event: NodeLost, now: float) -> None:
        """A node is gone: it is tried once more, and what ran there goes back when it is known to be dead."""
        again = self._nodes.lost(event, [work for work in self._works.values() if work.node == event.node], now)
        _tell(f"the node {event.node} is lost: {event.why}")
        self._do(self._desk.node_gone(now, event.node, waited=again))
        if again and not self._why:
            self._agents.restart(event.node)
        else:
            self._block.write(Sick(event.node, event.why))
        if event.reaped:
            self._settle_orphans(now, event.node)

    def _settle_orphans(self, now: float, node: str | None = None) -> None:
        """Attempts of lost nodes whose processes are gone: they ended before, or go back."""
        for work in self._nodes.settled_orphans(now, node):
            if work.task.name not in self._works or work.begun is None:
                continue
            ended = self._nodes.ended_before(work, own=True)
            if ended is not None:
                self._late.append((work, ended))
            else:
                self._give(work, f"the node {work.node} was lost", now)

    def _finish_late(self, now: float) -> None:
        """Completes the records of attempts that ended; some wait a while for outputs that are not there yet."""
        late, self._late = self._late, []
        for work, event in late:
            if work.unwanted == "closing" and event.exit != 0:
                self._give(work, self._why, now)
                continue
            end = self._bench.finish(work, event, patient=now < work.until and not self._why)
            if end is None:
                self._late.append((work, event))
                continue
            self._block.write(Ended(end))
            self._ended.append((work, end))

    def _give(self, work: Work, why: str, now: float) -> None:
        """An attempt that ran, or was about to, goes back: nothing of it is left."""
        if work.begun is not None:
            self._bench.discard(work)
        self._forget(work)
        self._block.write(Given((work.task.name,), why))
        self._do(self._desk.withdrawn(now, work.task.name))

    def _forget(self, work: Work) -> None:
        del self._works[work.task.name]
        self._nodes.forget(work)
        self._idle_since = time.monotonic()

    def _hand_over(self, now: float) -> None:
        """Has all lines in the log, then concludes from ends and starts what was prepared."""
        while now >= self._stuck_until:
            try:
                self._block.flush()
                self._block.tick(now)
            except StateError as error:
                return self._is_stuck(error, now)
            ended, self._ended = self._ended, []
            to_start, self._to_start = self._to_start, []
            if not ended and not to_start:
                return
            for work, end in ended:
                self._forget(work)
                self._do(self._desk.ended(now, work.task.name, ok=end.record.status == "done"))
            for work in to_start:
                self._start(work, now)
            self._start_awaiting(now)

    def _start(self, work: Work, now: float) -> None:
        task = work.task
        if work.unwanted:
            return self._give(work, self._why or "it was cancelled", now)
        if not self._nodes.is_ready(work.node):
            return self._give(work, f"the node {work.node} was lost", now)
        cpus = self._nodes.bindable(work.node, work.slot.cpus)
        work.begun = now
        try:
            self._agents.run(work.node, task.name, task.argv, self._bench.environment(work), work.log, cpus)
        except (ValueError, OSError) as error:
            work.begun = None
            self._refuse(work, f"the command could not be started: {error}")

    def _is_stuck(self, error: StateError, now: float) -> None:
        """The log cannot be written: nothing starts, what ended is kept, and it is tried again in a while."""
        if not self._stuck_until:
            _tell(f"{error.message}; nothing starts until this is mended")
        self._stuck_until = now + FULL_DISK_SECONDS

    def _kill(self, work: Work, why: str) -> None:
        if not work.unwanted or why == "closing":
            work.unwanted = work.unwanted or why
            if work.begun is not None:
                self._agents.kill(work.task.name)

    # ── clocks ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _watch_clocks(self, now: float) -> None:
        if self._signal:
            self._close(f"it got {self._signal}", now, grace=0.0)
        if now >= self._ends_at:
            self._close("its walltime is over", now, grace=0.0)
        if now - self._tick_at >= 1.0:
            self._tick_at = now
            self._do(self._desk.tick(now))
            self._settle_orphans(now)
            for work in list(self._works.values()):
                limit = work.task.limit
                if limit is not None and work.begun is not None and now - work.begun >= limit:
                    self._kill(work, "limit")
        if now - self._beat_at >= BEAT_SECONDS:
            self._beat_at = now
            self._block.write(Beat(len(self._works), len(self._desk.waiting)))
        idle = not self._works and not self._desk.waiting
        if not self._why and idle and now - self._idle_since >= self._spec.idle:
            self._close(f"there was no work for {self._spec.idle:g} s", now, grace=0.0)
        if not self._why and self._nodes.all_sick:
            self._close("all its nodes are lost", now, grace=0.0)
        if self._why:
            self._go_on_closing(now)

    # ── the end ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _close(self, why: str, now: float, grace: float | None) -> None:
        """Begin to close: read no more, give back what waits, let running attempts go on for the grace."""
        until = None if grace is None else now + grace
        if self._why:
            if until is not None:
                self._kill_at = until if self._kill_at is None else min(self._kill_at, until)
            return
        self._why, self._kill_at = f"the block ends: {why}", until
        _tell(self._why)
        self._block.write(self._block.past.closing or self._block.closing(why))
        self._do(self._desk.close(now))
        for work in self._awaiting:
            self._give(work, self._why, now)
        self._awaiting.clear()

    def _go_on_closing(self, now: float) -> None:
        if self._kill_at is not None and now >= self._kill_at:
            for work in list(self._works.values()):
                self._kill(work, "closing")
        orphans = self._nodes.orphans
        if any(name not in orphans for name in self._works) or now < self._stuck_until:
            return
        if self._nodes.has_questions(now) and not self._signal and now < self._ends_at:
            return
        swept = not self._nodes.has_questions(now)
        reaped = self._agents.close(GRACE_SECONDS) and swept
        self._block.write(Closed(reaped))
        try:
            self._block.sync()
        except StateError as error:
            self._stuck_until = 0.0
            self._is_stuck(error, now)
        self._over = True


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - the job script's output is where a runner speaks
