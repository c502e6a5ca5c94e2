"""The typed syntax tree of a Flowfile: what was written, where, and nothing about what it means.

Nodes hold spans, not values: a string is kept as its raw body and decoded by `flowrules.syntax.strings`, because
how it is decoded depends on the directive it stands in. Comparison and `repr` are not generated for each of the many
classes, which would take 8 ms of every start of the program.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from flowrules.span import Span


class Node:
    """What all nodes share: they are told apart by identity (`flowrules.syntax.walk.trees_equal` compares content)."""

    __slots__ = ()

    def __repr__(self) -> str:
        names = [name for name in self.__match_args__ if "span" not in name]  # type: ignore[attr-defined]
        return f"{type(self).__name__}({', '.join(repr(getattr(self, name)) for name in names)})"


# ── expressions ──────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(slots=True, eq=False, repr=False)
class Name(Node):
    span: Span
    id: str


@dataclass(slots=True, eq=False, repr=False)
class Constant(Node):
    """A number, `true`, `false` or `null`."""

    span: Span
    value: int | float | bool | None


@dataclass(slots=True, eq=False, repr=False)
class QuantityLiteral(Node):
    """A number with units as written, such as `16GB` or `1h30m`."""

    span: Span
    text: str


@dataclass(slots=True, eq=False, repr=False)
class String(Node):
    """One string literal.

    Attributes:
        prefix: lower-case prefix letters, a subset of ``r`` and ``f``.
        quote: one of `"`, `'`, and the two triple quotes.
        body: the text between the quotes, exactly as written; it starts at ``span.start + len(prefix) + len(quote)``.
    """

    span: Span
    prefix: str
    quote: str
    body: str

    @property
    def body_start(self) -> int:
        return self.span.start + len(self.prefix) + len(self.quote)


@dataclass(slots=True, eq=False, repr=False)
class Strings(Node):
    """Two or more adjacent string literals; allowed only in `shell` and `message`."""

    span: Span
    items: tuple[String, ...]


@dataclass(slots=True, eq=False, repr=False)
class ListDisplay(Node):
    span: Span
    items: tuple[Expr | Starred, ...]


@dataclass(slots=True, eq=False, repr=False)
class TupleDisplay(Node):
    span: Span
    items: tuple[Expr | Starred, ...]


@dataclass(slots=True, eq=False, repr=False)
class DictDisplay(Node):
    span: Span
    items: tuple[tuple[Expr, Expr], ...]


@dataclass(slots=True, eq=False, repr=False)
class Starred(Node):
    """`*value` in a list or a call."""

    span: Span
    value: Expr


@dataclass(slots=True, eq=False, repr=False)
class Attribute(Node):
    span: Span
    value: Expr
    name: str
    name_span: Span


@dataclass(slots=True, eq=False, repr=False)
class Index(Node):
    span: Span
    value: Expr
    index: Expr


@dataclass(slots=True, eq=False, repr=False)
class Slice(Node):
    span: Span
    value: Expr
    start: Expr | None
    stop: Expr | None
    step: Expr | None


@dataclass(slots=True, eq=False, repr=False)
class Argument(Node):
    """One argument of a call: positional (``name`` None), named, `*value` (``star`` 1) or `**value` (``star`` 2)."""

    span: Span
    name: str | None
    value: Expr
    star: Literal[0, 1, 2] = 0


@dataclass(slots=True, eq=False, repr=False)
class Call(Node):
    span: Span
    function: Expr
    arguments: tuple[Argument, ...]


@dataclass(slots=True, eq=False, repr=False)
class Unary(Node):
    span: Span
    op: Literal["-", "+", "not"]
    value: Expr


@dataclass(slots=True, eq=False, repr=False)
class Binary(Node):
    span: Span
    op: Literal["+", "-", "*", "/", "//", "%", "**"]
    left: Expr
    right: Expr


@dataclass(slots=True, eq=False, repr=False)
class BoolOp(Node):
    span: Span
    op: Literal["and", "or"]
    values: tuple[Expr, ...]


@dataclass(slots=True, eq=False, repr=False)
class Compare(Node):
    """A chain such as `a < b <= c`; ops are `< > <= >= == != in` and `not in`."""

    span: Span
    first: Expr
    rest: tuple[tuple[str, Expr], ...]


@dataclass(slots=True, eq=False, repr=False)
class Conditional(Node):
    """`body if test else orelse`."""

    span: Span
    body: Expr
    test: Expr
    orelse: Expr


@dataclass(slots=True, eq=False, repr=False)
class For(Node):
    """One `for a, b in source if t1 if t2` of a comprehension."""

    span: Span
    targets: tuple[Name, ...]
    source: Expr
    tests: tuple[Expr, ...]


@dataclass(slots=True, eq=False, repr=False)
class Comprehension(Node):
    """A list, dict or generator comprehension; ``value`` is set for dicts only."""

    span: Span
    kind: Literal["list", "dict", "generator"]
    element: Expr
    value: Expr | None
    clauses: tuple[For, ...]


Expr: TypeAlias = (
    Name
    | Constant
    | QuantityLiteral
    | String
    | Strings
    | ListDisplay
    | TupleDisplay
    | DictDisplay
    | Attribute
    | Index
    | Slice
    | Call
    | Unary
    | Binary
    | BoolOp
    | Compare
    | Conditional
    | Comprehension
)

# ── statements ───────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(slots=True, eq=False, repr=False)
class Item(Node):
    """One item of a directive: `value`, `name = value`, `*value` (star 1) or `**value` (star 2)."""

    span: Span
    name: str | None
    name_span: Span | None
    value: Expr
    star: Literal[0, 1, 2] = 0


@dataclass(slots=True, eq=False, repr=False)
class Directive(Node):
    """`name: items` in a rule. ``span`` covers it all, ``name_span`` its name."""

    span: Span
    name: str
    name_span: Span
    items: tuple[Item, ...]


@dataclass(slots=True, eq=False, repr=False)
class RunBlock(Node):
    """`run:` with its indented Python text; ``code`` is the block as written, ``code_start`` its offset."""

    span: Span
    name_span: Span
    code: str
    code_start: int


@dataclass(slots=True, eq=False, repr=False)
class Rule(Node):
    span: Span
    kind: Literal["rule", "checkpoint"]
    name: str
    name_span: Span
    doc: String | None
    directives: tuple[Directive | RunBlock, ...]


@dataclass(slots=True, eq=False, repr=False)
class Config(Node):
    span: Span
    path: String
    schema: String | None
    optional: bool


@dataclass(slots=True, eq=False, repr=False)
class Include(Node):
    span: Span
    path: String


@dataclass(slots=True, eq=False, repr=False)
class Let(Node):
    span: Span
    name: str
    name_span: Span
    value: Expr


@dataclass(slots=True, eq=False, repr=False)
class Parameter(Node):
    span: Span
    name: str
    default: Expr | None


@dataclass(slots=True, eq=False, repr=False)
class LetFunction(Node):
    span: Span
    name: str
    name_span: Span
    parameters: tuple[Parameter, ...]
    value: Expr


@dataclass(slots=True, eq=False, repr=False)
class Import(Node):
    span: Span
    path: String
    name: str
    name_span: Span


@dataclass(slots=True, eq=False, repr=False)
class MinVersion(Node):
    span: Span
    version: String


@dataclass(slots=True, eq=False, repr=False)
class RuleOrder(Node):
    span: Span
    names: tuple[Name, ...]


@dataclass(slots=True, eq=False, repr=False)
class EnvVars(Node):
    span: Span
    names: tuple[String, ...]


@dataclass(slots=True, eq=False, repr=False)
class On(Node):
    """`on start|success|error: text`."""

    span: Span
    event: Name
    items: tuple[Item, ...]


@dataclass(slots=True, eq=False, repr=False)
class Wildcards(Node):
    span: Span
    items: tuple[Item, ...]


@dataclass(slots=True, eq=False, repr=False)
class If(Node):
    """`if … elif … else`: branches in order; a test of None is the `else`."""

    span: Span
    branches: tuple[tuple[Expr | None, tuple[Statement, ...]], ...]


Statement: TypeAlias = (
    Rule | Config | Include | Let | LetFunction | Import | MinVersion | RuleOrder | EnvVars | On | Wildcards | If
)


@dataclass(slots=True, eq=False, repr=False)
class Comment(Node):
    """A comment with its `#`; kept beside the tree for the formatter."""

    span: Span
    text: str


@dataclass(slots=True, eq=False, repr=False)
class Module(Node):
    """A parsed Flowfile: the statements that could be read, in order, and every comment."""

    span: Span
    statements: tuple[Statement, ...]
    comments: tuple[Comment, ...]
