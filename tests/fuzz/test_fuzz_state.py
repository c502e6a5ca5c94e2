"""A state folder with damage: bytes flipped, lost, doubled, zeroed, cut, in any of its files. It is read, or refused in words.

Whatever the damage, a dry run ends with a plan or a message: the same jobs, or more; never a job less that is needed.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from fuzzing import cases, damaged, lawful

from flowrules.app.block.salvage import good_ends
from flowrules.app.status import look
from flowrules.cli.main import BUG, status_of
from flowrules.model.block import BlockSpec, Task, TaskEnd
from flowrules.model.events import Need
from flowrules.model.files import FileRecord
from flowrules.model.profile import GpuSlot, NodeShape
from flowrules.model.record import Record
from flowrules.model.values import Flags
from flowrules.plan.memory import Memory, Unfit
from flowrules.record.blockfiles import assigned, block_names, block_path, is_closed, submitted_id
from flowrules.record.campaign import Asked, campaign_asked, campaign_call, campaign_id
from flowrules.record.expected_jobs import ToldJobs, tell_jobs, told_jobs
from flowrules.record.lock import acquire, holder
from flowrules.record.messages import Begin, Closing, Cut, Ended, Given, Sick, Started
from flowrules.record.numbered import numbers
from flowrules.record.owner import Owner
from flowrules.record.remembered import history_mark, history_since, read_plan
from flowrules.record.spool import BlockFolder
from flowrules.record.spool_runner import RunnerFolder
from flowrules.record.store import Store
from flowrules.show.status import render_status
from flowrules.testing import FakeClock

FLOWFILE = """\
rule all:
    input: expand("out/{s}.txt", s=["a", "b", "é c"])
rule copy:
    output: "out/{s}.txt"
    params: s=wildcards.s
    shell: "echo {wildcards.s} > {output}"
