"""Trade-offs: configurations that no other one beats in all metrics (Pareto front), such as rate against memory.

A configuration is beaten only by one whose means are as good in all metrics, to within 1%, and which is better by more
than that, and significantly, in one of them. So noise alone beats nothing. Knows cells of several metrics. Does not
know sentences.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from analysis.column_titles import title_of
from analysis.conclusions.fastest import worse_p
from analysis.directions import Direction
from analysis.log_cells import FEWEST, LogCells, log_cells

TOLERANCE: Final = 0.01
"""Difference, as a share, up to which two means are as good as each other."""


@dataclass(frozen=True)
class GivenMetric:
    """A metric of another sweep, whose means are known by some of the factors. Smaller is better."""

    name: str
    means: pd.DataFrame
    """Columns: factors, mean, var and n (values in the metric's unit, not logarithms)."""

    @property
    def keys(self) -> list[str]:
        """Return the factors."""
        return [str(name) for name in self.means if name not in ("mean", "var", "n")]


@dataclass(frozen=True)
class TradeOffs:
    """Configurations, and which of them no other one beats."""

    factors: tuple[str, ...]
    metrics: tuple[str, ...]
    cells: pd.DataFrame
    """A row per cell with 5 values or more of every metric. Columns: the factors, a mean per metric (geometric, but for
    a given one), on_front, beaten_by (place of the best cell that beats it; -1: none)."""
    measured: int
    """Number of cells with any values."""
    left_out: tuple[str, ...]
    """Rows and cells that entered nothing, in short (see LogCells.left_out)."""

    @property
    def front(self) -> pd.DataFrame:
        """Return the cells that no other one beats."""
        return self.cells[self.cells["on_front"]]


def trade_offs(
    rows: pd.DataFrame,
    factors: Sequence[str],
    metrics: Mapping[str, Direction],
    *,
    given: GivenMetric | None = None,
    alpha: float = 0.05,
) -> TradeOffs:
    """Return the cells with 5 values or more of every metric, and which of them no other one beats.

    Args:
        rows: of one sweep.
        factors: columns that tell cells apart.
        metrics: better side by metric.
        given: metric of another sweep that is compared, too. Cells without a mean of it are left out.
        alpha: share of false claims over all pairs of cells and all metrics.
    """
    all_factors = list(dict.fromkeys([*factors, *(given.keys if given else ())]))
    complete = rows[rows[list(metrics)].notna().all(axis=1)]
    cells = [log_cells(complete, all_factors, metric) for metric in metrics]
    tables = [_with_every_factor(table, complete, all_factors) for table in cells]
    joined = _joined(tables, all_factors)
    names, signs = list(metrics), [direction.sign for direction in metrics.values()]
    left_out = [*(text for table in cells for text in table.left_out), *_incomplete(rows, complete, factors, names)]
    left_out += _few(max(map(len, tables)) - len(joined), max(map(len, tables)))
    if given is not None:
        compared = len(joined)
        joined = _with_given(joined, given, place=len(names))
        left_out += _without(given.name, compared - len(joined), compared)
        names, signs = [*names, given.name], [*signs, -1]
    is_log = [name in metrics for name in names]
    beaten_by = _beaten_by(joined, signs, is_log, alpha)
    means = {
        name: np.exp(joined[f"mean {place}"]) if is_log[place] else joined[f"mean {place}"]
        for place, name in enumerate(names)
    }
    kept = [name for name in factors if rows[name].nunique(dropna=False) > 1]
    return TradeOffs(
        factors=tuple(kept),
        metrics=tuple(names),
        cells=joined[kept].assign(**means, beaten_by=beaten_by, on_front=beaten_by < 0),
        measured=max(map(len, tables)),
        left_out=tuple(dict.fromkeys(left_out)),
    )


def _with_every_factor(cells: LogCells, rows: pd.DataFrame, factors: Sequence[str]) -> pd.DataFrame:
    """Return the cells with the columns of all factors: one that does not vary among them has the level that is left.

    The rows that are left out may have had the other levels.
    """
    table = cells.table
    if table.empty:
        return pd.DataFrame(columns=[*factors, "n", "mean", "var"])
    lacking = [name for name in factors if name not in table]
    levels = {name: cells.constants[name] if name in cells.constants else rows[name].iloc[0] for name in lacking}
    return table.assign(
        **{name: pd.Series([level] * len(table), table.index, rows[name].dtype) for name, level in levels.items()}
    )


def _incomplete(
    rows: pd.DataFrame, complete: pd.DataFrame, factors: Sequence[str], metrics: Sequence[str]
) -> Iterator[str]:
    """Yield how many cells have no row with a value of every metric."""
    measured, kept = (len(one[list(factors)].drop_duplicates()) for one in (rows, complete))
    lacking = [name for name in metrics if rows[name].isna().any()]
    if factors and lacking:
        yield from _without(" or no ".join(map(title_of, lacking)), measured - kept, measured)


def _without(metric: str, lacking: int, cells: int) -> Iterator[str]:
    if lacking:
        yield f"{lacking:,} of {cells:,} configurations, which have no {title_of(metric)}"


def _few(few: int, cells: int) -> Iterator[str]:
    if few:
        yield f"{few:,} of {cells:,} configurations, which have fewer than {FEWEST} values"


def _joined(tables: Sequence[pd.DataFrame], factors: Sequence[str]) -> pd.DataFrame:
    """Return the cells that have enough values of every metric, with mean, var and n by the place of the metric."""
    joined: pd.DataFrame | None = None
    for place, table in enumerate(tables):
        named = {name: f"{name} {place}" for name in ("mean", "var", "n")}
        enough = table[table["n"] >= FEWEST].rename(columns=named)
        columns = enough[[*factors, *named.values()]]
        if joined is None:
            joined = columns
        else:
            joined = joined.merge(columns, on=list(factors)) if factors else joined.merge(columns, how="cross")
    return pd.DataFrame() if joined is None else joined.reset_index(drop=True)


def _with_given(joined: pd.DataFrame, given: GivenMetric, place: int) -> pd.DataFrame:
    """Return the cells that have a mean of the given metric, with this mean."""
    means = given.means.rename(columns={name: f"{name} {place}" for name in ("mean", "var", "n")})
    texts = dict.fromkeys(given.keys, "object")
    return joined.astype(texts).merge(means.astype(texts), on=given.keys).reset_index(drop=True)


def _beaten_by(cells: pd.DataFrame, signs: Sequence[int], is_log: Sequence[bool], alpha: float) -> Any:
    """Return the place of a cell that beats each cell, of one that is not beaten itself where there is one; else -1."""
    size = len(cells)
    columns = [[cells[f"{name} {k}"].to_numpy(float) for name in ("mean", "var", "n")] for k in range(len(signs))]
    beats = np.zeros((size, size), bool)
    for place in range(size):
        as_good, better = np.ones(size, bool), np.zeros(size, bool)
        for sign, log, (mean, var, n) in zip(signs, is_log, columns, strict=True):
            gain, within = sign * (mean[place] - mean), TOLERANCE * (1.0 if log else np.abs(mean))
            as_good &= gain >= -within
            better |= (gain > within) & (worse_p(mean, var, n, place) * len(signs) <= alpha)
        beats[place] = as_good & better
    is_beaten: Any = beats.any(axis=0)
    if not is_beaten.any() or is_beaten.all():  # all: a circle of differences near the tolerance
        return np.full(size, -1)
    by_front = beats & ~is_beaten[:, None]
    chosen = np.where(by_front.any(axis=0), by_front.argmax(axis=0), beats.argmax(axis=0))
    return np.where(is_beaten, chosen, -1)
