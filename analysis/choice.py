"""The rule that chooses what a figure shows: y, x, panel, series, and what gets a figure of its own.

Every factor that varies gets a place, so no figure averages over unlike things. Knows factors, their levels
and which cells there are; does not know what a cell holds, nor how anything is drawn.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import pandas as pd

from analysis.averages import Averages

MAX_COMBINED_SERIES: Final = 8
MAX_FIGURES: Final = 12
MAX_PANELS: Final = 12
MAX_SERIES: Final = 14
"""Seven colours in two styles tell so many series apart."""
MAX_NAMES: Final = 60
"""Names on an x axis."""
MAX_POINTS: Final = 500
"""Quantities on an x axis."""


@dataclass(frozen=True)
class Choice:
    """Columns by their places in a figure; `split` are factors that get a figure per combination of their levels."""

    y: str
    x: str
    panel: str | None = None
    series: tuple[str, ...] = ()
    split: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def choose(averages: Averages, wanted: Mapping[str, str | None] | None) -> Choice | None:
    """Choose what to draw: the spec's `figure` where it holds, the rest by rule; None where nothing was measured.

    The rule: y is the headline metric; x the numeric factor with most levels, else the factor with most; then
    series has more levels than panel; what is left joins the series where that stays readable, else it gets a
    figure per level.
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
    choice = Choice(y, x, panel, combined)
    if rest and _count(averages, choice) > MAX_COMBINED_SERIES:
        choice = replace(choice, series=combined[:1], split=tuple(rest))
    if not {"x", "series"} & set(named):
        choice = _many_along_x(averages, choice)
    return replace(choice, notes=(*notes, *(shown(averages, choice)[1])))


def shown(averages: Averages, choice: Choice) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The cells that are drawn: of each kind of place the first ones in the spec's order; a note on each cut."""
    cells = averages.cells[averages.cells["metric"] == choice.y]
    levels = averages.levels.get(choice.x)
    along_x = ("points on the x axis", MAX_POINTS) if is_numeric(levels or ()) else ("names on the x axis", MAX_NAMES)
    places: list[tuple[str, tuple[str, ...], int]] = [
        ("figures", choice.split, MAX_FIGURES),
        ("panels", (choice.panel,) if choice.panel else (), MAX_PANELS),
        ("series", choice.series, MAX_SERIES),
        (along_x[0], (choice.x,) if levels else (), along_x[1]),
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
    """Every level is a quantity, so that distances between levels mean something."""
    return all(isinstance(level, int | float) and not isinstance(level, bool) for level in levels)


def _usable(averages: Averages, wanted: Mapping[str, str | None]) -> tuple[dict[str, str], list[str]]:
    """The spec's wishes that can be met, a note on each that cannot; a constant factor needs no place."""
    named: dict[str, str] = {}
    notes = []
    for place, column in wanted.items():
        known = averages.metrics if place == "y" else averages.factors
        if column in known and column not in named.values():
            named[place] = str(column)
        elif column is not None and (place == "y" or column not in averages.constants):
            notes.append(f"figure.{place} = {column!r} has no values to show here; chosen by rule instead.")
    return named, notes


def _many_along_x(averages: Averages, choice: Choice) -> Choice:
    """Names that are too many for a legend have room along the x axis."""
    if len(choice.series) != 1 or len(averages.levels[choice.series[0]]) <= MAX_SERIES:
        return choice
    if len(averages.levels[choice.x]) > MAX_SERIES:
        return choice
    return replace(choice, x=choice.series[0], series=(choice.x,))


def _choose_x(averages: Averages, taken: set[str]) -> str:
    free = [name for name in averages.factors if name not in taken]
    numeric = [name for name in free if is_numeric(averages.levels[name])]
    by_levels = sorted(numeric or free, key=lambda name: len(averages.levels[name]), reverse=True)
    return by_levels[0] if by_levels else next(iter(averages.constants), "metric")


def _count(averages: Averages, choice: Choice) -> int:
    cells = averages.cells[averages.cells["metric"] == choice.y]
    return len(cells[list(choice.series)].drop_duplicates())
