"""Makes the nodes of the tree: one method for each rule of the grammar, called with its children as it is seen.

Children are numbers of tokens or nodes already made; spans are offsets into the source.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isinf
from typing import Any, Final, TypeAlias, cast

from flowrules.errors import Diagnostic
from flowrules.model.quantity import QuantityError, parse_quantity
from flowrules.span import Source, Span
from flowrules.syntax import tree
from flowrules.syntax.tokens import Tokens
from flowrules.syntax.walk import deeper_than

MAX_DEPTH: Final = 200
"""How many expressions may be nested in each other; whoever goes through a tree may recurse."""

_LONGEST_NUMBER: Final = 100  # digits; more is never meant, and converting them is slow
_CONSTANTS: Final = {"TRUE": True, "FALSE": False, "NULL": None}

Children: TypeAlias = list[Any]


class Builder:
    """Makers of nodes for one source; what a maker finds wrong goes to ``report``."""

    def __init__(self, source: Source, tokens: Tokens, report: Callable[[Diagnostic], None]) -> None:
        self.source = source
        self.text = source.text
        self.kinds = tokens.kinds
        self.starts = tokens.starts
        self.ends = tokens.ends
        self.report = report

    def _word(self, token: int) -> str:
        return self.text[self.starts[token] : self.ends[token]]

    def _span(self, token: int) -> Span:
        return Span(self.source, self.starts[token], self.ends[token])

    # ── statements ───────────────────────────────────────────────────────────────────────────────────────────────

    def module(self, statements: Children, start: int, end: int) -> tuple[tree.Statement, ...]:
        return tuple(statement for statement in statements if statement is not None)

    def config(self, parts: Children, start: int, end: int) -> tree.Config:
        path, *options = parts
        schemas = [option for option in options if isinstance(option, tree.String)]
        flags = [option for option in options if isinstance(option, int)]
        for again in schemas[1:]:
            self._twice("schema", again.span)
        for flag in flags[1:]:
            self._twice("optional", self._span(flag))
        path = self.string([path], self.starts[path], self.ends[path])
        return tree.Config(Span(self.source, start, end), path, schemas[0] if schemas else None, bool(flags))

    def _twice(self, word: str, span: Span) -> None:
        self.report(Diagnostic("F012", f"`{word}` is given twice", span, "keep one"))

    def schema(self, parts: Children, start: int, end: int) -> tree.String:
        return self._string(parts[0])

    def include(self, parts: Children, start: int, end: int) -> tree.Include:
        return tree.Include(Span(self.source, start, end), self._string(parts[0]))

    def _shallow(self, node: Any, start: int, end: int) -> bool:  # noqa: ANN401
        """Whether a part of a statement is nested no deeper than allowed; reports it otherwise."""
        if end - start <= MAX_DEPTH or not deeper_than(node, MAX_DEPTH):
            return True
        message = f"this expression is nested more than {MAX_DEPTH} deep"
        hint = "name parts of it with `let`; long texts and sums are better lists"
        self.report(Diagnostic("F010", message, node.span, hint))
        return False

    def let(self, parts: Children, start: int, end: int) -> tree.Let | None:
        name, value = parts
        if not self._shallow(value, start, end):
            return None
        return tree.Let(Span(self.source, start, end), self._word(name), self._span(name), value)

    def let_function(self, parts: Children, start: int, end: int) -> tree.LetFunction | None:
        name, parameters, value = parts
        if not all(self._shallow(part, start, end) for part in (value, *parameters)):
            return None
        span = Span(self.source, start, end)
        return tree.LetFunction(span, self._word(name), self._span(name), parameters, value)

    def parameters(self, parts: Children, start: int, end: int) -> tuple[tree.Parameter, ...]:
        defaults = False
        for parameter in parts:
            if defaults and parameter.default is None:
                message = f"`{parameter.name}` has no default, but a parameter before it has one"
                self.report(Diagnostic("F012", message, parameter.span, "put parameters with a default last"))
            defaults = defaults or parameter.default is not None
        return tuple(parts)

    def parameter(self, parts: Children, start: int, end: int) -> tree.Parameter:
        default = parts[1] if len(parts) > 1 else None
        return tree.Parameter(Span(self.source, start, end), self._word(parts[0]), default)

    def import_(self, parts: Children, start: int, end: int) -> tree.Import:
        path, name = parts
        return tree.Import(Span(self.source, start, end), self._string(path), self._word(name), self._span(name))

    def min_version(self, parts: Children, start: int, end: int) -> tree.MinVersion:
        return tree.MinVersion(Span(self.source, start, end), self._string(parts[0]))

    def ruleorder(self, parts: Children, start: int, end: int) -> tree.RuleOrder:
        return tree.RuleOrder(Span(self.source, start, end), tuple(parts))

    def envvars(self, parts: Children, start: int, end: int) -> tree.EnvVars:
        return tree.EnvVars(Span(self.source, start, end), tuple(self._string(part) for part in parts))

    def on(self, parts: Children, start: int, end: int) -> tree.On:
        return tree.On(Span(self.source, start, end), parts[0], parts[1])

    def wildcards(self, parts: Children, start: int, end: int) -> tree.Wildcards:
        return tree.Wildcards(Span(self.source, start, end), parts[0])

    def rule(self, parts: Children, start: int, end: int) -> tree.Rule | None:
        kind, name, *body = parts
        if not self._word(name):  # its header was a mistake; nothing can refer to it
            return None
        doc = body.pop(0) if body and isinstance(body[0], tree.String) else None
        is_rule = self.kinds[kind] == "RULE"
        span = Span(self.source, start, end)
        word = self._word(name)
        return tree.Rule(span, "rule" if is_rule else "checkpoint", word, self._span(name), doc, tuple(body))

    def doc(self, parts: Children, start: int, end: int) -> tree.String:
        return self._string(parts[0])

    def directive(self, parts: Children, start: int, end: int) -> tree.Directive:
        name, items = parts
        return tree.Directive(Span(self.source, start, end), self._word(name), self._span(name), items)

    def run(self, parts: Children, start: int, end: int) -> tree.RunBlock:
        name, code = parts
        span = Span(self.source, start, end)
        return tree.RunBlock(span, self._span(name), self._word(code), self.starts[code])

    def if_(self, parts: Children, start: int, end: int) -> tree.If:
        test, body, *others = parts
        if not self._shallow(test, start, end):
            return tree.If(Span(self.source, start, end), tuple(others))
        return tree.If(Span(self.source, start, end), ((test, body), *others))

    def elif_(self, parts: Children, start: int, end: int) -> tuple[tree.Expr | None, tuple[tree.Statement, ...]]:
        return parts[0] if self._shallow(parts[0], start, end) else None, parts[1]

    def else_(self, parts: Children, start: int, end: int) -> tuple[None, tuple[tree.Statement, ...]]:
        return None, parts[0]

    def suite(self, parts: Children, start: int, end: int) -> tuple[tree.Statement, ...]:
        return self.module(parts, start, end)

    def items(self, parts: Children, start: int, end: int) -> tuple[tree.Item, ...]:
        return tuple(item for item in parts if self._shallow(item, start, end))

    def positional_item(self, parts: Children, start: int, end: int) -> tree.Item:
        return tree.Item(Span(self.source, start, end), None, None, parts[0])

    def named_item(self, parts: Children, start: int, end: int) -> tree.Item:
        name, value = parts
        return tree.Item(Span(self.source, start, end), self._word(name), self._span(name), value)

    def star_item(self, parts: Children, start: int, end: int) -> tree.Item:
        star, value = parts
        return tree.Item(Span(self.source, start, end), None, None, value, 1 if self.kinds[star] == "STAR" else 2)

    # ── expressions ──────────────────────────────────────────────────────────────────────────────────────────────

    def expression(self, parts: Children, start: int, end: int) -> tree.Expr:
        self._shallow(parts[0], start, end)
        return cast(tree.Expr, parts[0])

    def conditional(self, parts: Children, start: int, end: int) -> tree.Conditional:
        return tree.Conditional(Span(self.source, start, end), parts[0], parts[1], parts[2])

    def or_(self, parts: Children, start: int, end: int) -> tree.BoolOp:
        return tree.BoolOp(Span(self.source, start, end), "or", tuple(parts))

    def and_(self, parts: Children, start: int, end: int) -> tree.BoolOp:
        return tree.BoolOp(Span(self.source, start, end), "and", tuple(parts))

    def unary(self, parts: Children, start: int, end: int) -> tree.Unary:
        op: Any = self._word(parts[0])
        return tree.Unary(Span(self.source, start, end), op, parts[1])

    def compare(self, parts: Children, start: int, end: int) -> tree.Compare:
        first, *rest = parts
        return tree.Compare(Span(self.source, start, end), first, tuple(zip(rest[::2], rest[1::2], strict=True)))

    def comparator(self, parts: Children, start: int, end: int) -> str:
        return " ".join(self._word(part) for part in parts)

    def binary(self, parts: Children, start: int, end: int) -> tree.Binary:
        left, op, right = parts
        sign: Any = self._word(op)
        return tree.Binary(Span(self.source, start, end), sign, left, right)

    def attribute(self, parts: Children, start: int, end: int) -> tree.Attribute:
        value, name = parts
        return tree.Attribute(Span(self.source, start, end), value, self._word(name), self._span(name))

    def index(self, parts: Children, start: int, end: int) -> tree.Index:
        return tree.Index(Span(self.source, start, end), parts[0], parts[1])

    def sliced(self, parts: Children, start: int, end: int) -> tree.Slice:
        value, bounds = parts
        return tree.Slice(Span(self.source, start, end), value, *bounds)

    def slice_(self, parts: Children, start: int, end: int) -> Children:
        return [*parts, None] if len(parts) == 2 else parts

    def bound(self, parts: Children, start: int, end: int) -> tree.Expr | None:
        return parts[0] if parts else None

    def call(self, parts: Children, start: int, end: int) -> tree.Call:
        return tree.Call(Span(self.source, start, end), parts[0], parts[1])

    def arguments(self, parts: Children, start: int, end: int) -> tuple[tree.Argument, ...]:
        return tuple(parts)

    def generator_argument(self, parts: Children, start: int, end: int) -> tuple[tree.Argument, ...]:
        value = self.generator(parts, start, end)
        return (tree.Argument(value.span, None, value),)

    def positional_argument(self, parts: Children, start: int, end: int) -> tree.Argument:
        return tree.Argument(Span(self.source, start, end), None, parts[0])

    def named_argument(self, parts: Children, start: int, end: int) -> tree.Argument:
        return tree.Argument(Span(self.source, start, end), self._word(parts[0]), parts[1])

    def star_argument(self, parts: Children, start: int, end: int) -> tree.Argument:
        star, value = parts
        return tree.Argument(Span(self.source, start, end), None, value, 1 if self.kinds[star] == "STAR" else 2)

    def number(self, parts: Children, start: int, end: int) -> tree.Constant:
        span = Span(self.source, start, end)
        text = self.text[start:end].replace("_", "")
        if len(text) > _LONGEST_NUMBER:
            self._bad_number(span, f"this number has more than {_LONGEST_NUMBER} digits")
            return tree.Constant(span, 0)
        value = int(text) if text.isdigit() else float(text)
        if isinf(value):
            self._bad_number(span, f"`{text}` is too large a number")
        return tree.Constant(span, value)

    def _bad_number(self, span: Span, message: str) -> None:
        self.report(Diagnostic("F011", message, span))

    def quantity(self, parts: Children, start: int, end: int) -> tree.QuantityLiteral:
        node = tree.QuantityLiteral(Span(self.source, start, end), self.text[start:end])
        try:
            parse_quantity(node.text)
        except QuantityError as error:
            self.report(Diagnostic("F011", str(error), node.span))
        return node

    def constant(self, parts: Children, start: int, end: int) -> tree.Constant:
        return tree.Constant(Span(self.source, start, end), _CONSTANTS[self.kinds[parts[0]]])

    def strings(self, parts: Children, start: int, end: int) -> tree.Strings:
        return tree.Strings(Span(self.source, start, end), tuple(parts))

    def tuple_display(self, parts: Children, start: int, end: int) -> tree.TupleDisplay:
        return tree.TupleDisplay(Span(self.source, start, end), tuple(parts))

    def list_display(self, parts: Children, start: int, end: int) -> tree.ListDisplay:
        return tree.ListDisplay(Span(self.source, start, end), tuple(parts))

    def dict_display(self, parts: Children, start: int, end: int) -> tree.DictDisplay:
        return tree.DictDisplay(Span(self.source, start, end), tuple(parts))

    def pair(self, parts: Children, start: int, end: int) -> tuple[tree.Expr, tree.Expr]:
        return parts[0], parts[1]

    def generator(self, parts: Children, start: int, end: int) -> tree.Comprehension:
        element, *clauses = parts
        return tree.Comprehension(Span(self.source, start, end), "generator", element, None, tuple(clauses))

    def list_comprehension(self, parts: Children, start: int, end: int) -> tree.Comprehension:
        element, *clauses = parts
        return tree.Comprehension(Span(self.source, start, end), "list", element, None, tuple(clauses))

    def dict_comprehension(self, parts: Children, start: int, end: int) -> tree.Comprehension:
        key, value, *clauses = parts
        return tree.Comprehension(Span(self.source, start, end), "dict", key, value, tuple(clauses))

    def clause(self, parts: Children, start: int, end: int) -> tree.For:
        targets = tuple(self.name([part], 0, 0) for part in parts if isinstance(part, int))
        source, *tests = parts[len(targets) :]
        return tree.For(Span(self.source, start, end), targets, source, tuple(tests))

    def starred(self, parts: Children, start: int, end: int) -> tree.Starred:
        return tree.Starred(Span(self.source, start, end), parts[1])

    def name(self, parts: Children, start: int, end: int) -> tree.Name:
        span = self._span(parts[0])
        return tree.Name(span, span.text())

    def string(self, parts: Children, start: int, end: int) -> tree.String:
        return self._string(parts[0])

    def _string(self, token: int) -> tree.String:
        return read_string(self._span(token))


def read_string(span: Span) -> tree.String:
    """The node of a string literal that is all of a span."""
    text = span.text()
    sign = text[-1]
    opening = text.index(sign)
    quotes = 3 if text.startswith(sign * 3, opening) and len(text) >= opening + 6 else 1
    return tree.String(span, text[:opening].lower(), sign * quotes, text[opening + quotes : -quotes])
