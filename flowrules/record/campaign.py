"""The file that marks the blocks of a directory, and says how they were last asked for."""

from __future__ import annotations

import json
import os
import shlex
from typing import Final

from flowrules.record.disk import STATE_FOLDER
from flowrules.record.state import write_atomically

_NAME: Final = f"{STATE_FOLDER}/campaign"


def campaign_id(directory: str, profile: str, *, sandbox: bool) -> str:
    """What marks all blocks of a directory, made when first needed; the caller holds the directory.

    Raises:
        OSError: it cannot be written.
    """
    known = _read(directory)
    said = {"id": known.get("id") or os.urandom(3).hex(), "profile": profile, "sandbox": sandbox}
    if said != known:
        write_atomically(os.path.join(directory, _NAME), json.dumps(said).encode())
    return str(said["id"])


def campaign_call(directory: str) -> str:
    """How a campaign is gone on with: `flowrules --profile polaris`."""
    known = _read(directory)
    profile = known.get("profile")
    words = ["flowrules", "--profile", profile if isinstance(profile, str) else "NAME"]
    return shlex.join([*words, "--sandbox"] if known.get("sandbox") else words)


def campaign_emulated(directory: str) -> bool:
    """Whether its batch system was the sandbox."""
    return bool(_read(directory).get("sandbox"))


def _read(directory: str) -> dict[str, object]:
    try:
        with open(os.path.join(directory, _NAME), encoding="utf-8") as file:
            said = json.load(file)
        return said if isinstance(said, dict) else {}
    except (OSError, ValueError):
        return {}
