"""The sweep finds what the walk finds: the same jobs in the same order, the same reasons, the same mistakes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planning import Desk

from flowrules.errors import FlowfileError
from flowrules.plan.sweep import Sweeper

FOLDERS = ("a", "b", "c", "d")
NAMES = ("x", "x", "y", "y", "x.z", ".x")
FILES = tuple(f"{folder}/{name}.{ext}" for folder in FOLDERS for name in ("x", "y") for ext in ("txt", "log"))


@contextmanager
def walking() -> Iterator[None]:
    """Meanwhile nothing is swept."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Sweeper, "sweep", lambda *_: False)
        yield


def outcome(desk: Desk, *targets: str) -> object:
    """All of a plan that anybody sees, or what is wrong with it."""
    try:
        planned = desk.plan(*targets)
    except FlowfileError as error:
        return [repr(d) for d in error.diagnostics]
    plan = planned.plan
    jobs = [(job.label, job.inputs, job.outputs, dict(job.input_names)) for job in plan.jobs]
    return (
        jobs,
        plan.needs,
        plan.decisions,
        plan.reasons,
        dict(plan.producer),
        plan.targets,
        plan.target_jobs,
        plan.kept,
    )


def same(desk: Desk, *targets: str) -> object:
    """The outcome, which is the same both ways."""
    swept = outcome(desk, *targets)
    with walking():
        assert swept == outcome(desk, *targets)
    return swept


@st.composite
def flowfiles(draw: st.DrawFn) -> str:
    """Rules from folder to folder: chains, diamonds, rivals, circles, files that nobody makes."""
    lines = ["rule all:", f"    input: {', '.join(draw(st.lists(paths(), min_size=1, max_size=4)))}"]
    for number in range(draw(st.integers(1, 5))):
        into = draw(st.sampled_from(FOLDERS))
        hole = draw(st.sampled_from(["{n}", "{n}", "{n,[a-z]+}", "x"]))
        outputs = [f'"{into}/{hole}.txt"', *([f'"{into}/{hole}.log"'] if draw(st.booleans()) else [])]
        taken = draw(st.lists(inputs(hole != "x"), max_size=3))
        lines += [f"rule r{number}:", *([f"    input: {', '.join(taken)}"] if taken else [])]
        lines += [f"    output: {', '.join(outputs)}", '    shell: "touch {output}"']
    if draw(st.booleans()):
        lines.append("ruleorder r0 > r1")
    return "\n".join(lines) + "\n"


def paths() -> st.SearchStrategy[str]:
    return st.builds(
        lambda folder, name, ext: f'"{folder}/{name}.{ext}"',
        st.sampled_from(FOLDERS),
        st.sampled_from(NAMES),
        st.sampled_from(["txt", "txt", "log"]),
    )


def inputs(wild: bool) -> st.SearchStrategy[str]:
    holed = st.sampled_from(FOLDERS).flatmap(
        lambda folder: st.sampled_from(
            [
                f'"{folder}/{{n}}.txt"',
                f'"{folder}/{{n}}.log"',
                f'm="{folder}/{{n}}.txt"',
                f'expand("{folder}/{{k}}.txt", k=["x", "y"])',
            ]
        )
    )
    return st.one_of(paths(), holed) if wild else paths()


@settings(max_examples=150, deadline=None)
@given(flowfiles(), st.sets(st.sampled_from(FILES)))
def test_it_finds_what_the_walk_finds(flowfile: str, missing: set[str]) -> None:
    same(Desk(flowfile, dict.fromkeys([path for path in FILES if path not in missing], "1")))


CHAINS = """
rule all:
    input: expand("c/{n}.txt", n=["x", "y"])
rule b:
    input: "a/{n}.txt"
    output: "b/{n}.txt"
    shell: "cp {input} {output}"
rule c:
    input: "b/{n}.txt"
    output: "c/{n}.txt"
    shell: "cp {input} {output}"
"""


def swept(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether the sweeps of a plan came to their ends."""
    ends = []
    sweep = Sweeper.sweep

    def watched(*args: object) -> bool:
        ends.append(sweep(*args))  # type: ignore[arg-type]
        return ends[-1]

    monkeypatch.setattr(Sweeper, "sweep", watched)
    outcome(desk)
    return ends


def test_chains_are_swept(monkeypatch: pytest.MonkeyPatch) -> None:
    assert swept(Desk(CHAINS, "a/x.txt a/y.txt"), monkeypatch) == [True]


def test_it_gives_up_where_a_file_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(CHAINS, "a/x.txt")
    same(desk)
    assert swept(desk, monkeypatch) == [False]


def test_it_gives_up_where_rules_need_one_another(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(
        CHAINS + 'rule a:\n    input: "c/{n}.txt.old"\n    output: "a/{n}.txt"\n    shell: "cp {input} {output}"\n',
        "a/x.txt a/y.txt",
    )
    same(desk)
    assert swept(desk, monkeypatch) == [False]


def test_rivals_are_left_to_who_chooses(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(
        CHAINS
        + 'rule other:\n    input: "a/{n}.txt"\n    output: "b/{n}.txt"\n    shell: "cp {input} {output}"\nruleorder other > b\n',
        "a/x.txt a/y.txt",
    )
    assert "other n=x" in str(same(desk))
    assert swept(desk, monkeypatch) == [True]
