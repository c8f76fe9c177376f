"""The x axis of a figure of averages: quantities at their places, or names side by side.

Knows matplotlib's ticks and scales. Does not know what stands along the y axis.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, Self

import numpy as np
import pandas as pd
from matplotlib.ticker import FixedFormatter, FixedLocator, NullFormatter, NullLocator, StrMethodFormatter

from analysis.cell_averages import Averages
from analysis.figure_spec import is_numeric
from analysis.level_labels import LevelLabels, short_names

_LEVEL_TICKS: Final = 10
"""Levels of an x axis that all get a tick, or a name that is not upright."""


@dataclass(frozen=True)
class XAxis:
    """The x axis of all panels of one figure."""

    factor: str
    levels: tuple[Any, ...]
    """Levels that are drawn, in order."""
    names: tuple[str, ...]
    """Names of the levels; empty where the levels are quantities."""

    @classmethod
    def of(cls, cells: pd.DataFrame, averages: Averages, factor: str, labels: LevelLabels) -> Self:
        """Return the x axis for these cells."""
        if factor not in averages.levels:
            level = averages.constants.get(factor, "")
            return cls(factor, (level,), tuple(short_names([level])))
        drawn = sorted({labels.place(factor, level) for level in cells[factor]})
        levels = tuple(averages.levels[factor][place] for place in drawn)
        if is_numeric(averages.levels[factor]):
            return cls(factor, levels, ())
        return cls(factor, levels, tuple(labels.short(factor, level) for level in levels))

    def places(self, rows: pd.DataFrame, aside: float) -> Any:
        """Return the positions of cells: the quantity itself; for names their index, moved aside for each series."""
        if self.factor not in rows:
            return np.full(len(rows), aside)
        if not self.names:
            return rows[self.factor].astype("float64").to_numpy()
        place = {level: number for number, level in enumerate(self.levels)}
        return np.array([place[None if pd.isna(level) else level] + aside for level in rows[self.factor]])

    def set(self, axis: Any) -> None:
        """Set scale, ticks and tick labels of a panel."""
        if self.names:
            _set_names(axis, self.names)
            return
        if is_geometric(self.levels):
            axis.set_xscale("log", base=2)
            axis.xaxis.set_minor_formatter(NullFormatter())
        if len(self.levels) <= _LEVEL_TICKS:
            axis.xaxis.set_major_locator(FixedLocator(self.levels))
            axis.xaxis.set_minor_locator(NullLocator())
        axis.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))


def is_geometric(levels: Sequence[float]) -> bool:
    """Tell whether levels need a logarithmic axis: on a linear axis the small levels would lie on top of each other.

    They do if all levels are powers of two. They also do if each level is at least 1.5 times the level below, and the
    largest at least 8 times the smallest.
    """
    if min(levels) <= 0:
        return False
    rising = sorted(levels)
    leaps = all(above >= 1.5 * below for below, above in pairwise(rising))
    return all(math.log2(level).is_integer() for level in rising) or (leaps and rising[-1] >= 8 * rising[0])


def _set_names(axis: Any, names: Sequence[str]) -> None:
    """Write names along the x axis, turned where they are long or many."""
    axis.xaxis.set_major_locator(FixedLocator(range(len(names))))
    axis.xaxis.set_major_formatter(FixedFormatter(names))  # a formatter whose labels canvas.finish can replace
    axis.set_xlim(-0.6, len(names) - 0.4)
    if sum(map(len, names)) > 30:
        upright = len(names) > _LEVEL_TICKS
        for label in axis.get_xticklabels():
            label.set(rotation=90 if upright else 25, ha="right", va="center" if upright else "top")
            label.set_rotation_mode("anchor")
