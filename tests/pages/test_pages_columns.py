"""Jobs as columns: what a page holds, in which order, and what it leaves out."""

import pytest
from page_plans import FACTS, samples
from show_plans import MAY, RUN, SKIP, Builder

from flowrules.pages import columns
from flowrules.pages.columns import Facts, detail_chunks, index_columns, keep
from flowrules.pages.states import NUMBER
from flowrules.show.graph_model import graph_of


def kept_of(plan, most=columns.JOBS):
    return keep(plan, {node.ref: i for i, node in enumerate(graph_of(plan, "rules").nodes)}, most)


def test_jobs_stand_rule_after_rule():
    plan = samples(3)
    kept = kept_of(plan)
    assert [plan.jobs[number].label for number in kept.order] == [
        "trim sample=s0", "trim sample=s1", "trim sample=s2", "align sample=s0", "align sample=s1", "align sample=s2",
        "merge", "all",
    ]  # fmt: skip
    assert kept.first == [0, 3, 6, 7, 8]
    assert [kept.number[number] for number in kept.order] == list(range(8))
    states = [{NUMBER["skip"]: 3}, {NUMBER["run"]: 3}, {NUMBER["may"]: 1}, {NUMBER["collector"]: 1}]
    assert kept.totals == states
    found = index_columns(plan, kept)
    assert found["labels"] == ["s0", "s1", "s2", "s0", "s1", "s2", "", ""]
    assert found["needs"] == [[], [], [], [0], [1], [2], [3, 4, 5], [6]]
    assert found["outputs"][3] == ["bam/s0.bam"] and found["unseen"] == {}


def test_of_many_jobs_those_that_will_run_are_kept():
    b = Builder()
    for i in range(20):
        b.add("big", (), [], [f"o{i}"], RUN if i in (7, 13) else MAY if i == 11 else SKIP, i=str(i))
    b.add("small", (20 - 1, 0), [], ["s"])
    kept = kept_of(b.plan, 6)
    assert kept.first == [0, 5, 6], "a small rule is kept whole"
    assert kept.order == [0, 1, 7, 11, 13, 20]
    assert sum(kept.totals[0].values()) == 20
    assert index_columns(b.plan, kept)["unseen"] == {5: 1}


@pytest.mark.parametrize("most", [0, 1, 2, 7, 10, 50, 1000])
def test_no_more_are_kept_than_may_be(most):
    b = Builder()
    for rule, count in enumerate((1, 3, 3, 40, 5)):
        for i in range(count):
            b.add(f"r{rule}", (), [], [f"{rule}/{i}"], i=str(i))
    kept = kept_of(b.plan, most)
    assert len(kept.order) <= most
    assert len(kept.order) == 52 or len(kept.order) > most - 5
    assert sorted(kept.order) == sorted(set(kept.order))


def test_details_come_in_chunks(monkeypatch):
    monkeypatch.setattr(columns, "CHUNK", 5)
    plan = samples(3)
    chunks = dict(detail_chunks(plan, kept_of(plan), FACTS))
    assert list(chunks) == ["details-0", "details-1"]
    one = {name: values[1] for name, values in chunks["details-1"].items()}
    assert one == {
        "inputs": ["bam/s0.bam", "bam/s1.bam", "bam/s2.bam"],
        "input_counts": 3,
        "wildcards": {},
        "commands": "merge < bam/s0.bam bam/s1.bam \\\n    > merged.bam",
        "needs": {"threads": "4", "mem": "2GB"},
        "reasons": ["an input will be made anew: bam/s0.bam"],
        "groups": None,
    }


def test_what_is_long_is_cut_and_counted(monkeypatch):
    monkeypatch.setattr(columns, "PATHS", 4)
    monkeypatch.setattr(columns, "ALL_PATHS", 6)
    monkeypatch.setattr(columns, "COMMAND", 10)
    b = Builder()
    for name in ("a", "b"):
        b.add(name, (), [f"i{i}" for i in range(9)], [name])
    facts = Facts(command=lambda job: "0123456789abc\x1b\n\tz")
    ((_, chunk),) = detail_chunks(b.plan, kept_of(b.plan), facts)
    assert [len(paths) for paths in chunk["inputs"]] == [4, 2] and chunk["input_counts"] == [9, 9]
    assert chunk["commands"][0] == "0123456789\n… 7 more characters"
    monkeypatch.setattr(columns, "COMMAND", 100)
    ((_, chunk),) = detail_chunks(b.plan, kept_of(b.plan), facts)
    assert chunk["commands"][0] == "0123456789abc\\x1b\n\tz"


def test_needs_of_all_jobs_together_are_bounded(monkeypatch):
    monkeypatch.setattr(columns, "NEEDS", 4)
    plan = samples(3)
    found = index_columns(plan, kept_of(plan))
    assert found["needs"] == [[], [], [], [0], [1], [2], [3], []] and found["unseen"] == {6: 2, 7: 1}
