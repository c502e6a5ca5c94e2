"""A variable that a workflow needs is in the environment of its jobs, and nowhere else: no file, no page, no process's arguments."""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

SECRET = "s3cr3t-0123456789-abcdef-token"
FLOWFILE = """\
envvars "TOKEN"
rule all:
    input: expand("out/{n}.txt", n=range(6)), "made.txt"
rule use:
    output: "out/{n}.txt"
    log: "logs/{n}.log"
    benchmark: "times/{n}.tsv"
    message: "using {wildcards.n}"
    shell: "printf %s \\"$TOKEN\\" | sha256sum > {output}; sleep 0.2; echo fine >&2"
rule made:
    output: "made.txt"
    run:
        import hashlib, os
        with open(output[0], "w") as file:
            file.write(hashlib.sha256(os.environ["TOKEN"].encode()).hexdigest())
"""
FAILING = """\
envvars "TOKEN"
rule fails:
    output: "never.txt"
    retries: 1
    shell: "test -n \\"$TOKEN\\"; echo it went wrong >&2; exit 3"
"""
MACHINE = "scheduler: pbs\nlauncher: ssh\nnode: {cpus: 4}\nblocks: {nodes: 1, walltime: 20min, min: 0, max: 1}\n"
SHAPES = (
    SECRET.encode(),
    base64.b64encode(SECRET.encode())[:-4],
    SECRET.encode().hex().encode(),
    SECRET[::-1].encode(),
)
LOOKS = (
    *(
        ["history"],
        ["history", "--format", "json"],
        ["status"],
        ["status", "--format", "json"],
        ["summary"],
        ["failures"],
    ),
    *(
        ["report"],
        ["dag", "--format", "html"],
        ["-n", "--format", "json"],
        ["why", "out/1.txt"],
        ["lint"],
        ["-n", "-p"],
    ),
)


class Watch(threading.Thread):
    """Looks at the arguments of all processes, as any user of the machine may, until it is told to stop."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seen: dict[str, str] = {}
        self.looked = 0
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(0.02):
            for entry in os.listdir("/proc"):
                if entry.isdigit():
                    self._look(entry)

    def _look(self, pid: str) -> None:
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return
        self.looked += 1
        if SECRET.encode() in words:
            self.seen[pid] = words.decode("utf-8", "replace")

    def end(self) -> None:
        self._over.set()
        self.join()


@pytest.fixture
def call(tmp_path: Path) -> Callable[..., str]:
    """Runs the program in a folder, with the secret in its environment."""
    env = {**os.environ, "TOKEN": SECRET, "COLUMNS": "200", "FLOWRULES_PROFILE": "", "LC_ALL": "C.UTF-8"}
    (tmp_path / "machine").mkdir()
    (tmp_path / "machine/profile.yaml").write_text(MACHINE)

    def run(*args: str, status: int | None = 0) -> str:
        command = [sys.executable, "-m", "flowrules", *args]
        done = subprocess.run(
            command, cwd=tmp_path, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300
        )
        said = done.stdout + done.stderr
        assert status is None or done.returncode == status, said
        return said

    return run


def holding(folder: Path) -> list[str]:
    """Files below a folder that hold the secret, in a shape it may have been given."""
    found = []
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink() and any(shape in path.read_bytes() for shape in SHAPES):
            found.append(str(path.relative_to(folder)))
    return found


HOW = {
    "this machine": ("-j", "4"),
    "sandbox": ("--profile", "./machine", "--sandbox"),
}


@pytest.mark.slow
@pytest.mark.parametrize("how", list(HOW))
def test_a_secret_is_only_where_jobs_find_it(how: str, call: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "Flowfile").write_text(FLOWFILE)
    watch = Watch()
    watch.start()
    said = call(*HOW[how], "--log", "campaign.log", "-p", status=None)
    watch.end()
    wanted = hashlib.sha256(SECRET.encode()).hexdigest()
    made = [tmp_path / f"out/{n}.txt" for n in range(6)] + [tmp_path / "made.txt"]
    for path in made:
        assert path.exists(), said
        assert path.read_text().split()[0] == wanted, "jobs have it, so the test looks for what is there"
    assert watch.looked > 100 and watch.seen == {}
    assert SECRET not in said
    for look in LOOKS:
        assert SECRET not in call(*look, status=None), look
    assert holding(tmp_path) == []


@pytest.mark.slow
@pytest.mark.parametrize("how", list(HOW))
def test_a_failure_does_not_tell_it(how: str, call: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "Flowfile").write_text(FAILING)
    said = call(*HOW[how], "--log", "campaign.log", "-p", status=1)
    assert "it went wrong" in said
    assert SECRET not in said and SECRET not in call("failures") and SECRET not in call("report", status=None)
    assert holding(tmp_path) == []


@pytest.mark.slow
def test_scripts_that_are_written_do_not_hold_it(call: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "Flowfile").write_text(FLOWFILE)
    call("--profile", "./machine", "--sandbox", "--write-scripts", "scripts")
    call("--profile", "./machine", "--launcher", "parallel", "--sandbox", "--write-scripts", "plain", status=None)
    assert [p for p in tmp_path.glob("scripts/*")] != []
    assert holding(tmp_path) == []
