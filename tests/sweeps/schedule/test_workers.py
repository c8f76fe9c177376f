"""The table of workers: who joined and has not left, by host and slot."""

import pytest

from sweeps.schedule.workers import WorkerTable
from sweeps.task import Allocation, Slot
from tests.fakes import REGISTRY, faulty_spec, plan_of

SLOT, WIDE = Slot("cpu", 0, 1), Slot("cpu", 0, 4)
((_, TASK),) = plan_of(faulty_spec(), REGISTRY).tasks()


def table(*workers: tuple[str, str, Slot]) -> WorkerTable:
    filled = WorkerTable()
    for name, host, slot in workers:
        filled.add(Allocation(name, slot, host, "cpu", "a CPU"))
    return filled


def names(workers: WorkerTable) -> list[str]:
    return [worker.allocation.worker_id for worker in workers]


def test_neighbours_are_the_others_of_a_host_that_have_a_task() -> None:
    workers = table(("a", "one", SLOT), ("b", "one", SLOT), ("c", "one", SLOT), ("d", "two", SLOT))
    for busy in "abd":
        workers[busy].leases = {TASK.task_id: (0, TASK)}
    assert [workers.neighbours(workers[name].allocation) for name in "abcd"] == [1, 1, 2, 0]
    workers.remove("a")
    assert [workers.neighbours(workers[name].allocation) for name in "bcd"] == [0, 1, 0]
    assert workers.neighbours(Allocation("e", SLOT, "nowhere", "cpu", "a CPU")) == 0


def test_a_worker_that_left_is_counted_nowhere() -> None:
    workers = table(("a", "one", SLOT), ("b", "one", SLOT), ("c", "one", WIDE))
    assert (workers.on_slot(SLOT), workers.on_slot(WIDE)) == (2, 1)
    gone = workers.remove("a")
    assert gone is not None
    assert gone.allocation.worker_id == "a"
    assert (workers.get("a"), workers.remove("a"), names(workers)) == (None, None, ["b", "c"])
    assert (workers.on_slot(SLOT), workers.on_slot(WIDE)) == (1, 1)


def test_a_worker_that_joins_under_a_name_again_takes_the_place_of_the_earlier_one() -> None:
    workers = table(("a", "one", SLOT))
    workers["a"].leases = {TASK.task_id: (0, TASK)}
    workers.add(Allocation("a", WIDE, "two", "cpu", "a CPU"))
    assert (workers.on_slot(SLOT), workers.on_slot(WIDE), names(workers)) == (0, 1, ["a"])
    assert workers["a"].leases == {}
    assert workers.neighbours(Allocation("b", SLOT, "one", "cpu", "a CPU")) == 0


def test_the_duration_of_tasks_is_an_average_in_which_later_ones_count_more() -> None:
    worker = table(("a", "one", SLOT))["a"]
    assert worker.task_s is None
    worker.record_duration(10.0)
    assert worker.task_s == pytest.approx(10.0)
    worker.record_duration(0.0)
    assert worker.task_s == pytest.approx(7.0)


def test_the_line_of_a_worker_says_what_it_runs() -> None:
    worker = table(("a", "one", SLOT))["a"]
    assert (worker.status.running, worker.status.model, worker.status.running_s) == ("", "", 0.0)
    worker.leases = {TASK.task_id: (0, TASK)}
    assert (worker.status.worker_id, worker.status.slot, worker.status.device) == ("a", SLOT, "a CPU")
    assert worker.status.running == TASK.label
    assert worker.status.running_s > 0
