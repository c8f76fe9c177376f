"""Statistics of the values of one cell: mean, median, sd, n, 95% confidence interval, and marks of unsteadiness.

The rule of unsteadiness is that of pyperf (`pyperf check`): the standard deviation is at least 10% of the mean, or the
minimum or the maximum is at least 50% away from the mean. Knows groups of numbers. Does not know columns, factors or
benchmarks.
"""

from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
from scipy.special import stdtrit

CONFIDENCE: Final = 0.95
FEWEST: Final = 5
"""Values of a cell below which the page shows no interval: with n = 3 it is wider than 2 standard deviations."""
SD_LIMIT: Final = 0.10
"""Ratio of standard deviation to mean from which a cell is marked as unsteady, as in pyperf's `check`."""
RANGE_LIMIT: Final = 0.50
"""Distance of the least or the greatest value from the mean, as a share of the mean, from which a cell is marked."""


class Clusters(NamedTuple):
    """Rows that belong together: those of one record in one cell."""

    number: Any
    """Number of each row's cluster, from 0; the rows of the first cell first."""
    cell: Any
    """Number of each cluster's cell."""


def describe(values: Any, *, repeats: bool) -> pd.DataFrame:
    """Return the statistics of a grouped float column, see `statistics`.

    Args:
        values: a pandas group-by of float64. Nulls are not counted.
        repeats: the values of a group repeat one measurement, so that a wide spread is marked as unsteady.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        return statistics(values.agg(["count", "mean", "median", "std", "min", "max"]), repeats=repeats)


def statistics(table: pd.DataFrame, *, repeats: bool) -> pd.DataFrame:
    """Return the statistics of groups of values, a row per group. Groups without values are left out.

    With h = t(0.975, n-1) · sd / √n (Student), the interval is mean ± h. Where every value of the column is positive,
    the interval is mean · exp(± h / mean): that of log(mean) by the delta method, which never reaches zero. Standard
    deviation (sd, n-1) and interval are null for n = 1. The range is marked only where all values are at least 0.

    Args:
        table: count, mean, median, std (n-1), min and max of each group.
        repeats: the values of a group repeat one measurement, so that a wide spread is marked as unsteady.

    Returns:
        Columns n, mean, median, sd, ci95_low, ci95_high, min, max, sd_above_limit, range_above_limit.
    """
    table = table.rename(columns={"count": "n", "std": "sd"})[table["count"] > 0].copy()
    quantile = stdtrit(table["n"].clip(lower=2) - 1, (1 + CONFIDENCE) / 2)
    with np.errstate(over="ignore", invalid="ignore"):  # values near the largest float: the interval is infinite
        half_width = quantile * table["sd"] / np.sqrt(table["n"])
        table["ci95_low"], table["ci95_high"] = _interval(table["mean"], half_width, positive=table["min"].min() > 0)
        sd_limit, range_limit = SD_LIMIT * table["mean"].abs(), RANGE_LIMIT * table["mean"]
        table["sd_above_limit"] = repeats & (table["sd"] > 0) & _reaches(table["sd"], sd_limit)
        farthest = np.maximum(table["mean"] - table["min"], table["max"] - table["mean"])
        is_far = (table["min"] >= 0) & (table["max"] > table["min"]) & _reaches(farthest, range_limit)
        table["range_above_limit"] = repeats & is_far
    order = ["n", "mean", "median", "sd", "ci95_low", "ci95_high", "min", "max"]
    return table[[*order, "sd_above_limit", "range_above_limit"]]


def by_record(table: pd.DataFrame, values: Any, clusters: Clusters) -> pd.DataFrame:
    """Return the statistics of scored texts with intervals by record, in place of those for independent values.

    Texts of one record are not independent: a record is a cluster. The variance of a mean is the sum over records of
    (Σ (value − mean) / n)², times R / (R − 1) (cluster-robust; Liang and Zeger 1986); Student's t has R − 1 degrees of
    freedom. The interval is null for fewer than FEWEST records.

    Args:
        table: what `statistics` returns, by the number of a cell.
        values: of each text, float64, those of the first cell first; NaN is not counted.
        clusters: record in its cell of each of these texts.

    Returns:
        The same columns, and records (those with a value).
    """
    size, held = len(clusters.cell), ~np.isnan(values)
    mean = table["mean"].reindex(range(int(clusters.cell.max(initial=-1)) + 1)).to_numpy()
    with np.errstate(over="ignore", invalid="ignore"):
        distance = values - mean[clusters.cell][clusters.number]
        distance[~held] = 0
        shares = np.bincount(clusters.number, distance, size)
        has_value = np.ones(size) if held.all() else np.bincount(clusters.number, held, size) > 0
        squares = np.bincount(clusters.cell, shares**2)[table.index]
        count = np.bincount(clusters.cell, has_value)[table.index].astype(np.int64)
        quantile = stdtrit(np.maximum(count, 2) - 1, (1 + CONFIDENCE) / 2)
        variance = squares * count / np.maximum(count - 1, 1)
        half_width = np.where(count < FEWEST, np.nan, quantile * np.sqrt(variance) / table["n"])
        low, high = _interval(table["mean"], half_width, positive=table["min"].min() > 0)
    return table.assign(records=count, ci95_low=low, ci95_high=high)


def _interval(mean: Any, half_width: Any, *, positive: bool) -> tuple[Any, Any]:
    """Return the bounds of the interval around a mean: on the logarithmic scale where all values are positive."""
    if not positive:
        return mean - half_width, mean + half_width
    factor = np.exp(half_width / mean)
    return mean / factor, mean * factor


def _reaches(value: Any, limit: Any) -> Any:
    """Tell which values reach a limit; a rounding error below the limit counts as reaching it."""
    return value >= limit * (1 - 1e-12)
