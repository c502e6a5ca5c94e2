"""Packing: how many nodes and blocks are worth it, what stays together, and how near the prediction is to the best."""

from __future__ import annotations

from collections import Counter
from itertools import product
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowrules.model.events import Need, SchedJob
from flowrules.model.packing import PackedBlock, Packing, Span, Unfit
from flowrules.model.profile import BlockShape, GpuSlot, NodeShape
from flowrules.schedule.nodes import cluster_of
from flowrules.schedule.packing import pack, usable
from flowrules.schedule.parting import part_jobs
from flowrules.schedule.ranks import longest_paths
from flowrules.schedule.simulate import simulate, simulate_blocks

HOUR = 3600.0
FOUR = NodeShape(16, 100, tuple(GpuSlot(str(i), tuple(range(4 * i, 4 * i + 4))) for i in range(4)))
GPU = Need(1, gpus=1)


def gpu_jobs(count: int, seconds: float = 60.0) -> list[SchedJob]:
    return [SchedJob(i, need=GPU, expected=seconds) for i in range(count)]


def sizes(packing: Packing) -> list[tuple[int, int, float]]:
    return [(block.wave, block.nodes, block.walltime) for block in packing.blocks]


# ── how many nodes, how many blocks ──────────────────────────────────────────────────────────────────────────────


def test_nothing_needs_no_block() -> None:
    assert pack([], FOUR, BlockShape()) == Packing()


def test_no_more_nodes_than_the_work_is_wide() -> None:
    packing = pack(gpu_jobs(10), FOUR, BlockShape(10, HOUR, max=4))
    assert packing.per_node == 4
    assert sizes(packing) == [(0, 3, 120)]
    (block,) = packing.blocks
    assert block.makespan == packing.makespan == 60
    assert block.busy == pytest.approx(100 * 10 / 12)
    assert block.node_hours == packing.node_hours == 0.05
    assert block.asked_hours == 0.1


def test_no_more_nodes_than_the_limit_of_jobs_can_fill() -> None:
    packing = pack(gpu_jobs(100), FOUR, BlockShape(10, HOUR, max=4), max_jobs=8)
    assert packing.nodes == 2
    assert packing.makespan == 13 * 60
    assert packing.blocks[0].walltime == 17 * 60
    assert pack(gpu_jobs(100), FOUR, BlockShape(10, HOUR), max_jobs=9).nodes == 3


def test_no_more_nodes_than_shorten_the_work() -> None:
    jobs = [SchedJob(0, need=GPU, expected=600), *[SchedJob(i, need=GPU, expected=60) for i in range(1, 71)]]
    packing = pack(jobs, FOUR, BlockShape(10, HOUR))
    assert packing.nodes == 2
    assert packing.makespan <= 660


def test_blocks_share_what_one_cannot_take() -> None:
    packing = pack(gpu_jobs(64), FOUR, BlockShape(5, HOUR, max=4))
    assert sizes(packing) == [(0, 4, 120)] * 4
    assert [len(block.jobs) for block in packing.blocks] == [16] * 4
    packing = pack(gpu_jobs(64), FOUR, BlockShape(5, HOUR, max=2), max_jobs=30)
    assert [block.nodes for block in packing.blocks] == [4, 4]


def test_what_does_not_end_in_the_walltime_goes_to_further_blocks() -> None:
    packing = pack(gpu_jobs(40, 600.0), FOUR, BlockShape(1, HOUR, max=1))
    assert sizes(packing) == [(0, 1, 2940), (1, 1, 2940), (2, 1, 1500)]
    assert [len(block.jobs) for block in packing.blocks] == [16, 16, 8]
    assert packing.makespan == 6000
    assert not packing.unfit
    first = pack(gpu_jobs(40, 600.0), FOUR, BlockShape(1, HOUR, max=1), waves=1)
    assert first.blocks == packing.blocks[:1], "the first wave does not depend on what follows"


