"""Figures are whole, labelled and reproducible."""

from pathlib import Path
from typing import Any

import pytest

from analysis import plots
from analysis.averages import average
from analysis.choice import choose
from analysis.histograms import draw_scores
from analysis.load import read_run
from analysis.plots import draw

RATE = "generation_rate_tokens_per_s"


@pytest.mark.slow
def test_one_figure_per_combination_that_is_left(grid: Any) -> None:
    factors = {"max_new_tokens": [16, 32], "model": list("abcd"), "quantization": list("abc"), "dtype": list("abc")}
    averages = grid(factors)
    choice = choose(averages, None)
    assert choice is not None
    drawings = draw(averages, choice, "s")
    assert [drawing.name for drawing in drawings] == [f"s-{RATE}-{number}" for number in (1, 2, 3)]
    assert drawings[1].caption.endswith("For dtype: b.")


def test_figures_are_reproducible_and_whole(grid: Any) -> None:
    averages = grid({"max_new_tokens": [16, 32, 64], "model": ["x/a", "y/b"]})
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
    (drawing,) = draw_scores(sweep, average(sweep), "pairs")
    assert drawing.caption == "Scores of 4 fragments by author."


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ([1, 2, 4, 8, 16], True),
        ([1, 4], True),
        ([10, 20, 40, 80, 160, 320, 640, 1280], True),
        ([50, 100, 200, 300, 400, 1000], False),
        ([1, 2, 3], False),
        ([0, 1, 8, 64], False),
    ],
)
def test_levels_that_grow_by_leaps_get_a_logarithmic_axis(levels: list[float], expected: bool) -> None:
    assert plots._is_geometric(levels) == expected
