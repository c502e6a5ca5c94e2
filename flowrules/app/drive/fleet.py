"""The blocks of a campaign as the driver keeps them: made, submitted once, fed, watched, ended, and found again.

What a block is called is written down before it is submitted, and what the batch system answered right after. So a
driver that finds a block without an answer asks the batch system for its name before it submits anything.
"""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Final

from flowrules.app.block.salvage import salvage
from flowrules.app.drive.fleet_block import SCRIPT, Live, minutes
from flowrules.app.drive.fleet_found import found_blocks, take_stock, wait_until_accepted
from flowrules.app.drive.fleet_news import News, Over, Refused, Shuts, TaskEnded, TasksGiven
from flowrules.app.drive.fleet_question import Question
from flowrules.app.drive.fleet_queues import Queues
from flowrules.app.drive.packing import taken_by
from flowrules.errors import BatchError, BatchFull, StateError
from flowrules.execute.batch.patience import Patient
from flowrules.execute.jobscript import ScriptBlock, render_script
from flowrules.model.block import BlockSpec, Task
from flowrules.model.dispatch import BlockPlan
from flowrules.model.profile import Profile
from flowrules.model.progress import Blocks
from flowrules.ports import Waiting
from flowrules.record.blockfiles import OVER, Fate, block_names, block_path
from flowrules.record.messages import Closed
from flowrules.record.messages import Grant as GrantMessage
from flowrules.record.spool import BlockFolder
from flowrules.record.state import write_atomically
from flowrules.schedule.queues import Offer

QUICK, SLOW = 0.2, 2.0
"""Seconds between two looks at the logs while lines come, and while none do."""

UNATTENDED: Final = 5.0
"""Seconds without work after which a block ends that nobody can hand more to."""

QUARANTINE: Final = 150.0
"""Seconds until processes of a block that did not say that it reaped them are dead: their lease, and some more."""


