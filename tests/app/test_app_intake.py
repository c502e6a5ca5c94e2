"""In which order jobs of small workflows start: the longest first, on this machine, in a packing, and in blocks alike."""

from __future__ import annotations

import textwrap

import pytest

from flowrules.app.book import Book
from flowrules.app.intake import Intake
from flowrules.app.resources import NodeSizer
from flowrules.load.lower import load_workflow
from flowrules.load.options import LoadOptions
from flowrules.model.dispatch import BlockKnown, BlockPlan, Hand, Open
from flowrules.model.events import Capacity, Ended, Planned, SchedJob, Start
from flowrules.model.files import FileRecord
from flowrules.model.profile import BlockShape, NodeShape
from flowrules.model.record import Record
from flowrules.plan.build import make_plan
from flowrules.plan.policy import Policy
from flowrules.schedule.core import Scheduler
from flowrules.schedule.dispatch import Dispatcher
from flowrules.schedule.packing import pack
from flowrules.testing import FakeFiles, FakeHistory

NODE = NodeShape(cpus=1)
SHAPE = BlockShape(nodes=1, walltime=10_000.0)


class Desk:
    """A workflow, its files and what it took before."""

    def __init__(self, flowfile: str, files: dict[str, str] | None = None) -> None:
        self.files = FakeFiles({"Flowfile": textwrap.dedent(flowfile), **(files or {})})
        self.history = FakeHistory()

    def took(self, rule: str, seconds: dict[str, float], *, walltime: str = "", inputs: dict[str, int] | None = None):
        """Jobs that made these outputs in so many seconds, from inputs of so many bytes."""
        for output, elapsed in seconds.items():
            read = [FileRecord("x", size, 0) for at, size in (inputs or {}).items() if at == output]
            declared = {"walltime": walltime} if walltime else {}
            record = Record(rule, {}, [FileRecord(output, 1, 0)], read, ended=elapsed, resources=declared)
            self.history.ended(record)

    def jobs(self, *targets: str) -> dict[str, SchedJob]:
        """What is handed to schedulers, by label."""
        planned = make_plan(
            load_workflow("Flowfile", self.files, LoadOptions()), targets, self.files, self.history, Policy()
        )
        self.history.asked.clear()
        intake = Intake(planned, NodeSizer(NODE, 1), 0)
        jobs = intake.jobs(planned, Book(planned.plan))
        assert not self.history.asked, "no job is looked up by itself"
        for job in jobs:
            own = planned.plan.jobs[job.id]
            assert intake.sized(planned, own, 1) == (job.need, job.expected), "a task is told what was planned with"
        return {planned.plan.jobs[job.id].label: job for job in jobs}

    def seconds(self) -> dict[str, float]:
        return {label: job.expected for label, job in self.jobs().items()}

    def order(self) -> list[str]:
        """How jobs start one after another; each of three deciders must say the same."""
        jobs = self.jobs()
        labels = {job.id: label for label, job in jobs.items()}
        here, packed, handed = (way(list(jobs.values())) for way in (alone, in_packing, in_block))
        assert here == packed == handed
        return [labels[number] for number in here]


def alone(jobs: list[SchedJob]) -> list[int]:
    scheduler, order = Scheduler(Capacity(1, None, (), {})), []
    todo = scheduler.advance(Planned(0.0, tuple(jobs)))
    while starts := [action.job for action in todo if isinstance(action, Start)]:
        order += starts
        todo = scheduler.advance(Ended(0.0, starts[0], True))
    return order


def in_packing(jobs: list[SchedJob]) -> list[int]:
    return [number for block in pack(jobs, NODE, SHAPE).blocks for number in block.jobs]


def in_block(jobs: list[SchedJob]) -> list[int]:
    dispatcher = Dispatcher(NODE, SHAPE, lambda jobs: [BlockPlan(1, 10_000.0)])
    todo = dispatcher.advance(Planned(0.0, tuple(jobs)))
    assert any(isinstance(action, Open) for action in todo)
    todo = dispatcher.advance(BlockKnown(0.0, "b001", BlockPlan(1, 10_000.0)))
    return [action.job for action in todo if isinstance(action, Hand)]


