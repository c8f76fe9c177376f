"""Durations of finished tasks by slot, out of the rows on disk: the dry run estimates from them."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from sweeps.run_layout import SweepLayout
from sweeps.store.parts import DAMAGE, read_part
from sweeps.task import Slot

COLUMNS = ["task_id", "device", "cpu_cores", "status", "duration_s"]


@dataclass(frozen=True)
class SlotTiming:
    """Finished tasks of one slot."""

    tasks: int
    mean_s: float
    """Wall time of a task, loads, warm-ups and all iterations included."""


def slot_timings(sweep_directories: Iterable[Path]) -> dict[Slot, SlotTiming]:
    """Return the timing of every slot that has `ok` rows in those sweeps; parts that cannot be read are passed over."""
    tables = [table for directory in sweep_directories for table in _tables(directory)]
    if not tables:
        return {}
    rows = pa.concat_tables(tables)
    ok = rows.filter(pc.equal(rows["status"], "ok"))
    tasks = ok.group_by(["device", "cpu_cores", "task_id"]).aggregate([("duration_s", "sum")])
    slots = tasks.group_by(["device", "cpu_cores"]).aggregate([("duration_s_sum", "mean"), ("task_id", "count")])
    return {
        Slot.parse(row["device"], row["cpu_cores"]): SlotTiming(row["task_id_count"], row["duration_s_sum_mean"])
        for row in slots.to_pylist()
    }


def _tables(directory: Path) -> Iterable[pa.Table]:
    for part in SweepLayout(directory).parts():
        try:
            yield read_part(part, COLUMNS)
        except DAMAGE:
            continue
