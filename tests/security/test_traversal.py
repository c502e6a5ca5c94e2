"""No wildcard value leads out of the folder that a pattern starts in: not by itself, and not together with its neighbours."""

from __future__ import annotations

import itertools

import pytest

from flowrules.errors import FlowfileError
from flowrules.load.lower import load_workflow
from flowrules.load.options import LoadOptions
from flowrules.model.pattern import Pattern, normalize
from flowrules.plan.build import make_plan
from flowrules.plan.policy import Policy
from flowrules.testing import FakeFiles, FakeHistory


def rule(*outputs: str, log: str = "") -> str:
    """A Flowfile of one rule."""
    made = ", ".join(f'"{output}"' for output in outputs)
    beside = f'    log: "{log}"\n' if log else ""
    return f'rule make:\n    output: {made}\n{beside}    shell: "touch {{output}}"\n'


def makes(flowfile: str, target: str) -> list[str]:
    """What would be written for a target; nothing where no rule makes it."""
    files = FakeFiles({"Flowfile": flowfile})
    workflow = load_workflow("Flowfile", files, LoadOptions())
    try:
        plan = make_plan(workflow, [target], files, FakeHistory(), Policy()).plan
    except FlowfileError:
        return []
    logs = [log.path.fill(job.wildcards) for job in plan.jobs for log in job.rule.logs if isinstance(log.path, Pattern)]
    return [path for job in plan.jobs for path in job.outputs] + logs


OUTSIDE = ("../secret", "/etc/passwd", "../../x", "..")


@pytest.mark.parametrize("target", [*OUTSIDE, "out/../../secret", "./../secret", "out//../../secret"])
@pytest.mark.parametrize(
    "output", ["{a}", "{a}.{b}", ".{a}", "{a}{b}", "{a}/{b}", ".{a}{b}", "{a}./{b}", "{a,.*}", "{a}t"]
)
def test_a_target_outside_is_made_by_no_pattern(output: str, target: str) -> None:
    assert makes(rule(output), target) == []


@pytest.mark.parametrize(
    ("output", "target"),
    [("{a}.{b}", "x/y.z"), (".{a}", ".hidden"), ("{a}", "a..b"), ("{a}.{b}", "..x"), ("{a}", "...")],
)
def test_names_with_dots_are_names(output: str, target: str) -> None:
    assert makes(rule(output), target) == [target]


def test_a_pattern_that_says_so_itself_leads_out() -> None:
    assert makes(rule("../shared/{a}.txt"), "../shared/x.txt") == ["../shared/x.txt"]
    assert makes(rule("/data/{a}.txt"), "/data/x.txt") == ["/data/x.txt"]
    assert makes(rule("../shared/{a}.txt"), "../../shared/x.txt") == []
    assert makes(rule("../shared/{a}.txt"), "../shared/../x.txt") == []


@pytest.mark.parametrize(
    ("outputs", "log", "target"),
    [
        (("a{x}.txt", ".{x}"), "", "a./y.txt"),  # `./y` after a dot
        (("x{x}-{y}", "{x}..{y}"), "", "x./-/y"),
        (("out/{x}_{y}", "{x}.{y}"), "", "out/._/secret"),
        (("bam{x}.bam", "{x}.log"), "", "bam/etc/y.bam"),
        (("bam{x}.bam",), "{x}.log", "bam/etc/y.bam"),
        (("out/{x}_{y}",), "{x}.{y}", "out/._/secret"),
    ],
)
def test_no_other_file_of_the_rule_lies_outside_either(outputs: tuple[str, ...], log: str, target: str) -> None:
    assert [path for path in makes(rule(*outputs, log=log), target) if path.startswith(("..", "/"))] == []


def test_many_jobs_are_planned_no_other_way_than_one() -> None:
    """The planner's stride for many alike files looks at values as the single look-up does."""
    targets = ", ".join(f'"out/s{i}.txt"' for i in range(50))
    text = f'rule all:\n    input: {targets}, "TARGET"\n' + rule(".{a}").replace("make", "hidden") + rule("out/{b}.txt")
    for target in ("../secret", "./../secret"):
        assert makes(text.replace("TARGET", target), "all") == []
    assert len(makes(text.replace("TARGET", ".profile"), "all")) == 51


PIECES = (".", "..", "/", "./", "/.", "x", "{a}", "{b}", "{a}", "{b}", "../", "-")


def test_all_short_patterns_against_all_short_paths() -> None:
    """Whatever a pattern is, and whatever is asked for: what would be written leads out no more than the pattern does."""
    paths = ["".join(p) for p in itertools.product(("..", ".", "/", "x", "./", "../"), repeat=3)]
    tried = 0
    for parts in itertools.islice(itertools.product(PIECES, repeat=3), 0, None, 3):
        output = "".join(parts)
        if "{" not in output or output.startswith("/"):
            continue
        try:
            files = FakeFiles({"Flowfile": rule(output)})
            workflow = load_workflow("Flowfile", files, LoadOptions())
        except FlowfileError:
            continue
        from flowrules.plan.index import RuleIndex

        index, allowed = (
            RuleIndex(workflow.rules),
            output.replace("{a}", "w").replace("{b}", "w").split("/").count(".."),
        )
        for path in paths:
            for _, values in index.candidates(normalize(path)):
                of = dict(zip(workflow.rules[0].wildcards, values, strict=True))
                filled = normalize(output.format(**of))
                tried += 1
                assert not filled.startswith("/"), (output, path, of)
                assert filled.split("/").count("..") <= allowed, (output, path, of)
    assert tried > 500
