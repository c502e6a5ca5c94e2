"""What is seen of a directory from outside: who drives, what blocks do; and that looking leaves no trace."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from flowrules.model.block import BlockSpec, Task, TaskEnd
from flowrules.model.events import Need
from flowrules.model.profile import NodeShape
from flowrules.model.record import Record
from flowrules.record.blockfiles import OVER, SUBMITTED
from flowrules.record.campaign import Asked, campaign_asked, campaign_call, campaign_id
from flowrules.record.lock import SILENCE_SECONDS, acquire
from flowrules.record.messages import Begin, Closed, Closing, Ended, Given, Sick, Started
from flowrules.record.owner import Owner
from flowrules.record.spool import BlockFolder
from flowrules.record.spool_runner import RunnerFolder
from flowrules.record.store import Store
from flowrules.record.watch import Seen, view_blocks, view_driver


def task(number: int) -> Task:
    draft = Record("make", {"n": str(number)}, [])
    return Task(f"1J{number}.1", f"make n={number}", ("true",), (), draft, Need(1))


@pytest.fixture
def block(tmp_path: Path):
    spec = BlockSpec("c0ffee", "b001", "fr-c0ffee-b001", "nonce", str(tmp_path), 1, 3600.0, NodeShape(8), "local")
    folder = BlockFolder.create(spec, 1)
    yield folder
    folder.close()


def everything(directory: Path) -> dict[str, tuple[int, int]]:
    """Every file with its size and the time of its last change."""
    found = {}
    for folder, _, names in os.walk(directory):
        for name in [*names, "."]:
            status = os.stat(f"{folder}/{name}")
            found[f"{folder}/{name}"] = status.st_size, status.st_mtime_ns
    return found


# ── driver ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_nobody_ever_drove(tmp_path: Path) -> None:
    assert view_driver(str(tmp_path)) is None
    assert view_blocks(str(tmp_path)) == []
    assert os.listdir(tmp_path) == []


def test_a_driver_that_runs_and_one_that_ended(tmp_path: Path) -> None:
    with acquire(str(tmp_path), Owner.here("run-1", "flowrules -j 8")):
        before = everything(tmp_path)
        view = view_driver(str(tmp_path))
        assert everything(tmp_path) == before
        assert view is not None
        assert (view.owner.run, view.number, view.ended, view.alive) == ("run-1", 1, False, True)
    view = view_driver(str(tmp_path))
    assert view is not None
    assert (view.ended, view.alive) == (True, False)


def test_a_driver_that_was_killed(tmp_path: Path) -> None:
    code = "import os; from flowrules.record.lock import acquire; from flowrules.record.owner import Owner\n"
    code += "held = acquire('.', Owner.here('run-1')); os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False)
    view = view_driver(str(tmp_path))
    assert view is not None
    assert (view.ended, view.alive) == (False, False)


def test_a_driver_elsewhere_is_judged_by_its_beat(tmp_path: Path) -> None:
    with acquire(str(tmp_path), Owner.here("run-1")) as lock:
        path = f"{tmp_path}/.flowrules/driver/000001/owner"
        Path(path).write_text(json.dumps(asdict(replace(lock.owner, host="elsewhere", boot="another"))))
        view = view_driver(str(tmp_path))
        assert view is not None
        assert view.alive is None
        old = os.stat(path).st_mtime - 2 * SILENCE_SECONDS
        os.utime(path, (old, old))
        view = view_driver(str(tmp_path))
        assert view is not None
        assert view.alive is False
        assert view.silent >= 2 * SILENCE_SECONDS


# ── blocks ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_block_from_its_making_to_its_end(tmp_path: Path, block: BlockFolder) -> None:
    block.take([task(n) for n in range(4)])
    (view,) = view_blocks(str(tmp_path))
    assert (view.batch, view.over, view.begin) == ("", False, None)
    assert view.tasks["1J0.1"] == Seen("make", (("n", "0"),), "held")
    Path(f"{block.path}/{SUBMITTED}").write_text('{"id": "77.pbs"}')
    runner = RunnerFolder.begin(block.path, "77.pbs", ["here"])
    assert runner is not None
    runner.inbox()
    runner.write(Started("1J0.1", "here"))
    runner.write(Started("1J1.1", "here"))
    runner.write(Ended(TaskEnd("1J1.1", Record("make", {"n": "1"}, [], status="failed", ended=5.0))))
    runner.write(Given(("1J2.1",), "no time"))
    runner.write(Sick("there", "it is gone"))
    runner.sync()
    before = everything(tmp_path)
    (view,) = view_blocks(str(tmp_path))
    assert everything(tmp_path) == before
    assert (view.batch, view.sick) == ("77.pbs", ["there"])
    assert isinstance(view.begin, Begin)
    assert view.since > 0
    assert [seen.state for seen in view.tasks.values()] == ["running", "failed", "given", "held"]
    assert view.tasks["1J1.1"].at == 5.0
    runner.write(runner.closing("it was told to"))
    runner.write(Closed(True))
    runner.sync()
    runner.close()
    Path(f"{block.path}/{OVER}").touch()
    (view,) = view_blocks(str(tmp_path))
    assert isinstance(view.closing, Closing)
    assert (view.closing.why, view.closed, view.over) == ("it was told to", Closed(True), True)


def test_what_a_block_will_never_read_it_does_not_hold(tmp_path: Path, block: BlockFolder) -> None:
    runner = RunnerFolder.begin(block.path, "77", ["here"])
    assert runner is not None
    runner.inbox()
    runner.write(runner.closing("it was told to"))
    runner.sync()
    runner.close()
    block.take([task(1)])
    (view,) = view_blocks(str(tmp_path))
    assert view.tasks == {}


# ── the journal, and how it began ────────────────────────────────────────────────────────────────────────────────


def test_attempts_under_way(tmp_path: Path) -> None:
    with acquire(str(tmp_path), Owner.here("run-1")):
        store = Store.open(str(tmp_path))
        for n in range(3):
            store.started([f"out/{n}", f"more/{n}"], "make", {"n": str(n)}, 1, "run-1" if n else "run-0")
        store.ended(Record("make", {"n": "1"}, [], status="failed"), ["out/1", "more/1"])
        store.flush()
        assert Store.open(str(tmp_path), read_only=True).under_way("run-1") == [("make", {"n": "2"})]
        store.close()


def test_how_a_campaign_was_asked_for(tmp_path: Path) -> None:
    here = str(tmp_path)
    assert campaign_call(here) == "flowrules --profile NAME" and campaign_asked(here) is None
    os.mkdir(f"{tmp_path}/.flowrules")
    polaris = Asked("polaris", "/there/polaris", "pbs", sandbox=True)
    first = campaign_id(here, polaris)
    assert campaign_call(here) == "flowrules --profile polaris --sandbox" and campaign_asked(here) == polaris
    assert campaign_id(here, Asked("./my profile")) == first
    assert campaign_call(here) == "flowrules --profile './my profile'" and campaign_asked(here) == Asked("./my profile")


@pytest.mark.parametrize(
    ("other", "like"),
    [
        (Asked("polaris", "/there", "pbs"), True),
        (Asked("polaris", "/of/another/version", "pbs"), True),
        (Asked("../there", "/there", "pbs"), True),
        (Asked("polaris"), True),
        (Asked("aurora", "/elsewhere", "pbs"), False),
        (Asked("aurora"), False),
        (Asked("polaris", "/there", "slurm"), False),
        (Asked("polaris", "/there", "pbs", sandbox=True), False),
    ],
)
def test_which_campaigns_are_one(other: Asked, like: bool) -> None:
    polaris = Asked("polaris", "/there", "pbs")
    assert polaris.is_like(other) is other.is_like(polaris) is like
