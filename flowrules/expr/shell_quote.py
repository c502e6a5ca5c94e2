"""Values as shell text: what each kind of value is made of, and how it is quoted for the place where it stands.

Written for bash and for POSIX shells such as dash; knows nothing of templates.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Final

from flowrules.expr.data import Row, items_of, kind_of
from flowrules.model.pattern import Pattern
from flowrules.model.values import Flagged, NamedList, Unknown


class Place(Enum):
    """Where in shell text a placeholder stands; this decides how a value is quoted."""

    BARE = "outside quotes"
    DOUBLE = "in double quotes"
    SINGLE = "in single quotes"
    HERE = "in a here-document"
    HERE_QUOTED = "in a here-document with quoted end mark"
    DEFAULT = "in a quoted `${name:-…}`"
    NUMBER = "in arithmetic"
    OPERAND = "where the shell computes with a word"
    COMMENT = "in a comment"
    PLAIN = "in text that no shell reads"
    ANSI = "in `$'…'`"
    BACKTICKS = "in backticks"
    AGAIN = "in text that the shell reads again"
    UNCLEAR = "where the quoting cannot be told"


class ValueProblem(Exception):
    """A value cannot be inserted; the message completes "`{x}` …"."""

    def __init__(self, message: str, hint: str | None = None, code: str = "F307") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code


_VARIABLE_FIRST: Final = "put it into a shell variable first"
RESERVED: Final = frozenset(
    {"if", "then", "elif", "else", "fi", "for", "while", "until", "do", "done", "case", "esac", "in", "select"}
    | {"function", "time", "coproc"}
)
"""Words that mean something to a shell where a command begins; those with signs are quoted anyway."""

_SAFE_COMMAS: Final = re.compile(r"[A-Za-z0-9_%+:,./@-]+").fullmatch
_SAFE_LIST: Final = re.compile(r"[A-Za-z0-9_%+:,./@ -]+").fullmatch
_NUMBER: Final = re.compile(r"-?[0-9][0-9A-Za-z_.]*").fullmatch
_DOUBLE: Final = re.compile(r'[\\"$`]').sub
_HERE: Final = re.compile(r"[\\$`]").sub


# ── what a value is made of ──────────────────────────────────────────────────────────────────────────────────────


def words_of(value: object) -> list[str]:
    """A value as text, one element a word; nothing for null and empty lists.

    Raises:
        ValueProblem: the value has no text.
    """
    if isinstance(value, str):
        return [str(value)]
    if value is None:
        return []
    if isinstance(value, bool):
        return ["true" if value else "false"]
    if isinstance(value, Flagged):
        return words_of(value.value)
    if isinstance(value, Unknown):
        raise ValueProblem("is not known before a checkpoint has run")
    if isinstance(value, Mapping | Row):
        raise ValueProblem(f"is {kind_of(value)}, which has no text", "name one of its entries")
    if isinstance(value, Pattern):
        raise ValueProblem(f"holds wildcards that have no value here: `{value}`")
    items = items_of(value)
    if items is None:
        return [str(value)]
    if isinstance(value, NamedList):
        return list(value)
    return [word for item in items for word in words_of(item)]


def paths_of(value: object) -> list[str]:
    """Like `words_of` for files: one that begins with `-` gets `./`, so that no program takes it for an option."""
    words = words_of(value)
    if any(word[:1] == "-" for word in words):
        return ["./" + word if word[:1] == "-" else word for word in words]
    return words


def is_many(value: object) -> bool:
    """Whether a value is a list, which stands for any number of words."""
    return items_of(value) is not None and not isinstance(value, str | Mapping | Row)


is_plain: Final = re.compile(r"[A-Za-z0-9_%+:./@-]+").fullmatch
"""Whether text needs no quotes in most places."""


def checked(text: str) -> str:
    """The text itself.

    Raises:
        ValueProblem: it holds a NUL, which no argument of a program can.
    """
    if "\0" in text:
        raise ValueProblem("holds a NUL character, which no command can", "remove it from the value")
    return text


# ── how it is quoted ─────────────────────────────────────────────────────────────────────────────────────────────


def word(text: str) -> str:
    """One shell word, quoted only where it must be; commas are no reason to."""
    return text if _SAFE_COMMAS(text) else "'" + text.replace("'", "'\\''") + "'"


def quoted_word(text: str) -> str:
    """One shell word, always in quotes."""
    return "'" + text.replace("'", "'\\''") + "'"


def braced_word(text: str) -> str:
    """One shell word inside a brace expansion, which reads commas and `..`."""
    return text if is_plain(text) and ".." not in text else quoted_word(text)


def command_word(text: str) -> str:
    """One shell word where a command begins, which must not be a word of the shell's grammar."""
    return quoted_word(text) if text in RESERVED else word(text)


