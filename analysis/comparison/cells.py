"""Cells of two runs, matched by their factors, with the log values of each.

Cells are matched where every factor that both runs know is equal, constant factors too: rows of another model are never
taken for the same cell. Knows sweeps. Does not know tests.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.cell_averages import is_scored
from analysis.cell_factors import EFFECTIVE, candidate_factors, split_cells, varies
from analysis.column_titles import title_of
from analysis.level_labels import text_of
from analysis.load import SweepRows

Key = tuple[Any, ...]


@dataclass(frozen=True)
class Sample:
    """Values of one cell in one run: one per row, or one per round where the run has several."""

    mean: float
    """Arithmetic mean of the rows, in the metric's unit."""
    logs: Any
    """Independent log values; None where a value is zero, negative or infinite."""
    rounds: Any
    """Mean log value of each round."""
    beside: int
    """Rows measured beside other work."""
    n: int
    """Number of rows with a value, or of rounds where the run has several."""


def matching_factors(run: SweepRows, against: SweepRows) -> list[str]:
    """Return the columns by which cells are matched: every factor of both runs, and what splits a cell in one."""
    scored = is_scored(run)
    known = candidate_factors(against, has_scores=scored)
    shared = [name for name in candidate_factors(run, has_scores=scored) if name in known]
    used = [name for name in shared if run.ok[name].notna().any() or against.ok[name].notna().any()]
    split = [name for sweep in (run, against) for name in split_cells(sweep.ok, used, has_scores=scored)]
    both = [name for name in dict.fromkeys([*used, *split]) if name in run.ok and name in against.ok]
    return [name for name in both if name in used or name in EFFECTIVE]


def told_apart(run: SweepRows, against: SweepRows, factors: list[str]) -> list[str]:
    """Return the factors that vary in the cells of both runs together: those that a table must show."""
    return [name for name in factors if varies(pd.concat([run.ok[name], against.ok[name]]).astype("object"))]


def samples(sweep: SweepRows, factors: list[str], metric: str) -> dict[Key, Sample]:
    """Return the sample of each cell that has values of the metric."""
    rows = sweep.ok[sweep.ok[metric].notna()]
    if rows.empty:
        return {}
    keys: Any = rows.groupby(factors, dropna=False, sort=False) if factors else [((), rows)]
    return {tuple(None if pd.isna(level) else level for level in key): _sample(group, metric) for key, group in keys}


def label(factors: Sequence[str], shown: Sequence[str], key: Key) -> str:
    """Return a cell's levels of the factors that are shown, as 'device: k80, CPU cores: 4'."""
    pairs = [f"{title_of(name)}: {text_of(level)}" for name, level in zip(factors, key, strict=True) if name in shown]
    return ", ".join(pairs) or "the only cell"


def _sample(rows: pd.DataFrame, metric: str) -> Sample:
    values = rows[metric].to_numpy(float)
    beside = int((rows["neighbours"].fillna(0).to_numpy(float) > 0).sum()) if "neighbours" in rows else 0
    if not (np.isfinite(values) & (values > 0)).all():
        rounds_seen = rows["round"].nunique(dropna=False)
        n = rounds_seen if rounds_seen > 1 else len(values)
        return Sample(float(values.mean()), None, np.empty(0), beside, n)
    logs = pd.Series(np.log(values))
    rounds = logs.groupby(rows["round"].to_numpy(), dropna=False).mean().to_numpy(float)
    chosen = rounds if len(rounds) > 1 else logs.to_numpy(float)
    return Sample(float(values.mean()), chosen, rounds, beside, len(chosen))
