"""A packing as lanes: no two bars of a lane overlap, and there are as few lanes as can be."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from page_plans import packed, samples

from flowrules.model.packing import PackedBlock, Packing, Span, Unfit
from flowrules.pages import lanes
from flowrules.pages.lanes import Lane, Place, laid_out, packing_data, places, slot_name
from flowrules.show.packing import ShownBlock


def span(job, start, end, node=0, gpus=(), threads=1):
    return Span(job, start, end, (node,) if isinstance(node, int) else node, 0.5, gpus, threads)


def test_gpus_come_first_and_in_their_order():
    spans = [
        span(0, 0, 1),
        span(1, 0, 2, gpus=("10",)),
        span(2, 0, 1, gpus=("2",)),
        span(3, 1, 2),
        span(4, 0, 1, node=1),
    ]
    found, bars = laid_out(spans)
    assert found == [Lane(0, "GPU 2"), Lane(0, "GPU 10"), Lane(0, "CPU"), Lane(1, "CPU")]
    assert bars == [(2, 0), (1, 1), (0, 2), (2, 3), (3, 4)]


def test_jobs_that_share_a_gpu_stand_beside_each_other():
    found, bars = laid_out([span(0, 0, 2, gpus=("0",)), span(1, 0, 2, gpus=("0",)), span(2, 2, 3, gpus=("0",))])
    assert found == [Lane(0, "GPU 0")] * 2
    assert [lane for lane, _ in bars] == [0, 1, 0]


def test_a_job_on_several_nodes_has_a_bar_on_each():
    found, bars = laid_out([span(0, 0, 5, node=(1, 2))])
    assert found == [Lane(1, "CPU"), Lane(2, "CPU")] and bars == [(0, 0), (1, 0)]


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(1, 9), st.integers(0, 2), st.sampled_from([(), ("0",), ("1",)])))
)
def test_laws_of_lanes(rows):
    spans = [span(i, start, start + length, node, gpus) for i, (start, length, node, gpus) in enumerate(sorted(rows))]
    found, bars = laid_out(spans)
    assert sorted(position for _, position in bars) == list(range(len(spans)))
    by_lane = {}
    for lane, position in bars:
        by_lane.setdefault(lane, []).append(spans[position])
    for lane, inside in by_lane.items():
        assert {one.nodes for one in inside} == {(found[lane].node,)}
        inside.sort(key=lambda one: one.start)
        assert all(a.end <= b.start for a, b in pairwise(inside))
    for node in range(3):
        for gpus in ((), ("0",), ("1",)):
            here = [one for one in spans if one.nodes == (node,) and one.gpus == gpus]
            most = max([sum(a.start <= t.start < a.end for a in here) for t in here], default=0)
            name = f"GPU {gpus[0]}" if gpus else "CPU"
            assert found.count(Lane(node, name)) == most, "as few as there are at once"


def test_a_slot_in_words():
    assert slot_name(span(0, 0, 1, node=1, gpus=("0", "1"), threads=16)) == "node 2, GPU 0, 1, 16 threads"
    assert slot_name(span(0, 0, 1, node=tuple(range(9)), threads=1)) == "nodes 1, 2, 3, 4, …, 1 thread"


def test_places_of_jobs():
    found = places(packed(samples()).packing)
    assert found[1] == Place(1, "node 1, GPU 0, 8 threads", 0.0, 60.0)
    assert len(found) == 4, "two jobs are in no block"


def test_what_a_page_reads():
    data = packed(samples())
    found = packing_data(data.packing, data.shown, data.machine, lambda job: 1, list(range(100)))
    assert found["unfit"] == ["2 jobs in no block: each asks for more than a node, or a block, has"]
    (group,) = found["groups"]
    assert group["told"] == ["1 node", "10m 00s in queue debug", "4 jobs", "75% busy", "0.033 node-hours"]
    assert group["lanes"] == [[0, "GPU 0"], [0, "GPU 1"]]
    assert group["bars"] == {
        "lane": [0, 1, 0, 1], "start": [0, 0, 60, 60], "end": [60, 60, 120, 120], "kind": [1] * 4, "job": [1, 3, 5, 7],
    }  # fmt: skip


def test_later_waves_begin_when_those_before_are_over():
    blocks = [PackedBlock(wave, 1, 100, length, 50, (span(0, 0, length),)) for wave, length in ((0, 5), (0, 7), (1, 3))]
    shown = [ShownBlock(block, "q", 1, 100) for block in blocks]
    found = packing_data(Packing(tuple(blocks)), shown, "m", lambda job: 0, [0])
    assert [group["offset"] for group in found["groups"]] == [0, 0, 7]


def test_too_many_jobs_are_shown_by_node(monkeypatch):
    monkeypatch.setattr(lanes, "BARS", 3)
    data = packed(samples())
    found = packing_data(data.packing, data.shown, data.machine, lambda job: 1, list(range(100)))
    (group,) = found["groups"]
    assert found["coarse"] and group["lanes"] == [[0, ""]] and group["filled"] == [[1.0] * lanes.PARTS]
    assert "bars" not in group


def test_without_blocks():
    found = packing_data(Packing(unfit={3: Unfit.WALLTIME}), [], "m", lambda job: 0, [])
    assert found["told"] == ["no block is needed"] and found["groups"] == []
    assert found["unfit"] == ["1 job in no block: each takes longer than a block may last"]
