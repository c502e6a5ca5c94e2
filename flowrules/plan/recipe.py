"""A rule made ready for planning: a job's paths are one `%` format each, what is alike for all jobs is done once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat
from operator import itemgetter

from flowrules.errors import fail
from flowrules.expr.section import evaluate_section
from flowrules.expr.world import World
from flowrules.model.job import Job
from flowrules.model.pattern import Pattern, normalize
from flowrules.model.rule import Entry, Output, Rule
from flowrules.model.values import NO_FLAGS, Flags, NamedList, Unknown

STEPS_PER_JOB = 2_000
"""By how much each job raises the budget of all expressions."""

Hole = tuple[str, tuple[int, ...]] | str
"""A `%` format with the indices of the wildcard values it takes, or a path as it is."""


class Recipe:
    """Makes the jobs of one rule in one world.

    Inputs that do not depend on the job are evaluated once; the others are evaluated for each job.
    """

    __slots__ = ("_dynamic", "_outputs", "_steps", "constant", "rule", "world")

    def __init__(self, rule: Rule, world: World) -> None:
        self.rule = rule
        self.world = world
        self._outputs = tuple(hole_of(output.path, rule.wildcards) for output in rule.outputs)
        self._steps: list[_Static | Entry] | None = None
        self._dynamic = False
        self.constant: _Inputs | None = None

    def outputs(self, values: tuple[str, ...]) -> tuple[str, ...]:
        """The paths a job of this rule makes, in the order of the rule's outputs."""
        return fill_all(self._outputs, values)

    def job(self, values: tuple[str, ...]) -> Job:
        """The job for given wildcard values, not yet part of a plan.

        Raises:
            FlowfileError: its inputs cannot be computed.
        """
        rule = self.rule
        found = self.inputs(values)
        return Job(-1, rule, values, found.paths, self.outputs(values), found.names, found.flags, found.waits)

    def jobs(self, many: Sequence[tuple[str, ...]]) -> list[Job]:
        """The jobs for many wildcard values; the budget of expressions grows with them.

        Raises:
            FlowfileError: the inputs of one cannot be computed.
        """
        rule, world = self.rule, self.world
        steps = self._steps if self._steps is not None else self._prepare()
        if self._dynamic:
            made = []
            for values in many:
                made.append(self.job(values))
                world.meter.grow(STEPS_PER_JOB)
            return made
        world.meter.grow(STEPS_PER_JOB * len(many))
        (static,) = steps
        assert isinstance(static, _Static)
        odd = _odd(many)
        constant = self.constant
        inputs = repeat(constant.paths) if constant is not None else _fill_many(static.holes, many, odd)
        outputs = _fill_many(self._outputs, many, odd)
        names, flags, waits = static.names, static.flags, static.waits
        return [
            Job(-1, rule, values, taken, given, names, flags, waits)
            for values, taken, given in zip(many, inputs, outputs)  # noqa: B905 - the inputs may be an endless repetition
        ]

    def inputs(self, values: tuple[str, ...]) -> _Inputs:
        """The inputs of a job."""
        if self.constant is not None:
            return self.constant
        steps = self._steps
        if steps is None:
            steps = self._prepare()
            if self.constant is not None:
                return self.constant
        if len(steps) == 1 and not self._dynamic:
            (static,) = steps
            assert isinstance(static, _Static)
            return _Inputs(fill_all(static.holes, values), static.names, static.flags, static.waits)
        return self._assemble(steps, values)

    def _prepare(self) -> list[_Static | Entry]:
        """Evaluates what is alike for all jobs; runs once, when the first job of the rule is asked for."""
        steps: list[_Static | Entry] = []
        pending: list[Entry] = []
        for entry in self.rule.inputs:
            if not entry.value.per_job:
                pending.append(entry)
                continue
            if pending:
                steps.append(_static(pending, self.world, self.rule))
            steps.append(entry)
            pending = []
            self._dynamic = True
        if pending or not steps:
            steps.append(_static(pending, self.world, self.rule))
        first = steps[0]
        if len(steps) == 1 and isinstance(first, _Static) and all(isinstance(h, str) for h in first.holes):
            self.constant = _Inputs(fill_all(first.holes, ()), first.names, first.flags, first.waits)
        self._steps = steps
        return steps

    def _assemble(self, steps: Sequence[_Static | Entry], values: tuple[str, ...]) -> _Inputs:
        wildcards = dict(zip(self.rule.wildcards, values, strict=True))
        local: dict[str, object] = {"wildcards": wildcards}
        paths: list[str] = []
        names: dict[str, tuple[int, int]] = {}
        flags: dict[int, Flags] = {}
        waits: frozenset[str] = frozenset()
        for step in steps:
            base = len(paths)
            static = step if isinstance(step, _Static) else _static([step], self.world, self.rule, local)
            paths += fill_all(static.holes, values)
            waits |= static.waits
            for name, (start, stop) in static.names.items():
                names[name] = (base + start, base + stop)
            for at, flag in static.flags.items():
                flags[base + at] = flag
        return _Inputs(tuple(paths), names, flags, waits)

    def entry_of(self, values: tuple[str, ...], path: str) -> Entry | None:
        """The entry of `input` that asks for a path; for messages."""
        local: dict[str, object] = {"wildcards": dict(zip(self.rule.wildcards, values, strict=True))}
        for entry in self.rule.inputs:
            static = _static([entry], self.world, self.rule, local)
            if path in fill_all(static.holes, values):
                return entry
        return None


