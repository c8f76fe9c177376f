"""The worker: tasks that share a load load once, and every fault is a row that leaves other tasks unharmed."""

from collections.abc import Sequence
from typing import Any

import pytest

from actors.worker import DevicePoisoned, Worker
from sweeps.schema import COLUMNS
from sweeps.task import Allocation, Answer, Lease, Outcome, Run, Slot, Stop, Task, TaskShard, Wait
from sweeps.task_status import TaskStatus
from tests.fakes import REGISTRY, faulty_spec, plan_of

ALLOCATION = Allocation("w", Slot("cpu", 0, 1), "here", "cpu", "a CPU")


class ScriptedCoordinator:
    """A coordinator client that gives prepared answers and keeps the outcomes."""

    def __init__(self, answers: Sequence[Answer]) -> None:
        self.answers = iter(answers)
        self.outcomes: list[Outcome] = []

    def join(self, allocation: Allocation, environment: dict[str, Any], environment_id: str) -> None:
        assert allocation is ALLOCATION

    def exchange(self, worker_id: str, outcomes: Sequence[Outcome]) -> Answer:
        self.deliver(worker_id, outcomes)
        return next(self.answers, Stop())

    def deliver(self, worker_id: str, outcomes: Sequence[Outcome]) -> None:
        self.outcomes += outcomes

    def fetch(self, task: Task) -> TaskShard:
        raise AssertionError("nothing to ship")


def leases(**factors: Any) -> list[Lease]:
    plan = plan_of(faulty_spec(**factors), REGISTRY)
    return [Lease(task, 1) for _, task in plan.tasks()]


def work(answers: Sequence[Answer]) -> list[Outcome]:
    coordinator = ScriptedCoordinator(answers)
    Worker(ALLOCATION, REGISTRY, ({}, "e1")).work(coordinator)
    return coordinator.outcomes


def test_rows_of_every_iteration_without_the_warm_ups() -> None:
    (outcome,) = work([Run(tuple(leases(iterations=3, warmup=2)), neighbours=4)])
    assert [row["iteration"] for row in outcome.rows] == [0, 1, 2]
    row = outcome.rows[0]
    assert (row["status"], row["neighbours"], row["environment_id"], row["host"]) == ("ok", 4, "e1", "here")
    assert row["started_at"].tzinfo is not None


def test_tasks_that_share_a_load_share_it() -> None:
    shared = leases(index=[0, 1, 2], thing=["a", "b"])
    shared.sort(key=lambda lease: lease.task.load_key)
    outcomes = work([Run((lease,), 0) for lease in shared])
    assert [outcome.loads for outcome in outcomes] == [1, 0, 0, 1, 0, 0]


def test_waiting_is_not_an_outcome() -> None:
    assert work([Wait(0.0), Wait(0.0)]) == []


FAULTS = {
    "raise": ("error", "ValueError", "a fault <b>on purpose</b>"),
    "oom_host": ("oom_host", "MemoryError", "cannot allocate"),
    "oom_gpu": ("oom_gpu", "RuntimeError", "CUDA out of memory"),
    "unsupported": ("unsupported", "Unsupported", "no kernels"),
    "load": ("unsupported", "Unsupported", "cannot be loaded"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_a_row_and_neighbours_are_unharmed(fault: str) -> None:
    status, error_type, message = FAULTS[fault]
    bad = leases(fault=[fault], thing=["x"], iterations=3)[0]
    good = leases(index=[1])[0]
    failed, fine = work([Run((bad, good), 0)])
    row = failed.rows[-1]
    assert (row["status"], row["error_type"]) == (status, error_type)
    assert message in row["error_message"]
    assert row["status"] in set(TaskStatus)
    assert not row.keys() & COLUMNS["noop"].metrics.keys()
    assert fine.rows[-1]["status"] == "ok"


def test_rows_before_the_fault_are_kept() -> None:
    (outcome,) = work([Run(tuple(leases(fault=["raise"], iterations=3)), 0)])
    assert [(row["iteration"], row["status"]) for row in outcome.rows] == [(0, "ok"), (1, "error")]


def test_what_could_not_be_loaded_is_not_tried_for_every_cell() -> None:
    outcomes = work([Run(tuple(leases(index=[0, 1], fault=["load"])), 0)])
    assert [outcome.rows[-1]["error_message"] for outcome in outcomes] == ["a cannot be loaded"] * 2


def test_a_poisoned_device_hands_its_rows_in_and_ends_the_worker() -> None:
    coordinator = ScriptedCoordinator([Run(tuple(leases(index=[0, 1], fault=["poison"])), 0)])
    with pytest.raises(DevicePoisoned, match="illegal memory access"):
        Worker(ALLOCATION, REGISTRY, ({}, "e1")).work(coordinator)
    assert [outcome.rows[-1]["status"] for outcome in coordinator.outcomes] == ["error"]