def bare(words: Sequence[str]) -> str:
    """Words for a place outside quotes; one look at all of them where none needs quoting."""
    joined = " ".join(words)
    if _SAFE_LIST(joined) and joined.count(" ") == len(words) - 1 and "" not in words:
        return joined
    return " ".join(map(word, words))


def double(words: Sequence[str]) -> str:
    """Inside double quotes."""
    return _DOUBLE(r"\\\g<0>", " ".join(words))


def single(words: Sequence[str]) -> str:
    """Inside single quotes."""
    return " ".join(words).replace("'", "'\\''")


def here(words: Sequence[str]) -> str:
    """In a here-document whose end mark is not quoted."""
    return _HERE(r"\\\g<0>", " ".join(words))


def joined(words: Sequence[str]) -> str:
    """As it is, elements joined by blanks."""
    return " ".join(words)


def default(words: Sequence[str]) -> str:
    """In the word of a `"${name:-word}"`.

    Raises:
        ValueProblem: a value holds what bash cannot read there, however it is escaped.
    """
    text = " ".join(words)
    if "}" in text or "'" in text or "<(" in text or ">(" in text:
        raise ValueProblem("holds characters that cannot stand in a quoted `${…}`", _VARIABLE_FIRST)
    return double([text])


def double_in_array(words: Sequence[str]) -> str:
    """Inside double quotes in `name=( … )`, where bash doubles two control characters.

    Raises:
        ValueProblem: a value holds one of them.
    """
    text = " ".join(words)
    if "\x01" in text or "\x7f" in text:
        raise ValueProblem("holds a control character that bash cannot read there", _VARIABLE_FIRST)
    return double([text])


def in_stripped_heredoc(text: str) -> str:
    """Text for a here-document that `<<-` begins.

    Raises:
        ValueProblem: it has a tab that may come to stand at the start of a line, from where the shell takes it.
    """
    if text[:1] == "\t" or "\n\t" in text:
        raise ValueProblem("holds a tab that `<<-` takes away", "write `<<` instead")
    return text


def in_heredoc_command(text: str) -> str:
    """Text for a `$(…)` in a here-document, from which the shell takes every backslash before a line end.

    Raises:
        ValueProblem: it has one.
    """
    if "\\\n" in text:
        raise ValueProblem("holds a backslash before a line end, which a here-document takes away", _VARIABLE_FIRST)
    return text


def number(words: Sequence[str]) -> str:
    """Where the shell computes and would run commands hidden in anything but a number.

    Raises:
        ValueProblem: the value is no number.
    """
    text = " ".join(words)
    if not _NUMBER(text):
        raise ValueProblem(
            f"is no number: `{text}`; the shell computes there and may run what it reads",
            "put it into a shell variable first, or write `:raw`",
        )
    return text


def calculation(words: Sequence[str]) -> str:
    """In `$((…))`, where a sign could run into the one before it."""
    text = number(words)
    return f"({text})" if text[0] == "-" else text


def nothing(words: Sequence[str]) -> str:
    """In a comment."""
    return ""


def ansi(words: Sequence[str]) -> str:
    """Inside `$'…'`."""
    return " ".join(words).replace("\\", "\\\\").replace("'", "\\'")


def backticks(words: Sequence[str]) -> str:
    """Words of a command in backticks, which take one level of backslashes away."""
    return re.sub(r"[\\$`]", r"\\\g<0>", bare(words))


QUOTERS: Final[Mapping[Place, Callable[[Sequence[str]], str]]] = {
    Place.BARE: bare,
    Place.DOUBLE: double,
    Place.SINGLE: single,
    Place.HERE: here,
    Place.HERE_QUOTED: joined,
    Place.DEFAULT: default,
    Place.NUMBER: calculation,
    Place.OPERAND: number,
    Place.COMMENT: nothing,
    Place.PLAIN: joined,
    Place.ANSI: ansi,
    Place.BACKTICKS: backticks,
}
"""How values are written in each place; places that are not here refuse them."""

_ACTIVE: Final[Mapping[Place, re.Pattern[str]]] = {
    Place.SINGLE: re.compile("'"),
    Place.DOUBLE: re.compile(r'[\\"$`]'),
    Place.DEFAULT: re.compile(r'[\\"$`}]'),
    Place.HERE: re.compile(r"[\\$`]"),
}
_ACTIVE_BARE: Final = re.compile(r"[^A-Za-z0-9_%+:,./@=^-]")


def active_in(place: Place) -> re.Pattern[str] | None:
    """What finds a character that the shell reads in text inserted as written; None where it reads none."""
    if place in (Place.COMMENT, Place.PLAIN, Place.HERE_QUOTED):
        return None
    return _ACTIVE.get(place, _ACTIVE_BARE)
