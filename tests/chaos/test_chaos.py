"""Some disturbed workflows, always the same; `make chaos` runs as many as one likes."""

from __future__ import annotations

from pathlib import Path

import pytest
from chaos import told, verdicts
from places import PLACES


@pytest.mark.slow
@pytest.mark.parametrize("place, seeds", [("local", range(1, 4)), ("sandbox", range(1, 3))])
def test_disturbed_workflows_end_whole(tmp_path: Path, place: str, seeds: range) -> None:
    failed = [told(verdict, place) for verdict in verdicts(PLACES[place](), seeds, tmp_path, 2) if verdict.problems]
    assert not failed, "\n".join(failed)
