"""Compiles expressions in the names of a workflow; constants and functions are compiled when first needed."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final, Protocol

from flowrules.errors import Diagnostic, FlowfileError, fail
from flowrules.expr.compile import Compiled, compile_expression, compile_function
from flowrules.expr.scope import Function, Scope
from flowrules.expr.world import NO_JOB, BudgetSpent, World
from flowrules.load.collect import Collected, Origin, Site
from flowrules.load.problems import AlreadyTold, Problems
from flowrules.model.rule import Evaluable, Output
from flowrules.syntax import tree

_ABOUT_NAMES: Final = frozenset({"F101", "F103", "F105", "F107", "F112", "F130", "W301"})
"""Codes of what may only say that a name is missing because the text that defines it could not be read."""

_QUOTED: Final = re.compile(r"`\{?(\w+)")


class Names:
    """Everything a workflow's expressions may name, and the world in which the load evaluates them.

    Attributes:
        lets: constants, compiled when asked for.
        world: evaluates at load.
        resolver: answers `rules.x.output`; set when the rules are known.
    """

    def __init__(self, found: Collected, problems: Problems) -> None:
        self.found = found
        self.problems = problems
        self.lets = _Lets(self)
        self.modules: dict[str, Collection[str] | None] = {}
        self.resolver: Resolver | None = None
        self.world: World
        self._functions: dict[str, Function | None] = {}
        self._trees = _Trees(found)
        self._wild: dict[str, frozenset[str]] = {}
        self._compiling: set[str] = set()
        self._kept = Kept(self)

    def scope(
        self,
        origin: Origin,
        place: str,
        job_names: frozenset[str] = frozenset(),
        wildcards: frozenset[str] | None = None,
        *,
        raw: bool = False,
        above: Site | None = None,
    ) -> Scope:
        """The names at a place.

        Args:
            place: how a message calls it.
            job_names: names of a job that are known there.
            wildcards: those that are bound; None where any name in braces is a wildcard of its own.
            raw: strings have no placeholders.
            above: only functions that stand above this statement exist.
        """
        resolver = self.resolver
        return Scope(
            lets=self._trees,
            functions=_Functions(self, above),
            modules=self.modules,
            job_names=job_names,
            wildcards=wildcards,
            here=origin.folder,
            raw=raw,
            place=place,
            rule_files=resolver.files if resolver is not None else None,
            rule_names=self.found.rules,
            later=_later(self.found, above),
            wild=self._wild,
        )

    def compile(self, node: tree.Expr, scope: Scope) -> Compiled | None:
        """The expression compiled; None where it holds mistakes, which are kept."""
        try:
            return compile_expression(node, scope)
        except FlowfileError as error:
            self.keep(error)
            return None

    def value(self, node: tree.Expr, scope: Scope) -> object:
        """The value of an expression at load.

        Raises:
            AlreadyTold: it has none; the reason is kept.
            BudgetSpent: the load's budget is spent.
        """
        compiled = self.compile(node, scope)
        if compiled is None:
            raise AlreadyTold
        return self.evaluate(compiled)

    def evaluate(self, expression: Evaluable, world: World | None = None) -> object:
        """The value of a compiled expression at load, or in another world; raises as `value` does."""
        with self.kept():
            return expression(world or self.world, NO_JOB)
        raise AlreadyTold

    def kept(self) -> Kept:
        """Errors raised inside are kept and the load goes on, except when its budget is spent."""
        return self._kept

    def keep(self, error: FlowfileError) -> None:
        """Keep what is wrong, but for what only follows from text that could not be read."""
        self.problems.add(*(d for d in error.diagnostics if not self.follows(d)))

    def follows(self, d: Diagnostic) -> bool:
        """Whether a missing name may well be defined in text that could not be read, which is already told."""
        if d.code not in _ABOUT_NAMES or not (self.found.blind or self.found.lost):
            return False
        return self.found.blind or not self.found.lost.isdisjoint(_QUOTED.findall(d.message))

    def function(self, name: str) -> Function:
        """A `let` function, compiled when first needed.

        Raises:
            AlreadyTold: it holds mistakes, which are kept.
            FlowfileError: it needs a constant that needs it.
        """
        if name in self._compiling:
            site = self.found.functions[name]
            assert isinstance(site.node, tree.LetFunction)
            message = f"the function `{name}` needs a constant that is computed with it"
            raise fail("F126", message, site.node.name_span, "hand the constant over as an argument")
        if name not in self._functions:
            site = self.found.functions[name]
            assert isinstance(site.node, tree.LetFunction)
            self._functions[name] = None
            self._compiling.add(name)
            try:
                self._functions[name] = compile_function(site.node, self.scope(site.origin, "let", above=site))
            except FlowfileError as error:
                self.keep(error)
            finally:
                self._compiling.discard(name)
        function = self._functions[name]
        if function is None:
            raise AlreadyTold
        return function

    def compile_all(self) -> dict[str, Evaluable]:
        """Every constant compiled, and every function, so that mistakes in unused ones are told as well."""
        for name in self.found.functions:
            with self.kept():
                self.function(name)
        lets: dict[str, Evaluable] = {}
        for name in self.found.lets:
            with self.kept():
                lets[name] = self.lets[name]
        return lets


class Kept:
    """The context of `Names.kept`: one object for all uses, since a load enters it for every expression."""

    __slots__ = ("_names",)

    def __init__(self, names: Names) -> None:
        self._names = names

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, FlowfileError) or isinstance(error, BudgetSpent):
            return False
        self._names.keep(error)
        return True


class Resolver(Protocol):
    """Answers `rules.x.output` (`flowrules.load.outputs.FilesTable`)."""

    def files(self, rule: str, section: str) -> Sequence[Output] | None: ...


class _Trees(Mapping[str, tree.Expr]):
    """Trees of all constants."""

    def __init__(self, found: Collected) -> None:
        self._sites = found.lets

    def __getitem__(self, name: str) -> tree.Expr:
        node = self._sites[name].node
        assert isinstance(node, tree.Let)
        return node.value

    def __contains__(self, name: object) -> bool:
        return name in self._sites

    def __iter__(self) -> Iterator[str]:
        return iter(self._sites)

    def __len__(self) -> int:
        return len(self._sites)


class _Lets(Mapping[str, Evaluable]):
    """Constants, compiled when first needed."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._compiled: dict[str, Compiled | None] = {}

    def __getitem__(self, name: str) -> Evaluable:
        if name not in self._compiled:
            site = self._names.found.lets[name]
            assert isinstance(site.node, tree.Let)
            self._compiled[name] = self._names.compile(site.node.value, self._names.scope(site.origin, "let"))
        compiled = self._compiled[name]
        if compiled is None:
            raise AlreadyTold
        return compiled

    def __iter__(self) -> Iterator[str]:
        return iter(self._names.found.lets)

    def __len__(self) -> int:
        return len(self._names.found.lets)


class _Functions(Mapping[str, Function]):
    """`let` functions that exist at a place."""

    def __init__(self, names: Names, above: Site | None) -> None:
        self._names = names
        self._above = above

    def __contains__(self, name: object) -> bool:
        site = self._names.found.functions.get(name) if isinstance(name, str) else None
        return site is not None and (self._above is None or site.key < self._above.key)

    def __getitem__(self, name: str) -> Function:
        if name not in self:
            raise KeyError(name)
        return self._names.function(name)

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._names.found.functions if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _later(found: Collected, above: Site | None) -> frozenset[str]:
    if above is None:
        return frozenset()
    return frozenset(name for name, site in found.functions.items() if site.key >= above.key)
