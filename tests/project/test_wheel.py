"""What a user installs: the wheel, built from the sdist, works in an empty environment with no checkout near it."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.network]

ROOT = Path(__file__).parents[2]

FLOWFILE = """\
let NAMES = ["a", "b"]

rule all:
    input: expand("{name}.txt", name=NAMES)

rule hello:
    output: "{name}.txt"
    shell: "echo hello {name} > {output}"
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder with sdist and wheel."""
    folder = tmp_path_factory.mktemp("dist")
    run([sys.executable, "-m", "build", "--outdir", str(folder), str(ROOT)])
    return folder


def run(command, cwd=None):
    """What a command prints; it must end well, and sees nothing of the environment the tests run in."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=env)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_sdist_has_everything_that_is_tracked_and_nothing_else(built):
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        names = {name.partition("/")[2] for name in tar.getnames()}
    for expected in (
        "pyproject.toml",
        "LICENSE",
        "README.md",
        "Makefile",
        "grammar/flowfile.lark",
        "tests/conftest.py",
    ):
        assert expected in names
    assert not [name for name in names if "__pycache__" in name or name.startswith((".venv", ".git/"))]


def test_wheel_has_the_package_with_grammar_and_profiles(built):
    (archive,) = built.glob("*.whl")
    with zipfile.ZipFile(archive) as wheel:
        names = wheel.namelist()
    assert "flowrules/py.typed" in names
    assert "flowrules/grammar/flowfile.lark" in names
    assert "flowrules/grammar/flowfile.tables.json" in names
    assert "flowrules/profiles/local/profile.yaml" in names
    for asset in ("base.css", "dag.js", "templates/dag.html.j2", "vendor/d3-zoom.min.js", "vendor/d3-zoom.LICENSE"):
        assert f"flowrules/pages/assets/{asset}" in names
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"flowrules"}


def test_wheel_runs_a_workflow(built, tmp_path):
    (wheel,) = built.glob("*.whl")
    home = tmp_path / "env"
    venv.create(home, with_pip=True)
    run([home / "bin" / "python", "-m", "pip", "install", "--quiet", wheel])

    work = tmp_path / "work"
    work.mkdir()
    (work / "Flowfile").write_text(FLOWFILE, encoding="utf-8")
    flowrules = home / "bin" / "flowrules"
    assert run([flowrules, "--version"], cwd=work).startswith("flowrules ")
    run([flowrules, "-j", "2"], cwd=work)
    assert (work / "b.txt").read_text(encoding="utf-8") == "hello b\n"
    assert run([flowrules, "explain", "F501"], cwd=work).startswith("F501: ")
    run([flowrules, "dag", "-o", "dag.html"], cwd=work)
    assert "</html>" in (work / "dag.html").read_text(encoding="utf-8")
    where = run([home / "bin" / "python", "-c", "import flowrules; print(flowrules.__file__)"], cwd=work)
    assert Path(where.strip()).is_relative_to(home)
