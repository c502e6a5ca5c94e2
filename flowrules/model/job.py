"""A job: one rule for one set of wildcard values, with its files."""

from __future__ import annotations

from collections.abc import Mapping

from flowrules.model.rule import Rule
from flowrules.model.values import Flags, NamedList


class Job:
    """One execution of a rule.

    A slotted class rather than a dataclass: a plan holds up to a million of these.

    Attributes:
        id: position in the plan's list of jobs.
        rule: what it executes.
        values: wildcard values, in the order of ``rule.wildcards``.
        inputs: paths, in the order in which the rule names them (duplicates kept).
        input_names: for each named input the half-open range of its paths.
        input_flags: flags by position in ``inputs``; empty where no input has any.
        outputs: paths, in the order of ``rule.outputs``.
        waits: outputs of checkpoints that must exist before all that it is given is known; empty for most jobs.
        mark: the planner's own note while it chooses between candidates; means nothing afterwards.
    """

    __slots__ = ("id", "input_flags", "input_names", "inputs", "mark", "outputs", "rule", "values", "waits")

    def __init__(
        self,
        id: int,
        rule: Rule,
        values: tuple[str, ...],
        inputs: tuple[str, ...],
        outputs: tuple[str, ...],
        input_names: Mapping[str, tuple[int, int]],
        input_flags: Mapping[int, Flags],
        waits: frozenset[str],
    ) -> None:
        self.id = id
        self.rule = rule
        self.values = values
        self.inputs = inputs
        self.outputs = outputs
        self.input_names = input_names
        self.input_flags = input_flags
        self.waits = waits
        self.mark = 0

    @property
    def wildcards(self) -> dict[str, str]:
        """Wildcard values by name."""
        return dict(zip(self.rule.wildcards, self.values, strict=True))

    @property
    def input(self) -> NamedList:
        """Its inputs as a job sees them."""
        return NamedList(self.inputs, self.input_names)

    @property
    def label(self) -> str:
        """A name for people: `relax mol=benzene`."""
        rule = self.rule
        return " ".join([rule.name, *[f"{k}={v}" for k, v in zip(rule.wildcards, self.values, strict=True)]])

    def __repr__(self) -> str:
        return f"<Job {self.id} {self.label}>"
