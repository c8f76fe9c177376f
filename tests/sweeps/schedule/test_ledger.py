"""What a run says of itself is what happened: every task counted once, under the status of its last row."""

from collections import Counter
from typing import Any

import pytest

from sweeps.schedule import ledger as ledger_module
from sweeps.schedule.ledger import MAX_REASONS, Ledger
from sweeps.schedule.run_status import Status, SweepStatus
from sweeps.store.finished import Finished
from sweeps.task import NO_LOAD, Outcome, Row, Slot, Task


def task(sweep: str = "a", index: int = 0, load_key: str = "thing a") -> Task:
    return Task(sweep, "noop", {"index": index}, Slot("cpu", 0, 1), load_key, 1, 0, 0, 0, 0)


def status_of(ledger: Ledger) -> Status:
    return ledger.status(demand={}, workers=(), failure=None)


def complete(
    ledger: Ledger, one: Task, *statuses: str, measure: str | None = None, message: str = "why", **metrics: Any
) -> list[Row]:
    rows = [
        {"status": status, "error_message": message, "task_id": one.task_id, "sweep": one.sweep} | metrics
        for status in statuses
    ]
    ledger.complete(one, rows, measure, {"nulls": len(rows)})
    return rows


def test_a_task_counts_once_by_its_last_row_in_its_sweep() -> None:
    ledger = Ledger({"a": 3, "b": 4})
    complete(ledger, task("a", 0), "ok", "ok")
    complete(ledger, task("b", 1), "ok", "error")
    complete(ledger, task("b", 2), "oom_gpu")
    status = status_of(ledger)
    assert (status.total, status.done, status.rows, status.measured) == (7, 3, 5, 2)
    assert status.counts == {"ok": 1, "error": 1, "oom_gpu": 1}
    assert status.sweeps == (SweepStatus("a", 3, 1, 0), SweepStatus("b", 4, 2, 1))
    assert status.summary_counts == {"nulls": 5}


def test_tasks_of_earlier_runs_are_counted_and_told_apart() -> None:
    ledger = Ledger({"a": 9})
    earlier = {"t1": "ok", "t2": "ok", "t3": "timeout"}
    ledger.count_finished(Finished(earlier, measured=2, counts={"a": Counter(earlier.values())}))
    complete(ledger, task(), "ok")
    status = status_of(ledger)
    assert (status.done, status.done_before, status.measured, status.rows) == (4, 3, 3, 1)
    assert status.counts == {"ok": 3, "timeout": 1}
    assert status.sweeps == (SweepStatus("a", 9, 4, 1),)


@pytest.mark.parametrize(
    ("status", "measure", "metrics", "measured"),
    [
        ("ok", None, {}, 1),
        ("ok", "score", {"score": 0.0}, 1),
        ("ok", "score", {"score": None}, 0),
        ("ok", "score", {}, 0),
        ("error", None, {}, 0),
        ("error", "score", {"score": 1.0}, 0),
    ],
)
def test_a_measurement_is_an_ok_row_with_its_measure(
    status: str, measure: str | None, metrics: dict[str, Any], measured: int
) -> None:
    ledger = Ledger({"a": 1})
    complete(ledger, task(), status, measure=measure, **metrics)
    assert status_of(ledger).measured == measured


def test_loads_beside_those_of_a_runner_that_loads_for_every_task() -> None:
    ledger = Ledger({"a": 4})
    for one, loads in (
        (task(index=0), 1),
        (task(index=1), 0),
        (task(index=2), 2),
        (task(index=3, load_key=NO_LOAD), 0),
    ):
        ledger.count_loads(one, Outcome(one.task_id, 1, (), loads=loads))
    assert (status_of(ledger).loads, status_of(ledger).loads_naive) == (3, 3)


def test_the_clock_runs_from_the_first_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [100.0]
    monkeypatch.setattr(ledger_module.time, "monotonic", lambda: now_s[0])
    ledger = Ledger({"a": 1})
    assert status_of(ledger).elapsed_s == 0.0
    for joined_s in (110.0, 115.0):
        now_s[0] = joined_s
        ledger.start_clock()
    now_s[0] = 117.0
    assert status_of(ledger).elapsed_s == 7.0


def test_a_reason_why_tasks_cannot_run_is_told_once_and_not_without_end() -> None:
    ledger = Ledger({"a": 999})
    for index in range(3):
        complete(ledger, task(index=index), "unavailable", message="no such node")
    assert status_of(ledger).warnings == ("unavailable: no such node",)
    for index in range(2 * MAX_REASONS):
        complete(ledger, task(index=100 + index), "unsupported", message=f"reason {index}")
    assert len(status_of(ledger).warnings) == MAX_REASONS
    for other in ("error", "oom_gpu", "worker_lost"):
        complete(ledger, task(index=800), other, message=f"{other}: told elsewhere")
    assert len(status_of(ledger).warnings) == MAX_REASONS


def test_a_task_whose_rows_could_not_be_written_counts_as_an_error_instead() -> None:
    ledger = Ledger({"a": 3, "b": 3})
    complete(ledger, task("a", 0), "ok")
    complete(ledger, task("b", 1), "ok")
    rows = complete(ledger, task("b", 2), "oom_gpu", "oom_gpu", message="too large")
    ledger.count_unwritable(rows)
    status = status_of(ledger)
    assert {name: count for name, count in status.counts.items() if count} == {"ok": 2, "error": 1}
    assert status.sweeps == (SweepStatus("a", 3, 1, 0), SweepStatus("b", 3, 2, 1))
    assert status.warnings == (f"task {task('b', 2).task_id}: too large; it counts as an error",)


def test_what_was_written_is_forgotten() -> None:
    ledger = Ledger({"a": 3})
    rows = complete(ledger, task(), "timeout")
    ledger.all_flushed()
    ledger.count_unwritable(rows)
    assert status_of(ledger).counts["timeout"] == 1, "its rows are on disk as they were"
