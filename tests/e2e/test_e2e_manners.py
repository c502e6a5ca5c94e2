"""What a driver takes of a login node while blocks work off thousands of jobs: counted, on any machine the same."""

from __future__ import annotations

import json
import os
import sys
import time
from itertools import pairwise
from pathlib import Path

from tasks_below import tasks_below

JOBS = 2_000

QUICK = """
rule all:
    input: expand("out/{n}", n=range(JOBS))
rule quick:
    output: "out/{n}"
    shell: ": > {output}"
"""

MOST_TASKS = 16
EVERY = 30.0
TURNS_A_JOB = 1.0
"""A driver that waits a fifth of a second at least would be at work for ten minutes then."""

CALLS_A_JOB = 4.0


def test_thousands_of_jobs_take_few_processes_and_few_questions(campaign) -> None:
    """`-j 512` on a machine that allows its users 128 processes and threads on a login node."""
    box = campaign(QUICK.replace("JOBS", str(JOBS)))
    script = str(Path(__file__).with_name("polite_sandbox.py"))
    box.command = lambda *args: [sys.executable, script, *args]
    driver = box.driver("-j", "512", "-q", "--set", "blocks.max=1")
    most = 0
    while driver.poll() is None:
        most = max(most, tasks_below(driver.pid))
        time.sleep(0.05)
    assert driver.returncode == 0, box.read("said")
    assert len(os.listdir(box.path / "out")) == JOBS
    counted = json.loads(box.read("counted.json"))
    assert 1 <= most <= MOST_TASKS
    asked = [at for what, at in counted["asked"] if what == "status"]
    assert all(then - now >= EVERY for now, then in pairwise(asked))
    assert [what for what, _ in counted["asked"] if what == "submit"] == ["submit"]
    assert 0 < counted["turns"] <= JOBS * TURNS_A_JOB
    assert 0 < counted["calls"] <= JOBS * CALLS_A_JOB
    box.command = type(box).command.__get__(box)
    assert box.ran() == {"quick": JOBS}
    box.alone()
