"""The benchmarks' own logic: bounds hold, what was measured becomes a page, a budget that is exceeded is an error."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowrules.model.events import Capacity, Need, SchedJob
from flowrules.schedule.simulate import simulate

FOLDER = Path(__file__).parents[2] / "benchmarks"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="benchmarks are not part of an installation")


@pytest.fixture(autouse=True)
def modules(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.setenv("BENCH_RESULTS", str(tmp_path / "kept" / "performance.json"))
    for name in ("results", "measure", "hot", "goals", "report", "memory", "packing", "generate"):
        sys.modules.pop(name, None)


@st.composite
def workflows(draw: st.DrawFn) -> list[SchedJob]:
    jobs = []
    for n in range(draw(st.integers(1, 25))):
        needs = draw(st.sets(st.integers(0, n - 1), max_size=3)) if n else set()
        cores = draw(st.sampled_from([1, 1, 1, 2]))
        jobs.append(SchedJob(n, tuple(sorted(needs)), need=Need(cores), expected=float(draw(st.integers(1, 30)))))
    return jobs


def test_no_schedule_is_shorter_than_the_least_possible() -> None:
    packing = importlib.import_module("packing")

    @settings(max_examples=150, deadline=None)
    @given(workflows(), st.integers(2, 6))
    def holds(jobs: list[SchedJob], slots: int) -> None:
        least = packing.least(jobs, slots)
        assert least <= simulate(jobs, Capacity(slots)).makespan + 1e-9
        assert least <= packing.in_file_order(jobs, slots) + 1e-9

    holds()


def test_the_least_possible_is_reached_where_it_is_plain() -> None:
    packing = importlib.import_module("packing")
    assert packing.least([SchedJob(n, expected=3.0) for n in range(5)], 2) == 9.0  # one of two has three jobs
    assert packing.least([SchedJob(n, (n - 1,) if n else (), expected=2.0) for n in range(4)], 8) == 8.0
    fan = [SchedJob(0, expected=1.0), *[SchedJob(n, (0,), expected=4.0) for n in range(1, 5)]]
    assert packing.least([*fan, SchedJob(5, (1, 2, 3, 4), expected=2.0)], 2) == 1 + 8 + 2


def test_a_group_replaces_what_was_known_of_it_and_no_other() -> None:
    results = importlib.import_module("results")
    results.save("plan", "up to date", 10, [{"program": "flowrules -n", "seconds": [1.23456], "memory": [5.0]}])
    results.save("plan", "up to date", 20, [{"program": "flowrules -n", "seconds": [9.0], "memory": [5.0]}])
    results.save("plan", "up to date", 10, [{"program": "flowrules -n", "seconds": [2.34567], "memory": [5.0]}])
    groups = results.load()["groups"]
    assert groups["plan / up to date / 10"]["rows"][0]["seconds"] == [2.346]
    assert groups["plan / up to date / 20"]["rows"][0]["seconds"] == [9.0]


def test_goals_are_met_missed_or_not_measured() -> None:
    goals = importlib.import_module("goals")

    def rows(**seconds: float) -> dict[str, object]:
        found = [{"program": f"{name} -n", "seconds": [s], "jobs": 1, "memory": [1]} for name, s in seconds.items()]
        return {"rows": found}

    kept = {"plan / nothing built / 100000": rows(flowrules=2.0, make=1.1, ninja=3.0)}
    kept["plan / up to date / 100000"] = rows(flowrules=2.0, make=0.9)
    said = {row.aim: row.met for row in goals.judge(kept)}
    assert said["plan, nothing built, 100,000 jobs"] is True
    assert said["plan, up to date, 100,000 jobs"] is False
    assert said["launch, `call` jobs"] is None
    assert "| **missed** |" in goals.table(goals.judge(kept))


@pytest.mark.slow
def test_a_suite_is_run_its_figures_kept_and_the_page_made(tmp_path: Path) -> None:
    said = subprocess.run(
        [sys.executable, str(FOLDER / "run.py"), "memory", "--size", "300"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=os.environ | {"BENCH_VENV": str(tmp_path / "none")},
    )
    kept = json.loads((tmp_path / "kept" / "performance.json").read_text())["groups"]
    assert set(kept) == {"memory / plan / 300", "memory / run / 30"}, said.stderr
    page = (tmp_path / "kept" / "performance.md").read_text()
    assert "### memory: plan, 300" in page and "| memory for each job, planning | ≤ 1,900 bytes |" in page
    assert "### goals" in said.stdout


def test_memory_beyond_its_budget_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = importlib.import_module("memory")
    monkeypatch.setattr(memory, "peak", lambda write, jobs, arguments: 20 + jobs * 5000 / 2**20)
    monkeypatch.setattr(memory, "settle", lambda: None)
    monkeypatch.setattr(sys, "argv", ["memory"])
    with pytest.raises(SystemExit, match="over budget"):
        memory.main()
    monkeypatch.setattr(memory, "peak", lambda write, jobs, arguments: 20 + jobs * 500 / 2**20)
    memory.main()


@pytest.mark.slow
def test_what_load_takes_is_kept_a_row_for_each_part(tmp_path: Path) -> None:
    for _ in range(2):  # measured again, a row replaces what was known
        said = subprocess.run(
            [sys.executable, str(FOLDER / "load.py"), "--parts", "rules,levels", "--size", "400"],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"LOAD_RESULTS": str(tmp_path / "load.json")},
        )
        assert said.returncode == 0, said.stderr
    rows = json.loads((tmp_path / "load.json").read_text())
    assert [(row["section"], row["what"]) for row in rows] == [
        ("load", "2 rules, a job of each"),
        ("load", "a chain of 20 jobs"),
    ]
    assert [row["command"] for row in rows] == [
        f"python benchmarks/load.py --parts {part} --size 400" for part in ("rules", "levels")
    ]
    assert all("MiB, " in row["figure"] and " open files" in row["figure"] for row in rows)


def test_a_strange_suite_is_refused() -> None:
    said = subprocess.run([sys.executable, str(FOLDER / "run.py"), "plam"], capture_output=True, text=True, check=False)
    assert said.returncode == 1
    assert said.stderr.startswith("there is no suite plam; there are start, plan, ")
