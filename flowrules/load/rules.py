"""Drafts to rules: what a rule makes is known by then, everything else is compiled and checked against it."""

from __future__ import annotations

from flowrules.errors import Related
from flowrules.expr.world import World
from flowrules.load.actions import Actions
from flowrules.load.draft import Draft
from flowrules.load.names import Names
from flowrules.load.outputs import RuleFiles
from flowrules.load.problems import Problems
from flowrules.load.values import Values
from flowrules.model.rule import Rule
from flowrules.syntax import tree
from flowrules.syntax.strings import decode


class RuleMaker:
    """Makes rules from drafts.

    Attributes:
        defaults: rules with `default: true`.
    """

    def __init__(self, names: Names, problems: Problems, actions: Actions, world: World) -> None:
        self._names = names
        self._problems = problems
        self.actions = actions
        self.defaults: list[Draft] = []
        self._world = world

    def rule(self, draft: Draft, files: RuleFiles) -> Rule | None:
        """The rule; None where part of it could not be read or computed, which is told."""
        problems = self._problems
        values = Values(draft, files, self._names, problems, self._world)
        before = len(problems)
        self._check_own_output(draft)
        self._check_input_flags(draft)
        inputs = values.entries("input")
        threads, retries, priority = (values.single(d) for d in ("threads", "retries", "priority"))
        resources, params, env = (values.entries(d) for d in ("resources", "params", "env"))
        flags, texts = self._same_for_all_jobs(values)
        if flags["default"]:
            self.defaults.append(draft)
        action = message = None
        with self._names.kept():
            action = self.actions.action(draft, files, values)
        with self._names.kept():
            message = self.actions.message(draft, files)
        self._check_fit(draft)
        if files.broken or len(problems) > before or (draft.action is not None and action is None):
            return None
        return Rule(
            name=draft.name,
            index=draft.index,
            span=draft.node.name_span,
            checkpoint=draft.node.kind == "checkpoint",
            doc=_doc(draft.node),
            wildcards=files.wildcards,
            constraints=files.constraints.regexes,
            choices=files.constraints.choices,
            outputs=files.outputs,
            logs=files.logs,
            benchmarks=files.benchmarks,
            inputs=inputs,
            params=params,
            resources=resources,
            threads=threads,
            retries=retries,
            priority=priority,
            env=env,
            group=texts["group"],
            local=flags["local"],
            is_default=flags["default"],
            message=message,
            shell=texts["executable"],
            action=action,
            fresh=flags["fresh"],
        )

    def _same_for_all_jobs(self, values: Values) -> tuple[dict[str, bool], dict[str, str | None]]:
        """Directives that are true or false, and those that are text."""
        flags = {name: False for name in ("local", "default", "fresh")}
        texts: dict[str, str | None] = {"group": None, "executable": None}
        for name in flags:
            with self._names.kept():
                flags[name] = values.flag(name)
        for name in texts:
            with self._names.kept():
                texts[name] = values.text(name)
        return flags, texts

    def _check_fit(self, draft: Draft) -> None:
        """Directives that mean nothing with the action of the rule."""
        action, whole = draft.action, not draft.site.damaged  # what is missing may stand in text that could not be read
        kind = None if action is None else ("run" if isinstance(action, tree.RunBlock) else action.name)
        problems = self._problems
        if "fresh" in draft.directives and kind != "call":
            hint = "it asks for an interpreter of its own for a `call`"
            problems.error("F233", "`fresh` belongs to `call`", draft.place("fresh"), hint)
        if "executable" in draft.directives and kind != "shell":
            problems.error("F233", "`executable` belongs to `shell`", draft.place("executable"))
        if kind is None and not whole:
            return
        if kind is None and draft.node.kind == "checkpoint":
            hint = "a checkpoint makes what later expressions read"
            problems.error("F233", f"checkpoint `{draft.name}` does nothing", draft.node.name_span, hint)
        elif kind is None and "output" in draft.directives:
            hint = "add `shell:`, `script:`, `run:`, `call:` or `template:`"
            message = f"rule `{draft.name}` has outputs, but no action that makes them"
            problems.error("F233", message, draft.place("output"), hint)
        if kind is None and "threads" in draft.directives:
            problems.warn(
                "W233", f"rule `{draft.name}` has no action, so `threads` means nothing", draft.place("threads")
            )
        if draft.node.kind == "checkpoint" and kind is not None and whole and "output" not in draft.directives:
            problems.error("F233", f"checkpoint `{draft.name}` has no output to read", draft.node.name_span)

    def _check_input_flags(self, draft: Draft) -> None:
        """Flags that say how a file is made stand where it is made."""
        for item in draft.items("input"):
            match item.value:
                case tree.Call(
                    function=tree.Name(id="temp" | "protected" | "touch" | "update" | "ensure" | "report" as flag)
                ):
                    hint = "write it in the rule that makes the file"
                    self._problems.error("F222", f"`{flag}` belongs to an output", item.value.span, hint)

    def _check_own_output(self, draft: Draft) -> None:
        """An input written exactly like an output of the same rule; not where the head of another could not be read."""
        if draft.site.damaged:
            return
        outputs = {(s.prefix, s.body): s for item in draft.items("output") for s in _strings(item.value)}
        for item in draft.items("input"):
            for string in _strings(item.value):
                other = outputs.get((string.prefix, string.body))
                if other is not None:
                    message = f"rule `{draft.name}` needs what it makes"
                    related = Related("the output", other.span)
                    self._problems.error("F221", message, string.span, "give the output another name", related)


def _strings(node: tree.Expr) -> list[tree.String]:
    """Strings that stand for a file themselves: alone, in a list, or in a flag."""
    match node:
        case tree.String():
            return [node]
        case tree.ListDisplay() | tree.TupleDisplay():
            return [s for item in node.items if not isinstance(item, tree.Starred) for s in _strings(item)]
        case tree.Call(
            function=tree.Name(id="temp" | "protected" | "ancient" | "directory" | "touch" | "update" | "report")
        ):
            return [s for argument in node.arguments[:1] for s in _strings(argument.value)]
        case _:
            return []


def _doc(node: tree.Rule) -> str | None:
    if node.doc is None:
        return None
    return decode(node.doc).value.strip() or None
