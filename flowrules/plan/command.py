"""What a job's expressions evaluate to: threads, resources, params and the command, in the order the language gives.

Each sees what stands before it: wildcards, input, output, log, benchmark, threads, resources, params.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from flowrules.errors import Diagnostic, FlowfileError, fail
from flowrules.expr.data import kind_of
from flowrules.expr.operators import as_quantity
from flowrules.expr.params import Params
from flowrules.expr.section import evaluate_named
from flowrules.expr.world import World
from flowrules.model.job import Job
from flowrules.model.quantity import Quantity
from flowrules.model.rule import Evaluable, Output, Rule
from flowrules.model.values import NamedList, Unknown
from flowrules.plan.recipe import fill_all, hole_of, named
from flowrules.span import Span

_COUNTED = {"nodes": 1, "ranks": 1, "ranks_per_node": 1, "threads_per_rank": 1}
"""Resources that are counted in whole numbers, with the least."""


_NO_FILES = NamedList(())
_NO_PARAMS = Params()


class NotYet(FlowfileError):
    """A value that is not known before checkpoints have run.

    Attributes:
        paths: what they have yet to make.
    """

    def __init__(self, paths: frozenset[str], span: Span) -> None:
        named = ", ".join(f"`{path}`" for path in sorted(paths)[:3])
        super().__init__([Diagnostic("F110", f"this is not known before a checkpoint has made {named}", span)])
        self.paths = paths


@dataclass(slots=True)  # made for each attempt, see `flowrules.model.order.Order`
class JobValues:
    """Everything a job's texts may name, for one attempt."""

    wildcards: Mapping[str, str]
    input: NamedList
    output: NamedList
    log: NamedList
    benchmark: NamedList
    threads: int
    resources: Mapping[str, object]
    params: object
    attempt: int
    rule: str

    def names(self) -> dict[str, object]:
        """The values by name, as expressions and shell templates take them."""
        return {
            "wildcards": self.wildcards,
            "input": self.input,
            "output": self.output,
            "log": self.log,
            "benchmark": self.benchmark,
            "threads": self.threads,
            "resources": self.resources,
            "params": self.params,
            "attempt": self.attempt,
            "rule": self.rule,
        }


class Commands:
    """Evaluates the texts of jobs in one world."""

    def __init__(
        self,
        world: World,
        set_threads: Mapping[str, int] | None = None,
        set_resources: Mapping[str, Mapping[str, object]] | None = None,
        default_resources: Mapping[str, object] | None = None,
    ) -> None:
        self._world = world
        self._set_threads = set_threads or {}
        self._set_resources = set_resources or {}
        self._default_resources = default_resources or {}
        self._alike: dict[int, bool] = {}
        self._same: dict[int, dict[str, object]] = {}

    def values(self, job: Job, attempt: int = 1, threads: int | None = None, *, params: bool = True) -> JobValues:
        """What a job's texts may name.

        Args:
            threads: what the job was given; None for what it declares.
            params: evaluate them too.

        Raises:
            FlowfileError: an expression cannot be computed, such as the size of an input that does not exist yet.
        """
        rule = job.rule
        local = _files(job, attempt)
        declared = self._threads(job, local)
        local["threads"] = threads if threads is not None else declared
        same = self._same.get(rule.index)
        local["resources"] = self._resources(job, local) if same is None else same
        local["params"] = self._params(job, local) if params else None
        if same is None or rule.threads is not None or rule.params:
            _known((local["threads"], local["resources"], local["params"]), rule.span)
        if same is None and self.are_alike(rule):
            self._same[rule.index] = local["resources"]  # type: ignore[assignment]
        return JobValues(**local)  # type: ignore[arg-type]

    def are_alike(self, rule: Rule) -> bool:
        """Whether all jobs of a rule have the same threads and resources, at every attempt."""
        known = self._alike.get(rule.index)
        if known is None:
            texts = [entry.value for entry in rule.resources]
            texts += [rule.threads] if rule.threads is not None else []
            known = self._alike[rule.index] = not any(text.per_job or text.reads for text in texts)
        return known

    def params(self, job: Job) -> object:
        """A job's params at its first attempt; of what stands before them only what they use is evaluated.

        Raises:
            FlowfileError: as `values`.
        """
        local = _files(job, 1)
        used = {name for entry in job.rule.params for name in entry.value.uses}
        if used & {"threads", "resources"}:
            local["threads"] = self._threads(job, local)
        if "resources" in used:
            local["resources"] = self._resources(job, local)
        found = self._params(job, local)
        _known((found,), job.rule.span)
        return found

    def constants(self, names: Iterable[str], span: Span) -> dict[str, object]:
        """The values of constants.

        Raises:
            FlowfileError: one cannot be computed.
        """
        found = {name: self._world.let(name, span) for name in names}
        _known(found.values(), span)
        return found

    def environment(self, values: JobValues, job: Job) -> dict[str, str]:
        """The variables a rule sets for its jobs.

        Raises:
            FlowfileError: an expression cannot be computed.
        """
        if not job.rule.env:
            return {}
        _, found = evaluate_named(job.rule.env, self._world, values.names())
        _known((found,), job.rule.span)
        return {name: str(value) for name, value in found.items() if value is not None}

    def _threads(self, job: Job, local: Mapping[str, object]) -> int | Unknown:
        """The threads a job declares, at least 1."""
        rule = job.rule
        if rule.name in self._set_threads:
            return self._set_threads[rule.name]
        if rule.threads is None:
            return 1
        value = rule.threads(self._world, local)
        return value if isinstance(value, Unknown) else max(1, _whole(value, rule.threads, "threads"))

    def retries(self, job: Job, default: int) -> int:
        """How many further attempts a failure of a job is given."""
        expr = job.rule.retries
        if expr is None:
            return default
        value = expr(self._world, {"wildcards": job.wildcards})
        _known((value,), expr.span)
        return max(0, _whole(value, expr, "retries"))

    def priority(self, job: Job) -> float:
        """A job's priority; 0 where none is given."""
        expr = job.rule.priority
        if expr is None:
            return 0.0
        value = expr(self._world, {"wildcards": job.wildcards})
        _known((value,), expr.span)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise fail("F508", f"priority must be a number, not {_kind(value)}", expr.span)
        return float(value)

    def _resources(self, job: Job, local: Mapping[str, object]) -> dict[str, object]:
        result = dict(self._default_resources)
        if job.rule.resources:
            _, found = evaluate_named(job.rule.resources, self._world, local)
            result.update(found)
        result.update(self._set_resources.get(job.rule.name, {}))
        for name, value in result.items():
            wanted = _misfit(name, value)
            if wanted is not None:
                raise fail("F508", f"resource `{name}` must be {wanted}, not {_kind(value)}", _span_of(job.rule, name))
        for name, kind in (("mem", "bytes"), ("disk", "bytes"), ("walltime", "seconds")):
            value = result.get(name)
            if isinstance(value, str):
                value = result[name] = as_quantity(value) or value
            if isinstance(value, Unknown):
                continue
            if value is not None and not (isinstance(value, Quantity) and value.kind == kind):
                unit = "16GB" if kind == "bytes" else "20min"
                raise fail(
                    "F507",
                    f"resource `{name}` of rule `{job.rule.name}` has no unit: {value}",
                    _span_of(job.rule, name),
                    f"write it with a unit, as in `{name}={unit}`",
                )
        return {name: value for name, value in result.items() if value is not None}

    def _params(self, job: Job, local: Mapping[str, object]) -> object:
        if not job.rule.params:
            return _NO_PARAMS
        return Params(*evaluate_named(job.rule.params, self._world, local))


