"""What can be remembered of a plan, as bytes and back: its jobs, which were up to date, and what that rests on.

A plan is a function of the workflow, the targets, what the disk says of its files, and the history. So as long as all
of these are what they were, so is the plan; where some files differ, only jobs that name them are judged again.

The bytes hold numbers, texts and JSON; reading them executes nothing, and any that are not whole are refused. The rules
of the workflow are not remembered, only which wildcard values each has jobs for: what a job's files are is computed
again, by the rules as they are.
"""

from __future__ import annotations

import json
import struct
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any
from zlib import crc32

from flowrules.expr.witness import Question
from flowrules.model.files import FileTable

if TYPE_CHECKING:  # a call that finds nothing to do needs none of these
    from flowrules.expr.world import World
    from flowrules.model.job import Job
    from flowrules.model.workflow import Workflow
    from flowrules.plan.graph import Graph
    from flowrules.ports import FileView

_HEAD = struct.Struct("=20sIQ")
"""How the bytes begin: name and version, the sum of all that follows, the length of the JSON object that comes next."""

_MAGIC = b"flowrules plan    1\n"
_SOURCE, _UNASKED = -1, -2
"""In place of the job that makes a file: none does; one does, and nobody asks for it."""


class Unfit(ValueError):
    """These bytes are no plan that this program remembers, or the plan cannot be remembered."""


@dataclass(frozen=True, slots=True)
class Memorable:
    """A plan's DAG, which of its jobs have no reason of their own to run, and the disk as it was judged by."""

    graph: Graph
    settled: bytearray
    files: FileView


def encode(
    memorable: Memorable,
    workflow: Workflow,
    asked: Sequence[str],
    basis: str,
    history: str,
    saw: dict[Question, str],
    salt: bytes,
) -> bytes:
    """A plan as bytes.

    Args:
        asked: what the plan calls its targets.
        basis: stands for everything else that the plan rests on, but for the history: program and call.
        history: stands for what the history was.
        saw: what load and expressions learned from the disk and from variables; ``salt``: of the digests in it.

    Raises:
        Unfit: it rests on more than can be remembered, such as checkpoints or Python code of its author.
    """
    graph = memorable.graph
    if not graph.plain or graph.spurned or workflow.globals or any(job.waits for job in graph.jobs):
        raise Unfit
    values: list[list[str]] = [[] for _ in workflow.rules]
    for job in graph.jobs:
        values[job.rule.index] += job.values
    makers = {path: _SOURCE if job is None else job.id for path, job in graph.producer.items()}
    for path in chain.from_iterable(job.outputs for job in graph.jobs):
        makers.setdefault(path, _UNASKED)
    try:
        table = FileTable.of(list(makers), memorable.files.stat)
    except OverflowError:  # a time after the year 2262
        raise Unfit from None
    place = {path: at for at, path in enumerate(makers)}
    lists, numbers = _shared(graph.needs)
    sections = {
        "paths": _joined(table.paths),
        "sizes": table.sizes.tobytes(),
        "times": table.times.tobytes(),
        "kinds": table.kinds,
        "makers": array("q", makers.values()).tobytes(),
        "settled": bytes(memorable.settled),
        "asked": array("q", [place[path] for path in asked]).tobytes(),
        "rule_of": array("q", [job.rule.index for job in graph.jobs]).tobytes(),
        "needs": numbers.tobytes(),
        "needed": array("q", chain.from_iterable(lists)).tobytes(),
        "ends": _ends(lists).tobytes(),
        "lacking": _joined(list(graph.lacking)),
        **{f"values {rule}": _joined(texts) for rule, texts in enumerate(values) if texts},
    }
    head = {
        "basis": basis,
        "history": history,
        "salt": salt.hex(),
        "saw": [[*question, answer] for question, answer in saw.items()],
        "active": sum(job.rule.action is not None for job in graph.jobs),
        "target_paths": graph.targets.paths,
        "target_jobs": [job.id for job in graph.targets.jobs],
        "lacking": len(graph.lacking),
        "sections": {name: len(content) for name, content in sections.items()},
    }
    text = json.dumps(head, separators=(",", ":")).encode("ascii")
    body = b"".join((text, *sections.values()))
    return _HEAD.pack(_MAGIC, crc32(body), len(text)) + body


