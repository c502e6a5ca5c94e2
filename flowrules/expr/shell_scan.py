"""Reads shell text once to tell for every placeholder in it what quoting the shell expects there.

Knows words, quotes, expansions, here-documents, comments, `case`, `[[ ]]` and arithmetic of bash and POSIX shells;
commands are neither checked nor understood. What it cannot tell it says so, and the placeholder is refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from flowrules.expr.shell_quote import Place

MAX_DEPTH: Final = 60
"""How deeply expansions may nest."""


@dataclass(slots=True)
class Site:
    """What the shell expects where a placeholder stands.

    Attributes:
        base: what the quotes around it say, whatever reads the text.
        start, end: the text that the value replaces; with the quotes around it where ``whole``.
        whole: it is all that a quoted word holds, as in `"{input}"`.
        single: the shell takes one word there, however many a list has.
        redirect: it is the target of a redirection.
        braces: it stands in a brace expansion such as `{a,b}`.
        command: the word is one where a command may begin.
        glued: a variable without braces stands right before it, as in `$x{y}`.
        words: the words of the command before this one, as written, after `<<` in a here-document.
        clue: for a refused place what is in the way.
        in_here: it stands in a `$(…)` of a here-document.
    """

    place: Place
    start: int
    end: int
    base: Place = Place.BARE
    whole: bool = False
    single: bool = False
    redirect: bool = False
    braces: bool = False
    command: bool = False
    glued: bool = False
    words: tuple[str, ...] = ()
    clue: str = ""
    in_here: bool = False


@dataclass(slots=True)
class Heredoc:
    """A here-document: the range of its body, and the line that ends it.

    Attributes:
        tabs: `<<-`, leading tabs do not count.
        words: the words of the command that reads it, as far as they stand before it.
        nested: it stands in `$(…)`, where also a line that begins with the mark and holds `)` can end it.
    """

    mark: str
    quoted: bool
    tabs: bool
    nested: bool
    words: tuple[str, ...] = ()
    start: int = 0
    end: int = 0

    def ended_by(self, body: str) -> bool:
        """Whether a rendered body has a line that ends it."""
        if self.mark not in body:
            return False
        for line in body.split("\n"):
            bare = line.lstrip("\t") if self.tabs else line
            if bare == self.mark or (self.nested and bare.startswith(self.mark) and ")" in bare):
                return True
        return False


@dataclass(slots=True)
class Scan:
    """What a text holds: one site per placeholder, comments, here-documents, and what is never closed."""

    sites: list[Site]
    comments: list[tuple[int, int]]
    heredocs: list[Heredoc]
    unclosed: list[tuple[int, str]]


class TooDeep(Exception):
    """Expansions nest deeper than `MAX_DEPTH`; ``at`` is where."""

    def __init__(self, at: int) -> None:
        super().__init__(at)
        self.at = at


def scan(text: str, holes: Sequence[tuple[int, int]]) -> Scan:
    """Find the place of every hole.

    Args:
        holes: ranges of the placeholders, in order; whatever is in them is not looked at.

    Raises:
        TooDeep: the text nests too deeply.
    """
    scanner = _Scanner(text, holes)
    scanner.commands("")
    sites = [scanner.sites.get(start) or Site(Place.UNCLEAR, start, end, clue="here") for start, end in holes]
    return Scan(sites, scanner.comments, scanner.heredocs, scanner.unclosed)


_LEXICAL: Final = (Place.BARE, Place.DOUBLE, Place.SINGLE)
_PLAIN: Final = re.compile(r"[^\s\\'\"$`(){}<>;&|#\[\]?*+@!=~]+")
_WORD_END: Final = frozenset(" \t\n;&|<>()")
_ASSIGNS: Final = re.compile(r"[A-Za-z_]\w*(?:\[[^\]]*\])?\+?=")
_SUBSCRIPT: Final = re.compile(r"[A-Za-z_]\w*\Z")
_VARIABLE: Final = re.compile(r"(?<![\\$])\$[A-Za-z_]\w*\Z")
_PARAMETER: Final = re.compile(r"[#!]?(?:[A-Za-z_]\w*|\d+|[@*#?$!-])?")
_OPERATOR: Final = re.compile(r":?[-=+?]|##?|%%?|:|")
_DESCRIPTOR: Final = re.compile(r"\d+|\{\w+\}")
_LEADING: Final = frozenset({"if", "then", "elif", "else", "do", "while", "until", "!", "time", "{", "}", "fi", "done"})
_DECLARING: Final = frozenset({"export", "local", "readonly", "declare", "typeset", "env"})
_WRAPPING: Final = frozenset({"command", "builtin", "exec", "nohup", "time"})
_AGAIN: Final = frozenset({"eval", "trap", "alias"})
_TESTS: Final = frozenset({"[", "test"})
_COMPARES: Final = re.compile(r"[\"']?\s+-(?:eq|ne|lt|le|gt|ge)\b")
_COMPARED: Final = re.compile(r"\s-(?:eq|ne|lt|le|gt|ge)\s+[\"']?\Z")


@dataclass(slots=True)
class _Around:
    """What is known of a word while it is read."""

    words: tuple[str, ...] = ()
    start: int = 0
    single: bool = False
    redirect: bool = False
    command: bool = False
    place: Place = Place.BARE
    clue: str = ""


class _Scanner:
    """One pass over a text; `at` is where it stands, `end` where it must stop."""

    def __init__(self, text: str, holes: Sequence[tuple[int, int]]) -> None:
        self.text = text
        self.holes = dict(holes)
        self.at = 0
        self.end = len(text)
        self.depth = 0
        self.sites: dict[int, Site] = {}
        self.comments: list[tuple[int, int]] = []
        self.heredocs: list[Heredoc] = []
        self.unclosed: list[tuple[int, str]] = []
        self._waiting: list[Heredoc] = []
        self._here = False  # in the text of a here-document whose mark is not quoted
        self._in_here = False  # in a command in such a text

    # ── holes ────────────────────────────────────────────────────────────────────────────────────────────────

    def hole(self, place: Place, around: _Around, *, braces: bool = False, clue: str = "") -> None:
        """Record the hole that starts here and step over it."""
        start, end = self.at, self.holes[self.at]
        self.at = end
        before = self.text[max(0, start - 200) : start]
        site = Site(
            place,
            start,
            end,
            base=place,
            single=around.single,
            redirect=around.redirect,
            command=around.command,
            braces=braces,
            words=around.words,
            clue=clue or around.clue,
            in_here=self._in_here,
            glued=_VARIABLE.search(before) is not None,
        )
        if place in _LEXICAL:
            if around.place is not Place.BARE:
                site.place = around.place
            elif around.words[:1] == ("[[",) and self._is_compared(site):
                site.place = Place.OPERAND
        self.sites[start] = site

    def _is_compared(self, site: Site) -> bool:
        """Whether `[[` computes with the word, as it does beside `-eq`."""
        before = max(0, site.start - 40)
        return bool(_COMPARES.match(self.text, site.end) or _COMPARED.search(self.text, before, site.start))

    def literal_hole(self, start: int, stop: int, place: Place, around: _Around, clue: str = "") -> None:
        """Record every hole in a range whose text is not looked at, and step to its end."""
        while self.at < stop:
            if self.at in self.holes:
                self.hole(place, around, clue=clue)
            else:
                self.at += 1
        self.at = max(self.at, stop)

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise TooDeep(self.at)

    # ── commands ─────────────────────────────────────────────────────────────────────────────────────────────

    def commands(self, close: str) -> None:
        """Commands up to an unquoted ``close`` (`)` or nothing for the end of the text), which is stepped over."""
        self.deeper()
        outer, self._waiting = self._waiting, []
        begin = self.at
        if not _Commands(self, close).read() and close:
            self.unclosed.append((begin - 1, "("))
        self._waiting = outer + self._waiting
        self.depth -= 1

    def comment(self) -> None:
        stop = self.text.find("\n", self.at, self.end)
        stop = self.end if stop < 0 else stop
        self.comments.append((self.at, stop))
        self.literal_hole(self.at, stop, Place.COMMENT, _Around())

    # ── words ────────────────────────────────────────────────────────────────────────────────────────────────

    def word(self, around: _Around) -> str:
        """Read one word and return it as written."""
        begin = around.start = self.at
        braces = False
        while self.at < self.end:
            at = self.at
            if at in self.holes:
                self.hole(Place.BARE, self._assigning(around, begin, at), braces=braces)
                continue
            plain = _PLAIN.match(self.text, at, self.end)
            if plain:
                self.at = plain.end()
                continue
            char = self.text[at]
            if char == "(" and self._opens_in_word(around, begin, at):
                continue
            if char in _WORD_END:
                break
            if char == "{":
                braces = True
                self.at += 1
            elif char == "[" and around.command and _SUBSCRIPT.match(self.text, begin, at):
                self.at += 1
                self.arithmetic("]")
            else:
                self.piece(char, self._assigning(around, begin, at), begin)
        return self.text[begin : self.at]

    def _assigning(self, around: _Around, begin: int, at: int) -> _Around:
        declares = bool(around.words) and around.words[0] in _DECLARING
        if (around.command or declares) and not around.single and _ASSIGNS.match(self.text, begin, at):
            return replace(around, single=True, command=False)
        return around

    def _opens_in_word(self, around: _Around, begin: int, at: int) -> bool:
        """Whether a bracket belongs to the word: an array's elements, or a pattern such as `@(a|b)`."""
        before = self.text[at - 1] if at > begin else ""
        if before == "=" and _ASSIGNS.fullmatch(self.text, begin, at):
            self.at += 1
            self.array()
            return True
        if before and before in "?*+@!":
            self.at += 1
            self.pattern_group(around)
            return True
        return False

    def array(self) -> None:
        """Elements of `name=( … )`."""
        self.deeper()
        while self.at < self.end and self.text[self.at] != ")":
            char = self.text[self.at]
            if char in " \t\n":
                self.at += 1
            elif char == "#":
                self.comment()
            elif char in _WORD_END:
                self.at += 1
            else:
                self.word(_Around(words=("(",)))
        self.at += 1
        self.depth -= 1

    def pattern_group(self, around: _Around) -> None:
        self.deeper()
        inside = replace(around, single=True)
        while self.at < self.end and self.text[self.at] != ")":
            if self.text[self.at] in _WORD_END:
                self.at += 1
            else:
                self.word(replace(inside))
        self.at += 1
        self.depth -= 1

    def piece(self, char: str, around: _Around, begin: int) -> None:
        """One quoted or expanded piece of a word outside quotes."""
        if char == "\\":
            self.escape(around)
        elif char == "'":
            self.single_quotes(around, begin)
        elif char == '"':
            self.double_quotes(around, begin)
        elif char == "$":
            self.dollar(around, quoted=False)
        elif char == "`":
            self.backticks(around)
        else:
            self.at += 1

    def escape(self, around: _Around) -> None:
        """A backslash and what it takes the meaning from."""
        self.at += 1
        if self.at in self.holes:
            self.hole(Place.UNCLEAR, replace(around, place=Place.BARE), clue="after a backslash")
        else:
            self.at += 1

    def single_quotes(self, around: _Around, begin: int) -> None:
        opened = self.at
        self.at += 1
        first = self.at
        while self.at < self.end and (self.at in self.holes or self.text[self.at] != "'"):
            if self.at in self.holes:
                self.hole(Place.SINGLE, around)
            else:
                self.at += 1
        self._closed(opened, "'")
        self._mark_whole(opened, first, begin)

    def double_quotes(self, around: _Around, begin: int) -> None:
        opened = self.at
        self.at += 1
        first = self.at
        self.deeper()
        while self.at < self.end:
            if self.at in self.holes:
                self.hole(Place.DOUBLE, around)
                continue
            char = self.text[self.at]
            if char == '"':
                break
            self._in_double(char, around)
        self.depth -= 1
        self._closed(opened, '"')
        self._mark_whole(opened, first, begin)

    def _in_double(self, char: str, around: _Around) -> None:
        if char == "\\":
            self.escape(around)
        elif char == "$":
            self.dollar(around, quoted=True)
        elif char == "`":
            self.backticks(around)
        else:
            self.at += 1

    def _closed(self, opened: int, char: str) -> None:
        if self.at >= self.end:
            self.unclosed.append((opened, char))
        self.at += 1

    def _mark_whole(self, opened: int, first: int, begin: int) -> None:
        """Widen the site of a hole that is all a quoted word holds to the quotes around it."""
        site = self.sites.get(first)
        if (
            site is None
            or site.single
            or opened != begin
            or site.end != self.at - 1
            or site.place not in (Place.SINGLE, Place.DOUBLE)
        ):
            return
        after = self.text[self.at : self.at + 1] if self.at < self.end else ""
        if after == "" or after in _WORD_END:
            site.start, site.end, site.whole = opened, self.at, True

    # ── expansions ───────────────────────────────────────────────────────────────────────────────────────────

    def dollar(self, around: _Around, *, quoted: bool) -> None:
        """What begins with `$`."""
        after = self.text[self.at + 1 : self.at + 2] if self.at + 1 < self.end else ""
        if after == "(" and self._is_arithmetic(self.at + 1):
            self.at += 3
            self.arithmetic("))")
        elif after == "(":
            self.at += 2
            here, inside = self._here, self._in_here
            self._here, self._in_here = False, here or inside
            self.commands(")")
            self._here, self._in_here = here, inside
        elif after == "{":
            self.at += 2
            self.parameter(around, quoted=quoted)
        elif after == "[":
            self.at += 2
            self.arithmetic("]")
        elif after == "'" and not quoted:
            self.ansi_quotes(around)
        elif after == '"' and not quoted:
            self.at += 1
            self.double_quotes(around, -1)
        elif after == "$":
            self.at += 2
        else:
            self.at += 1

    def ansi_quotes(self, around: _Around) -> None:
        opened = self.at
        self.at += 2
        while self.at < self.end and (self.at in self.holes or self.text[self.at] != "'"):
            if self.at in self.holes:
                self.hole(Place.ANSI, replace(around, place=Place.BARE), clue="in `$'…'`")
            elif self.text[self.at] == "\\":
                self.escape(around)
            else:
                self.at += 1
        self._closed(opened, "$'")

    def backticks(self, around: _Around) -> None:
        opened = self.at
        self.at += 1
        inside = replace(around, place=Place.BARE, redirect=False, single=False)
        while self.at < self.end and (self.at in self.holes or self.text[self.at] != "`"):
            if self.at in self.holes:
                self.hole(Place.BACKTICKS, inside, clue="in backticks")
            elif self.text[self.at] == "\\":
                self.escape(around)
            else:
                self.at += 1
        self._closed(opened, "`")

    def parameter(self, around: _Around, *, quoted: bool) -> None:
        """The rest of `${…}`: a value may stand after `:-` and its kin, after `#` and `%`, or be a number."""
        opened = self.at - 2
        self.deeper()
        name = _PARAMETER.match(self.text, self.at, self.end)
        self.at = name.end() if name else self.at
        place, clue = Place.UNCLEAR, "in this kind of `${…}`"
        if self.text[self.at : self.at + 1] == "[":
            self.at += 1
            self.arithmetic("]")
        operator = _OPERATOR.match(self.text, self.at, self.end)
        sign = operator.group() if operator else ""
        self.at += len(sign)
        if sign == ":":
            place = Place.NUMBER
        elif sign and sign[0] in ":-=+?" and not self._here:
            place = Place.DEFAULT if quoted else Place.BARE
        elif sign and sign[0] in "#%" and not quoted and not self._here:
            place = Place.BARE
        inside = replace(around, start=self.at, single=True, redirect=False, clue=around.clue or clue)
        self._parameter_word(inside, place, quoted=quoted)
        self.depth -= 1
        self._closed(opened, "${")

    def _parameter_word(self, around: _Around, place: Place, *, quoted: bool) -> None:
        clue = around.clue
        while self.at < self.end:
            if self.at in self.holes:
                self.hole(place, around, clue=clue)
                continue
            char = self.text[self.at]
            if char == "}":
                return
            told = around if place is Place.BARE and not quoted else replace(around, place=Place.UNCLEAR)
            if char == '"':
                self.double_quotes(told, -1)
            elif char == "'" and not quoted:
                self.single_quotes(told, -1)
            else:
                self._in_double(char, around)

    def arithmetic(self, close: str) -> None:
        """An arithmetic expression up to ``close``, which is stepped over."""
        opened, nesting = self.at, 0
        self.deeper()
        around = _Around(single=True)
        while self.at < self.end:
            if self.at in self.holes:
                self.hole(Place.NUMBER, around)
                continue
            char = self.text[self.at]
            if nesting == 0 and self.text.startswith(close, self.at):
                break
            nesting += (char in "([") - (char in ")]")
            if char == '"':
                self.double_quotes(replace(around, place=Place.NUMBER), -1)
            else:
                self._in_double(char, around)
        self.depth -= 1
        if self.at >= self.end:
            self.unclosed.append((opened, close))
        self.at += len(close)

    def _is_arithmetic(self, at: int) -> bool:
        """Whether the `((` at a place is closed by `))`, as that of a calculation is."""
        if self.text[at : at + 2] != "((":
            return False
        nesting = 0
        for i in range(at, self.end):
            char = self.text[i]
            if char == "(":
                nesting += 1
            elif char == ")":
                nesting -= 1
                if nesting == 1:
                    return self.text[i + 1 : i + 2] == ")"
        return False

    # ── here-documents ───────────────────────────────────────────────────────────────────────────────────────

    def heredoc(self, words: tuple[str, ...], *, tabs: bool) -> None:
        """The mark after `<<`; the body is read at the end of the line."""
        while self.at < self.end and self.text[self.at] in " \t":
            self.at += 1
        raw = self.word(_Around(place=Place.UNCLEAR, clue="in the end mark of a here-document"))
        mark = re.sub(r"\\(.)|['\"]", r"\1", raw)
        doc = Heredoc(mark, any(c in raw for c in "\\'\""), tabs, self.depth > 1, words)
        self._waiting.append(doc)

    def newline(self) -> None:
        """Step over the end of a line and over the here-documents that begin after it."""
        self.at += 1
        waiting, self._waiting = self._waiting, []
        for doc in waiting:
            self._body(doc)

    def _body(self, doc: Heredoc) -> None:
        doc.start = at = self.at
        while at < self.end:
            stop = self.text.find("\n", at, self.end)
            stop = self.end if stop < 0 else stop
            line = self.text[at:stop]
            if (line.lstrip("\t") if doc.tabs else line) == doc.mark:
                break
            at = stop + 1
        else:
            self.unclosed.append((doc.start, doc.mark))
        doc.end = min(at, self.end)
        self.heredocs.append(doc)
        outer, self._here = self._here, True
        limit, self.end = self.end, doc.end
        around = _Around(words=("<<", *doc.words), start=doc.start)
        while self.at < self.end:
            if self.at in self.holes:
                self.hole(Place.HERE_QUOTED if doc.quoted else Place.HERE, around)
            elif doc.quoted:
                self.at += 1
            else:
                self._in_double(self.text[self.at], around)
        self.end, self._here = limit, outer
        self.at = min(doc.end + len(self.text[doc.end : self.end].split("\n", 1)[0]), self.end)


