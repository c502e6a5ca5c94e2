"""The page on threats names what there is: every dependency, and only tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/threat-model.md").read_text()


def test_every_dependency_is_told() -> None:
    section = re.search(r"^dependencies = \[(.*?)^\]", (ROOT / "pyproject.toml").read_text(), re.MULTILINE | re.DOTALL)
    assert section is not None
    wanted = re.findall(r'"([a-z0-9-]+)>=', section[1])
    table = PAGE[PAGE.index("## What it is made of") :]
    assert re.findall(r"^\| ([a-z0-9-]+) \|", table, re.MULTILINE)[1:] == wanted


def test_every_test_that_is_named_exists() -> None:
    named = set(re.findall(r"`(tests/[\w/]+\.py)`", PAGE))
    assert len(named) > 15
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_every_promise_names_a_test() -> None:
    section = PAGE[PAGE.index("## What is defended") : PAGE.index("## What is not defended")]
    rows = [line for line in section.splitlines() if line.startswith("| ") and not line.startswith("| promise")]
    assert len(rows) > 10
    assert [row for row in rows if "`tests/" not in row.rpartition("|")[0].rpartition("|")[2]] == []
