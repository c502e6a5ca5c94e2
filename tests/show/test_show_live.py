"""The moving part of a terminal: its picture, and how it behaves in a real pseudo-terminal."""

import io
import os
import sys
from pathlib import Path

import pexpect
import pytest
from rich.console import Console
from show_plans import Builder, molecules

from flowrules.model.progress import BlockLine, Blocks, JobEnded, JobStarted, RunSummary
from flowrules.show.live import LiveObserver
from flowrules.show.output import Output
from flowrules.show.text import cells

HERE = Path(__file__).parent


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def observer(width=80, height=24, unicode=True, **more):
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=width, height=height, no_color=True, highlight=False)
    output = Output(stream, terminal=True, unicode=unicode)
    return LiveObserver(output, clock=Clock(), console=console, **more)


def run(live, job, ok=True, seconds=2.0):
    live.job_started(JobStarted(job.id, job.label, job.rule.name))
    live.tally.clock.now += seconds
    live.job_ended(
        JobEnded(job.id, job.label, job.rule.name, ok, 0 if ok else 1, seconds, log_tail="" if ok else "oops")
    )


def picture(live, width=80, height=24):
    return ["".join(text for text, _ in line) for line in live.picture(width, height)]


def test_bars_running_jobs_and_time_left():
    plan = molecules(40)
    live = observer()
    live.plan_ready(plan)
    for job in plan.jobs[:20]:
        run(live, job, ok=job.id != 3)
    live.job_started(JobStarted(20, plan.jobs[20].label, "relax", 2, gpus=("0", "1")))
    live.tally.clock.now += 65
    assert (
        picture(live)
        == [
            "relax    ━━━━━━━───────────────────────  10/40",
            "score    ━━━━━━━───────────────────────  10/40  1 failed",
            "summary  ──────────────────────────────    0/1",
            "total    ━━━━━━━───────────────────────  20/81  1 failed  11/min  2m 00s left  1m 45s",
            "● relax mol=m10  gpu 0,1  attempt 2  1m 05s",
        ][:3]
        + picture(live)[3:]
    )
    assert picture(live)[3].startswith("total    ━━━━━━━───────────────────────  20/81  1 failed")
    assert picture(live)[-1] == "● relax mol=m10  gpu 0,1  attempt 2  1m 05s"
    live.close()


@pytest.mark.parametrize("width", [5, 12, 20, 33, 40, 60, 79, 200])
@pytest.mark.parametrize("height", [2, 3, 5, 10, 50])
def test_the_picture_fits_any_terminal(width, height):
    b = Builder()
    for i in range(300):
        b.add(f"rule中{i % 20}" + "x" * (i % 20), outputs=[f"{i}"], sample=f"中文{i}" * 5)
    live = observer(width, height)
    live.plan_ready(b.plan)
    for job in b.plan.jobs[:30]:
        run(live, job, ok=job.id % 7 > 0)
    for job in b.plan.jobs[30:60]:
        live.job_started(JobStarted(job.id, job.label, job.rule.name, gpus=("gpu0",)))
    live.tally.clock.now += 100000
    lines = picture(live, width, height)
    assert lines and len(lines) < max(height, 2)
    assert all(cells(line) <= width for line in lines)
    live.close()


def test_a_run_of_few_jobs_tells_each_end_and_one_of_many_only_failures():
    for count, told in ((3, True), (100, False)):
        live = observer()
        plan = molecules(count)
        live.plan_ready(plan)
        run(live, plan.jobs[0])
        run(live, plan.jobs[2], ok=False)
        live.finished(RunSummary(1))
        text = live.output.stream.getvalue()
        assert ("✓ relax mol=m0 2.0s" in text) is told
        assert "failed: relax mol=m1: exit status 1 after 2.0s" in text and "    | oops" in text


def test_a_terminal_without_unicode_gets_ascii_bars():
    live = observer(unicode=False)
    plan = molecules(3)
    live.plan_ready(plan)
    run(live, plan.jobs[0])
    live.job_started(JobStarted(1, plan.jobs[1].label, "score"))
    assert all(line.isascii() for line in picture(live))
    live.close()


def test_pictures_are_rare():
    live = observer()
    plan = molecules(2000)
    live.plan_ready(plan)
    drawn = []
    live._live.refresh = lambda: drawn.append(live.tally.clock.now)
    for job in plan.jobs:
        run(live, job, seconds=0.001)
    assert len(drawn) <= 4.001 * 8 + 1
    live.close()


def test_nothing_to_run_draws_nothing():
    live = observer()
    live.message("hello")
    live.plan_ready(Builder().plan)
    live.finished(RunSummary(0))
    assert (
        live.output.stream.getvalue()
        == "hello\nnothing to do: everything is up to date\ndone in 0.00s: nothing had to run\n"
    )