class _Commands:
    """A list of commands: knows where a command begins, and follows `case` and `[[`."""

    def __init__(self, scanner: _Scanner, close: str) -> None:
        self.s = scanner
        self.close = close
        self.words: list[str] = []
        self.cases: list[str] = []  # for each open `case` what comes next: "subject", "in", "pattern" or "body"

    def read(self) -> bool:
        """Read up to the closing bracket; false where there is none."""
        s = self.s
        while s.at < s.end:
            char = s.text[s.at]
            if s.at in s.holes:
                self.word()
            elif char in " \t\r":
                s.at += 1
            elif char == "\n":
                s.newline()
                self.ended()
            elif char == "\\" and s.text[s.at + 1 : s.at + 2] == "\n":
                s.at += 2
            elif char == "#":
                s.comment()
            elif char == ")" and not self.pattern() and self.close == ")":
                s.at += 1
                return True
            elif char in "()":
                self.bracket(char)
            elif char in ";&|":
                self.operator()
            elif char in "<>":
                self.redirection()
            else:
                self.word()
        if s._waiting:  # a here-document whose body never comes
            s.unclosed.extend((s.end, doc.mark) for doc in s._waiting)
            s._waiting = []
        return False

    def pattern(self) -> bool:
        return bool(self.cases) and self.cases[-1] == "pattern"

    def ended(self) -> None:
        self.words.clear()

    def bracket(self, char: str) -> None:
        s = self.s
        if char == "(" and (not self.words or self.words == ["for"]) and s._is_arithmetic(s.at):
            s.at += 2
            s.arithmetic("))")
            return
        s.at += 1
        if char == ")":
            if self.pattern():
                self.cases[-1] = "body"
        elif not self.pattern():
            s.commands(")")
        self.ended()

    def operator(self) -> None:
        s = self.s
        if s.text.startswith("&>", s.at):
            s.at += 1
            self.redirection()
            return
        three = s.text[s.at : s.at + 3]
        for end in (";;&", ";;", ";&"):
            if three.startswith(end) and self.cases and self.cases[-1] == "body":
                self.cases[-1] = "pattern"
                s.at += len(end)
                self.ended()
                return
        s.at += 1
        self.ended()

    def redirection(self) -> None:
        s = self.s
        text = s.text
        if text[s.at + 1 : s.at + 2] == "(" and text[s.at] in "<>":
            s.at += 2
            s.commands(")")
            self.words.append("<()")
        elif text.startswith("<<<", s.at):
            s.at += 3
            self.target(redirect=False)
        elif text.startswith("<<", s.at):
            tabs = text.startswith("<<-", s.at)
            s.at += 3 if tabs else 2
            s.heredoc(tuple(self.words), tabs=tabs)
        else:
            s.at += 1
            while s.at < s.end and s.text[s.at] in "<>&|" and s.at not in s.holes:
                s.at += 1
            self.target(redirect=True)

    def target(self, *, redirect: bool) -> None:
        s = self.s
        while s.at < s.end and (s.text[s.at] in " \t" or s.text.startswith("\\\n", s.at)):
            s.at += 1 if s.text[s.at] in " \t" else 2
        if s.text[s.at : s.at + 2] in ("<(", ">("):
            self.redirection()
        elif s.at < s.end and (s.at in s.holes or s.text[s.at] not in _WORD_END):
            s.word(_Around(words=tuple(self.words), single=not redirect, redirect=redirect))

    def word(self) -> None:
        """One word of a command, or what it opens."""
        s = self.s
        first = not self.words
        case = self.cases[-1] if self.cases else ""
        around = _Around(words=tuple(self.words), command=first)
        if case == "pattern":
            around.single = True
        elif case == "subject":
            around.single, around.command = True, False
        elif self.words:
            self._argument(around)
        raw = s.word(around)
        if raw == "":
            s.at += 1
        elif case in ("subject", "in", "pattern"):
            self._case_word(case, raw)
        elif s.text[s.at : s.at + 1] in ("<", ">") and _DESCRIPTOR.fullmatch(raw):
            pass  # `2>` is a redirection
        elif first:
            self._first_word(raw)
        else:
            self.words.append(raw)

    def _argument(self, around: _Around) -> None:
        """What a command does with its arguments, as far as it matters for quoting."""
        name = self.words[0]
        if name in _TESTS:
            around.single = True
        elif name in _AGAIN:
            around.place, around.clue = Place.AGAIN, f"in what `{name}` runs"
        elif name == "let":
            around.place = Place.OPERAND

    def _case_word(self, case: str, raw: str) -> None:
        if case == "subject":
            self.cases[-1] = "in"
        elif case == "in" and raw == "in":
            self.cases[-1] = "pattern"
        elif case == "pattern" and raw == "esac":
            self.cases.pop()

    def _first_word(self, raw: str) -> None:
        if raw == "case":
            self.cases.append("subject")
        elif raw == "esac" and self.cases:
            self.cases.pop()
        elif raw == "[[":
            self.conditional()
        elif raw in _LEADING or raw in _WRAPPING or _ASSIGNS.match(raw):
            pass  # another command, or the same one, begins after it
        else:
            self.words.append(raw)

    def conditional(self) -> None:
        """The words of `[[ … ]]`: each is one word, brackets and signs are operators."""
        s = self.s
        while s.at < s.end:
            char = s.text[s.at]
            if s.at not in s.holes and (char in _WORD_END or char == "\r"):
                s.at += 1
            elif s.word(_Around(words=("[[",), single=True)) == "]]":
                return
