"""`fmt`, `lint` and `init`: commands for whoever writes a Flowfile."""

from __future__ import annotations

import io
import json
import os
import stat
import subprocess
import sys

import pytest

UGLY = 'rule a :\n  output : "a"\n  shell: "echo > {output}"   # why\n'
NEAT = 'rule a:\n    output: "a"\n    shell: "echo > {output}"  # why\n'


def test_fmt_lays_out_the_flowfile(desk) -> None:
    desk.write("Flowfile", UGLY)
    os.chmod("Flowfile", 0o640)
    said = desk.call("fmt", "--check")
    assert said == (1, "Flowfile is not in the one style\n1 file would change\n", "")
    said = desk.call("fmt", "--diff")
    assert said.status == 1
    assert "-rule a :\n" in said.out
    assert "+rule a:\n" in said.out
    assert desk.read("Flowfile") == UGLY
    assert desk.ok("fmt") == "laid out Flowfile\n"
    assert desk.read("Flowfile") == NEAT
    assert stat.S_IMODE(os.stat("Flowfile").st_mode) == 0o640
    assert desk.ok("fmt") == desk.ok("fmt", "--check") == desk.ok("fmt", "--diff") == "everything is in the one style\n"
    assert desk.ok("fmt", "-q") == ""


def test_fmt_on_several_files(desk) -> None:
    desk.write("a.flow", UGLY)
    desk.write("b.flow", NEAT)
    desk.write("sub/c.flow", UGLY)
    assert desk.ok("fmt", "a.flow", "b.flow", "sub/c.flow", "a.flow") == "laid out a.flow\nlaid out sub/c.flow\n"
    assert desk.read("a.flow") == desk.read("sub/c.flow") == NEAT
    assert desk.ok("fmt", "-d", "sub", "-s", "sub/c.flow", "--check") == "everything is in the one style\n"
    assert desk.ok("fmt", "-d", "sub", "a.flow", "--check") == "everything is in the one style\n"


def test_fmt_writes_nothing_where_one_file_has_a_mistake(desk) -> None:
    desk.write("a.flow", UGLY)
    desk.write("b.flow", "rule b\n")
    assert "b.flow:1:" in desk.wrong("fmt", "a.flow", "b.flow")
    assert desk.read("a.flow") == UGLY
    assert desk.wrong("fmt", "none.flow") == "error: `none.flow` cannot be read: no such file or directory\n"
    assert desk.wrong("fmt", "in") == "error: `in` cannot be read: is a directory\n"


def test_fmt_through_a_link_keeps_the_link(desk) -> None:
    desk.write("real.flow", UGLY)
    os.symlink("real.flow", "link.flow")
    desk.ok("fmt", "link.flow")
    assert os.path.islink("link.flow")
    assert desk.read("real.flow") == NEAT


def test_fmt_of_standard_input(desk, monkeypatch) -> None:
    def stdin(text: str) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    stdin(UGLY)
    assert desk.ok("fmt", "-") == NEAT
    stdin(UGLY)
    assert desk.call("fmt", "-", "--check") == (1, "- is not in the one style\n1 file would change\n", "")
    stdin(UGLY)
    assert json.loads(desk.ok("fmt", "-", "--format", "json")) == {"file": "-", "changed": True, "text": NEAT}
    stdin("rule\n")
    assert "-:1:" in desk.wrong("fmt", "-")


def test_fmt_as_json(desk) -> None:
    desk.write("a.flow", UGLY)
    said = desk.call("fmt", "a.flow", "--diff", "--format", "json")
    assert said.status == 1
    assert "+rule a:" in json.loads(said.out)["diff"]
    assert json.loads(desk.ok("fmt", "a.flow", "--format", "json")) == {"file": "a.flow", "changed": True}
    assert json.loads(desk.ok("fmt", "a.flow", "--format", "json")) == {"file": "a.flow", "changed": False}


def test_lint(desk) -> None:
    desk.write("Flowfile", NEAT.replace("  # why", ""))
    assert desk.ok("lint") == "no mistakes, no risky habits\n"
    assert desk.ok("lint", "--format", "json") == ""
    desk.write("Flowfile", "rule a\n")
    assert "error[" in desk.wrong("lint")
    said = desk.call("lint", "--format", "json")
    assert said.status == 2
    assert all(json.loads(line)["severity"] == "error" for line in said.out.splitlines())


@pytest.fixture
def empty(desk):
    """A desk with nothing on it."""
    for name in ("Flowfile", "config.yaml", "in/a.txt", "in/b.txt"):
        (desk.path / name).unlink()
    (desk.path / "in").rmdir()
    return desk


@pytest.mark.parametrize("folder", [".", "new", "deep/new folder"])
def test_init_begins_a_workflow_that_runs_and_whose_test_passes(empty, folder: str) -> None:
    said = empty.ok("init", folder)
    assert said.count("wrote ") == 7
    assert said.endswith("flowrules -n, then flowrules\n")
    assert ("cd 'deep/new folder'; " in said) is (folder == "deep/new folder")
    os.chdir(folder)
    assert empty.call("fmt", "--check").status == 0
    os.chdir(folder)
    assert empty.call("lint").status == 0
    os.chdir(folder)
    assert "3 jobs will run" in empty.ok("-n")
    os.chdir(folder)
    empty.ok()
    assert empty.read(f"{folder}/results/summary.csv") == "sample,count\none,2\ntwo,3\n"
    test = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir=.", "tests"]
    done = subprocess.run(test, cwd=empty.path / folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_init_touches_nothing_that_exists(empty) -> None:
    empty.write("config.yaml", "mine: 1\n")
    assert "kept config.yaml, which was there\n" in empty.ok("init")
    assert empty.read("config.yaml") == "mine: 1\n"
    assert empty.wrong("init").startswith("error: there is a `Flowfile` already\n")
    assert empty.wrong("init", "config.yaml").startswith("error: `DIR`: directory `config.yaml` is a file\n")
    assert empty.wrong("init", "config.yaml/x") == "error: `config.yaml/x` cannot be written: not a directory\n"


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="no /proc here")
def test_init_where_nothing_can_be_written(empty) -> None:
    assert empty.wrong("init", "/proc/new") == "error: `/proc/new` cannot be written: no such file or directory\n"
