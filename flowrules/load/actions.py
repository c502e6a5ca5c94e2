"""What a rule does: shell text, scripts, run blocks, Python functions and templates, checked as far as can be."""

from __future__ import annotations

import posixpath
import re
from typing import Final

from flowrules.expr.data import kind_of
from flowrules.expr.shell import JoinedText, ShellSource, parse_message, parse_shell
from flowrules.load.draft import Draft, Shapes
from flowrules.load.files import Files, beside
from flowrules.load.names import Names
from flowrules.load.outputs import RuleFiles
from flowrules.load.problems import Problems
from flowrules.load.runblock import run_action
from flowrules.load.shellnames import ShellScope
from flowrules.load.values import Values
from flowrules.model.rule import Action, CallAction, ScriptAction, ShellAction, ShellText, TemplateAction
from flowrules.span import Span
from flowrules.syntax import tree
from flowrules.syntax.strings import decode

SCRIPTS: Final = (".py", ".R", ".r", ".jl", ".sh")
_MODULE: Final = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")


class Actions:
    """Makes the actions of rules."""

    def __init__(self, names: Names, problems: Problems, files: Files, shell: ShellScope) -> None:
        self._names = names
        self._problems = problems
        self._files = files
        self._shapes = Shapes(problems)
        self._shell = shell

    def action(self, draft: Draft, files: RuleFiles, values: Values) -> Action | None:
        """The action of a rule; None where it has none, or one that cannot be used, which is told."""
        node = draft.action
        if node is None:
            return None
        if isinstance(node, tree.RunBlock):
            return run_action(node, self._problems)
        if node.name == "shell":
            return self._shell_action(draft, node, files)
        value = self._shapes.one(node)
        if value is None:
            return None
        path, span = values.at_load(node.name, value)
        if not isinstance(path, str):
            hint = "it is one for all jobs of the rule, so it holds no wildcards" if "{" in span.text() else None
            self._problems.error("F224", f"`{node.name}` is text, not {kind_of(path)}", span, hint)
            return None
        match node.name:
            case "script":
                return self._script(draft, path, span)
            case "template":
                return self._template(draft, path, span, files)
            case _:
                return self._call(draft, path, span)

    # ── shell ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _shell_action(self, draft: Draft, node: tree.Directive, files: RuleFiles) -> ShellAction | None:
        source = self._text(node)
        if source is None or files.broken:
            return None
        template, noticed = parse_shell(source, self._shell.names(draft, files))
        self._problems.add(*(d for d in noticed if not self._names.follows(d)))
        span = source.span(0, len(source.value)) if source.value else node.name_span
        return ShellAction(template, template.code, span)

    def message(self, draft: Draft, files: RuleFiles) -> ShellText | None:
        """The `message` of a rule."""
        node = draft.directives.get("message")
        source = self._text(node) if node is not None else None
        if source is None or files.broken:
            return None
        template, noticed = parse_message(source, self._shell.names(draft, files))
        self._problems.add(*(d for d in noticed if not self._names.follows(d)))
        return template

    def _text(self, node: tree.Directive) -> ShellSource | None:
        """The string literals of a directive as one text."""
        if len(node.items) > 1 and all(isinstance(item.value, tree.String | tree.Strings) for item in node.items):
            hint = f"leave the comma out: adjacent strings of `{node.name}` are joined"
            self._problems.error("F223", f"`{node.name}` takes one text", node.items[1].span, hint)
            return None
        value = self._shapes.one(node)
        if value is None:
            return None
        return self.joined(value, node.name)

    def joined(self, value: tree.Expr, what: str) -> ShellSource | None:
        """One string literal, or several adjacent ones, as one text."""
        parts = value.items if isinstance(value, tree.Strings) else (value,)
        texts = []
        for part in parts:
            if not isinstance(part, tree.String):
                hint = "compute a part of it in `params` and insert that: `{params.x}`"
                self._problems.error("F224", f"`{what}` is text in quotes", part.span, hint)
                return None
            if "f" in part.prefix:
                hint = "drop the `f`; `{input}`, `{sample}` and `{OUT}` are filled in"
                message = f"no f-string in `{what}`: its text is a template already"
                self._problems.error("F231", message, part.span, hint)
                return None
            texts.append(decode(part, shell=what != "message"))
        return texts[0] if len(texts) == 1 else JoinedText(texts)

    # ── code in other files ──────────────────────────────────────────────────────────────────────────────────────

    def _script(self, draft: Draft, path: str, span: Span) -> ScriptAction | None:
        if not path.endswith(SCRIPTS):
            ending = posixpath.splitext(path)[1]
            message = (
                f"it is not known how to run a script that ends in `{ending}`" if ending else "a script has an ending"
            )
            hint = "scripts end in .py, .R, .jl or .sh; other programs are run by `shell`"
            self._problems.error("F227", message, span, hint)
            return None
        target = self._existing(draft, path, span, "script")
        return ScriptAction(target, span) if target is not None else None

    def _template(self, draft: Draft, path: str, span: Span, files: RuleFiles) -> TemplateAction | None:
        if not files.broken and len(files.outputs) != 1:
            count = f"{len(files.outputs)} outputs" if files.outputs else "none"
            message = f"`template` renders to exactly one output, rule `{draft.name}` has {count}"
            self._problems.error("F229", message, draft.place("output"))
        target = self._existing(draft, path, span, "template")
        return TemplateAction(target, span) if target is not None else None

    def _call(self, draft: Draft, text: str, span: Span) -> CallAction | None:
        where, colon, function = text.rpartition(":")
        if not colon or not function.isidentifier() or not where:
            hint = 'write `call: "lib/chem.py:relax"` or `call: "package.module:function"`'
            if "(" in text:
                hint += "; it is called with the job, without arguments"
            self._problems.error("F227", f"`{text}` names no function of a file or module", span, hint)
            return None
        if where.endswith(".py") or "/" in where:
            if not where.endswith(".py"):
                self._problems.error("F227", f"`{where}` is no Python file", span, "its name ends in .py")
                return None
            target = self._existing(draft, where, span, "Python file")
            return CallAction(target, None, function, span) if target is not None else None
        if not _MODULE.fullmatch(where):
            self._problems.error("F227", f"`{where}` is no name of a Python module", span)
            return None
        return CallAction(None, where, function, span)

    def _existing(self, draft: Draft, path: str, span: Span, what: str) -> str | None:
        """A code path relative to the working directory; None where there is no such file, which is told."""
        target = beside(path, draft.origin.folder)
        stamp = self._files.disk.stat(target)
        if stamp is not None and stamp.kind == "f":
            return target
        state = f"there is no {what} `{target}`" if stamp is None else f"the {what} `{target}` is no regular file"
        hint = self._files.near(target)
        if hint is None and draft.origin.folder != "." and self._files.is_file(path):
            hint = f"paths of code are relative to the Flowfile, which lies in `{draft.origin.folder}`"
        self._problems.error("F208", state, span, hint)
        return None
