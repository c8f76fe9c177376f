"""Pairs of levels of one term, compared in the cells that are equal in all else; and groups of levels that differ.

Knows cells and terms. Does not know sentences.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pandas as pd

from analysis.conclusions.contrast_tests import welch
from analysis.conclusions.matched import Term, codes
from analysis.log_cells import FEWEST, LogCells

Level = tuple[Any, ...]


@dataclass(frozen=True)
class LevelGroup:
    """Levels between which no clean cut was found. Every level of another group differs from each of them."""

    levels: tuple[Level, ...]
    is_alike: bool
    """No two levels of the group differ significantly."""


def level_pairs(cells: LogCells, term: Term, others: Sequence[Term]) -> pd.DataFrame:
    """Return the ratio of every two levels, as the geometric mean over the cells that both have.

    Returns:
        Columns term, level, other, shared (cells), greater (shared cells where `level` has the greater mean),
        log_ratio, error, df, p (Welch; null where a level has fewer than 5 values).
    """
    levels = levels_of(cells, term)
    grid = _grid(codes(cells.table, term), codes(cells.table, [name for other in others for name in other]), cells)
    return pd.DataFrame(
        [
            {"term": term, "level": levels[first], "other": levels[second]} | _compare(grid, first, second)
            for first, second in combinations(range(len(levels)), 2)
        ]
    )


def levels_of(cells: LogCells, term: Term) -> list[Level]:
    """Return the levels of a term in the order of their codes. Null is None."""
    _, first = np.unique(codes(cells.table, term), return_index=True)
    distinct = cells.table[list(term)].iloc[first].itertuples(index=False, name=None)
    return [tuple(None if pd.isna(level) else level for level in levels) for levels in distinct]


def _grid(own: Any, blocks: Any, cells: LogCells) -> Any:
    """Return mean, variance of the mean, its degrees of freedom and n, by level and block; NaN where no cell is."""
    grid = np.full((4, own.max() + 1, blocks.max() + 1), np.nan)
    grid[:, own, blocks] = cells.mean, cells.var / cells.n, cells.n - 1, cells.n
    return grid


def _compare(grid: Any, first: int, second: int) -> dict[str, Any]:
    """Return the comparison of two levels."""
    shared = ~np.isnan(grid[0, first]) & ~np.isnan(grid[0, second])
    count = int(shared.sum())
    empty = {"shared": 0, "greater": 0, "log_ratio": np.nan, "error": np.nan, "df": np.nan, "p": np.nan}
    if not count:
        return empty
    mean, var, df, n = grid[:, [first, second]][:, :, shared]
    differences = mean[0] - mean[1]
    error, freedom, p = welch(differences.mean(), var.sum() / count**2, (var**2 / df).sum() / count**4)
    if n.sum(axis=1).min() < FEWEST:
        p = np.nan
    return {
        "shared": count,
        "greater": int((differences > 0).sum()),
        "log_ratio": float(differences.mean()),
        "error": float(error),
        "df": float(freedom),
        "p": float(p),
    }


def level_groups(pairs: pd.DataFrame, alpha: float) -> list[LevelGroup]:
    """Cut the levels, sorted by value, wherever all levels above differ significantly from all levels below.

    Args:
        pairs: of one term, with `p_adjusted`.
        alpha: largest adjusted p that is significant.

    Returns:
        Groups from the greatest values to the smallest.
    """
    differs: dict[tuple[Level, Level], float] = {}
    for pair in pairs.to_dict("records"):
        found = pair["log_ratio"] if pair["p_adjusted"] <= alpha else 0.0
        differs[pair["level"], pair["other"]], differs[pair["other"], pair["level"]] = found, -found
    levels = list(dict.fromkeys([*pairs["level"], *pairs["other"]]))
    standing = _standing(pairs, levels)
    order = sorted(levels, key=lambda level: -standing[level])
    cuts = [
        place
        for place in range(1, len(order))
        if all(differs[high, low] > 0 for high in order[:place] for low in order[place:])
    ]
    bounds = [0, *cuts, len(order)]
    parts = [tuple(order[start:end]) for start, end in pairwise(bounds)]
    return [LevelGroup(part, not any(differs[pair] for pair in combinations(part, 2))) for part in parts]


def _standing(pairs: pd.DataFrame, levels: Sequence[Level]) -> Mapping[Level, float]:
    """Return the mean log ratio of each level to the others."""
    ratios: dict[Level, list[float]] = {level: [0.0] for level in levels}
    for pair in pairs.to_dict("records"):
        if not np.isnan(pair["log_ratio"]):
            ratios[pair["level"]].append(pair["log_ratio"])
            ratios[pair["other"]].append(-pair["log_ratio"])
    return {level: float(np.mean(found)) for level, found in ratios.items()}
