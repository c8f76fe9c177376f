"""Tasks that ran out of memory go on with their other items on a larger device; no row is lost or doubled."""

from pathlib import Path
from typing import Any, ClassVar

import pyarrow.dataset as ds
import pytest

from actors.devices.nodes import Gpu, Node
from actors.devices.offers import devices_by_memory
from sweeps.planning import make_plan
from sweeps.schedule.coordinator import Coordinator
from sweeps.schedule.escalation import Escalation, next_slot
from sweeps.schedule.policy import Policy
from sweeps.schema import COLUMNS
from sweeps.store.rows import failed_row, measured_row
from sweeps.task import Allocation, Lease, Outcome, Row, Run, Slot, Task, TaskShard
from tests.fakes import Faulty, faulty_spec

GIB = 2**30
GTX, K80 = "gtx-1070", "tesla-k80"
SLOT = Slot("gpu", 1, 4)
SHARD = TaskShard("texts:0+3", "texts")
TASK = Task("s", "noop", {}, SLOT, "thing a", 1, 0, 0, 0, 0, shard=SHARD)


class Escalating(Faulty):
    escalates_on_oom: ClassVar[bool] = True


def escalation(benchmark: Any = None) -> Escalation:
    return Escalation({"noop": benchmark or Escalating()}, (GTX, K80, "cpu"))


def on(device_class: str) -> Allocation:
    return Allocation("w", SLOT, "here", device_class, device_class)


def outcome(*rows: tuple[str, str], left: str = "") -> Outcome:
    """Rows as (item, status), in their order; `left` are the items that ran out of memory, a letter each."""
    return Outcome("t", 1, tuple({"record_id": item, "status": status} for item, status in rows), frozenset(left))


def items(rows: tuple[Row, ...]) -> list[str]:
    return [row["record_id"] for row in rows]


def test_the_next_slot_tries_what_is_left_and_the_rows_of_the_rest_wait() -> None:
    climb = escalation()
    slot = climb.escalate(7, TASK, on(GTX), outcome(("a", "ok"), ("b", "oom_gpu"), ("c", "oom_gpu"), left="bc"))
    assert slot == Slot(K80, 1, 4)
    now = climb.current(7, TASK)
    assert now.slot == slot
    assert now.shard == TaskShard("texts:0+3", "texts", frozenset("bc"))
    assert climb.escalate(7, now, on(K80), outcome(("b", "ok"), ("c", "oom_gpu"), left="c")) == Slot("cpu", 0, 4)
    now = climb.current(7, TASK)
    assert now.shard is not None
    assert (now.slot, now.shard.remaining) == (Slot("cpu", 0, 4), frozenset("c"))
    assert items(climb.finished_rows(7)) == ["a", "b"]


def test_what_an_earlier_slot_left_over_is_still_known_where_a_later_one_fails_as_a_whole() -> None:
    climb = escalation()
    climb.escalate(7, TASK, on(GTX), outcome(("a", "ok"), ("b", "oom_gpu"), left="b"))
    climb.escalate(7, climb.current(7, TASK), on(K80), outcome(("b", "oom_gpu")))
    now = climb.current(7, TASK)
    assert now.shard is not None
    assert now.shard.remaining == frozenset("b"), "or 'a' is measured once more, beside its row that waits"
    assert items(climb.finished_rows(7)) == ["a"]


def test_a_task_that_ran_out_as_a_whole_starts_again_without_the_rows_that_it_had() -> None:
    climb = escalation()
    climb.escalate(7, TASK, on(GTX), outcome(("a", "ok"), ("b", "oom_gpu")))
    now = climb.current(7, TASK)
    assert now.shard is not None
    assert now.shard.remaining is None
    assert climb.finished_rows(7) == ()


def test_a_task_without_a_shard_moves_to_the_larger_slot_as_it_is() -> None:
    climb, task = escalation(), Task("s", "noop", {}, SLOT, "thing a", 1, 0, 0, 0, 0)
    assert climb.escalate(7, task, on(GTX), outcome(("", "oom_gpu")))
    assert climb.current(7, task) == Task("s", "noop", {}, Slot(K80, 1, 4), "thing a", 1, 0, 0, 0, 0)


def test_tasks_are_kept_apart_and_a_finished_one_is_forgotten() -> None:
    climb = escalation()
    climb.escalate(7, TASK, on(GTX), outcome(("a", "ok"), ("b", "oom_host"), left="b"))
    assert climb.current(8, TASK) is TASK
    assert climb.finished_rows(8) == ()
    assert items(climb.finished_rows(7)) == ["a"]
    assert climb.finished_rows(7) == ()
    assert climb.current(7, TASK) is TASK


