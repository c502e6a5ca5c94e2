"""Campaigns whose processes are ended with the test, however it ends."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from campaign_box import Campaign


@pytest.fixture
def campaign(tmp_path: Path) -> Iterator[Callable[..., Campaign]]:
    """Makes working directories, by default one in the test's own folder."""
    made: list[Campaign] = []

    def make(flowfile: str, files: dict[str, str] | None = None, folder: str = ".", **more: str) -> Campaign:
        made.append(Campaign(tmp_path / folder, flowfile, files, **more))
        return made[-1]

    yield make
    for box in made:
        box.end()