"""
NODE = NodeShape(8, gpus=(GpuSlot("0", (0, 1)), GpuSlot("1")), gpu_variable="CUDA_VISIBLE_DEVICES")
ODD_NAMES = (
    "blocks/b001/inbox.²",
    "blocks/b001/runs/²",
    "blocks/b001/runs/99/log",
    "driver/²",
    "failed.x",
    "blocks/x/block.json",
)


def task(number: int) -> Task:
    draft = Record("copy", {"s": str(number)}, [], code="c0de")
    argv, output = ("bash", "-c", "true"), (f"out/{number}.txt", Flags(temp=True))
    return Task(f"1J{number}.1", f"copy s={number}", argv, (output,), draft, Need(2, gpus=0.5), env={"A": "b\udcff"})


def end(number: int, status: str) -> Ended:
    outputs = [FileRecord(f"out/{number}.txt", 3, 5, "d1gest")] if status == "done" else []
    record = Record("copy", {"s": str(number)}, outputs, status=status, started=1.7e9, ended=1.7e9 + 2)
    return Ended(TaskEnd(f"1J{number}.1", record, "here", ("0",), "0-1"))


def begin(path: str) -> RunnerFolder | None:
    clock = FakeClock()
    return RunnerFolder.begin(path, "77", ["here"], clock=clock, sleep=clock.sleep)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory whose state folder has one of everything."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "Flowfile").write_text(FLOWFILE)
    env = {**os.environ, "FLOWRULES_PROFILE": ""}
    for _ in range(2):
        call = [sys.executable, "-m", "flowrules", "-q", "-j", "1"]
        subprocess.run(call, cwd=folder, check=True, stdin=subprocess.DEVNULL, env=env)
    back = os.getcwd()
    os.chdir(folder)
    try:
        store = Store.open()
        store.started(["out/x.txt"], "copy", {"s": "x"}, 1, "r9")
        long = [FileRecord(f"in/{i}", i, i) for i in range(200)]
        store.ended(Record("copy", {"s": "y"}, [FileRecord("out/y.txt", 1, 1)], inputs=long, ended=1.7e9))
        store.ended(Record("copy", {"s": "z"}, [], status="failed", exit=1), ["out/z.txt"])
        store.close()
        campaign_id(".", Asked("polaris", "/p", "pbs", True))
        held = acquire(".", Owner.here("r9", "flowrules"))
        tell_jobs(held.number, ToldJobs(1.7e9, {"copy": 3}))
        held.release()
        spec = BlockSpec("c0ffee", "b001", "fr-c0ffee-b001", "nonce", str(folder), 1, 3600.0, NODE, "local")
        block = BlockFolder.create(spec, 1)
        block.take([task(n) for n in range(4)])
        block.grant(3, {"licence": 2.0})
        block.cancel(["1J3.1"])
        (Path(block.path) / "submitted").write_text('{"id": "17.server"}')
        runner = begin(block.path)
        assert runner is not None
        runner.inbox()
        for message in (Started("1J0.1", "here", ("0",), "0-1", 1.7e9), end(0, "done"), end(1, "failed")):
            runner.write(message)
        for message in (Given(("1J3.1",), "cancelled"), Sick("n2", "it is slow"), Closing(1, 10, "its work is done")):
            runner.write(message)
        runner.sync()
        runner.close()
        block.close()
        (Path(block.path) / "runs/01/node-here.log").write_text(
            "nonce end 1J0.1 0 1700000000000000 1700000001000000 5 6 -\n"
        )
    finally:
        os.chdir(back)
    return folder


@pytest.fixture
def state(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Path]:
    """Makes the folder whole again, and the working directory."""
    here = tmp_path / "here"

    def again() -> Path:
        shutil.rmtree(here, ignore_errors=True)
        shutil.copytree(whole, here)
        monkeypatch.chdir(here)
        return here

    monkeypatch.delenv("FLOWRULES_PROFILE", raising=False)
    return again


def files_of(folder: Path) -> list[Path]:
    return sorted(p for p in (folder / ".flowrules").rglob("*") if p.is_file() and "logs" not in p.parts)


def damage(chance: random.Random, folder: Path) -> str:
    """Damages one or two files; which, and how."""
    told = []
    for _ in range(chance.randint(1, 2)):
        path = chance.choice(files_of(folder))
        how = chance.random()
        if how < 0.05:
            path.unlink()
            told.append(f"{path} removed")
        elif how < 0.1:
            odd = folder / ".flowrules" / chance.choice(ODD_NAMES)
            odd.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            odd.write_bytes(damaged(chance, path.read_bytes()))
            told.append(f"{odd} made of {path}")
        else:
            path.write_bytes(damaged(chance, path.read_bytes()))
            told.append(f"{path} damaged")
    return ", ".join(told)


def restored(folder: Path, whole: Path) -> None:
    """Cheaper than to copy all: what differs is copied."""
    kept = {p.relative_to(folder) for p in (folder / ".flowrules").rglob("*")}
    for path in kept:
        if not (whole / path).exists():
            target = folder / path
            shutil.rmtree(target) if target.is_dir() else target.unlink(missing_ok=True)
    for source in (whole / ".flowrules").rglob("*"):
        target = folder / source.relative_to(whole)
        if source.is_dir():
            target.mkdir(exist_ok=True, mode=0o700)
        elif not target.exists() or target.read_bytes() != source.read_bytes():
            shutil.copy2(source, target)


# ── readers ──────────────────────────────────────────────────────────────────────────────────────────────────────


def history(read_only: bool) -> None:
    store = Store.open(".", read_only)
    try:
        for path in ("out/a.txt", "out/x.txt", "out/y.txt", "out/z.txt"):
            store.last(path)
            store.unfinished(path)
            store.last_failure(path)
        list(store.records())
        store.runs()
        store.unfinished_outputs()
        store.took([("out/a.txt", "copy"), ("out/y.txt", "copy")])
        store.timings()
        store.under_way("r9")
        store.code_text("c0de")
    finally:
        store.close()


def twice() -> None:
    """What a writer made of damage is read like anything else."""
    history(False)
    history(True)


def plans() -> None:
    for path in Path(".flowrules/plans").glob("*"):
        content = read_plan(path.name)
        if content is not None:
            try:
                memory = Memory(content)
            except Unfit:
                continue
            memory.targets, memory.nothing_to_do, memory.same_shape([], lambda path: True)
    history_since(history_mark())
    for mark in ("", "1 2 3", "x", f"{history_mark().split()[0] if history_mark() else 1} 0 0"):
        if mark != "x":
            history_since(mark)


def blocks() -> None:
    for name in block_names("."):
        path = block_path(".", name)
        submitted_id(path)
        is_closed(path)
        assigned(path, numbers(f"{path}/runs"))
        good_ends(path, "nonce", ["here"])


def as_driver() -> None:
    block = BlockFolder.open(block_path(".", "b001"), 2)
    try:
        block.news()
        block.assigned()
        block.last_grant()
        block.take([task(9)])
        block.news()
    finally:
        block.close()


def as_runner() -> None:
    runner = begin(block_path(".", "b001"))
    if runner is not None:
        try:
            runner.inbox()
            runner.ends_before()
            runner.write(Begin(runner.incarnation, "here", 1, "77"))
            runner.write(Cut("01/log", 3))
            runner.sync()
        finally:
            runner.close()


def beside() -> None:
    campaign_asked(".")
    campaign_call(".")
    holder(".")
    for number in numbers(".flowrules/driver"):
        told_jobs(number)
    render_status(look("."))


READERS = {
    "history": lambda: history(True),
    "history, written": twice,
    "plans": plans,
    "blocks": blocks,
    "beside": beside,
    "driver": as_driver,
    "runner": as_runner,
}


def test_the_folder_is_read_where_it_is_whole(state, whole: Path) -> None:
    folder = state()
    assert {p.parent.name for p in files_of(folder)} >= {".flowrules", "plans", "b001", "01", "000001"}
    for name, reader in READERS.items():
        assert lawful(name, reader) is None, name
        restored(folder, whole)


def test_damage_is_survived_or_told(state, whole: Path) -> None:
    folder = state()
    for label, chance in cases("state", 60):
        told = damage(chance, folder)
        for name, reader in READERS.items():
            lawful(f"{label}: {name} after {told}", reader)
        restored(folder, whole)


def test_a_dry_run_never_does_less(state, whole: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Outputs of which the record says nothing good are made again; those whose record is whole are not."""
    folder = state()
    for label, chance in cases("dry run", 25, 0.1):
        told = damage(chance, folder)
        gone = chance.choice(("out/a.txt", "out/b.txt"))
        (folder / gone).unlink()
        capfd.readouterr()
        status = status_of(["-n", "-q"])
        said = capfd.readouterr()
        os.chdir(folder)
        assert status != BUG, f"{label} after {told}\n{said.err}"
        assert status == 2 or "nothing to do" not in said.out, f"{label} after {told}: {gone} is missing\n{said.out}"
        shutil.copy2(whole / gone, folder / gone)
        restored(folder, whole)


def test_a_key_of_a_damaged_line_that_is_no_text(tmp_path: Path) -> None:
    """Such a line is marked as an attempt whose end is not known, and its name is told as far as it can be read."""
    store = Store.open(str(tmp_path))
    store.started(["out/é.txt"], "copy", {})
    store.close()
    journal = tmp_path / ".flowrules/journal"
    journal.write_bytes(journal.read_bytes().replace("é".encode(), b"\xc3\x28"))
    for _ in range(2):
        store = Store.open(str(tmp_path))
        assert store.unfinished_outputs() == ["out/\ufffd(.txt"]
        store.close()


@pytest.mark.parametrize("since", ["1e300", "-1e300", "1e18"])
def test_a_driver_that_began_at_no_time(state, since: str) -> None:
    folder = state()
    owner = max(folder.glob(".flowrules/driver/*/owner"))
    owner.write_bytes(re.sub(rb'"since": [0-9.]+', b'"since": ' + since.encode(), owner.read_bytes()))
    assert "started at a time that no clock shows" in render_status(look("."))
