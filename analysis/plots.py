"""Averages and a choice in, figures out: mean and 95% interval per cell; scores as histograms.

Knows how cells become marks, axes and captions. Does not know which factor goes where (choice.py), how columns
read (columns.py), what all figures share (canvas.py), or files.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter

from analysis.averages import Averages, grouped
from analysis.canvas import PALETTE, STYLES, Drawing, finish, label_outer, legend, panels
from analysis.choice import MAX_FIGURES, Choice, is_numeric
from analysis.columns import Scale, axis_title, scale_of, short_names, title_of
from analysis.load import Sweep

_MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X", "*")
_LOG_Y_RATIO: Final = 50
_LEVEL_TICKS: Final = 10


def draw(averages: Averages, choice: Choice, sweep_name: str) -> list[Drawing]:
    """Error-bar figures of one choice: one, or one per combination of the levels of `split`."""
    cells = averages.cells[averages.cells["metric"] == choice.y]
    scale = scale_of(choice.y, cells["mean"])
    drawings = []
    for number, (key, part) in enumerate(grouped(cells, choice.split)[:MAX_FIGURES], start=1):
        where = _named(averages, choice.split, key, ", ")
        figure = _draw_panels(part, averages, choice, scale)
        if where:
            figure.suptitle(where, fontsize=11)
        name = f"{sweep_name}-{choice.y}" + (f"-{number}" if where else "")
        drawings.append(finish(figure, name, _caption(part, choice.y, where)))
    return drawings


def draw_scores(sweep: Sweep, averages: Averages) -> list[Drawing]:
    """Histogram of the Binoculars score by author, a panel per cell without its author."""
    scored = sweep.ok[sweep.ok["score"].notna()]
    factors = [name for name in averages.factors if name != "author"]
    every = grouped(scored, factors)
    groups = every[:MAX_FIGURES]
    if not groups:
        return []
    figure, axes = panels(len(groups), 1)
    bins = np.histogram_bin_edges(scored["score"], bins=min(60, max(10, int(math.sqrt(len(scored))))))
    authors = sorted(scored["author"].dropna().unique())
    for axis, (key, group) in zip(axes, groups, strict=True):
        axis.set_title(_named(averages, factors, key, "\n"), fontsize=10)
        for index, author in enumerate(authors):
            score = group.loc[group["author"] == author, "score"]
            color, style = PALETTE[index % len(PALETTE)], STYLES[index % len(STYLES)]
            axis.hist(score, bins=bins, histtype="stepfilled", alpha=0.25, color=color)
            axis.hist(score, bins=bins, histtype="step", linewidth=1.6, label=author, color=color, ls=style)
    label_outer(figure, axes, "Binoculars score", "fragments")
    legend(figure, axes, "author")
    caption = f"Scores of {sum(len(group) for _, group in groups):,} fragments by author."
    if len(every) > len(groups):
        caption += f" {len(groups)} of {len(every)} panels are drawn; the tables hold all cells."
    return [finish(figure, f"{sweep.name}-score", caption)]


def _draw_panels(cells: pd.DataFrame, averages: Averages, choice: Choice, scale: Scale) -> Any:
    series = _series_of(cells, averages, choice.series)
    panel = (choice.panel,) if choice.panel else ()
    parts = grouped(cells, panel)
    parts.sort(key=lambda part: [_index(averages, name, level) for name, level in zip(panel, part[0], strict=True)])
    figure, axes = panels(len(parts), len(series))
    for axis, (key, part) in zip(axes, parts, strict=True):
        axis.set_title(_named(averages, panel, key, ""), fontsize=10)
        for number, (levels, label) in enumerate(series.items()):
            aside = (number - (len(series) - 1) / 2) * min(0.12, 0.7 / len(series))
            rows = part[_has(part, choice.series, levels)]
            _draw_series(axis, rows, _places(rows, averages, choice.x, aside), scale, (number, label))
        _set_x_axis(axis, averages, choice.x)
    _set_y_axis(axes, cells, scale)
    label_outer(figure, axes, title_of(choice.x), axis_title(choice.y, scale))
    if choice.series:
        legend(figure, axes, " · ".join(map(title_of, choice.series)))
    return figure


def _draw_series(axis: Any, rows: pd.DataFrame, x: Any, scale: Scale, series: tuple[int, str]) -> None:
    """Means with their intervals, joined by a line; names on the x axis are not in order, see `_set_x_axis`."""
    number, label = series
    axis.errorbar(
        x,
        rows["mean"].to_numpy() / scale.divisor,
        yerr=(rows["ci95_high"] - rows["ci95_low"]).to_numpy() / 2 / scale.divisor,
        label=label,
        color=PALETTE[number % len(PALETTE)],
        marker=_MARKERS[number % len(_MARKERS)],
        linestyle=STYLES[number // len(PALETTE) % len(STYLES)],
        markersize=5,
        linewidth=1.6,
        capsize=3.5,
    )


def _places(rows: pd.DataFrame, averages: Averages, name: str, aside: float) -> Any:
    """Positions on the x axis: the quantity itself; for names their index, series side by side."""
    levels = averages.levels.get(name)
    if levels is None:
        return np.full(len(rows), aside)
    if is_numeric(levels):
        return rows[name].astype("float64").to_numpy()
    return np.array([_index(averages, name, level) + aside for level in rows[name]])


def _set_x_axis(axis: Any, averages: Averages, name: str) -> None:
    levels = averages.levels.get(name, [averages.constants.get(name, "")])
    if name not in averages.levels or not is_numeric(levels):
        _set_names(axis, short_names(levels))
        return
    if _is_geometric(levels):
        axis.set_xscale("log", base=2)
    if len(levels) <= _LEVEL_TICKS:
        axis.xaxis.set_major_locator(FixedLocator(levels))
        axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))


def _is_geometric(levels: Sequence[float]) -> bool:
    """Powers of two, or levels that grow by leaps: on a linear axis the small ones would lie on top of each other."""
    if min(levels) <= 0:
        return False
    rising = sorted(levels)
    leaps = all(above >= 1.5 * below for below, above in pairwise(rising))
    return all(math.log2(level).is_integer() for level in rising) or (leaps and rising[-1] >= 8 * rising[0])


def _set_names(axis: Any, names: list[str]) -> None:
    """Names have no order, so no line may join them."""
    for line in axis.get_lines():
        line.set_linestyle("none")
    axis.set_xticks(range(len(names)), names)
    axis.set_xlim(-0.6, len(names) - 0.4)
    if sum(map(len, names)) > 30:
        for label in axis.get_xticklabels():
            label.set(rotation=25, ha="right", rotation_mode="anchor")


def _set_y_axis(axes: Sequence[Any], cells: pd.DataFrame, scale: Scale) -> None:
    """From zero, so that heights compare; logarithmic where the smallest would be a flat line."""
    if _is_log(cells):
        axes[0].set_yscale("log")
    elif cells["mean"].min() >= 0:
        top = float(np.nanmax(cells[["mean", "ci95_high"]].to_numpy())) / scale.divisor
        axes[0].set_ylim(0, 1.08 * top or 1)
        axes[0].yaxis.set_major_formatter(StrMethodFormatter("{x:,.10g}"))


def _is_log(cells: pd.DataFrame) -> bool:
    return bool(cells["mean"].min() > 0 and cells["mean"].max() > _LOG_Y_RATIO * cells["mean"].min())


def _series_of(cells: pd.DataFrame, averages: Averages, names: Sequence[str]) -> dict[tuple[Any, ...], str]:
    """Combinations of levels that occur, in the order of the levels, with their labels."""
    keys = [key for key, _ in grouped(cells, names)]
    keys.sort(key=lambda key: [_index(averages, name, level) for name, level in zip(names, key, strict=True)])
    return {
        key: " · ".join(_short(averages, name, level) for name, level in zip(names, key, strict=True)) for key in keys
    }


def _has(cells: pd.DataFrame, names: Sequence[str], key: Sequence[Any]) -> Any:
    """Mask of the cells of these levels; null equals null."""
    mask = pd.Series(True, index=cells.index)
    for name, level in zip(names, key, strict=True):
        mask &= cells[name].isna() if pd.isna(level) else (cells[name] == level).fillna(False).astype(bool)
    return mask


def _index(averages: Averages, name: str, level: Any) -> int:
    levels = averages.levels[name]
    return len(levels) - 1 if pd.isna(level) else levels.index(level)


def _short(averages: Averages, name: str, level: Any) -> str:
    return short_names(averages.levels[name])[_index(averages, name, level)]


def _named(averages: Averages, names: Sequence[str], key: Sequence[Any], between: str) -> str:
    """'quantization: 4-bit', several joined by `between`."""
    pairs = zip(names, key, strict=True)
    return between.join(f"{title_of(name)}: {_short(averages, name, level)}" for name, level in pairs)


def _caption(cells: pd.DataFrame, y: str, where: str) -> str:
    n = sorted(cells["n"].unique())
    count = f"n = {n[0]}" if len(n) == 1 else f"n = {n[0]} to {n[-1]}"
    bars = "bars: 95% confidence interval (Student t)" if n[-1] > 1 else "one row a cell, so no interval"
    scale = "; logarithmic axis" if _is_log(cells) else ""
    of = f" For {where}." if where else ""
    return f"Mean {title_of(y)} of {count} rows a cell; {bars}{scale}.{of}"
