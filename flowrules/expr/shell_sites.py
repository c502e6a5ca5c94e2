"""What a scan of shell text finds: the site of every placeholder, here-documents, and what is never closed."""

from __future__ import annotations

from dataclasses import dataclass

from flowrules.expr.shell_quote import Place


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
        tabs: it stands in a here-document from whose lines leading tabs are taken (`<<-`).
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
    tabs: bool = False
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


@dataclass(slots=True)
class Around:
    """What is known of a word while it is read."""

    words: tuple[str, ...] = ()
    start: int = 0
    single: bool = False
    redirect: bool = False
    command: bool = False
    place: Place = Place.BARE
    clue: str = ""
