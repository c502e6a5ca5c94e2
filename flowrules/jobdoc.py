"""What a script, run block or function sees of the job that runs it: `from flowrules import job`."""

# ruff: noqa: ANN401 - what comes out of JSON can be anything

from __future__ import annotations

import os
from collections.abc import Sequence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any, ClassVar

VARIABLE = "FLOWRULES_JOB"
"""Environment variable with the path of the JSON file that describes the job."""


class JobList(Sequence["Any"]):
    """Files or params of a job, some of which have names.

    `x[0]` is an entry by position; `x.name` or `x["name"]` the entry of that name, a list of them where the name stands
    for several or none. Iteration and `len` go over all entries. A list of one file can be used where a path is wanted:
    `open(job.output)`. `f(**job.params)` passes the named entries. A name that a method has too (`count`, `index`,
    `keys`, `get`, `absent`) is reached as `x["count"]`. As text: the entries, quoted for a shell, with blanks between.

    Args:
        what: what an entry is called in messages.
        items: all entries, in order.
        names: for each name the half-open range of its entries.
    """

    __slots__ = ("_items", "_names", "_what")

    def __init__(self, what: str, items: Sequence[Any], names: Mapping[str, Sequence[int]]) -> None:
        self._what = what
        self._items = tuple(items)
        self._names = names

    def __getitem__(self, key: int | slice | str) -> Any:
        if not isinstance(key, str):
            return self._items[key]
        if key not in self._names:
            raise KeyError(self.absent(key))
        start, stop = self._names[key]
        return self._items[start] if stop - start == 1 else list(self._items[start:stop])

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in self._names:
            raise AttributeError(self.absent(name))
        return self[name]

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items)

    def keys(self) -> tuple[str, ...]:
        """The names, in order."""
        return tuple(self._names)

    def get(self, name: str, default: Any = None) -> Any:
        """The entry of a name, or a default where there is no such name."""
        return self[name] if name in self._names else default

    def __eq__(self, other: object) -> bool:
        if isinstance(other, JobList):
            return self._items == other._items and dict(self._names) == dict(other._names)
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self._items)

    def __fspath__(self) -> str:
        if len(self._items) != 1 or not isinstance(self._items[0], str):
            raise TypeError(f"`job.{self._what}` has {len(self._items)} entries, not one path: choose one of them")
        return self._items[0]

    def __str__(self) -> str:
        from shlex import quote

        return " ".join(quote(str(item)) for item in self._items)

    def __repr__(self) -> str:
        named = ", ".join(f"{name}={self[name]!r}" for name in self._names)
        return f"<{self._what} {list(self._items)!r}{' ' + named if named else ''}>"

    def absent(self, name: str) -> str:
        """What to tell somebody who asked for a name that is not there."""
        known = ", ".join(f"`{n}`" for n in self._names)
        return f"this job has no {self._what} called `{name}`" + (f"; it has {known}" if known else "")


class Fields(dict[str, "Any"]):
    """A JSON object whose keys are attributes too; a key that is also a method of `dict` is reached by index."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(self.absent(name)) from None

    def absent(self, name: str) -> str:
        """What to tell somebody who asked for a name that is not there."""
        known = ", ".join(f"`{n}`" for n in self)
        return f"there is no `{name}` here" + (f"; there is {known}" if known else "")


class JobView:
    """The job that runs this code.

    Attributes:
        rule: name of its rule.
        input, output, log: `JobList` of paths, relative to the working directory.
        params: `JobList` of JSON values.
        wildcards: `Fields` of text, `job.wildcards.mol`.
        threads: how many it was given.
        resources: `Fields`; `mem` and `disk` are bytes, `walltime` is seconds.
        config: `Fields` of the workflow's configuration.
        attempt: 1 for the first try.

    Args:
        document: as in `flowrules.model.order.Order`.
    """

    NAMES = ("rule", "input", "output", "params", "wildcards", "log", "threads", "resources", "config", "attempt")

    current: ClassVar[JobView | None] = None
    """What `from flowrules import job` gives in a warm worker: one object, filled anew for each job."""

    rule: str
    input: JobList
    output: JobList
    params: JobList
    wildcards: Fields
    log: JobList
    threads: int
    resources: Fields
    config: Fields
    attempt: int

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document

    def fill(self, document: Mapping[str, Any]) -> None:
        """Take another job's document."""
        self.__dict__.clear()
        self._document = document

    def __getattr__(self, name: str) -> Any:
        """A part of the document, made when first asked for; then it is an ordinary attribute."""
        if name not in self.NAMES:
            raise AttributeError(f"a job has no `{name}`; it has {', '.join(f'`{n}`' for n in self.NAMES)}")
        value = self._document.get(name)
        if name in ("input", "output", "params", "log"):
            part = value or {}
            value = JobList(name, part.get("items", ()), part.get("names", {}))
        elif name in ("wildcards", "resources", "config"):
            value = _fields(value or {})
        elif value is None:
            value = "" if name == "rule" else 1
        self.__dict__[name] = value
        return value

    def __repr__(self) -> str:
        values = " ".join(f"{k}={v}" for k, v in self.wildcards.items())
        return f"<job {self.rule}{' ' + values if values else ''}>"


def load_job() -> JobView:
    """The job this process works on.

    Raises:
        ImportError: it works on none.
    """
    if JobView.current is not None:
        return JobView.current
    path = os.environ.get(VARIABLE)
    if not path:
        raise ImportError(
            "`from flowrules import job` works only in code that flowrules runs: "
            "a `script`, a function of `call`, or what they start"
        )
    import json

    try:
        with open(path, "rb") as file:  # noqa: PTH123 - pathlib is heavy
            return JobView(json.load(file))
    except OSError as error:
        raise ImportError(f"the description of the job cannot be read: {error}") from error


def _fields(value: Any) -> Any:
    if isinstance(value, dict):
        return Fields({key: _fields(item) for key, item in value.items()})
    if isinstance(value, list):
        return [_fields(item) for item in value]
    return value
