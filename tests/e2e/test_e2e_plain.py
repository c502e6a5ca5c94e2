"""Plain scripts of GNU Parallel, on real hosts: an sshlogin for each slot, nothing of flowrules on the nodes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from box import Box
from real_hosts import Hosts

MACHINE = """
scheduler: pbs
launcher: parallel
node:
  cpus: 8
  gpus:
    env: CUDA_VISIBLE_DEVICES
    slots:
      - {id: "0", cpus: "0-1"}
      - {id: "1", cpus: "2-3"}
blocks: {nodes: 2, walltime: 20min, max: 1}
latency_wait: 5s
"""

CALL = ("--profile", "./machine", "--write-scripts", "scripts")
SCRIPT = "scripts/b001/plain.sh"

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not shutil.which("parallel"), reason="`parallel` is not installed")]


class Plain(Box):
    """A working directory whose script runs on two hosts."""

    def __init__(self, path: Path, hosts: Hosts, flowfile: str, files: dict[str, str] | None = None) -> None:
        super().__init__(path, flowfile, {"machine/profile.yaml": MACHINE, **(files or {})})
        self.hosts = hosts
        self.write("bin/ssh", f'#!/bin/sh\nexec {shutil.which("ssh")} -F {hosts.config} "$@"\n')
        (path / "bin/ssh").chmod(0o755)
        self.scripts: list[subprocess.Popen] = []

    def script(self, *nodes: str) -> subprocess.Popen:
        """Start the script as in an allocation of these nodes."""
        names = nodes or self.hosts.names[:2]
        path = f"{self.path}/bin:{os.environ['PATH']}"
        with open(self.path / "said", "ab") as said:
            started = subprocess.Popen(
                ["bash", SCRIPT],
                cwd=self.path,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                env={**os.environ, "FLOWRULES_NODES": ",".join(names), "PATH": path},
                start_new_session=True,
            )
        self.scripts.append(started)
        return started

    def worked_off(self, *nodes: str, status: int = 0) -> str:
        """Run the script to its end; what it said."""
        before = len(self.read("said")) if self.exists("said") else 0
        code = self.script(*nodes).wait(120)
        said = self.read("said")[before:]
        assert code == status, said
        return said

    def until(self, seen: Callable[[], object]) -> None:
        deadline = time.monotonic() + 60
        while not seen():
            assert time.monotonic() < deadline, self.read("said")
            time.sleep(0.05)

    def told(self) -> list[tuple[str, list[str]]]:
        """What nodes wrote: the host, and the words of a line."""
        found = []
        for path in sorted((self.path / "scripts").glob("b*/runs/*/node-*.log")):
            found += [(path.name[5:-4], line.split()[1:]) for line in path.read_text().splitlines()]
        return found

    def alone(self) -> None:
        """Wait until no process of a job is left on any host."""
        self.until(lambda: not living(str(self.path)))


def living(folder: str) -> list[int]:
    """Processes with a mark of a plain script that work in a folder; those of hosts are seen from here too."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if b"FLOWRULES_BLOCK=" in (entry / "environ").read_bytes() and os.readlink(entry / "cwd") == folder:
                found.append(int(entry.name))
        except (OSError, ValueError):
            continue
    return found


def of_session(leader: int) -> list[int]:
    """Processes of a session, as a batch system ends them."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.getsid(int(entry.name)) == leader:
                found.append(int(entry.name))
        except ProcessLookupError:
            continue
    return found


@pytest.fixture
def plain(tmp_path: Path, hosts: Hosts) -> Iterator[Callable[..., Plain]]:
    made: list[Plain] = []

    def make(flowfile: str, files: dict[str, str] | None = None) -> Plain:
        made.append(Plain(tmp_path, hosts, flowfile, files))
        return made[-1]

    yield make
    for box in made:
        for script in box.scripts:
            for pid in of_session(script.pid):
                os.kill(pid, signal.SIGKILL)
            script.wait()
    for pid in living(str(tmp_path)):
        os.kill(pid, signal.SIGKILL)


TWO = """\
    rule all:
        input: expand("second/{n}", n=[f"{n:02}" for n in range(6)])
    rule first:
        output: "first/{n}"
        resources: gpus=1
        shell: "echo $CUDA_VISIBLE_DEVICES $FLOWRULES_NODES $HOSTNAME > {output}; sleep 0.5"
    rule second:
        input: "first/{n}"
        output: "second/{n}"
        log: "logs/{n}"
        threads: 4
        shell: "echo {wildcards.n}; cat {input} > {output}; echo ${FLOWRULES_GPUS:-none} $OMP_NUM_THREADS >> {output}"
