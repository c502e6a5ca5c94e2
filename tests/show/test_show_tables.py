"""The state of outputs, and what ran."""

import json
import time

import pytest

from flowrules.model.files import FileRecord, Stamp
from flowrules.model.record import Record
from flowrules.show.tables import OutputState, render_history, render_summary

WHEN = 1_700_000_000.0


@pytest.fixture(autouse=True)
def _utc(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def record(**more):
    values = {
        "rule": "relax",
        "wildcards": {"mol": "m\x1b0"},
        "outputs": [FileRecord("out/m0.traj", 1234, 1, "abc")],
        "started": WHEN,
        "ended": WHEN + 75,
        "reason": "missing output: out/m0.traj",
        "log": "logs/m0.log",
        "host": "laptop",
    }
    return Record(**{**values, **more})


def test_summary():
    states = [
        OutputState("out/m0.traj", "relax", "up to date", Stamp(1234, int(WHEN * 1e9)), record()),
        OutputState("out/folder", "split", "may run", Stamp(0, int(WHEN * 1e9), "d"), None, "newer input: x"),
        OutputState("out/new", "relax", "run", None, None, "missing output: out/new"),
    ]
    assert (
        render_summary(states)
        == """\
output       rule   state       made                   took   size  why
out/m0.traj  relax  up to date  2023-11-14 22:14:35  1m 15s  1.2kB
out/folder   split  may run     2023-11-14 22:13:20                 newer input: x
out/new      relax  run                                             missing output: out/new"""
    )
    assert "\x1b[32mup to date\x1b[0m" in render_summary(states, color=True)
    assert all(len(line) <= 80 for line in render_summary(states, columns=80).splitlines())
    first, _, third = map(json.loads, render_summary(states, "json").splitlines())
    assert first == {
        "path": "out/m0.traj",
        "rule": "relax",
        "state": "up to date",
        "reason": "",
        "size": 1234,
        "modified": WHEN,
        "digest": "abc",
        "made": WHEN + 75,
        "elapsed": 75.0,
        "host": "laptop",
        "log": "logs/m0.log",
    }
    assert third["size"] is third["made"] is third["digest"] is None


def test_history():
    records = [
        record(cpu=70.2, memory=3_400_000_000),
        record(status="failed", exit=-9, attempt=2, reason="last run did not finish", outputs=[], ended=WHEN + 0.04),
    ]
    head, first, second = render_history(records).splitlines()
    assert head.split() == ["started", "job", "status", "exit", "took", "cpu", "memory", "why", "log"]
    assert first == (
        "2023-11-14 22:13:20  relax mol=m\\x1b0              done          1m 15s  1m 10s   3.4GB"
        "  missing output: out/m0.traj  logs/m0.log"
    )
    assert second == (
        "2023-11-14 22:13:20  relax mol=m\\x1b0 (attempt 2)  failed    -9   0.04s                "
        "  last run did not finish      logs/m0.log"
    )
    found = [json.loads(line) for line in render_history(records, "json").splitlines()]
    assert found[0]["wildcards"] == {"mol": "m\x1b0"} and found[0]["outputs"] == ["out/m0.traj"]
    assert (found[1]["status"], found[1]["exit"], found[1]["attempt"]) == ("failed", -9, 2)


def test_empty_tables_say_so():
    assert render_history([]) == "nothing ran here so far"
    assert render_summary([]) == "no rule makes anything here"
    assert render_history([], "json") == render_summary([], "json") == ""
