"""No run begins beside blocks that may still run its jobs and that it would not go on with."""

from __future__ import annotations

import os

from flowrules.errors import StateError, fail
from flowrules.record.blockfiles import OVER, block_names, block_path, is_closed, submitted_id
from flowrules.record.campaign import Asked, campaign_asked, campaign_call

FEW = 3
"""So many blocks are named."""


def refuse_beside_blocks(asked: Asked | None = None) -> None:
    """Refuse a run where blocks of an earlier one are not over that it would not go on with.

    A run with the profile of the blocks goes on with them as they are, whatever the profile says today. With another
    profile it collects those that have closed: of these nothing runs any more, and nobody has to be asked about them.

    Args:
        asked: how this run would ask for blocks; None where it would not stay, or runs on this machine.

    Raises:
        FlowfileError: there are such blocks.
        StateError: the folder of blocks cannot be read.
    """
    names = [name for name in block_names(".") if not os.path.exists(f"{block_path('.', name)}/{OVER}")]
    found = campaign_asked(".")
    other = ""
    if asked is not None:
        if found is None or found.is_like(asked):
            return
        names = [name for name in names if not _is_closed(name)]
        other = f", and this run is for {asked.words}"
    if not names:
        return
    of = "an earlier campaign" if found is None else found.words
    few = ", ".join(map(_told, names[:FEW])) + (f" and {len(names) - FEW:,} more" if len(names) > FEW else "")
    raise fail(
        "F602",
        f"blocks of {of} may still run jobs here{other}: {few}",
        None,
        f"`{campaign_call('.')}` goes on with them; interrupt that twice to cancel them",
    )


def _is_closed(name: str) -> bool:
    try:
        return is_closed(block_path(".", name))
    except StateError:
        return False


def _told(name: str) -> str:
    id = submitted_id(block_path(".", name))
    return f"{name} (batch job `{id}`)" if id else name
