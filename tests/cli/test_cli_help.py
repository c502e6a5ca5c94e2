"""Help: every command has one, with examples and every option, and it fits."""

from __future__ import annotations

import re

import pytest

from flowrules.cli.main import COMMANDS
from flowrules.version import __version__


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)])
@pytest.mark.parametrize("columns", ["80", "200"])
def test_help_has_examples_and_fits(desk, monkeypatch, command, columns) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    text = desk.ok(*command, "--help")
    assert text == desk.ok(*command, "-h")
    assert text.startswith("Usage: flowrules")
    assert max(map(len, text.splitlines())) <= min(int(columns), 100)
    examples = [line for line in text.splitlines() if line.startswith("  flowrules ")]
    assert examples, "no example"
    assert all(line.rstrip() == line for line in text.splitlines())
    assert "\n  [" not in text, "an argument among the options"


def test_every_option_has_help_that_is_a_sentence(desk, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    for name in COMMANDS:
        for option in re.split(r"\n  (?=-)", desk.ok(name, "--help").split("\n\n", 2)[2])[1:]:
            option = " ".join(option.split("\n\n")[0].split())
            assert re.search(r"  ?[A-Z].*[.\]]$", option), f"{name}: {option}"


def test_help_of_run_has_headings(desk) -> None:
    text = desk.ok("run", "--help")
    for heading in ("What runs:", "How it runs:", "What is shown:", "Workflow:"):
        assert f"\n{heading}\n" in text
    assert text.count("--format") == 1


def test_version(desk) -> None:
    assert desk.ok("--version") == desk.ok("-V") == f"flowrules {__version__}\n"
    assert desk.process("--version").stdout.decode() == f"flowrules {__version__}\n"


def test_examples_of_help_are_calls_that_can_be_read(desk, monkeypatch) -> None:
    """Every example line is parsed; what it names need not exist."""
    for name in [None, *COMMANDS]:
        text = desk.ok(*([name] if name else []), "--help")
        for line in text.splitlines():
            if not line.startswith("  flowrules "):
                continue
            call = re.split(r"  +| (?:\||&&|>>?|<) ", line.strip())[0].split()[1:]
            said = desk.call(*(part for part in call if part not in ("-y", "--yes")), "--help")
            assert said.status == 0, line