class Fleet:
    """The blocks of one working directory.

    Args:
        campaign: marks all blocks of this directory; epoch: number of this driver's ownership.
        look: raises where another driver is in charge.
        every: seconds between two questions to the batch system.
        swept: the batch system itself ends all processes of a block: no quarantine.
    """

    def __init__(
        self,
        profile: Profile,
        batch: Patient,
        directory: str,
        campaign: str,
        epoch: int,
        tell: Callable[[str], None],
        look: Callable[[], None],
        *,
        launcher: str,
        hash_limit: int,
        keep_incomplete: bool,
        every: float = 30.0,
        swept: bool = False,
    ) -> None:
        self._profile = profile
        self._batch = batch
        self._directory = directory
        self._campaign = campaign
        self._epoch = epoch
        self._tell = tell
        self._look = look
        self._launcher = launcher
        self._hash_limit = hash_limit
        self._keep_incomplete = keep_incomplete
        self._every = every
        self._quarantine = 0.0 if swept else QUARANTINE
        self._live: dict[str, Live] = {}
        self._dead: dict[str, Live] = {}  # over, and not all they brought is recorded yet
        self._question = Question(batch, every, tell)
        self._queues = Queues(profile, batch, tell)
        self._pause = QUICK
        self._hours = 0.0  # of blocks that are over

    @property
    def pause(self) -> float:
        """Seconds until the next look is worth it."""
        return self._pause

    @property
    def names(self) -> list[str]:
        """Blocks that are not over."""
        return list(self._live)

    def look(self) -> Blocks:
        """How all blocks look now."""
        now = time.monotonic()
        lines = tuple(live.line(now) for live in self._live.values())
        return Blocks(lines, self._hours + sum(live.hours(now) for live in self._live.values()))

    def cmd_folder(self, block: str) -> str:
        """Where private files of a block's tasks lie."""
        return f"{self._live[block].folder.path}/cmd"

    def takes(self, block: str) -> bool:
        """Whether a block may still be handed tasks; one that closes is known here before the loop hears of it."""
        live = self._live.get(block)
        return live is not None and not live.shut and not live.unwanted and not live.folder.spec.plain

    def plan_of(self, block: str) -> BlockPlan:
        """What was asked for; known until a block is buried."""
        return (self._live.get(block) or self._dead[block]).plan

    def grant_of(self, block: str) -> GrantMessage:
        """What it was granted last."""
        return self._live[block].folder.last_grant()

    # ── blocks of earlier drivers ────────────────────────────────────────────────────────────────────────────

    def attach(self, beat: Callable[[], None] | None = None) -> dict[str, dict[str, Fate]]:
        """Hold the blocks that earlier drivers left; for each what became of its tasks so far.

        Args:
            beat: given where the last driver may still live, on another host: no block may read from it any more.
        """
        found = found_blocks(self._directory, self._epoch, self._look)
        if beat is not None:
            for live in wait_until_accepted(found, beat):
                self._tell(f"block {live.name} does not answer; going on without its answer")
        self._live.update((live.name, live) for live in found)
        return {live.name: take_stock(live) for live in found}

    # ── making ───────────────────────────────────────────────────────────────────────────────────────────────

    def open(
        self,
        plan: BlockPlan,
        running: int | None,
        after: Sequence[str] | None = None,
        *,
        plain: bool = False,
        tokens: Mapping[str, float] | None = None,
    ) -> str:
        """Make a block's folder and job script; `submit` hands it in. Returns its name.

        Args:
            after: submitted blocks that have to be over before; None where a driver stays and sees to that.
            plain: it gets a script of all its tasks (`write_plain`) instead of a runner.
            tokens: its part of what all blocks share, until it is granted another.

        Raises:
            UsageError: no queue takes such a block.
            StateError: the folder cannot be made.
        """
        profile = self._profile
        taken = taken_by([live.folder.spec.queue for live in self._live.values()])
        offer = self._queues.choose(plan.nodes, plan.walltime, taken)
        block = self._next_name()
        # before there is a folder: the profile may lack something
        shown, script = self._script(block, offer, after or (), plain=plain)
        spec = BlockSpec(
            campaign=self._campaign,
            block=block,
            name=shown.name,
            nonce=os.urandom(12).hex(),
            directory=self._directory,
            nodes=offer.nodes,
            walltime=offer.walltime,
            node=profile.node,
            launcher=self._launcher,
            worker_init=profile.worker_init,
            running=running,
            idle=profile.blocks.idle if after is None else UNATTENDED,
            latency_wait=profile.latency_wait,
            hash_limit=self._hash_limit,
            keep_incomplete=self._keep_incomplete,
            python=sys.executable,
            queue=offer.queue.name,
            after=tuple(after or ()),
            plain=plain,
            tokens=dict(tokens or {}),
        )
        folder = BlockFolder.create(spec, self._epoch, self._look)
        write_atomically(f"{folder.path}/{SCRIPT}", script.encode())
        self._live[block] = Live(folder, plan)
        return block

    def write_plain(self, block: str, tasks: Sequence[Task]) -> None:
        """Write the script of a block that has no runner, before it is submitted.

        Raises:
            UsageError, FlowrulesError: as `plain_text`.
        """
        from flowrules.app.plain import SCRIPT as PLAIN
        from flowrules.app.plain import Kept, plain_text

        folder = self._live[block].folder
        others = [self._live[name].folder for name in folder.spec.after]
        before = [(other.spec.nonce, other.path) for other in others]
        kept = Kept(folder.path, before, reach=folder.spec.launcher != "local")
        write_atomically(f"{folder.path}/{PLAIN}", plain_text(folder.spec, tasks, kept).encode("ascii", "replace"))

    def submission(self, block: str) -> str | None:
        """What the batch system calls a block; "" while that is not known, None where it does not take it now."""
        live = self._live.get(block)
        return None if live is None else live.id or (None if live.full else "")

    def _script(self, block: str, offer: Offer, after: Sequence[str], *, plain: bool) -> tuple[ScriptBlock, str]:
        path = block_path(self._directory, block)
        name = f"fr-{self._campaign}-{block}"
        depend = ":".join(["afterany", *(self._live[other].id for other in after)]) if after else ""
        shown = ScriptBlock(name, offer.nodes, offer.walltime, offer.queue.name, path, self._directory, depend)
        runner = [sys.executable, "-m", "flowrules", "run-block", path]
        command = shlex.join(["bash", f"{path}/plain.sh"] if plain else runner)
        return shown, render_script(self._profile, shown, command)

    def _next_name(self) -> str:
        taken = [int(name[1:]) for name in (*block_names(self._directory), *self._live) if name[1:].isdigit()]
        return f"b{max(taken, default=0) + 1:03d}"

    def submit(self, now: float) -> list[News]:
        """Hand blocks in that were not yet, a step each: what takes longer goes on in later calls."""
        news: list[News] = []
        for live in [live for live in self._live.values() if not live.id and not live.begun and not live.shut]:
            if now < live.next_at:
                continue
            try:
                if live.submitting is None:
                    live.submitting = self._submission(live)
                live.next_at = now + next(live.submitting)
            except StopIteration as done:
                news += self._submitted(live, str(done.value))
            except BatchFull as error:
                live.submitting, live.next_at = None, now + self._every
                if not live.full:
                    self._tell(f"block {live.name} waits to be submitted: {error.message}")
                live.full = True
            except BatchError as error:
                news += self._not_submitted(live, error)
        return news

    def _submission(self, live: Live) -> Waiting[str]:
        """Its steps; of a block that is not wanted any more only whether it was submitted is of interest."""
        name = live.folder.spec.name

        def tell(error: BatchError) -> None:
            if not live.troubled:
                self._tell(f"block {live.name} is not submitted yet: {error.message}; trying again")
            live.troubled = True

        if live.unwanted:
            ids = yield from self._batch.looking_up(name)
            return ids[0] if ids else ""
        with open(f"{live.folder.path}/{SCRIPT}", encoding="utf-8") as file:
            script = file.read()
        return (yield from self._batch.submitting(script, name, doubtful=live.doubtful, tell=tell))

    def _submitted(self, live: Live, id: str) -> list[News]:
        if not id:
            return self._ends(live)
        live.submitted(id)
        spec = live.folder.spec
        where = f" in queue {spec.queue}" if spec.queue else ""
        nodes = f"{spec.nodes} node{'' if spec.nodes == 1 else 's'}"
        self._tell(f"block {spec.block} submitted as {id}: {nodes} for {minutes(spec.walltime)}{where}")
        return []

    def _not_submitted(self, live: Live, error: BatchError) -> list[News]:
        self._tell(f"block {live.name} was not taken: {error.message}" + (f" ({error.hint})" if error.hint else ""))
        with suppress(StateError):
            live.folder.stop()  # should it have arrived after all, it ends at once
        # told first: what comes back is not to be asked another block for
        return [Refused(live.name, live.plan, error), *self._ends(live)]

    # ── telling ──────────────────────────────────────────────────────────────────────────────────────────────

    def hand(self, block: str, tasks: Sequence[Task]) -> None:
        """Hand tasks to a block.

        Raises:
            StateError: not all of it is written; it is tried again with what is said next.
        """
        live = self._live[block]
        live.fed = True
        live.tasks.update(dict.fromkeys(task.name for task in tasks))
        live.folder.take(tasks)
        self._pause = QUICK

    def cancel(self, tasks: Iterable[str]) -> None:
        """Have tasks given back, or killed where they run."""
        wanted = set(tasks)
        for live in self._live.values():
            mine = wanted.intersection(live.tasks)
            if mine:
                live.folder.cancel(sorted(mine))

    def grant(self, block: str, running: int | None, tokens: Mapping[str, float]) -> None:
        """Let a block run so many jobs at once, and hold so much of what all blocks share.

        Raises:
            StateError: as `hand`.
        """
        if block in self._live:
            self._live[block].folder.grant(running, tokens)

    def close(self, block: str, grace: float | None = None) -> list[News]:
        """Have a block end; one that waits in a queue is taken out of it."""
        live = self._live.get(block)
        if live is None:
            return []
        live.folder.stop(grace)
        live.unwanted = True
        untouched = not live.id and not live.begun and not live.submitting and not live.doubtful
        return self._ends(live) if untouched else []

    def _withdraw(self, live: Live, now: float) -> None:
        """Take a block that is not wanted any more out of its queue. One that begins meanwhile ends by itself."""
        # a plain script does not read that it shall end, nor does a node that is dead
        begun = live.begun and not live.folder.spec.plain
        wanted = not live.overdue and (begun or not live.unwanted)
        if wanted or not live.id or live.withdrawn is not None or now < live.next_at:
            return
        try:
            if live.cancelling is None:
                live.cancelling = self._batch.cancelling(live.id)
            live.next_at = now + next(live.cancelling)
        except StopIteration:
            live.cancelling, live.withdrawn = None, now
        except BatchError as error:
            live.cancelling, live.next_at = None, now + self._every
            what = "ended" if live.overdue else "taken out of its queue"
            self._tell(f"block {live.name} could not be {what}: {error.message}")

    # ── watching ─────────────────────────────────────────────────────────────────────────────────────────────

    def poll(self, now: float) -> list[News]:
        """What happened since the last look, by the logs of the blocks and, now and then, the batch system."""
        self._queues.go_on(now)
        news = self.submit(now)
        for live in list(self._live.values()):
            news += self._read(live, now)
            self._withdraw(live, now)
        self._question.go_on(self._live.values(), now)
        for live in list(self._live.values()):
            news += self._judge(live, now)
        stepping = self._question.is_open or any(live.submitting or live.cancelling for live in self._live.values())
        self._pause = QUICK if news or stepping else min(SLOW, self._pause * 1.5)
        return news

    def _read(self, live: Live, now: float) -> list[News]:
        news: list[News] = []
        if live.folder.waiting:
            with suppress(StateError):
                live.folder.retry()
        if live.scribe is not None:
            live.scribe.write()
        early, live.early = live.early, []
        for said in (*early, *live.folder.news()):
            found, words = live.hear(said, now)
            news += found
            if words:
                self._tell(words)
        return news

    def _judge(self, live: Live, now: float) -> list[News]:
        """A block that said that it closed is over; so is one that ended without a word, after its quarantine."""
        closed: Closed | None = live.folder.closed
        withdrawn = live.withdrawn is not None and now - live.withdrawn >= SLOW and not live.begun
        if withdrawn:  # should it have begun all the same, the first thing it reads is that it shall end
            return self._ends(live)
        if closed is None and live.lost_since is None:
            return []
        if closed is not None and not closed.reaped and live.lost_since is None:
            live.lost_since = now
        if not (closed is not None and closed.reaped):
            assert live.lost_since is not None
            if live.begun and live.tasks and now - live.lost_since < self._quarantine:
                return []
        if closed is not None:
            return self._ends(live)
        if not live.absent and not live.overdue:
            detail = live.status.detail if live.status is not None else ""
            self._tell(f"block {live.name} ended without a word{': ' + detail if detail else ''}")
        with suppress(StateError):
            live.folder.stop()  # should it start after all, it ends at once
        return [*self._salvaged(live), *self._ends(live)]

    def _salvaged(self, live: Live) -> list[News]:
        """Ends that the runner of a block did not live to write down."""
        try:
            ends = salvage(live.folder, self._directory) if live.begun else []
        except StateError as error:
            self._tell(f"what ended last in block {live.name} runs again: {error.message}")
            return []
        for end in ends:
            live.tasks.pop(end.task, None)
        return [TaskEnded(live.name, end) for end in ends]

    def _ends(self, live: Live) -> list[News]:
        """A block is over: nothing is known of it any more, and what it still held goes back."""
        del self._live[live.name]
        self._hours += live.hours(time.monotonic())
        self._dead[live.name] = live
        shuts = [] if live.shut else [Shuts(live.name)]
        barren = live.fed and not live.used and not live.unwanted
        return [*shuts, TasksGiven(live.name, tuple(live.tasks)), Over(live.name, barren)]

    def bury(self, block: str) -> None:
        """A block that is over is not looked at by later drivers; to be called when all it brought is recorded."""
        live = self._dead.pop(block)
        write_atomically(f"{live.folder.path}/{OVER}", b"")
        live.folder.close()

    def cancel_all(self, grace: float) -> None:
        """Have all blocks end, killing what runs after some seconds."""
        for name in list(self._live):
            self.close(name, grace)

    def leave(self) -> None:
        """Let go of all blocks; they go on. What was asked of the batch system just now is given up."""
        self._queues.give_up()
        self._question.give_up()
        for live in self._live.values():
            live.submitting = live.cancelling = None
            live.folder.close()
