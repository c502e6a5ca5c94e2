"""What the user asked of a plan, beyond its targets, as values that need no planner to be made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

TRIGGERS = ("mtime", "code", "params", "inputs", "env")
"""What can be a reason to run again, as `--rerun-triggers` names it. What did not finish is always run again."""

HASH_LIMIT = 1 << 20
"""Bytes up to which content is compared by default."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How jobs are judged.

    Attributes:
        force: the targets run whatever their state.
        forceall: everything runs.
        forcerun: names of rules or files whose jobs run.
        spared: jobs that nothing forces any more, as they have run: number of the rule and values of the wildcards.
        until, omit_from: names of rules or files at which the DAG is cut.
        triggers: which of `TRIGGERS` count.
        cutoff: whether content that is the same outweighs a timestamp that moved.
        hash_limit: bytes up to which content is compared.
        read_ahead: read the present output of a checkpoint that may run (a dry run does; a run waits).
        only_look: nobody wants to run the plan, so what would stand in the way of that is no mistake.
    """

    force: bool = False
    forceall: bool = False
    forcerun: tuple[str, ...] = ()
    spared: frozenset[tuple[int, tuple[str, ...]]] = frozenset()
    until: tuple[str, ...] = ()
    omit_from: tuple[str, ...] = ()
    triggers: frozenset[str] = frozenset(TRIGGERS)
    cutoff: bool = True
    hash_limit: int = HASH_LIMIT
    read_ahead: bool = False
    only_look: bool = False


DEFAULT = Policy()
LOOKING = Policy(read_ahead=True, only_look=True)
"""For commands that show or delete what there is."""


@dataclass(frozen=True, slots=True)
class CommandSettings:
    """What the call sets for rules: threads, resources by rule, resources for all."""

    set_threads: Mapping[str, int]
    set_resources: Mapping[str, Mapping[str, object]]
    default_resources: Mapping[str, object]


NO_SETTINGS = CommandSettings({}, {}, {})
