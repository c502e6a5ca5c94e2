"""Plans are remembered beside the journal: the next call looks at files and asks what was asked, and need not plan.

Written by runs, read by runs and dry runs; where anything is not as it was in a way that could matter to the shape of
the DAG, the plan is made anew. `FLOWRULES_PLAN_CACHE=0` switches it off.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from flowrules.app.settings import Request, Source
from flowrules.expr.paths import glob_files
from flowrules.expr.witness import Variables, Witness, same_answers
from flowrules.plan.memory import Memory, Restored, Unfit, encode
from flowrules.ports import UNSEEN
from flowrules.record.disk import Disk
from flowrules.record.remembered import differences, history_mark, history_since, read_plan, write_plan
from flowrules.version import __version__

if TYPE_CHECKING:
    from flowrules.model.workflow import Workflow
    from flowrules.plan.build import Planned

SWITCH: Final = "FLOWRULES_PLAN_CACHE"
MOST_SEEN: Final = 20_000
"""How many answers a plan may rest on to be remembered: asking them all again must be cheaper than planning."""

MANY: Final = 100_000
"""Jobs of a remembered plan whose files take so long to look at that it is shown."""

_PARTS = ("", "expr", "load", "model", "plan", "record", "syntax")
"""Folders of the program whose files a plan is made by."""


@dataclass(frozen=True, slots=True)
class Recalled:
    """What was remembered of a plan and still holds.

    Attributes:
        memory: the plan as it was.
        changed: files that are, or whose history is, no longer what they were.
    """

    memory: Memory
    changed: frozenset[str]

    @property
    def restored(self) -> Restored:
        """What the planner can build on."""
        return Restored(self.memory, self.changed)

    @property
    def nothing_to_do(self) -> bool:
        """Whether it is known without judging anything that all is up to date."""
        return not self.changed and self.memory.nothing_to_do


class Remembering:
    """One call's dealings with remembered plans.

    Args:
        flowfile: the path of the Flowfile.

    Attributes:
        files: the disk, to load with.
        environ: variables, likewise.
        recalled: what `recall` found; None where nothing is remembered that is of use.
    """

    def __init__(self, source: Source, request: Request, flowfile: str, disk: Disk) -> None:
        self._disk = disk
        self._basis = _basis(source, request, flowfile)
        self._name = blake2b((self._basis or "").encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        self.recalled: Recalled | None = None
        self._memory = self._read()
        self.files = Witness(disk, os.urandom(16) if self._memory is None else self._memory.salt)
        self.environ: Mapping[str, str] = Variables(os.environ, self.files)

    def recall(self) -> Recalled | None:
        """What was remembered of an earlier plan, and what of it holds now."""
        memory, self._memory = self._memory or self._read(), None
        if memory is not None:
            with self._disk.stages if memory.active > MANY else UNSEEN as stages:
                stages.enter("looking at files since the last plan")
                self.recalled = self._holds(memory)
        return self.recalled

    def keep(self, planned: Planned, workflow: Workflow) -> None:
        """Remember a plan, if it can be and is not remembered yet; the history must have been written."""
        recalled, self.recalled = self.recalled, None  # a run may take long, and needs the room
        plan, memorable = planned.plan, planned.memorable
        if self._basis is None or memorable is None or (recalled is not None and recalled.nothing_to_do):
            return
        saw = dict(self.files.saw)
        if recalled is not None:  # for jobs that are settled not everything was asked again
            saw = {**dict(recalled.memory.saw), **saw}
        if plan.warnings or plan.kept or plan.unknown or len(saw) > MOST_SEEN:
            return
        try:
            content = encode(memorable, workflow, plan.targets, self._basis, history_mark(), saw, self.files.salt)
        except Unfit:
            return
        write_plan(self._name, content)

    def _read(self) -> Memory | None:
        content = read_plan(self._name) if self._basis is not None else None
        try:
            memory = None if content is None else Memory(content)
        except Unfit:
            return None
        return memory if memory is not None and memory.basis == self._basis else None

    def _holds(self, memory: Memory) -> Recalled | None:
        told = history_since(memory.history)
        if told is None or not same_answers(memory.saw, self._disk, memory.salt, os.environ, glob_files):
            return None
        changed = differences(self._disk, memory.table)
        if not memory.same_shape(changed, lambda path: self._disk.stat(path) is not None):
            return None
        return Recalled(memory, told.union(map(memory.table.paths.__getitem__, changed)))


def _basis(source: Source, request: Request, flowfile: str) -> str | None:
    """A text that stands for the program and for what the call says that a plan rests on; None where none is kept."""
    policy, commands = request.policy, request.commands
    special = policy.force, policy.forceall, policy.forcerun, policy.until, policy.omit_from, policy.spared
    if source.untrusted or any(special) or policy.only_look or os.environ.get(SWITCH) == "0":
        return None
    told = (
        sorted(commands.set_threads.items()),
        sorted((rule, sorted(names.items())) for rule, names in commands.set_resources.items()),
        sorted(commands.default_resources.items()),
    )
    return json.dumps(
        [
            [__version__, _program(), os.getcwd()],
            [flowfile, *source.config, "", *source.configfiles, source.no_python],
            [*request.targets],
            [*sorted(policy.triggers), policy.cutoff, policy.hash_limit],
            repr(told),
        ]
    )


def _program() -> int:
    """When the program was last changed, for those who work on it."""
    home = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    newest = 0
    for part in _PARTS:
        with os.scandir(os.path.join(home, part)) as entries:
            newest = max(newest, *(entry.stat().st_mtime_ns for entry in entries if entry.name.endswith(".py")))
    return newest
