"""The names that shell text may use, rule by rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from flowrules.expr.shell import Section, ShellNames
from flowrules.expr.world import World
from flowrules.load.collect import Origin
from flowrules.load.draft import Draft
from flowrules.load.outputs import RuleFiles
from flowrules.model.rule import Output
from flowrules.model.values import Unknown
from flowrules.span import Span
from flowrules.syntax import tree


class ShellScope:
    """Makes the names for the shell texts of a workflow.

    Args:
        world: gives the values of constants; what rules make is unknown in it.
        afresh: a world that reads what is there when a command is rendered, for constants that are unknown at load.
        lets: names of constants.
        wildcards: every wildcard of the workflow with a rule that has it.

    Attributes:
        loaded: the load is over.
    """

    def __init__(
        self, world: World, afresh: Callable[[], World], lets: frozenset[str], wildcards: Mapping[str, str]
    ) -> None:
        self.loaded = False
        self._world = world
        self._afresh = afresh
        self._lets = lets
        self._elsewhere = wildcards

    def names(self, draft: Draft, files: RuleFiles) -> ShellNames:
        """The names for the command of a rule."""
        sections: dict[str, Section] = {}
        for name in ("input", "params"):
            if name in draft.directives:
                sections[name] = _of_items(draft.items(name))
        for name in ("output", "log", "benchmark"):
            if name in draft.directives:
                sections[name] = _of_outputs(files.section(name))
        sections["resources"] = Section(_of_items(draft.items("resources")).names, open=True)
        span = draft.node.span
        return ShellNames(
            sections=sections,
            wildcards=files.wildcards,
            lets=self._lets,
            let_value=partial(self._let, span),
            config=self._world.config,
            here=draft.origin.folder,
            elsewhere={name: rule for name, rule in self._elsewhere.items() if name not in files.wildcards},
        )

    def _let(self, span: Span, name: str) -> object:
        value = self._world.let(name, span)
        return self._afresh().let(name, span) if self.loaded and isinstance(value, Unknown) else value

    def of_hook(self, origin: Origin, node: tree.On) -> ShellNames:
        """The names for the text of an `on` statement: no job is known."""
        return ShellNames(
            lets=self._lets,
            let_value=partial(self._let, node.span),
            config=self._world.config,
            here=origin.folder,
            job=False,
        )


def _of_items(items: Sequence[tree.Item]) -> Section:
    names = tuple(dict.fromkeys(item.name for item in items if item.name is not None))
    return Section(names, open=any(item.star == 2 for item in items))


def _of_outputs(outputs: Sequence[Output]) -> Section:
    return Section(tuple(dict.fromkeys(o.name for o in outputs if o.name is not None)))
