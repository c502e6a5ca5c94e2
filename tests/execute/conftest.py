"""Fixtures of the executor's tests."""

from collections.abc import Iterator

import pytest
from execute_box import Box, boxes


@pytest.fixture(params=[pytest.param(True, id="pidfd"), pytest.param(False, id="sigchld")])
def any_box(request: pytest.FixtureRequest, tmp_path, monkeypatch) -> Iterator[Box]:
    """A box, once for each way to notice the end of a process."""
    yield from boxes(tmp_path, monkeypatch, request.param)


@pytest.fixture
def box(tmp_path, monkeypatch) -> Iterator[Box]:
    yield from boxes(tmp_path, monkeypatch)
