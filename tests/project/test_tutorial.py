"""The tutorial is typed in from top to bottom, and the program answers what it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial.md"


def masked(text: str) -> list[str]:
    """The lines without times and without the order in which jobs ended."""
    text = re.sub(r"\d\d:\d\d:\d\d", "<time>", text)
    text = re.sub(r"\b\d+(\.\d+)?s\b", "<seconds>", text)
    text = re.sub(r"\[ *\d+/", "[", text)
    return sorted(text.splitlines())


def type_in(block: str, folder: Path) -> None:
    """Runs the commands of a block and compares what each prints with what stands below it."""
    env = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "NO_COLOR": "1",
        "COLUMNS": "120",
        "LC_ALL": "C",
    }
    for command, expected in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE):
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=env,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}"
        assert masked(done.stdout) == masked(expected), command


def test_tutorial(tmp_path):
    blocks = re.findall(r"^```(\w+) ?(\S*)\n(.*?)^```$", TUTORIAL.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert len(blocks) > 10
    for kind, name, text in blocks:
        if kind == "console":
            type_in(text, tmp_path)
        else:
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text, encoding="utf-8")
