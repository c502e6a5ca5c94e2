"""Reads the expansions of shell text: `$(…)`, `${…}`, `$((…))`, `$'…'` and backticks."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from flowrules.expr.shell_quote import Place
from flowrules.expr.shell_sites import Around
from flowrules.expr.shell_words import Words

_PARAMETER: Final = re.compile(r"[#!]?(?:[A-Za-z_]\w*|\d+|[@*#?$!-])?")
_OPERATOR: Final = re.compile(r":?[-=+?]|##?|%%?|:|")


class Expansions(Words):
    """The part of a pass over a text that reads expansions."""

    def dollar(self, around: Around, *, quoted: bool) -> None:
        """What begins with `$`."""
        after = self.text[self.at + 1 : self.at + 2] if self.at + 1 < self.end else ""
        if after == "(" and self.is_arithmetic(self.at + 1):
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

    def ansi_quotes(self, around: Around) -> None:
        opened = self.at
        self.at += 2
        while self.at < self.end and (self.at in self.holes or self.text[self.at] != "'"):
            if self.at in self.holes:
                self.hole(Place.ANSI, replace(around, place=Place.BARE), clue="in `$'…'`")
            elif self.text[self.at] == "\\":
                self.escape(around)
            else:
                self.at += 1
        self.closed(opened, "$'")

    def backticks(self, around: Around) -> None:
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
        self.closed(opened, "`")

    def parameter(self, around: Around, *, quoted: bool) -> None:
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
        self.closed(opened, "${")

    def _parameter_word(self, around: Around, place: Place, *, quoted: bool) -> None:
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
                self.in_double(char, around)

    def arithmetic(self, close: str) -> None:
        """An arithmetic expression up to ``close``, which is stepped over."""
        opened, nesting = self.at, 0
        self.deeper()
        around = Around(single=True)
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
                self.in_double(char, around)
        self.depth -= 1
        if self.at >= self.end:
            self.unclosed.append((opened, close))
        self.at += len(close)

    def is_arithmetic(self, at: int) -> bool:
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
