"""Jobs that wait for a block: alike in one line, offered by rank, a line at a time."""

from __future__ import annotations

from flowrules.schedule.backlog import Backlog, likeness
from flowrules.schedule.following import Following

SHORT, LONG = likeness(10, 10, 0, ()), likeness(1000, 1000, 0, ())


def handed(backlog: Backlog, takes) -> list[int]:
    """What is taken, in order."""
    found: list[int] = []

    def hand(job: int) -> bool:
        if takes(job):
            found.append(job)
            return True
        return False

    backlog.hand_out(hand)
    return found


def test_jobs_are_offered_by_rank_whatever_their_line() -> None:
    backlog = Backlog()
    for job, (rank, line) in enumerate([(1, SHORT), (3, LONG), (2, SHORT), (4, LONG)]):
        backlog.add((0, -rank, job), line)
    assert handed(backlog, lambda job: True) == [3, 1, 2, 0]
    assert list(backlog.heads()) == []


def test_one_that_finds_no_place_holds_up_its_line_and_no_other() -> None:
    backlog = Backlog()
    for job in range(1000):
        backlog.add((0, -1000 + job, job), LONG if job < 900 else SHORT)
    asked: list[int] = []
    assert len(handed(backlog, lambda job: asked.append(job) or job >= 900)) == 100
    assert sum(job < 900 for job in asked) == 1
    assert list(backlog.heads()) == [0]
    assert len(handed(backlog, lambda job: True)) == 900


def test_a_job_that_comes_while_others_are_handed_out_is_offered_too() -> None:
    backlog = Backlog()
    backlog.add((0, -5, 0), LONG)

    def take(job: int) -> bool:
        if job < 5:
            backlog.add((0, -9, job + 1), LONG)
        return True

    assert handed(backlog, take) == [0, 1, 2, 3, 4, 5]


def test_lengths_within_a_fifth_are_alike_and_bars_are_not() -> None:
    assert likeness(900, 10, 0, ()) == likeness(1000, 10, 0, ())
    assert likeness(1000, 10, 0, ()) != likeness(1500, 10, 0, ())
    assert likeness(1000, 10, 0, ()) != likeness(1000, 10, 0, {"b1"})
    assert likeness(0, 0, 2, ()) == likeness(0, 0, 2, ())


def test_following_knows_when_all_that_is_waited_for_is_in_one_block() -> None:
    following = Following()
    assert following.only(9, 2) is None
    following.handed([9, 8], "b1")
    assert following.only(9, 2) is None and following.only(8, 1) == "b1"
    following.handed([9], "b1")
    assert following.only(9, 2) == "b1"
    following.handed([9], "b2")
    assert following.only(9, 3) is None
    following.left([9], "b2")
    assert following.only(9, 2) == "b1"
    following.left([9, 8], "b1")
    following.left([9], "b1")
    assert following.only(9, 0) is None and following.only(8, 0) is None
