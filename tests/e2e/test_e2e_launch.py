"""What a job costs, counted and not timed: steps of the driver, processes it starts, waits for the disk."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from box import Box

COUNT = """
import json, os, sys

counts = dict.fromkeys(("calls", "spawned", "synced", "written"), 0)

def counted(name, function):
    def call(*args, **more):
        counts[name] += 1
        return function(*args, **more)
    return call

os.posix_spawn = counted("spawned", os.posix_spawn)
os.fsync, os.fdatasync = counted("synced", os.fsync), counted("synced", os.fdatasync)

from flowrules.app import loop
from flowrules.__main__ import main

run = loop.Loop.run

def counting(self):
    def step(frame, event, arg):
        counts["calls"] += event in ("call", "c_call")
    counts["spawned"] = counts["synced"] = 0
    sys.setprofile(step)
    try:
        result = run(self)
    finally:
        sys.setprofile(None)
    counts["jobs"] = len(result.done)
    print(json.dumps(counts), file=sys.stderr)
    return result

loop.Loop.run = counting
main()
"""

FLOWFILE = """
let N = [*range(int(config.jobs))]
rule all:
    input: expand("out/{n}", n=N)
rule make:
    output: "out/{n}"
    ACTION
"""

SHELL = 'shell: "echo {n} > {output}"'
CALL = 'call: "work.py:make"'
WORK = """
def make(job):
    with open(job.output[0], "w") as file:
        file.write("x")
"""


def counts(tmp_path: Path, action: str, jobs: int) -> dict[str, int]:
    """What a run of so many jobs counted."""
    folder = tmp_path / str(jobs)
    folder.mkdir()
    box = Box(folder, FLOWFILE.replace("ACTION", action), {"work.py": WORK, "count.py": COUNT})
    command = [sys.executable, "count.py", "-q", "-j", "2", "-C", f"jobs={jobs}"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    assert len(list((box.path / "out").iterdir())) == jobs
    return json.loads(done.stderr.splitlines()[-1])


@pytest.mark.parametrize(("action", "most", "spawned"), [(SHELL, 700, 60), (CALL, 700, 4)])
def test_the_cost_of_a_job_does_not_grow_with_their_number(
    tmp_path: Path, action: str, most: int, spawned: int
) -> None:
    few, many = counts(tmp_path, action, 300), counts(tmp_path, action, 2_000)
    assert (few["jobs"], many["jobs"]) == (300, 2_000)
    assert many["calls"] / 2_000 <= 1.1 * few["calls"] / 300
    assert many["calls"] / 2_000 <= most
    # a shell job in fifty has a process of its own, by which its rule's memory is known
    assert many["spawned"] <= spawned
    # the record is on disk after each second or 1,000 lines, not after each job
    assert many["synced"] <= 2_000 / 20