SCRIPT = """
import sys, time
sys.path.insert(0, {here!r})
from show_plans import molecules
from flowrules.model.progress import BlockLine, Blocks, JobEnded, JobStarted, RunSummary
from flowrules.show.observers import observer_for
from flowrules.show.output import Output
plan = molecules(40)
observer = observer_for(Output.of(sys.stdout))
try:
    observer.plan_ready(plan)
    for job in plan.jobs:
        observer.job_started(JobStarted(job.id, job.label, job.rule.name))
        time.sleep(0.005)
        if job.id == {stop}:
            raise KeyboardInterrupt
        observer.job_ended(JobEnded(job.id, job.label, job.rule.name, job.id != 7, 0, 0.1, log_tail="oh no"))
    observer.finished(RunSummary(1.0))
except KeyboardInterrupt:
    pass
finally:
    observer.close()
print("bye")
"""


def in_terminal(columns=80, rows=20, stop=-1, **env):
    """What a run writes to a pseudo-terminal."""
    environment = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS", "LINES", "TERM")}
    child = pexpect.spawn(
        sys.executable,
        ["-c", SCRIPT.format(here=str(HERE), stop=stop)],
        env={**environment, "TERM": "xterm-256color", "PYTHONUTF8": "1", **env},
        dimensions=(rows, columns),
        encoding="utf-8",
        timeout=120,
    )
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    return child.before


def screen(raw, columns=80, rows=20):
    pyte = pytest.importorskip("pyte", reason="no terminal emulator installed")
    shown = pyte.Screen(columns, rows)
    pyte.Stream(shown).feed(raw)
    return [line.rstrip() for line in shown.display if line.strip()], shown


@pytest.mark.parametrize(("columns", "rows"), [(80, 20), (24, 6)])
def test_a_terminal_is_left_as_it_was_found(columns, rows):
    raw = in_terminal(columns, rows)
    assert raw.count("\x1b[?25l") == raw.count("\x1b[?25h") == 1
    assert "━" in raw or columns < 40
    lines, shown = screen(raw, columns, rows)
    assert not shown.cursor.hidden
    assert lines[-1] == "bye"
    assert not any("━" in line or "●" in line for line in lines), "the moving part is gone"
    text = "".join(lines)
    assert "failed after 1.0s: 80 jobs done, 1 failed" in text
    if rows > 10:
        assert lines[0] == "81 jobs to run: relax 40, score 40, summary 1"
        assert lines[1:3] == ["failed: score mol=m3: failed after 0.1s", "    | oh no"]


def test_an_interrupted_run_restores_the_terminal_too():
    raw = in_terminal(stop=30)
    assert raw.rstrip().endswith("bye") and raw.rindex("\x1b[?25h") > raw.rindex("\x1b[?25l")


def test_no_color_is_honoured_and_a_dumb_terminal_gets_plain_lines():
    colour = "\x1b[31m"
    assert colour in in_terminal()
    plain = in_terminal(NO_COLOR="1")
    assert colour not in plain and "\x1b[1;31m" not in plain and "━" in plain
    dumb = in_terminal(TERM="dumb")
    assert "\x1b" not in dumb and "] relax mol=m0 0.1s" in dumb


def test_blocks_of_a_campaign():
    live = observer()
    live.plan_ready(molecules(40))
    lines = (
        BlockLine("b002", "waits", 4, "prod", "18.pbs", None, 120),
        BlockLine("b001", "runs", 2, "debug", "17.pbs", 725.0, 16),
        BlockLine("b003", "made", 1, "", "", None, 1),
    )
    live.blocks(lambda: Blocks(lines, 1.26))
    live.job_started(JobStarted(20, "relax mol=m20", "relax", gpus=("1",), node="x3006c0"))
    shown = picture(live)
    assert shown[-6:] == [
        "total    ──────────────────────────────   0/81  0s",
        "◆ b001 runs  17.pbs  2 nodes  16 jobs  12m 05s left",
        "◆ b002 waits in prod  18.pbs  4 nodes  120 jobs",
        "◆ b003 made  1 node  1 job",
        "  1.3 node-hours so far",
        "● relax mol=m20  x3006c0  gpu 1  0s",
    ]
    live.blocks(lambda: Blocks(tuple(lines[0]._replace(name=f"b{n:03d}") for n in range(9)), 0.0))
    assert "  5 more blocks  0 node-hours so far" in picture(live)
    assert all(cells(line) <= 40 for line in picture(live, width=40))
    assert len(picture(live, height=10)) <= 10
