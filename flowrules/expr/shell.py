"""Shell text with placeholders: parsed once per rule, rendered for each job with every value quoted for its place.

Constants, configuration and `HERE` are filled in when the text is parsed, everything that belongs to a job when it
starts. Text a shell does not read, such as `message`, is the same without quoting.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from flowrules.errors import Diagnostic, FlowfileError
from flowrules.expr.params import Params
from flowrules.expr.shell_braces import Hole, read_braces
from flowrules.expr.shell_names import JoinedText, Section, ShellNames, ShellSource
from flowrules.expr.shell_quote import Place, ValueProblem, checked
from flowrules.expr.shell_raw import raw_getter
from flowrules.expr.shell_scan import scan
from flowrules.expr.shell_sites import Heredoc, Scan, Site, TooDeep
from flowrules.expr.shell_values import Deferred, Getter, Writer, constant, getter, writer
from flowrules.span import Span

__all__ = [
    "JoinedText",
    "Params",
    "Placeholder",
    "Section",
    "ShellNames",
    "ShellSource",
    "ShellTemplate",
    "parse_message",
    "parse_shell",
]

Slot = Callable[[Mapping[str, object]], str]

MAX_CHARACTERS: Final = 2**20
"""Longest shell text of a Flowfile; what is inserted when a job starts does not count."""

_REFUSED: Final = (Place.ANSI, Place.BACKTICKS, Place.AGAIN, Place.UNCLEAR)
_NUMBERS: Final = ("threads", "attempt")


@dataclass(frozen=True, slots=True)
class Placeholder:
    """A placeholder of a template: what it names, what the shell expects where it stands, the text of a constant."""

    hole: Hole
    site: Site
    constant: str | None = None


@dataclass(frozen=True, slots=True)
class ShellTemplate:
    """Shell text, ready to be rendered any number of times.

    Attributes:
        code: the text as written, common indentation removed, constants and config filled in; `HERE` is not, since
            where a Flowfile lies is no part of what a command does.
        placeholders: all that a shell reads, in order.
        awaits: constants that have no value yet at load; see `flowrules.model.rule.ShellText`.
    """

    source: ShellSource
    code: str
    placeholders: tuple[Placeholder, ...] = ()
    awaits: tuple[str, ...] = ()
    _parts: tuple[str, ...] = ("",)
    _slots: tuple[tuple[int, Slot, Hole], ...] = ()
    _heredocs: tuple[tuple[int, int, Heredoc], ...] = ()

    @property
    def span(self) -> Span:
        """Where the text was written."""
        return self.source.span(0, len(self.source.value))

    def render(self, values: Mapping[str, object]) -> str:
        """The command for a job.

        Args:
            values: `input`, `output`, `log`, `benchmark` (NamedList), `params` (Params), `resources`, `wildcards`
                (mappings), `threads`, `attempt`, `rule`, `mpirun`; those that no placeholder names may lack.

        Raises:
            FlowfileError: a value cannot be put where the placeholder stands.
        """
        parts = list(self._parts)
        at = None
        try:
            for i, slot, hole in self._slots:
                at = hole
                parts[i] = slot(values)
            command = "".join(parts)
            if "\0" in command:
                self._refuse_nul(values)
        except ValueProblem as problem:
            assert at is not None
            raise FlowfileError([_problem(self.source, at, problem)]) from None
        for first, stop, doc in self._heredocs:
            if doc.ended_by("".join(parts[first:stop])):
                raise FlowfileError([_ends_heredoc(self, doc)])
        return command

    def _refuse_nul(self, values: Mapping[str, object]) -> None:
        """Tell which value has a NUL."""
        for _, slot, hole in self._slots:
            try:
                checked(slot(values))
            except ValueProblem as problem:
                raise FlowfileError([_problem(self.source, hole, problem)]) from None


def parse_shell(text: ShellSource, names: ShellNames) -> tuple[ShellTemplate, list[Diagnostic]]:
    """Read command text.

    Returns:
        The template and what was noticed; a template with errors may be kept for further checks but not rendered.
    """
    return _Parser(text, names).parse()


def parse_message(text: ShellSource, names: ShellNames) -> tuple[ShellTemplate, list[Diagnostic]]:
    """Read text that people read, such as `message`: the same placeholders, nothing is quoted."""
    return _Parser(text, names, plain=True).parse()


@dataclass(slots=True)
class _Build:
    """A template in the making: literal parts and slots in turn."""

    parts: list[str] = field(default_factory=lambda: [""])
    slots: list[tuple[int, Slot, Hole]] = field(default_factory=list)
    code: list[str] = field(default_factory=list)
    cuts: dict[int, int] = field(default_factory=dict)
    constants: dict[int, str] = field(default_factory=dict)
    awaits: dict[str, None] = field(default_factory=dict)

    def literal(self, text: str, code: str | None = None) -> None:
        self.parts[-1] += text
        self.code.append(text if code is None else code)

    def slot(self, slot: Slot, hole: Hole, code: str) -> None:
        self.slots.append((len(self.parts), slot, hole))
        self.parts += ["", ""]
        self.code.append(code)

    def cut(self, offset: int) -> None:
        """Begin a new part here, so that what lies between two offsets can be looked at by itself."""
        self.cuts[offset] = len(self.parts)
        self.parts.append("")


class _Parser:
    def __init__(self, text: ShellSource, names: ShellNames, *, plain: bool = False) -> None:
        self.text = text
        self.names = names
        self.plain = plain
        self.diagnostics: list[Diagnostic] = []

    def parse(self) -> tuple[ShellTemplate, list[Diagnostic]]:
        value = self.text.value
        if "\0" in value:
            span = self.text.span(value.index("\0"), value.index("\0") + 1)
            self.diagnostics.append(Diagnostic("F307", "the text holds a NUL character, which no command can", span))
        if len(value) > MAX_CHARACTERS:
            message = f"the command has {len(value):,} characters, more than {MAX_CHARACTERS:,}"
            hint = 'put it into a file of its own: `script: "name.sh"`'
            self.diagnostics.append(Diagnostic("F311", message, self.text.span(0, len(value)), hint))
            return ShellTemplate(self.text, "", _parts=("",)), self.diagnostics
        if "{" not in value:
            return ShellTemplate(self.text, _dedent(value), _parts=(value,)), self.diagnostics
        braces = read_braces(self.text, self.names)
        found = self._scan([(hole.start, hole.end) for hole in braces.holes])
        comments = sorted(found.comments)
        for offset, note in braces.notes:
            before = bisect_right(comments, (offset, len(value) + 1)) - 1
            if before < 0 or offset >= comments[before][1]:
                self.diagnostics.append(note)
        pairs = [Placeholder(hole, site) for hole, site in zip(braces.holes, found.sites, strict=True)]
        build = self._build(pairs, braces.doubled, found.heredocs)
        pairs = [Placeholder(p.hole, p.site, build.constants.get(p.hole.start)) for p in pairs]
        docs = tuple((build.cuts[d.start], build.cuts[d.end], d) for d in found.heredocs if d.start in build.cuts)
        template = ShellTemplate(
            self.text,
            _dedent("".join(build.code)),
            tuple(pairs),
            tuple(build.awaits),
            tuple(build.parts),
            tuple(build.slots),
            docs,
        )
        self._check_static_heredocs(template)
        self.diagnostics.sort(key=lambda d: d.span.start if d.span else 0)
        return template, self.diagnostics

    def _scan(self, holes: list[tuple[int, int]]) -> Scan:
        if self.plain:
            return Scan([Site(Place.PLAIN, start, end, Place.PLAIN) for start, end in holes], [], [], [])
        try:
            found = scan(self.text.value, holes)
        except TooDeep as deep:
            span = self.text.span(deep.at, deep.at + 1)
            self.diagnostics.append(Diagnostic("F310", "the command nests too deeply to be read", span))
            return Scan([Site(Place.COMMENT, start, end) for start, end in holes], [], [], [])
        for at, what in found.unclosed[:1]:
            at = max(0, min(at, len(self.text.value) - 1))
            what = f"the here-document that `{what}` ends" if what.isalnum() else f"`{what}`"
            message = f"{what} is never closed: what follows may not be quoted as you expect"
            self.diagnostics.append(Diagnostic("W303", message, self.text.span(at, at + 1), severity="warning"))
        return found

    # ── putting it together ──────────────────────────────────────────────────────────────────────────────────

    def _build(
        self, pairs: Sequence[Placeholder], doubled: Sequence[tuple[int, int]], heredocs: Sequence[Heredoc]
    ) -> _Build:
        build, value, at = _Build(), self.text.value, 0
        for start, end, item in _events(pairs, doubled, heredocs):
            build.literal(value[at:start])
            if isinstance(item, Placeholder):
                self._place(build, item, value[start:end])
            elif item == "doubled":
                build.literal(value[start + 1 : end - 1], value[start:end])
            else:
                build.cut(start)
            at = end
        build.literal(value[at:])
        return build

    def _place(self, build: _Build, item: Placeholder, written: str) -> None:
        """One placeholder: its value where it is known now, else a slot."""
        hole, site = item.hole, item.site
        if site.place is Place.COMMENT:
            build.literal("", written)
            return
        if self._is_refused(item):
            build.literal(written)
            return
        write = writer(hole, site)
        try:
            value = constant(hole, self.names)
            if isinstance(value, Deferred):
                shown = write(value.shown) if value.shown is not None else written
                if value.shown is None:
                    build.awaits[hole.head] = None
                build.slot(_slot(value.get, write), hole, shown)
            elif value is not None:
                text = checked(write(value.value))
                build.constants[hole.start] = text
                build.literal(text, written if hole.head == "HERE" else text)
            elif raw := raw_getter(hole, site):
                build.slot(raw, hole, written)
            else:
                build.slot(_slot(getter(hole, self.names), write), hole, written)
        except ValueProblem as problem:
            build.literal(written)
            self.diagnostics.append(_problem(self.text, hole, problem))
        except FlowfileError as error:
            build.literal(written)
            self.diagnostics.extend(d for d in error.diagnostics if d not in self.diagnostics)

    def _is_refused(self, item: Placeholder) -> bool:
        hole, site = item.hole, item.site
        glued = site.glued and site.place in (Place.HERE, Place.DEFAULT)
        if hole.format == "raw" or hole.head in _NUMBERS or (site.place not in _REFUSED and not glued):
            return False
        if hole.format == "q" and site.place is not Place.UNCLEAR and not glued:
            return False
        bare = self.text.value[hole.start : hole.end - 1].removesuffix(f":{hole.format}")
        hint = f"write `{bare}:raw}}` to insert it as it is"
        if glued:
            clue, hint = "right after a variable", "put the name of the variable into braces: `${name}`"
        elif site.place is Place.UNCLEAR:
            clue = site.clue
        else:
            clue, hint = site.clue, f"write `{bare}:q}}` for one quoted word, or `{bare}:raw}}` to insert it as it is"
            if site.place is Place.BACKTICKS:
                hint = "write `$(…)` instead of backticks, there it is quoted; or " + hint.removeprefix("write ")
        message = f"`{bare}}}` stands {clue}, where its quoting cannot be told"
        self.diagnostics.append(Diagnostic("F306", message, self.text.span(hole.start, hole.end), hint))
        return True

    def _check_static_heredocs(self, template: ShellTemplate) -> None:
        """A constant that ends its here-document is told now."""
        filled = {i for i, _, _ in template._slots}
        for first, stop, doc in template._heredocs:
            body = "".join(template._parts[first:stop])
            if not any(first <= i < stop for i in filled) and doc.ended_by(body):
                self.diagnostics.append(_ends_heredoc(template, doc))


def _events(
    pairs: Sequence[Placeholder], doubled: Sequence[tuple[int, int]], heredocs: Sequence[Heredoc]
) -> Iterator[tuple[int, int, Placeholder | str]]:
    """Everything that is not literal text, in order: placeholders, doubled braces, ends of here-documents."""
    events: list[tuple[int, int, Placeholder | str]] = [(p.site.start, p.site.end, p) for p in pairs]
    events += [(start, end, "doubled") for start, end in doubled]
    holes = sorted(p.hole.start for p in pairs)
    filled = [d for d in heredocs if bisect_left(holes, d.start) < bisect_left(holes, d.end)]
    marks = {mark for d in filled for mark in (d.start, d.end)}
    events += [(mark, mark, "cut") for mark in marks]
    yield from sorted(events, key=lambda event: event[:2])


def _slot(get: Getter, write: Writer) -> Slot:
    return lambda values: write(get(values))


def _problem(source: ShellSource, hole: Hole, problem: ValueProblem) -> Diagnostic:
    written = source.value[hole.start : hole.end]
    span = source.span(hole.start, hole.end)
    return Diagnostic(problem.code, f"`{written}` {problem.message}", span, problem.hint)


def _ends_heredoc(template: ShellTemplate, doc: Heredoc) -> Diagnostic:
    inside: Iterable[Hole] = (p.hole for p in template.placeholders if doc.start <= p.hole.start < doc.end)
    first = min((hole.start for hole in inside), default=doc.start)
    message = f"a value holds the line `{doc.mark}`, which would end the here-document it stands in"
    span = template.source.span(first, min(doc.end, len(template.source.value)))
    return Diagnostic("F307", message, span, "choose another end mark")


def _dedent(text: str) -> str:
    """Text without its common indentation, and without empty lines around it."""
    lines = text.split("\n")
    while lines and not lines[0].strip():
        del lines[0]
    while lines and not lines[-1].strip():
        del lines[-1]
    margin = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return "\n".join(line[margin:] for line in lines)
