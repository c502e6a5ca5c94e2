"""The moving part of a terminal during a run: a bar per rule, what runs now, time left; all else scrolls above."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from time import monotonic
from typing import Final, NamedTuple

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.segment import Segment
from rich.style import Style
from rich.text import Text

from flowrules.model.plan import Plan
from flowrules.model.progress import Blocks, JobEnded, JobStarted, RunSummary
from flowrules.show.output import Output
from flowrules.show.progress import PlainObserver
from flowrules.show.tally import RuleCount, State
from flowrules.show.text import cells, counted, escape, pad, shorten, shorten_middle
from flowrules.show.units import clock_time, human_hours, human_rate, human_time

REFRESH: Final = 0.125
"""Seconds between two pictures at least."""

FEW: Final = 50
"""Jobs of a run whose ends are all told, line by line."""

RULES: Final = 8
"""Rules that have a bar."""

JOBS: Final = 6
"""Running jobs that are named."""

BLOCKS: Final = 4
"""Blocks of a campaign that have a line."""

BAR: Final = 30
"""Columns of a bar at most; on a narrow terminal it is shorter, then left out."""

DIM: Final = "bright_black"

Piece = tuple[str, str]
"""Text with the name of a style of rich."""


class Glyphs(NamedTuple):
    """Characters of bars and marks."""

    full: str = "━"
    rest: str = "─"
    mark: str = "●"
    done: str = "✓"
    block: str = "◆"


ASCII: Final = Glyphs("=", "-", "*", "+", "#")

_ORDER: Final = ("runs", "ends", "waits", "made")
_BLOCK_STYLES: Final = {"runs": "green", "ends": "yellow", "waits": "cyan", "made": DIM}


class LiveObserver(PlainObserver):
    """Bars, running jobs, rate and time left at the bottom of a terminal; failures and messages scroll above them.

    Args:
        console: where to draw; by default made of the output.
    """

    refresh_seconds: float | None = 0.5

    def __init__(
        self,
        output: Output,
        *,
        verbose: bool = False,
        commands: bool = False,
        clock: Callable[[], float] = monotonic,
        console: Console | None = None,
    ) -> None:
        super().__init__(output, verbose=verbose, commands=commands, clock=clock)
        self._glyphs = Glyphs() if output.unicode else ASCII
        self._console = console or Console(
            file=output.stream,
            force_terminal=True,
            no_color=not output.color,
            highlight=False,
            markup=False,
            emoji=False,
        )
        self._live = Live(
            _Region(self),
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            vertical_overflow="crop",
        )
        self._drawn = float("-inf")
        self._look: Callable[[], Blocks] | None = None

    def blocks(self, look: Callable[[], Blocks]) -> None:
        self._look = look

    def plan_ready(self, plan: Plan) -> None:
        super().plan_ready(plan)
        if self.tally.total and not self._live.is_started:
            self._live.start()
        self._refresh()

    def job_started(self, event: JobStarted) -> None:
        super().job_started(event)
        self._refresh()

    def job_ended(self, event: JobEnded) -> None:
        super().job_ended(event)
        self._refresh()

    def tick(self) -> None:
        super().tick()
        self._refresh()

    def finished(self, summary: RunSummary) -> None:
        self.close()
        super().finished(summary)

    def close(self) -> None:
        self._live.stop()

    def show(self, text: str) -> None:
        if not self.output.gone:
            self._above(text)

    def show_done(self, event: JobEnded) -> None:
        if self.verbose or self.tally.total <= FEW:
            self.show(f"{self._glyphs.done} {escape(event.label)} {human_time(event.elapsed)}")

    def position(self) -> str:
        """The bars show how far it is."""
        return ""

    def _above(self, text: str) -> None:
        if not self._live.is_started:
            self.output.line(text)
            return
        self.output.keep(f"{text}\n")
        try:
            self._console.print(Text.from_ansi(text), soft_wrap=True)
        except OSError as error:
            self.output.give_up(error)

    def _refresh(self) -> None:
        now = self.tally.clock()
        if now - self._drawn < REFRESH or not self._live.is_started or self.output.gone:
            return
        self._drawn = now
        try:
            self._live.refresh()
        except OSError as error:  # the terminal is gone
            self.output.give_up(error)

    # ── the picture ──────────────────────────────────────────────────────────────────────────────────────────────

    def picture(self, width: int, height: int) -> Iterator[list[Piece]]:
        """Lines of the region, none wider than ``width`` cells, at most ``height`` of them."""
        room = max(height - 3, 1)
        rules = [row for row in self.tally.rules.values() if row.total]
        rows = self._chosen(rules, min(RULES, max(room // 2, 1))) if len(rules) > 1 and room > 2 else []
        rows.append(RuleCount("total", [self.tally.count(state) for state in State]))
        names = min(max(cells(escape(row.name)) for row in rows), max(width // 3, 8))
        digits = 2 * len(f"{self.tally.total:,}") + 1
        notes = 12 if rows[-1].counts[State.FAILED] else 0
        bar = min(BAR, width - names - digits - notes - 4)
        for row in rows[:-1]:
            yield _clipped(self._bar(row, names, bar, digits), width)
        last, pace = self._bar(rows[-1], names, bar, digits), self._pace()
        beside = sum(cells(text) for text, _ in last) + 2 + cells(pace) <= width
        yield _clipped([*last, (f"  {pace}", DIM)] if beside else last, width)
        if not beside and height > 3:
            yield _clipped([(pace, DIM)], width)
        room -= len(rows) + 1
        if self._look is not None and room > 2:
            lines = list(self._blocks(self._look(), min(BLOCKS, room // 2), width))
            room -= len(lines)
            yield from lines
        yield from self._jobs(max(min(JOBS, room), 0), width)

    def _chosen(self, rules: list[RuleCount], most: int) -> list[RuleCount]:
        """Rules that get a bar: those that run first, then those that wait; always in the order of the plan."""
        if len(rules) <= most:
            return rules
        ranked = sorted(rules, key=lambda row: (not row.counts[State.RUNNING], not row.counts[State.WAITING]))[:most]
        chosen = {row.name for row in ranked}
        return [row for row in rules if row.name in chosen]

    def _bar(self, row: RuleCount, names: int, bar: int, digits: int) -> list[Piece]:
        total, settled, failed = row.total, row.settled, row.counts[State.FAILED]
        pieces: list[Piece] = [(pad(shorten(escape(row.name), names), names), "bold" if row.name == "total" else "")]
        if bar >= 6:
            full = bar * settled // total if total else bar
            style = "red" if failed else "green" if settled == total else "cyan"
            pieces += [("  " + self._glyphs.full * full, style), (self._glyphs.rest * (bar - full), DIM)]
        pieces.append((f"  {f'{settled:,}/{total:,}':>{digits}}", ""))
        if failed:
            pieces.append((f"  {failed:,} failed", "red"))
        return pieces

    def _pace(self) -> str:
        """Rate, time left and time gone."""
        tally = self.tally
        if tally.started is None:
            return ""
        gone = tally.clock() - tally.started
        left = tally.remaining_seconds() if tally.settled < tally.total else None
        rate = human_rate(tally.settled / gone) if gone > 1 and tally.settled > 2 else ""
        parts = [rate, f"{clock_time(left)} left" if left is not None else "", clock_time(gone)]
        return "  ".join(part for part in parts if part)

    def _blocks(self, blocks: Blocks, most: int, width: int) -> Iterator[list[Piece]]:
        """Blocks with where they are, those that run first; of those without a line the number."""
        order = sorted(blocks.lines, key=lambda line: _ORDER.index(line.state))
        for line in order[:most]:
            queue = f" in {escape(line.queue)}" if line.queue and line.state == "waits" else ""
            left = f"  {clock_time(line.left)} left" if line.left is not None and line.state == "runs" else ""
            batch = f"  {escape(line.batch)}" if line.batch else ""
            told = f" {line.state}{queue}{batch}  {counted(line.nodes, 'node')}  {counted(line.held, 'job')}{left}"
            yield _clipped([(f"{self._glyphs.block} {line.name}", _BLOCK_STYLES[line.state]), (told, DIM)], width)
        if blocks.lines or blocks.node_hours:
            more = f"{counted(len(order) - most, 'more block')}  " if len(order) > most else ""
            yield [(shorten(f"  {more}{human_hours(blocks.node_hours)} node-hours so far", width), DIM)]

    def _jobs(self, most: int, width: int) -> Iterator[list[Piece]]:
        running, now = self.tally.running, self.tally.clock()
        for event, since in islice(running.values(), most):
            node = f"  {event.node}" if event.node else ""
            gpus = f"{node}  gpu {','.join(event.gpus)}" if event.gpus else node
            attempt = f"  attempt {event.attempt}" if event.attempt > 1 else ""
            detail = f"{escape(gpus)}{attempt}  {clock_time(now - since)}"
            label = shorten_middle(escape(event.label), max(width - cells(detail) - 3, 8))
            yield _clipped([(self._glyphs.mark, "cyan"), (f" {label}", ""), (detail, DIM)], width)
        if len(running) > most > 0:
            yield [(shorten(f"  … {len(running) - most:,} more running", width), DIM)]


class _Region:
    """What rich draws: asks the observer for the picture of now."""

    def __init__(self, observer: LiveObserver) -> None:
        self._observer = observer

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in self._observer.picture(options.max_width - 1, options.size.height):
            for text, style in line:
                yield Segment(text, Style.parse(style) if style else None)
            yield Segment.line()


def _clipped(pieces: list[Piece], width: int) -> list[Piece]:
    """Pieces that fit into ``width`` cells."""
    room = width
    fitted = []
    for text, style in pieces:
        text = shorten(text, room)
        room -= cells(text)
        if text:
            fitted.append((text, style))
    return fitted
