"""A folder with a workflow, and the program run in it as a user would."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import msgspec


class Box:
    """A working directory."""

    def __init__(self, path: Path, flowfile: str, files: dict[str, str] | None = None) -> None:
        self.path = path
        self.write("Flowfile", textwrap.dedent(flowfile))
        for name, text in (files or {}).items():
            self.write(name, text)

    def write(self, name: str, text: str) -> None:
        """Write a file with the folders above it."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def read(self, name: str) -> str:
        """Content of a file."""
        return (self.path / name).read_text()

    def exists(self, name: str) -> bool:
        """Whether there is such a file."""
        return (self.path / name).exists()

    def command(self, *args: str) -> list[str]:
        """The program with arguments."""
        return [sys.executable, "-m", "flowrules", *args]

    def run(self, *args: str, timeout: float = 300, env: dict[str, str] | None = None, **more):
        """Run the program; gives what `subprocess.run` gives, with output and error as text."""
        return subprocess.run(
            self.command(*args),
            cwd=self.path,
            capture_output=True,
            text=True,
            timeout=timeout,
            env={**os.environ, "COLUMNS": "120", **(env or {})},
            stdin=subprocess.DEVNULL,
            **more,
        )

    def start(self, *args: str, **more) -> subprocess.Popen:
        """Start the program and leave it running."""
        return subprocess.Popen(
            self.command(*args),
            cwd=self.path,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **more,
        )

    def ok(self, *args: str, **more) -> str:
        """Run the program, which must succeed; its output."""
        done = self.run(*args, **more)
        assert done.returncode == 0, f"status {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def todo(self, *args: str) -> dict[str, list[str]]:
        """What a dry run says: labels by decision."""
        plan = msgspec.json.decode(self.ok("-n", "--format", "json", *args))
        result: dict[str, list[str]] = {}
        for job in plan["jobs"]:
            values = " ".join(f"{k}={v}" for k, v in job["wildcards"].items())
            label = f"{job['rule']} {values}" if values else job["rule"]
            if job["decision"] in ("run", "may run"):
                result.setdefault(job["decision"], []).append(label)
        return result

    def history(self, *args: str) -> list[dict]:
        """Every attempt that was recorded, oldest first."""
        text = self.ok("history", "--format", "json", *args)
        return [msgspec.json.decode(line) for line in text.splitlines()]
