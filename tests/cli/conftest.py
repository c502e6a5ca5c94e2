"""The command line called as a function, in a folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from flowrules.cli.main import status_of

FLOWFILE = """
config "config.yaml"
rule all:
    input: "out/all.txt"
rule copy:
    \"\"\"Copy one sample.\"\"\"
    input: "in/{s}.txt"
    output: "out/{s}.txt"
    shell: "cat {input} > {output}; echo {config.word} >> {output}"
rule join:
    input: expand("out/{s}.txt", s=["a", "b"])
    output: "out/all.txt"
    shell: "cat {input} > {output}"
"""


class Said(NamedTuple):
    """What a call came to."""

    status: int
    out: str
    err: str


class Desk:
    """A folder with a small workflow, in which the command line is called."""

    def __init__(self, path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self.path = path
        self._capfd = capfd
        self.write("Flowfile", FLOWFILE)
        self.write("config.yaml", "word: moon\n")
        self.write("in/a.txt", "a\n")
        self.write("in/b.txt", "b\n")

    def write(self, name: str, text: str) -> None:
        """Write a file with the folders above it."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))

    def read(self, name: str) -> str:
        """Content of a file."""
        return (self.path / name).read_text()

    def exists(self, name: str) -> bool:
        """Whether there is such a file."""
        return (self.path / name).exists()

    def call(self, *args: str) -> Said:
        """Call the command line in this process; the working directory is as before afterwards."""
        self._capfd.readouterr()
        try:
            status = status_of(list(args))
        finally:
            os.chdir(self.path)
        return Said(status, *self._capfd.readouterr())

    def ok(self, *args: str) -> str:
        """Call it; it must succeed and complain about nothing. What it said."""
        said = self.call(*args)
        assert said.status == 0, said
        assert said.err == ""
        return said.out

    def wrong(self, *args: str) -> str:
        """Call it; it must refuse with status 2, all on standard error. What it said."""
        said = self.call(*args)
        assert said.status == 2, said
        assert said.out == ""
        return said.err

    def process(self, *args: str, **more) -> subprocess.CompletedProcess:
        """Call it as a process of its own."""
        more.setdefault("capture_output", True)
        more["env"] = {**os.environ, **more.get("env", {})}
        command = [sys.executable, "-m", "flowrules", *args]
        return subprocess.run(command, cwd=self.path, stdin=subprocess.DEVNULL, timeout=240, check=False, **more)


@pytest.fixture
def desk(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk; it is the working directory."""
    monkeypatch.chdir(tmp_path)
    for name in ("NO_COLOR", "FLOWRULES_RUN", "FLOWRULES_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    return Desk(tmp_path, capfd)


@pytest.fixture
def shell(desk: Desk) -> Callable[[str], str]:
    """Run a line of bash in the desk's folder, where `flowrules` is this program; its output."""
    program = desk.path / "bin" / "flowrules"
    desk.write("bin/flowrules", f'#!/bin/sh\nexec {sys.executable} -m flowrules "$@"\n')
    program.chmod(0o755)

    def run(line: str) -> str:
        env = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"}
        done = subprocess.run(["bash", "-c", line], env=env, capture_output=True, text=True, timeout=240, check=False)
        assert done.stderr == ""
        return done.stdout

    return run
