"""`kill -9` of the driver at any moment: a plain rerun ends with the same bytes, and nothing finished runs again."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from box import Box

JOBS = 200
KILLS = 20

FLOWFILE = """
let SAMPLES = [f"s{n}" for n in range(66)]
rule all:
    input: "total.txt"
rule first:
    output: "first/{s}.txt"
    shell: "for i in 1 2 3 4 5; do echo {s} $i >> {output}; sleep 0.01; done"
rule second:
    input: "first/{s}.txt"
    output: temp("second/{s}.txt")
    shell: "while read -r line; do echo \\"got $line\\"; sleep 0.002; done < {input} > {output}"
rule third:
    input: "second/{s}.txt"
    output: "third/{s}.txt", directory("parts/{s}")
    shell:
        '''
        mkdir {output[1]}
        split -l 1 {input} {output[1]}/
        tac {input} > {output[0]}
        '''
rule total:
    input: expand("third/{s}.txt", s=SAMPLES)
    output: "total.txt"
    shell: "cat {input} > {output}"
"""


def tree(path: Path) -> dict[str, bytes]:
    """Every file below a folder with its content, but for what flowrules keeps."""
    return {
        str(p.relative_to(path)): p.read_bytes()
        for p in sorted(path.rglob("*"))
        if p.is_file() and ".flowrules" not in p.parts
    }


def processes_of(path: Path) -> list[int]:
    """Processes that work in a folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if Path(os.readlink(entry / "cwd")) == path:
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


@pytest.mark.slow
def test_twenty_kills(tmp_path: Path) -> None:
    calm = Box(tmp_path / "calm", FLOWFILE)
    calm.ok("-j", "4")
    box = Box(tmp_path / "box", FLOWFILE)
    seed = random.randrange(10**6)
    rng = random.Random(seed)
    finished: set[str] = set()
    for _ in range(KILLS):
        driver = box.start("-j", "4")
        time.sleep(rng.uniform(0.15, 1.2))
        driver.send_signal(signal.SIGKILL)
        driver.communicate()
        records = box.history()
        done = [made for record in records if record["status"] == "done" for made in record["outputs"]]
        assert max(Counter(done).values(), default=1) == 1, f"seed {seed}: a finished job ran again"
        assert finished <= set(done), f"seed {seed}: a record was lost"
        finished = set(done)
    box.ok("-j", "4")
    assert tree(box.path) == tree(calm.path), f"seed {seed}"
    done = [made for record in box.history() if record["status"] == "done" for made in record["outputs"]]
    assert max(Counter(done).values()) == 1, f"seed {seed}"
    assert "run" not in box.todo()
    assert processes_of(box.path) == []


def test_jobs_of_a_killed_driver_are_ended_before_the_next_begins(tmp_path: Path) -> None:
    box = Box(
        tmp_path,
        """
        rule a:
            output: "a.txt"
            shell: "echo begun >> ledger; (setsid sleep 60 & ); echo half > {output}; sleep 60; echo whole >> {output}"
        """,
    )
    driver = box.start()
    while not box.exists("a.txt"):
        time.sleep(0.02)
    driver.send_signal(signal.SIGKILL)
    driver.communicate()
    assert box.todo() == {"run": ["a"]}
    assert "last run did not finish" in box.ok("-n", "-v")
    box.write("Flowfile", box.read("Flowfile").replace("sleep 60", "sleep 0"))
    said = box.ok()
    assert "did not end in order" in said
    assert box.read("a.txt") == "half\nwhole\n"
    deadline = time.monotonic() + 60
    while processes_of(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert processes_of(tmp_path) == []


def test_temp_files_of_a_killed_driver_go(tmp_path: Path) -> None:
    box = Box(
        tmp_path,
        """
        rule all:
            input: "b", "c"
        rule a:
            output: temp("a")
            shell: "echo > {output}"
        rule b:
            input: "a"
            output: "b"
            shell: "cp {input} {output}"
        rule c:
            input: "b"
            output: "c"
            shell: "echo > started; sleep 60; echo > {output}"
        """,
    )
    driver = box.start()
    while not box.exists("started"):
        time.sleep(0.02)
    driver.send_signal(signal.SIGKILL)
    driver.communicate()
    box.write("a", "\n")  # as if the driver had died before it deleted this
    box.write("Flowfile", box.read("Flowfile").replace("sleep 60", "sleep 0"))
    assert box.todo() == {"run": ["c"]}
    box.ok()
    assert not box.exists("a")


HASTY = """
import sys
import flowrules.record.lock
from flowrules.cli.main import main
flowrules.record.lock.FRESH_SECONDS = 0.0
sys.exit(main())
"""


def test_a_driver_that_goes_on_after_another_took_over_writes_and_starts_nothing(tmp_path: Path) -> None:
    box = Box(
        tmp_path,
        """
        rule all:
            input: "a", "b"
        rule a:
            output: "a"
            priority: 1
            shell: "touch up; until [[ -e go ]]; do sleep 0.02; done; echo > {output}; touch done"
        rule b:
            output: "b"
            shell: "echo > {output}"
        """,
    )
    box.command = lambda *args: [sys.executable, "-c", HASTY, *args]
    driver = box.start("-j", "1")
    wait_for(lambda: box.exists("up"))
    driver.send_signal(signal.SIGSTOP)
    owner = json.dumps({"host": "login9", "pid": 77, "since": 1_700_000_000})
    box.write(".flowrules/driver/000002/owner", owner)
    box.write("go", "")
    wait_for(lambda: box.exists("done"))
    journal = box.read(".flowrules/journal")
    driver.send_signal(signal.SIGCONT)
    said, _ = driver.communicate(timeout=60)
    assert driver.returncode == 3, said
    assert "error: another flowrules took over this directory: process 77 on login9" in said
    assert box.read(".flowrules/journal") == journal
    assert box.exists("a") and not box.exists("b")


def wait_for(seen: Callable[[], object]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + 60
    while not seen():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)
