"""The one place that writes to a stream: knows whether it is a terminal, its colours, its width and its characters."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TextIO

_ASCII: Final = str.maketrans(
    {
        "→": "->",
        "←": "<-",
        "…": "...",
        "·": "-",
        "–": "-",
        "—": "-",
        "×": "x",
        "✓": "+",
        "✗": "x",
        "●": "*",
        "○": "o",
        "◐": "%",
        "◆": "#",
        "│": "|",
        "├": "|",
        "└": "`",
        "─": "-",
        "━": "=",
        "╸": "=",
        "“": '"',
        "”": '"',
        "’": "'",
        "≥": ">=",
        "≤": "<=",
    }
)

_COLORS: Final = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(slots=True)
class Output:
    """A stream with what may be written to it.

    Attributes:
        terminal: somebody looks at it, and it can move its cursor.
        color: ANSI colours are welcome.
        unicode: characters beyond ASCII can be written; others are spelt out.
        columns: its width; None where it has none (a pipe, a file).
        copy: a file that is given the same text, without colours.
        gone: nothing can be written to it any more: whoever read it went away, or see ``lost``.
        lost: what could not be written, and why; "" where nothing is missing that somebody would have read.
    """

    stream: TextIO
    terminal: bool = False
    color: bool = False
    unicode: bool = True
    columns: int | None = None
    copy: TextIO | None = None
    gone: bool = False
    lost: str = ""

    @classmethod
    def of(cls, stream: TextIO, env: Mapping[str, str] | None = None) -> Output:
        """What a stream is, by asking it and the environment: NO_COLOR, TERM and COLUMNS are honoured."""
        env = os.environ if env is None else env
        tty = stream.isatty()
        able = tty and env.get("TERM") not in ("dumb", "", None)
        encoding = (getattr(stream, "encoding", None) or "ascii").lower().replace("-", "").replace("_", "")
        return cls(
            stream,
            terminal=able,
            color=able and not env.get("NO_COLOR"),
            unicode=encoding.startswith("utf"),
            columns=_columns(stream, env) if tty else None,
        )

    def write(self, text: str) -> None:
        """Write text as it is. A stream that takes no more is given up: the run that speaks on it goes on."""
        self.keep(text)
        if not self.unicode and not text.isascii():
            text = text.translate(_ASCII).encode("ascii", "backslashreplace").decode("ascii")
        if self.gone:
            return
        try:
            try:
                self.stream.write(text)
            except UnicodeEncodeError:
                self.stream.write(text.encode("utf-8", "backslashreplace").decode("utf-8"))
            self.stream.flush()
        except OSError as error:
            self.give_up(error)

    def give_up(self, error: OSError) -> None:
        """Write no more: a reader that went away (`| head`) wants no more, a full disk is remembered as a loss."""
        self.gone = True
        if not isinstance(error, BrokenPipeError):
            self.lost = f"the output could not be written: {(error.strerror or str(error)).lower()}"
        _to_nowhere(self.stream)

    def close(self) -> None:
        """Close the copy; the stream is not ours."""
        if self.copy is not None:
            self.copy.close()
            self.copy = None

    def keep(self, text: str) -> None:
        """Write text to the copy alone."""
        if self.copy is None:
            return
        try:
            self.copy.write(_COLORS.sub("", text))
            self.copy.flush()
        except OSError as error:
            self.lost = f"`{self.copy.name}` could not be written: {(error.strerror or str(error)).lower()}"
            _to_nowhere(self.copy)
            self.copy = None

    def line(self, text: str = "") -> None:
        """Write text and end the line."""
        self.write(f"{text}\n")

    def text(self, text: str) -> None:
        """Write text and end the line; nothing at all for ""."""
        if text:
            self.line(text)


def _columns(stream: TextIO, env: Mapping[str, str]) -> int | None:
    asked = env.get("COLUMNS", "")
    if asked.isascii() and asked.isdigit() and int(asked) > 0:
        return int(asked)
    try:
        return os.get_terminal_size(stream.fileno()).columns or None
    except (OSError, ValueError):
        return None


def _to_nowhere(stream: TextIO) -> None:
    """Lead a broken stream to the null device, so that what it still holds raises nothing when it is closed."""
    try:
        number = stream.fileno()
    except (OSError, ValueError):
        return
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, number)
    os.close(null)
