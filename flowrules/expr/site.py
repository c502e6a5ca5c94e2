"""A place where a function is called, as its implementation sees it, and the table entry of a built-in function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from flowrules.errors import FlowfileError, fail
from flowrules.expr.data import items_of, kind_of
from flowrules.span import Span


@dataclass(frozen=True, slots=True)
class Site:
    """A call: its span, the name of the function, and the spans of its arguments."""

    span: Span
    name: str
    positional: tuple[Span, ...] = ()
    named: Mapping[str, Span] = field(default_factory=dict)

    def at(self, index: int) -> Span:
        """The span of a positional argument; of the call where it was not written so."""
        return self.positional[index] if index < len(self.positional) else self.span

    def fail(self, code: str, message: str, hint: str | None = None, index: int | None = None) -> FlowfileError:
        """An error in this call, or in one of its arguments."""
        return fail(code, message, self.span if index is None else self.at(index), hint)

    def misfit(self, wanted: str, value: object, index: int = 0, hint: str | None = None) -> FlowfileError:
        """The error for an argument of the wrong kind."""
        return self.fail("F108", f"`{self.name}` takes {wanted}, not {kind_of(value)}", hint, index)

    def items(self, value: object, index: int = 0) -> list[object]:
        """The elements of an argument that is a list."""
        items = items_of(value)
        if items is None:
            raise self.misfit("a list", value, index)
        return items if isinstance(items, list) else list(items)

    def text(self, value: object, index: int = 0) -> str:
        """An argument that is text."""
        if isinstance(value, str):
            return value
        raise self.misfit("text", value, index)

    def whole(self, value: object, index: int = 0) -> int:
        """An argument that is a whole number."""
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        hint = "turn text into a number: `int(…)`" if isinstance(value, str) else None
        raise self.misfit("a whole number", value, index, hint)


@dataclass(frozen=True, slots=True)
class Builtin:
    """A built-in function or method.

    Attributes:
        run: called with world, site, positional and named arguments; its optional parameters have defaults.
        usage: how a message shows it: `join(list, sep)`.
        names: its parameters; those from ``least`` on may be left out.
        many: the last positional parameter may be given any number of times.
        columns: any named arguments are taken (`lookup(table, column=value)`).
        waits: which unknown arguments make the result unknown without a call: those that are unknown themselves
            and lists that are still open (``any``), only the former (``whole``), none (``never``).
    """

    run: Callable[..., object]
    usage: str
    names: tuple[str, ...]
    least: int
    many: bool = False
    columns: bool = False
    waits: Literal["any", "whole", "never"] = "any"

    def mistake(self, count: int, named: tuple[str, ...]) -> str | None:
        """What is wrong with so many positional and these named arguments, or None."""
        if count > len(self.names) and not self.many:
            return f"takes at most {len(self.names)} argument{'s' if len(self.names) != 1 else ''}"
        for name in named:
            if self.columns and name not in self.names:
                continue
            if name not in self.names or self.many:
                return f"has no argument `{name}`"
            if self.names.index(name) < count:
                return f"is given `{name}` twice"
        given = {*self.names[:count], *named}
        lacking = [name for name in self.names[: self.least] if name not in given]
        return f"lacks `{lacking[0]}`" if lacking else None