FLAT = """
rule all:
    input: "a.out", "b.out", "c.out"
rule make:
    output: "{x}.out"
    shell: "touch {output}"
"""


def test_each_job_is_expected_to_take_what_it_took() -> None:
    desk = Desk(FLAT)
    desk.took("make", {"a.out": 2.0, "b.out": 9.0, "c.out": 4.0})
    assert desk.seconds() == {"make x=a": 2.0, "make x=b": 9.0, "make x=c": 4.0}
    assert desk.order() == ["make x=b", "make x=c", "make x=a"]


def test_a_new_job_takes_what_its_rule_takes() -> None:
    desk = Desk(FLAT)
    desk.took("make", {"a.out": 2.0, "b.out": 9.0})
    assert desk.seconds()["make x=c"] == 5.5
    assert desk.order() == ["make x=b", "make x=c", "make x=a"]


def test_what_another_rule_made_of_that_name_is_another_job() -> None:
    desk = Desk(FLAT)
    desk.took("older", {"a.out": 100.0})
    assert desk.seconds() == {"make x=a": 1.0, "make x=b": 1.0, "make x=c": 1.0}


def test_what_was_touched_took_no_time() -> None:
    desk = Desk(FLAT)
    desk.took("make", {"b.out": 9.0})
    desk.history.ended(Record("make", {}, [FileRecord("a.out", 1, 0)], status="touched"))
    assert desk.seconds()["make x=a"] == 9.0


def test_the_longest_way_counts_not_the_longest_job() -> None:
    desk = Desk(
        """
        rule all:
            input: "long", "chain"
        rule long:
            output: "long"
            shell: "touch long"
        rule first:
            output: "first"
            shell: "touch first"
        rule chain:
            input: "first"
            output: "chain"
            shell: "touch chain"
        """
    )
    assert desk.order() == ["first", "long", "chain"]
    desk.took("long", {"long": 8.0})
    desk.took("first", {"first": 3.0})
    desk.took("chain", {"chain": 4.0})
    assert desk.order() == ["long", "first", "chain"]
    desk.took("chain", {"chain": 6.0})
    assert desk.order() == ["first", "long", "chain"]


DECLARED = """
let MINUTES = {"a": 10, "b": 30, "c": 20, "d": 40}
rule all:
    input: "a.out", "b.out", "c.out", "d.out"
rule make:
    output: "{x}.out"
    resources: walltime=MINUTES[wildcards.x] * 1min
    shell: "touch {output}"
"""


def test_declared_walltimes_give_the_order_of_a_first_run_and_of_new_jobs_later() -> None:
    desk = Desk(DECLARED)
    assert desk.order() == ["make x=d", "make x=b", "make x=c", "make x=a"]
    desk.took("make", {"a.out": 30.0}, walltime="10min")  # a twentieth
    assert desk.seconds() == {"make x=a": 30.0, "make x=b": 90.0, "make x=c": 60.0, "make x=d": 120.0}
    assert desk.order() == ["make x=d", "make x=b", "make x=c", "make x=a"]
    desk.took("make", {"d.out": 1.0}, walltime="40min")
    assert desk.order() == ["make x=a", "make x=b", "make x=c", "make x=d"], "what a job itself took is the best guess"


def test_sizes_of_inputs_give_the_order_where_they_always_did() -> None:
    desk = Desk(
        """
        rule all:
            input: "small.out", "large.out", "middle.out"
        rule make:
            input: "{x}.in"
            output: "{x}.out"
            shell: "cp {input} {output}"
        """,
        {"small.in": "x" * 100, "large.in": "x" * 900, "middle.in": "x" * 500},
    )
    before = {f"{n}.out": 100 * n for n in range(1, 11)}
    desk.took("make", {output: size / 100 for output, size in before.items()}, inputs=before)
    assert desk.seconds() == pytest.approx({"make x=small": 1.0, "make x=large": 9.0, "make x=middle": 5.0})
    assert desk.order() == ["make x=large", "make x=middle", "make x=small"]