def test_the_declared_limit_counts_against_the_walltime() -> None:
    jobs = [SchedJob(0, expected=10, limit=1800), SchedJob(1, (0,), expected=10, limit=1000)]
    (block,) = pack(jobs, FOUR, BlockShape(1, HOUR)).blocks
    assert block.makespan == 20
    assert block.walltime == 37 * 60
    (first, second) = pack([*jobs, SchedJob(2, (1,), expected=1, limit=3540)], FOUR, BlockShape(1, HOUR)).blocks
    assert (first.jobs, second.jobs, second.walltime) == ((0, 1), (2,), HOUR)


def test_jobs_that_fit_nowhere_are_named_with_what_needs_them() -> None:
    jobs = [
        SchedJob(0, need=Need(17)),
        SchedJob(1, need=Need(1, gpus=5)),
        SchedJob(2, need=Need(1, nodes=3)),
        SchedJob(3, expected=3541),
        SchedJob(4, limit=3541),
        SchedJob(5, (3, 7)),
        SchedJob(6, (5,)),
        SchedJob(7),
    ]
    packing = pack(jobs, FOUR, BlockShape(2, HOUR))
    assert packing.unfit == {
        **dict.fromkeys([0, 1, 2], Unfit.NODE),
        **dict.fromkeys([3, 4], Unfit.WALLTIME),
        **dict.fromkeys([5, 6], Unfit.NEEDS),
    }
    assert [block.jobs for block in packing.blocks] == [(7,)]


def test_jobs_of_several_nodes_set_the_size_of_a_block() -> None:
    jobs = [SchedJob(0, need=Need(1, nodes=3), expected=60), *[SchedJob(i, expected=60) for i in range(1, 5)]]
    packing = pack(jobs, FOUR, BlockShape(4, HOUR, max=2))
    assert [block.nodes for block in packing.blocks] == [4]
    assert packing.makespan == 60
    (block,) = pack(jobs[:1], FOUR, BlockShape(4, HOUR, max=2)).blocks
    assert (block.nodes, block.busy, block.spans[0].nodes) == (3, 100, (0, 1, 2))


def test_how_many_jobs_fit_a_node_counts_whole_ones() -> None:
    three = NodeShape(8, 100, FOUR.gpus, resources={"x": 2.0})
    for need, count in [
        (Need(3), 2),
        (Need(1, gpus=0.3), 8),
        (Need(1, gpus=0.6), 4),
        (Need(1, gpus=3), 1),
        (Need(1, memory=40), 2),
        (Need(1, custom=(("x", 0.5),)), 4),
        (Need(1, nodes=2), 0.5),
    ]:
        assert pack([SchedJob(0, need=need)], three, BlockShape(2, HOUR)).per_node == count


def test_what_may_be_used_of_a_walltime() -> None:
    assert usable(3600) == 3540
    assert usable(60) == 54


# ── what stays together ──────────────────────────────────────────────────────────────────────────────────────────


def homes(jobs: list[SchedJob], count: int, most: float = 1e9) -> dict[int, int]:
    parts = part_jobs(jobs, {job.id: job.expected for job in jobs}, count, most)
    assert sorted(job.id for part in parts for job in part) == [job.id for job in jobs]
    return {job.id: i for i, part in enumerate(parts) for job in part}


def test_chains_stay_together_and_are_even_over_blocks() -> None:
    jobs = [SchedJob(i, (i - 1,) if i % 3 else ()) for i in range(36)]
    home = homes(jobs, 3)
    assert all(home[i] == home[i - 1] for i in range(36) if i % 3)
    assert Counter(home.values()) == {0: 12, 1: 12, 2: 12}


def test_a_final_join_goes_where_most_of_its_inputs_are() -> None:
    jobs = [SchedJob(i, expected=3.0 if i == 0 else 1.0) for i in range(20)]
    jobs += [SchedJob(20, tuple(range(20)), expected=0.1), SchedJob(21, (20,), expected=0.1)]
    home = homes(jobs, 2)
    assert Counter(home[i] for i in range(20)) == {home[0]: 9, home[20]: 11}
    assert home[20] == home[21] != home[0]


def test_users_of_one_job_are_spread_all_the_same() -> None:
    jobs = [SchedJob(0, expected=0.1), *[SchedJob(i, (0,)) for i in range(1, 41)]]
    assert max(Counter(homes(jobs, 4).values()).values()) <= 12


