"""What planning costs, counted: calls of Python functions for each job, looks at each path, and how both grow.

Counts do not depend on the machine. The limits lie a third above what is needed today.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType

import pytest
from planning import Desk

from flowrules.model.pattern import Matcher


def calls_of(action: Callable[[], object]) -> int:
    """How many Python functions are called."""
    count = 0

    def watch(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        action()
    finally:
        sys.setprofile(before)
    return count


def cost(make: Callable[[int], Desk], size: int) -> tuple[float, Desk]:
    """Calls for each job of a load and a plan."""
    desk = make(size)
    jobs = len(desk.plan().plan.jobs)
    desk.files.looks.clear()
    return calls_of(desk.plan) / jobs, desk


def chains(size: int) -> Desk:
    """For each of a third of the size a chain of three rules, then one merge."""
    names = [f"s{n}" for n in range(size // 3)]
    text = 'let NAMES = lines("names")\nrule merge:\n    input: expand("c/{n}", n=NAMES)\n    output: "merged"\n    shell: "cat {input} > {output}"\n'
    for source, made in ("xa", "ab", "bc"):
        text += f'rule {made}:\n    input: "{source}/{{n}}"\n    output: "{made}/{{n}}"\n    shell: "cp {{input}} {{output}}"\n'
    return Desk(text, {"names": "\n".join(names), **{f"x/{name}": "" for name in names}})


def deep(size: int) -> Desk:
    """One chain, each step made from the one before."""
    return Desk(
        f'rule all:\n    input: "step/{size}"\nrule first:\n    output: "step/0"\n    shell: "echo > {{output}}"\n'
        'rule step:\n    input: f"step/{int(wildcards.n) - 1}"\n    output: "step/{n,[1-9][0-9]*}"\n    shell: "cp {input} {output}"\n'
    )


def wide(size: int) -> Desk:
    """One job that takes the outputs of all others."""
    return Desk(
        f'rule all:\n    input: expand("part/{{n}}", n=range({size}))\n    output: "all"\n    shell: "cat {{input}} > {{output}}"\n'
        'rule part:\n    output: "part/{n}"\n    shell: "echo > {output}"\n'
    )


def ten_wildcards(size: int) -> Desk:
    """Files with ten parts in their names."""
    names = "/".join("{" + f"w{n}" + "}" for n in range(10))
    values = ", ".join(f'w{n}=["v{n}"]' for n in range(9))
    return Desk(
        f'rule all:\n    input: expand("out/{names}.txt", {values}, w9=range({size}))\n'
        f'rule made:\n    output: "out/{names}.txt"\n    shell: "echo > {{output}}"\n'
    )


@pytest.mark.parametrize(
    ("make", "most"),
    [(chains, 22), (wide, 27), (ten_wildcards, 50), (deep, 80)],
    ids=lambda v: getattr(v, "__name__", ""),
)
def test_calls_for_each_job_do_not_grow(make: Callable[[int], Desk], most: int) -> None:
    few, _ = cost(make, 1_000)
    many, desk = cost(make, 10_000)
    assert many <= most
    assert many <= few * 1.05
    assert max(desk.files.looks.values()) <= 1, "each path is looked at once"


def test_a_plan_of_what_is_there_costs_no_more_the_larger_it_is() -> None:
    def built(size: int) -> Desk:
        desk = chains(size)
        desk.files.tick()
        for job in desk.plan().plan.jobs:
            for path in job.outputs:
                desk.files.write(path)
                desk.files.tick()
        assert desk.todo() == []
        return desk

    few, _ = cost(built, 300)
    many, _ = cost(built, 3_000)
    assert many <= 32
    assert many <= few * 1.05


def test_edges_between_many_and_many_are_not_looked_at_one_by_one() -> None:
    def grid(size: int) -> Desk:
        return Desk(
            f'let N = range({size})\nrule all:\n    input: expand("sum/{{j}}", j=N)\n'
            'rule sum:\n    input: expand("part/{i}", i=N)\n    output: "sum/{j}"\n    shell: "cat {input} > {output}"\n'
            'rule part:\n    output: "part/{i}"\n    shell: "echo > {output}"\n'
        )

    few, _ = cost(grid, 100)
    many, desk = cost(grid, 400)
    assert many <= few * 1.05, "16 times the edges, 4 times the calls"
    plan = desk.plan().plan
    assert sum(map(len, plan.needs)) == 160_400
    assert len(set(map(id, plan.needs))) < 1_000, "jobs with the same inputs share the list of what they need"


def test_a_chain_deeper_than_python_may_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "setrecursionlimit", None)
    assert len(deep(20_000).plan().plan.jobs) == 20_002


def test_of_200_rules_that_begin_alike_only_those_that_fit_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = "".join(
        f'rule r{n}:\n    output: "out/{{a}}_{{b}}.kind{n}.txt"\n    shell: "echo > {{output}}"\n' for n in range(200)
    )
    asked = ", ".join(f'"out/a_b.kind{n}.txt"' for n in range(200))
    desk = Desk(f"rule all:\n    input: {asked}\n{rules}")
    tried = []
    match = Matcher.match
    monkeypatch.setattr(Matcher, "match", lambda matcher, path: tried.append(path) or match(matcher, path))
    loaded = len(tried)
    assert len(desk.plan().plan.jobs) == 201
    assert len(tried) - loaded <= 2 * 200
