"""Which failures are alike."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from flowrules.model.likeness import Failure, alike, last_words
from flowrules.model.record import Record


def failure(text: str, exit: int = 1, error: str = "", rule: str = "relax", **wildcards: str) -> Failure:
    return Failure(Record(rule, wildcards, [], status="failed", exit=exit, error=error), text.splitlines())


def test_names_and_numbers_of_a_job_are_left_out() -> None:
    one = failure("reading in/benzene.xyz\nerror: no convergence after 30 steps at 0x7ffe12", mol="benzene")
    two = failure("reading in/tea.xyz\nerror: no convergence after 1,207 steps at 0x55aa", mol="tea")
    assert last_words(one) == last_words(two) == ("error: no convergence after N steps at …",)


def test_a_value_is_a_whole_word() -> None:
    assert last_words(failure("error: no atoms in a", mol="a")) == ("error: no atoms in …",)


def test_an_empty_last_word_hides_nothing() -> None:
    kinds = alike([failure("error: singular matrix\naborting"), failure("error: cannot open the mesh\naborting")])
    assert [len(kind.failures) for kind in kinds] == [1, 1]


def test_status_rule_and_what_the_program_says_part_them() -> None:
    kinds = alike(
        [
            failure("x"),
            failure("x", exit=2),
            failure("x", rule="dock"),
            failure("x", exit=0, error="the output `out/1.txt` was not made", n="1"),
            failure("x", exit=0, error="the output `out/2.txt` was not made", n="2"),
        ]
    )
    assert [(kind.rule, kind.exit, len(kind.failures)) for kind in kinds] == [
        ("relax", 0, 2),
        ("relax", 1, 1),
        ("relax", 2, 1),
        ("dock", 1, 1),
    ]


def test_stopped_jobs_are_alike_whatever_they_said_last() -> None:
    told = "it was stopped after its walltime of 60s"
    assert len(alike([failure("step 3 of x", -15, told), failure("writing y", -9, told)])) == 1


def test_37_failures_of_5_kinds() -> None:
    made = [
        *(
            failure(f"step {n}\nerror: no convergence after {n} steps in tmp/{n}\naborting", n=str(n))
            for n in range(11)
        ),
        *(failure(f"error: cannot open mesh-{n}\naborting", n=str(n)) for n in range(9)),
        *(failure(f"/bin/bash: line {n % 3}: xtb: command not found", 127, n=str(n)) for n in range(8)),
        *(failure("", -11, n=str(n)) for n in range(6)),
        *(failure("", 0, f"the output `out/{n}.txt` was not made", n=str(n)) for n in range(3)),
    ]
    random.Random(7).shuffle(made)
    assert [len(kind.failures) for kind in alike(made)] == [11, 9, 8, 6, 3]


@given(st.lists(st.tuples(st.sampled_from(["a 1", "a 2", "b", ""]), st.sampled_from([1, 2, -9])), max_size=20))
def test_every_failure_is_in_one_kind(ends: list[tuple[str, int]]) -> None:
    made = [failure(text, exit) for text, exit in ends]
    kinds = alike(made)
    assert sorted(map(id, made)) == sorted(id(member) for kind in kinds for member in kind.failures)
    assert len(kinds) == len({(last_words(one), one.record.exit) for one in made})


@given(st.text(max_size=200), st.dictionaries(st.text(max_size=5), st.text(max_size=9), max_size=3))
def test_anything_can_be_said(text: str, wildcards: dict[str, str]) -> None:
    words = last_words(Failure(Record("r", wildcards, [], exit=1), text.splitlines()))
    assert all("\n" not in word for word in words)
