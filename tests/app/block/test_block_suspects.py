"""Which failures are a node's: what ended, in order, and what is concluded."""

from __future__ import annotations

import pytest

from flowrules.app.block.runner_suspects import Suspects, is_launch_failure


def after(*ends: str) -> Suspects:
    """Ends as `NODE RULE JOB`, with a `!` before those that failed."""
    suspects = Suspects()
    for end in ends:
        node, rule, job = end.lstrip("!").split()
        suspects.ended(node, rule, job, ok=end[0] != "!")
    return suspects


WELL = [f"n1 model {n}" for n in range(3)]
BAD = [f"!n2 model {n}" for n in range(10, 13)]


@pytest.mark.parametrize(
    ("ends", "alone"),
    [
        ([*WELL, *BAD], True),
        ([*BAD, *WELL], True),
        ([*WELL, *BAD[:2]], False),
        ([*WELL, *BAD[:2], "n2 model 20", BAD[2]], False),
        ([*WELL, *BAD[:2], "!n2 model 10"], False),  # the same job again proves nothing
        ([*WELL, *BAD[:2], "!n2 other 13"], False),  # of that rule nobody else has done a job
        ([*WELL, *BAD, "!n1 model 4"], False),  # it fails elsewhere too
        (BAD, False),
    ],
    ids=["alone", "order", "two", "well since", "one job", "another rule", "elsewhere", "nobody else"],
)
def test_a_node_fails_what_others_do_not_fail(ends, alone):
    assert after(*ends).fails_alone("n2") is alone
    assert not after(*ends).fails_alone("n1")


def test_seldom_failures_elsewhere_do_not_excuse_a_node():
    ends = [f"n1 model {n}" for n in range(20)] + ["!n1 model 20", "n1 model 21"]
    assert after(*ends, *BAD).fails_alone("n2")
    assert not after(*ends, "!n3 model 30", *BAD).fails_alone("n2")


def test_a_failure_is_in_doubt_until_its_node_does_something_well():
    assert not after(BAD[0]).is_in_doubt("n2", "model"), "nobody does it well"
    assert after(*WELL, BAD[0]).is_in_doubt("n2", "model")
    assert not after(*WELL, BAD[0]).is_in_doubt("n1", "model"), "which has failed nothing"
    assert not after(*WELL, BAD[0]).is_in_doubt("n2", "other")
    assert not after(*WELL, BAD[0], "n2 other 9").is_in_doubt("n2", "model")


def test_launches_are_forgiven_twice_and_a_node_that_had_part_twice_is_blamed():
    suspects = Suspects()
    assert suspects.launch_failed("a", ["n1", "n2"]) == (True, [])
    suspects.launched(["n1", "n3"])
    assert suspects.launch_failed("a", ["n1", "n2"]) == (True, ["n2"])
    assert suspects.launch_failed("a", ["n3", "n4"]) == (False, [])
    assert suspects.launch_failed("b", ["n3", "n4"]) == (True, ["n3", "n4"])


@pytest.mark.parametrize(
    ("said", "is_one"),
    [
        ("x3006c0s1b0n0: launch failed: Couldn't forward RPC launch(1f3b) to child x3006c0s1b1n0\n", True),
        ("Couldn't forward RPC launch\n" + "x" * 9000, False),  # it went on after that
        ("y" * 9000 + "Couldn't forward RPC launch\n", True),
        ("rank 3 died from signal 9\n", False),
    ],
)
def test_what_pals_says_of_a_launch_that_failed(tmp_path, said, is_one):
    (tmp_path / "log").write_text(said)
    assert is_launch_failure(str(tmp_path / "log")) is is_one
    assert not is_launch_failure(str(tmp_path / "none"))
