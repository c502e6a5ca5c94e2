"""What is shown while a call loads and plans for long: one line on a terminal, a few calm lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Final

from flowrules.show.output import Output
from flowrules.show.text import escape, shorten
from flowrules.show.units import clock_time

if TYPE_CHECKING:
    import threading

PATIENCE: Final = 1.0
"""Seconds before anything is shown on a terminal: most calls have planned by then."""

REFRESH: Final = 0.2
"""Seconds between two pictures on a terminal."""

FIRST_LINE: Final = 30.0
"""Seconds before the first line elsewhere; the next ones come after twice the time of the one before."""


class ShownStages:
    """Stages as they are told, and shown on a stream by a thread of its own while this is entered.

    That thread only reads counts, so who works is not held up. What it drew on a terminal is gone before anything else
    is written there.

    Args:
        output: where; None for standard error, so that what is printed in the end can be piped.
        clock: seconds.
    """

    def __init__(self, output: Output | None = None, clock: Callable[[], float] = monotonic) -> None:
        self._output = output
        self._clock = clock
        self._stage: tuple[str, Callable[[], int] | None, int] = ("", None, 0)
        self._beside = ""
        self._since: float | None = None
        self._before = 0.0
        self._line_at = FIRST_LINE
        self._threads: list[tuple[threading.Thread, threading.Event]] = []

    def enter(self, what: str, done: Callable[[], int] | None = None, of: int = 0) -> None:
        """See `flowrules.ports.Stages`."""
        self._stage, self._beside = (what, done, of), ""

    def beside(self, what: str) -> None:
        """See `flowrules.ports.Stages`."""
        self._beside = what

    def __enter__(self) -> ShownStages:
        import threading  # 2 ms that a call which plans nothing does not spend

        if self._since is None:
            self._since = self._clock()
        over = threading.Event()
        thread = threading.Thread(target=self._show, args=(over,), name="stages", daemon=True)
        thread.start()
        self._threads.append((thread, over))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        thread, over = self._threads.pop()
        over.set()
        thread.join()
        self._stage, self._beside = ("", None, 0), ""
        if not self._threads:
            self._before, self._since = self.gone, None

    @property
    def gone(self) -> float:
        """Seconds for which this was entered; what was done in between, such as a run, is none of it."""
        return self._before + (0.0 if self._since is None else self._clock() - self._since)

    def line(self) -> str:
        """What is told now, with the seconds gone; "" where no stage was entered."""
        what, done, of = self._stage
        if not what:
            return ""
        number = done() if done is not None else 0
        count = f": {number:,}{f' of {of:,}' if of else ''}" if number else ""
        beside = f" ({escape(self._beside)})" if self._beside else ""
        return f"{what}{count}{beside}  {clock_time(self.gone)}"

    def _show(self, over: threading.Event) -> None:
        output = self._output or Output.of(sys.stderr)
        if output.terminal:
            self._draw(output, over)
        else:
            self._tell(output, over)

    def _draw(self, output: Output, over: threading.Event) -> None:
        drawn = False
        pause = PATIENCE - self.gone
        while not over.wait(max(pause, REFRESH)):
            pause = REFRESH
            if text := self.line():
                output.write(f"\r{shorten(text, (output.columns or 80) - 1)}\x1b[K")
                drawn = True
        if drawn:
            output.write("\r\x1b[K")

    def _tell(self, output: Output, over: threading.Event) -> None:
        while not over.wait(max(self._line_at - self.gone, 0)):
            if text := self.line():
                output.line(text)
            self._line_at = max(2 * self._line_at, self.gone)
