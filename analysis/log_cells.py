"""Cells of a sweep on the logarithmic scale: mean, variance and number of independent values of each cell.

Effects are ratios, so that all statistics of effects are made of logarithms. A row counts only where nothing speaks
against it: rows measured beside other work, and cells whose values are unsteady, are left out and counted in a
sentence. Where a cell was measured in several rounds, the mean of each round is one value, because rows of one round
share a load and a moment.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import pandas as pd

from analysis.cell_statistics import describe
from analysis.column_titles import title_of

FEWEST: Final = 5
"""Values below which nothing is claimed about a cell or a level: 'too few to tell'."""
_EXACT: Final = 1e-12
"""Standard deviation, as a share, below which the values of a cell are equal: what rounding leaves."""


@dataclass(frozen=True)
class LogCells:
    """Cells that enter claims, and the reasons of those that do not."""

    factors: tuple[str, ...]
    metric: str
    table: pd.DataFrame
    """A row per cell: the factors, n (independent values), rows, mean and var (of the log values; var null for
    n = 1)."""
    remarks: tuple[str, ...]
    """Sentences on rows and cells that enter no claim."""
    left_out: tuple[str, ...] = ()
    """The same in short, to stand beside a claim: '5 of 60 rows measured beside other work'."""
    constants: Mapping[str, Any] = field(default_factory=dict)
    """Level by factor, for the factors that vary in the rows and not in the cells that enter claims."""

    @property
    def n(self) -> Any:
        """Return the number of independent values of each cell."""
        return self.table["n"].to_numpy(float)

    @property
    def mean(self) -> Any:
        """Return the mean log value of each cell."""
        return self.table["mean"].to_numpy(float)

    @property
    def var(self) -> Any:
        """Return the variance of the log values of each cell; null for n = 1."""
        return self.table["var"].to_numpy(float)

    @property
    def only_replicated(self) -> "LogCells":
        """Return the cells with two values or more: only these have a spread."""
        kept = self.table[self.table["n"] >= 2].reset_index(drop=True)
        return replace(self, table=kept)


def log_cells(rows: pd.DataFrame, factors: Sequence[str], metric: str) -> LogCells:
    """Return the cells of ok rows that differ in `factors`, by one metric.

    Args:
        rows: with the factors, the metric, and where known `status`, `neighbours` and `round`.
        factors: columns that tell cells apart. A factor with one level is left out.
        metric: a column of numbers.
    """
    remarks: list[str] = []
    left_out: list[str] = []
    ok = rows[rows["status"] == "ok"] if "status" in rows else rows
    measured = ok[ok[metric].notna()]
    alone = _alone(measured, remarks, left_out)
    positive = _positive(alone, metric, remarks)
    varying = tuple(name for name in factors if positive[name].nunique(dropna=False) > 1)
    keys: list[Any] = [positive[name] for name in varying] or [pd.Series(0, index=positive.index)]
    steady = _steady(positive, keys, metric, remarks, left_out)
    table = _means(steady, varying, metric, remarks)
    kept = tuple(name for name in varying if table[name].nunique(dropna=False) > 1)
    return LogCells(kept, metric, table, tuple(remarks), tuple(left_out), _constants(measured, steady, factors, kept))


def _constants(
    measured: pd.DataFrame, steady: pd.DataFrame, factors: Sequence[str], kept: Sequence[str]
) -> dict[str, Any]:
    """Return the one level that is left of factors with several."""
    lost = [name for name in factors if name not in kept and measured[name].nunique(dropna=False) > 1]
    return {name: steady[name].iloc[0] for name in lost if len(steady)}


def _alone(rows: pd.DataFrame, remarks: list[str], left_out: list[str]) -> pd.DataFrame:
    """Return the rows measured while no other worker of the host had a task."""
    if "neighbours" not in rows:
        return rows
    beside = rows["neighbours"].fillna(0).to_numpy(float) > 0
    if beside.any():
        left_out.append(f"{beside.sum():,} of {len(rows):,} rows measured beside other work")
        remarks.append(
            f"{beside.sum():,} of {len(rows):,} rows were measured beside other work on the same host and enter no "
            "claim; --isolation node measures each task alone."
        )
    return rows[~beside]


def _positive(rows: pd.DataFrame, metric: str, remarks: list[str]) -> pd.DataFrame:
    """Return the rows, or none of them where a value has no logarithm."""
    values = rows[metric].to_numpy(float)
    odd = ~((values > 0) & np.isfinite(values))
    if not odd.any():
        return rows
    remarks.append(
        f"{odd.sum():,} of {len(rows):,} values of {title_of(metric)} are zero, negative or infinite: effects are "
        "ratios, so nothing is claimed about this metric."
    )
    return rows.iloc[:0]


def _steady(rows: pd.DataFrame, keys: list[Any], metric: str, remarks: list[str], left_out: list[str]) -> pd.DataFrame:
    """Return the rows of cells whose values are steady."""
    if rows.empty:
        return rows
    groups = rows[metric].astype("float64").groupby(keys, dropna=False)
    cells = describe(groups, repeats=True)
    unsteady = (cells["sd_above_limit"] | cells["range_above_limit"]).to_numpy(bool)
    if unsteady.any():
        left_out.append(f"{unsteady.sum():,} of {len(cells):,} cells, which are unsteady")
        remarks.append(
            f"{unsteady.sum():,} of {len(cells):,} cells are unsteady (the spread of their rows is too wide) and enter "
            "no claim."
        )
    return rows[~unsteady[groups.ngroup().to_numpy()]]


def _means(rows: pd.DataFrame, factors: Sequence[str], metric: str, remarks: list[str]) -> pd.DataFrame:
    """Return n, mean and variance of the independent log values of each cell."""
    logs = pd.DataFrame({"value": np.log(rows[metric].to_numpy(float))}, index=rows.index)
    keys: list[Any] = [rows[name] for name in factors] or [pd.Series(0, index=rows.index)]
    counts = logs["value"].groupby(keys, dropna=False).size().to_numpy()
    if "round" in rows and rows["round"].nunique() > 1:
        means = logs["value"].groupby([*keys, rows["round"]], dropna=False).mean()
        grouped: Any = means.groupby(level=list(range(len(keys))), dropna=False)
        remarks.append("The rows of a cell come in rounds: the mean of each round is one value.")
    else:
        grouped = logs["value"].groupby(keys, dropna=False)
    table: pd.DataFrame = grouped.agg(["count", "mean", "var"]).reset_index()
    table = table.rename(columns={"count": "n"}).assign(rows=counts)
    exact = np.sqrt(table["var"].to_numpy(float)) < _EXACT * np.maximum(1.0, table["mean"].abs())
    table["var"] = table["var"].mask(exact, 0.0)
    return table if factors else table.drop(columns="index", errors="ignore")
