"""The allocation of GPUs and cores, on made-up nodes."""

from dataclasses import replace

import pytest

from actors.devices.allocator import Allocator
from actors.devices.nodes import Gpu, Node, local_node, matches, slug, visible
from sweeps.task import Slot

K80_A = Gpu("GPU-aaa", "Tesla K80", 12 * 2**30, (3, 7))
K80_B = Gpu("GPU-aab", "Tesla K80", 12 * 2**30, (3, 7))
GTX = Gpu("GPU-ccc", "NVIDIA GeForce GTX 1070", 8 * 2**30, (6, 1))
BOX = Node("n1", "box", "Xeon", tuple(range(16)), (K80_A, K80_B, GTX))
PLAIN = Node("n2", "plain", "EPYC", tuple(range(4)))


def allocator_of(*nodes: Node) -> Allocator:
    return Allocator({node.node_id: node for node in nodes})


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Tesla K80", "tesla-k80"),
        ("NVIDIA GeForce GTX 1070", "gtx-1070"),
        ("NVIDIA H100 80GB HBM3", "h100-80gb-hbm3"),
        ("NVIDIA GeForce RTX 4090", "rtx-4090"),
    ],
)
def test_slugs(name: str, expected: str) -> None:
    assert slug(name) == expected


@pytest.mark.parametrize(
    ("device", "gpu", "expected"),
    [
        ("gpu", GTX, True),
        ("k80", K80_A, True),
        ("tesla-k80", K80_A, True),
        ("k8", K80_A, False),
        ("tesla", K80_A, True),
        ("gtx-1070", GTX, True),
        ("1070", GTX, True),
        ("k80", GTX, False),
    ],
)
def test_a_device_name_means_whole_words_of_the_slug(device: str, gpu: Gpu, expected: bool) -> None:
    assert matches(device, gpu) is expected


def test_seats_never_share_a_core_or_a_gpu() -> None:
    allocator = allocator_of(BOX)
    slots = [Slot("k80", 1, 4), Slot("k80", 1, 4), Slot("gtx-1070", 1, 4), Slot("cpu", 0, 4)]
    allocations = [allocated[1] for i, slot in enumerate(slots) if (allocated := allocator.allocate(slot, f"w{i}"))]
    cores = [core for allocation in allocations for core in allocation.cores]
    uuids = [uuid for allocation in allocations for uuid in allocation.device_uuids]
    assert (len(allocations), len(cores), len(set(cores))) == (4, 16, 16)
    assert sorted(uuids) == ["GPU-aaa", "GPU-aab", "GPU-ccc"]
    assert allocator.allocate(Slot("cpu", 0, 1), "late") is None


def test_a_released_seat_is_free_again() -> None:
    allocator = allocator_of(PLAIN)
    assert allocator.allocate(Slot("cpu", 0, 4), "w")
    assert allocator.allocate(Slot("cpu", 0, 1), "v") is None
    allocator.release("w")
    assert allocator.allocate(Slot("cpu", 0, 4), "v")


def test_cpu_work_goes_where_no_gpu_would_miss_the_cores() -> None:
    allocated = allocator_of(BOX, PLAIN).allocate(Slot("cpu", 0, 2), "w")
    assert allocated is not None
    assert allocated[1].host == "plain"


@pytest.mark.parametrize("order", [("n1", "n2"), ("n2", "n1")])
def test_of_nodes_alike_the_fuller_one_is_filled_up(order: tuple[str, str]) -> None:
    """So that a wide slot still finds an empty node."""
    house = allocator_of(*(replace(PLAIN, node_id=name, host=name) for name in order))
    assert house.allocate(Slot("cpu", 0, 4), "gone")
    first = house.allocate(Slot("cpu", 0, 1), "a")
    house.release("gone")
    second = house.allocate(Slot("cpu", 0, 1), "b")
    assert first is not None
    assert second is not None
    assert second[0].host == first[0].host == order[1], "though the other node comes first"
    assert house.allocate(Slot("cpu", 0, 4), "wide")


@pytest.mark.parametrize("others", [(), (PLAIN,)])
def test_a_gpu_slot_fills_up_the_fuller_box(others: tuple[Node, ...]) -> None:
    house = allocator_of(BOX, replace(BOX, node_id="n3", host="second"), *others)
    hosts = [taken[0].host for name in "abc" if (taken := house.allocate(Slot("gpu", 1, 2), name))]
    assert len(hosts) == 3
    assert len(set(hosts)) == 1


def test_a_seat_says_what_it_is() -> None:
    allocated = allocator_of(BOX).allocate(Slot("gpu", 3, 1), "w")
    assert allocated is not None
    assert allocated[1].device_class == "tesla-k80+tesla-k80+gtx-1070"
    assert allocated[1].device_name == "Tesla K80 + Tesla K80 + NVIDIA GeForce GTX 1070"


@pytest.mark.parametrize(
    ("slot", "possible"),
    [
        (Slot("gpu", 3, 16), True),
        (Slot("gpu", 4, 1), False),
        (Slot("k80", 2, 1), True),
        (Slot("k80", 3, 1), False),
        (Slot("cpu", 0, 17), False),
        (Slot("a100", 1, 1), False),
    ],
)
def test_what_can_never_be_offered_is_told_with_what_exists(slot: Slot, possible: bool) -> None:
    reason = allocator_of(BOX, PLAIN).infeasible(slot)
    assert (reason is None) is possible
    if reason:
        assert str(slot) in reason
        assert "box: 16 cores, tesla-k80, tesla-k80, gtx-1070; plain: 4 cores, no GPU" in reason


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        (None, [K80_A, K80_B, GTX]),
        ("", []),
        ("2,0", [GTX, K80_A]),
        ("GPU-ccc", [GTX]),
        ("GPU-c", [GTX]),
        ("0,7,1", [K80_A]),
    ],
)
def test_cuda_visible_devices(mask: str | None, expected: list[Gpu]) -> None:
    assert visible([K80_A, K80_B, GTX], mask) == expected


def test_this_machine_is_a_node() -> None:
    node = local_node()
    assert node.cores == tuple(sorted(set(node.cores)))
    assert len(local_node(max_cores=1).cores) == 1
