"""A rule after its names are resolved and its defaults applied; values that depend on the job are still expressions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

from flowrules.model.pattern import Pattern
from flowrules.model.values import NO_FLAGS, Flags
from flowrules.span import Span

JOB_NAMES = frozenset(
    {"wildcards", "input", "output", "log", "benchmark", "threads", "resources", "params", "attempt", "rule"}
)
"""Names an expression can use only where a job is known."""


class Evaluable(Protocol):
    """A compiled expression (made by `flowrules.expr.compile`).

    Attributes:
        span: where it was written.
        uses: which of `JOB_NAMES` it needs.
        per_job: whether its value belongs to a job: it uses a job's names, or reads a file whose path has wildcards.
        reads: whether it may read files.
    """

    @property
    def span(self) -> Span: ...
    @property
    def uses(self) -> frozenset[str]: ...
    @property
    def per_job(self) -> bool: ...
    @property
    def reads(self) -> bool: ...
    def __call__(self, world: object, local: Mapping[str, object]) -> object:
        """The value in a world (`flowrules.expr.world.World`) for a job's names.

        Raises:
            FlowfileError: the expression cannot be computed, or the world's budget is spent.
        """


@dataclass(frozen=True, slots=True)
class Entry:
    """One item of `input`, `params` or `resources`: `value`, `name = value`, `*value` or `**value` (star 2)."""

    name: str | None
    value: Evaluable
    span: Span
    star: Literal[0, 1, 2] = 0


@dataclass(frozen=True, slots=True)
class Output:
    """One output, log or benchmark file of a rule, known at load. ``path`` is text where it has no wildcards.

    A named list in the rule gives several Outputs with one name.
    """

    path: Pattern | str
    span: Span
    name: str | None = None
    flags: Flags = NO_FLAGS


@dataclass(frozen=True, slots=True)
class ShellAction:
    """Command text; ``template`` is a `flowrules.expr.shell.ShellTemplate`, ``code`` what a change is judged by."""

    template: ShellText
    code: str
    span: Span
    kind: Literal["shell"] = "shell"


class ShellText(Protocol):
    """Shell text with placeholders (made by `flowrules.expr.shell.parse_shell`).

    Attributes:
        awaits: constants in it that need a file which some rule makes, so they have no value yet at load.
    """

    @property
    def span(self) -> Span: ...
    @property
    def awaits(self) -> tuple[str, ...]: ...
    def render(self, values: Mapping[str, object]) -> str:
        """The command for a job; ``values`` hold input, output, params, wildcards, … and each wildcard by its name.

        Raises:
            FlowfileError: a value cannot be put where the placeholder stands.
        """


@dataclass(frozen=True, slots=True)
class ScriptAction:
    """`script`: a .py, .R, .jl or .sh file; ``path`` is relative to the working directory (or absolute)."""

    path: str
    span: Span
    kind: Literal["script"] = "script"


@dataclass(frozen=True, slots=True)
class RunAction:
    """`run:` with dedented Python text; ``code`` is the same without comments and layout, by which changes are judged.

    ``first_line`` is the line of the Flowfile at which ``text`` starts, for tracebacks.
    """

    text: str
    code: str
    file: str
    first_line: int
    span: Span
    kind: Literal["run"] = "run"


@dataclass(frozen=True, slots=True)
class CallAction:
    """`call: "lib/chem.py:relax"` (``path`` set) or `"package.module:function"` (``module`` set)."""

    path: str | None
    module: str | None
    function: str
    span: Span
    kind: Literal["call"] = "call"


@dataclass(frozen=True, slots=True)
class TemplateAction:
    """`template`: renders a Jinja2 file to the one output."""

    path: str
    span: Span
    kind: Literal["template"] = "template"


Action: TypeAlias = ShellAction | ScriptAction | RunAction | CallAction | TemplateAction


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule or checkpoint.

    Attributes:
        index: position in the workflow, for order and as a compact id.
        wildcards: names of its wildcards, in order of first appearance in its outputs.
        constraints: regular expressions for wildcards, the workflow's and its own merged (own goes first).
        choices: for wildcards constrained by a list, the allowed values.
        threads, retries, priority: expressions; None where the author gave none (1, the run's default, 0).
        local: runs beside the driver also with a batch profile.
        is_default: `default: true` was given.
    """

    name: str
    index: int
    span: Span
    checkpoint: bool = False
    doc: str | None = None
    wildcards: tuple[str, ...] = ()
    constraints: Mapping[str, str] = field(default_factory=dict)
    choices: Mapping[str, frozenset[str]] = field(default_factory=dict)
    outputs: tuple[Output, ...] = ()
    logs: tuple[Output, ...] = ()
    benchmarks: tuple[Output, ...] = ()
    inputs: tuple[Entry, ...] = ()
    params: tuple[Entry, ...] = ()
    resources: tuple[Entry, ...] = ()
    threads: Evaluable | None = None
    retries: Evaluable | None = None
    priority: Evaluable | None = None
    env: tuple[Entry, ...] = ()
    group: str | None = None
    local: bool = False
    is_default: bool = False
    message: ShellText | None = None
    shell: str | None = None
    action: Action | None = None
    fresh: bool = False
