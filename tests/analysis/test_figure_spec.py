"""Places of the factors in a figure: the rule, the spec's wishes, and a point for every cell."""

import math
from pathlib import Path
from typing import Any

import pytest

from analysis import plots
from analysis.cell_averages import average
from analysis.figure_spec import FigureSpec, choose_figure, shown_cells
from analysis.load import read_run

RATE = "generation_rate_tokens_per_s"
TOKENS = [16, 32, 64]
MODELS = ["a", "b"]
QUANTIZATIONS = ["none", "4-bit", "8-bit"]
CORES = [1, 2, 4, 8]

RULES: list[tuple[dict[str, list[Any]], dict[str, str] | None, FigureSpec]] = [
    ({}, None, FigureSpec(RATE, "model")),
    ({"quantization": QUANTIZATIONS}, None, FigureSpec(RATE, "quantization")),
    ({"max_new_tokens": TOKENS}, None, FigureSpec(RATE, "max_new_tokens")),
    (
        {"max_new_tokens": TOKENS, "quantization": QUANTIZATIONS},
        None,
        FigureSpec(RATE, "max_new_tokens", None, ("quantization",)),
    ),
    (
        {"model": MODELS, "max_new_tokens": TOKENS, "quantization": QUANTIZATIONS},
        None,
        FigureSpec(RATE, "max_new_tokens", "model", ("quantization",)),
    ),
    (
        {"max_new_tokens": TOKENS, "cpu_cores": CORES},
        None,
        FigureSpec(RATE, "cpu_cores", None, ("max_new_tokens",)),
    ),
    (
        {"model": MODELS, "max_new_tokens": TOKENS, "quantization": QUANTIZATIONS, "cpu_cores": [1, 2]},
        None,
        FigureSpec(RATE, "max_new_tokens", "model", ("quantization", "cpu_cores")),
    ),
    (
        {"model": MODELS, "max_new_tokens": TOKENS, "quantization": QUANTIZATIONS, "cpu_cores": CORES},
        None,
        FigureSpec(RATE, "cpu_cores", "quantization", ("max_new_tokens", "model")),
    ),
    (
        {"model": list("abc"), "max_new_tokens": TOKENS, "quantization": QUANTIZATIONS, "cpu_cores": CORES},
        None,
        FigureSpec(RATE, "cpu_cores", "max_new_tokens", ("model",), split=("quantization",)),
    ),
    (
        {"model": MODELS, "max_new_tokens": TOKENS, "quantization": QUANTIZATIONS},
        {"y": "ttft_s", "x": "max_new_tokens", "panel": "quantization", "series": "model"},
        FigureSpec("ttft_s", "max_new_tokens", "quantization", ("model",)),
    ),
    (
        {"max_new_tokens": TOKENS, "quantization": QUANTIZATIONS},
        {"y": RATE, "x": "max_new_tokens", "panel": "model", "series": "quantization"},
        FigureSpec(RATE, "max_new_tokens", None, ("quantization",)),
    ),
    (
        {"max_new_tokens": TOKENS},
        {"y": "tpot_s", "x": "colour"},
        FigureSpec(
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
def test_places_by_the_rule_and_by_the_specs_wishes(grid: Any, factors: Any, wanted: Any, expected: FigureSpec) -> None:
    assert choose_figure(grid(factors), wanted) == expected


@pytest.mark.parametrize(("factors", "wanted", "expected"), RULES)
def test_every_cell_is_one_point_of_some_figure(
    grid: Any, factors: Any, wanted: Any, expected: FigureSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    averages = grid(factors)
    figure_spec = choose_figure(averages, wanted)
    assert figure_spec is not None
    figures: list[Any] = []
    monkeypatch.setattr(plots, "finish", lambda figure, name, caption: figures.append(figure))
    plots.draw(averages, figure_spec, "s")
    points = [
        (number, axis.get_title(), series, x)
        for number, figure in enumerate(figures)
        for axis in figure.axes
        for series, bars in enumerate(axis.containers)
        for x in bars.lines[0].get_xdata()
    ]
    cells = math.prod(map(len, factors.values()))
    assert (len(points), len(set(points))) == (cells, cells)
    assert len(figures) == math.prod(len(averages.levels[name]) for name in figure_spec.split)


def test_nothing_measured_means_no_figure(run_dir: Path, write: Any, row: Any) -> None:
    write(run_dir, [row(status="unsupported", started_at=None)])
    assert choose_figure(average(read_run(run_dir).sweeps[0]), None) is None


def test_more_figures_than_anybody_reads_are_cut_and_told(run_dir: Path, write: Any, cell: Any) -> None:
    levels = [f"model {number:02}" for number in range(30)]
    factors = {"model": levels, "decoding_strategy": levels, "quantization": levels}
    rows = [
        row for number in range(30) for row in cell([1.0], **{name: values[number] for name, values in factors.items()})
    ]
    rows += cell([1.0], model=levels[0], decoding_strategy=levels[1], quantization=levels[2], dtype="half")
    write(run_dir, rows)
    averages = average(read_run(run_dir).sweeps[0])
    figure_spec = choose_figure(averages, {"x": "dtype"})
    assert figure_spec is not None
    assert figure_spec.notes == ("12 of 30 figures are drawn; the tables hold all cells.",)


@pytest.mark.parametrize(
    ("factors", "x", "series", "notes"),
    [
        ({"model": 60, "max_new_tokens": 4}, "model", ("max_new_tokens",), ()),
        ({"model": 61, "max_new_tokens": 4}, "model", ("max_new_tokens",), ("60 of 61 names on the x axis",)),
        ({"model": 20, "max_new_tokens": 15}, "max_new_tokens", ("model",), ("14 of 20 series",)),
        ({"max_new_tokens": 501}, "max_new_tokens", (), ("500 of 501 points on the x axis",)),
    ],
)
def test_more_than_a_figure_can_show_is_cut_and_told(grid: Any, factors: Any, x: str, series: Any, notes: Any) -> None:
    levels = {"model": "m{:03}", "max_new_tokens": ""}
    averages = grid({name: [levels[name].format(i) or i + 1 for i in range(count)] for name, count in factors.items()})
    figure_spec = choose_figure(averages, None)
    assert figure_spec is not None
    assert (figure_spec.x, figure_spec.series) == (x, series)
    assert figure_spec.notes == tuple(f"{note} are drawn; the tables hold all cells." for note in notes)


def test_what_is_cut_are_the_last_levels_in_the_specs_order(grid: Any) -> None:
    models = [f"m{number:02}" for number in range(20)][::-1]
    averages = grid({"model": models, "max_new_tokens": list(range(1, 16)), "dtype": list("abcdefghijklm")})
    figure_spec = choose_figure(averages, None)
    assert figure_spec is not None
    cells, _ = shown_cells(averages, figure_spec)
    assert set(cells["model"]) == set(models[:14])
    assert set(cells["dtype"]) == set("abcdefghijkl")
    assert figure_spec.notes == (
        "12 of 13 panels are drawn; the tables hold all cells.",
        "14 of 20 series are drawn; the tables hold all cells.",
    )
