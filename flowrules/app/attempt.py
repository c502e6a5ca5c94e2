"""One attempt of a job, from the files it is given to the record of what it made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b

from flowrules.app.finishing import Promised, finish
from flowrules.app.settings import RunSettings
from flowrules.errors import FlowrulesError
from flowrules.model.events import Slot
from flowrules.model.files import FileRecord
from flowrules.model.job import Job
from flowrules.model.order import THREAD_VARIABLES, Order, Outcome
from flowrules.model.quantity import Quantity
from flowrules.model.record import Record
from flowrules.model.values import NO_FLAGS, Flags, NamedList
from flowrules.plan.build import Planned
from flowrules.plan.command import JobValues
from flowrules.plan.fingerprint import plain
from flowrules.record.disk import Disk
from flowrules.record.logs import OwnLogs, remove_if_empty, tail_of
from flowrules.record.outputs import file_record, prepare


@dataclass(slots=True)
class Attempt:
    """An attempt that runs: what was started, what will be recorded of it, and the files it is to make."""

    job: Job
    order: Order
    record: Record
    files: Promised


class Workshop:
    """Prepares attempts and takes what they made.

    Attributes:
        fresh: files as this run last saw them: those it made, and sources whose content was read.
    """

    def __init__(
        self,
        disk: Disk,
        settings: RunSettings,
        config: Mapping[str, object],
        gpu_variable: str | None,
        host: str,
        run: str,
        hash_limit: int,
    ) -> None:
        self.fresh: dict[str, FileRecord] = {}
        self._disk = disk
        self._hash_limit = hash_limit
        self._settings = settings
        self._config = plain(dict(config))
        self._gpu_variable = gpu_variable
        self._host = host
        self._run = run
        self._logs = OwnLogs(disk)
        self._variables: dict[tuple[int, int, tuple[str, ...], str], dict[str, str]] = {}

    def prepare(self, planned: Planned, job: Job, attempt: int, slot: Slot, reason: str) -> Attempt:
        """Everything an attempt needs, with its folders made and its old outputs removed.

        Raises:
            FlowrulesError: an input is not there, a text of the rule cannot be computed, or the disk refuses.
        """
        inputs = [self.input(job, path) for path in job.inputs]
        drafted, _ = self.draft(planned, job, attempt, slot, reason, inputs)
        files = drafted.files
        beside = [(path, NO_FLAGS) for path in (*files.logs, *files.benchmarks)]
        prepare(self._disk, [*files.outputs, *beside] if beside else files.outputs)
        self._logs.make_room(drafted.order.log)
        return drafted

    def draft(
        self,
        planned: Planned,
        job: Job,
        attempt: int,
        slot: Slot,
        reason: str,
        inputs: list[FileRecord],
        mpirun: str | None = None,
    ) -> tuple[Attempt, JobValues]:
        """An attempt with all that its texts name, without a look at the disk.

        Args:
            mpirun: what `{mpirun}` becomes; None for what it is on one machine.

        Raises:
            FlowfileError: a text of the rule cannot be computed.
        """
        rule, action = job.rule, job.rule.action
        assert action is not None
        values = planned.commands.values(job, attempt, slot.cores)
        command = ""
        if action.kind == "shell":
            texts = self._texts(values)
            if mpirun is not None:
                texts["mpirun"] = mpirun
            command = action.template.render(texts)
        log = log_path(job, attempt)
        env = self._environment(planned, job, values, slot)
        order = Order(
            job=job.id,
            attempt=attempt,
            rule=rule.name,
            action=action,
            command=command,
            shell=(rule.shell,) if rule.shell else ("bash", "-euo", "pipefail"),
            document=self._document(values) if action.kind != "shell" else {},
            env=env,
            log=log,
            fresh=rule.fresh,
            cores=slot.cores,
        )
        fingerprints = planned.judge.fingerprints
        record = Record(
            rule=rule.name,
            wildcards=dict(values.wildcards),
            outputs=[],
            inputs=inputs,
            code=fingerprints.code(rule),
            params=fingerprints.params(job),
            environment=fingerprints.environment(rule),
            reason=reason,
            attempt=attempt,
            threads=slot.cores,
            resources={name: str(value) for name, value in values.resources.items()},
            gpus=list(slot.gpus),
            host=self._host,
            log=log,
            run=self._run,
        )
        return Attempt(job, order, record, Promised(outputs_of(job), values.log, values.benchmark)), values

    def message(self, planned: Planned, job: Job, attempt: int, slot: Slot) -> str:
        """The rule's `message` for a job, "" where it has none."""
        if job.rule.message is None:
            return ""
        return job.rule.message.render(self._texts(planned.commands.values(job, attempt, slot.cores)))

    def finish(self, attempt: Attempt, outcome: Outcome, *, patient: bool) -> Record | None:
        """The record of an attempt that ended: its outputs checked, or removed where it failed.

        Args:
            patient: outputs that are not there may still appear.

        Returns:
            None where outputs are missing and it is worth looking again.
        """
        record, job = attempt.record, attempt.job
        record.exit, record.error = outcome.exit, outcome.error
        record.started, record.ended = outcome.started, outcome.ended
        record.cpu, record.memory = outcome.cpu, outcome.memory
        keep, limit = self._settings.keep_incomplete, self._hash_limit
        if not finish(self._disk, record, attempt.files, patient=patient, hash_limit=limit, keep_incomplete=keep):
            return None
        if record.status == "done":
            for made in record.outputs:
                self.fresh[made.path] = made
        else:
            for path in job.outputs:
                self.fresh.pop(path, None)
        return record

    def tail(self, log: str, lines: int) -> str:
        """The last lines of a log, "" where there is none."""
        return tail_of(self._disk.locate(log), lines)

    def tidy_log(self, log: str) -> bool:
        """Removes the log of a job that said nothing; True where it did."""
        return remove_if_empty(self._disk.locate(log))

    def input(self, job: Job, path: str) -> FileRecord:
        """An input as it is now: as its maker in this run left it, else as the plan saw it, with its content read."""
        known = self.fresh.get(path)
        if known is not None:
            return known
        record = file_record(self._disk, path, self._hash_limit)
        if record is None:
            self._disk.forget([path])
            record = file_record(self._disk, path, self._hash_limit)
            if record is None:
                raise FlowrulesError(f"input `{path}` of {job.label} is not there")
        self.fresh[path] = record
        return record

    def _environment(self, planned: Planned, job: Job, values: JobValues, slot: Slot) -> Mapping[str, str]:
        """Variables of an attempt; where a rule sets none of its own, attempts with equal slots share them."""
        rule = job.rule
        threads = values.resources.get("threads_per_rank", slot.cores)
        key = (rule.index, slot.cores, slot.gpus, str(threads))
        env = self._variables.get(key)
        if env is None:
            env = dict.fromkeys(THREAD_VARIABLES, str(threads))
            env["FLOWRULES_THREADS"] = str(slot.cores)
            env["FLOWRULES_RULE"] = rule.name
            if self._gpu_variable is not None:
                env[self._gpu_variable] = ",".join(slot.gpus)
            self._variables[key] = env
        return {**env, **planned.commands.environment(values, job)} if rule.env else env

    def _texts(self, values: JobValues) -> dict[str, object]:
        texts = values.names()
        texts["mpirun"] = _mpirun(values) if values.resources else ""
        texts["config"] = self._config
        return texts

    def _document(self, values: JobValues) -> dict[str, object]:
        """What scripts and functions see of a job; the form is that of `Order.document`."""
        return {
            "rule": values.rule,
            "input": _named_list(values.input),
            "output": _named_list(values.output),
            "log": _named_list(values.log),
            "benchmark": _named_list(values.benchmark),
            "params": plain(values.params),
            "wildcards": dict(values.wildcards),
            "threads": values.threads,
            "resources": {name: _amount(value) for name, value in values.resources.items()},
            "config": self._config,
            "attempt": values.attempt,
        }