def _files(job: Job, attempt: int) -> dict[str, object]:
    """What is known of a job without evaluating anything."""
    rule = job.rule
    return {
        "wildcards": job.wildcards,
        "input": job.input,
        "output": named(rule.outputs, job.outputs),
        "log": files_of(rule.logs, job),
        "benchmark": files_of(rule.benchmarks, job),
        "attempt": attempt,
        "rule": rule.name,
    }


def _known(values: Iterable[object], span: Span) -> None:
    """Raises NotYet where some of the values, or of what they hold, are unknown."""
    found: frozenset[str] = frozenset()
    waiting = list(values)
    while waiting:
        value = waiting.pop()
        if isinstance(value, Unknown):
            found |= value.paths
        elif isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list | tuple | Params):
            waiting.extend(value)
    if found:
        raise NotYet(found, span)


def files_of(outputs: tuple[Output, ...], job: Job) -> NamedList:
    """The logs (or benchmark files) of a job."""
    if not outputs:
        return _NO_FILES
    holes = [hole_of(output.path, job.rule.wildcards) for output in outputs]
    return named(outputs, fill_all(holes, job.values))


def _misfit(name: str, value: object) -> str | None:
    """What a resource must be, where it is something else; units are another matter."""
    if value is None or isinstance(value, Unknown):
        return None
    if name in _COUNTED:
        whole = isinstance(value, int) and not isinstance(value, bool)
        return None if whole and value >= _COUNTED[name] else f"a whole number, at least {_COUNTED[name]}"  # type: ignore[operator]
    if isinstance(value, Quantity):
        return None if value.amount >= 0 else "at least 0"
    if isinstance(value, int | float) and not isinstance(value, bool):
        if name == "gpus_per_rank" and value > 1 and value != int(value):
            return "a whole number, or less than 1"
        return None if value >= 0 else "at least 0"
    if name in ("gpus", "gpus_per_rank"):
        return "a number"
    return None if isinstance(value, str | bool) else "a number or text"


def _span_of(rule: Rule, resource: str) -> Span:
    return next((entry.span for entry in rule.resources if entry.name == resource), rule.span)


def _whole(value: object, expr: Evaluable, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise fail("F508", f"{what} must be a whole number, not {_kind(value)}", expr.span)
    return int(value)


def _kind(value: object) -> str:
    return f"`{value}`" if isinstance(value, str | int | float | Quantity) else kind_of(value)
