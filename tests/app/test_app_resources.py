"""What the resources of a rule make a job occupy of a block's nodes."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from flowrules.app.resources import NodeSizer
from flowrules.errors import FlowfileError
from flowrules.model.events import Need
from flowrules.model.profile import GpuSlot, NodeShape

NODE = NodeShape(10, 1000, tuple(GpuSlot(str(n)) for n in range(4)), "GPU", (0, 1))


def clipped(threads: int = 1, **resources: float) -> Need:
    rule = SimpleNamespace(name="r", local=False, resources=(), span=None)
    return NodeSizer(NODE, 2).clip(SimpleNamespace(rule=rule, label="r"), threads, resources)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("resources", "need"),
    [
        ({}, Need(1)),
        ({"threads": 3, "gpus": 0.5, "mem": 10}, Need(3, 10, 0.5)),
        ({"nodes": 2}, Need(1, nodes=2)),
        ({"ranks_per_node": 4}, Need(4, nodes=1)),
        ({"nodes": 2, "ranks": 3}, Need(2, nodes=2)),
        ({"nodes": 2, "ranks_per_node": 4, "gpus_per_rank": 1, "threads_per_rank": 2}, Need(8, 0, 4, nodes=2)),
        ({"ranks": 2, "gpus_per_rank": 1, "threads_per_rank": 3}, Need(6, 0, 2)),
        ({"ranks": 3, "threads": 5}, Need(5)),
        ({"ranks": 3, "gpus_per_rank": 0.5}, Need(3, 0, 2)),
        ({"ranks": 1, "gpus_per_rank": 0.25}, Need(1, 0, 0.25)),
        ({"ranks": 2, "gpus_per_rank": 1, "gpus": 3}, Need(2, 0, 3)),
    ],
)
def test_what_a_job_occupies(resources, need) -> None:
    assert clipped(**resources) == need


@pytest.mark.parametrize(
    ("resources", "message"),
    [
        ({"nodes": 3}, "r asks for 3 of `nodes`, a block has only 2"),
        ({"gpus": 5}, "r asks for 5 of `gpus`, a node has only 4"),
        ({"nodes": 2, "threads": 9}, "r asks for 9 of `threads`, a node has only 8"),
        ({"nodes": 2, "gpus": 5}, "r asks for 5 of `gpus`, a node has only 4"),
        ({"ranks": 9}, "r asks for 9 of `ranks`, a node has threads for only 8"),
        ({"nodes": 2, "ranks": 9, "ranks_per_node": 4}, "r asks for 9 of `ranks`, its nodes have only 8"),
        (
            {"ranks": 4, "threads_per_rank": 3},
            "r asks for 3 of `threads_per_rank`, for each of 4 ranks a node has only 2",
        ),
        ({"ranks": 8, "gpus_per_rank": 1}, "r asks for 1 of `gpus_per_rank`, for each of 8 ranks a node has only 0.5"),
        ({"ranks": 1, "gpus_per_rank": 5}, "r asks for 5 of `gpus_per_rank`, a node has only 4"),
    ],
)
def test_what_no_node_has_is_refused(resources, message) -> None:
    with pytest.raises(FlowfileError) as refused:
        clipped(**resources)
    assert refused.value.diagnostics[0].message == message
