"""Of a Flowfile with one token wrong the first thing that is said is said of that place, within a line."""

from fuzzing import cases, figure, share
from mutants import measure, valid

SHARE = 0.99


def test_there_are_enough_flowfiles() -> None:
    assert len(valid()) >= 30
    assert sum(one.loads for one in valid()) >= 15


def test_the_first_mistake_is_told_where_it_is() -> None:
    found = measure(cases("tokens", 500))
    figure(
        "tokens", f"{found.mutants:,} mutants, {found.mistakes:,} mistakes, {100 * found.share:.2f}% within one line"
    )
    assert found.mutants == share(500) and found.mistakes > found.mutants // 2
    assert found.share >= SHARE, f"{100 * found.share:.2f}%\n" + "\n".join(found.worst())
