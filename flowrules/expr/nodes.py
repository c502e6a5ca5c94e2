"""The compilers of all kinds of nodes but calls, names, strings and comprehensions, and the table of all of them.

Chains that the grammar nests to the left or right without brackets (`a + b + …`, `… if … else …`) become loops, so
their length is bounded by nothing but the meter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from flowrules.errors import FlowfileError, fail
from flowrules.expr.access import attribute, element, part
from flowrules.expr.calls import compile_call
from flowrules.expr.comparing import COMPARE, truth
from flowrules.expr.data import clip, gathered, items_of, kind_of
from flowrules.expr.literals import compile_string
from flowrules.expr.loops import compile_comprehension
from flowrules.expr.names import (
    UNAVAILABLE,
    compile_name,
    config_value,
    rule_files,
    unavailable,
    wildcard_value,
)
from flowrules.expr.operators import BINARY, Operator, negative, positive
from flowrules.expr.scope import NOTHING, Code, Context, Piece, constant
from flowrules.expr.world import NO_JOB, Meter, World
from flowrules.model.quantity import Quantity, QuantityError, parse_quantity
from flowrules.model.values import Unknown
from flowrules.span import Span
from flowrules.syntax import tree


def _constant(c: Context, node: tree.Constant) -> Piece:
    if isinstance(node.value, int) and node.value.bit_length() > 4096:
        return c.error("F120", "the number is too large (more than 4096 bits)", node.span)
    return constant(node.value)


def _quantity(c: Context, node: tree.QuantityLiteral) -> Piece:
    try:
        return constant(parse_quantity(node.text))
    except QuantityError as error:
        return c.error("F115", str(error), node.span)


def _strings(c: Context, node: tree.Strings) -> Piece:
    pieces = [c.piece(item) for item in node.items]
    first = node.items[0].span
    message = f"missing comma after `{clip(first.text(), 40)}`?"
    c.error("F135", message, first, "one long string is joined with `+`")
    return pieces[0]


def _list(c: Context, node: tree.ListDisplay | tree.TupleDisplay) -> Piece:
    """A list; `[*a, b]` spreads."""
    codes: list[Code] = []
    values: list[object] = []
    starred: list[Span | None] = []
    for item in node.items:
        star = isinstance(item, tree.Starred)
        piece = c.piece(item.value if isinstance(item, tree.Starred) else item)
        codes.append(piece.code)
        values.append(NOTHING if star else piece.constant)
        starred.append(item.span if star else None)
    c.cost += 4 + 2 * len(codes)
    if NOTHING not in set(map(_identity, values)):
        return constant(values)
    if not any(starred):

        def display(world: World, job: Mapping[str, object], frame: list[object]) -> object:
            return gathered([code(world, job, frame) for code in codes])

        return Piece(display)
    pairs = tuple(zip(codes, starred, strict=True))

    def spread(world: World, job: Mapping[str, object], frame: list[object]) -> object:
        out: list[object] = []
        for code, star in pairs:
            value = code(world, job, frame)
            if star is None or isinstance(value, Unknown):
                out.append(value)
            else:
                out.extend(spreadable(world, value, star))
        return gathered(out)

    return Piece(spread)


def _identity(value: object) -> object:
    return NOTHING if value is NOTHING else None


def spreadable(world: World, value: object, span: Span) -> Sequence[object]:
    """The elements of a value after `*`."""
    items = items_of(value)
    if items is None:
        raise fail("F114", f"`*` spreads a list, not {kind_of(value)}", span)
    world.meter.take(2 * len(items), span)
    return items


def _dict(c: Context, node: tree.DictDisplay) -> Piece:
    pairs = [(c.piece(key), c.piece(value), key.span) for key, value in node.items]
    c.cost += 6 + 8 * len(pairs)

    def display(world: World, job: Mapping[str, object], frame: list[object]) -> object:
        out: dict[object, object] = {}
        for key_code, value_code, span in codes:
            key = dict_key(key_code(world, job, frame), span)
            if isinstance(key, Unknown):
                return key
            out[key] = value_code(world, job, frame)
        return out

    codes = tuple((key.code, value.code, span) for key, value, span in pairs)
    return Piece(display)


def dict_key(value: object, span: Span) -> object:
    """A value that may be a key."""
    if isinstance(value, str | int | float | Unknown) or value is None:
        return value
    raise fail("F114", f"a key is text or a number, not {kind_of(value)}", span)


def _attribute(c: Context, node: tree.Attribute) -> Piece:
    """`x.name`; what begins with `config`, `wildcards` or `rules` is known by its whole path."""
    root, steps = _path(node)
    if isinstance(root, tree.Name) and root.id not in c.slots:
        special = _special_path(c, root.id, steps, node)
        if special is not None:
            return special
    code, name, span = c.code(node.value), node.name, node.name_span
    return Piece(lambda world, job, frame: attribute(code(world, job, frame), name, span))


def _path(node: tree.Expr) -> tuple[tree.Expr, list[str]]:
    """What a chain of attributes starts from, and their names."""
    steps: list[str] = []
    while isinstance(node, tree.Attribute):
        steps.append(node.name)
        node = node.value
    return node, steps[::-1]


def _special_path(c: Context, root: str, steps: list[str], node: tree.Attribute) -> Piece | None:
    if root == "config":
        return config_value(steps, node.span)
    if root == "wildcards" and root in c.scope.job_names and len(steps) == 1:
        return wildcard_value(c, steps[0], node.name_span)
    if root == "rules" and len(steps) == 2:
        return rule_files(c, steps[0], steps[1], node.span)
    if root == "rules" and len(steps) == 1:
        return c.error("F101", f"`rules.{steps[0]}` alone is no value", node.span, f"write `rules.{steps[0]}.output`")
    if root in UNAVAILABLE:
        return unavailable(c, root, node.span)
    if root in c.scope.modules:
        hint = f"call a function of it: `{root}.{steps[0]}(…)`"
        return c.error("F130", f"only functions of the imported module `{root}` can be used", node.span, hint)
    return None


def _index(c: Context, node: tree.Index) -> Piece:
    value, index, span = c.code(node.value), c.piece(node.index), node.span
    index_code = index.code
    return Piece(
        lambda world, job, frame: element(world, span, value(world, job, frame), index_code(world, job, frame))
    )


def _slice(c: Context, node: tree.Slice) -> Piece:
    nothing = constant(None).code
    value, span = c.code(node.value), node.span
    start, stop, step = (c.code(n) if n is not None else nothing for n in (node.start, node.stop, node.step))

    def cut(world: World, job: Mapping[str, object], frame: list[object]) -> object:
        whole = value(world, job, frame)
        bounds = (start(world, job, frame), stop(world, job, frame), step(world, job, frame))
        return part(world, span, whole, bounds)

    return Piece(cut)


def _unary(c: Context, node: tree.Unary) -> Piece:
    piece, span = c.piece(node.value), node.span
    code = piece.code
    if node.op == "not":

        def invert(world: World, job: Mapping[str, object], frame: list[object]) -> object:
            true = truth(code(world, job, frame))
            return true if isinstance(true, Unknown) else not true

        return Piece(invert)
    compute = negative if node.op == "-" else positive
    return _folded(Piece(lambda world, job, frame: compute(world, span, code(world, job, frame))), [piece])


def _binary(c: Context, node: tree.Binary) -> Piece:
    """A chain of operations from left to right, however long."""
    chain: list[tree.Binary] = []
    left: tree.Expr = node
    while isinstance(left, tree.Binary):
        chain.append(left)
        left = left.left
    first = c.piece(left)
    rights = [c.piece(step.right) for step in reversed(chain)]
    steps: list[tuple[Operator, Span, Code]] = []
    for step, right in zip(reversed(chain), rights, strict=True):
        steps.append((BINARY[step.op], step.span, right.code))
    c.cost += len(steps)
    first_code = first.code
    if len(steps) == 1:
        operator, span, right_code = steps[0]

        def once(world: World, job: Mapping[str, object], frame: list[object]) -> object:
            return operator(world, span, first_code(world, job, frame), right_code(world, job, frame))

        return _folded(Piece(once), [first, *rights])

    def run(world: World, job: Mapping[str, object], frame: list[object]) -> object:
        value = first_code(world, job, frame)
        for operator, span, right_code in steps:
            value = operator(world, span, value, right_code(world, job, frame))
        return value

    return _folded(Piece(run), [first, *rights])


def _folded(piece: Piece, parts: Sequence[Piece]) -> Piece:
    """The piece, or its value where all its parts are constants and computing it is cheap."""
    if not all(isinstance(p.constant, str | int | float | Quantity) for p in parts):
        return piece
    try:
        return constant(piece.code(World(_NO_FILES, meter=Meter(1000)), NO_JOB, []))
    except FlowfileError:  # told when it is evaluated: it may stand in a branch that is not taken
        return piece


class _NoFiles:
    """The reader of constant folding, which reads nothing."""

    def _refuse(self, path: object) -> Unknown:
        raise AssertionError("constants read no files")

    read = exists = size = glob = _refuse


_NO_FILES = _NoFiles()


def _bool(c: Context, node: tree.BoolOp) -> Piece:
    """`and` and `or`: the first value that settles it, as it is."""
    codes = tuple(c.code(value) for value in node.values)
    wanted = node.op == "or"
    last = codes[-1]

    def run(world: World, job: Mapping[str, object], frame: list[object]) -> object:
        for code in codes[:-1]:
            value = code(world, job, frame)
            true = truth(value)
            if isinstance(true, Unknown):
                return true
            if true is wanted:
                return value
        return last(world, job, frame)

    return Piece(run)


def _compare(c: Context, node: tree.Compare) -> Piece:
    _refuse_number(c, node)
    first = c.code(node.first)
    steps = [(COMPARE[op], c.code(right)) for op, right in node.rest]
    span = node.span
    c.cost += len(steps)
    if len(steps) == 1:
        operator, second = steps[0]
        return Piece(
            lambda world, job, frame: operator(world, span, first(world, job, frame), second(world, job, frame))
        )

    def run(world: World, job: Mapping[str, object], frame: list[object]) -> object:
        left = first(world, job, frame)
        for operator, code in steps:
            right = code(world, job, frame)
            result = operator(world, span, left, right)
            if result is not True:
                return result
            left = right
        return True

    return Piece(run)


def _refuse_number(c: Context, node: tree.Compare) -> None:
    """A wildcard compared with a number is a mistake that would only show as a plain no."""
    sides = [node.first, *(right for _, right in node.rest)]
    for (_, right), left in zip(node.rest, sides, strict=False):
        for wildcard, other in ((left, right), (right, left)):
            if _is_wildcard(wildcard) and _is_number(other):
                text = wildcard.span.text()
                hint = f"write `int({text})`, or quotes around the number"
                c.error("F114", f"`{text}` is text, which is never a number", node.span, hint)


def _is_wildcard(node: tree.Expr) -> bool:
    return isinstance(node, tree.Attribute) and isinstance(node.value, tree.Name) and node.value.id == "wildcards"


def _is_number(node: tree.Expr) -> bool:
    """Whether a node is a number, or a list of numbers."""
    if isinstance(node, tree.ListDisplay | tree.TupleDisplay):
        return bool(node.items) and all(isinstance(i, tree.Constant) and _is_number(i) for i in node.items)
    return isinstance(node, tree.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool)


def _conditional(c: Context, node: tree.Conditional) -> Piece:
    """`a if t else b if u else c`, as long as it may be."""
    branches: list[tuple[Code, Code]] = []
    rest: tree.Expr = node
    while isinstance(rest, tree.Conditional):
        branches.append((c.code(rest.test), c.code(rest.body)))
        rest = rest.orelse
    last = c.code(rest)
    c.cost += len(branches)

    def run(world: World, job: Mapping[str, object], frame: list[object]) -> object:
        for test, body in branches:
            true = truth(test(world, job, frame))
            if isinstance(true, Unknown):
                return true
            if true:
                return body(world, job, frame)
        return last(world, job, frame)

    return Piece(run)


HANDLERS: Final[Mapping[type, Callable[..., Piece]]] = {
    tree.Name: compile_name,
    tree.Constant: _constant,
    tree.QuantityLiteral: _quantity,
    tree.String: compile_string,
    tree.Strings: _strings,
    tree.ListDisplay: _list,
    tree.TupleDisplay: _list,
    tree.DictDisplay: _dict,
    tree.Attribute: _attribute,
    tree.Index: _index,
    tree.Slice: _slice,
    tree.Call: compile_call,
    tree.Unary: _unary,
    tree.Binary: _binary,
    tree.BoolOp: _bool,
    tree.Compare: _compare,
    tree.Conditional: _conditional,
    tree.Comprehension: compile_comprehension,
}