class _Inputs:
    """The inputs of one job: what `Job` takes."""

    __slots__ = ("flags", "names", "paths", "waits")

    def __init__(
        self,
        paths: tuple[str, ...],
        names: Mapping[str, tuple[int, int]],
        flags: Mapping[int, Flags],
        waits: frozenset[str],
    ) -> None:
        self.paths = paths
        self.names = names
        self.flags = flags
        self.waits = waits


class _Static:
    """Evaluated entries whose patterns still have holes for wildcard values."""

    __slots__ = ("flags", "holes", "names", "waits")

    def __init__(
        self,
        holes: tuple[Hole, ...],
        names: Mapping[str, tuple[int, int]],
        flags: Mapping[int, Flags],
        waits: frozenset[str],
    ) -> None:
        self.holes = holes
        self.names = names
        self.flags = flags
        self.waits = waits


def _static(entries: Sequence[Entry], world: World, rule: Rule, local: Mapping[str, object] | None = None) -> _Static:
    holes: list[Hole] = []
    names: dict[str, tuple[int, int]] = {}
    flags: dict[int, Flags] = {}
    waits: frozenset[str] = frozenset()
    for item in evaluate_section(entries, world, local or {}):
        start = len(holes)
        for value, flag in item.files:
            if isinstance(value, Unknown):
                waits |= value.paths
                continue
            if flag is not NO_FLAGS and flag != NO_FLAGS:
                flags[len(holes)] = flag
            try:
                holes.append(hole_of(value, rule.wildcards))
            except KeyError as missing:
                message = f"`{value}` holds the wildcard `{missing.args[0]}`, which is in no output of this rule"
                raise fail("F103", message, item.span, "`expand` fills in lists of values") from None
        if item.name is not None:
            names[item.name] = (start, len(holes))
    return _Static(tuple(holes), names, flags, waits)


def hole_of(path: Pattern | str, wildcards: tuple[str, ...]) -> Hole:
    """A pattern as a format for the values of a rule's wildcards."""
    if isinstance(path, str):
        return normalize(path)
    return path.normalized().formatter(wildcards)


def fill_all(holes: Sequence[Hole], values: tuple[str, ...]) -> tuple[str, ...]:
    """Paths for wildcard values; normalized where a value could make it necessary."""
    filled = []
    for hole in holes:
        if isinstance(hole, str):
            filled.append(hole)
        else:
            text, index = hole
            filled.append(text % (values if len(index) == len(values) == 1 else tuple([values[i] for i in index])))
    for value in values:
        if value[0] in "/." or value[-1] in "/.":
            return tuple([normalize(path) for path in filled])
    return tuple(filled)


def _odd(many: Sequence[tuple[str, ...]]) -> list[int]:
    """Which of many wildcard values could make it necessary to normalize paths."""
    return [at for at, values in enumerate(many) for value in values if value[0] in "/." or value[-1] in "/."]


def _fill_many(holes: Sequence[Hole], many: Sequence[tuple[str, ...]], odd: Sequence[int]) -> Iterable[tuple[str, ...]]:
    """`fill_all` for many wildcard values, hole by hole."""
    if not holes:
        return repeat(())
    columns: list[Iterable[str]] = []
    width = len(many[0])
    for hole in holes:
        if isinstance(hole, str):
            columns.append(repeat(hole, len(many)))
            continue
        text, index = hole
        if index == tuple(range(width)):
            columns.append([text % values for values in many])
        elif len(index) == 1:
            (at,) = index
            columns.append([text % (values[at],) for values in many])
        else:
            take = itemgetter(*index)
            columns.append([text % take(values) for values in many])
    rows = list(zip(*columns, strict=True))
    for at in odd:
        rows[at] = fill_all(holes, many[at])
    return rows


def named(outputs: Sequence[Output], paths: Sequence[str]) -> NamedList:
    """Paths of outputs (or logs, benchmarks) with the names the rule gives them."""
    names: dict[str, tuple[int, int]] = {}
    for at, output in enumerate(outputs):
        if output.name is not None:
            names[output.name] = (names.get(output.name, (at, at))[0], at + 1)
    return NamedList(paths, names)
