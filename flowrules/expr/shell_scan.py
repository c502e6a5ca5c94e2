"""Reads shell text once to tell for every placeholder in it what quoting the shell expects there.

Knows words, quotes, expansions, here-documents, comments, `case`, `[[ ]]` and arithmetic of bash and POSIX shells;
commands are neither checked nor understood. What it cannot tell it says so, and the placeholder is refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from flowrules.expr.shell_expand import Expansions
from flowrules.expr.shell_quote import Place
from flowrules.expr.shell_sites import Around, Heredoc, Scan, Site
from flowrules.expr.shell_words import ASSIGNS, WORD_END

_DESCRIPTOR: Final = re.compile(r"\d+|\{\w+\}")
_LEADING: Final = frozenset({"if", "then", "elif", "else", "do", "while", "until", "!", "time", "{", "}", "fi", "done"})
_WRAPPING: Final = frozenset({"command", "builtin", "exec", "nohup", "time"})
_AGAIN: Final = frozenset({"eval", "trap", "alias"})
_TESTS: Final = frozenset({"[", "test"})


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


class _Scanner(Expansions):
    """The part of a pass over a text that reads commands, comments and here-documents."""

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
        self.literal_hole(self.at, stop, Place.COMMENT, Around())

    def heredoc(self, words: tuple[str, ...], *, tabs: bool) -> None:
        """The mark after `<<`; the body is read at the end of the line."""
        while self.at < self.end and self.text[self.at] in " \t":
            self.at += 1
        raw = self.word(Around(place=Place.UNCLEAR, clue="in the end mark of a here-document"))
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
        outer, self._here, self._tabs = self._here, True, doc.tabs
        limit, self.end = self.end, doc.end
        around = Around(words=("<<", *doc.words), start=doc.start)
        while self.at < self.end:
            if self.at in self.holes:
                self.hole(Place.HERE_QUOTED if doc.quoted else Place.HERE, around)
            elif doc.quoted:
                self.at += 1
            else:
                self.in_double(self.text[self.at], around)
        self.end, self._here, self._tabs = limit, outer, False
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
        if char == "(" and (not self.words or self.words == ["for"]) and s.is_arithmetic(s.at):
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
        elif s.at < s.end and (s.at in s.holes or s.text[s.at] not in WORD_END):
            s.word(Around(words=tuple(self.words), single=not redirect, redirect=redirect))

    def word(self) -> None:
        """One word of a command, or what it opens."""
        s = self.s
        first = not self.words
        case = self.cases[-1] if self.cases else ""
        around = Around(words=tuple(self.words), command=first)
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

    def _argument(self, around: Around) -> None:
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
        elif raw in _LEADING or raw in _WRAPPING or ASSIGNS.match(raw):
            pass  # another command, or the same one, begins after it
        else:
            self.words.append(raw)

    def conditional(self) -> None:
        """The words of `[[ … ]]`: each is one word, brackets and signs are operators."""
        s = self.s
        while s.at < s.end:
            char = s.text[s.at]
            if s.at not in s.holes and (char in WORD_END or char == "\r"):
                s.at += 1
            elif s.word(Around(words=("[[",), single=True)) == "]]":
                return
