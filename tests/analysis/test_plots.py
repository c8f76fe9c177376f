"""Which factor goes where, how quantities read, and that figures are whole, labelled and reproducible."""

import itertools
import math
from pathlib import Path
from typing import Any

import pytest

from analysis.averages import Averages, average
from analysis.load import read_run
from analysis.plots import Choice, axis_title, choose, draw, draw_scores, scale_of

RATE = "generation_rate_tokens_per_s"
TOKENS = [16, 32, 64]
MODELS = ["a", "b"]
QUANTIZATIONS = ["none", "4-bit", "8-bit"]
CORES = [1, 2, 4, 8]


def grid(run_dir: Path, write: Any, cell: Any, factors: dict[str, list[Any]], **columns: Any) -> Averages:
    rows = []
    for levels in itertools.product(*factors.values()):
        rows += cell([10.0, 11.0], **dict(zip(factors, levels, strict=True)), **columns)
    write(run_dir, rows, factors=factors)
    return average(read_run(run_dir).sweeps[0])


RULES: list[tuple[dict[str, list[Any]], dict[str, str] | None, Choice]] = [
    ({}, None, Choice(RATE, "model")),
    ({"quantization": QUANTIZATIONS}, None, Choice(RATE, "quantization")),
    ({"max_new_tokens": TOKENS}, None, Choice(RATE, "max_new_tokens")),
    (
        {"max_new_tokens": TOKENS, "quantization": QUANTIZATIONS},
        None,
        Choice(RATE, "max_new_tokens", None, ("quantization",)),
    ),
    (
        {"model": MODELS, "max_new_tokens": TOKENS, "quantization": QUANTIZATIONS},
        None,
        Choice(RATE, "max_new_tokens", "model", ("quantization",)),
    ),
    (
        {"max_new_tokens": TOKENS, "cpu_cores": CORES},
        None,
        Choice(RATE, "cpu_cores", None, ("max_new_tokens",)),
    ),
    (
        {"model": MODELS, "max_new_tokens": TOKENS, "quantization": QUANTIZATIONS, "cpu_cores": [1, 2]},
        None,
        Choice(RATE, "max_new_tokens", "model", ("quantization", "cpu_cores")),
    ),
    (
        {"model": MODELS, "max_new_tokens": TOKENS, "quantization": QUANTIZATIONS, "cpu_cores": CORES},
        None,
        Choice(RATE, "cpu_cores", "quantization", ("max_new_tokens", "model")),
    ),
    (
        {"model": list("abc"), "max_new_tokens": TOKENS, "quantization": QUANTIZATIONS, "cpu_cores": CORES},
        None,
        Choice(RATE, "cpu_cores", "max_new_tokens", ("model",), split=("quantization",)),
    ),
    (
        {"model": MODELS, "max_new_tokens": TOKENS, "quantization": QUANTIZATIONS},
        {"y": "ttft_s", "x": "max_new_tokens", "panel": "quantization", "series": "model"},
        Choice("ttft_s", "max_new_tokens", "quantization", ("model",)),
    ),
    (
        {"max_new_tokens": TOKENS, "quantization": QUANTIZATIONS},
        {"y": RATE, "x": "max_new_tokens", "panel": "model", "series": "quantization"},
        Choice(RATE, "max_new_tokens", None, ("quantization",)),
    ),
    (
        {"max_new_tokens": TOKENS},
        {"y": "tpot_s", "x": "colour"},
        Choice(
            RATE,
            "max_new_tokens",
            notes=(
                "figure.y = 'tpot_s' has no values to show here; chosen by rule instead.",
                "figure.x = 'colour' has no values to show here; chosen by rule instead.",
            ),
        ),
    ),
]


@pytest.mark.parametrize(("factors", "wanted", "expected"), RULES)
def test_choice_of_figure(run_dir: Path, write: Any, cell: Any, factors: Any, wanted: Any, expected: Choice) -> None:
    assert choose(grid(run_dir, write, cell, factors), wanted) == expected


@pytest.mark.parametrize(("factors", "wanted", "expected"), RULES)
def test_every_cell_is_one_point_of_some_figure(
    run_dir: Path, write: Any, cell: Any, factors: Any, wanted: Any, expected: Choice
) -> None:
    averages = grid(run_dir, write, cell, factors)
    shown = {expected.x, expected.panel, *expected.series, *expected.split}
    cells = averages.cells[averages.cells["metric"] == expected.y]
    assert set(averages.factors) <= shown
    assert len(cells) == math.prod(map(len, factors.values()))


