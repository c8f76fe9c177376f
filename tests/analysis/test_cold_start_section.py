"""The time from a cold start on the page: whose loads are added, and how they are told."""

from pathlib import Path
from typing import Any

import pytest

from analysis.load import SweepRows, read_run
from analysis.sections.cold_start import time_from_cold_start
from analysis.sections.measured_sweep import MeasuredSweep
from analysis.sections.section import Content
from analysis.sections.selection import Selection
from tests.analysis.conftest import Row, cell_rows, write_sweep

RATES = [8.0, 8.1, 7.9, 8.05, 7.95]


def load_rows(seconds: list[float], **columns: Any) -> list[Row]:
    """Rows of loads of the model that `cell_rows` generates with."""
    kept = (
        "host",
        "device",
        "device_class",
        "device_name",
        "cpu_cores",
        "model",
        "device_map",
        "quantization",
        "dtype",
    )
    known = cell_rows([1.0])[0]
    return [
        {name: known[name] for name in kept}
        | {"task_id": f"load {columns}", "cell_id": f"{columns}", "iteration": number, "status": "ok", "round": 0}
        | {"load_time_s": value, "load_rate_per_s": 1 / value, "source": "default", "cache_state": "cold"}
        | columns
        for number, value in enumerate(seconds)
    ]


def run_of(run: Path, loads: list[Row], generations: list[Row]) -> tuple[SweepRows, ...]:
    write_sweep(run, loads, "model_loading", benchmark="model_loading")
    write_sweep(run, generations)
    return read_run(run).sweeps


def content_of(sweeps: tuple[SweepRows, ...], page: tuple[SweepRows, ...] = ()) -> Content:
    (rows,) = (sweep for sweep in sweeps if sweep.benchmark == "generation")
    sweep = MeasuredSweep(rows, "generation", "generation", page or sweeps)
    return time_from_cold_start(sweep, Selection(rows).with_device_map())


def test_the_fastest_and_the_slowest_configuration_are_told_with_source_interval_and_tokens(run_dir: Path) -> None:
    loads = load_rows([5.0, 5.1, 4.9, 5.0, 5.0], source="/mnt/nvme") + load_rows([7.0] * 5, source="/mnt/nfs")
    loads += load_rows([1.0] * 5, source="/mnt/nvme", cache_state="warm")
    loads += load_rows([6.0] * 5, source="/mnt/nfs", cpu_cores=4)
    generations = cell_rows(RATES) + cell_rows([4.0, 4.0, 4.0], cpu_cores=4)
    content = content_of(run_of(run_dir, loads, generations))
    shortest, longest = content.sentences
    assert shortest.startswith(
        "Shortest mean time from a cold start to 16 new tokens: 7.000 s = load 5.000 + generate 2.000 "
        "(n = 5 loads and 5 generations; 95% interval 6.9"
    )
    assert shortest.endswith("), with CPU cores: 2, loaded cold from nvme.")
    assert longest == (
        "Longest mean time from a cold start: 10.00 s = load 6.000 + generate 4.000 (n = 5 loads and 3 generations; "
        "too few to tell an interval), with CPU cores: 4, loaded cold from nfs."
    )
    (table,) = content.tables
    assert [row[4:7] for row in table.rows] == [("/mnt/nvme", "cold", "16"), ("/mnt/nfs", "cold", "16")]


def test_rows_beside_other_work_and_unsteady_cells_are_told(run_dir: Path) -> None:
    loads = load_rows([5.0, 9.0, 5.0, 5.0, 5.0])
    content = content_of(run_of(run_dir, loads, [row | {"neighbours": 1} for row in cell_rows(RATES)]))
    assert (
        "⚠ load: sd 31% of the mean; a row 55% away from the mean; generation: 5 of 5 rows beside 1 other worker"
        in (content.sentences[0])
    )
    assert content.tables[0].rows[0][-1].startswith("⚠ load: sd 31%")


def test_loads_of_the_same_run_count_where_another_run_has_some_too(tmp_path: Path) -> None:
    own = run_of(tmp_path / "own", load_rows([5.0]), cell_rows([8.0]))
    other = run_of(tmp_path / "other", load_rows([1.0]), cell_rows([8.0]))
    assert " 7.000 s = load 5.000 + generate 2.000 " in content_of(own, (*other, *own)).sentences[0]
    without = tuple(sweep for sweep in own if sweep.benchmark == "generation")
    content = content_of(without, (*other, *without))
    assert " 3.000 s = load 1.000 + generate 2.000 " in content.sentences[0]
    assert content.sentences[-1] == "Loads are of another run: other."


@pytest.mark.parametrize("column", ["host", "device_name", "quantization", "model"])
def test_an_unlike_load_is_not_added_and_that_is_said(run_dir: Path, column: str) -> None:
    content = content_of(run_of(run_dir, load_rows([5.0], **{column: "another"}), cell_rows([8.0])))
    assert content.tables == ()
    assert content.sentences[0].startswith("Time from a cold start: no model was both loaded (model_loading) and run")


def unlike(rows: list[Row], **columns: Any) -> list[Row]:
    return [row | columns | {"cell_id": f"{row['cell_id']} {columns}"} for row in rows]


@pytest.mark.parametrize(
    ("column", "levels", "title"),
    [("max_memory", ("7GiB", None), "max memory"), ("revision", ("r1", "r2"), "revision"), ("host", "ab", "host")],
)
def test_cells_that_differ_in_any_factor_are_not_averaged_and_are_named(
    run_dir: Path, column: str, levels: Any, title: str
) -> None:
    loads = [
        row for level, time in zip(levels, (1.0, 30.0), strict=True) for row in load_rows([time], **{column: level})
    ]
    generations = [
        row
        for level, rate in zip(levels, (16.0, 4.0), strict=True)
        for row in unlike(cell_rows([rate]), **{column: level})
    ]
    content = content_of(run_of(run_dir, loads, generations))
    shortest, longest = content.sentences
    assert " 2.000 s = load 1.000 + generate 1.000 " in shortest
    assert f"with {title}: {levels[0]}, loaded" in shortest
    assert " 34.00 s = load 30.00 + generate 4.000 " in longest
    assert title in content.tables[0].headers


def test_cells_that_differ_in_a_factor_without_a_column_are_left_out_and_told(run_dir: Path) -> None:
    generations = cell_rows([8.0]) + [row | {"cell_id": "other", "task_id": "other"} for row in cell_rows([80.0])]
    content = content_of(run_of(run_dir, load_rows([5.0]), generations))
    assert content.tables == ()
    assert content.sentences[1].startswith("2 of 2 rows of generations are of cells that differ in a factor without a")


def test_configurations_without_a_load_or_a_generation_are_told(run_dir: Path) -> None:
    loads = load_rows([5.0]) + load_rows([6.0], cpu_cores=8)
    generations = cell_rows([8.0]) + cell_rows([8.0], cpu_cores=4) + cell_rows([8.0], model="m/other")
    only, lacking = content_of(run_of(run_dir, loads, generations)).sentences
    assert ", with model: tiny-base, CPU cores: 2, loaded" in only
    assert lacking == (
        "Time from a cold start: 1 of 4 configurations have both times; 2 have no cold load and 1 has no generation "
        "with 16 new tokens."
    )
