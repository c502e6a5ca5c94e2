"""The entry to planning: workflow, targets, disk and history in, plan out. Reads top to bottom.

Pure: what the disk says and what was remembered come through two ports, nothing is opened, no clock is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from flowrules.errors import Diagnostic, FlowfileError
from flowrules.expr.witness import Witness
from flowrules.expr.world import World
from flowrules.model.job import Job
from flowrules.model.plan import Cause, Decision, Plan, Reason
from flowrules.model.rule import Rule
from flowrules.model.workflow import Workflow
from flowrules.plan.command import Commands
from flowrules.plan.decide import Deciding
from flowrules.plan.fingerprint import Fingerprints
from flowrules.plan.graph import explore
from flowrules.plan.index import RuleIndex
from flowrules.plan.judge import Judge
from flowrules.plan.memory import Memorable, Restored
from flowrules.plan.once import Once
from flowrules.plan.policy import NO_SETTINGS, CommandSettings, Policy
from flowrules.plan.reader import Answer, DiskReader, PlanReader, not_a_checkpoint
from flowrules.plan.recipe import STEPS_PER_JOB
from flowrules.plan.rehearse import RehearsalReader, rehearse
from flowrules.plan.targets import Targets, not_in_plan, path_of
from flowrules.ports import UNSEEN, FileView, History, Reader, Stages

MOST_ROUNDS = 10_000
"""Rounds of reading checkpoints in one plan; each ends with at least one more answer."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan and the means by which it was judged, for the run that follows it.

    Attributes:
        memorable: what can be remembered of it; None where nobody asked for it, as it holds all that was looked at.
    """

    plan: Plan
    judge: Judge
    commands: Commands
    world: World
    memorable: Memorable | None = None


def make_plan(
    workflow: Workflow,
    targets: Sequence[str],
    files: FileView,
    history: History,
    policy: Policy | None = None,
    settings: CommandSettings = NO_SETTINGS,
    witness: Witness | None = None,
    memory: Restored | None = None,
    stages: Stages = UNSEEN,
) -> Planned:
    """What has to run so that the targets exist and are up to date, and why.

    Args:
        targets: files or names of rules; empty for the workflow's default.
        files: what the disk says; each path is looked at once.
        history: what was remembered of earlier runs.
        witness: notes what expressions read.
        memory: what of an earlier plan of the same workflow and targets still holds.
        stages: are told what planning is at.

    Raises:
        FlowfileError: a target is unknown, an input is missing, two rules make one file, rules form a circle, an
            expression cannot be computed, or a protected file would be overwritten.
    """
    policy = policy or Policy()
    index = RuleIndex(workflow.rules)
    answers: dict[str, Answer | FlowfileError] = {}
    once = Once(files)
    for _ in range(MOST_ROUNDS):
        looking = witness.over(once) if witness is not None else once
        reader = PlanReader(looking, index, answers)
        world = world_of(workflow, reader)
        planned, producer = _round(
            workflow, targets, once, history, policy, settings, index, reader, world, looking, memory, stages
        )
        if not _learn(reader, world, planned.plan, producer, policy, answers):
            if not policy.only_look:
                _refuse_protected(planned, once)
                stages.enter("trying commands")
                _rehearse(planned.plan, workflow, once, policy, settings)
            return _for_the_run(planned, workflow, files, history, policy, settings, witness is not None)
    raise FlowfileError([Diagnostic("F510", f"checkpoints read each other in more than {MOST_ROUNDS:,} rounds")])


def world_of(workflow: Workflow, reader: Reader) -> World:
    """The surroundings in which a workflow's expressions are evaluated."""
    return World(reader, workflow.lets, workflow.config, modules=workflow.globals, env=workflow.env)


def commands_in(world: World, settings: CommandSettings) -> Commands:
    """What evaluates the texts of jobs in a world, as the call sets it."""
    return Commands(world, settings.set_threads, settings.set_resources, settings.default_resources)


def _rehearse(plan: Plan, workflow: Workflow, files: FileView, policy: Policy, settings: CommandSettings) -> None:
    """A mistake in what jobs are given is told before anything starts; in the midst of a run it is that job's."""
    if policy.spared:
        return
    world = world_of(workflow, RehearsalReader(files, plan))
    rehearse(plan, world, commands_in(world, settings))


def _for_the_run(
    planned: Planned,
    workflow: Workflow,
    files: FileView,
    history: History,
    policy: Policy,
    settings: CommandSettings,
    memorable: bool,
) -> Planned:
    """The plan with means that look at the disk as it is when they are asked."""
    world = world_of(workflow, DiskReader(files))
    world.meter.grow(STEPS_PER_JOB * len(planned.plan.jobs))
    commands = commands_in(world, settings)
    judge = Judge(files, history, Fingerprints(files, commands), policy)
    return Planned(planned.plan, judge, commands, world, planned.memorable if memorable else None)


