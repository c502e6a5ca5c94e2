"""What a Flowfile says, checked: rules, configuration, constants and how to evaluate them. No target, no disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from flowrules.errors import Diagnostic
from flowrules.model.rule import Evaluable, Rule, ShellText


@dataclass(frozen=True, slots=True)
class Hook:
    """`on start|success|error`: shell text the driver runs once."""

    event: str
    text: ShellText


@dataclass(frozen=True, slots=True)
class Workflow:
    """A loaded workflow.

    Attributes:
        files: every Flowfile, config and schema file that was read, as opened.
        lets: constants by name, evaluated when first needed by a `flowrules.expr.world.World`.
        globals: imported Python modules by the name they have in the Flowfile.
        env: variables that `env` may read; None where it is refused.
        config: the merged configuration, defaults of the schema filled in.
        order: `ruleorder` statements: each a tuple of rule names, best first.
        load_reads: data files that were read while loading, with the span that read them: none may be made by a rule.
        warnings: what was noticed at load that is no error.
    """

    rules: tuple[Rule, ...]
    default: str | None = None
    files: tuple[str, ...] = ()
    lets: Mapping[str, Evaluable] = field(default_factory=dict)
    globals: Mapping[str, object] = field(default_factory=dict)
    env: Mapping[str, str] | None = None
    config: Mapping[str, object] = field(default_factory=dict)
    order: tuple[tuple[str, ...], ...] = ()
    envvars: tuple[str, ...] = ()
    hooks: tuple[Hook, ...] = ()
    load_reads: Mapping[str, object] = field(default_factory=dict)
    warnings: tuple[Diagnostic, ...] = ()

    def rule(self, name: str) -> Rule:
        """The rule of a name.

        Raises:
            KeyError: there is none.
        """
        for rule in self.rules:
            if rule.name == name:
                return rule
        raise KeyError(name)