def test_nothing_measured_means_no_figure(run_dir: Path, write: Any, row: Any) -> None:
    write(run_dir, [row(status="unsupported", started_at=None)])
    assert choose(average(read_run(run_dir).sweeps[0]), None) is None


def test_more_figures_than_anybody_reads_are_cut_and_told(run_dir: Path, write: Any, cell: Any) -> None:
    levels = [f"model {number:02}" for number in range(30)]
    factors = {"model": levels, "decoding_strategy": levels, "quantization": levels}
    rows = [
        row for number in range(30) for row in cell([1.0], **{name: values[number] for name, values in factors.items()})
    ]
    rows += cell([1.0], model=levels[0], decoding_strategy=levels[1], quantization=levels[2], dtype="half")
    write(run_dir, rows)
    averages = average(read_run(run_dir).sweeps[0])
    choice = choose(averages, {"x": "dtype"})
    assert choice is not None
    assert choice.notes == ("24 of 30 figures are drawn; the tables hold all cells.",)


def test_one_figure_per_combination_that_is_left(run_dir: Path, write: Any, cell: Any) -> None:
    factors = {"max_new_tokens": [16, 32], "model": list("abcd"), "quantization": list("abc"), "dtype": list("abc")}
    averages = grid(run_dir, write, cell, factors)
    choice = choose(averages, None)
    assert choice is not None
    drawings = draw(averages, choice, "s")
    assert [drawing.name for drawing in drawings] == [f"s-{RATE}-{number}" for number in (1, 2, 3)]
    assert drawings[1].caption.endswith("For dtype: b.")


def test_figures_are_reproducible_and_whole(run_dir: Path, write: Any, cell: Any) -> None:
    averages = grid(run_dir, write, cell, {"max_new_tokens": TOKENS, "model": ["x/a", "y/b"]})
    choice = choose(averages, None)
    assert choice is not None
    (first,), (second,) = draw(averages, choice, "s"), draw(averages, choice, "s")
    assert first == second
    assert first.png.startswith(b"\x89PNG")
    assert b"</svg>" in first.svg
    assert first.caption == "Mean generation rate of n = 2 rows a cell; bars: 95% confidence interval (Student t)."


def test_levels_that_are_null_or_alone_can_be_drawn(run_dir: Path, write: Any, cell: Any) -> None:
    rows = cell([1.0], quantization=None, cpu_cores=None) + cell([200.0], quantization="4-bit")
    write(run_dir, rows)
    averages = average(read_run(run_dir).sweeps[0])
    choice = choose(averages, None)
    assert choice is not None
    (drawing,) = draw(averages, choice, "s")
    assert drawing.caption == (
        "Mean generation rate of n = 1 rows a cell; one row a cell, so no interval; logarithmic axis."
    )


def test_histogram_of_scores(run_dir: Path, write: Any, row: Any) -> None:
    rows = [
        row(i, benchmark="binoculars", author=author, score=score, record_id=str(i))
        for author, scores in {"human": [1.0, 0.9], "synthetic": [0.7, 0.8]}.items()
        for i, score in enumerate(scores)
    ]
    write(run_dir, rows, "pairs", benchmark="binoculars")
    (sweep,) = read_run(run_dir).sweeps
    (drawing,) = draw_scores(sweep, average(sweep))
    assert drawing.caption == "Scores of 4 fragments by author."


@pytest.mark.parametrize(
    ("column", "values", "divisor", "title"),
    [
        ("inference_time_s", [2.0, 3.0], 1, "inference time (s)"),
        ("ttft_s", [0.02, 0.5], 1e-3, "TTFT (ms)"),
        ("tpot_s", [2e-5], 1e-6, "TPOT (µs)"),
        ("peak_rss_bytes", [3 * 2**30], 2**30, "peak RSS (host) (GiB)"),
        ("peak_allocated_bytes", [5 * 2**20], 2**20, "peak allocated (MiB)"),
        ("load_rate_bytes_per_s", [2.5e9], 1e9, "load rate by size (GB/s)"),
        ("load_rate_per_s", [0.1], 1, "load rate (1/s)"),
        (RATE, [float("nan"), 40.0], 1, "generation rate (tokens/s)"),
        ("max_new_tokens", [16], 1, "max new tokens"),
        ("ttft_s", [], 1, "TTFT (s)"),
        ("ttft_s", [0.0], 1, "TTFT (s)"),
    ],
)
def test_units_come_from_the_column_name(column: str, values: list[float], divisor: float, title: str) -> None:
    scale = scale_of(column, values)
    assert scale.divisor == divisor
    assert axis_title(column, scale) == title
