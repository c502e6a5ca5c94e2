"""What names exist at the place where an expression stands, and what compiling one has found out so far."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

from flowrules.errors import Diagnostic, FlowfileError, Related, fail
from flowrules.expr.world import NO_JOB, World
from flowrules.model.rule import Output
from flowrules.span import Span
from flowrules.syntax import tree

Code: TypeAlias = Callable[[World, Mapping[str, object], list[object]], object]
"""A compiled node: world, a job's names, and the frame of function arguments and loop variables."""

MAX_NESTING: Final = 160
NOTHING: Final = object()


class Piece:
    """A compiled node; ``constant`` is its value where that is known without a world, else NOTHING."""

    __slots__ = ("code", "constant")

    def __init__(self, code: Code, constant: object = NOTHING) -> None:
        self.code = code
        self.constant = constant


def constant(value: object) -> Piece:
    """A node whose value is known."""
    return Piece(lambda world, job, frame: value, value)


class Parameter(NamedTuple):
    """One argument of a `let` function; ``default`` None where it must be given."""

    name: str
    default: Code | None


@dataclass(eq=False, slots=True)
class Function:
    """A compiled `let f(a, b) = …`.

    Attributes:
        size: slots of its frame: arguments, then loop variables.
        cost: steps of one call without the loops in it.
        wild: names of wildcards its value may hold.
    """

    name: str
    span: Span
    parameters: tuple[Parameter, ...]
    body: Code
    size: int
    cost: int
    wild: frozenset[str] = frozenset()

    def call(self, world: World, span: Span, arguments: list[object]) -> object:
        """Its value for arguments in the order of ``parameters``; NOTHING stands for one that was not given."""
        world.meter.take(6 + self.cost, span)
        frame = arguments + [None] * (self.size - len(arguments))
        try:
            for i, parameter in enumerate(self.parameters):
                if arguments[i] is NOTHING and parameter.default is not None:
                    frame[i] = parameter.default(world, NO_JOB, frame)
            return self.body(world, NO_JOB, frame)
        except FlowfileError as error:
            raise _called(error, self.name, span) from None


def _called(error: FlowfileError, name: str, span: Span) -> FlowfileError:
    """The error with the place that called the function, unless it already tells of several."""
    first = error.diagnostics[0]
    if len(first.related) >= 4 or type(error) is not FlowfileError:
        return error
    related = (*first.related, Related(f"in the call of `{name}`", span))
    told = Diagnostic(first.code, first.message, first.span, first.hint, related, first.chain, first.severity)
    return FlowfileError([told, *error.diagnostics[1:]])


@dataclass(frozen=True)
class Scope:
    """The names an expression may use.

    Attributes:
        lets: every constant of the workflow with its tree, above or below the expression.
        functions: `let` functions that stand above it; ``later`` names those below it.
        modules: imported Python modules, each with the names of its public functions (None: not known).
        job_names: those of `JOB_NAMES` that are known here.
        wildcards: those an output of the rule binds; None where any name in braces is a wildcard of its own (`let`).
        here: the folder of the Flowfile, for `HERE`.
        raw: strings are taken as they are written, without placeholders (regular expressions).
        place: what is compiled, as a message calls it: `output`, `let`, …
        wild: kept by `names.wildcards_of_let`; one mapping for all scopes of a workflow.
        rule_files: the files of another rule by its name and `output`, `log` or `benchmark`; None for an unknown rule.
    """

    lets: Mapping[str, tree.Expr] = field(default_factory=dict)
    functions: Mapping[str, Function] = field(default_factory=dict)
    modules: Mapping[str, Collection[str] | None] = field(default_factory=dict)
    job_names: frozenset[str] = frozenset()
    wildcards: frozenset[str] | None = None
    here: str = "."
    raw: bool = False
    place: str = ""
    rule_files: Callable[[str, str], Sequence[Output] | None] | None = None
    rule_names: Collection[str] = ()
    later: Collection[str] = ()
    wild: dict[str, frozenset[str]] = field(default_factory=dict)


class Context:
    """The state of compiling one expression: its scope, loop variables, and what was found.

    Attributes:
        slots: local names with their place in the frame.
        expanding: names that an enclosing `expand` fills in.
        free: wildcards that nothing binds are allowed here (the argument of `glob`).
        reads: it may read files: it calls a function that does, or names a constant or function of the author's.
        wild: names of wildcards the value may hold.
        cost: nodes compiled so far, those in loops and functions apart.
    """

    def __init__(self, scope: Scope, dispatch: Callable[[Context, tree.Expr], Piece]) -> None:
        self.scope = scope
        self.diagnostics: list[Diagnostic] = []
        self.uses: set[str] = set()
        self.per_job = False
        self.reads = False
        self.slots: dict[str, int] = {}
        self.size = 0
        self.expanding: frozenset[str] = frozenset()
        self.free = False
        self.wild: set[str] = set()
        self.cost = 0
        self._depth = 0
        self._dispatch = dispatch

    def piece(self, node: tree.Expr) -> Piece:
        """The node compiled; where it holds a mistake, that is reported and a stand-in returned."""
        if self._depth >= MAX_NESTING:
            return self.error("F119", "the expression nests too deeply", node.span, "name parts of it with `let`")
        self._depth += 1
        self.cost += 1
        try:
            return self._dispatch(self, node)
        finally:
            self._depth -= 1

    def code(self, node: tree.Expr) -> Code:
        return self.piece(node).code

    def error(self, code: str, message: str, span: Span, hint: str | None = None) -> Piece:
        """Report a mistake; the stand-in may be used like any piece."""
        self.diagnostics.append(Diagnostic(code, message, span, hint))

        def stand_in(world: World, job: Mapping[str, object], frame: list[object]) -> object:
            raise fail(code, message, span, hint)

        return Piece(stand_in)

    def slot(self, name: str) -> int:
        """A new place in the frame for a local name."""
        self.slots[name] = self.size
        self.size += 1
        return self.size - 1
