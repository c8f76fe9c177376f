"""The best configuration of a sweep, and the configurations that cannot be told apart from it.

Knows cells. Does not know factors' effects or sentences.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from analysis.conclusions.contrast_tests import welch
from analysis.log_cells import FEWEST, LogCells


@dataclass(frozen=True)
class Best:
    """The cell with the best mean."""

    levels: dict[str, Any]
    mean: float
    """Geometric mean, in the metric's unit."""
    low: float
    high: float
    """95% interval of the mean, by itself."""
    n: int
    cells: int
    """Number of cells that it was compared with, itself included."""
    alike: pd.DataFrame
    """Other cells that cannot be told apart from it, with `p_adjusted`."""


def best_cell(cells: LogCells, sign: int, alpha: float) -> Best | None:
    """Return the best of the cells with 5 values or more; None where fewer than two cells have these.

    The p value of each comparison is multiplied by the number of all pairs of cells: the best was chosen by looking.

    Args:
        cells: of one metric.
        sign: 1 where greater values are better, else -1.
        alpha: largest adjusted p that is significant.
    """
    enough = cells.table[cells.table["n"] >= FEWEST].reset_index(drop=True)
    if len(enough) < 2:
        return None
    mean, var, n = (enough[name].to_numpy(float) for name in ("mean", "var", "n"))
    place = int(np.argmax(sign * mean))
    half_width = stats.t.ppf(0.975, n[place] - 1) * np.sqrt(var[place] / n[place])
    adjusted = worse_p(mean, var, n, place)
    alike = enough.assign(p_adjusted=adjusted)[(adjusted > alpha) & (np.arange(len(n)) != place)]
    return Best(
        levels={name: enough[name].iloc[place] for name in cells.factors},
        mean=float(np.exp(mean[place])),
        low=float(np.exp(mean[place] - half_width)),
        high=float(np.exp(mean[place] + half_width)),
        n=int(n[place]),
        cells=len(enough),
        alike=alike,
    )


def worse_p(mean: Any, var: Any, n: Any, place: int) -> Any:
    """Return Bonferroni-adjusted p values of each cell against one, for all pairs of cells.

    Cells whose values are equal in every repetition differ when their means do: their p is 0 or 1.
    """
    spread = var / n
    difference = mean[place] - mean
    freedom = spread**2 / (n - 1)
    _, _, p = welch(difference, spread + spread[place], freedom + freedom[place])
    exact = np.where(np.abs(difference) > 1e-9, 0.0, 1.0)
    return np.minimum(np.where(np.isnan(p), exact, p) * len(n) * (len(n) - 1) / 2, 1.0)