class Memory:
    """A remembered plan.

    Args:
        content: what `encode` gave.

    Attributes:
        basis, history, saw, salt: as `encode` was told.
        active: how many jobs do anything.
        table: every file of the plan as it was.

    Raises:
        Unfit: these bytes are something else, or damaged.
    """

    def __init__(self, content: bytes) -> None:
        try:
            magic, total, length = _HEAD.unpack_from(content)
            body = memoryview(content)[_HEAD.size :]
            if magic != _MAGIC or crc32(body) != total:
                raise Unfit
            head: dict[str, Any] = json.loads(bytes(body[:length]))
            ends = [length]
            for size in head["sections"].values():
                ends.append(ends[-1] + size)
            if ends[-1] != len(body):
                raise Unfit
            parts = zip(head["sections"], pairwise(ends), strict=True)
            self._sections = {name: body[start:end] for name, (start, end) in parts}
            self.basis: str = head["basis"]
            self.history: str = head["history"]
            self.salt = bytes.fromhex(head["salt"])
            self.saw: list[tuple[Question, str]] = [((kind, of), answer) for kind, of, answer in head["saw"]]
            self.active: int = head["active"]
            self._head = head
            self.table = FileTable(
                self._texts("paths"), self._numbers("sizes"), self._numbers("times"), bytes(self._sections["kinds"])
            )
            self.settled = bytes(self._sections["settled"])
        except (struct.error, ValueError, KeyError, TypeError, AttributeError) as error:
            raise Unfit from error

    @property
    def nothing_to_do(self) -> bool:
        """Whether no job had a reason to run."""
        return 0 not in self.settled

    @property
    def targets(self) -> list[str]:
        """What the plan called its targets."""
        return [self.table.paths[at] for at in self._numbers("asked")]

    def same_shape(self, changed: Sequence[int], there: Callable[[str], bool]) -> bool:
        """Whether the DAG is the same where these files of the table changed: no source came or went."""
        makers, kinds, paths = self._numbers("makers"), self.table.kinds, self.table.paths
        sources = (at for at in changed if makers[at] == _SOURCE)
        if any(there(paths[at]) != bool(kinds[at]) for at in sources):
            return False
        return not (self._head["lacking"] and any(map(there, self._texts("lacking"))))

    def graph(self, workflow: Workflow, world: World) -> Graph:
        """The DAG: its jobs are made by the rules of the workflow, in a world."""
        from flowrules.plan.graph import Graph
        from flowrules.plan.recipe import Recipe
        from flowrules.plan.targets import Targets

        jobs: list[Job] = []
        rule_of = self._numbers("rule_of")
        made: list[Iterator[Job]] = [iter(())] * len(workflow.rules)
        for rule in workflow.rules:
            width = len(rule.wildcards)
            if f"values {rule.index}" in self._sections:
                texts = iter(self._texts(f"values {rule.index}"))
                made[rule.index] = iter(Recipe(rule, world).jobs(list(zip(*[texts] * width, strict=True))))
            elif not width and rule.index in rule_of:
                made[rule.index] = iter(Recipe(rule, world).jobs([()]))
        for number, rule_index in enumerate(rule_of):
            job = next(made[rule_index])
            job.id = number
            jobs.append(job)
        flat, ends = self._numbers("needed"), self._numbers("ends")
        lists = [tuple(flat[start:end]) for start, end in pairwise(ends)]
        makers = self._numbers("makers")
        producer = {
            path: None if maker == _SOURCE else jobs[maker]
            for path, maker in zip(self.table.paths, makers, strict=True)
            if maker != _UNASKED
        }
        targets = Targets(tuple(self._head["target_paths"]), tuple(jobs[at] for at in self._head["target_jobs"]))
        lacking = self._texts("lacking") if self._head["lacking"] else []
        return Graph(jobs, [lists[at] for at in self._numbers("needs")], producer, targets, (), lacking, True)

    def _texts(self, name: str) -> list[str]:
        section = bytes(self._sections[name])
        return section.decode("utf-8", "surrogatepass").split("\0") if section else []

    def _numbers(self, name: str) -> array[int]:
        numbers = array("q")
        numbers.frombytes(self._sections[name])
        return numbers


@dataclass(frozen=True, slots=True)
class Restored:
    """What of a remembered plan still holds.

    Attributes:
        memory: the plan.
        changed: paths that are, or whose history is, no longer what they were.
    """

    memory: Memory
    changed: frozenset[str]

    def settled(self, graph: Graph) -> bytes:
        """1 for each job that is known to have no reason of its own to run."""
        if not self.changed:
            return self.memory.settled
        settled, untouched = bytearray(self.memory.settled), self.changed.isdisjoint
        for job in graph.jobs:
            if not (untouched(job.inputs) and untouched(job.outputs)):
                settled[job.id] = 0
        return bytes(settled)


def _shared(needs: Sequence[tuple[int, ...]]) -> tuple[list[tuple[int, ...]], array[int]]:
    """The different lists of jobs that jobs need, and which of them each has: thousands may share a long one."""
    numbers: dict[int, int] = {}
    lists: list[tuple[int, ...]] = []
    which = array("q")
    for needed in needs:
        number = numbers.get(id(needed))
        if number is None:
            number = numbers[id(needed)] = len(lists)
            lists.append(needed)
        which.append(number)
    return lists, which


def _ends(lists: Sequence[tuple[int, ...]]) -> array[int]:
    ends = array("q", [0])
    for needed in lists:
        ends.append(ends[-1] + len(needed))
    return ends


def _joined(texts: Sequence[str]) -> bytes:
    """Texts in one; no file can have a name with the NUL between them, and none is without a name.

    Raises:
        Unfit: a text is empty or holds a NUL all the same.
    """
    joined = "\0".join(texts)
    if texts and (joined.count("\0") != len(texts) - 1 or "" in texts):
        raise Unfit
    return joined.encode("utf-8", "surrogatepass")
