"""The packing of a plan on a profile: for the dry run, and for scripts that are only written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from flowrules.app.book import Book
from flowrules.app.intake import Intake
from flowrules.app.resources import NodeSizer
from flowrules.app.settings import Request
from flowrules.model.packing import Packing
from flowrules.model.profile import Profile
from flowrules.plan.build import Planned
from flowrules.schedule.packing import pack
from flowrules.schedule.queues import Taken, at_once, choose
from flowrules.show.packing import ShownBlock


def packed(
    planned: Planned, request: Request, profile: Profile, basis: Counter[str] | None = None
) -> tuple[Packing, list[ShownBlock]]:
    """How the jobs that will or may run would be packed, and which queue each block would go to.

    Args:
        basis: where given, what run times rest on (as `Intake.basis`) is added there.

    Raises:
        FlowfileError: a job asks for more than a node has.
        UsageError: a block fits no queue.
    """
    limits = request.run.limits
    intake = Intake(planned, NodeSizer(profile.node, profile.blocks.nodes, limits), request.run.retries)
    jobs = [job for job in intake.jobs(planned, Book(planned.plan)) if not job.local]
    if basis is not None:
        basis.update(intake.basis)
    max_jobs = request.batch.max_jobs if request.batch is not None else None
    packing = pack(jobs, profile.node, at_once(profile), max_jobs=max_jobs, limits=limits)
    shown = []
    queues: list[str] = []
    for block in packing.blocks:
        if block.wave:  # those before are over by then
            queues = []
        offer = choose(profile, block.nodes, block.walltime, taken_by(queues))
        queues.append(offer.queue.name)
        shown.append(ShownBlock(block, offer.queue.name, offer.nodes, offer.walltime, offer.spare))
    return packing, shown


def taken_by(queues: Sequence[str]) -> dict[str, Taken]:
    """What a campaign's own blocks take of the limits of queues, a name for each block."""
    counts = Counter(queues)
    return {name: Taken(count, count) for name, count in counts.items()}


def machine_of(profile: Profile, *, sandbox: bool) -> str:
    """A profile in words."""
    system = f"{profile.scheduler}, emulated here" if sandbox else profile.scheduler
    return f"profile {profile.name} ({system}; launcher {profile.launcher})"
