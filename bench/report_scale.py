"""Time and memory of a report of millions of rows of scores: `python -m bench.report_scale [ROWS]`.

Prints seconds, CPU time and peak memory of `python -m analysis.report`, in a process of its own, and how busy the
machine was before. Knows the columns of binoculars.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sweeps.schema import COLUMNS

_REPORT: Final = """
import re, sys, time
from pathlib import Path
from analysis.report import write_report
write_report(Path(sys.argv[1]))
peak_kib = re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1]
print(time.process_time(), peak_kib)
"""
"""Code of the process. Its own `ru_maxrss` would not do: a process begins with the peak of the one that started it."""
PART_ROWS: Final = 250_000
_PAIRS: Final = 10
_FRAGMENTS: Final = 4
"""Fragments of a record and author."""


def write_rows(run: Path, rows: int) -> None:
    """Write a sweep `scores` of so many rows: ten pairs, human and synthetic texts, four fragments a record."""
    folder = run / "scores"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number, start in enumerate(range(0, rows, PART_ROWS)):
        index = np.arange(start, min(start + PART_ROWS, rows))
        table = pa.table(
            {field.name: _column(field, index, rng) for field in COLUMNS["binoculars"].schema},
            schema=COLUMNS["binoculars"].schema,
        )
        pq.write_table(table, folder / f"part-{number:06d}.parquet")


def _column(field: Any, index: Any, rng: Any) -> Any:
    """Return the values of one column for some rows."""
    pair = index % _PAIRS
    is_human = index // _PAIRS % 2 == 0
    record = index // (2 * _PAIRS * _FRAGMENTS)
    match field.name:
        case "status" | "benchmark" | "dataset" | "generator" | "model":
            return pa.array([{"status": "ok", "benchmark": "binoculars"}.get(field.name, "x")] * len(index))
        case "author":
            return _chosen(["synthetic", "human"], is_human.astype(int))
        case "cell_id" | "observer" | "performer" | "pair":
            return _chosen([f"{field.name} {number}" for number in range(_PAIRS)], pair)
        case "record_id" | "task_id":
            size = 1 if field.name == "record_id" else 100
            return pc.binary_join_element_wise(field.name, pa.array(record // size).cast(pa.string()), " ")
        case "fragment_index":
            return pa.array(index // (2 * _PAIRS) % _FRAGMENTS, pa.int32())
        case "score":
            return pa.array(rng.normal(0.9 + 0.1 * is_human, 0.1))
        case "quantized_share" | "prefix_tokens" | "null_reason" | "error_type" | "error_message":
            return pa.nulls(len(index), field.type)
    if pa.types.is_floating(field.type):
        return pa.array(rng.lognormal(0, 0.2, len(index)), field.type)
    if field.name.startswith("length"):
        return pa.array(rng.integers(10, 300, len(index)), field.type)
    if pa.types.is_integer(field.type):
        return pa.array(np.full(len(index), 3), field.type)
    return pa.nulls(len(index), field.type)


def _chosen(values: list[str], codes: Any) -> Any:
    """Return texts by their codes."""
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), values).cast(pa.string())


def report_cost(run: Path) -> tuple[float, float, float]:
    """Return seconds, seconds of CPU time, and peak GiB of the report of a run, made by a process of its own."""
    started_s = time.perf_counter()
    ended = subprocess.run([sys.executable, "-c", _REPORT, str(run)], check=True, stdout=subprocess.PIPE, text=True)
    seconds = time.perf_counter() - started_s
    cpu_s, peak_kib = map(float, ended.stdout.split())
    return seconds, cpu_s, peak_kib / 2**20


def main() -> None:
    """Write the rows, make the report, print what it cost."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "scale"
        write_rows(run, rows)
        load = os.getloadavg()[0]
        seconds, cpu_s, peak_gib = report_cost(run)
    print(f"{rows:,} rows: {seconds:.1f} s ({cpu_s:.1f} s of CPU time), {peak_gib:.2f} GiB at the peak")
    print(f"load before: {load:.1f} processes on {os.cpu_count()} cores; above 1.5, others were at work")


if __name__ == "__main__":
    main()
