"""The loop of a runner: tasks of the inbox onto slots, ends into the log.

inbox ──tasks──▶ desk (scheduler) ──slots──▶ agents ──ends──▶ outputs looked at ──▶ log, desk

What is concluded from an end, and what is started, waits until its line is in the log.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence
from types import FrameType

from flowrules.app.block.runner_agents import AgentsLike, tell
from flowrules.app.block.runner_clocks import BEAT_SECONDS, LOOK_SECONDS, TICK_SECONDS, Clocks
from flowrules.app.block.runner_desk import Back, Desk, End, Move, Place
from flowrules.app.block.runner_nodes import Nodes
from flowrules.app.block.runner_suspects import DOUBT_SECONDS as SUSPECT_SECONDS
from flowrules.app.block.runner_suspects import IN_A_ROW, Suspects, is_launch_failure
from flowrules.app.block.runner_work import Bench, Work
from flowrules.errors import DirectoryHeld, FlowrulesError, StateError
from flowrules.execute.launchers import ranges
from flowrules.model.agent import AgentEvent, NodeLost, NodeNote, NodeReady, TaskEnded
from flowrules.model.block import TaskEnd
from flowrules.record import messages as say
from flowrules.record.disk import Disk
from flowrules.record.spool_runner import QUARANTINE_SECONDS, RunnerFolder

GRACE_SECONDS = 10.0
DOUBT_SECONDS = 1.0
"""For how long an attempt that somebody killed may turn out to have died with its node."""
BY_SOMEBODY = (-signal.SIGKILL, -signal.SIGTERM)
"""How an attempt ends with its node: a batch system ends all processes there, of the job before or after its agent."""


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
        self._clocks = Clocks(spec, begun)
        self._desk = Desk(spec, hosts, self._clocks.ends_at, block.past)
        before = block.ends_before()
        self._desk.have(before)
        self._bench = Bench(spec, Disk("."), block.past.ended.values(), before.values())
        self._nodes = Nodes(block, hosts, begun + QUARANTINE_SECONDS)
        self._suspects = Suspects()
        self._works: dict[str, Work] = {}
        self._awaiting: list[Work] = []
        self._to_start: list[Work] = []
        self._late: list[tuple[Work, TaskEnded]] = []
        self._ended: list[tuple[Work, TaskEnd]] = []
        self._signal = ""
        self._why = ""  # why the block is closing; "" while it is not
        self._kill_at: float | None = None
        self._over = False

    def stop(self, number: int, frame: FrameType | None) -> None:
        """Close the block at once; a signal handler."""
        self._signal = signal.Signals(number).name
        self._agents.wake()

    def run(self) -> int:
        """Run until the block is closed. The exit status, as of `flowrules.app.block.runner.run_block`.

        Raises:
            DirectoryHeld: a later incarnation took over; all attempts were killed.
        """
        try:
            self._agents.open()
        except (OSError, ValueError) as error:
            self._close(f"its agents cannot be started: {error}", time.monotonic(), grace=0.0)
            self._closed(reaped=not self._nodes.has_questions(time.monotonic()))
            return 2
        try:
            for node in self._nodes.names:
                self._do(self._desk.node_gone(time.monotonic(), node, waited=True))
            while not self._over:
                self._turn()
        except BaseException:
            self._agents.close(0.0)
            raise
        return 0

    def _turn(self) -> None:
        now = time.monotonic()
        if self._may_act(now):
            self._read_inbox(now)
            self._start_awaiting(now)
            self._hand_over(now)
        for event in self._agents.wait(self._clocks.patience(now, busy=self._is_busy, reads=not self._why)):
            self._heed(event, time.monotonic())
        now = time.monotonic()
        self._do(self._desk.nodes_back(now, self._nodes.usable(now, self._desk.is_wide)))
        if self._may_act(now):
            self._finish_late(now)
            self._hand_over(now)
        if self._may_act(now) or self._signal:
            self._watch_clocks(now)

    @property
    def _is_busy(self) -> bool:
        """Whether something is to be looked at again soon."""
        return bool(self._late or self._awaiting or self._why) or self._block.unsynced

    def _may_act(self, now: float) -> bool:
        """Whether this incarnation is in charge, and what it says arrives."""
        clocks = self._clocks
        if now < clocks.stuck_until:
            return False
        try:
            if clocks.is_due("look", LOOK_SECONDS, now):
                self._block.look()
        except DirectoryHeld:
            raise
        except StateError as error:
            self._is_stuck(error, now)
        return now >= clocks.stuck_until

    def _is_stuck(self, error: StateError, now: float) -> None:
        """Files cannot be read or written: nothing starts, what ended is kept, and it is tried again in a while."""
        if self._clocks.stuck(now):
            tell(f"{error.message}; nothing starts until this is mended")

    # ── from the driver ──────────────────────────────────────────────────────────────────────────────────────────

    def _read_inbox(self, now: float) -> None:
        if self._why or not self._clocks.must_read(now):
            return
        try:
            messages = self._block.inbox()
        except StateError as error:
            return self._is_stuck(error, now)
        self._clocks.has_read(now, found=bool(messages))
        for message in messages:
            if isinstance(message, say.Have):
                self._desk.have(message.tasks)
        # a block that is told to end, or began to before, starts nothing of what it is told along with it
        stop = next((message for message in messages if isinstance(message, say.Stop)), None)
        if stop is not None:
            self._close("it was told to", now, grace=stop.grace)
        elif self._block.past.closing is not None:
            self._close(self._block.past.closing.why, now, grace=0.0)
        # before the tasks: a share may have been lowered for them
        grant = next((message for message in reversed(messages) if isinstance(message, say.Grant)), None)
        if grant is not None:
            self._do(self._desk.grant(now, grant.running, grant.tokens))
            self._block.write(say.Granted(grant.running, grant.tokens))
        self._do(self._desk.take(now, [self._bench.expecting(m.task) for m in messages if isinstance(m, say.Take)]))
        for message in messages:
            self._obey(message, now)
        if messages:
            self._clocks.works(now)

    def _obey(self, message: say.InboxMessage | say.Damaged, now: float) -> None:
        if isinstance(message, say.Cancel):
            self._do(self._desk.cancel(now, message.tasks))
        elif isinstance(message, say.Damaged):
            from flowrules.show.text import counted  # a block that finds no damage starts without it

            tell(f"`{message.file}` has {counted(message.lines, 'damaged line')}")
            lost = tuple(name for name in message.tasks if not self._desk.knows(name))
            if lost:
                self._block.write(say.Given(lost, f"lines of `{message.file}` are damaged"))

    def _do(self, moves: Sequence[Move]) -> None:
        """Carry out what the desk wants."""
        given: dict[tuple[str, bool], list[str]] = {}
        for move in moves:
            if isinstance(move, Place):
                work = self._nodes.work(move.task, move.slot, time.monotonic() + self._spec.latency_wait)
                self._works[move.task.name] = work
                self._awaiting.append(work)
            elif isinstance(move, End):
                if move.task in self._works:
                    self._kill(self._works[move.task], "cancel")
            elif isinstance(move, Back) and not self._nodes.is_in_question(move.task, time.monotonic()):
                given.setdefault((self._why or move.why, move.unfit), []).append(move.task)
        for (why, unfit), names in given.items():
            self._block.write(say.Given(tuple(names), why, unfit))

    # ── attempts begin ───────────────────────────────────────────────────────────────────────────────────────────

    def _start_awaiting(self, now: float) -> None:
        """Prepares whatever has its inputs; the others are looked at again."""
        awaiting, self._awaiting = self._awaiting, []
        for work in awaiting:
            name = work.task.name
            if self._nodes.is_in_question(name, now):
                work.until = now + self._spec.latency_wait
                self._awaiting.append(work)
            elif work.unwanted:
                self._give(work, "it was cancelled", now)
            elif self._nodes.has_said(name) and (ended := self._ended_before(work)) is not None:
                self._late.append((work, ended))
            elif (missing := self._bench.missing(work.task)) and now < work.until:
                self._awaiting.append(work)
            else:
                self._prepare(work, missing)

    def _ended_before(self, work: Work) -> TaskEnded | None:
        """The good end of an attempt of an earlier incarnation, whose runner died before it wrote it down."""
        try:
            self._bench.look_at_inputs(work)
        except FlowrulesError:
            return None
        return self._nodes.ended_before(work)

    def _prepare(self, work: Work, missing: Sequence[str]) -> None:
        try:
            self._bench.prepare(work)
        except (FlowrulesError, OSError) as error:
            return self._refuse(work, error.message if isinstance(error, FlowrulesError) else str(error))
        if missing:
            tell(f"inputs of {work.task.label} are not as the driver saw them: {', '.join(missing)}")
        slot = work.slot
        self._block.write(say.Started(work.task.name, work.node, slot.gpus, ranges(slot.cpus), time.time()))
        self._to_start.append(work)

    def _refuse(self, work: Work, error: str) -> None:
        end = self._bench.refuse(work, error)
        self._block.write(say.Ended(end))
        self._ended.append((work, end))

    def _start(self, work: Work, now: float) -> None:
        if work.unwanted or self._why:
            return self._give(work, self._why or "it was cancelled", now)
        if not self._nodes.is_ready(work):
            return self._give(work, "its node was lost", now)
        work.begun = now
        env, cpus = self._bench.environment(work), self._nodes.bindable(work)
        try:
            self._agents.run(work.node, work.task.name, work.task.argv, env, work.log, cpus)
        except (ValueError, OSError) as error:
            self._refuse(work, f"the command could not be started: {error}")

    # ── attempts end ─────────────────────────────────────────────────────────────────────────────────────────────

    def _heed(self, event: AgentEvent, now: float) -> None:
        if isinstance(event, TaskEnded):
            work = self._works.get(event.task)
            if work is not None and work.begun is not None:
                work.until, work.ended = now + self._spec.latency_wait, now
                self._sweep(work)
                if event.exit == -signal.SIGKILL and event.task in self._nodes.orphans:
                    work.unwanted = work.unwanted or "lost"
                self._nodes.forget(work)
                self._late.append((work, event))
                if not (event.killed or work.unwanted):
                    self._suspect(work, event, now)
        elif isinstance(event, NodeReady):
            self._nodes.ready(event)
            self._give_orphans(now, event.node)
        elif isinstance(event, NodeLost):
            self._lost(event, now)
        elif isinstance(event, NodeNote):
            tell(f"{event.node}: {event.text}")

    def _suspect(self, work: Work, event: TaskEnded, now: float) -> None:
        """Whose failure it is: that of ranks which could not be started is no job's, and some nodes fail alone."""
        node, nodes, rule, label = work.node, work.slot.nodes, work.task.draft.rule, work.task.label
        if event.exit and len(nodes) > 1 and is_launch_failure(work.log):
            forgiven, blamed = self._suspects.launch_failed(label, nodes)
            work.unwanted = "lost" if forgiven else ""
            for each in blamed:
                self._give_up(each, len(nodes), "ranks could not be started there, again and again", now)
            return
        if event.exit in BY_SOMEBODY:
            return  # for want of memory, or with its node
        if len(nodes) > 1:
            self._suspects.launched(nodes)
        self._suspects.ended(node, rule, label, ok=event.exit == 0)
        if self._suspects.fails_alone(node):
            self._give_up(node, 1, f"{IN_A_ROW} jobs in a row failed there that do not fail on other nodes", now)
        if event.exit and self._nodes.is_sick(node):
            work.unwanted = "lost"

    def _give_up(self, node: str, keep: int, why: str, now: float) -> None:
        """A node is used no more, though its agent lives; failures there that were not told yet go back."""
        if not self._nodes.give_up(node, keep):
            return
        tell(f"the node {node} is used no more: {why}")
        self._block.write(say.Sick(node, why))
        for work, ended in self._late:
            if work.node == node and ended.exit:
                work.unwanted = work.unwanted or "lost"
        self._do(self._desk.node_gone(now, node, waited=False))

    def _is_in_doubt(self, work: Work, event: TaskEnded, now: float) -> bool:
        """Whether a failure may be its node's, and is not told yet."""
        if not event.exit or work.unwanted or self._why or now >= work.ended + SUSPECT_SECONDS:
            return False
        return self._nodes.has_others(work.node) and self._suspects.is_in_doubt(work.node, work.task.draft.rule)

    def _lost(self, event: NodeLost, now: float) -> None:
        """A node is gone: it is tried once more, and what ran there goes back when it is known to be dead."""
        tell(f"the node {event.node} is lost: {event.why}")
        for work, ended in self._late:
            if work.node == event.node and ended.exit in BY_SOMEBODY:
                work.unwanted = work.unwanted or "lost"
        again = self._nodes.lost(event, list(self._works.values()), now)
        for work in self._works.values():
            if event.node in work.slot.nodes and work.node != event.node:
                self._kill(work, "lost")
        self._do(self._desk.node_gone(now, event.node, waited=again))
        if again and not self._why:
            self._agents.restart(event.node)
        else:
            self._block.write(say.Sick(event.node, event.why))
        if event.reaped:
            self._give_orphans(now, event.node)

    def _give_orphans(self, now: float, node: str = "") -> None:
        """Attempts of lost nodes whose processes are known to be gone go back."""
        for work in self._nodes.settled_orphans(now, node):
            self._give(work, f"the node {work.node} was lost", now)

    def _finish_late(self, now: float) -> None:
        """Completes the records of attempts that ended; some wait a while for outputs that are not there yet."""
        late, self._late = self._late, []
        patience = self._kill_at is None or now < self._kill_at
        for work, event in late:
            if event.killed and not work.unwanted:  # not for us: its agent was told to end, or heard nothing any more
                work.unwanted = "lost"
            if work.unwanted in ("closing", "lost") and event.exit != 0:
                self._give(work, self._why or f"a node of {work.task.name} was lost", now)
                continue
            doubtful = event.exit in BY_SOMEBODY and not work.unwanted and now < work.ended + DOUBT_SECONDS
            doubtful = doubtful or self._is_in_doubt(work, event, now)
            patient = patience and now < work.until
            if doubtful or (end := self._bench.finish(work, event, patient=patient)) is None:
                self._late.append((work, event))
            else:
                self._block.write(say.Ended(end))
                self._ended.append((work, end))

    def _give(self, work: Work, why: str, now: float) -> None:
        """An attempt that ran, or was about to, goes back: nothing of it is left."""
        if work.begun is not None:
            self._sweep(work)
            self._bench.discard(work)
        self._forget(work, now)
        self._block.write(say.Given((work.task.name,), why))
        self._do(self._desk.withdrawn(now, work.task.name))

    def _sweep(self, work: Work) -> None:
        """End ranks on other nodes that outlived their launcher; nothing starts there before."""
        for node in work.slot.nodes[1:]:
            self._agents.sweep(node, work.task.name)

    def _forget(self, work: Work, now: float) -> None:
        del self._works[work.task.name]
        self._nodes.forget(work)
        self._nodes.leave(work)

    def _hand_over(self, now: float) -> None:
        """Has all lines in the log, then concludes from ends and starts what was prepared."""
        while self._may_act(now):
            try:
                self._block.flush()
                self._block.tick(now)
            except StateError as error:
                return self._is_stuck(error, now)
            self._clocks.stuck_until = 0.0
            ended, self._ended = self._ended, []
            to_start, self._to_start = self._to_start, []
            if not ended and not to_start:
                return
            for work, end in ended:
                if end.record.status == "failed" and self._block.ends_run(work.task):
                    self._block.tell_others()
                    self._close(f"{work.task.label} failed", now, grace=None)
                self._forget(work, now)
                self._do(self._desk.ended(now, work.task.name, ok=end.record.status == "done"))
            for work in to_start:
                self._start(work, now)
            now = time.monotonic()
            self._start_awaiting(now)

    def _kill(self, work: Work, why: str) -> None:
        """Have an attempt end; one that has not begun is given back where it would begin."""
        if work.unwanted:
            return
        work.unwanted = why
        if work.begun is not None:
            self._agents.kill(work.task.name)

    # ── clocks ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _watch_clocks(self, now: float) -> None:
        if self._clocks.is_due("tick", TICK_SECONDS, now):
            self._do(self._desk.tick(now))
            self._give_orphans(now)
            self._keep_limits(now)
        if self._clocks.is_due("beat", BEAT_SECONDS, now):
            self._block.write(say.Beat(len(self._works), len(self._desk.waiting)))
        if self._works or self._desk.waiting:
            self._clocks.works(now)
        if self._signal:
            self._close(f"it got {self._signal}", now, grace=0.0)
        elif self._nodes.all_sick:
            self._close("all its nodes are lost", now, grace=0.0)
        elif why := self._clocks.reason_to_end(now):
            self._close(why, now, grace=0.0)
        if self._why:
            self._go_on_closing(now)

    def _keep_limits(self, now: float) -> None:
        for work in self._works.values():
            limit = work.task.limit
            if limit is not None and work.begun is not None and now - work.begun >= limit:
                self._kill(work, "limit")

    # ── the end ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _close(self, why: str, now: float, grace: float | None) -> None:
        """Begin to close: read no more, give back what waits, let running attempts go on for the grace."""
        until = None if grace is None else now + grace
        if self._why:
            if until is not None:
                self._kill_at = until if self._kill_at is None else min(self._kill_at, until)
            return
        self._why, self._kill_at = f"the block ends: {why}", until
        tell(self._why)
        self._block.write(self._block.past.closing or self._block.closing(why))
        self._do(self._desk.close(now))
        awaiting, self._awaiting = self._awaiting, []
        for work in awaiting:
            if self._nodes.is_in_question(work.task.name, now):
                self._forget(work, now)  # it may run somewhere: it goes back when the block is over
            else:
                self._give(work, self._why, now)

    def _go_on_closing(self, now: float) -> None:
        if self._kill_at is not None and now >= self._kill_at:
            for work in self._works.values():
                self._kill(work, "closing")
        doubtful = self._nodes.has_questions(now)
        if self._works.keys() - self._nodes.orphans or self._to_start:
            return
        if doubtful and not self._signal and now < self._clocks.ends_at:
            return  # agents that get ready sweep what an earlier incarnation left
        self._closed(reaped=self._agents.close(GRACE_SECONDS) and not doubtful)

    def _closed(self, *, reaped: bool) -> None:
        """Write the last line; where it cannot be written the driver learns the end from the batch system."""
        self._block.write(say.Closed(reaped))
        try:
            self._block.sync()
        except StateError as error:
            tell(error.message)
        self._over = True