def test_connected_jobs_of_one_group_stay_together_even_if_loads_are_uneven() -> None:
    jobs = [SchedJob(0, group="a"), *[SchedJob(i, (0,), group="a") for i in range(1, 8)]]
    jobs += [SchedJob(i) for i in range(8, 10)]
    home = homes(jobs, 2)
    assert len({home[i] for i in range(8)}) == 1
    assert len(set(homes(jobs, 2, most=3).values())) == 2
    assert len({homes(jobs, 2, most=3)[i] for i in range(8)}) == 2


def test_a_job_is_handed_over_when_what_it_needs_in_another_block_has_ended() -> None:
    jobs = [SchedJob(0, expected=5), SchedJob(1, (0,)), SchedJob(2, (1,)), SchedJob(3, (2, 0), expected=2)]
    cluster = cluster_of(NodeShape(1), ["n"])
    runs = simulate_blocks([[jobs[0], jobs[3]], [jobs[2], jobs[1]]], cluster, max_jobs=[None, 1], keep_starts=True)
    assert runs[0].starts == {0: 0, 3: 7}
    assert runs[1].starts == {1: 5, 2: 6}
    assert [run.makespan for run in runs] == [9, 7]


def test_a_simulated_job_beyond_the_capacity_is_refused() -> None:
    with pytest.raises(ValueError, match="job 0 exceeds the capacity"):
        simulate([SchedJob(0, need=Need(2))], cluster_of(NodeShape(1), ["n"]))


# ── how good it is ───────────────────────────────────────────────────────────────────────────────────────────────


def heavy_tail(count: int, seed: int) -> list[SchedJob]:
    draw = Random(seed)
    return [SchedJob(i, need=GPU, expected=min(2.0, 0.05 * draw.paretovariate(1.3))) for i in range(count)]


@pytest.mark.parametrize("count,nodes,most", [(2000, 4, 1), (2000, 1, 4), (1500, 2, 2), (800, 4, 1)])
def test_heavy_tails_come_within_five_percent_of_the_lower_bound(count: int, nodes: int, most: int) -> None:
    for seed in range(3):
        jobs = heavy_tail(count, seed)
        packing = pack(jobs, FOUR, BlockShape(nodes, HOUR, max=most))
        expected = [job.expected for job in jobs]
        assert packing.makespan <= 1.05 * max(sum(expected) / (4 * packing.nodes), max(expected))
        assert packing.nodes == nodes * most or packing.makespan <= 1.05 * max(expected)


def test_chains_come_within_ten_percent_of_the_lower_bound() -> None:
    draw = Random(1)
    jobs = [SchedJob(i, (i - 1,) if i % 3 else (), need=GPU, expected=draw.uniform(1, 9)) for i in range(900)]
    packing = pack(jobs, FOUR, BlockShape(2, HOUR, max=2))
    assert packing.makespan <= 1.1 * sum(job.expected for job in jobs) / 16


def best(times: list[int], slots: int) -> int:
    """The shortest makespan there is, by trying all."""
    return min(
        max(sum(t for t, s in zip(times, where, strict=True) if s == slot) for slot in range(slots))
        for where in product(range(slots), repeat=len(times))
    )


@given(st.lists(st.integers(1, 9), min_size=1, max_size=7), st.integers(2, 3))
@settings(max_examples=40, deadline=None)
def test_small_cases_are_as_near_to_the_best_as_longest_first_promises(times: list[int], slots: int) -> None:
    jobs = [SchedJob(i, expected=t) for i, t in enumerate(times)]
    packing = pack(jobs, NodeShape(slots), BlockShape(1, HOUR))
    assert packing.makespan <= (4 / 3 - 1 / (3 * slots)) * best(times, slots) + 1e-9


NEEDS = st.builds(
    Need,
    cores=st.integers(1, 4),
    memory=st.sampled_from([0, 0, 5, 10]),
    gpus=st.sampled_from([0, 0, 0.5, 1, 2]),
    nodes=st.sampled_from([0, 0, 0, 1, 2]),
)


