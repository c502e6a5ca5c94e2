"""What a driver takes of a login node, by what the host says that a user may have."""

from __future__ import annotations

import pytest

from flowrules.app.drive import manners


@pytest.mark.parametrize(
    ("found", "cores"),
    [
        (None, 64),
        ((0, 100_000), 64),
        ((30, 128), 20),  # (128 - 30 - 16) / 4
        ((111, 128), 1),
        ((128, 128), 1),
    ],
)
def test_jobs_beside_the_driver_are_as_many_as_there_is_room_for(monkeypatch, found, cores):
    monkeypatch.setattr(manners, "tasks", lambda environ: found)
    assert manners.local_cores(64) == cores


def test_without_a_limit_nothing_is_said(monkeypatch):
    monkeypatch.setattr(manners, "tasks", lambda environ: None)
    assert manners.room() is None
