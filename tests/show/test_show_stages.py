"""What is shown while a call loads and plans for long."""

from __future__ import annotations

import io
import threading

import pytest

from flowrules.show import stages as module
from flowrules.show.output import Output
from flowrules.show.stages import ShownStages


def shown(monkeypatch: pytest.MonkeyPatch, output: Output, text: str) -> None:
    """Lets stages go on until a text of theirs is on the output."""
    monkeypatch.setattr(module, "PATIENCE", 0.0)
    monkeypatch.setattr(module, "REFRESH", 0.001)
    monkeypatch.setattr(module, "FIRST_LINE", 0.0)
    asked = threading.Event()

    def done() -> int:
        if text in stream.getvalue():
            asked.set()
        return 12_345

    stream = output.stream
    assert isinstance(stream, io.StringIO)
    with ShownStages(output) as stages:
        stages.enter("judging jobs", done, 100_000)
        assert asked.wait(60)


def test_a_terminal_has_one_line_that_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    output = Output(io.StringIO(), terminal=True, columns=60)
    shown(monkeypatch, output, "12,345 of 100,000")
    pictures = output.stream.getvalue().split("\r")  # type: ignore[attr-defined]
    assert "judging jobs: 12,345 of 100,000  0s\x1b[K" in pictures
    assert pictures[-1] == "\x1b[K"
    assert "\n" not in "".join(pictures)


def test_elsewhere_lines_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    output = Output(io.StringIO())
    monkeypatch.setattr(module, "FIRST_LINE", 0.001)
    seen = threading.Event()
    with ShownStages(output) as stages:
        stages.enter("ordering jobs", lambda: seen.set() or 5)
        assert seen.wait(60)
    assert output.stream.getvalue().startswith("ordering jobs: 5  ")  # type: ignore[attr-defined]


def test_what_is_over_soon_shows_nothing() -> None:
    output = Output(io.StringIO(), terminal=True)
    with ShownStages(output) as stages:
        stages.enter("ordering jobs", lambda: 5)
    assert output.stream.getvalue() == ""  # type: ignore[attr-defined]


def test_what_a_stage_waits_for_is_named_until_the_next_one() -> None:
    stages = ShownStages(Output(io.StringIO()), clock=lambda: 0.0)
    assert stages.line() == ""
    stages.enter("judging jobs", lambda: 3, 9)
    stages.beside("reading big\x1b.dat, 3.1 GB")
    assert stages.line() == "judging jobs: 3 of 9 (reading big\\x1b.dat, 3.1 GB)  0s"
    stages.beside("")
    assert stages.line() == "judging jobs: 3 of 9  0s"
    stages.beside("importing helpers.py")
    stages.enter("ordering jobs")
    assert stages.line() == "ordering jobs  0s"


def test_only_the_time_of_stages_counts() -> None:
    now = [0.0]
    stages = ShownStages(Output(io.StringIO()), clock=lambda: now[0])
    with stages:
        now[0] = 2.0
        with stages:
            now[0] = 3.0
        assert stages.gone == 3.0
    now[0] = 3600.0  # a run
    assert stages.gone == 3.0
    with stages:
        now[0] = 3601.0
        stages.enter("judging jobs")
        assert stages.line() == "judging jobs  4s"
