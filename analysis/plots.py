"""Draw averages as figures: mean and 95% interval of each cell, and its single rows as points.

A cell of fewer than FEWEST rows has no interval: its points say more. Knows how cells become marks, axes and captions.
Does not know the choice of the factors' places (figure_spec.py), the x axis (x_axis.py), titles and labels
(column_titles.py, level_labels.py), the parts that all figures share (canvas.py), or files.
"""

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.ticker import NullFormatter, StrMethodFormatter

from analysis.canvas import MAX_LEGEND, MAX_TITLE, PALETTE, STYLES, Drawing, finish, label_outer, legend, panels, rules
from analysis.cell_averages import Averages
from analysis.cell_factors import grouped
from analysis.cell_statistics import FEWEST
from analysis.column_titles import Scale, axis_title, scale_of, title_of
from analysis.figure_spec import FigureSpec, shown_cells
from analysis.level_labels import LevelLabels, unique_names
from analysis.marks import reasons_of
from analysis.x_axis import XAxis
from sweeps.printable import middle_out

_MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X", "*")
_LOG_Y_RATIO: Final = 50
"""Ratio of largest to smallest mean above which the y axis is logarithmic."""
MAX_POINTS_DRAWN: Final = 2_000
"""Single rows of a figure that are drawn as points. Of more rows an even sample is drawn, and the caption says so."""


@rules()
def draw(
    averages: Averages, figure_spec: FigureSpec, file_name: str, rows: pd.DataFrame | None = None
) -> list[Drawing]:
    """Draw the figures of a FigureSpec: one, or one per combination of the levels of its `split` factors.

    Args:
        averages: of the sweep.
        figure_spec: columns by their places.
        file_name: begins the names of the figures.
        rows: ok rows that the averages are of, to be shown as points; None: no points.
    """
    cells, _ = shown_cells(averages, figure_spec)
    cells = cells[np.isfinite(cells["mean"])]
    points = _points(cells, averages, figure_spec, rows)
    scale = scale_of(figure_spec.y, cells["mean"])
    labels = LevelLabels(averages.levels)
    drawings = []
    groups = sorted(grouped(cells, figure_spec.split), key=lambda group: labels.order(figure_spec.split, group[0]))
    for number, (key, part) in enumerate(groups, start=1):
        where = labels.named(figure_spec.split, key, ", ")
        own = _alike(points, part, averages.factors)
        figure = _draw_panels(part, own, averages, figure_spec, scale, labels)
        if where:
            figure.suptitle(middle_out(where, 2 * MAX_LEGEND), fontsize=11)
        name = f"{file_name}-{figure_spec.y}" + (f"-{number}" if where else "")
        drawings.append(finish(figure, name, _caption(part, own, figure_spec.y, where)))
    return drawings


def _points(
    cells: pd.DataFrame, averages: Averages, figure_spec: FigureSpec, rows: pd.DataFrame | None
) -> pd.DataFrame:
    """Return the rows to draw as points: factors and `figure_spec.y`; none for cells of one row each."""
    names = [*averages.factors, figure_spec.y]
    if rows is None or cells.empty or cells["n"].max() == 1:
        return pd.DataFrame(columns=names)
    known = rows.loc[rows[figure_spec.y].notna(), names]
    return _alike(known, cells, averages.factors)


def _alike(rows: pd.DataFrame, cells: pd.DataFrame, factors: Sequence[str]) -> pd.DataFrame:
    """Return the rows whose factors are those of one of the cells. Null equals null."""
    if not factors or rows.empty:
        return rows
    key = list(factors)
    return rows.merge(cells[key].drop_duplicates(), on=key, how="inner")


def _draw_panels(
    cells: pd.DataFrame,
    points: pd.DataFrame,
    averages: Averages,
    figure_spec: FigureSpec,
    scale: Scale,
    labels: LevelLabels,
) -> Any:
    """Return the matplotlib figure of some cells and their rows, a panel per level of the panel factor."""
    points = points.iloc[:: math.ceil(len(points) / MAX_POINTS_DRAWN) or 1]
    keys = [key for key, _ in grouped(cells, figure_spec.series)]
    keys.sort(key=lambda key: labels.order(figure_spec.series, key))
    names = unique_names([middle_out(labels.joined(figure_spec.series, key), MAX_LEGEND) for key in keys])
    panel = (figure_spec.panel,) if figure_spec.panel else ()
    parts = sorted(grouped(cells, panel), key=lambda part: labels.order(panel, part[0]))
    axis_of_x = XAxis.of(cells, averages, figure_spec.x, labels)
    figure, axes = panels(len(parts), names if figure_spec.series else (), axis_of_x.names)
    handles: list[Any] = []
    for axis, (key, part) in zip(axes, parts, strict=True):
        axis.set_title(middle_out(labels.named(panel, key, ""), MAX_TITLE), fontsize=10)
        of_series = dict(grouped(part, figure_spec.series))
        handles = [
            _draw_series(axis, of_series.get(levels, part.head(0)), axis_of_x, scale, (number, len(keys)))
            for number, levels in enumerate(keys)
        ]
        for levels, own in grouped(_alike(points, part, averages.factors), figure_spec.series):
            _draw_points(axis, own, figure_spec.y, axis_of_x, scale, (keys.index(levels), len(keys)))
        axis_of_x.set(axis)
    _set_y_axis(axes, cells, scale)
    label_outer(figure, axes, title_of(figure_spec.x), axis_title(figure_spec.y, scale))
    if figure_spec.series:
        legend(figure, handles, names, " · ".join(map(title_of, figure_spec.series)))
    return figure


