"""Reads the words of shell text: quotes, escapes, arrays, and the placeholders in them.

Expansions and commands, which words contain and which contain words, are read by subclasses.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from flowrules.expr.shell_quote import Place
from flowrules.expr.shell_sites import Around, Heredoc, Site, TooDeep

MAX_DEPTH: Final = 60
"""How deeply expansions may nest."""

_LEXICAL: Final = (Place.BARE, Place.DOUBLE, Place.SINGLE)
_IN_SINGLE: Final = re.compile(r"[^'{]*")
_IN_DOUBLE: Final = re.compile(r"[^\"\\$`{}()\[\]']*")
_PLAIN: Final = re.compile(r"[^\s\\'\"$`(){}<>;&|#\[\]?*+@!=~]+")
WORD_END: Final = frozenset(" \t\n;&|<>()")
ASSIGNS: Final = re.compile(r"[A-Za-z_]\w*(?:\[[^\]]*\])?\+?=")
_SUBSCRIPT: Final = re.compile(r"[A-Za-z_]\w*\Z")
_VARIABLE: Final = re.compile(r"(?<![\\$])\$[A-Za-z_]\w*\Z")
_DECLARING: Final = frozenset({"export", "local", "readonly", "declare", "typeset", "env"})
_COMPARES: Final = re.compile(r"[\"']?\s+-(?:eq|ne|lt|le|gt|ge)\b")
_COMPARED: Final = re.compile(r"\s-(?:eq|ne|lt|le|gt|ge)\s+[\"']?\Z")


class Words(ABC):
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
        self._tabs = False  # in a here-document with `<<-`
        self._in_here = False  # in a command in such a text

    def hole(self, place: Place, around: Around, *, braces: bool = False, clue: str = "") -> None:
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
            tabs=self._tabs,
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

    def literal_hole(self, start: int, stop: int, place: Place, around: Around, clue: str = "") -> None:
        """Record every hole in a range whose text is not looked at, and step to its end."""
        while self.at < stop:
            if self.at in self.holes:
                self.hole(place, around, clue=clue)
            else:
                self.at += 1
        self.at = max(self.at, stop)

    def skip(self, pattern: re.Pattern[str]) -> None:
        """Step over one character and those after it that mean nothing."""
        found = pattern.match(self.text, self.at + 1, self.end)
        self.at = found.end() if found else self.at + 1

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise TooDeep(self.at)

    def word(self, around: Around) -> str:
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
            if char in WORD_END:
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

    def _assigning(self, around: Around, begin: int, at: int) -> Around:
        declares = bool(around.words) and around.words[0] in _DECLARING
        if (around.command or declares) and not around.single and ASSIGNS.match(self.text, begin, at):
            return replace(around, single=True, command=False)
        return around

    def _opens_in_word(self, around: Around, begin: int, at: int) -> bool:
        """Whether a bracket belongs to the word: an array's elements, or a pattern such as `@(a|b)`."""
        before = self.text[at - 1] if at > begin else ""
        if before == "=" and ASSIGNS.fullmatch(self.text, begin, at):
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
            elif char in WORD_END:
                self.at += 1
            else:
                self.word(Around(words=("(",)))
        self.at += 1
        self.depth -= 1

    def pattern_group(self, around: Around) -> None:
        self.deeper()
        inside = replace(around, single=True)
        while self.at < self.end and self.text[self.at] != ")":
            if self.text[self.at] in WORD_END:
                self.at += 1
            else:
                self.word(replace(inside))
        self.at += 1
        self.depth -= 1

    def piece(self, char: str, around: Around, begin: int) -> None:
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

    def escape(self, around: Around) -> None:
        """A backslash and what it takes the meaning from."""
        self.at += 1
        if self.at in self.holes:
            self.hole(Place.UNCLEAR, replace(around, place=Place.BARE), clue="after a backslash")
        else:
            self.at += 1

    def single_quotes(self, around: Around, begin: int) -> None:
        opened = self.at
        self.at += 1
        first = self.at
        while self.at < self.end and (self.at in self.holes or self.text[self.at] != "'"):
            if self.at in self.holes:
                self.hole(Place.SINGLE, around)
            else:
                self.skip(_IN_SINGLE)
        self.closed(opened, "'")
        self._mark_whole(opened, first, begin)

    def double_quotes(self, around: Around, begin: int) -> None:
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
            self.in_double(char, around)
        self.depth -= 1
        self.closed(opened, '"')
        self._mark_whole(opened, first, begin)

    def in_double(self, char: str, around: Around) -> None:
        if char == "\\":
            self.escape(around)
        elif char == "$":
            self.dollar(around, quoted=True)
        elif char == "`":
            self.backticks(around)
        else:
            self.skip(_IN_DOUBLE)

    def closed(self, opened: int, char: str) -> None:
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
        if after == "" or after in WORD_END:
            site.start, site.end, site.whole = opened, self.at, True

    @abstractmethod
    def dollar(self, around: Around, *, quoted: bool) -> None:
        """Read what begins with `$`."""

    @abstractmethod
    def backticks(self, around: Around) -> None:
        """Read a command in backticks."""

    @abstractmethod
    def arithmetic(self, close: str) -> None:
        """Read an arithmetic expression up to ``close``, and that too."""

    @abstractmethod
    def commands(self, close: str) -> None:
        """Read commands up to an unquoted ``close`` (`)`, or nothing for the end of the text), and that too."""

    @abstractmethod
    def comment(self) -> None:
        """Read the rest of a line that is a comment."""
