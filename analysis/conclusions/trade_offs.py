"""Trade-offs: configurations that no other one beats in all metrics (Pareto front), such as rate against memory.

A configuration is beaten only by one that is at least as good in all metrics, and significantly better in one of them.
So noise alone beats nothing. Knows cells of several metrics. Does not know sentences.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from analysis.conclusions.fastest import worse_p
from analysis.directions import Direction
from analysis.log_cells import FEWEST, log_cells


def trade_offs(
    rows: pd.DataFrame, factors: Sequence[str], metrics: Mapping[str, Direction], *, alpha: float = 0.05
) -> pd.DataFrame:
    """Return the cells with 5 values or more of every metric, and which of them are on the front.

    Args:
        rows: of one sweep, or of several joined on shared factors (a metric of fidelity beside a rate).
        factors: columns that tell cells apart.
        metrics: better side by metric.
        alpha: share of false claims over all pairs of cells and all metrics.

    Returns:
        Columns: the factors, a geometric mean per metric, on_front.
    """
    tables = [log_cells(rows, factors, metric).table for metric in metrics]
    kept = [name for name in factors if all(name in table for table in tables)]
    joined = tables[0][kept]
    for place, table in enumerate(tables):
        enough = table[table["n"] >= FEWEST]
        named = {name: f"{name} {place}" for name in ("mean", "var", "n")}
        columns = enough[[*kept, *named]].rename(columns=named)
        joined = joined.merge(columns, on=kept) if kept else columns
    beaten = _beaten(joined, [direction.sign for direction in metrics.values()], alpha)
    means = {metric: np.exp(joined[f"mean {place}"]) for place, metric in enumerate(metrics)}
    return joined[kept].assign(**means, on_front=~beaten)


def _beaten(cells: pd.DataFrame, signs: Sequence[int], alpha: float) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    """Tell which cells another cell beats."""
    beaten = np.zeros(len(cells), bool)
    columns = [[cells[f"{name} {k}"].to_numpy(float) for name in ("mean", "var", "n")] for k in range(len(signs))]
    for place in range(len(cells)):
        as_good, better = np.ones(len(cells), bool), np.zeros(len(cells), bool)
        for sign, (mean, var, n) in zip(signs, columns, strict=True):
            gain = sign * (mean[place] - mean)
            as_good &= gain >= 0
            better |= (gain > 0) & (worse_p(mean, var, n, place) * len(signs) <= alpha)
        beaten |= as_good & better
    return beaten