def _draw_series(axis: Any, rows: pd.DataFrame, along: XAxis, scale: Scale, series: tuple[int, int]) -> Any:
    """Draw means with their intervals, joined by a line where x is a quantity. Return the marks, for the legend.

    Args:
        axis: the panel.
        rows: cells of the series in this panel; an interval that is null, infinite or of too few rows gets no bar.
        along: the x axis.
        scale: unit of the y axis.
        series: number of the series, and number of all series.
    """
    number = series[0]
    lengths: Any = np.array([rows["mean"] - rows["ci95_low"], rows["ci95_high"] - rows["mean"]]) / scale.divisor
    is_shown = np.isfinite(lengths).all(axis=0) & (rows["n"] >= FEWEST).to_numpy(bool)
    x, y = along.places(rows, _aside(series)), rows["mean"].to_numpy() / scale.divisor
    doubted = rows.apply(reasons_of, axis=1).astype(bool).to_numpy() if len(rows) else np.array([], bool)
    marker = _MARKERS[number % len(_MARKERS)]
    if doubted.any():
        axis.plot(x[doubted], y[doubted], marker=marker, markersize=2.4, color="#ffffff", linestyle="none", zorder=3)
    return axis.errorbar(
        x,
        y,
        yerr=np.where(is_shown, lengths, np.nan) if is_shown.any() else None,
        color=PALETTE[number % len(PALETTE)],
        marker=marker,
        linestyle="none" if along.names else STYLES[number // len(PALETTE) % len(STYLES)],
        markersize=5,
        linewidth=1.6,
        capsize=3.5,
    )


def _draw_points(axis: Any, rows: pd.DataFrame, y: str, along: XAxis, scale: Scale, series: tuple[int, int]) -> None:
    """Draw the single rows of a series as small points behind the means."""
    axis.plot(
        along.places(rows, _aside(series)),
        rows[y].to_numpy("float64") / scale.divisor,
        color=PALETTE[series[0] % len(PALETTE)],
        marker="o",
        linestyle="none",
        markersize=2.6,
        markeredgewidth=0,
        alpha=0.55,
        zorder=1.5,
    )


def _aside(series: tuple[int, int]) -> float:
    """Return how far a series stands beside the middle of its name on the x axis."""
    number, count = series
    return (number - (count - 1) / 2) * min(0.12, 0.7 / count)


def _set_y_axis(axes: Sequence[Any], cells: pd.DataFrame, scale: Scale) -> None:
    """Start the y axis at zero, so that heights compare; make it logarithmic where small means would look like zero."""
    if _is_log(cells):
        axes[0].set_yscale("log")
        axes[0].yaxis.set_major_formatter(StrMethodFormatter("{x:,.10g}"))
        axes[0].yaxis.set_minor_formatter(NullFormatter())
    elif cells["mean"].min() >= 0:
        tops = [cells["mean"], cells["max"], cells.loc[cells["n"] >= FEWEST, "ci95_high"]]
        bounds = pd.concat(tops).to_numpy("float64")
        top = float(np.max(bounds, where=np.isfinite(bounds), initial=0)) / scale.divisor
        axes[0].set_ylim(0, 1.08 * top or 1)
        axes[0].yaxis.set_major_formatter(StrMethodFormatter("{x:,.10g}"))


def _is_log(cells: pd.DataFrame) -> bool:
    """Tell whether the y axis is logarithmic."""
    return bool(cells["mean"].min() > 0 and cells["mean"].max() > _LOG_Y_RATIO * cells["mean"].min())


def _caption(cells: pd.DataFrame, points: pd.DataFrame, y: str, where: str) -> str:
    """Return the caption: metric, number of rows per cell, meaning of bars and points, scale, levels of the split."""
    n = sorted(cells["n"].unique())
    count = f"n = {n[0]}" if len(n) == 1 else f"n = {n[0]} to {n[-1]}"
    said = [f"Mean {title_of(y)} of {count} rows per cell{'; logarithmic axis' if _is_log(cells) else ''}."]
    unit, alone = ("records", sorted(cells["records"].unique())) if "records" in cells else ("rows", n)
    if len(points) > MAX_POINTS_DRAWN:
        step = math.ceil(len(points) / MAX_POINTS_DRAWN)
        said.append(f"Points: one in {step} of {len(points):,} rows.")
    elif len(points):
        said.append("Points: single rows.")
    if alone[-1] >= FEWEST:
        said.append(f"Bars: 95% confidence interval (Student t{', by record' if unit == 'records' else ''}).")
    if alone[0] < FEWEST:
        cells_of = f"Cells of fewer {unit}" if alone[-1] >= FEWEST else f"Fewer than {FEWEST} {unit} a cell"
        said.append(f"{cells_of}: too few to tell an interval.")
    if cells.apply(reasons_of, axis=1).astype(bool).any():
        said.append("Hollow marks: unsteady, or measured beside other work; the table of all cells says why.")
    return " ".join([*said, *([f"For {where}."] if where else [])])
