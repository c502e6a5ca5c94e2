"""Values of the language that Python has no type for: what is not known yet, files with flags, named lists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import overload


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value that waits for checkpoints to run. Whatever is computed from it is unknown too.

    Attributes:
        paths: the files or folders that must be made first (outputs of checkpoints), as they were asked for.
    """

    paths: frozenset[str]

    def __or__(self, other: Unknown) -> Unknown:
        return self if self.paths >= other.paths else Unknown(self.paths | other.paths)


@dataclass(frozen=True, slots=True)
class Marked:
    """That a file is shown in reports: what stands below it, and under which heading; `{wildcard}` is filled in."""

    caption: str = ""
    category: str = ""


@dataclass(frozen=True, slots=True)
class Flags:
    """What a file of a rule is, beyond its path.

    Attributes:
        sha256: the digest an `ensure` asks for, hexadecimal; None where none is asked.
        report: how it is shown in reports; None where it is not.
    """

    temp: bool = False
    protected: bool = False
    ancient: bool = False
    directory: bool = False
    touch: bool = False
    update: bool = False
    non_empty: bool = False
    sha256: str | None = None
    report: Marked | None = None

    def merged(self, other: Flags) -> Flags:
        """Both sets of flags on one file, as in `temp(directory("x"))`."""
        changes = {name: value for name in FLAG_NAMES if (value := getattr(other, name))}
        return replace(self, **changes) if changes else self


FLAG_NAMES = ("temp", "protected", "ancient", "directory", "touch", "update", "non_empty", "sha256", "report")
NO_FLAGS = Flags()


@dataclass(frozen=True, slots=True)
class Flagged:
    """A path, pattern or list of these, with flags: what `temp("x")` evaluates to."""

    value: object
    flags: Flags


class NamedList(Sequence[str]):
    """Files (or params) of a job: a sequence whose entries may have names.

    Args:
        items: all entries, flattened, in order.
        names: for each name the half-open range of its entries in ``items``.

    `x.name` is the one entry of that range, or the list of them where there are several or none.
    """

    __slots__ = ("_items", "_names")

    def __init__(self, items: Sequence[str], names: Mapping[str, tuple[int, int]] | None = None) -> None:
        self._items = tuple(items)
        self._names = names or {}

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[str, ...]: ...
    def __getitem__(self, index: int | slice) -> str | tuple[str, ...]:
        return self._items[index]

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, NamedList):
            return self._items == other._items and self._names == other._names
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self._items)

    def __repr__(self) -> str:
        return f"NamedList({self._items!r}, {dict(self._names)!r})"

    @property
    def names(self) -> tuple[str, ...]:
        """The names of named entries, in order."""
        return tuple(self._names)

    @property
    def ranges(self) -> Mapping[str, tuple[int, int]]:
        """For each name the half-open range of its entries."""
        return self._names

    def named(self, name: str) -> str | list[str]:
        """The entry of a name: one file, or a list where there are several or none.

        Raises:
            KeyError: there is no such name.
        """
        start, stop = self._names[name]
        return self._items[start] if stop - start == 1 else list(self._items[start:stop])
