"""What `flowrules` offers to Python, and what is imported for it: start-up is paid by every call."""

from __future__ import annotations

import importlib
import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest

import flowrules

HEAVY = frozenset(
    [
        "asyncio",
        "attr",
        "attrs",
        "concurrent",
        "csv",
        "difflib",
        "email",
        "filelock",
        "http",
        "importlib.metadata",
        "importlib.resources",
        "jinja2",
        "jsonschema",
        "lark",
        "logging",
        "msgspec",
        "multiprocessing",
        "networkx",
        "pathlib",
        "referencing",
        "regex",
        "rich",
        "ssl",
        "subprocess",
        "tempfile",
        "tokenize_rt",
        "unittest",
        "urllib",
        "yaml",
        "zipfile",
    ]
)
"""Packages and modules that cost milliseconds."""


def imported(code: str, folder: Path, *args: str) -> set[str]:
    """Modules that a fresh interpreter has after some code, without those it starts with."""
    program = (
        "import sys\nbefore = set(sys.modules)\ntry:\n    "
        + code.replace("\n", "\n    ")
        + "\nexcept SystemExit:\n    pass\n"
        "sys.stderr.write('\\n'.join(sorted(set(sys.modules) - before)))"
    )
    env = {k: v for k, v in os.environ.items() if not k.startswith(("COV_", "COVERAGE"))}
    command = [sys.executable, "-I", "-c", program, *args]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def heavy(modules: set[str]) -> set[str]:
    """Those of some modules that are heavy."""
    return {name for name in HEAVY if name in modules}


CALL = "from flowrules.__main__ import main\nsys.argv[0] = 'flowrules'\nmain()"
FLOWFILE = """\
rule all:
    input: "c.txt"
rule a:
    output: "a.txt"
    shell: "echo > {output}"
rule b:
    input: "a.txt"
    output: "b.txt"
    shell: "cp {input} {output}"
rule c:
    input: "b.txt"
    output: "c.txt"
    threads: 2
    resources: mem=1GB
    shell: "cp {input} {output}"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a workflow of three jobs."""
    (tmp_path / "Flowfile").write_text(FLOWFILE)
    return tmp_path


def test_public_names() -> None:
    assert flowrules.__all__ == sorted(flowrules.__all__)
    for name in flowrules.__all__:
        if name != "job":  # there is one only inside a job
            assert getattr(flowrules, name) is not None
    assert set(flowrules.__all__) == {
        "Diagnostic",
        "FlowfileError",
        "FlowrulesError",
        "Outcome",
        "PlannedWorkflow",
        "Workflow",
        "__version__",
        "job",
    }
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = flowrules.nothing


def test_public_names_are_documented() -> None:
    for name in set(flowrules.__all__) - {"__version__", "job"}:
        public = getattr(flowrules, name)
        assert inspect.getdoc(public), name
        for member, value in inspect.getmembers(public):
            if member.startswith("_") or not (inspect.isroutine(value) or isinstance(value, property)):
                continue
            if getattr(inspect.unwrap(getattr(value, "__func__", value)), "__module__", "flowrules").startswith(
                "flowrules"
            ):
                assert inspect.getdoc(value), f"{name}.{member}"


def test_every_module_opens_with_a_sentence() -> None:
    package = Path(flowrules.__file__).parent
    for path in sorted(package.rglob("*.py")):
        name = ".".join(path.relative_to(package.parent).with_suffix("").parts).removesuffix(".__init__")
        if name in ("flowrules.execute.child", "flowrules.__main__"):
            continue
        doc = importlib.import_module(name).__doc__
        assert doc, name
        assert doc.split("\n")[0][0].isupper() or doc[0] in "`O" or doc.startswith("flowrules"), name
        assert doc.strip().split("\n\n")[0].rstrip().endswith((".", ":")), name


def test_job_outside_of_a_job_says_so() -> None:
    with pytest.raises(Exception, match="job"):
        _ = flowrules.job


def test_version_imports_nothing(folder: Path) -> None:
    got = imported(CALL, folder, "--version")
    assert not heavy(got)
    assert "click" not in got
    assert {name for name in got if name.startswith("flowrules")} == {
        "flowrules",
        "flowrules.__main__",
        "flowrules.version",
    }


@pytest.mark.parametrize("args", [["--help"], ["run", "--help"], ["init", "new"]])
def test_help_imports_no_core(folder: Path, args: list[str]) -> None:
    got = imported(CALL, folder, *args)
    assert not heavy(got)
    parts = {".".join(name.split(".")[:2]) for name in got if name.startswith("flowrules.")}
    assert not parts & {f"flowrules.{name}" for name in ("load", "expr", "syntax", "schedule", "execute", "record")}


def test_a_dry_run_imports_what_it_needs(folder: Path) -> None:
    got = imported(CALL, folder, "-n")
    assert heavy(got) <= {"msgspec", "difflib"}  # click compares names of options with difflib
    assert not {name for name in got if name.startswith(("flowrules.schedule", "flowrules.execute.local"))}
    assert not got & {"flowrules.show.live", "flowrules.show.graph_svg", "flowrules.api", "flowrules.record.lock"}


def test_a_run_imports_what_it_needs(folder: Path) -> None:
    got = imported(CALL, folder, "-q")
    assert (folder / "c.txt").exists()
    assert not heavy(got) & {"asyncio", "jinja2", "jsonschema", "lark", "networkx", "regex", "rich", "yaml", "unittest"}


def test_a_script_that_reads_its_job_imports_next_to_nothing(folder: Path) -> None:
    got = imported("from flowrules.jobdoc import load_job", folder)
    assert not heavy(got)
    assert "click" not in got
    assert {name for name in got if name.startswith("flowrules")} <= {
        "flowrules",
        "flowrules.jobdoc",
        "flowrules.version",
    }


def test_the_api_does_without_the_command_line(folder: Path) -> None:
    code = "from flowrules import Workflow\nWorkflow.load('Flowfile').plan(['all'])"
    got = imported(code, folder)
    assert "click" not in got
    assert not {name for name in got if name.startswith("flowrules.cli")}
    assert not heavy(got) & {"asyncio", "jinja2", "jsonschema", "lark", "networkx", "regex", "rich", "yaml", "filelock"}