"""


def test_each_slot_has_its_gpu_and_no_other(plain: Callable[..., Plain]) -> None:
    box = plain(TWO)
    said = box.ok(*CALL)
    assert "wrote scripts/b001.sh" in said or f"wrote {box.path}/scripts/b001.sh" in said
    assert f"exec bash {box.path}/{SCRIPT}" in box.read("scripts/b001.sh")
    said = box.worked_off()
    assert "stage 1 of 2: 6 to run, 4 at once" in said and "stage 2 of 2: 6 to run, 4 at once" in said
    assert said.endswith("done: 12 of 12\n")
    ends = {words[1]: words for _, words in box.told() if words[0] == "end"}
    slots: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for host, words in box.told():
        if words[0] == "start" and words[2] != "-":
            slots.setdefault((host, words[2]), []).append((int(words[4]), int(ends[words[1]][4])))
    assert set(slots) == {(host, gpu) for host in box.hosts.names[:2] for gpu in "01"}
    for spans in slots.values():
        assert all(end <= start for (_, end), (start, _) in pairwise(sorted(spans)))
    for n in range(6):
        first, last = box.read(f"second/{n:02}").splitlines()
        gpu, named, host = first.split()
        assert (host, gpu) in slots and named == host and last == "none 4"
        assert box.read(f"logs/{n:02}") == f"{n:02}\n"
    box.alone()
    # what is done is not done again, and the next run believes what lies there
    assert "stage" not in box.worked_off()
    assert box.todo() == {}


NASTY = ["it's", 'say "so"', "a b", "$(touch oops)", "back\\slash", "new\nline", "-dash", "tab\t", "{}", "é`x`;*"]


def test_names_are_safe(plain: Callable[..., Plain]) -> None:
    box = plain(
        """
        let N = glob("in/{n}").n
        rule all:
            input: expand("out/{n}/{n}", n=N)
        rule copy:
            input: "in/{n}"
            output: "out/{n}/{n}"
            env: WHAT="{wildcards.n}"
            shell: "cp -- {input} {output}; printf %s \\"$WHAT\\" >> {output}"
        """
    )
    for name in NASTY:
        box.write(f"in/{name}", "content of ")
    box.ok(*CALL)
    assert f"done: {len(NASTY)} of {len(NASTY)}" in box.worked_off()
    for name in NASTY:
        assert box.read(f"out/{name}/{name}") == f"content of {name}"
    assert not list(box.path.rglob("oops"))


WRONG = """\
    rule all:
        input: "after", "empty", "folder", "half", "other", "late"
    rule missing:
        output: a="one", b="two"
        shell: "echo > one; [ ! -e good ] || echo > two"
    rule after:
        input: "two"
        output: "after"
        shell: "touch after"
    rule empty:
        output: ensure("empty", non_empty=true)
        shell: "touch {output}; [ ! -e good ] || echo > {output}"
    rule folder:
        output: directory("folder")
        shell: "mkdir -p folder/deep; chmod 500 folder/deep; [ -e good ]"
    rule half:
        output: "half"
        shell: "echo half > half; [ -e good ]"
    rule other:
        output: protected("other")
        shell: "echo > other; echo ran >> ledger"
    rule late:
        output: "late"
        resources: walltime=1s
        shell: "touch late; [ -e good ] || sleep 100"
"""


def test_what_is_not_whole_is_failed_and_removed_and_run_again(plain: Callable[..., Plain]) -> None:
    box = plain(WRONG)
    box.ok(*CALL)
    said = box.worked_off(status=1)
    for label in ("missing", "empty", "folder", "half", "late"):
        assert f"not done: {label}: it failed" in said
        assert not box.exists(label)
    assert "not done: after: what it needs was not made" in said and said.endswith("done: 1 of 7\n")
    assert not box.exists("one") and not (box.path / "other").stat().st_mode & 0o222
    flags = {words[-1] for _, words in box.told() if words[0] == "end"}
    assert {"missing.1", "empty.0", "limit", "-"} <= flags
    box.alone()
    box.write("good", "")
    assert box.worked_off().endswith("done: 7 of 7\n")
    assert box.read("ledger") == "ran\n" and box.exists("after") and box.exists("two")


def test_partial_outputs_are_kept_aside_where_that_is_asked_for(plain: Callable[..., Plain]) -> None:
    box = plain('rule half:\n    output: "half"\n    shell: "echo part > half; false"\n')
    box.ok(*CALL, "--keep-incomplete")
    box.worked_off(status=1)
    assert box.read("half.incomplete") == "part\n" and not box.exists("half")


HOLD = """\
    rule all:
        input: expand("hold/{n}", n=range(8))
    rule hold:
        output: "hold/{n}"
        resources: gpus=1
        shell: "echo {wildcards.n} >> ledger; echo half > {output}; until [ -e go ]; do sleep 0.1; done; echo whole > {output}"
