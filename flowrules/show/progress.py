"""What a run says while it runs: calm lines in a pipe, only failures when quiet, events as JSON lines for programs.

A line for each job that ended is fine until they come faster than anybody reads: beyond `CALM` ends a second they are
added up to one line a second. Failures are always shown, the first `LOUD` with the end of their log.
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Iterator
from time import localtime, monotonic, strftime, time
from typing import Final

from flowrules.model.plan import Plan
from flowrules.model.progress import Blocks, JobEnded, JobStarted, RunSummary
from flowrules.model.record import Record
from flowrules.show.output import Output
from flowrules.show.tally import State, Tally
from flowrules.show.text import counted, escape, json_line, paint
from flowrules.show.units import human_time

CALM: Final = 20
"""Job ends a second that get a line each."""

LOUD: Final = 10
"""Failures that are shown with the end of their log, and listed at the end."""


# ── texts ────────────────────────────────────────────────────────────────────────────────────────────────────────


def exit_text(event: JobEnded | Record) -> str:
    """How an attempt failed: `exit status 1`, `killed by SIGKILL (out of memory?)`, or what else is known."""
    if event.exit < 0:
        try:
            name = signal.Signals(-event.exit).name
        except ValueError:
            name = f"signal {-event.exit}"
        text = f"killed by {name}{' (out of memory?)' if name == 'SIGKILL' else ''}"
    else:
        text = f"exit status {event.exit}" if event.exit else ""
    return ", ".join(part for part in (text, escape(event.error)) if part) or "failed"


def failure_lines(event: JobEnded, position: str, color: bool, tail: bool = True) -> Iterator[str]:
    """A failed attempt: which, how, the last lines of its log where ``tail``, and where the log is."""
    style, word = ("warning", "failed, will be tried again") if event.will_retry else ("error", "failed")
    attempt = f" (attempt {event.attempt})" if event.attempt > 1 or event.will_retry else ""
    what = f"{escape(event.label)}{attempt}: {exit_text(event)} after {human_time(event.elapsed)}"
    yield f"{position}{paint(word + ':', style, color)} {what}"
    if not tail:
        return
    for line in event.log_tail.rstrip("\n").split("\n") if event.log_tail.strip() else ():
        yield f"{paint('    |', 'dim', color)} {escape(line.rstrip().expandtabs(4))}".rstrip()
    if event.log:
        yield f"    log: {escape(event.log)}{'' if event.log_tail.strip() else ' (empty)'}"


def plan_line(tally: Tally) -> str:
    """`150 jobs to run: relax 100, score 49, summary 1`."""
    rows = [(row.name, row.total) for row in tally.rules.values() if row.total]
    named = ", ".join(f"{escape(name)} {number:,}" for name, number in rows[:8])
    more = f", {counted(len(rows) - 8, 'more rule')}" if len(rows) > 8 else ""
    return f"{counted(tally.total, 'job')} to run: {named}{more}" if rows else "nothing to do: everything is up to date"


def summary_lines(tally: Tally, failures: list[JobEnded], summary: RunSummary, color: bool) -> Iterator[str]:
    """How a run ended: counts, the failed jobs, and where to read on."""
    if summary.handed and not summary.interrupted:
        jobs, left = counted(summary.handed, "job"), tally.count(State.WAITING) - summary.handed
        more = f", {left:,} left to the next run" if left else ""
        yield f"{paint(f'submitted in {human_time(summary.elapsed)}:', 'good', color)} {jobs}{more}"
        return
    done, failed, skipped = tally.count(State.DONE), tally.count(State.FAILED), tally.count(State.SKIPPED)
    blocked, left = tally.count(State.BLOCKED), tally.count(State.WAITING) + tally.count(State.RUNNING)
    word, style = "done in", "good"
    if summary.interrupted:
        word, style = "interrupted after", "warning"
    elif failed:
        word, style = "failed after", "error"
    elif left:
        word, style = "stopped after", "warning"
    parts = [counted(done, "job") + ("" if style == "good" else " done")] if done or style != "good" else []
    if failed:
        parts.append(f"{failed:,} failed")
    if blocked:
        parts.append(f"{blocked:,} not run because of {'that' if failed == 1 else 'those'}")
    if left:
        parts.append(f"{left:,} not run")
    if skipped:
        parts.append(f"{skipped:,} {'not needed after all' if parts else 'found up to date'}")
    counts = ", ".join(parts) or "nothing had to run"
    yield f"{paint(f'{word} {human_time(summary.elapsed)}:', style, color)} {counts}"
    for event in failures[:LOUD]:
        log = f" (log: {escape(event.log)})" if event.log else ""
        yield f"  {escape(event.label)}: {exit_text(event)}{log}"
    if failed > LOUD:
        yield f"  … {failed - LOUD:,} more; `flowrules failures` groups them by likeness"
    if summary.interrupted and left:
        yield "what is done is recorded; the next run goes on from here"
    if summary.log and (failed or summary.interrupted):
        yield f"log of this run: {escape(summary.log)}"


# ── observers ────────────────────────────────────────────────────────────────────────────────────────────────────


class QuietObserver:
    """Says nothing but what went wrong."""

    refresh_seconds: float | None = None

    def __init__(self, output: Output, *, clock: Callable[[], float] = monotonic) -> None:
        self.output = output
        self.tally = Tally(clock)
        self.failures: list[JobEnded] = []
        self.failed = 0
        self.plans = 0

    def plan_ready(self, plan: Plan) -> None:
        self.tally.plan_ready(plan)
        self.plans += 1

    def job_started(self, event: JobStarted) -> None:
        self.tally.job_started(event)

    def job_ended(self, event: JobEnded) -> None:
        if not self.tally.job_ended(event):
            return
        if event.ok:
            self.show_done(event)
            return
        self.failed += 1
        if not event.will_retry and len(self.failures) < LOUD:
            self.failures.append(event)
        self.show_failed(event)

    def job_skipped(self, job: int) -> None:
        self.tally.settle(job, State.SKIPPED)

    def job_blocked(self, job: int, because: int) -> None:
        self.tally.settle(job, State.BLOCKED)

    def message(self, text: str) -> None:
        """Messages are for those who watch."""

    def blocks(self, look: Callable[[], Blocks]) -> None:
        """What is worth knowing of blocks comes as messages."""

    def warn(self, text: str) -> None:
        self.show(escape(text))

    def tick(self) -> None:
        """Nothing moves."""

    def finished(self, summary: RunSummary) -> None:
        if self.tally.count(State.FAILED) or summary.interrupted:
            self.show("\n".join(summary_lines(self.tally, self.failures, summary, self.output.color)))

    def close(self) -> None:
        """The terminal was left alone."""

    def show(self, text: str) -> None:
        """Write a text of one or more lines."""
        self.output.line(text)

    def show_done(self, event: JobEnded) -> None:
        """Show a success: quiet says nothing."""

    def show_failed(self, event: JobEnded) -> None:
        """Show a failure, the first ones with the end of their log."""
        self.show("\n".join(failure_lines(event, self.position(), self.output.color, self.failed <= LOUD)))

    def position(self) -> str:
        """`[ 12/150] `: how many jobs are settled, and of how many."""
        total = f"{self.tally.total}"
        return f"[{self.tally.settled:>{len(total)}}/{total}] "


class PlainObserver(QuietObserver):
    """A line with the time for each job that ended, added up where they come too fast to be read.

    Args:
        verbose, commands: as for `flowrules.show.observers.observer_for`; nothing is added up then.
        now: the time of day as text.
    """

    refresh_seconds: float | None = 1.0

    def __init__(
        self,
        output: Output,
        *,
        verbose: bool = False,
        commands: bool = False,
        clock: Callable[[], float] = monotonic,
        now: Callable[[], str] = lambda: strftime("%H:%M:%S", localtime(time())),
    ) -> None:
        super().__init__(output, clock=clock)
        self.verbose = verbose
        self.commands = commands
        self._now = now
        self._busy = False
        self._since = clock()
        self._lines = 0
        self._more: Counter[str] = Counter()

    def plan_ready(self, plan: Plan) -> None:
        before = self.tally.total
        super().plan_ready(plan)
        if self.plans == 1:
            self.show(plan_line(self.tally))
        elif self.tally.total != before:
            change = self.tally.total - before
            word = "more" if change > 0 else "fewer"
            self.show(f"a checkpoint has run: {abs(change):,} {word} {'job' if abs(change) == 1 else 'jobs'} to run")

    def job_started(self, event: JobStarted) -> None:
        if not self.tally.job_started(event):
            return
        if event.message:
            self.show(escape(event.message))
        if self.verbose or self.commands:
            gpus = f" on gpu {escape(','.join(event.gpus))}" if event.gpus else ""
            attempt = f" (attempt {event.attempt})" if event.attempt > 1 else ""
            why = f": {escape(event.reason)}" if event.reason and self.verbose else ""
            self.show(f"start {escape(event.label)}{attempt}{gpus}{why}")
        if self.commands:
            for line in event.command.strip("\n").split("\n"):
                self.output.line(f"    {escape(line.expandtabs(4))}".rstrip())

    def job_ended(self, event: JobEnded) -> None:
        self._flush(force=False)
        super().job_ended(event)

    def job_skipped(self, job: int) -> None:
        if self.tally.settle(job, State.SKIPPED) and self.verbose:
            self.show(f"{self.position()}{escape(self.tally.label(job))}: not needed, its inputs did not change")

    def job_blocked(self, job: int, because: int) -> None:
        if self.tally.settle(job, State.BLOCKED) and self.verbose:
            label, failed = escape(self.tally.label(job)), escape(self.tally.label(because))
            self.show(f"{self.position()}{label}: not run, it needs {failed}")

    def message(self, text: str) -> None:
        self.show(escape(text))

    def tick(self) -> None:
        self._flush(force=False)

    def finished(self, summary: RunSummary) -> None:
        self._flush(force=True)
        self.show("\n".join(summary_lines(self.tally, self.failures, summary, self.output.color)))

    def show(self, text: str) -> None:
        self.output.line(f"{self._now()} {text}")

    def show_done(self, event: JobEnded) -> None:
        if self._crowded():
            self._more[event.rule] += 1
        else:
            self.show(f"{self.position()}{escape(event.label)} {human_time(event.elapsed)}")

    def show_failed(self, event: JobEnded) -> None:
        if self.failed > LOUD and self._crowded():
            self._more["failed" if not event.will_retry else "failed, to be tried again"] += 1
        else:
            super().show_failed(event)

    def _crowded(self) -> bool:
        """Whether the next line is one too many; a second with few lines ends that."""
        if self.verbose or self.commands:
            return False
        self._lines += 1
        self._busy = self._busy or self._lines > CALM
        return self._busy

    def _flush(self, force: bool) -> None:
        now = self.tally.clock()
        if now - self._since < 1.0 and not force:
            return
        if self._more:
            named = ", ".join(f"{escape(rule)} {number:,}" for rule, number in self._more.most_common(8))
            self.show(f"{self.position()}{sum(self._more.values()):,} more: {named}")
            self._more.clear()
        self._busy = self._lines > CALM
        self._lines = 0
        self._since = now


class JsonObserver(QuietObserver):
    """One JSON object a line for each event.

    `{"event": "job_ended", "time": 1700000000.123, "job": 7, "rule": "relax", …}`; times are seconds since the epoch.

    Args:
        now: the time of day.
    """

    def __init__(
        self, output: Output, *, clock: Callable[[], float] = monotonic, now: Callable[[], float] = time
    ) -> None:
        super().__init__(output, clock=clock)
        self._now = now

    def plan_ready(self, plan: Plan) -> None:
        super().plan_ready(plan)
        rules = {row.name: row.total for row in self.tally.rules.values() if row.total}
        self._event("plan", jobs=self.tally.total, rules=rules)

    def job_started(self, event: JobStarted) -> None:
        if self.tally.job_started(event):
            self._event("job_started", **{**event._asdict(), "gpus": list(event.gpus)})

    def job_ended(self, event: JobEnded) -> None:
        if self.tally.job_ended(event):
            settled, total = self.tally.settled, self.tally.total
            self._event("job_ended", **event._asdict(), settled=settled, total=total)

    def job_skipped(self, job: int) -> None:
        if self.tally.settle(job, State.SKIPPED):
            self._event("job_skipped", job=job, label=self.tally.label(job), rule=self.tally.rule(job))

    def job_blocked(self, job: int, because: int) -> None:
        if self.tally.settle(job, State.BLOCKED):
            label, rule = self.tally.label(job), self.tally.rule(job)
            self._event("job_blocked", job=job, label=label, rule=rule, because=because)

    def message(self, text: str) -> None:
        self._event("message", text=text)

    def warn(self, text: str) -> None:
        self.message(text)

    def finished(self, summary: RunSummary) -> None:
        counts = {state.name.lower(): self.tally.count(state) for state in State if 0 < state < State.COLLECTOR}
        ok = not summary.interrupted and not counts["failed"] and not counts["waiting"]
        self._event("finished", ok=ok, **summary._asdict(), **counts)

    def _event(self, event: str, **fields: object) -> None:
        self.output.line(json_line({"event": event, "time": round(self._now(), 3), **fields}))
