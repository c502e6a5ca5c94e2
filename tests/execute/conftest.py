"""Fixtures of the executor's tests."""

import shutil
from collections.abc import Iterator

import pytest
from execute_box import Box, boxes
from execute_rig import Rig


@pytest.fixture(params=[pytest.param(True, id="pidfd"), pytest.param(False, id="sigchld")])
def any_box(request: pytest.FixtureRequest, tmp_path, monkeypatch) -> Iterator[Box]:
    """A box, once for each way to notice the end of a process."""
    yield from boxes(tmp_path, monkeypatch, request.param)


@pytest.fixture
def box(tmp_path, monkeypatch) -> Iterator[Box]:
    yield from boxes(tmp_path, monkeypatch)


@pytest.fixture(params=["local", "ssh", "mpiexec", "parallel"])
def rig(request: pytest.FixtureRequest, tmp_path) -> Iterator[Rig]:
    """Agents by each launcher; all promise the same."""
    yield from rigs(request, request.param, tmp_path)


@pytest.fixture
def local(request: pytest.FixtureRequest, tmp_path) -> Iterator[Rig]:
    yield from rigs(request, "local", tmp_path)


@pytest.fixture(params=["ssh", "mpiexec", "parallel"])
def remote(request: pytest.FixtureRequest, tmp_path) -> Iterator[Rig]:
    """Agents on another host."""
    yield from rigs(request, request.param, tmp_path)


def rigs(request: pytest.FixtureRequest, launcher: str, tmp_path) -> Iterator[Rig]:
    if launcher in ("mpiexec", "parallel") and shutil.which(launcher) is None:
        pytest.skip(f"`{launcher}` is not installed")
    made = Rig(launcher, tmp_path, None if launcher == "local" else request.getfixturevalue("hosts"))
    yield made
    made.close()