def _round(
    workflow: Workflow,
    names: Sequence[str],
    files: FileView,
    history: History,
    policy: Policy,
    settings: CommandSettings,
    index: RuleIndex,
    reader: PlanReader,
    world: World,
    looking: FileView,
    memory: Restored | None,
    stages: Stages,
) -> tuple[Planned, Mapping[str, Job | None]]:
    commands = commands_in(world, settings)
    settled: bytes | None = None
    if memory is not None:
        stages.enter("recalling the DAG")
        graph = memory.memory.graph(workflow, world)
        settled = memory.settled(graph)
    else:
        graph = explore(workflow, names, files, commands, index, reader, world, policy, stages)
    jobs, needs, producer, targets = graph.jobs, graph.needs, graph.producer, graph.targets
    judge = Judge(files, history, Fingerprints(looking, commands), policy)
    asked = dict.fromkeys(targets.paths)
    for job in targets.jobs:
        asked.update(dict.fromkeys(job.outputs if job.rule.action is not None else (*job.outputs, *job.inputs)))
    deciding = Deciding(jobs, needs, producer, asked, reader.asked, judge, settled)
    stages.enter("judging jobs", deciding.judged, len(jobs))
    decisions, reasons = deciding.decide(_forced(jobs, targets, producer, policy, workflow.rules))
    plan = Plan(
        jobs,
        needs,
        decisions,
        reasons,
        producer={path: job.id for path, job in producer.items() if job is not None and job.id >= 0},
        targets=tuple(asked),
        target_jobs=tuple(sorted(_target_jobs(targets, producer))),
        kept=tuple(path for path in graph.spurned if history.last(path) is not None),
        unknown=tuple(job.id for job in jobs if job.waits),
        warnings=tuple(dict.fromkeys((*workflow.warnings, *world.warnings))),
    )
    return Planned(plan, judge, commands, world, Memorable(graph, deciding.settled, files)), producer


def _target_jobs(targets: Targets, producer: Mapping[str, Job | None]) -> set[int]:
    makers = [producer.get(path) for path in targets.paths]
    return {job.id for job in (*targets.jobs, *makers) if job is not None and job.id >= 0}


def _forced(
    jobs: Sequence[Job],
    targets: Targets,
    producer: Mapping[str, Job | None],
    policy: Policy,
    rules: Sequence[Rule],
) -> dict[int, Reason]:
    """Which jobs run whatever their state: forced ones, and those asked for that leave nothing to check."""
    forced: dict[int, Reason] = {}
    names = {path_of(name) for name in policy.forcerun}
    unused = set(names)
    asked = _target_jobs(targets, producer)
    collected = {
        made.id for job in targets.jobs if job.rule.action is None for p in job.inputs if (made := producer.get(p))
    }
    some = [jobs[at] for at in sorted(asked)]
    for job in jobs if policy.forceall or policy.force or names else some:
        hit = names.intersection((job.rule.name, *job.outputs)) if names else ()
        if hit:
            unused.difference_update(hit)
        if (job.rule.index, job.values) in policy.spared:
            continue
        if policy.forceall or hit or (policy.force and job.id in asked | collected):
            forced[job.id] = Reason(Cause.FORCED)
        elif job.id in asked and not job.outputs:
            forced[job.id] = Reason(Cause.NO_OUTPUT)
    known = {rule.name for rule in rules}
    strangers = sorted(name for name in unused if name not in known and name not in producer)
    may_come = policy.spared or any(job.waits for job in jobs)
    if strangers and not may_come:
        raise FlowfileError(
            not_in_plan("--forcerun", name, "no rule and no file", known, producer) for name in strangers
        )
    return forced


def _learn(
    reader: PlanReader,
    world: World,
    plan: Plan,
    producer: Mapping[str, Job | None],
    policy: Policy,
    answers: dict[str, Answer | FlowfileError],
) -> bool:
    """Answers what this round's expressions asked; True where an answer is new."""
    news = False
    for path in reader.asked:
        job = producer.get(path)
        answer: Answer | FlowfileError
        if job is None:
            answer = Answer.READ
        elif not job.rule.checkpoint:
            answer = not_a_checkpoint(path, job, world.reads.get(path))
        else:
            decision = plan.decisions[job.id] if job.id >= 0 else Decision.SKIP
            ready = decision is Decision.SKIP or (decision is Decision.MAY and policy.read_ahead)
            answer = Answer.READ if ready else Answer.WAIT
        before = answers.get(path)
        if before is Answer.WAIT or isinstance(before, FlowfileError):
            continue  # once it waits, it waits: answers change in one direction only, so the rounds end
        if answer is not before:
            answers[path] = answer
            news = news or answer is not Answer.WAIT or before is not None
    return news


def _refuse_protected(planned: Planned, files: FileView) -> None:
    """A run that will overwrite a protected file is refused before anything starts."""
    refused = list(protected_outputs(planned.plan.to_run(), files))
    if refused:
        raise FlowfileError(
            Diagnostic(
                "F511",
                f"rule `{job.rule.name}` would overwrite the protected file `{path}`"
                + (f" ({reason})" if (reason := _first(planned.plan.reasons[job.id])) else ""),
                job.rule.span,
                f"remove it or make it writable (`chmod u+w {path}`) if it is to be made again",
            )
            for job, path in refused
        )


def protected_outputs(jobs: Iterable[Job], files: FileView) -> Iterable[tuple[Job, str]]:
    """Outputs that are declared protected, exist, and are read-only."""
    declared: dict[int, bool] = {}
    for job in jobs:
        some = declared.get(job.rule.index)
        if some is None:
            some = declared[job.rule.index] = any(output.flags.protected for output in job.rule.outputs)
        for output, path in zip(job.rule.outputs, job.outputs, strict=True) if some else ():
            if output.flags.protected:
                stamp = files.stat(path)
                if stamp is not None and not stamp.writable:
                    yield job, path


def _first(reasons: Sequence[Reason]) -> str:
    return str(reasons[0]) if reasons else ""