@st.composite
def workloads(draw: st.DrawFn) -> list[SchedJob]:
    jobs = []
    for i in range(draw(st.integers(1, 14))):
        needs = draw(st.sets(st.integers(0, i - 1), max_size=2)) if i else set()
        expected = draw(st.sampled_from([1.0, 10.0, 100.0]))
        limit = draw(st.sampled_from([None, None, 5.0, 200.0]))
        group = draw(st.sampled_from([None, None, "a"]))
        jobs.append(SchedJob(i, tuple(sorted(needs)), need=draw(NEEDS), expected=expected, limit=limit, group=group))
    return jobs


@given(
    workloads(),
    st.sampled_from([None, 1, 2, 5]),
    st.builds(
        BlockShape, nodes=st.integers(1, 3), walltime=st.sampled_from([120.0, 300.0, HOUR]), max=st.integers(1, 3)
    ),
)
@settings(max_examples=150, deadline=None)
def test_every_job_is_in_one_block_or_named_and_no_block_is_overfull(
    jobs: list[SchedJob], most: int | None, shape: BlockShape
) -> None:
    node = NodeShape(4, 10, (GpuSlot("0", (0,)), GpuSlot("1", (1,))))
    packing = pack(jobs, node, shape, max_jobs=most)
    by_id = {job.id: job for job in jobs}
    placed = [number for block in packing.blocks for number in block.jobs]
    assert sorted([*placed, *packing.unfit]) == sorted(by_id)
    assert len(set(placed)) == len(placed)
    begins: dict[int, float] = {}
    for block in packing.blocks:
        if block.wave not in begins:
            begins[block.wave] = sum(
                max(b.makespan for b in packing.blocks if b.wave == wave) for wave in range(block.wave)
            )
        check_block(block, by_id, shape)
    waves = Counter(block.wave for block in packing.blocks)
    assert max(waves.values(), default=0) <= shape.max
    assert most is None or all(running_at_most(packing, wave) <= most for wave in waves)
    spans = {
        span.job: (begins[b.wave] + span.start, begins[b.wave] + span.end) for b in packing.blocks for span in b.spans
    }
    for number, (start, _) in spans.items():
        assert all(spans[need][1] <= start + 1e-6 for need in by_id[number].needs)
    assert packing.makespan >= max(
        longest_paths([j for j in jobs if j.id in spans and not j.limit]).values(), default=0
    )


def check_block(block: PackedBlock, by_id: dict[int, SchedJob], shape: BlockShape) -> None:
    assert 1 <= block.nodes <= shape.nodes
    assert block.walltime <= shape.walltime
    assert 0 <= block.busy <= 100
    for span in block.spans:
        job = by_id[span.job]
        assert span.start + max(job.limit or 0, 0 if job.limit else job.expected) <= usable(block.walltime) + 1e-6
    for node in range(block.nodes):
        here = [span for span in block.spans if node in span.nodes]
        for span in here:
            beside = [by_id[s.job].need for s in here if s.start <= span.start < s.end or s is span]
            assert sum(need.cores for need in beside) <= 4
            assert sum(need.memory for need in beside) <= 10
            assert sum(need.gpus for need in beside) <= 2
            assert len(beside) == 1 or not any(need.nodes for need in beside)


def running_at_most(packing: Packing, wave: int) -> int:
    spans = [span for block in packing.blocks if block.wave == wave for span in block.spans]
    return max(sum(s.start <= span.start < s.end for s in spans) for span in spans)


# ── the picture ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_picture_shows_the_busy_share_of_each_node_over_time() -> None:
    spans = (Span(0, 0, 10, (0,), 0.25), Span(1, 0, 5, (0, 1), 0.5), Span(2, 6, 10, (1,), 1.0))
    block = PackedBlock(0, 2, 60, 10, 50, spans)
    assert block.picture(4) == ((0.75, 0.75, 0.25, 0.25), (0.5, 0.5, pytest.approx(0.6), 1.0))
    assert PackedBlock(0, 1, 60, 0, 0, (Span(0, 0, 0, (0,), 1.0),)).picture(2) == ((0, 0),)
