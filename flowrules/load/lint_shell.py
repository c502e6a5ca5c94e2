"""Risky habits in the command of a rule: what it inserts, what it does not name, where it writes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from posixpath import basename
from typing import Final

from flowrules.errors import Diagnostic, FlowfileError
from flowrules.expr.section import evaluate_section
from flowrules.expr.shell import Placeholder, ShellTemplate
from flowrules.expr.shell_lint import interpreter_warnings
from flowrules.expr.shell_quote import Place
from flowrules.expr.shell_scan import scan
from flowrules.expr.shell_sites import TooDeep
from flowrules.expr.world import NO_JOB, World
from flowrules.load.draft import Draft
from flowrules.model.pattern import Pattern, is_plain
from flowrules.model.rule import Entry, Output, Rule, ShellAction
from flowrules.span import Span
from flowrules.syntax import tree
from flowrules.syntax.walk import children

_WORD: Final = re.compile(r"[^\s\"'`;|&<>()=,]+")
_TEMPORARY: Final = re.compile(r"(?<![\w.${}/-])/(?:var/)?tmp/[^\s\"'`;|&<>()]+")
_OWN_TEMPORARY: Final = re.compile(r"[${*]|XXX")
_CHANGES_FOLDER: Final = re.compile(
    r"(?:^|[;&|\n{]|\b(?:then|do|else)\b)[ \t]*(cd|pushd)[ \t]+(?!-|\"?\$\{?OLDPWD)([^\s;&|)]+)"
)
_COMES_BACK: Final = re.compile(r"\)|\bpopd\b|\bcd[ \t]+(?:-|\"?\$\{?OLDPWD)")
_WRITES: Final = re.compile(r"(?:>\|?|\btee(?:[ \t]+-a)?|(?<=\s)-o|--out(?:put)?[= ])[ \t]*[\"']?([^\s\"'`;|&<>()]+)")
_THREADS: Final = re.compile(r"\bnproc\b|_NUM_THREADS\b|\{mpirun\}")
_UNUSUAL: Final = re.compile(r"[^\w.+-]")
_SAFE_TEXT: Final = re.compile(r"[\w.,:/@%+=-]*")


def shell_warnings(rule: Rule, draft: Draft, world: World, makers: Mapping[str, Rule]) -> Iterator[Diagnostic]:
    """The warnings about the command of one rule; none where it has no shell text.

    Args:
        world: evaluates what is the same for all jobs.
        makers: the rule of each file as written, wildcards in braces.
    """
    if isinstance(rule.action, ShellAction) and isinstance(rule.action.template, ShellTemplate):
        check = _Check(rule, draft, rule.action.template, world)
        yield from check.inserted_as_written()
        yield from check.read_by_another_program()
        yield from check.never_named()
        yield from check.threads()
        yield from check.temporary()
        yield from check.after_cd()
        yield from check.written_for_another(makers)


def _warning(code: str, message: str, span: Span, hint: str) -> Diagnostic:
    return Diagnostic(code, message, span, hint, severity="warning")


class _Check:
    """One rule with its command.

    Attributes:
        text: the command as written. bare: the same with comments blanked out.
        filled: the command with constants and config filled in, wildcards as `{name}`.
    """

    def __init__(self, rule: Rule, draft: Draft, template: ShellTemplate, world: World) -> None:
        self.rule = rule
        self.draft = draft
        self.template = template
        self.world = world
        self.text = template.source.value
        self.bare = _without_comments(template)
        self.filled = re.sub(r"\{wildcards\.(\w+)\}", r"{\1}", template.code)

    def span(self, placeholder: Placeholder) -> Span:
        return self.template.source.span(placeholder.hole.start, placeholder.hole.end)

    def written(self, placeholder: Placeholder) -> str:
        return self.text[placeholder.hole.start : placeholder.hole.end]

    # ── what is inserted ─────────────────────────────────────────────────────────────────────────────────────────

    def inserted_as_written(self) -> Iterator[Diagnostic]:
        """Text of `params` made from config or wildcards, and inserted as written."""
        items = {item.name: item for item in self.draft.items("params") if item.name is not None}
        for placeholder in self.template.placeholders:
            hole = placeholder.hole
            name = hole.steps[0] if len(hole.steps) == 1 else None
            if hole.head != "params" or hole.format or not isinstance(name, str) or name not in items:
                continue
            if placeholder.site.place is Place.COMMENT:
                continue
            made_of = self._made_of(items[name].value)
            if made_of is None or not self._may_be_text(name):
                continue
            inside = f"params.{name}"
            message = f"`{{{inside}}}` is inserted as written, and is built from {made_of}: the shell reads all of it"
            hint = f"write `{{{inside}:q}}` for one quoted word, `{{{inside}:raw}}` where it holds flags on purpose"
            yield _warning("L001", message, self.span(placeholder), hint)

    def _may_be_text(self, name: str) -> bool:
        """Whether a param may be text; numbers and lists are quoted."""
        value = self._param(name)
        return value is None or isinstance(value, str | Pattern)

    def _made_of(self, node: tree.Expr) -> str | None:
        """What an expression takes text from that may hold anything: the configuration, wildcards, both or neither."""
        waiting: list[object] = [node]
        names: set[str] = set()
        while waiting:
            part = waiting.pop()
            if isinstance(part, tree.Attribute) and isinstance(part.value, tree.Name) and part.value.id == "wildcards":
                names.add(part.name)
            elif isinstance(part, tree.String):
                names.update(re.findall(r"\{\s*(?:wildcards\.)?(\w+)", part.body))
            elif isinstance(part, tree.Name):
                names.update({"config"} & {part.id})
            else:
                waiting.extend(children(part))
        found = ["the configuration"] * ("config" in names)
        found += ["wildcards"] * any(name in names and not self._is_tame(name) for name in self.rule.wildcards)
        return " and ".join(found) or None

    def _param(self, name: str) -> object:
        """The value of a param, None where only a job tells."""
        entry = next((e for e in self.rule.params if e.name == name), None)
        if entry is None or entry.value.uses - {"wildcards"} or (entry.value.per_job and entry.value.uses):
            return None
        return self._evaluated(entry)

    def _evaluated(self, entry: Entry) -> object:
        try:
            return entry.value(self.world, NO_JOB)
        except (FlowfileError, KeyError):
            return None

    def read_by_another_program(self) -> Iterator[Diagnostic]:
        """Placeholders in programs for awk, Python, a shell elsewhere, unless the value is harmless in any of them."""
        harmless = {self.span(p) for p in self.template.placeholders if self._is_harmless(p)}
        for warning in interpreter_warnings(self.template):
            if warning.span not in harmless:
                yield warning

    def _is_harmless(self, placeholder: Placeholder) -> bool:
        hole = placeholder.hole
        name = hole.steps[0] if len(hole.steps) == 1 and isinstance(hole.steps[0], str) else ""
        if hole.head == "params" and name:
            value = self._param(name)
            return isinstance(value, int | float) or (isinstance(value, str) and bool(_SAFE_TEXT.fullmatch(value)))
        wildcard = name if hole.head == "wildcards" else hole.head
        return wildcard in self.rule.wildcards and self._is_tame(wildcard)

    def _is_tame(self, wildcard: str) -> bool:
        """Whether a constraint lets a wildcard take letters, digits and `_ . + -` only."""
        choices = self.rule.choices.get(wildcard)
        if choices is not None:
            return not any(_UNUSUAL.search(value) for value in choices)
        regex = self.rule.constraints.get(wildcard)
        if regex is None or not is_plain(regex):
            return False
        single = re.compile(regex)
        return not any(single.search(chr(code)) for code in range(32, 127) if _UNUSUAL.match(chr(code)))

    # ── what is not named ────────────────────────────────────────────────────────────────────────────────────────

    def never_named(self) -> Iterator[Diagnostic]:
        """Outputs and logs the command has no means to know of."""
        computed = [*self.rule.params, *self.rule.env]
        known = _Known(_WORD.findall(self.filled))
        for path in self._inputs():
            known.file(path)
        for section, files in (("output", self.rule.outputs), ("log", self.rule.logs)):
            if any(section in entry.value.uses for entry in computed):
                continue
            named = [self._is_named(section, number, file) for number, file in enumerate(files)]
            for file, is_named in zip(files, named, strict=True):
                if is_named:
                    known.file(str(file.path))
            for number, file in enumerate(files):
                path = str(file.path)
                if named[number] or file.flags.touch or known.tells(path) or basename(path) in self.filled:
                    continue
                inside = f"{section}.{file.name}" if file.name else section + (f"[{number}]" if len(files) > 1 else "")
                message = f"the command never names its {section} `{path}`"
                how = f"append `2> {{{inside}}}`" if section == "log" else f"write `{{{inside}}}` where it is made"
                hint = f"{how}; where a program chooses the name itself, a comment settles it: `# makes {{{inside}}}`"
                yield _warning("L003", message, file.span, hint)

    def _is_named(self, section: str, number: int, file: Output) -> bool:
        for placeholder in self.template.placeholders:
            hole = placeholder.hole
            if hole.head != section or section in self.rule.wildcards:
                continue
            step = hole.steps[0] if hole.steps else None
            if step is None or isinstance(step, slice) or step in (file.name, number):
                return True
            if isinstance(step, int) and step < 0:
                return True
        return False

    def _inputs(self) -> list[str]:
        """Inputs as far as they are the same for all jobs, wildcards in braces."""
        fixed = [entry for entry in self.rule.inputs if not entry.value.per_job]
        try:
            return [str(path) for item in evaluate_section(fixed, self.world, NO_JOB) for path, _ in item.files]
        except FlowfileError:
            return []

    def threads(self) -> Iterator[Diagnostic]:
        """Threads that nothing hands on."""
        rule = self.rule
        if rule.threads is None or rule.threads.per_job or _THREADS.search(self.text):
            return
        if any("threads" in entry.value.uses for entry in (*rule.params, *rule.env, *rule.resources)):
            return
        if any(p.hole.head == "threads" for p in self.template.placeholders):
            return
        try:
            count = rule.threads(self.world, NO_JOB)
        except (FlowfileError, KeyError):
            return
        if isinstance(count, int | float) and count > 1:
            message = f"rule `{rule.name}` takes {count} threads, and its command never says so"
            hint = (
                "hand `{threads}` to the program; where it goes by OMP_NUM_THREADS, which is set, "
                "a comment settles it: `# {threads} by OMP_NUM_THREADS`"
            )
            yield _warning("L004", message, self.draft.place("threads"), hint)

    # ── where it writes ──────────────────────────────────────────────────────────────────────────────────────────

    def temporary(self) -> Iterator[Diagnostic]:
        """A fixed name in a folder that everybody shares."""
        for found in _TEMPORARY.finditer(self.bare):
            if _OWN_TEMPORARY.search(found[0]) is None:
                message = f"`{found[0]}` is one file for all jobs, and for everybody on this machine"
                hint = "use a folder of the job's own, `$(mktemp -d)`, or a `temp()` output"
                yield _warning("L009", message, self.template.source.span(*found.span()), hint)
                return

    def after_cd(self) -> Iterator[Diagnostic]:
        """A relative path after the command went to another folder."""
        for found in _CHANGES_FOLDER.finditer(self.bare):
            back = _COMES_BACK.search(self.bare, found.end())
            until = back.start() if back else len(self.bare)
            for placeholder in self.template.placeholders:
                hole, site = placeholder.hole, placeholder.site
                if not found.end() <= hole.start < until or hole.head not in ("input", "output", "log", "benchmark"):
                    continue
                if site.place is Place.COMMENT or self.bare[hole.start - 1] == "/" or self._is_absolute(hole.head):
                    continue
                written = self.written(placeholder)
                message = f"`{written}` is relative to the working directory, and `{found[1]} {found[2]}` has left it"
                hint = f"write `( {found[1]} {found[2]} && … )` around what runs there, or `$OLDPWD/{written}`"
                yield _warning("L010", message, self.span(placeholder), hint)
                return

    def _is_absolute(self, section: str) -> bool:
        files = {"output": self.rule.outputs, "log": self.rule.logs, "benchmark": self.rule.benchmarks}
        paths = self._inputs() if section == "input" else [str(file.path) for file in files[section]]
        return bool(paths) and all(path.startswith("/") for path in paths)

    def written_for_another(self, makers: Mapping[str, Rule]) -> Iterator[Diagnostic]:
        """A file that the command writes, and that another rule makes."""
        for found in _WRITES.finditer(self.filled):
            path = found[1].removeprefix("./")
            maker = makers.get(path)
            if maker is not None and maker is not self.rule:
                message = f"the command of rule `{self.rule.name}` writes `{path}`, which rule `{maker.name}` makes"
                hint = "one rule makes a file: let this one write a file of its own, and name it in `output`"
                at = self.text.find(found[1])
                span = self.template.source.span(at, at + len(found[1])) if at >= 0 else self.template.span
                yield _warning("L011", message, span, hint)
                return


def _without_comments(template: ShellTemplate) -> str:
    """The command with comments blanked out, as long as before."""
    text = template.source.value
    try:
        comments = scan(text, [(p.hole.start, p.hole.end) for p in template.placeholders]).comments
    except TooDeep:
        return text
    for start, end in comments:
        text = text[:start] + " " * (end - start) + text[end:]
    return text


class _Known:
    """What a program may learn the name of a file from: words of its command, and files that the command names.

    `study` tells of `study.bed`, `x.fa` of `x.fa.fai`, and `a.sam` of `a.bam`.
    """

    def __init__(self, words: Iterable[str]) -> None:
        self._starts: set[str] = set()
        self._beginnings: set[str] = set()
        for word in words:
            self._starts.update((word, word.rpartition(".")[0]))

    def file(self, path: str) -> None:
        """The command names this file."""
        self._starts.update((path, path.rpartition(".")[0]))
        self._beginnings.update(_beginnings(path))

    def tells(self, path: str) -> bool:
        """Whether a path, or the name at its end, begins as something known does, or the other way round."""
        starts = {*_beginnings(path), *_beginnings(basename(path))}
        return not self._starts.isdisjoint(starts) or not self._beginnings.isdisjoint((path, path.rpartition(".")[0]))


def _beginnings(path: str) -> Iterator[str]:
    """The beginnings of a path that end where a word does, itself included."""
    for at in range(2, len(path) + 1):
        if not path[at : at + 1].isalnum():
            yield path[:at]
