"""Goes through trees of any depth without recursion: what hangs below a node, how deep it is, whether two are equal."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import dedent
from typing import Any

from flowrules.syntax import tree
from flowrules.syntax.strings import decode

# Nodes that only hold an expression at its place; they do not count as a level of their own.
_HOLDERS = (tree.Argument, tree.Item, tree.For)


_PLACES = frozenset({"span", "name_span", "code_start"})


def _parts(node: Any) -> list[str]:  # noqa: ANN401
    """The attributes of a node that say what was written, not where."""
    return [name for name in node.__dataclass_fields__ if name not in _PLACES]


def children(node: object) -> Iterator[object]:
    """The nodes right below a node, in the order in which they were written; tuples are looked through."""
    ahead = [getattr(node, name) for name in reversed(_parts(node))]
    while ahead:
        part = ahead.pop()
        if isinstance(part, tuple):
            ahead.extend(reversed(part))
        elif hasattr(part, "__dataclass_fields__"):
            yield part


def deeper_than(node: object, limit: int) -> bool:
    """Whether more than ``limit`` expressions are nested in each other."""
    ahead = [(node, 1)]
    while ahead:
        part, depth = ahead.pop()
        if depth > limit:
            return True
        below = depth if isinstance(part, _HOLDERS) else depth + 1
        ahead.extend((child, below) for child in children(part))
    return False


def trees_equal(one: object, other: object) -> bool:
    """Whether two nodes, or tuples of nodes, stand for the same text, wherever it was written.

    Comments are not looked at, nor how far `run:` text and triple-quoted strings are indented as a whole.
    """
    ahead: list[tuple[Any, Any]] = [(one, other)]
    while ahead:
        left, right = ahead.pop()
        if type(left) is not type(right):
            return False
        if isinstance(left, tuple):
            if len(left) != len(right):
                return False
            ahead.extend(zip(left, right, strict=True))
        elif isinstance(left, tree.Module):
            ahead.append((left.statements, right.statements))
        elif isinstance(left, tree.RunBlock):
            if dedent(left.code) != dedent(right.code):
                return False
        elif isinstance(left, tree.String):
            if not _same_text(left, right):
                return False
        elif hasattr(left, "__dataclass_fields__"):
            ahead.extend((getattr(left, name), getattr(right, name)) for name in _parts(left))
        elif left != right:
            return False
    return True


def _same_text(left: tree.String, right: tree.String) -> bool:
    if left.prefix != right.prefix or left.quote != right.quote:
        return False
    return left.body == right.body or all(
        decode(left, shell=shell).value == decode(right, shell=shell).value for shell in (False, True)
    )
