"""Run directories as sweeps.store.sink writes them, made of a few lines, for the analysis to read."""

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import jinja2
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analysis.cell_averages import Averages, average
from analysis.load import read_run
from sweeps.schema import COLUMNS

Row = dict[str, Any]
START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ENVIRONMENT = {
    "host": "box",
    "versions": {"torch": "2.13.0", "ray": "2.60.0"},
    "devices": [{"name": "Tesla K80", "memory_bytes": 12_884_901_888}],
    "commit": "abc1234",
}


def generation_row(index: int = 0, **columns: Any) -> Row:
    """One row of the generation benchmark; its cell follows from its factors."""
    row: Row = {
        "sweep": "generation",
        "benchmark": "generation",
        "iteration": index,
        "round": 0,
        "order_index": index,
        "attempt": 1,
        "status": "ok",
        "started_at": START + timedelta(seconds=index),
        "duration_s": 0.5,
        "host": "box",
        "device": "cpu",
        "device_class": "cpu",
        "device_name": "A CPU",
        "cpu_cores": 2,
        "threads_effective": 2,
        "model": "builtin://tiny-base",
        "device_map": "single",
        "quantization": "none",
        "dtype": "auto",
        "dtype_effective": "float32",
        "environment_id": "e1",
        "max_new_tokens": 16,
        "prompt_words": 32,
        "decoding_strategy": "greedy",
    }
    row |= columns
    factors = ("model", "device", "quantization", "cpu_cores", "max_new_tokens", "decoding_strategy")
    cell = "|".join(str(row[name]) for name in factors)
    return {"cell_id": cell, "task_id": f"task {cell}"} | row


def cell_rows(rates: Iterable[float], **columns: Any) -> list[Row]:
    """The iterations of one cell: a row per generation rate, with the time that belongs to it."""
    tokens = columns.get("max_new_tokens", 16)
    return [
        generation_row(
            index,
            **{
                "generation_rate_tokens_per_s": rate,
                "inference_time_s": tokens / rate,
                "ttft_s": 0.2 * tokens / rate,
                "peak_rss_bytes": 3 * 2**28 + index,
            }
            | columns,
        )
        for index, rate in enumerate(rates)
    ]


def write_sweep(
    run: Path,
    rows: Sequence[Row],
    name: str = "generation",
    *,
    part: str = "0",
    factors: Mapping[str, Sequence[Any]] | None = None,
    figure: Mapping[str, str] | None = None,
    benchmark: str = "generation",
    environments: Mapping[str, Any] | None = None,
    tasks: int | None = None,
    command: str | None = None,
) -> Path:
    """Write one part of one sweep and its _environment.json; returns the sweep's directory."""
    folder = run / name
    folder.mkdir(parents=True, exist_ok=True)
    schema = COLUMNS[benchmark].schema
    pq.write_table(pa.Table.from_pylist([*rows], schema=schema), folder / f"part-{part}.parquet")
    sweep = {
        "name": name,
        "benchmark": benchmark,
        "iterations": 3,
        "warmup": 1,
        "rounds": 1,
        "seed": 0,
        "factors": dict(factors or {}),
        "exclude": [],
        "figure": figure,
    }
    document = {
        "version": 2,
        "spec": {"name": "demo", "sweep": sweep},
        "environments": environments or {"e1": ENVIRONMENT},
        "inputs": {},
    }
    document |= {key: value for key, value in (("tasks", tasks), ("command", command)) if value is not None}
    (folder / "_environment.json").write_text(json.dumps(document), encoding="utf-8")
    return folder


@pytest.fixture(scope="session", autouse=True)
def _templates_compiled_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep compiled templates from page to page; a tenth of the CPU time of a small page is their compilation."""
    compiled = jinja2.FileSystemBytecodeCache(str(tmp_path_factory.mktemp("templates")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jinja2, "Environment", partial(jinja2.Environment, bytecode_cache=compiled))
        yield


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "demo"


@pytest.fixture
def write() -> Callable[..., Path]:
    return write_sweep


@pytest.fixture
def cell() -> Callable[..., list[Row]]:
    return cell_rows


@pytest.fixture
def row() -> Callable[..., Row]:
    return generation_row


@pytest.fixture
def grid(run_dir: Path) -> Callable[[Mapping[str, Sequence[Any]]], Averages]:
    """Averages of a run with two rows for every combination of levels."""

    def averages_of(factors: Mapping[str, Sequence[Any]]) -> Averages:
        rows: list[Row] = []
        for levels in itertools.product(*factors.values()):
            rows += cell_rows([10.0, 11.0], **dict(zip(factors, levels, strict=True)))
        write_sweep(run_dir, rows, factors=factors)
        return average(read_run(run_dir).sweeps[0])

    return averages_of


@pytest.fixture
def small_run(run_dir: Path) -> Path:
    """Two cells that were measured, and one that its device cannot run."""
    rows = cell_rows([10.0, 11.0, 12.0]) + cell_rows([20.0, 40.0], max_new_tokens=32)
    failed = {"status": "unsupported", "error_type": "Unsupported", "error_message": "no gpu", "started_at": None}
    rows += [generation_row(index, device="gpu", **failed) for index in range(3)]
    write_sweep(run_dir, rows, factors={"device": ["cpu", "gpu"], "max_new_tokens": [16, 32]})
    return run_dir
