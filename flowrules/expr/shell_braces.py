"""Tells placeholders from all other braces of shell text, and misspelt placeholders from both.

Braces are a placeholder only if they hold a known name, dotted or indexed, with an optional format, and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

from flowrules.errors import Diagnostic, Severity, did_you_mean, suggestion
from flowrules.expr.foreign import RESOURCES
from flowrules.expr.shell_names import FILES, SECTIONS, ShellNames, ShellSource
from flowrules.model.quantity import UNITS

Step = str | int | slice
"""One step into a value: a name or key, a position, or a range of positions."""


@dataclass(frozen=True, slots=True)
class Hole:
    """A placeholder as written: the range of its braces, the name it begins with, the steps into it, its format."""

    start: int
    end: int
    head: str
    steps: tuple[Step, ...] = ()
    format: str = ""


@dataclass(slots=True)
class Braces:
    """What the braces of a text are.

    Attributes:
        holes: placeholders, in order.
        doubled: ranges of `{{name}}` for known names, which write `{name}`.
        notes: mistakes and risks with the offset they are about; those in comments do not count.
    """

    holes: list[Hole]
    doubled: list[tuple[int, int]]
    notes: list[tuple[int, Diagnostic]]


_WORD: Final = r"[^\W\d]\w*"
_STEP: Final = rf"\.{_WORD}|\[[^\[\]{{}}\s'\"$`]*\]"
_CANDIDATE: Final = re.compile(rf"\{{({_WORD})((?:{_STEP})*)(![^{{}}\s]*|:[^{{}}\n]*)?\}}")
_STEPS: Final = re.compile(rf"\.({_WORD})|\[([^\]]*)\]")
_PYTHON_FORMAT: Final = re.compile(r"(?:.?[<>=^])?[-+]?#?0?\d*[_,]?(?:\.\d+)?[bcdeEfFgGnosxX%]?")
_DOUBLED: Final = re.compile(r"\{\{([^{}\n]*(?:\{[^{}\n]*\}[^{}\n]*)*)\}\}")
_PROGRAM: Final = re.compile(
    r"\s*(?:(?:print|printf|next|exit|getline|delete|sub|gsub)\b|(?:if|for|while)\s*\(|[\w\[\]$.]+\s*(?:[-+*/]?=|\+\+|--))"
    r"|.*(?:\$\d|\$NF)"
)
_CALL: Final = re.compile(rf"\{{({_WORD})((?:{_STEP})+)\([^{{}}\n]*\)\}}")
_SLICE: Final = re.compile(r"(-?\d+)?:(-?\d+)?")
_TEX: Final = re.compile(r"\\[A-Za-z]+\Z")
_QUIET_BEFORE: Final = frozenset("$\\%@#")
_QUIET_WORDS: Final = frozenset({"print", "next", "exit", "getline", "nextfile"})
_FORMATS: Final = ("raw", "q")
_MOST_NOTES: Final = 1_000


def read_braces(text: ShellSource, names: ShellNames) -> Braces:
    """Find the placeholders of a text and what only looks like one."""
    return _Reader(text, names).read()


class _Reader:
    def __init__(self, text: ShellSource, names: ShellNames) -> None:
        self.text = text
        self.value = text.value
        self.names = names
        self.heads = names.heads()
        self.result = Braces([], [], [])

    def read(self) -> Braces:
        taken: list[tuple[int, int]] = []
        for start, end in self._doubled():
            taken.append((start, end))
        i = 0
        for found in _CANDIDATE.finditer(self.value):
            start = found.start()
            while i < len(taken) and taken[i][1] <= start:
                i += 1
            if i < len(taken) and taken[i][0] <= start < taken[i][1]:
                continue
            if start and self.value[start - 1] == "$":
                continue
            if len(self.result.notes) >= _MOST_NOTES:
                span = self.text.span(start, found.end())
                message = f"more than {_MOST_NOTES:,} braces of this command look like placeholders and are none"
                self.result.notes.append((-1, Diagnostic("F301", message, span, "put it into a script")))
                return self.result
            self._candidate(found)
        for found in _CALL.finditer(self.value):
            if found[1] in self.heads and self.value[found.start() - 1 : found.start()] != "$":
                self._note(
                    "W305",
                    found,
                    f"`{found[0]}` is left as it is: a placeholder holds a name, no call",
                    "compute the value in `params` and write `{params.name}`",
                    warning=True,
                )
        return self.result

    # ── doubled braces ───────────────────────────────────────────────────────────────────────────────────────

    def _doubled(self) -> Iterator[tuple[int, int]]:
        for found in _DOUBLED.finditer(self.value):
            inside = _CANDIDATE.fullmatch("{" + found[1] + "}")
            before = self.value[found.start() - 1 : found.start()]
            if inside and inside[1] in self.heads:
                self.result.doubled.append(found.span())
                yield found.span()
            elif before == "$" and re.fullmatch(rf"{_WORD}(?:[-:+=?#%/].*)?", found[1]):
                self._note(
                    "W302",
                    found,
                    "braces need no doubling here: the shell cannot read `${{…}}`",
                    f"write `${{{found[1]}}}`",
                    warning=True,
                )
            elif before != "$" and _PROGRAM.match(found[1]):
                self._note("W302", found, "braces need no doubling here", f"write `{{{found[1]}}}`", warning=True)

    # ── one candidate ────────────────────────────────────────────────────────────────────────────────────────

    def _candidate(self, found: re.Match[str]) -> None:
        head, tail, suffix = found[1], found[2], found[3] or ""
        if head not in self.heads:
            self._unknown(found, head, tail, suffix)
            return
        if suffix and not self._is_format(found, head, suffix):
            return
        steps = tuple(_steps(tail))
        hole = Hole(found.start(), found.end(), head, steps, suffix[1:])
        if self._is_known(found, hole):
            self.result.holes.append(hole)

    def _is_format(self, found: re.Match[str], head: str, suffix: str) -> bool:
        """Whether a suffix is a format; what is neither one nor meant as one leaves the braces alone."""
        form = suffix[1:]
        if suffix[0] == ":" and (form in _FORMATS or (form in UNITS and head in ("resources", "params", "config"))):
            return True
        if suffix[0] == ":" and form in UNITS and head in self.names.lets:
            return True
        meant = re.fullmatch(_WORD, form) or (form and _PYTHON_FORMAT.fullmatch(form))
        if suffix[0] == "!" or meant:
            near = did_you_mean(form, (*_FORMATS, *UNITS)) if suffix[0] == ":" else None
            bare = found[0].replace(suffix, "")
            self._note(
                "F305",
                found,
                f"`{suffix}` is no format of a placeholder",
                f"did you mean `:{near}`?"
                if near
                else f"write `{bare}`, `{bare[:-1]}:q}}`, `{bare[:-1]}:raw}}`, or a unit of a quantity such as `:MiB`",
            )
        return False

    def _is_known(self, found: re.Match[str], hole: Hole) -> bool:
        """Whether the first step of a placeholder names something that exists."""
        head, steps = hole.head, hole.steps
        first = steps[0] if steps else None
        if head in ("wildcards", "resources", "config") and first is None:
            self._note("F302", found, f"`{found[0]}` names no value", f"write `{{{head}.name}}`")
            return False
        if head == "wildcards":
            return isinstance(first, str) and self._is_one_of(found, first, self.names.wildcards, "wildcard")
        if head in SECTIONS and head not in self.names.wildcards and head not in self.names.lets:
            return self._is_entry(found, head, first)
        return True

    def _is_entry(self, found: re.Match[str], head: str, first: Step | None) -> bool:
        section = self.names.sections.get(head)
        if section is None:
            if first is not None:
                self._note("F302", found, f"this rule has no `{head}`", f"give it one: `{head}: …`")
                return False
            self._note(
                "W304",
                found,
                f"this rule has no `{head}`: `{found[0]}` inserts nothing",
                f"give it one: `{head}: …`",
                warning=True,
            )
            return True
        if head == "resources" and isinstance(first, str) and (ours := _foreign(first)):
            message = f"the resource `{first}` is called `{RESOURCES[first][0]}` here, and has a unit"
            self._note("F302", found, message, f"write `{ours}` for a whole number")
            return False
        if not isinstance(first, str) or section.open:
            return True
        return self._is_one_of(found, first, section.names, head if head in FILES else head.removesuffix("s"))

    def _is_one_of(self, found: re.Match[str], name: str, known: Collection[str], kind: str) -> bool:
        if name in known:
            return True
        listed = ", ".join(f"`{k}`" for k in known)
        self._note(
            "F302",
            found,
            f"this rule has no {kind} `{name}`",
            suggestion(name, known) or (f"it has {listed}" if listed else None),
        )
        return False

    # ── unknown names ────────────────────────────────────────────────────────────────────────────────────────

    def _unknown(self, found: re.Match[str], head: str, tail: str, suffix: str) -> None:
        """Braces whose name is unknown: a mistake if it is nearly one, else shell text, with a warning for `{word}`."""
        before = self.value[found.start() - 1 : found.start()]
        if before and (before in _QUIET_BEFORE or self._is_quiet_text(found)):
            return
        lone = not tail and not suffix
        if suffix and not self._looks_like_format(suffix):
            return
        if head == "rules" and tail:
            self._note(
                "F301",
                found,
                "`rules` cannot be named in shell text",
                "name the file in `input` or `params` and write `{input.name}` or `{params.name}`",
            )
        elif not self.names.job and head in (*SECTIONS, "wildcards", "threads", "attempt", "rule", "mpirun"):
            self._note("F309", found, f"there is no job here, hence no `{head}`", "name constants and `config` only")
        elif lone and (section := self._section_of(head)):
            ours = _foreign(head) if section == "resources" else None
            hint = f"write `{ours or f'{{{section}.{head}}}'}`"
            self._note("F303", found, f"`{head}` is {_article(section)} of this rule", hint)
        elif lone and head in self.names.elsewhere:
            self._note(
                "F304",
                found,
                f"`{head}` is a wildcard of rule `{self.names.elsewhere[head]}`, not of this one",
                "give this rule an output with that wildcard, or take the braces away",
            )
        elif near := near_miss(head, self.heads):
            self._note("F301", found, f"there is no `{head}` here", f"did you mean `{{{near}{tail}{suffix}}}`?")
        elif lone and head not in _QUIET_WORDS and not self._is_quiet(found, before):
            self._note("W301", found, f"`{found[0]}` is no placeholder and is left as it is", None, warning=True)

    def _section_of(self, name: str) -> str | None:
        for section in SECTIONS:
            if section in self.names.sections and name in self.names.sections[section].names:
                return section
        return None

    def _is_quiet(self, found: re.Match[str], before: str) -> bool:
        """Whether braces are clearly not meant as a placeholder: `a{n}`, `$h{a}{b}`, `/x/{p}`, `{fd}>file`."""
        after = self.value[found.end() : found.end() + 1]
        letter = len(found[1]) == 1
        return before.isalnum() or before in ("_", "}", "]") or (letter and before in ("/", "!")) or after in ("<", ">")

    def _is_quiet_text(self, found: re.Match[str]) -> bool:
        """Whether braces are doubled, or hold the argument of a TeX command."""
        start, end = found.span()
        doubled = self.value[start - 1] == "{" and self.value[end : end + 1] == "}"
        return doubled or _TEX.search(self.value, max(0, start - 40), start) is not None

    def _looks_like_format(self, suffix: str) -> bool:
        return suffix[0] == "!" or suffix[1:] in _FORMATS or suffix[1:] in UNITS

    def _note(self, code: str, found: re.Match[str], message: str, hint: str | None, *, warning: bool = False) -> None:
        span = self.text.span(*found.span())
        severity: Severity = "warning" if warning else "error"
        self.result.notes.append((found.start(), Diagnostic(code, message, span, hint, severity=severity)))


def _steps(tail: str) -> Iterator[Step]:
    for found in _STEPS.finditer(tail):
        name, index = found[1], found[2]
        if name is not None:
            yield name
        elif re.fullmatch(r"-?\d+", index):
            yield int(index)
        elif bounds := _SLICE.fullmatch(index):
            yield slice(*(int(b) if b else None for b in bounds.groups()))
        else:
            yield index


def _foreign(resource: str) -> str | None:
    """The placeholder for a resource that is called otherwise here."""
    if resource not in RESOURCES:
        return None
    return "{{resources.{}:{}}}".format(*RESOURCES[resource])


def _article(section: str) -> str:
    noun = {"params": "a param", "resources": "a resource", "input": "an input", "output": "an output"}
    return noun.get(section, f"a {section}")


def near_miss(word: str, known: Collection[str]) -> str | None:
    """The known name that a word most probably misspells: other case, or a letter lost, added, changed or swapped.

    Stricter than `did_you_mean`, because a word in braces may well be shell text.
    """
    folded = word.lower()
    for name in sorted(known):
        if name.lower() == folded:
            return name
    for name in sorted(known, key=lambda n: (-len(n), n)):
        shortest = min(len(name), len(word))
        allowed = 2 if shortest >= 7 else 1 if shortest >= 4 else 0
        if len(name) == len(word) == 3 and sorted(name.lower()) == sorted(folded):
            return name
        if allowed and abs(len(name) - len(word)) <= allowed and _distance(name.lower(), folded) <= allowed:
            return name
    return None


def _distance(a: str, b: str) -> int:
    """Edit distance in which two swapped neighbours count once."""
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, char in enumerate(a, 1):
        current = [i]
        for j, other in enumerate(b, 1):
            cost = min(row[j] + 1, current[-1] + 1, row[j - 1] + (char != other))
            if i > 1 and j > 1 and char == b[j - 2] and a[i - 2] == other:
                cost = min(cost, before[j - 2] + 1)
            current.append(cost)
        before, row = row, current
    return row[-1]
