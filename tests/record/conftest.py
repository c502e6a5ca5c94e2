"""A folder with a store in it."""

import pytest


@pytest.fixture
def directory(tmp_path):
    return str(tmp_path)


@pytest.fixture
def journal(tmp_path):
    return tmp_path / ".flowrules" / "journal"
