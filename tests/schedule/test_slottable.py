"""The slots that jobs of one shape have on the nodes of a block."""

from flowrules.model.events import Need
from flowrules.model.profile import GpuSlot, NodeShape
from flowrules.schedule.slottable import places

NODE = NodeShape(8, mem=100, gpus=(GpuSlot("0", (6, 7)), GpuSlot("1", (4, 5))), gpu_variable="G")


def slots(need: Need, count: int = 2) -> list[tuple[tuple[str, ...], tuple[str, ...], tuple[int, ...], int]]:
    names = [f"n{i}" for i in range(count)]
    return [(p.slot.nodes, p.slot.gpus, p.slot.cpus, p.number) for p in places(NODE, names, need)]


def test_each_gpu_is_one_slot_beside_its_threads_and_nodes_take_turns() -> None:
    assert slots(Need(2, gpus=1)) == [
        (("n0",), ("0",), (6, 7), 0),
        (("n1",), ("0",), (6, 7), 0),
        (("n0",), ("1",), (4, 5), 1),
        (("n1",), ("1",), (4, 5), 1),
    ]


def test_jobs_without_a_gpu_use_the_whole_node() -> None:
    found = slots(Need(3), 1)
    assert len(found) == 2 and not any(gpus for _, gpus, _, _ in found)
    assert len({cpu for _, _, cpus, _ in found for cpu in cpus}) == 6, "no thread is in two slots"


def test_the_scarcest_resource_counts() -> None:
    assert len(slots(Need(1, memory=40), 1)) == 2
    assert len(slots(Need(1, gpus=0.5), 1)) == 4
    assert slots(Need(9), 1) == []


def test_whole_nodes() -> None:
    assert [nodes for nodes, _, _, _ in slots(Need(8, nodes=2), 5)] == [("n1", "n2"), ("n3", "n4")]