@pytest.mark.parametrize(
    ("benchmark", "status", "device_class"),
    [
        pytest.param(Escalating(), "ok", GTX, id="it fitted"),
        pytest.param(Escalating(), "error", GTX, id="it failed for another reason"),
        pytest.param(Escalating(), "oom_host", "cpu", id="nothing has more memory"),
        pytest.param(Escalating(), "oom_gpu", "a100", id="a device that came later, of unknown rank"),
        pytest.param(Faulty(), "oom_gpu", GTX, id="running out of memory is the result"),
    ],
)
def test_other_tasks_end_where_they_are(benchmark: Any, status: str, device_class: str) -> None:
    climb = escalation(benchmark)
    assert climb.escalate(7, TASK, on(device_class), outcome(("a", status))) is None
    assert climb.current(7, TASK) is TASK


@pytest.mark.parametrize(
    ("slot", "device_class", "expected"),
    [
        (Slot("gpu", 1, 4), GTX, Slot(K80, 1, 4)),
        (Slot(K80, 1, 4), K80, Slot("cpu", 0, 4)),
        (Slot("gpu", 2, 4), f"{GTX}+{K80}", Slot("cpu", 0, 4)),
        (Slot("cpu", 0, 4), "cpu", None),
    ],
)
def test_cards_by_memory_then_the_cpu_and_from_several_cards_the_cpu(
    slot: Slot, device_class: str, expected: Slot | None
) -> None:
    assert next_slot(slot, device_class, (GTX, K80, "cpu")) == expected


def test_through_the_coordinator_every_text_is_measured_once_on_the_smallest_device_that_fits(tmp_path: Path) -> None:
    """Three texts; each device fits one more than the smaller ones."""
    registry: Any = {"noop": Escalating()}
    plan = make_plan(faulty_spec(device=["gpu"]), registry, tmp_path)
    coordinator = Coordinator(plan, registry, Policy(), (GTX, K80, "cpu"))
    coordinator.open()
    left = ["0", "1", "2"]
    slots: list[Slot] = []
    for device_class in (GTX, K80, "cpu"):
        ((slot, wanted),) = coordinator.tick().demand.items()
        slots.append(slot)
        assert wanted == 1
        coordinator.join(Allocation("w", slot, "here", device_class, device_class), {}, "e")
        answer = coordinator.exchange("w", [])
        assert isinstance(answer, Run)
        del left[0]
        coordinator.exchange("w", [_one_fits(answer.leases[0], left)])
        coordinator.leave("w")
    assert slots == [Slot("gpu", 1, 1), Slot(K80, 1, 1), Slot("cpu", 0, 1)]
    status = coordinator.close()
    assert (status.counts, status.rows, status.left) == ({"ok": 1}, 3, 0)
    rows = ds.dataset(sorted(tmp_path.glob("s/part-*.parquet"))).to_table().to_pylist()
    assert [(row["iteration"], row["status"]) for row in rows] == [(0, "ok"), (1, "ok"), (2, "ok")]


def _one_fits(lease: Lease, left: list[str]) -> Outcome:
    """The rows of a device that fits the first text that is left."""
    first = 2 - len(left)
    fits = measured_row(lease, COLUMNS["noop"], first, {}, {})
    others = [failed_row(lease, COLUMNS["noop"], int(item), {}, "oom_gpu", None, None) for item in left]
    return Outcome(lease.task.task_id, lease.attempt, (fits, *others), frozenset(left))


def test_what_ran_out_on_the_smaller_card_goes_to_the_larger_one() -> None:
    small = Gpu("GPU-a", "NVIDIA GeForce GTX 1070", 8 * GIB, (6, 1))
    large = Gpu("GPU-b", "Tesla K80", 12 * GIB, (3, 7))
    largest = Gpu("GPU-c", "NVIDIA A100", 80 * GIB, (8, 0))
    nodes = [
        Node("n1", "one", "a CPU", (0,), (largest, small)),
        Node("n2", "two", "a CPU", (0,), (large, large)),
        Node("n3", "three", "a CPU", (0,)),
    ]
    assert devices_by_memory(nodes) == (GTX, K80, "a100", "cpu")
    assert devices_by_memory(nodes[2:]) == ("cpu",)
