"""What a run says: in a pipe, when quiet, to a program."""

import io
import json

import pytest
from show_plans import MAY, RUN, SKIP, Builder, molecules

from flowrules.model.progress import JobEnded, JobStarted, RunSummary
from flowrules.show.observers import observer_for
from flowrules.show.output import Output
from flowrules.show.progress import JsonObserver, PlainObserver, QuietObserver, exit_text
from flowrules.show.tally import State, Tally


class Clock:
    """Seconds that go by when told to."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def start(job, attempt=1, **more):
    return JobStarted(job.id, job.label, job.rule.name, attempt, **more)


def end(job, ok=True, elapsed=3.2, exit=None, **more):
    return JobEnded(job.id, job.label, job.rule.name, ok, (0 if ok else 1) if exit is None else exit, elapsed, **more)


class Watched:
    """An observer with what it wrote."""

    def __init__(self, kind=PlainObserver, **more):
        self.stream = io.StringIO()
        self.clock = Clock()
        if kind is PlainObserver:
            more = {"now": lambda: "12:00:00", **more}
        if kind is JsonObserver:
            more = {"now": lambda: 1700000000.1234, **more}
        self.observer = kind(Output(self.stream), clock=self.clock, **more)

    def text(self):
        text = self.stream.getvalue()
        self.stream.seek(0)
        self.stream.truncate()
        return text

    def run(self, job, ok=True, seconds=3.2, **more):
        self.observer.job_started(start(job))
        self.clock.now += seconds
        self.observer.job_ended(end(job, ok, seconds, **more))


def test_a_calm_run_has_a_line_for_each_job():
    plan = molecules(1)
    watched = Watched()
    watched.observer.plan_ready(plan)
    for job in plan.jobs:
        watched.run(job)
    watched.observer.finished(RunSummary(9.6))
    assert (
        watched.text()
        == """\
12:00:00 3 jobs to run: relax 1, score 1, summary 1
12:00:00 [1/3] relax mol=m0 3.2s
12:00:00 [2/3] score mol=m0 3.2s
12:00:00 [3/3] summary 3.2s
12:00:00 done in 9.6s: 3 jobs
"""
    )


def test_a_failure_shows_the_end_of_its_log_and_where_it_is():
    plan = molecules(2)
    watched = Watched()
    watched.observer.plan_ready(plan)
    watched.text()
    watched.run(plan.jobs[0], False, log="logs/relax/m0.log", log_tail="one\n\x1b[31mtwo\tx\n\n", error="odd")
    watched.observer.job_blocked(1, 0)
    watched.run(plan.jobs[2])
    watched.run(plan.jobs[3])
    watched.observer.job_blocked(4, 0)
    watched.observer.job_blocked(5, 0)
    watched.observer.finished(RunSummary(7265, log=".flowrules/logs/run.log"))
    assert (
        watched.text()
        == """\