def outputs_of(job: Job) -> list[tuple[str, Flags]]:
    """Each output of a job with its flags."""
    return [(path, output.flags) for output, path in zip(job.rule.outputs, job.outputs, strict=True)]


def _mpirun(values: JobValues) -> str:
    """The launch command on one machine: plain `mpiexec`, or nothing for one rank."""
    ranks = values.resources.get("ranks", values.resources.get("ranks_per_node", 1))
    count = int(ranks) if isinstance(ranks, int | float) else 1
    return f"mpiexec -n {count}" if count > 1 else ""


def _named_list(items: NamedList) -> dict[str, object]:
    return {"items": list(items), "names": {name: list(span) for name, span in items.ranges.items()}}


def _amount(value: object) -> object:
    return value.amount if isinstance(value, Quantity) else plain(value)


def log_path(job: Job, attempt: int) -> str:
    """Where output and error of an attempt go."""
    return f".flowrules/logs/{job.rule.name}/{log_name(job, attempt)}"


def log_name(job: Job, attempt: int) -> str:
    """A file name for the log of an attempt: readable where the wildcards allow, unique in any case."""
    text = "-".join(job.values) or "job"
    safe = _UNSAFE.sub("_", text)[:100].lstrip(".") or "job"
    if safe != text:
        safe += "-" + blake2b("\0".join(job.values).encode("utf-8", "surrogateescape"), digest_size=5).hexdigest()
    return f"{safe}.log" if attempt == 1 else f"{safe}.{attempt}.log"


_UNSAFE = re.compile(r"[^A-Za-z0-9_.+-]")