"""


def holding(box: Plain) -> subprocess.Popen:
    """The script, once all its slots hold a job."""
    box.ok(*CALL)
    script = box.script()
    box.until(lambda: box.exists("ledger") and box.read("ledger").count("\n") == 4)
    return script


def whole(box: Plain) -> bool:
    return all(box.read(f"hold/{n}") == "whole\n" for n in range(8))


def test_a_script_that_is_ended_ends_its_jobs(plain: Callable[..., Plain]) -> None:
    box = plain(HOLD)
    script = holding(box)
    script.terminate()
    assert script.wait(60) == 1
    assert "not done: hold n=0: it was not started, or cut off: this script was told to end" in box.read("said")
    assert not list((box.path / "hold").iterdir())
    box.alone()
    box.write("go", "")
    assert box.worked_off().endswith("done: 8 of 8\n")
    assert whole(box)


def test_a_script_that_is_killed_leaves_no_job_behind(plain: Callable[..., Plain]) -> None:
    box = plain(HOLD)
    script = holding(box)
    for pid in of_session(script.pid):
        os.kill(pid, signal.SIGKILL)
    script.wait()
    box.alone()
    box.write("go", "")
    assert box.worked_off().endswith("done: 8 of 8\n")
    assert whole(box)


def test_a_node_that_is_lost(plain: Callable[..., Plain]) -> None:
    box = plain(HOLD)
    script = holding(box)
    lost, other = box.hosts.names[1], box.hosts.names[2]
    box.hosts.power_off(lost)
    try:
        box.write("go", "")
        assert script.wait(120) == 1
        said = box.read("said")
        assert f"node {lost} does not answer" in said and said.count("it was cut off") == 2
        assert said.endswith("done: 6 of 8\n"), "what had not begun ran elsewhere"
        # what may still run there is not run elsewhere
        assert box.worked_off(box.hosts.names[0], other, status=1).count(f"it may still run on {lost}") == 2
    finally:
        box.hosts.start(lost)
    assert box.worked_off().endswith("done: 8 of 8\n")
    assert whole(box)


SUBMITTED = """\
    rule all:
        input: "table.txt"
    rule first:
        output: "first/{n}.txt"
        benchmark: "took/{n}"
        resources: gpus=1, walltime=3min
        shell: "echo first {wildcards.n} >> ran; [ {wildcards.n} != 2 ] || [ -e allowed ]; echo {wildcards.n} > {output}"
    rule second:
        input: "first/{n}.txt"
        output: "second/{n}.txt"
        call: "lib.py:copy"
    rule none:
        output: a="a", b="b"
        shell: "touch a; [ ! -e allowed ] || touch b"
    rule table:
        input: expand("second/{n}.txt", n=range(4)), "a"
        output: "table.txt"
        local: true
        shell: "cat {input} > {output}"
"""
CALLED = "def copy(job):\n    open(job.output, 'w').write(open(job.input).read())\n"


def test_the_next_run_collects_what_a_submitted_script_did(tmp_path: Path) -> None:
    box = Box(tmp_path, SUBMITTED, {"machine/profile.yaml": MACHINE, "lib.py": CALLED})
    call = ("--profile", "./machine", "--sandbox", "--set", "blocks.nodes=1")
    said = box.ok(*call, "--launcher", "parallel", "--submit")
    assert "9 jobs handed to 1 block; nobody drives" in said
    deadline = time.monotonic() + 100
    while not box.exists(".flowrules/blocks/b001/runs/01/closed"):
        assert time.monotonic() < deadline, "the script does not end"
        time.sleep(0.1)
    box.write("allowed", "")
    assert "found block b001 of an earlier run: 8 jobs ended there, 1 still held" in box.ok(*call)
    assert box.read("table.txt") == "0\n1\n2\n3\n"
    assert sorted(box.read("ran").split("\n")[:-1]) == sorted([*(f"first {n}" for n in range(4)), "first 2"])
    ends = [(record["rule"], record["status"]) for record in box.history()]
    assert ends.count(("first", "done")) == ends.count(("second", "done")) == 4
    assert ends.count(("first", "failed")) == ends.count(("none", "failed")) == 1 and len(ends) == 12
    (none,) = (record for record in box.history("none") if record["status"] == "failed")
    assert (none["exit"], none["error"]) == (0, "the output `b` was not made")
    first = next(record for record in box.history("first") if record["status"] == "done")
    assert first["gpus"] and first["outputs"] and first["host"] and box.read("took/0").startswith("s\th:m:s\t")
    assert box.todo() == {}
