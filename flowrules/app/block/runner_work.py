"""An attempt in a block, from the files it waits for to the record of what it made."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from flowrules.app.block.runner_ranks import Starter
from flowrules.app.finishing import Promised, discard, finish
from flowrules.errors import FlowrulesError
from flowrules.execute.launchers import ranges
from flowrules.model.agent import TaskEnded
from flowrules.model.block import BlockSpec, Task, TaskEnd
from flowrules.model.events import Slot
from flowrules.model.files import FileRecord
from flowrules.model.order import THREAD_VARIABLES
from flowrules.model.record import Record
from flowrules.model.values import NO_FLAGS
from flowrules.record.disk import Disk
from flowrules.record.logs import remove_if_empty
from flowrules.record.outputs import file_record, look_again, prepare


@dataclass(slots=True)
class Work:
    """An attempt that has its slot.

    Attributes:
        number: of its place among those that run on the node at the same time, from 0.
        until: until then (monotonic seconds) its inputs may take to appear; once it has ended, its outputs.
        begun: when it was handed to its node; None before. ended: when its end was heard of; 0 before.
        unwanted: why it is to be killed: `limit`, `cancel`, `lost` (a node of it), `closing`; "" where it is not.
    """

    task: Task
    slot: Slot
    node: str
    number: int
    record: Record
    until: float
    begun: float | None = None
    ended: float = 0.0
    unwanted: str = ""

    @property
    def log(self) -> str:
        """File of its output and error."""
        return log_of(self.task)


class Bench:
    """Looks after the files of attempts; the working directory is the campaign's.

    Args:
        ends: of earlier attempts; before: those of blocks that came before.

    Attributes:
        made: files as this block knows them: as attempts left them, or as they were when inputs were looked at.
    """

    def __init__(
        self, spec: BlockSpec, disk: Disk, ends: Iterable[TaskEnd] = (), before: Iterable[TaskEnd] = ()
    ) -> None:
        self.made = {output.path: output for end in ends for output in end.record.outputs}
        self._left = {output.path: output for end in before for output in end.record.outputs}
        self._spec = spec
        self._disk = disk
        self._starter = Starter(spec)

    def expecting(self, task: Task) -> Task:
        """A task that waits for files of other blocks to look as these left them."""
        left = [self._left[path] for path in task.made if path in self._left]
        if not left:
            return task
        return replace(task, inputs=[*task.inputs, *left], made=[path for path in task.made if path not in self._left])

    # ── before ───────────────────────────────────────────────────────────────────────────────────────────────────

    def missing(self, task: Task) -> list[str]:
        """Inputs that cannot be seen here yet as they were left."""
        late = []
        for wanted in task.inputs:
            if self.made.get(wanted.path) != wanted and not self._looks_like(wanted):
                late.append(wanted.path)
        for path in task.made:
            if path not in self.made and not self._is_there(path):
                late.append(path)
        return late

    def _looks_like(self, wanted: FileRecord) -> bool:
        found = self._look(wanted.path, -1)
        if found is None or (found.size, found.mtime_ns) != (wanted.size, wanted.mtime_ns):
            return False
        self.made[wanted.path] = wanted
        return True

    def _is_there(self, path: str) -> bool:
        found = self._look(path, self._spec.hash_limit)
        if found is not None:
            self.made[path] = found
        return found is not None

    def _look(self, path: str, hash_limit: int) -> FileRecord | None:
        """A file as it is now; absence is judged by listing its folder."""
        self._disk.forget([path])
        if self._disk.stat(path) is None and look_again(self._disk, path) is None:
            return None
        return file_record(self._disk, path, hash_limit)

    def prepare(self, work: Work) -> None:
        """Complete the record with the inputs as they are; make folders, remove old outputs.

        Raises:
            FlowrulesError: an input is not there, or the disk refuses.
        """
        task = work.task
        self.look_at_inputs(work)
        beside = [(path, NO_FLAGS) for path in (*task.logs, *task.benchmarks)]
        prepare(self._disk, [*task.outputs, *beside], [work.log])

    def look_at_inputs(self, work: Work) -> None:
        """Complete the record with the inputs as they are.

        Raises:
            FlowrulesError: an input is not there.
        """
        work.record.inputs = [self._input(work.task, path) for path in _inputs_of(work.task)]

    def _input(self, task: Task, path: str) -> FileRecord:
        known = self.made.get(path) or self._look(path, self._spec.hash_limit)
        if known is None:
            raise FlowrulesError(f"input `{path}` of {task.label} is not there")
        self.made[path] = known
        return known

    def environment(self, work: Work) -> dict[str, str]:
        """Variables of an attempt, on top of those of its node."""
        task, slot = work.task, work.slot
        env = dict.fromkeys(THREAD_VARIABLES, str(slot.cores))
        env["FLOWRULES_THREADS"] = str(slot.cores)
        env["FLOWRULES_RULE"] = task.draft.rule
        env["FLOWRULES_NODES"] = ",".join(slot.nodes)
        env["FLOWRULES_GPUS"] = ",".join(slot.gpus)
        env["FLOWRULES_SLOT"] = str(work.number)
        env["FLOWRULES_MPIRUN"] = self._starter.text(task, slot)
        if self._spec.node.gpu_variable:
            env[self._spec.node.gpu_variable] = ",".join(slot.gpus)
        return {**env, **task.env}

    # ── after ────────────────────────────────────────────────────────────────────────────────────────────────────

    def finish(self, work: Work, ended: TaskEnded, *, patient: bool) -> TaskEnd | None:
        """What is written down of an attempt that ended: its outputs checked, or removed where it failed.

        Args:
            patient: outputs that are not there may still appear.

        Returns:
            None where outputs are missing and it is worth looking again.
        """
        record, task = work.record, work.task
        record.exit, record.error = ended.exit, ended.error
        record.started, record.ended = ended.started, ended.ended
        record.cpu, record.memory = ended.cpu, ended.memory
        if work.unwanted == "limit" and record.exit:
            told = f"it was stopped after its walltime of {task.limit:g}s"
            record.error = f"{told}; {record.error}" if record.error else told
        files = Promised(task.outputs, task.logs, task.benchmarks)
        limit, keep = self._spec.hash_limit, self._spec.keep_incomplete
        if not finish(self._disk, record, files, patient=patient, hash_limit=limit, keep_incomplete=keep):
            return None
        if record.status == "done":
            self.made.update((output.path, output) for output in record.outputs)
            remove_if_empty(self._disk.locate(work.log))
        elif work.unwanted == "cancel":
            record.status = "killed"
        return self.end(work)

    def refuse(self, work: Work, error: str) -> TaskEnd:
        """What is written down of an attempt that could not be started."""
        work.record.status, work.record.exit, work.record.error = "failed", 1, error
        return self.end(work)

    def discard(self, work: Work) -> None:
        """Remove what an attempt left that goes back to the driver; what cannot be removed the next one will tell."""
        discard(self._disk, work.task.outputs, keep=False)

    def end(self, work: Work) -> TaskEnd:
        """The end of an attempt whose record is complete."""
        return TaskEnd(work.task.name, work.record, work.node, work.slot.gpus, ranges(work.slot.cpus))


def log_of(task: Task) -> str:
    """File of a task's output and error."""
    return task.log or f".flowrules/logs/{task.name}.log"


def draft_of(task: Task, slot: Slot, node: str) -> Record:
    """A task's record as far as it is known at its start."""
    gpus = list(slot.gpus)
    return replace(task.draft, outputs=[], inputs=[], threads=slot.cores, gpus=gpus, host=node, log=log_of(task))


def _inputs_of(task: Task) -> list[str]:
    """Paths of all inputs, in the order in which the draft has them, as far as it has."""
    order = {known.path: at for at, known in enumerate(task.draft.inputs)}
    paths = dict.fromkeys([*(wanted.path for wanted in task.inputs), *task.made])
    return sorted(paths, key=lambda path: order.get(path, len(order)))
