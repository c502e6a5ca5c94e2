"""A desk for tests of the planner: a Flowfile, a disk and a history in memory, and jobs that run by writing files."""

from __future__ import annotations

import textwrap

from flowrules.errors import FlowfileError
from flowrules.load.lower import load_workflow
from flowrules.load.options import LoadOptions
from flowrules.model.job import Job
from flowrules.model.plan import Decision, Plan
from flowrules.model.record import Record
from flowrules.plan.build import Planned, make_plan
from flowrules.plan.policy import Policy
from flowrules.testing import FakeFiles, FakeHistory


class Desk:
    """A workflow with its files."""

    def __init__(self, flowfile: str, files: dict[str, str] | str = "") -> None:
        contents = dict.fromkeys(files.split(), "") if isinstance(files, str) else files
        self.files = FakeFiles(contents)
        self.history = FakeHistory()
        self.write(flowfile)

    def write(self, flowfile: str) -> None:
        """Another version of the Flowfile."""
        self.files.write("Flowfile", textwrap.dedent(flowfile))

    def plan(self, *targets: str, **policy: object) -> Planned:
        """The plan for targets."""
        workflow = load_workflow("Flowfile", self.files, LoadOptions())
        return make_plan(workflow, targets, self.files, self.history, Policy(**policy))  # type: ignore[arg-type]

    def todo(self, *targets: str, **policy: object) -> list[str]:
        """Labels of jobs that will run, with `?` behind those that may."""
        return todo(self.plan(*targets, **policy).plan)

    def errors(self, *targets: str, **policy: object) -> list[str]:
        """The messages of a plan that fails, each with its code."""
        try:
            self.plan(*targets, **policy)
        except FlowfileError as error:
            return [f"{d.code} {d.message}" for d in error.diagnostics]
        raise AssertionError("the plan did not fail")

    def run(self, *targets: str, contents: dict[str, str] | None = None, **policy: object) -> list[str]:
        """Runs what has to run, one tick later each; what may run is judged again first. Returns what ran."""
        ran: list[str] = []
        while True:
            planned = self.plan(*targets, **policy)
            policy = {k: v for k, v in policy.items() if k not in ("force", "forceall", "forcerun")}
            batch = [j for j in planned.plan.to_run() if not j.waits and self._ready(planned.plan, j)]
            if not batch:
                return ran
            for job in batch:
                self.complete(planned, job, contents or {})
                ran.append(job.label)

    def _ready(self, plan: Plan, job: Job) -> bool:
        return all(plan.decisions[n] is Decision.SKIP for n in plan.needs[job.id])

    def complete(self, planned: Planned, job: Job, contents: dict[str, str]) -> None:
        """A job ran: its outputs are there and recorded."""
        inputs = [self.files.record(path) for path in job.inputs]
        self.files.tick()
        for path in job.outputs:
            self.files.write(path, contents.get(path, f"made by {job.label}"))
        fingerprints = planned.judge.fingerprints
        self.history.remember_text(fingerprints.code(job.rule), fingerprints.code_text(job.rule))
        self.history.ended(
            Record(
                rule=job.rule.name,
                wildcards=job.wildcards,
                outputs=[self.files.record(path) for path in job.outputs],
                inputs=inputs,
                code=fingerprints.code(job.rule),
                params=fingerprints.params(job),
                environment=fingerprints.environment(job.rule),
            )
        )


def todo(plan: Plan) -> list[str]:
    """Labels of jobs that will run, with `?` behind those that may."""
    return [
        job.label + ("?" if decision is Decision.MAY else "")
        for job, decision in zip(plan.jobs, plan.decisions, strict=True)
        if decision is not Decision.SKIP
    ]


def reasons(planned: Planned) -> dict[str, str]:
    """The deciding reason of each job that will or may run."""
    plan = planned.plan
    return {job.label: str(plan.reasons[job.id][0]) for job in plan.jobs if plan.reasons[job.id]}
