"""`config` statements, `--configfile` and `--config`: found, merged, checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NoReturn

from flowrules.errors import FlowfileError
from flowrules.load.collect import Site
from flowrules.load.config import Settings
from flowrules.load.files import Files, beside
from flowrules.load.options import LoadOptions
from flowrules.load.problems import AlreadyTold, Problems
from flowrules.load.schema import apply_schema
from flowrules.model.pattern import normalize
from flowrules.span import Span
from flowrules.syntax import tree
from flowrules.syntax.strings import decode


class Configurer:
    """Puts the configuration together.

    Args:
        files: reads the files.
    """

    def __init__(self, files: Files, problems: Problems) -> None:
        self._files = files
        self._problems = problems
        self._settings = Settings()
        self._schemas: list[tuple[str, Span]] = []
        self._broken = False

    def add(self, site: Site) -> None:
        """Take in a `config` statement."""
        node = site.node
        assert isinstance(node, tree.Config)
        path = decode(node.path).value
        place = self._find(path, site.origin.folder)
        if place is not None:
            self._add_file(place, node.path.span)
        elif not node.optional:
            self._broken = True
            here = site.origin.folder
            where = "in the working directory" + ("" if here == "." else f" or in `{here}`")
            hint = self._files.near(normalize(path)) or "write `optional` behind it if it may be absent"
            self._problems.error("F405", f"there is no config file `{path}` {where}", node.path.span, hint)
        if node.schema is not None:
            self._schemas.append((beside(decode(node.schema).value, site.origin.folder), node.schema.span))

    def _find(self, path: str, folder: str) -> str | None:
        """The working directory goes before the folder of the Flowfile."""
        for place in (normalize(path), beside(path, folder)):
            if self._files.disk.stat(place) is not None:
                return place
        return None

    def _add_file(self, path: str, span: Span | None) -> None:
        try:
            self._settings.add(self._files.source(path, span, "config file", "F405"))
        except FlowfileError as error:
            self._fail(error)

    def _fail(self, error: FlowfileError) -> None:
        self._problems.add(*error.diagnostics)
        self._broken = True

    def finish(self, options: LoadOptions) -> Mapping[str, object]:
        """The configuration; one that answers nothing where it has mistakes, which are kept."""
        for path in options.configfiles:
            self._add_file(normalize(path), None)
        for text in options.config:
            try:
                self._settings.override(text)
            except FlowfileError as error:
                self._fail(error)
        readable = not self._broken
        for path, span in self._schemas:
            try:
                source = self._files.source(path, span, "schema", "F405")
                if readable:
                    apply_schema(self._settings, source, span)
            except FlowfileError as error:
                self._fail(error)
        return BrokenConfig() if self._broken else self._settings.value


class BrokenConfig(Mapping[str, object]):
    """Stands for a configuration with mistakes: whatever needs it has no value, silently."""

    def __getitem__(self, key: str) -> NoReturn:
        raise AlreadyTold

    def __contains__(self, key: object) -> NoReturn:
        raise AlreadyTold

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator[str]:
        raise AlreadyTold

    def __len__(self) -> NoReturn:
        raise AlreadyTold
