"""Paths with wildcards: filling them, and matching paths against them in bounded time.

A pattern is a tuple of parts, literal text and wildcards in turn. Filling is a single `%` format; matching compares the
literal prefix and suffix first and needs a regular expression only where there is more than one wildcard or a
constraint.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from posixpath import normpath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import regex

MATCH_SECONDS = 2.0
"""How long one match against an author's regular expression may take."""


@dataclass(frozen=True, slots=True)
class Wildcard:
    """A named hole; ``constraint`` is an inline regular expression or None."""

    name: str
    constraint: str | None = None


Part = str | Wildcard


@dataclass(frozen=True, slots=True)
class Pattern:
    """Text with wildcards, such as `out/{sample}.bam`. Adjacent literal parts are joined by `pattern_of`."""

    parts: tuple[Part, ...]
    _names: tuple[str, ...] = field(init=False, compare=False, repr=False, default=())

    def __post_init__(self) -> None:
        names = dict.fromkeys(p.name for p in self.parts if isinstance(p, Wildcard))
        object.__setattr__(self, "_names", tuple(names))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the wildcards in order of first appearance."""
        return self._names

    def fill(self, values: Mapping[str, str]) -> str:
        """The path for given wildcard values, normalized.

        Raises:
            KeyError: a wildcard has no value.
        """
        return normalize("".join(p if isinstance(p, str) else values[p.name] for p in self.parts))

    def bind(self, values: Mapping[str, str]) -> Pattern | str:
        """This pattern with some wildcards filled; text where none is left."""
        return pattern_of(p if isinstance(p, str) or p.name not in values else values[p.name] for p in self.parts)

    def formatter(self, names: tuple[str, ...]) -> tuple[str, tuple[int, ...]]:
        """A `%` format and, for each hole in it, the index into ``names``: ``fmt % tuple(values[i] for i in index)``.

        Raises:
            KeyError: a wildcard of this pattern is not among ``names``.
        """
        where = {name: i for i, name in enumerate(names)}
        text = "".join(p.replace("%", "%%") if isinstance(p, str) else "%s" for p in self.parts)
        return text, tuple(where[p.name] for p in self.parts if isinstance(p, Wildcard))

    @property
    def prefix(self) -> str:
        """Literal text before the first wildcard."""
        return self.parts[0] if self.parts and isinstance(self.parts[0], str) else ""

    @property
    def suffix(self) -> str:
        """Literal text after the last wildcard."""
        return self.parts[-1] if len(self.parts) > 1 and isinstance(self.parts[-1], str) else ""

    def normalized(self) -> Pattern:
        """The same pattern with its literal text normalized as a path (`./a//{b}` is `a/{b}`)."""
        holes = [p for p in self.parts if isinstance(p, Wildcard)]
        text = "".join(p if isinstance(p, str) else "\x00" for p in self.parts)
        pieces = normalize(text).split("\x00")
        if len(pieces) != len(holes) + 1:  # a wildcard vanished beside `..`: leave such text alone
            return self
        parts: list[Part] = [pieces[0]]
        for hole, piece in zip(holes, pieces[1:], strict=True):
            parts += [hole, piece]
        result = pattern_of(parts)
        return result if isinstance(result, Pattern) else self

    def __str__(self) -> str:
        return "".join(p if isinstance(p, str) else "{" + p.name + "}" for p in self.parts)


def pattern_of(parts: object) -> Pattern | str:
    """Parts put together: nested patterns spread, adjacent text joined; plain text where no wildcard is left."""
    joined: list[Part] = []
    for part in parts:  # type: ignore[attr-defined]
        for piece in part.parts if isinstance(part, Pattern) else (part,):
            if isinstance(piece, str) and joined and isinstance(joined[-1], str):
                joined[-1] += piece
            elif piece != "":
                joined.append(piece)
    if not any(isinstance(p, Wildcard) for p in joined):
        return str(joined[0]) if joined else ""
    return Pattern(tuple(joined))


def normalize(path: str) -> str:
    """A path with `.`, `//` and inner `..` removed; as it is where there is nothing to do (the common case)."""
    if "//" in path or "./" in path or path.endswith(("/", "/.", "/..")):
        if path.endswith("/") and path.count("/") == 1:
            return path[:-1] or "/"
        clean = normpath(path)
        return "/" + clean.lstrip("/") if clean.startswith("//") else clean
    return path


class Matcher:
    """Finds the wildcard values with which a pattern is a given path.

    Args:
        pattern: a normalized pattern.
        names: the order in which values are returned; must hold every wildcard of the pattern.
        constraints: a regular expression for some wildcards; inline constraints go before these.
        choices: for some wildcards the only values they may take.

    Attributes:
        bare: whether whatever stands between prefix and suffix is the one value, but for text that leaves the folder.

    Raises:
        re.error: a constraint is no valid regular expression.
    """

    __slots__ = ("_choices", "_index", "_search", "bare", "least", "names", "pattern", "prefix", "suffix")

    def __init__(
        self,
        pattern: Pattern,
        names: tuple[str, ...],
        constraints: Mapping[str, str] | None = None,
        choices: Mapping[str, frozenset[str]] | None = None,
    ) -> None:
        self.pattern = pattern
        self.names = names
        self.prefix = pattern.prefix
        self.suffix = pattern.suffix
        self.least = len(self.prefix) + len(self.suffix) + 1
        own = {p.name: p.constraint for p in pattern.parts if isinstance(p, Wildcard) and p.constraint is not None}
        regexes = {**(constraints or {}), **own}
        self._choices = tuple((n, choices[n]) for n in pattern.names if choices and n in choices)
        holes = [p for p in pattern.parts if isinstance(p, Wildcard)]
        simple = len(holes) == 1 and holes[0].name not in regexes
        self._search = None if simple else _searcher(pattern, regexes)
        self.bare = simple and not self._choices and len(names) == 1
        self._index = tuple(pattern.names.index(n) for n in names) if not simple and names != pattern.names else ()

    def match(self, path: str) -> tuple[str, ...] | None:
        """Values in the order of ``names``, or None.

        Raises:
            TimeoutError: an author's regular expression took longer than `MATCH_SECONDS`.
        """
        prefix, suffix = self.prefix, self.suffix
        if len(path) < self.least or not path.startswith(prefix) or not path.endswith(suffix):
            return None
        if self._search is None:
            value = path[len(prefix) : len(path) - len(suffix) if suffix else None]
            if _leaves(value, prefix):
                return None
            values: tuple[str, ...] = (value,)
        else:
            found = self._search(path)
            if found is None:
                return None
            suspect = ".." in path or "//" in path or (not prefix and path[0] == "/")
            if suspect and any(_leaves(v, prefix if i == 0 else "x") for i, v in enumerate(found)):
                return None
            values = found
        for name, allowed in self._choices:
            if values[self.pattern.names.index(name)] not in allowed:
                return None
        return tuple(values[i] for i in self._index) if self._index else values


def _leaves(value: str, before: str) -> bool:
    """Whether a wildcard value would lead out of the folder its pattern starts in."""
    if value[0] == "/" and (not before or before.endswith("/")):
        return True
    return ".." in value and ".." in value.split("/")


def _searcher(pattern: Pattern, regexes: Mapping[str, str]) -> Callable[[str], tuple[str, ...] | None]:
    """A full match by regular expression, groups in the order of ``pattern.names``."""
    text = ""
    seen: dict[str, str] = {}
    for part in pattern.parts:
        if isinstance(part, str):
            text += re.escape(part)
        elif part.name in seen:
            text += f"(?P={seen[part.name]})"
        else:
            seen[part.name] = group = f"w{len(seen)}_"
            text += f"(?P<{group}>{regexes.get(part.name) or '.+'})"
    groups = tuple(seen.values())
    if len(groups) <= 2 and not any(n in regexes and not is_plain(regexes[n]) for n in seen):
        compiled = re.compile(text, re.DOTALL)

        def plain(path: str) -> tuple[str, ...] | None:
            found = compiled.fullmatch(path)
            return found.group(*groups) if found and len(groups) > 1 else (found.groups() if found else None)

        return plain
    re.compile(text)  # a bad constraint is reported in Python's words, whichever engine runs it
    engine = timed_regex(text)

    def timed(path: str) -> tuple[str, ...] | None:
        found = engine(path)
        return tuple(found.group(g) for g in groups) if found else None

    return timed


_PLAIN = re.compile(
    r"(?:\\[dwsDWS]|\[(?:[^\]\\\[]|\\[dwsDWS.\-])+\]|[A-Za-z0-9_.])[+*]?|[A-Za-z0-9_]+(?:\|[A-Za-z0-9_]+)*"
)


def is_plain(regex: str) -> bool:
    """Whether a regular expression is one repeated class or a choice of words: matched in time linear in the text."""
    return _PLAIN.fullmatch(regex) is not None


@lru_cache(maxsize=1024)
def timed_regex(text: str) -> Callable[[str], regex.Match[str] | None]:
    """A full match that gives up with TimeoutError after `MATCH_SECONDS`."""
    import regex  # heavy to import, and rarely needed

    compiled = regex.compile(text, regex.DOTALL)
    return lambda subject: compiled.fullmatch(subject, timeout=MATCH_SECONDS)
