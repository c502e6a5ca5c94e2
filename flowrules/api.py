"""The Python API: load a workflow, plan it, run it.

wf = Workflow.load("Flowfile", config={"n": 3})
plan = wf.plan(["all"])
outcome = plan.run(jobs=8)
outcome = plan.run(jobs=64, profile="polaris", settings={"pbs.account": "proj"})
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flowrules.errors import Diagnostic, UsageError
from flowrules.model.job import Job
from flowrules.model.plan import Plan, Reason

if TYPE_CHECKING:
    import networkx

    from flowrules.app.settings import BatchSettings
    from flowrules.model.workflow import Workflow as LoadedWorkflow
    from flowrules.record.disk import Disk


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended.

    Attributes:
        ok: everything that was asked for exists and is up to date.
        done, failed, blocked: labels of jobs that ran, that failed, and that could not run because another failed.
        elapsed: seconds.
        interrupted: the user ended it.
        stranded: labels of jobs that no batch job could be had for; refused: why, in sentences.
    """

    ok: bool
    done: tuple[str, ...]
    failed: tuple[str, ...]
    blocked: tuple[str, ...]
    elapsed: float
    interrupted: bool = False
    stranded: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()


class Workflow:
    """A loaded workflow. Paths are relative to the working directory, as on the command line."""

    def __init__(self, loaded: LoadedWorkflow, disk: Disk) -> None:
        self._loaded = loaded
        self._disk = disk

    @classmethod
    def load(
        cls,
        flowfile: str | None = None,
        config: Mapping[str, object] | None = None,
        configfiles: Iterable[str] = (),
    ) -> Workflow:
        """Reads a Flowfile.

        Args:
            flowfile: its path; None for `Flowfile`, then `workflow/Flowfile`.
            config: values that win over those of all config files; dotted keys reach into sections.
            configfiles: further config files.

        Raises:
            FlowfileError: with a diagnostic for everything that is wrong.
        """
        from flowrules.app.session import load
        from flowrules.app.settings import Source
        from flowrules.record.disk import Disk

        texts = tuple(f"{key}={json.dumps(value)}" for key, value in (config or {}).items())
        disk = Disk()
        return cls(load(Source(flowfile, texts, tuple(configfiles)), disk), disk)

    @property
    def rules(self) -> tuple[str, ...]:
        """Names of the rules, in order."""
        return tuple(rule.name for rule in self._loaded.rules)

    @property
    def config(self) -> Mapping[str, object]:
        """The merged configuration."""
        return self._loaded.config

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """What was noticed that is no error."""
        return self._loaded.warnings

    def plan(self, targets: str | Sequence[str] = ()) -> PlannedWorkflow:
        """What has to run so that the targets (files or names of rules; none: the default) are up to date.

        Args:
            targets: several, or one by itself.

        Raises:
            FlowfileError: a target is unknown, an input is missing, and so on.
        """
        from flowrules.app.session import plan
        from flowrules.app.settings import Request
        from flowrules.plan.policy import Policy
        from flowrules.record.store import Store

        wanted = (targets,) if isinstance(targets, str) else tuple(targets)
        self._disk.refresh()
        request = Request(wanted, Policy(read_ahead=True))
        planned = plan(self._loaded, request, self._disk, Store.open(read_only=True))
        return PlannedWorkflow(self._loaded, wanted, planned.plan, self._disk)


class PlannedWorkflow:
    """A plan: every job the targets need, what is to be done with each, and why."""

    def __init__(self, loaded: LoadedWorkflow, targets: tuple[str, ...], plan: Plan, disk: Disk) -> None:
        self._loaded = loaded
        self._targets = targets
        self._plan = plan
        self._disk = disk

    @property
    def jobs(self) -> list[Job]:
        """Jobs that will or may run, makers before users."""
        wanted = {job.id for job in (*self._plan.to_run(), *self._plan.may_run())}
        return [job for job in self._plan.jobs if job.id in wanted]

    @property
    def reasons(self) -> dict[str, tuple[Reason, ...]]:
        """For each job that will or may run, by its label, the reasons; the deciding one first."""
        return {job.label: self._plan.reasons[job.id] for job in self.jobs}

    @property
    def graph(self) -> networkx.DiGraph[int]:
        """The whole DAG; nodes carry ``job`` and ``decision``."""
        return self._plan.graph

    def run(
        self,
        jobs: int | None = None,
        *,
        keep_going: bool = False,
        retries: int = 0,
        quiet: bool = True,
        profile: str | None = None,
        settings: Mapping[str, object] | None = None,
        launcher: str | None = None,
        sandbox: bool = False,
    ) -> Outcome:
        """Runs the plan in the working directory; planned once more, since the disk may have changed meanwhile.

        In the main thread Ctrl-C ends the run as on the command line; in another, signals are the caller's.

        Args:
            jobs: cores to use; None for all this process may use. With a batch profile: most jobs at once.
            profile: name or path of a profile; None or ``local`` for this machine.
            settings: keys of the profile, as `--set` sets them: ``{"pbs.account": "proj"}``.
            launcher: how work is started on nodes, in place of the profile's.
            sandbox: emulate the profile's batch system and nodes on this machine.

        Raises:
            FlowrulesError: the directory is held by another flowrules, or a mistake came up, in the profile too.
        """
        import sys

        from flowrules.app.running import execute
        from flowrules.app.settings import Request, RunSettings
        from flowrules.show.observers import observer_for
        from flowrules.show.output import Output

        if jobs is not None and (not isinstance(jobs, int) or jobs < 1):
            raise UsageError(f"`jobs` is a whole number from 1 on, not `{jobs!r}`")
        run = RunSettings(cores=jobs, keep_going=keep_going, retries=retries)
        request = Request(self._targets, run=run, batch=_batch(profile, settings or {}, launcher, sandbox, jobs))
        observer = observer_for(Output.of(sys.stderr), "text", verbose=False, quiet=quiet, commands=False)
        self._disk.refresh()
        try:
            done = execute(self._loaded, request, self._disk, observer)
        finally:
            observer.close()
        plan, result = done.plan, done.result

        def labels(ids: Sequence[int]) -> tuple[str, ...]:
            return tuple(plan.jobs[i].label for i in ids)

        return Outcome(
            done.status == 0,
            labels(result.done),
            labels(result.failed),
            labels(result.blocked),
            done.elapsed,
            result.interrupted,
            labels(result.stranded),
            tuple(result.refused),
        )


def _batch(
    profile: str | None, settings: Mapping[str, object], launcher: str | None, sandbox: bool, jobs: int | None
) -> BatchSettings | None:
    """What a call says of a profile; None where it names none."""
    from flowrules.app.settings import BatchSettings

    if profile is None:
        for name, given in (("settings", settings), ("launcher", launcher), ("sandbox", sandbox)):
            if given:
                raise UsageError(f"`{name}` goes with `profile`")
        return None
    sets = tuple(f"{key}={json.dumps(value)}" for key, value in settings.items())
    return BatchSettings(profile, sets, launcher, sandbox, jobs)
