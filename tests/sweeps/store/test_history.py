"""The estimate is the mean of what was measured, by slot, and nothing where nothing was."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from sweeps.schema import COLUMNS
from sweeps.store.history import SlotTiming, slot_timings
from sweeps.store.rows import failed_row, measured_row
from sweeps.store.sink import Sink
from sweeps.task import Lease, Slot
from sweeps.view.dry_run import print_plan
from tests.fakes import REGISTRY, faulty_spec, plan_of

SPEC = faulty_spec(index=[0, 1, 2, 3], cpu_cores=[1, 2])


def write(directory: Path, durations_s: dict[int, list[float]], status: str = "ok") -> None:
    """A part with one task for each number, one row for each duration."""
    sink = Sink(directory, COLUMNS["noop"])
    for number, task in plan_of(SPEC, REGISTRY).tasks():
        for iteration, duration_s in enumerate(durations_s.get(number, [])):
            facts: dict[str, Any] = {"duration_s": duration_s}
            lease = Lease(task, 1)
            row = measured_row(lease, COLUMNS["noop"], iteration, facts, {})
            sink.add(
                [row if status == "ok" else failed_row(lease, COLUMNS["noop"], iteration, facts, status, None, None)]
            )
    sink.flush()


def test_the_mean_task_of_each_slot(tmp_path: Path) -> None:
    by_cores: dict[int, list[int]] = {}
    for number, task in plan_of(SPEC, REGISTRY).tasks():
        by_cores.setdefault(task.slot.cores, []).append(number)
    one, other, *_ = by_cores[1]
    write(tmp_path, {one: [1.0, 2.0], other: [5.0], by_cores[2][0]: [0.5]})
    write(tmp_path, {by_cores[2][1]: [99.0]}, status="timeout")
    assert slot_timings([tmp_path]) == {
        Slot("cpu", 0, 1): SlotTiming(2, pytest.approx(4.0)),
        Slot("cpu", 0, 2): SlotTiming(1, pytest.approx(0.5)),
    }


def test_nothing_measured_is_no_estimate(tmp_path: Path) -> None:
    (tmp_path / "part-000000.parquet").write_bytes(b"half a part")
    assert slot_timings([tmp_path, tmp_path / "absent"]) == {}


def test_the_dry_run_tells_it(tmp_path: Path) -> None:
    text = StringIO()
    pace = {Slot("cpu", 0, 1): SlotTiming(2, 30.0)}
    print_plan(Console(file=text, width=200), plan_of(SPEC, REGISTRY), [], lambda _: None, pace)
    told = "offered here, about 2 min 0 s of one worker's time (2 finished, 30 s each)"
    assert f"slot [cpu, 1 core]: 4 tasks, {told}" in text.getvalue()
    assert "slot [cpu, 2 cores]: 4 tasks, offered here\n" in text.getvalue()
