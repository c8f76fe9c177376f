"""Choose what a figure shows: the columns of its y axis, x axis, panels and series, and the factors to split by.

Every factor that varies gets a place, so no point of a figure averages over several cells. Knows factors, their levels,
and which cells there are. Does not know the statistics of a cell, nor how a figure is drawn.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import pandas as pd

from analysis.cell_averages import Averages

MAX_COMBINED_SERIES: Final = 8
MAX_FIGURES: Final = 12
MAX_PANELS: Final = 12
MAX_SERIES: Final = 14
"""Series of a figure: seven colours in two line styles."""
MAX_NAMES: Final = 60
"""Names on an x axis of names."""
MAX_POINTS: Final = 500
"""Levels on an x axis of quantities."""


@dataclass(frozen=True)
class FigureSpec:
    """Columns by their places in a figure."""

    y: str
    """Metric on the y axis."""
    x: str
    panel: str | None = None
    series: tuple[str, ...] = ()
    split: tuple[str, ...] = ()
    """Factors that get a figure for each combination of their levels."""
    notes: tuple[str, ...] = ()
    """Sentences for the page: wishes of the spec that could not be met, and cells that are not drawn."""


def choose_figure(averages: Averages, wanted: Mapping[str, str | None] | None) -> FigureSpec | None:
    """Choose the columns to draw; None where nothing was measured.

    The spec's `figure` is used where its columns have values here. The other places are filled by rule:

    - y is the first headline metric.
    - x is the numeric factor with most levels, else the factor with most levels.
    - The factor with most levels of the rest is the series, the next one the panel.
    - Further factors join the series if at most MAX_COMBINED_SERIES series come of it, else they split the figure.
    - A factor of more than MAX_SERIES levels changes places with x, if x has fewer.

    Args:
        averages: of the sweep.
        wanted: column by place ('y', 'x', 'panel', 'series'), as the spec's `figure` says.
    """
    if not averages.metrics:
        return None
    named, notes = _usable(averages, wanted or {})
    x = named.get("x") or _choose_x(averages, set(named.values()))
    series, panel = named.get("series"), named.get("panel")
    rest = [name for name in averages.factors if name not in (x, series, panel)]
    rest.sort(key=lambda name: len(averages.levels[name]), reverse=True)
    series = series or (rest.pop(0) if rest else None)
    panel = panel or (rest.pop(0) if rest else None)
    combined = (series, *rest) if series else ()
    y = named.get("y", averages.metrics[0])
    figure_spec = FigureSpec(y, x, panel, combined)
    if rest and _series_count(averages, figure_spec) > MAX_COMBINED_SERIES:
        figure_spec = replace(figure_spec, series=combined[:1], split=tuple(rest))
    if not {"x", "series"} & set(named):
        figure_spec = _many_along_x(averages, figure_spec)
    return replace(figure_spec, notes=(*notes, *(shown_cells(averages, figure_spec)[1])))


def shown_cells(averages: Averages, figure_spec: FigureSpec) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return the cells to draw, and a note on each place where some are cut.

    Each place has a limit. Levels beyond the limit are left out, the last ones in the spec's order.
    """
    cells = averages.cells[averages.cells["metric"] == figure_spec.y]
    levels = averages.levels.get(figure_spec.x)
    along_x = ("points on the x axis", MAX_POINTS) if is_numeric(levels or ()) else ("names on the x axis", MAX_NAMES)
    places: list[tuple[str, tuple[str, ...], int]] = [
        ("figures", figure_spec.split, MAX_FIGURES),
        ("panels", (figure_spec.panel,) if figure_spec.panel else (), MAX_PANELS),
        ("series", figure_spec.series, MAX_SERIES),
        (along_x[0], (figure_spec.x,) if levels else (), along_x[1]),
    ]
    notes = []
    for kind, factors, limit in places:
        if not factors:
            continue
        combination = cells.groupby(list(factors), dropna=False, sort=False).ngroup()  # numbered as they come
        if (count := int(combination.max()) + 1) > limit:
            cells = cells[combination < limit]
            notes.append(f"{limit} of {count} {kind} are drawn; the tables hold all cells.")
    return cells, tuple(notes)


def is_numeric(levels: Sequence[Any]) -> bool:
    """Tell whether every level is a quantity, so that distances on an axis have a meaning."""
    return all(isinstance(level, int | float) and not isinstance(level, bool) for level in levels)


def _usable(averages: Averages, wanted: Mapping[str, str | None]) -> tuple[dict[str, str], list[str]]:
    """Return the spec's wishes that can be met, and a note on each that cannot.

    A wish for a factor that is constant here is dropped without a note: a constant needs no place.
    """
    named: dict[str, str] = {}
    notes = []
    for place, column in wanted.items():
        known = averages.metrics if place == "y" else averages.factors
        if column in known and column not in named.values():
            named[place] = str(column)
        elif column is not None and (place == "y" or column not in averages.constants):
            notes.append(f"figure.{place} = {column!r} has no values to show here; chosen by rule instead.")
    return named, notes


def _many_along_x(averages: Averages, figure_spec: FigureSpec) -> FigureSpec:
    """Swap x and series where the series are too many for a legend, and x has few enough levels to be the series."""
    if len(figure_spec.series) != 1 or len(averages.levels[figure_spec.series[0]]) <= MAX_SERIES:
        return figure_spec
    if len(averages.levels[figure_spec.x]) > MAX_SERIES:
        return figure_spec
    return replace(figure_spec, x=figure_spec.series[0], series=(figure_spec.x,))


def _choose_x(averages: Averages, taken: set[str]) -> str:
    """Return the free factor for the x axis; a constant where no factor varies."""
    free = [name for name in averages.factors if name not in taken]
    numeric = [name for name in free if is_numeric(averages.levels[name])]
    by_levels = sorted(numeric or free, key=lambda name: len(averages.levels[name]), reverse=True)
    return by_levels[0] if by_levels else next(iter(averages.constants), "metric")


def _series_count(averages: Averages, figure_spec: FigureSpec) -> int:
    """Return the number of series."""
    cells = averages.cells[averages.cells["metric"] == figure_spec.y]
    return len(cells[list(figure_spec.series)].drop_duplicates())
