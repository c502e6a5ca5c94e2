"""Which failures are a node's and not a job's. Told what ended and how, it answers; it has no clock and no files.

A node is suspected when several jobs in a row failed there, of rules that hardly fail elsewhere in the block. Until
then a failure that may be the node's is in doubt: it is told only when something has ended well on the node since, or
after a while. What is in doubt when a node is given up goes back as if it had not run.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

IN_A_ROW: Final = 3
"""So many jobs one after another, on one node, are no accident."""

SELDOM: Final = 20
"""On other nodes at most one of so many jobs of a rule failed: its failures are not its own."""

DOUBT_SECONDS: Final = 20.0
"""For how long a failure in doubt is not told."""

LAUNCHES: Final = 2
"""So many failed launches of a job are not its own; so many in a row with a node are the node's."""

_LAUNCH_FAILED: Final = re.compile(rb"Couldn't forward RPC launch")
"""What PALS says when it could not start ranks, whatever the job is."""

_TAIL: Final = 8192


class Suspects:
    """What ended in a block, by rule and node."""

    def __init__(self) -> None:
        self._good: Counter[tuple[str, str]] = Counter()
        self._bad: Counter[tuple[str, str]] = Counter()
        self._row: dict[str, dict[str, str]] = {}
        self._launches: Counter[str] = Counter()

    def ended(self, node: str, rule: str, job: str, *, ok: bool) -> None:
        """A job ended by itself."""
        for key in ((rule, node), (rule, "")):
            (self._good if ok else self._bad)[key] += 1
        if ok:
            self._row.pop(node, None)
        else:
            self._row.setdefault(node, {})[job] = rule

    def is_in_doubt(self, node: str, rule: str) -> bool:
        """Whether a failure of a job of this rule may be the node's, which has done nothing well since."""
        return node in self._row and self._is_seldom(node, rule)

    def fails_alone(self, node: str) -> bool:
        """Whether a node fails what others do not fail."""
        row = self._row.get(node, {})
        return len(row) >= IN_A_ROW and all(self._is_seldom(node, rule) for rule in row.values())

    def _is_seldom(self, node: str, rule: str) -> bool:
        good = self._good[rule, ""] - self._good[rule, node]
        bad = self._bad[rule, ""] - self._bad[rule, node]
        return good >= IN_A_ROW and bad * SELDOM <= good

    # ── launches ─────────────────────────────────────────────────────────────────────────────────────────────────

    def launch_failed(self, job: str, nodes: Sequence[str]) -> tuple[bool, list[str]]:
        """Ranks of a job could not be started: whether that is forgiven, and the nodes that had part in too many."""
        self._launches.update([f"job {job}", *nodes])
        forgiven = self._launches[f"job {job}"] <= LAUNCHES
        return forgiven, [node for node in nodes if self._launches[node] >= LAUNCHES]

    def launched(self, nodes: Sequence[str]) -> None:
        """Ranks of a job could be started."""
        for node in nodes:
            del self._launches[node]


def is_launch_failure(log: str) -> bool:
    """Whether the end of an attempt's output says that its launcher failed."""
    try:
        with open(log, "rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - _TAIL))
            return bool(_LAUNCH_FAILED.search(file.read(_TAIL)))
    except OSError:
        return False
