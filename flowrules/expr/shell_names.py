"""What a shell text may name: the sections of its rule, wildcards, constants and the configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from flowrules.span import Span

FILES: Final = ("input", "output", "log", "benchmark")
SECTIONS: Final = (*FILES, "params", "resources")
JOB_WORDS: Final = ("threads", "attempt", "rule", "mpirun")


class ShellSource(Protocol):
    """Decoded text that knows where each part of it was written (`flowrules.syntax.strings.Text`)."""

    @property
    def value(self) -> str: ...
    def span(self, start: int, end: int) -> Span:
        """Where the characters ``[start, end)`` of the value were written."""


class JoinedText:
    """Several adjacent strings as one text."""

    def __init__(self, parts: Sequence[ShellSource]) -> None:
        self._parts = tuple(parts)
        self._starts = [0]
        for part in parts:
            self._starts.append(self._starts[-1] + len(part.value))
        self.value = "".join(part.value for part in parts)

    def span(self, start: int, end: int) -> Span:
        """Where the characters were written; from the first to the last where they lie in several strings."""
        first = self._part_at(start)
        last = max(first, self._part_at(end - 1))
        begin = self._starts[first]
        head = self._parts[first].span(start - begin, min(end, self._starts[first + 1]) - begin)
        if first == last:
            return head
        begin = self._starts[last]
        return head.to(self._parts[last].span(max(start - begin, 0), end - begin))

    def _part_at(self, offset: int) -> int:
        for i in range(len(self._parts) - 1):
            if offset < self._starts[i + 1]:
                return i
        return len(self._parts) - 1


@dataclass(frozen=True, slots=True)
class Section:
    """What is known at load of one section of a rule.

    Attributes:
        names: its named entries.
        open: it may have entries whose names are known only per job (`**expr`, defaults from the call).
    """

    names: tuple[str, ...] = ()
    open: bool = False


def _no_let(name: str) -> object:
    raise KeyError(name)


@dataclass(frozen=True, slots=True)
class ShellNames:
    """The names that placeholders of one text may hold.

    Attributes:
        sections: those of `SECTIONS` that the rule has; `resources` is there for every rule.
        wildcards: wildcards of the rule.
        lets: names of constants; ``let_value`` gives the value of one (it may be Unknown, or hold patterns).
        config: the merged configuration.
        here: the folder of the Flowfile, None where `HERE` means nothing.
        elsewhere: wildcards of other rules, with the name of a rule that has it.
        job: whether there is a job; false for the hooks of a workflow, which may name constants and config only.
    """

    sections: Mapping[str, Section] = field(default_factory=dict)
    wildcards: tuple[str, ...] = ()
    lets: frozenset[str] = frozenset()
    let_value: Callable[[str], object] = _no_let
    config: Mapping[str, object] = field(default_factory=dict)
    here: str | None = None
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    job: bool = True

    def heads(self) -> frozenset[str]:
        """Every word that a placeholder may begin with."""
        heads = {*self.lets, "config"}
        if self.here is not None:
            heads.add("HERE")
        if self.job:
            heads.update(SECTIONS, JOB_WORDS, self.wildcards, ("wildcards",))
        return frozenset(heads)
