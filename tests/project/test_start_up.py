"""What a call imports: start-up is a budget of modules, not of time, so that a slow machine is no reason to fail."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FLOWFILE = """
rule all:
    input: "c.txt"
rule b:
    output: "b.txt"
    shell: "echo > {output}"
rule c:
    input: "b.txt"
    output: "c.txt"
    shell: "cat {input} > {output}"
"""
HEAVY = (
    *("asyncio", "email", "filelock", "html", "http", "jinja2", "jsonschema", "lark", "logging", "multiprocessing"),
    *("networkx", "numpy", "regex", "rich", "subprocess", "tempfile", "unittest", "urllib", "yaml", "zipfile"),
)
"""Modules of others that cost milliseconds; no plan of an ordinary workflow needs one."""


def imported(folder: Path, *args: str) -> set[str]:
    """The modules that a call has imported at its end."""
    code = (
        "import atexit, sys; sys.argv = ['flowrules', *sys.argv[1:]]\n"
        "atexit.register(lambda: print(*sys.modules, file=sys.stderr))\n"
        "from flowrules.__main__ import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *args], cwd=folder, capture_output=True, text=True, timeout=120, check=True
    )
    return set(done.stderr.split())


def of(modules: set[str], *packages: str) -> list[str]:
    """Those of some packages, below them too."""
    return sorted(m for m in modules if any(m == p or m.startswith(f"{p}.") for p in packages))


@pytest.fixture
def workflow(tmp_path: Path) -> Path:
    (tmp_path / "Flowfile").write_text(FLOWFILE)
    return tmp_path


def test_the_version_is_told_without_loading_anything(workflow: Path) -> None:
    assert of(imported(workflow, "--version"), "flowrules", "click") == [
        "flowrules",
        "flowrules.__main__",
        "flowrules.version",
    ]


def test_help_loads_no_core(workflow: Path) -> None:
    modules = imported(workflow, "--help")
    assert of(modules, "flowrules.load", "flowrules.plan.build", "flowrules.syntax", "flowrules.execute", *HEAVY) == []


def test_a_dry_run_loads_no_engine_and_nothing_heavy(workflow: Path) -> None:
    modules = imported(workflow, "-n")
    assert "flowrules.plan.build" in modules
    assert of(modules, "flowrules.schedule", "flowrules.pages", "flowrules.show.packing", *HEAVY) == []
    assert of(modules, "flowrules.execute") == ["flowrules.execute", "flowrules.execute.helpers"]
    assert len(of(modules, "flowrules")) < 170, "each costs half a millisecond"


def test_a_dry_run_that_finds_nothing_to_do_loads_no_language(workflow: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "flowrules", "-j", "1"], cwd=workflow, capture_output=True, timeout=120, check=True
    )
    subprocess.run([sys.executable, "-m", "flowrules"], cwd=workflow, capture_output=True, timeout=120, check=True)
    modules = imported(workflow, "-n")
    parts = ("load", "syntax", "schedule", "execute", "record.store", "plan.build", "expr.compile")
    assert of(modules, *(f"flowrules.{part}" for part in parts), "msgspec", *HEAVY) == []
    assert len(of(modules, "flowrules")) < 45
