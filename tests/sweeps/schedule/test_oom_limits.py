"""What need not be tried: the same cell with more of what memory grows with, on the same kind of device."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pyarrow.dataset as ds
import pytest

from sweeps.plan.spec import Spec
from sweeps.planning import make_plan
from sweeps.schedule.coordinator import Coordinator
from sweeps.schedule.oom_limits import OomLimits
from sweeps.schedule.policy import Policy
from sweeps.schema import COLUMNS
from sweeps.store.rows import failed_row, measured_row
from sweeps.task import Allocation, Lease, Outcome, Run, Slot, Stop, Task
from sweeps.task_status import TaskStatus
from tests.fakes import Faulty, faulty_spec

SLOT = Slot("gpu", 1, 1)
ALLOCATION = Allocation("w", SLOT, "here", "gtx-1070", "GTX 1070")


class Growing(Faulty):
    memory_grows_with: ClassVar[str | None] = "index"


REGISTRY: dict[str, Any] = {"noop": Growing()}


def task(**factors: Any) -> Task:
    levels = {"device": "gpu", "cpu_cores": 1, "index": 200, "thing": "a"} | factors
    return Task("s", "noop", levels, SLOT, "thing a", 1, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("tried", "status", "then", "allocation", "skipped"),
    [
        (200, "oom_gpu", task(index=300), ALLOCATION, True),
        (200, "oom_host", task(index=201), ALLOCATION, True),
        (200, "oom_gpu", task(index=200), ALLOCATION, False),  # another round of the same cell
        (200, "oom_gpu", task(index=100), ALLOCATION, False),
        (200, "error", task(index=300), ALLOCATION, False),
        (200, "ok", task(index=300), ALLOCATION, False),
        (200, "oom_gpu", task(index=300, thing="b"), ALLOCATION, False),
        (200, "oom_gpu", task(index=300, cpu_cores=2), ALLOCATION, False),
        (200, "oom_gpu", task(index=300), replace(ALLOCATION, device_class="tesla-k80"), False),
        (200, "oom_gpu", task(index=300), replace(ALLOCATION, worker_id="another"), True),
        (200, "oom_gpu", task(index=300), replace(ALLOCATION, slot=Slot("gpu", 2, 1)), False),
    ],
)
def test_above_the_ceiling(tried: int, status: str, then: Task, allocation: Allocation, skipped: bool) -> None:
    oom_limits = OomLimits(REGISTRY)
    oom_limits.observe(task(index=tried), ALLOCATION, TaskStatus(status))
    why = oom_limits.skip_reason(then, allocation)
    assert bool(why) == skipped
    if why:
        assert why.startswith("not tried: index=200 ran out of memory on gtx-1070")


def test_the_lowest_level_that_ran_out_counts_whatever_the_order() -> None:
    oom_limits = OomLimits(REGISTRY)
    for index in (300, 100, 200):
        oom_limits.observe(task(index=index), ALLOCATION, TaskStatus("oom_gpu"))
    assert oom_limits.skip_reason(task(index=150), ALLOCATION)


def test_without_such_a_factor_everything_is_tried() -> None:
    oom_limits = OomLimits({"noop": Faulty()})
    oom_limits.observe(task(), ALLOCATION, TaskStatus("oom_gpu"))
    assert oom_limits.skip_reason(task(index=999), ALLOCATION) is None


def test_a_limit_of_one_benchmark_is_none_of_another() -> None:
    oom_limits = OomLimits({"noop": Growing(), "other": Faulty()})
    oom_limits.observe(task(), ALLOCATION, TaskStatus("oom_gpu"))
    assert oom_limits.skip_reason(task(index=999), ALLOCATION)
    assert oom_limits.skip_reason(replace(task(index=999), benchmark="other"), ALLOCATION) is None


def test_a_run_tries_no_longer_input_after_a_shorter_one_ran_out(tmp_path: Path) -> None:
    """The model holds up to 4; whatever the order, 5 is the lowest that is ever tried in vain."""
    spec = faulty_spec(index=list(range(10)), device=["gpu"])
    coordinator = Coordinator(make_plan(spec, REGISTRY, tmp_path), REGISTRY, Policy())
    coordinator.open()
    coordinator.join(ALLOCATION, {}, "e")
    answer = coordinator.exchange("w", [])
    tried: list[Any] = []
    while isinstance(answer, Run):
        tried += [lease.task.factors["index"] for lease in answer.leases]
        answer = coordinator.exchange("w", [_run(lease) for lease in answer.leases])
    assert isinstance(answer, Stop)
    status = coordinator.close()
    assert status.left == 0
    assert status.counts["ok"] == 5
    assert status.counts["oom_gpu"] + status.counts["skipped_oom"] == 5
    assert status.untried == status.counts["skipped_oom"]
    skipped = [row for row in rows(tmp_path) if row["status"] == "skipped_oom"]
    assert {(row["host"], row["device_class"], row["worker_id"], row["attempt"]) for row in skipped} == {
        ("here", "gtx-1070", "w", 1)
    }
    too_long = [index for index in tried if index > 4]
    assert too_long == sorted(too_long, reverse=True), "a longer one after a shorter one is never tried"
    assert status.counts["oom_gpu"] == len(too_long)


def in_order(indexes: Sequence[int], begin: Callable[[list[Any]], bool]) -> Spec:
    """A sweep over those indexes with a seed by which its order begins so."""
    specs = (faulty_spec(index=list(indexes), device=["gpu"], seed=seed) for seed in range(1000))
    return next(
        spec
        for spec in specs
        if begin([task.factors["index"] for _, task in make_plan(spec, REGISTRY, Path("/nowhere")).tasks()])
    )


def test_a_task_that_took_all_host_memory_and_its_workers_along_sets_the_limit_too(tmp_path: Path) -> None:
    spec = in_order([5, 9], lambda order: order[0] == 5)
    coordinator = Coordinator(make_plan(spec, REGISTRY, tmp_path), REGISTRY, Policy())
    coordinator.open()
    killed = []
    for _ in range(5):
        coordinator.join(ALLOCATION, {}, "e")
        answer = coordinator.exchange("w", [])
        assert isinstance(answer, Run)
        killed.append(answer.leases[0].task.factors["index"])
        coordinator.lost("w", "oom_host", "killed by the memory monitor")
    assert killed == [5, 9, 5, 9, 5]
    coordinator.join(ALLOCATION, {}, "e")
    assert isinstance(coordinator.exchange("w", []), Stop)
    assert coordinator.close().counts == {"oom_host": 1, "skipped_oom": 1}


def test_what_was_skipped_is_no_longer_in_the_hands_of_a_worker_that_dies(tmp_path: Path) -> None:
    spec = in_order([5, *range(5), *range(6, 11)], lambda order: order[0] == 5 and order[1] > 5 and order[2] < 5)
    coordinator = Coordinator(make_plan(spec, REGISTRY, tmp_path), REGISTRY, Policy())
    coordinator.open()
    coordinator.join(ALLOCATION, {}, "e")
    answer = coordinator.exchange("w", [])
    assert isinstance(answer, Run)
    answer = coordinator.exchange("w", [replace(_run(answer.leases[0]), duration_s=0.001)])
    assert isinstance(answer, Run)
    assert coordinator.status().counts["skipped_oom"] > 0
    assert coordinator.lost("w", "worker_lost", "killed") == len(answer.leases)
    coordinator.join(ALLOCATION, {}, "e")
    answer = coordinator.exchange("w", [])
    while isinstance(answer, Run):
        answer = coordinator.exchange("w", list(map(_run, answer.leases)))
    assert coordinator.close().counts == {"ok": 5, "oom_gpu": 1, "skipped_oom": 5}
    assert Counter(row["index"] for row in rows(tmp_path)) == Counter(range(11))


def rows(directory: Path) -> list[dict[str, Any]]:
    return ds.dataset(sorted(directory.glob("s/part-*.parquet"))).to_table().to_pylist()  # type: ignore[no-any-return]


def _run(lease: Lease) -> Outcome:
    index: Any = lease.task.factors["index"]
    if index > 4:
        row = failed_row(lease, COLUMNS["noop"], 0, {}, "oom_gpu", "OutOfMemoryError", "CUDA out of memory")
    else:
        row = measured_row(lease, COLUMNS["noop"], 0, {}, {})
    return Outcome(lease.task.task_id, lease.attempt, (row,), duration_s=1.0)
