"""Statistics of the values of one cell: mean, median, sd, n, 95% confidence interval, and marks of unsteadiness.

Knows groups of numbers. Does not know columns, factors or benchmarks.
"""

from typing import Any, Final

import numpy as np
import pandas as pd
from scipy.special import stdtrit

CONFIDENCE: Final = 0.95
SD_LIMIT: Final = 0.10
"""Ratio of standard deviation to mean above which a cell is marked as unsteady, as in pyperf."""
RANGE_LIMIT: Final = 1.5
"""Ratio of largest to smallest value above which a cell is marked as unsteady."""


def describe(values: Any, *, repeats: bool) -> pd.DataFrame:
    """Return the statistics of a grouped float column, a row per group. Groups without values are left out.

    The interval is mean ± t(0.975, n-1) · sd / √n (Student). Standard deviation (sd, n-1) and interval are null for
    n = 1. The range is marked only where all values are at least 0.

    Args:
        values: a pandas group-by of float64. Nulls are not counted.
        repeats: the values of a group repeat one measurement, so that a wide spread is marked as unsteady.

    Returns:
        Columns n, mean, median, sd, ci95_low, ci95_high, min, max, sd_above_limit, range_above_limit.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        table: pd.DataFrame = values.agg(["count", "mean", "median", "std", "min", "max"])
    table = table.rename(columns={"count": "n", "std": "sd"})[table["count"] > 0].copy()
    quantile = stdtrit(table["n"].clip(lower=2) - 1, (1 + CONFIDENCE) / 2)
    with np.errstate(over="ignore", invalid="ignore"):  # values near the largest float: the interval is infinite
        half_width = quantile * table["sd"] / np.sqrt(table["n"])
        table["ci95_low"] = table["mean"] - half_width
        table["ci95_high"] = table["mean"] + half_width
        table["sd_above_limit"] = repeats & (table["sd"] > SD_LIMIT * table["mean"].abs())
        table["range_above_limit"] = repeats & (table["min"] >= 0) & (table["max"] > RANGE_LIMIT * table["min"])
    order = ["n", "mean", "median", "sd", "ci95_low", "ci95_high", "min", "max"]
    return table[[*order, "sd_above_limit", "range_above_limit"]]
