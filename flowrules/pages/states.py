"""The states of a job on pages: a word, a colour and a shape for each, so that nobody depends on colour alone."""

from __future__ import annotations

from typing import Final, NamedTuple


class State(NamedTuple):
    """One state.

    Attributes:
        key: names its colours (`--run`, `--run-soft` in base.css) and its shape (`marks.js`).
        text: for people, as everywhere in the program.
    """

    key: str
    text: str


STATES: Final = (
    State("run", "will run"),
    State("may", "may run"),
    State("skip", "up to date"),
    State("collector", "collects"),
    State("waiting", "waiting"),
    State("running", "running"),
    State("done", "done"),
    State("failed", "failed"),
    State("cancelled", "not run"),
)

NUMBER: Final = {state.key: i for i, state in enumerate(STATES)}
"""Position of each state: what the data of a page hold."""


def state_rows() -> list[list[str]]:
    """All states as pages read them: key and text."""
    return [list(state) for state in STATES]
