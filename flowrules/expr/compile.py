"""A syntax tree turned, once, into closures that are evaluated many times.

All mistakes that can be seen without evaluating (names, wildcards, arguments) are found here, all of them at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flowrules.errors import Diagnostic, FlowfileError, fail
from flowrules.expr.nodes import HANDLERS
from flowrules.expr.scope import Code, Context, Function, Parameter, Piece, Scope
from flowrules.expr.world import World
from flowrules.span import Span
from flowrules.syntax import tree


class Compiled:
    """An expression ready to be evaluated (`flowrules.model.rule.Evaluable`)."""

    __slots__ = ("_code", "_cost", "_size", "per_job", "reads", "span", "uses", "wild")

    def __init__(self, code: Code, span: Span, c: Context) -> None:
        self._code = code
        self._size = c.size
        self._cost = c.cost
        self.span = span
        self.uses = frozenset(c.uses)
        self.per_job = c.per_job
        self.reads = c.reads
        self.wild = frozenset(c.wild)

    def __call__(self, world: object, local: Mapping[str, object]) -> object:
        """The value; see `Evaluable`."""
        assert isinstance(world, World)
        meter = world.meter
        meter.left -= self._cost
        if meter.left < 0:
            raise meter.spent(self.span)
        try:
            return self._code(world, local, [None] * self._size)
        except RecursionError:
            raise fail("F119", "this needs too many values that need one another in turn", self.span) from None

    def __repr__(self) -> str:
        return f"<Compiled {self.span}>"


def compile_expression(node: tree.Expr, scope: Scope) -> Compiled:
    """An expression at a place where the names of a scope exist.

    Raises:
        FlowfileError: it holds mistakes; every one that could be found is told.
    """
    c = Context(scope, _dispatch)
    piece = c.piece(node)
    if c.diagnostics:
        raise FlowfileError(_in_order(c.diagnostics))
    return Compiled(piece.code, node.span, c)


def compile_function(node: tree.LetFunction, scope: Scope) -> Function:
    """A `let f(a, b) = …`; it sees its arguments and the names of the scope.

    Raises:
        FlowfileError: it holds mistakes; every one that could be found is told.
    """
    c = Context(scope, _dispatch)
    defaults = [c.code(p.default) if p.default is not None else None for p in node.parameters]
    for parameter in node.parameters:
        if parameter.name in c.slots:
            c.error("F111", f"there are two arguments `{parameter.name}`", parameter.span)
        c.slot(parameter.name)
    body = c.code(node.value)
    if c.diagnostics:
        raise FlowfileError(_in_order(c.diagnostics))
    parameters = tuple(Parameter(p.name, d) for p, d in zip(node.parameters, defaults, strict=True))
    return Function(node.name, node.span, parameters, body, c.size, c.cost, frozenset(c.wild))


def _in_order(diagnostics: Sequence[Diagnostic]) -> list[Diagnostic]:
    """Each mistake once, in the order of the text."""
    return sorted(dict.fromkeys(diagnostics), key=lambda d: d.span.start if d.span else 0)


def _dispatch(c: Context, node: tree.Expr) -> Piece:
    return HANDLERS[type(node)](c, node)
