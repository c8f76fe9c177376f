"""Figures are whole, labelled and reproducible."""

from pathlib import Path
from typing import Any

import pytest

from analysis import plots
from analysis.canvas import panels
from analysis.cell_averages import average
from analysis.figure_spec import choose_figure
from analysis.histograms import draw_scores
from analysis.load import read_run
from analysis.plots import draw
from analysis.x_axis import is_geometric

RATE = "generation_rate_tokens_per_s"


@pytest.mark.slow
def test_one_figure_per_combination_that_is_left(grid: Any) -> None:
    factors = {"max_new_tokens": [16, 32], "model": list("abcd"), "quantization": list("abc"), "dtype": list("abc")}
    averages = grid(factors)
    figure_spec = choose_figure(averages, None)
    assert figure_spec is not None
    drawings = draw(averages, figure_spec, "s")
    assert [drawing.name for drawing in drawings] == [f"s-{RATE}-{number}" for number in (1, 2, 3)]
    assert drawings[1].caption.endswith("For dtype: b.")


def test_figures_are_reproducible_and_whole(grid: Any) -> None:
    averages = grid({"max_new_tokens": [16, 32, 64], "model": ["x/a", "y/b"]})
    figure_spec = choose_figure(averages, None)
    assert figure_spec is not None
    (first,), (second,) = draw(averages, figure_spec, "s"), draw(averages, figure_spec, "s")
    assert first == second
    assert first.png.startswith(b"\x89PNG")
    assert b"</svg>" in first.svg
    assert first.caption == (
        "Mean generation rate of n = 2 rows per cell. Fewer than 5 rows a cell: too few to tell an interval."
    )


def test_levels_that_are_null_or_alone_can_be_drawn(run_dir: Path, write: Any, cell: Any) -> None:
    rows = cell([1.0], quantization=None, cpu_cores=None) + cell([200.0], quantization="4-bit")
    write(run_dir, rows)
    averages = average(read_run(run_dir).sweeps[0])
    figure_spec = choose_figure(averages, None)
    assert figure_spec is not None
    (drawing,) = draw(averages, figure_spec, "s")
    assert drawing.caption == (
        "Mean generation rate of n = 1 rows per cell; logarithmic axis. "
        "Fewer than 5 rows a cell: too few to tell an interval."
    )


def drawn(run_dir: Path, monkeypatch: pytest.MonkeyPatch, y: str) -> tuple[Any, str]:
    """The panel of a run's figure, and its caption."""
    seen: list[tuple[Any, str]] = []
    monkeypatch.setattr(plots, "finish", lambda figure, name, caption: seen.append((figure, caption)))
    averages = average(read_run(run_dir).sweeps[0])
    figure_spec = choose_figure(averages, {"y": y})
    assert figure_spec is not None
    draw(averages, figure_spec, "s", read_run(run_dir).sweeps[0].ok)
    ((figure, caption),) = seen
    (axis,) = figure.axes
    return axis, caption


def test_points_and_bars_are_means_and_intervals_in_the_unit_of_the_axis(
    run_dir: Path, write: Any, cell: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(run_dir, [row for tokens in (1, 2) for row in cell([1e3, 2e3, 3e3, 4e3, 5e3], max_new_tokens=tokens)])
    cells = average(read_run(run_dir).sweeps[0]).cells
    cells = cells[cells["metric"] == "ttft_s"]
    axis, _ = drawn(run_dir, monkeypatch, "ttft_s")
    assert axis.get_ylabel() == "TTFT (µs)"
    points, _, (bars,) = axis.containers[0].lines
    assert list(points.get_ydata()) == pytest.approx(list(1e6 * cells["mean"]))
    assert [list(bar[:, 1]) for bar in bars.get_segments()] == [
        pytest.approx([1e6 * low, 1e6 * high]) for low, high in zip(cells["ci95_low"], cells["ci95_high"], strict=True)
    ]
    low, high = axis.get_ylim()
    assert low == 0
    assert high > 1e6 * cells["ci95_high"].max()


def test_a_cell_of_few_rows_has_points_and_no_bar_and_the_caption_tells_the_numbers_of_rows(
    run_dir: Path, write: Any, cell: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(run_dir, cell([5.0, 6.0, 6.5, 7.0]) + cell([5.0, 6.0, 7.0, 8.0, 9.0], max_new_tokens=32))
    axis, caption = drawn(run_dir, monkeypatch, RATE)
    _, _, (bars,) = axis.containers[0].lines
    assert [len(bar) for bar in bars.get_segments()] == [0, 2], "ends that can be drawn"
    (points,) = (line for line in axis.lines if line.get_alpha())
    assert sorted(points.get_ydata()) == [5.0, 5.0, 6.0, 6.0, 6.5, 7.0, 7.0, 8.0, 9.0]
    assert caption == (
        "Mean generation rate of n = 4 to 5 rows per cell. Points: single rows. "
        "Bars: 95% confidence interval (Student t). Cells of fewer rows: too few to tell an interval. "
        "Hollow marks: unsteady, or measured beside other work; the table of all cells says why."
    )


def test_of_many_rows_an_even_sample_is_drawn_and_the_caption_says_so(
    run_dir: Path, write: Any, cell: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plots, "MAX_POINTS_DRAWN", 4)
    write(run_dir, cell([float(value) for value in range(1, 11)]))
    axis, caption = drawn(run_dir, monkeypatch, RATE)
    (points,) = (line for line in axis.lines if line.get_alpha())
    assert len(points.get_ydata()) == 4
    assert "Points: one in 3 of 10 rows." in caption


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
    assert is_geometric(levels) == expected


def test_panels_of_many_series_are_higher() -> None:
    few, many = (panels(2, ["greedy"] * count)[0].get_size_inches() for count in (5, 6))
    assert many[1] > few[1]
    assert many[0] == few[0]
