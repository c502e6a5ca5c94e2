"""Walks the statements of all files: what is defined where, in the order of the text, includes and branches in place.

First everything that needs no value, then, in order, the `if`s and the includes whose path is computed. What cannot be
known because of a mistake elsewhere is remembered (`Collected.lost`, `Collected.blind`), so that one mistake is told
once and does not look like ten.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from flowrules.errors import Diagnostic, FlowfileError, Related
from flowrules.load.files import Files, beside
from flowrules.load.hints import capitals_hint
from flowrules.load.problems import Problems
from flowrules.span import Source, Span
from flowrules.syntax import tree
from flowrules.syntax.reader import read_module
from flowrules.syntax.strings import decode

CAPITALS: Final = re.compile(r"[A-Z][A-Z0-9_]*")
_DEFINES: Final = re.compile(
    r"^(\w+)[ \t]*(?:,[^=\n]*)?=|^[ \t]*(?:(?:let|def|rule|checkpoint)[ \t]+(\w+)|import\b[^\n]*?(\w+)[ \t]*$)",
    re.MULTILINE,
)
MAX_FILES: Final = 1000
MAX_DEPTH: Final = 50

Key = tuple[int, ...]
"""Where a statement stands, files and branches flattened; sorting by it gives the order of the text."""


class Origin(NamedTuple):
    """The file a statement stands in.

    Attributes:
        included: it is not the file that was asked for.
        conditional: it is reached only through an `if` or a computed include.
        chain: paths of the files that lead to it, itself last.
        faults: offsets of what could not be read in the file.
    """

    source: Source
    folder: str
    chain: tuple[str, ...]
    faults: tuple[int, ...] = ()
    included: bool = False
    conditional: bool = False


@dataclass(slots=True)
class Site:
    """A statement and where it stands; ``until`` is the offset at which the next one begins."""

    key: Key
    origin: Origin
    node: tree.Statement
    until: int = 0

    @property
    def damaged(self) -> bool:
        """Whether part of it could not be read, which is already told."""
        return any(self.node.span.start <= fault < self.until for fault in self.origin.faults)


@dataclass(slots=True)
class Collected:
    """What the statements that count define.

    Attributes:
        rules, lets, functions, imports: by name.
        others: all further statements.
        modules: every file as it was read, in order, branches that do not count included.
        lost: names that are defined in text that could not be read, or in a branch that could not be chosen.
        blind: some file could not be read at all: any name may be defined in it.
    """

    rules: dict[str, Site] = field(default_factory=dict)
    lets: dict[str, Site] = field(default_factory=dict)
    functions: dict[str, Site] = field(default_factory=dict)
    imports: dict[str, Site] = field(default_factory=dict)
    others: list[Site] = field(default_factory=list)
    modules: list[tree.Module] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)
    blind: bool = False

    def of(self, kind: type[tree.Statement]) -> list[Site]:
        """Other statements of one kind, in the order of the text."""
        return sorted((s for s in self.others if isinstance(s.node, kind)), key=lambda s: s.key)

    def in_order(self, sites: Iterable[Site]) -> list[Site]:
        return sorted(sites, key=lambda s: s.key)


class Collector:
    """Reads a Flowfile and what it includes.

    Args:
        on_config: told of each `config` statement in order.
        on_import: told of each `import` that counts, before anything after it is evaluated.
    """

    def __init__(
        self,
        files: Files,
        problems: Problems,
        on_config: Callable[[Site], None],
        on_import: Callable[[Site], None],
    ) -> None:
        self.found = Collected()
        self._files = files
        self._problems = problems
        self._on_config = on_config
        self._on_import = on_import
        self._deferred: list[tuple[Site, Origin]] = []
        self._included: dict[str, Span | None] = {}

    # ── without values ───────────────────────────────────────────────────────────────────────────────────────────

    def start(self, flowfile: str, source: Source) -> None:
        """Take in the main Flowfile and everything it includes without conditions."""
        self._included[flowfile] = None
        self._take_file(source, (), Origin(source, _folder(flowfile), (flowfile,)))

    def _take_file(self, source: Source, key: Key, origin: Origin) -> None:
        module, diagnostics = read_module(source)
        self.found.modules.append(module)
        self._problems.add(*diagnostics)
        faults = tuple(d.span.start for d in diagnostics if d.span is not None and d.severity == "error")
        if faults:
            self._lose_names(source.text)
        self._take(module.statements, key, origin._replace(faults=faults), len(source.text) + 1)

    def _take(self, statements: tuple[tree.Statement, ...], key: Key, origin: Origin, end: int) -> None:
        for i, node in enumerate(statements):
            until = statements[i + 1].span.start if i + 1 < len(statements) else end
            self._statement(Site((*key, i), origin, node, until))

    def _statement(self, site: Site) -> None:
        match site.node:
            case tree.Rule():
                self._define(self.found.rules, site, site.node.name, site.node.name_span, ())
            case tree.Let():
                self._let(site, site.node)
            case tree.LetFunction():
                self._function(site, site.node)
            case tree.Import():
                if self._define(self.found.imports, site, site.node.name, site.node.name_span, self._value_names()):
                    self._on_import(site)
            case tree.Config():
                if site.origin.conditional:
                    message = "`config` cannot stand where it depends on a value"
                    self._problems.error("F411", message, site.node.span, "put it at the top of the main Flowfile")
                else:
                    self._on_config(site)
            case tree.Include() if "{" not in site.node.path.body and "f" not in site.node.path.prefix:
                self._include(site, decode(site.node.path).value, site.node.path.span)
            case tree.Include() | tree.If():
                self._deferred.append((site, site.origin))
            case _:
                self.found.others.append(site)

    # ── definitions ──────────────────────────────────────────────────────────────────────────────────────────────

    def _value_names(self) -> tuple[dict[str, Site], ...]:
        return (self.found.lets, self.found.functions, self.found.imports)

    def _let(self, site: Site, node: tree.Let) -> None:
        if not CAPITALS.fullmatch(node.name):
            self._problems.error("F206", *capitals_hint(node))
            self.found.lost.add(node.name)
            self.found.lost.add(node.name.upper())
            return
        if node.name == "HERE":
            self._problems.error("F207", "`HERE` is the folder of the Flowfile and cannot be defined", node.name_span)
            return
        self._define(self.found.lets, site, node.name, node.name_span, self._value_names())

    def _function(self, site: Site, node: tree.LetFunction) -> None:
        if CAPITALS.fullmatch(node.name):
            hint = f"write `let {node.name.lower()}(…) = …`"
            self._problems.error("F206", "names of functions are not in capitals", node.name_span, hint)
            self.found.lost.update((node.name, node.name.lower()))
            return
        for parameter in node.parameters:
            if CAPITALS.fullmatch(parameter.name):
                hint = f"capitals tell constants: write `{parameter.name.lower()}`"
                message = f"the argument `{parameter.name}` is in capitals"
                self._problems.error("F206", message, parameter.span, hint)
        self._define(self.found.functions, site, node.name, node.name_span, self._value_names())

    def _define(
        self, table: dict[str, Site], site: Site, name: str, span: Span, names: tuple[dict[str, Site], ...]
    ) -> bool:
        for other in names or (table,):
            if name in other:
                first = other[name].node
                kind = "rule" if isinstance(site.node, tree.Rule) else "name"
                place = getattr(first, "name_span", first.span)
                message = f"the {kind} `{name}` is defined twice"
                self._problems.error("F205", message, span, None, Related("first defined here", place))
                return False
        table[name] = site
        return True

    def _lose_names(self, text: str) -> None:
        """Names that a text that could not be read in full seems to define."""
        self.found.lost.update(name for match in _DEFINES.findall(text) for name in match if name)

    # ── includes ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _include(self, site: Site, path: str, span: Span) -> None:
        origin = site.origin
        target = beside(path, origin.folder)
        if target in origin.chain:
            chain = [*origin.chain[origin.chain.index(target) :], target]
            message = "this include leads back to a file that is being included: " + " → ".join(f"`{c}`" for c in chain)
            self._problems.error("F209", message, span, "remove one of these includes")
            return
        if len(origin.chain) >= MAX_DEPTH:
            message = f"files are included more than {MAX_DEPTH} deep"
            self._problems.error("F209", message, span)
            self.found.blind = True
            return
        if target in self._included:
            first = self._included[target]
            if first is None:
                self._problems.error("F209", f"`{target}` is the main Flowfile and cannot be included", span)
            else:
                message = f"`{target}` is included twice"
                hint = "includes share one set of names, so once is enough"
                self._problems.error("F209", message, span, hint, Related("first included here", first))
            return
        self._included[target] = span
        if len(self._included) > MAX_FILES:
            raise FlowfileError([Diagnostic("F209", f"more than {MAX_FILES} files are included", span)])
        try:
            source = self._files.source(target, span, "Flowfile", "F208")
        except FlowfileError as error:
            self._problems.add(*error.diagnostics)
            self.found.blind = True
            return
        below = Origin(source, _folder(target), (*origin.chain, target), included=True, conditional=origin.conditional)
        self._take_file(source, site.key, below)

    # ── with values ──────────────────────────────────────────────────────────────────────────────────────────────

    def settle(
        self,
        choose: Callable[[tree.If, Origin], tuple[tree.Statement, ...] | None],
        path_of: Callable[[tree.Include, Origin], str | None],
    ) -> None:
        """Take in the branches that count and the includes whose path is computed.

        Args:
            choose: the statements of the branch whose test is true; None where that cannot be told.
            path_of: the path of an include; None where that cannot be told.
        """
        while self._deferred:
            site, origin = self._deferred.pop(0)
            inside = origin._replace(conditional=True)
            later, self._deferred = self._deferred, []
            if isinstance(site.node, tree.If):
                branch = choose(site.node, origin)
                if branch is None:
                    self._skip(site.node)
                else:
                    self._take(branch, site.key, inside, site.until)
            elif isinstance(site.node, tree.Include):
                path = path_of(site.node, origin)
                if path is None:
                    self.found.blind = True
                else:
                    self._include(Site(site.key, inside, site.node), path, site.node.path.span)
            self._deferred += later

    def _skip(self, node: tree.If) -> None:
        """No branch could be chosen: the names in all of them may exist."""
        for statement in _all_below(node):
            if isinstance(statement, tree.Include):
                self.found.blind = True
            name = getattr(statement, "name", None)
            if isinstance(name, str):
                self.found.lost.add(name)


def _all_below(node: tree.If) -> Iterator[tree.Statement]:
    for _, statements in node.branches:
        for statement in statements:
            yield statement
            if isinstance(statement, tree.If):
                yield from _all_below(statement)


def _folder(path: str) -> str:
    return path.rpartition("/")[0] or ("/" if path.startswith("/") else ".")
