"""Blocks that earlier drivers of a directory left."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import Final

from flowrules.app.drive.fleet_block import SCRIPT, Live
from flowrules.model.dispatch import BlockPlan
from flowrules.record.blockfiles import OVER, Fate, block_names, block_path, forget_failed, submitted_id
from flowrules.record.spool import BlockFolder
from flowrules.record.state import write_atomically

ACCEPT_SECONDS: Final = 60.0
"""For how long a block is waited for that runs and does not say that it reads no earlier inbox any more."""

_LOOK_SECONDS: Final = 0.2


def found_blocks(directory: str, epoch: int, look: Callable[[], None]) -> list[Live]:
    """Blocks that are not over, held for this driver; arguments as those of `BlockFolder.open`."""
    forget_failed(directory, epoch)
    found = []
    for name in block_names(directory):
        path = block_path(directory, name)
        if os.path.exists(f"{path}/{OVER}"):
            continue
        if not os.path.exists(f"{path}/{SCRIPT}"):  # its driver died while it made it
            write_atomically(f"{path}/{OVER}", b"")
            continue
        folder = BlockFolder.open(path, epoch, look)
        id = submitted_id(path)
        live = Live(folder, BlockPlan(folder.spec.nodes, folder.spec.walltime), id, doubtful=not id)
        if folder.spec.plain:
            from flowrules.app.plain_log import Scribe

            live.scribe = Scribe(folder, directory)
            live.scribe.write()
            folder.accepted = True  # it never reads what is said
        live.begun = folder.has_begun
        found.append(live)
    return found


def wait_until_accepted(
    blocks: Sequence[Live], beat: Callable[[], None], seconds: float = ACCEPT_SECONDS
) -> list[Live]:
    """Wait until no block reads an inbox of an earlier driver, which may still be writing into it on another host.

    What blocks say meanwhile is kept for later.

    Args:
        beat: is called while it waits.

    Returns:
        Blocks that did not say so in time.
    """
    end = time.monotonic() + seconds
    while True:
        silent = []
        for live in blocks:
            live.early += live.folder.news()
            if not live.folder.accepted and live.folder.has_begun and live.folder.closed is None:
                silent.append(live)
        if not silent or time.monotonic() >= end:
            return silent
        beat()
        time.sleep(_LOOK_SECONDS)


def take_stock(live: Live) -> dict[str, Fate]:
    """What became of the tasks of a block so far."""
    fates = live.folder.assigned()
    live.fed = bool(fates)
    live.tasks = dict.fromkeys(name for name, fate in fates.items() if fate.end is None and not fate.given)
    return fates
