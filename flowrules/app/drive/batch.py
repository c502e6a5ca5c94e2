"""A campaign from profile to summary: earlier blocks are found again, the plan is packed, blocks work it off."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from flowrules.app.drive.beside import refuse_beside_blocks
from flowrules.app.drive.campaign import CampaignLoop
from flowrules.app.drive.cutoff import Handed
from flowrules.app.drive.fleet import Fleet
from flowrules.app.drive.manners import local_cores, room
from flowrules.app.drive.tasks import TaskMaker, unlike
from flowrules.app.intake import Intake
from flowrules.app.profiles import open_profile
from flowrules.app.resources import ON_NODES, NodeSizer
from flowrules.app.setting import Setting
from flowrules.app.settings import BatchSettings, Request
from flowrules.errors import FlowfileError, UsageError
from flowrules.execute import machine
from flowrules.execute.batch.choose import batch_system
from flowrules.execute.jobscript import require_options
from flowrules.execute.local import LocalExecutor
from flowrules.model.dispatch import BlockPlan
from flowrules.model.events import SchedJob
from flowrules.model.job import Job
from flowrules.model.plan import Decision
from flowrules.model.profile import Profile
from flowrules.model.record import Record
from flowrules.plan.build import Planned
from flowrules.ports import Observer
from flowrules.record.blockfiles import Fate
from flowrules.record.campaign import Asked, campaign_id
from flowrules.record.disk import STATE_FOLDER
from flowrules.record.lock import HeldLock
from flowrules.record.owner import is_local
from flowrules.record.store import Store
from flowrules.schedule.dispatch import Dispatcher
from flowrules.schedule.packing import pack
from flowrules.schedule.queues import at_once
from flowrules.show.text import counted

SANDBOX_EVERY: Final = 1.0
"""Seconds between two questions to the sandbox, which nobody else has to share."""

EVERY: Final = 30.0
"""Seconds between two questions to a batch system."""


@dataclass(slots=True)
class Campaign:
    """A campaign that is held: its profile and its blocks.

    Attributes:
        held: for each task that a block of an earlier driver holds, the block and what became of it so far.
        told: names of tasks that ended there.
        plain: its blocks have no runner (`--submit` with launcher `parallel`).
    """

    settings: BatchSettings
    profile: Profile
    fleet: Fleet
    held: dict[str, tuple[str, Fate]]
    told: frozenset[str]
    epoch: int
    plain: bool = False


def profile_of(settings: BatchSettings, environ: Mapping[str, str]) -> Profile:
    """The profile of a call. With a sandbox nothing is asked of an account, and nodes are started as on one machine.

    Raises:
        UsageError, FlowfileError: there is no such profile, or it has mistakes.
    """
    profile = open_profile(settings.profile, environ, settings.sets, settings.launcher)
    if settings.sandbox:
        if profile.scheduler == "none":
            raise UsageError(
                f"the profile `{profile.name}` has no batch system that a sandbox could stand for",
                "leave out `--sandbox`: its jobs run on this machine anyway",
            )
        launcher = profile.launcher if settings.alone and profile.launcher == "parallel" else "local"
        return replace(profile, launcher=launcher, options={**profile.options, "required": ()})
    return profile


def settled(request: Request) -> Request:
    """A call whose profile is good to run with; as one that names none where its profile means this machine.

    Raises:
        UsageError, FlowfileError: as `profile_of`, or the profile does not say all that its site demands.
    """
    if request.batch is None:
        return request
    profile = profile_of(request.batch, os.environ)
    require_options(profile)
    if profile.scheduler != "none":
        _check_limits(request.run.limits, profile)
        return request
    if request.batch.submit:
        raise UsageError(f"the profile `{profile.name}` has no batch system to submit to")
    return replace(request, batch=None)


def _check_limits(limits: Mapping[str, float], profile: Profile) -> None:
    name = next((name for name in limits if name in ON_NODES), None)
    if name is not None:
        hint = "limit by it what all nodes share, such as licences; `-j` says how many jobs run at once"
        raise UsageError(
            f"`--resources {name}=…`: with the profile `{profile.name}` that is counted on each node", hint
        )


def hold_blocks(
    settings: BatchSettings, request: Request, lock: HeldLock, store: Store, observer: Observer
) -> Campaign:
    """Open the profile, and find the blocks earlier drivers left; what ended in them is in the journal afterwards.

    Raises:
        FlowfileError: there are blocks of another profile, or nobody would stay to go on with those there are.
    """
    profile = profile_of(settings, os.environ)
    asked = Asked(settings.profile, os.path.realpath(profile.folder), profile.scheduler, settings.sandbox)
    refuse_beside_blocks(None if settings.submit else asked)
    sandbox = f"{STATE_FOLDER}/sandbox" if settings.sandbox else None
    fleet = Fleet(
        profile,
        batch_system(profile, sandbox),
        os.getcwd(),
        campaign_id(".", asked),
        lock.number,
        observer.message,
        lock.look,
        launcher="local" if settings.sandbox else profile.launcher,
        hash_limit=request.policy.hash_limit,
        keep_incomplete=request.run.keep_incomplete,
        every=SANDBOX_EVERY if settings.sandbox else EVERY,
        swept=settings.sandbox,
    )
    if not settings.sandbox and (found_room := room()) is not None and not found_room[0]:
        observer.warn(found_room[1])
    held: dict[str, tuple[str, Fate]] = {}
    told: list[str] = []
    foreign = lock.previous is not None and not is_local(lock.previous)
    found = fleet.attach(lock.beat if foreign else None)
    if found:
        known = {_identity(record) for record in store.records()}
        for block, fates in found.items():
            for name, fate in fates.items():
                if fate.end is not None:
                    told.append(name)
                    if _identity(fate.end.record) not in known:
                        store.ended(fate.end.record, [path for path, _ in fate.task.outputs])
                elif not fate.given:
                    held[name] = block, fate
                    # it may be writing its outputs now: they are not to be taken for good ones
                    draft = fate.task.draft
                    outputs = [path for path, _ in fate.task.outputs]
                    store.started(outputs, draft.rule, draft.wildcards, draft.attempt, draft.run)
        store.flush()
        observer.message(_found(found, held))
    plain = settings.submit and profile.launcher == "parallel"
    return Campaign(settings, profile, fleet, held, frozenset(told), lock.number, plain)


def _found(found: Mapping[str, Mapping[str, Fate]], held: Mapping[str, object]) -> str:
    ended = sum(fate.end is not None for fates in found.values() for fate in fates.values())
    blocks = f"block {next(iter(found))}" if len(found) == 1 else counted(len(found), "block")
    return f"found {blocks} of an earlier run: {counted(ended, 'job')} ended there, {len(held):,} still held"


def _identity(record: Record) -> tuple[object, ...]:
    return (record.rule, record.log, record.attempt, record.ended, record.status)


# ── packing ──────────────────────────────────────────────────────────────────────────────────────────────────────


def packer(
    profile: Profile, max_jobs: int | None, limits: Mapping[str, float]
) -> Callable[[Sequence[SchedJob]], list[BlockPlan]]:
    """What blocks a set of jobs is worth."""

    shape = at_once(profile)

    def blocks(jobs: Sequence[SchedJob]) -> list[BlockPlan]:
        packing = pack(jobs, profile.node, shape, max_jobs=max_jobs, waves=1, limits=limits)
        return [BlockPlan(block.nodes, block.walltime) for block in packing.blocks]

    return blocks


# ── running ──────────────────────────────────────────────────────────────────────────────────────────────────────


def campaign_loop(campaign: Campaign, setting: Setting, executor: LocalExecutor) -> CampaignLoop:
    """The loop that works a plan off in blocks, ready to be run."""
    settings, profile = campaign.settings, campaign.profile
    adopted, strangers = _adopt(campaign, setting.planned)
    campaign.fleet.cancel(strangers)
    strange = {name: (block, fate.task.need) for name, (block, fate) in campaign.held.items() if name not in adopted}
    held = {handed.job: (handed.block, handed.attempt) for handed in adopted.values()}
    limits = setting.request.run.limits
    fit = NodeSizer(profile.node, profile.blocks.nodes, limits)
    intake = Intake(setting.planned, fit, setting.request.run.retries, held)
    dispatcher = Dispatcher(
        profile.node,
        at_once(profile),
        packer(profile, settings.max_jobs, limits),
        max_jobs=settings.max_jobs,
        keep_going=setting.request.run.keep_going,
        local_jobs=settings.local_cores or local_cores(machine.cores()),
        limits=limits,
    )
    workshop = setting.workshop(None)
    loop = CampaignLoop(
        setting.parts(dispatcher, executor, workshop, intake),
        campaign.fleet,
        TaskMaker(workshop, campaign.epoch),
        adopted,
        campaign.told,
        strange,
    )
    for block in campaign.fleet.names:
        loop.know_block(block)
    return loop


def _adopt(campaign: Campaign, planned: Planned) -> tuple[dict[str, Handed], list[str]]:
    """Tasks that blocks hold, as jobs of this plan; and the names of those that are to be cancelled.

    A task that is not what the job would be today is cancelled, and held until its end is known: no second attempt
    may run beside it, nor any other job that makes the same files.
    """
    plan = planned.plan
    jobs = {(job.rule.name, tuple(sorted(job.wildcards.items()))): job for job in plan.jobs}
    adopted: dict[str, Handed] = {}
    taken: set[int] = set()
    strangers: list[str] = []
    for name, (block, fate) in campaign.held.items():
        draft = fate.task.draft
        same = jobs.get((draft.rule, tuple(sorted(draft.wildcards.items()))))
        makers = [plan.jobs[plan.producer[path]] for path, _ in fate.task.outputs if path in plan.producer]
        job = same or next(iter(makers), None)
        if job is None or plan.decisions[job.id] is Decision.SKIP or job.id in taken:
            strangers.append(name)
            continue
        stale = job is not same or _changed(planned, job, draft)
        if stale:
            strangers.append(name)
        taken.add(job.id)
        adopted[name] = Handed(job.id, draft.attempt, block, draft.run, draft.threads, draft.reason, stale)
    return adopted, strangers


def _changed(planned: Planned, job: Job, draft: Record) -> bool:
    """Whether a job would be another today than the one a block holds."""
    fingerprints = planned.judge.fingerprints
    try:
        now = replace(
            draft,
            code=fingerprints.code(job.rule),
            params=fingerprints.params(job),
            environment=fingerprints.environment(job.rule),
        )
    except FlowfileError:
        return True
    return unlike(draft, now)
