"""What a campaign would take and cost with blocks of other sizes: the packing of each, in virtual time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from flowrules.app.drive.packing import packed
from flowrules.app.settings import Request
from flowrules.errors import UsageError
from flowrules.model.profile import Profile
from flowrules.plan.build import Planned
from flowrules.show.simulate import Choice


def choices(
    planned: Planned,
    request: Request,
    profile: Profile,
    nodes: Sequence[int],
    walltimes: Sequence[float],
    basis: Counter[str],
) -> Iterator[Choice]:
    """One choice for each number of nodes and walltime (seconds) of a block; by default 1, 2, 4 … nodes, as allowed.

    Args:
        basis: is told what the run times rest on (as `Intake.basis`).

    Raises:
        FlowfileError: a job asks for more than a node has.
    """
    for walltime in walltimes or (profile.blocks.walltime,):
        for number in nodes or _doubled(profile.blocks.nodes):
            basis.clear()
            sized = replace(profile, blocks=replace(profile.blocks, nodes=number, walltime=walltime))
            try:
                packing, shown = packed(planned, request, sized, basis)
            except UsageError as error:
                yield Choice(number, walltime, refused=error.message)
                continue
            yield Choice(number, walltime, packing, tuple(shown))


def _doubled(most: int) -> list[int]:
    """1, 2, 4 … up to and with ``most``."""
    numbers = [1]
    while numbers[-1] < most:
        numbers.append(min(2 * numbers[-1], most))
    return numbers