12:00:00 [1/5] failed: relax mol=m0: exit status 1, odd after 3.2s
    | one
    | \\x1b[31mtwo    x
    log: logs/relax/m0.log
12:00:00 [3/5] relax mol=m1 3.2s
12:00:00 [4/5] score mol=m1 3.2s
12:00:00 failed after 2h 01m: 2 jobs done, 1 failed, 2 not run because of that
  relax mol=m0: exit status 1, odd (log: logs/relax/m0.log)
log of this run: .flowrules/logs/run.log
"""
    )


def test_a_retry_is_announced_and_counted_once():
    plan = molecules(1)
    watched = Watched()
    watched.observer.plan_ready(plan)
    watched.text()
    watched.run(plan.jobs[0], False, will_retry=True, exit=-9)
    watched.observer.job_started(start(plan.jobs[0], 2))
    watched.observer.job_ended(end(plan.jobs[0], attempt=2))
    assert (
        watched.text()
        == """\
12:00:00 [0/3] failed, will be tried again: relax mol=m0 (attempt 1): killed by SIGKILL (out of memory?) after 3.2s
12:00:00 [1/3] relax mol=m0 3.2s
"""
    )
    assert watched.observer.tally.count(State.FAILED) == 0


@pytest.mark.parametrize(
    ("exit", "error", "text"),
    [
        (1, "", "exit status 1"),
        (-15, "", "killed by SIGTERM"),
        (-63, "", "killed by signal 63"),
        (0, "output `x` was not made", "output `x` was not made"),
        (0, "", "failed"),
    ],
)
def test_how_an_attempt_failed(exit, error, text):
    assert exit_text(JobEnded(0, "a", "a", False, exit, 1.0, error)) == text


def test_ends_that_come_too_fast_are_added_up():
    plan = molecules(5000)
    watched = Watched()
    watched.observer.plan_ready(plan)
    for job in plan.jobs:
        watched.run(job, seconds=0.002)
    watched.observer.finished(RunSummary(20))
    lines = watched.text().splitlines()
    assert len(lines) < 50
    assert lines[20] == "12:00:00 [   20/10001] score mol=m9 0.00s"
    assert lines[21].startswith("12:00:00 [  500/10001] 480 more: relax 240, score 240")
    assert lines[-2].startswith("12:00:00 [10001/10001] ")
    told = sum(
        int(line.split("] ")[1].split(" more")[0].replace(",", "")) if " more: " in line else 1 for line in lines
    )
    assert told - 2 == 10001, "no job is left out or counted twice"


def test_calm_comes_back():
    plan = molecules(100)
    watched = Watched()
    watched.observer.plan_ready(plan)
    for job in plan.jobs[:100]:
        watched.run(job, seconds=0.001)
    watched.text()
    watched.clock.now += 2
    watched.observer.tick()
    assert watched.text() == "12:00:00 [100/201] 80 more: relax 40, score 40\n"
    watched.clock.now += 2
    watched.observer.tick()
    watched.run(plan.jobs[100])
    assert watched.text() == "12:00:00 [101/201] relax mol=m50 3.2s\n"


def test_a_flood_of_failures_stays_readable():
    plan = molecules(500)
    watched = Watched()
    watched.observer.plan_ready(plan)
    for job in plan.jobs[:-1]:
        watched.run(job, False, seconds=0.001, log=f"logs/{job.id}", log_tail="x\n" * 5)
    watched.observer.finished(RunSummary(1))
    text = watched.text()
    assert text.count("    log: logs/") == 10
    assert len(text.splitlines()) < 120
    assert "more: failed " in text
    assert "\n  … 991 more; `flowrules failures` groups them by likeness\n" in text


def test_verbose_tells_starts_reasons_and_commands():
    b = Builder()
    b.add("a", outputs=["1"], x="\x07")
    b.add("b", (0,), outputs=["2"], decision=MAY)
    b.add("c", (0,), outputs=["3"])
    watched = Watched(verbose=True, commands=True)
    observer = watched.observer
    observer.plan_ready(b.plan)
    observer.job_started(
        start(b.plan.jobs[0], 2, gpus=("0", "1"), reason="forced", command="a\n\tb", message="making a")
    )
    observer.job_ended(end(b.plan.jobs[0], False))
    observer.job_skipped(1)
    observer.job_blocked(2, 0)
    observer.message("the disk is full")
    observer.finished(RunSummary(1))
    assert (
        watched.text()
        == """\
12:00:00 3 jobs to run: a 1, b 1, c 1
12:00:00 making a
12:00:00 start a x=\\x07 (attempt 2) on gpu 0,1: forced
    a
        b
12:00:00 [1/3] failed: a x=\\x07: exit status 1 after 3.2s
12:00:00 [2/3] b: not needed, its inputs did not change
12:00:00 [3/3] c: not run, it needs a x=\\x07
12:00:00 the disk is full
12:00:00 failed after 1.0s: 0 jobs done, 1 failed, 1 not run because of that, 1 not needed after all
  a x=\\x07: exit status 1
"""
    )


@pytest.mark.parametrize(
    ("decision", "steps", "summary", "text"),
    [
        (SKIP, [], RunSummary(0.01), "done in 0.01s: nothing had to run"),
        (MAY, ["skip", "skip", "skip"], RunSummary(1), "done in 1.0s: 3 found up to date"),
        (RUN, ["ok", "skip", "skip"], RunSummary(1), "done in 1.0s: 1 job, 2 not needed after all"),
        (RUN, ["ok"], RunSummary(1), "stopped after 1.0s: 1 job done, 2 not run"),
        (
            RUN,
            ["ok"],
            RunSummary(1, interrupted=True),
            "interrupted after 1.0s: 1 job done, 2 not run\nwhat is done is recorded; the next run goes on from here",
        ),
    ],
)
def test_how_a_run_ended(decision, steps, summary, text):
    plan = molecules(1, decision)
    watched = Watched()
    watched.observer.plan_ready(plan)
    for job, step in zip(plan.jobs, steps, strict=False):
        if step == "ok":
            watched.run(job)
        else:
            watched.observer.job_skipped(job.id)
    watched.text()
    watched.observer.finished(summary)
    assert watched.text() == f"12:00:00 {text}\n"


def test_a_plan_derived_again_adds_jobs_and_keeps_what_ran():
    b = Builder()
    first = b.add("choose", outputs=["chosen"])
    waiting = b.add("maybe", (first,), outputs=["m"])
    watched = Watched()
    watched.observer.plan_ready(b.plan)
    watched.run(b.plan.jobs[first])
    watched.text()
    for i in range(3):
        b.add("work", (first,), outputs=[f"w{i}"], i=str(i))
    b.plan.decisions[first] = b.plan.decisions[waiting] = SKIP
    watched.observer.plan_ready(b.plan)
    assert watched.text() == "12:00:00 a checkpoint has run: 2 more jobs to run\n"
    assert (watched.observer.tally.settled, watched.observer.tally.total) == (1, 4)


def test_collectors_and_jobs_up_to_date_are_not_counted():
    b = Builder()
    done = b.add("a", outputs=["1"], decision=SKIP)
    collector = b.add(b.rule("all", action=None), (done,))
    watched = Watched()
    watched.observer.plan_ready(b.plan)
    watched.run(b.plan.jobs[collector])
    assert watched.observer.tally.total == 0
    watched.run(b.plan.jobs[done])
    assert watched.observer.tally.total == 1, "one that is needed again after all is"
    watched.run(b.plan.jobs[collector], False)
    assert watched.text().endswith("[2/2] failed: all: exit status 1 after 3.2s\n")


def test_quiet_tells_only_what_went_wrong():
    plan = molecules(2)
    watched = Watched(QuietObserver)
    watched.observer.plan_ready(plan)
    watched.observer.message("hello")
    watched.run(plan.jobs[0])
    watched.observer.tick()
    watched.observer.job_skipped(1)
    assert watched.text() == ""
    watched.observer.warn("the disk\x1b is full")
    assert watched.text() == "the disk\\x1b is full\n"
    watched.run(plan.jobs[2], False, log="l")
    watched.observer.finished(RunSummary(2))
    watched.observer.close()
    assert watched.text().startswith(
        "[3/5] failed: relax mol=m1: exit status 1 after 3.2s\n    log: l (empty)\nfailed after 2.0s"
    )
    good = Watched(QuietObserver)
    good.observer.plan_ready(plan)
    good.observer.finished(RunSummary(2))
    assert good.text() == ""


def test_json_lines():
    plan = molecules(1)
    watched = Watched(JsonObserver)
    observer = watched.observer
    observer.message("é\x1b")
    observer.plan_ready(plan)
    observer.job_started(start(plan.jobs[0], gpus=("0",), command="x"))
    observer.job_ended(end(plan.jobs[0], False, log_tail="\x1b"))
    observer.job_blocked(1, 0)
    observer.job_skipped(2)
    observer.job_skipped(3)
    observer.warn("the disk is full")
    observer.finished(RunSummary(2))
    lines = watched.text().splitlines()
    assert all(line.isascii() and line.isprintable() for line in lines)
    events = [json.loads(line) for line in lines]
    assert [e["event"] for e in events] == [
        "message", "plan", "job_started", "job_ended", "job_blocked", "job_skipped", "message", "finished",
    ]  # fmt: skip
    assert events[0] == {"event": "message", "time": 1700000000.123, "text": "é\x1b"}
    assert events[1]["jobs"] == 3 and events[1]["rules"] == {"relax": 1, "score": 1, "summary": 1}
    assert events[2]["gpus"] == ["0"] and events[2]["label"] == "relax mol=m0"
    assert (events[3]["ok"], events[3]["exit"], events[3]["settled"], events[3]["total"]) == (False, 1, 1, 3)
    assert events[4]["because"] == 0
    assert events[7]["ok"] is False and events[7]["failed"] == 1 and events[7]["blocked"] == 1


def test_the_observer_suits_the_stream():
    pipe = Output(io.StringIO())
    assert type(observer_for(pipe)) is PlainObserver
    assert type(observer_for(pipe, quiet=True)) is QuietObserver
    assert type(observer_for(pipe, "json", quiet=True)) is JsonObserver
    assert type(observer_for(Output(io.StringIO(), terminal=True))).__name__ == "LiveObserver"


def test_time_left_follows_each_rules_own_pace():
    plan = molecules(10)
    clock = Clock()
    tally = Tally(clock)
    tally.plan_ready(plan)
    assert tally.remaining_seconds() is None
    relax = [job for job in plan.jobs if job.rule.name == "relax"]
    for job in relax[:4]:
        tally.job_started(start(job))
        clock.now += 10
        tally.job_ended(end(job, elapsed=10))
    assert tally.remaining_seconds() == pytest.approx(170), "rules that nobody saw take as long as the others"
    for job in plan.jobs[1:8:2]:
        tally.job_started(start(job))
        clock.now += 1
        tally.job_ended(end(job, elapsed=1))
    assert tally.remaining_seconds() == pytest.approx(6 * 10 + 6 * 1 + 5.5)
    tally.job_started(start(relax[4]))
    clock.now += 4
    assert tally.remaining_seconds() == pytest.approx(5 * 10 + 6 + 6 * 1 + 5.5)
