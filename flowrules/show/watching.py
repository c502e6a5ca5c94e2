"""A look that is kept current on the whole terminal, as `status --watch` does."""

from __future__ import annotations

import os
import select
import shutil
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from flowrules.show.output import Output
from flowrules.show.text import counted

SECONDS: Final = 2.0
"""Between two looks."""

_ENTER: Final = "\x1b[?1049h\x1b[?25l"
"""The other screen, without a cursor."""

_LEAVE: Final = "\x1b[?25h\x1b[?1049l"
_LEAVERS: Final = frozenset({b"q", b"Q", b"\x1b", b"\x03", b"\x04"})


def watch(output: Output, look: Callable[[], str]) -> str:
    """Shows what ``look`` gives until `q`, Escape or Ctrl-C.

    Returns:
        The last look, to be left on the terminal.
    """
    text = look()
    with _screen(output):
        while not output.gone:
            _draw(output, text)
            if _key_within(SECONDS) in _LEAVERS:
                break
            text = look()
    return text


def _draw(output: Output, text: str) -> None:
    """One look, cut to the screen; lines are told not to wrap, so that each stays one."""
    room = shutil.get_terminal_size().lines - 3
    lines = text.split("\n")
    if len(lines) > room > 1:
        lines = [*lines[: room - 1], f"… {counted(len(lines) - room + 1, 'more line')}"]
    drawn = "".join([f"{line}\x1b[K\r\n" for line in (f"{time.strftime('%H:%M:%S')}   q leaves", "", *lines)])
    output.write(f"\x1b[?7l\x1b[H{drawn}\x1b[J\x1b[?7h")
    output.stream.flush()


@contextmanager
def _screen(output: Output) -> Iterator[None]:
    """The other screen, and keys one by one; the terminal is left as it was found."""
    before = termios.tcgetattr(sys.stdin) if sys.stdin.isatty() else None
    output.write(_ENTER)
    try:
        if before is not None:
            tty.setcbreak(sys.stdin)
        yield
    except KeyboardInterrupt:
        pass
    finally:
        if before is not None:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
        output.write(_LEAVE)
        output.stream.flush()


def _key_within(seconds: float) -> bytes:
    """The key that was pressed; nothing where none was."""
    if not sys.stdin.isatty():
        time.sleep(seconds)
        return b""
    ready, _, _ = select.select([sys.stdin], [], [], seconds)
    return os.read(sys.stdin.fileno(), 1) if ready else b""
