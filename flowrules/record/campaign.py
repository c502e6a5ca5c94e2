"""The file that marks the blocks of a directory, and says of which profile they are."""

from __future__ import annotations

import json
import os
import shlex
from typing import Any, Final, NamedTuple

from flowrules.record.disk import STATE_FOLDER
from flowrules.record.state import write_atomically

_NAME: Final = f"{STATE_FOLDER}/campaign"


class Asked(NamedTuple):
    """How blocks are asked for.

    Attributes:
        profile: as the call names it; folder: where it lies, absolute; scheduler: its batch system ("" where unknown).
        sandbox: the batch system is emulated.
    """

    profile: str
    folder: str = ""
    scheduler: str = ""
    sandbox: bool = False

    def is_like(self, other: Asked) -> bool:
        """Whether both mean one profile on one batch system; what the profile says may have changed."""
        same = self.profile == other.profile or bool(self.folder and self.folder == other.folder)
        schedulers = {self.scheduler, other.scheduler} - {""}
        return same and len(schedulers) < 2 and self.sandbox is other.sandbox

    @property
    def words(self) -> str:
        """For people: ``profile `polaris` (pbs, emulated)``."""
        what = ", ".join(filter(None, [self.scheduler, "emulated" if self.sandbox else ""]))
        return f"profile `{self.profile}`" + (f" ({what})" if what else "")


def campaign_id(directory: str, asked: Asked) -> str:
    """What marks all blocks of a directory, made when first needed; the caller holds the directory.

    Raises:
        OSError: it cannot be written.
    """
    known = _read(directory)
    said = {"id": known.get("id") or os.urandom(3).hex(), **asked._asdict()}
    if said != known:
        write_atomically(os.path.join(directory, _NAME), json.dumps(said).encode())
    return str(said["id"])


def campaign_asked(directory: str) -> Asked | None:
    """How blocks of a directory were last asked for; None where nobody ever did."""
    known = _read(directory)
    if not isinstance(known.get("profile"), str):
        return None
    profile, folder, scheduler = (str(known.get(name) or "") for name in ("profile", "folder", "scheduler"))
    return Asked(profile, folder, scheduler, bool(known.get("sandbox")))


def campaign_call(directory: str) -> str:
    """How a campaign is gone on with: `flowrules --profile polaris`."""
    asked = campaign_asked(directory) or Asked("NAME")
    words = ["flowrules", "--profile", asked.profile]
    return shlex.join([*words, "--sandbox"] if asked.sandbox else words)


def _read(directory: str) -> dict[str, Any]:
    try:
        with open(os.path.join(directory, _NAME), encoding="utf-8") as file:
            said = json.load(file)
        return said if isinstance(said, dict) else {}
    except (OSError, ValueError):
        return {}
