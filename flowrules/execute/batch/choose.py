"""The batch system that a profile names."""

from __future__ import annotations

from flowrules.errors import UsageError
from flowrules.execute.batch.patience import Manners, Patient
from flowrules.execute.batch.pbs import Pbs
from flowrules.execute.batch.sandbox import Sandbox
from flowrules.execute.batch.slurm import Slurm
from flowrules.model.profile import Profile

_AT_HOME = Manners(every=0.2, gap=0.0, looks=(0.1, 0.2, 0.5), pause=0.5, lasting=60.0)


def batch_system(profile: Profile, sandbox: str | None, *, nodes: int | None = None) -> Patient:
    """What batch jobs of a profile are handed to, with the manners it is owed.

    Args:
        sandbox: folder of the sandbox that takes the place of the profile's batch system; None for the real one.
        nodes: how many nodes a sandbox has; by default what the profile's blocks need.

    Raises:
        UsageError: the profile has no batch system.
    """
    if sandbox is not None:
        return Patient(Sandbox(sandbox, profile, nodes=nodes), _AT_HOME)
    match profile.scheduler:
        case "pbs":
            return Patient(Pbs())
        case "slurm":
            return Patient(Slurm())
        case "none":
            raise UsageError(f"profile `{profile.name}` has no batch system", "write `--sandbox` to emulate one")
