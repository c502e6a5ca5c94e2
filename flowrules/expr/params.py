"""The params of a job: entries of any value, by name and position."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from flowrules.expr.data import Row, items_of


class Params:
    """The params of a job: entries of any value, some of them named.

    Unlike in a NamedList an entry that is a list stays one entry, so that text can be told from a list of one text.
    """

    __slots__ = ("_names", "_values")

    def __init__(self, positional: Sequence[object] = (), named: Mapping[str, object] | None = None) -> None:
        named = named or {}
        self._values = (*positional, *named.values())
        self._names = {name: len(positional) + i for i, name in enumerate(named)}

    def __getitem__(self, key: str | int) -> object:
        """An entry by name or position.

        Raises:
            KeyError, IndexError: there is none.
        """
        return self._values[self._names[key] if isinstance(key, str) else key]

    def __iter__(self) -> Iterator[object]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of named entries, in order."""
        return tuple(self._names)

    def document(self) -> dict[str, object]:
        """The entries as JSON values, and for each name the half-open range of its one entry."""
        return {
            "items": [_json(value) for value in self._values],
            "names": {name: [i, i + 1] for name, i in self._names.items()},
        }

    def __repr__(self) -> str:
        return f"Params({self._values!r}, {self._names!r})"


def _json(value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Row):
        value = value.as_dict()
    if isinstance(value, Mapping):
        return {str(key): _json(item) for key, item in value.items()}
    items = items_of(value)
    return str(value) if items is None else [_json(item) for item in items]
