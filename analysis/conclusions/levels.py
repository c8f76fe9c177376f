"""Pairs of levels of one term, compared in the cells that are equal in all else; and groups of levels that differ.

Knows cells and terms. Does not know sentences.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
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
    if len(levels) < 2:
        return pd.DataFrame()
    grid = _grid(codes(cells.table, term), codes(cells.table, [name for other in others for name in other]), cells)
    compared = np.concatenate([_compare(grid, first) for first in range(len(levels) - 1)], axis=1)
    shared, greater, log_ratio, variance, df_inverse, fewest = compared
    error, freedom, p = welch(log_ratio, variance, df_inverse)
    first, second = np.triu_indices(len(levels), 1)
    return pd.DataFrame(
        {
            "term": [term] * len(first),
            "level": [levels[place] for place in first],
            "other": [levels[place] for place in second],
            "shared": shared.astype(int),
            "greater": greater.astype(int),
            "log_ratio": log_ratio,
            "error": error,
            "df": freedom,
            "p": np.where(fewest < FEWEST, np.nan, p),
        }
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


def _compare(grid: Any, first: int) -> Any:
    """Return what the comparison of a level with each level behind it is made of, a row per number.

    Rows: shared cells, those of them where the first level is greater, mean difference, its variance, what `welch`
    takes as df_inverse, and the number of values of the level that has fewer. Without a shared cell they are 0, and
    null from the third on. Pairs that share equally many cells are computed together: 1,000 levels have half a million
    pairs.
    """
    own, behind = grid[:, first], grid[:, first + 1 :]
    is_shared = ~np.isnan(own[0]) & ~np.isnan(behind[0])
    counts = is_shared.sum(axis=1)
    found = np.full((6, len(counts)), np.nan)
    found[:2] = 0
    for count in np.unique(counts[counts > 0]):
        rows = counts == count
        inside = is_shared[rows]
        one = np.broadcast_to(own[:, None, :], (len(own), *inside.shape))[:, inside].reshape(4, -1, count)
        other = behind[:, rows][:, inside].reshape(4, -1, count)
        differences, (var, df) = one[0] - other[0], np.concatenate([one, other], axis=2)[1:3]
        found[:, rows] = (
            np.full(len(inside), count),
            (differences > 0).sum(axis=1),
            differences.mean(axis=1),
            var.sum(axis=1) / count**2,
            (var**2 / df).sum(axis=1) / count**4,
            np.minimum(one[3].sum(axis=1), other[3].sum(axis=1)),
        )
    return found


def level_groups(pairs: pd.DataFrame, alpha: float) -> list[LevelGroup]:
    """Cut the levels, sorted by value, wherever all levels above differ significantly from all levels below.

    Args:
        pairs: of one term, with `p_adjusted`.
        alpha: largest adjusted p that is significant.

    Returns:
        Groups from the greatest values to the smallest.
    """
    levels = list(dict.fromkeys([*pairs["level"], *pairs["other"]]))
    places = {level: place for place, level in enumerate(levels)}
    first, second = (np.array([places[level] for level in pairs[side]], int) for side in ("level", "other"))
    ratio = pairs["log_ratio"].to_numpy(float)
    standing = _standing(first, second, ratio, len(levels))
    order = sorted(range(len(levels)), key=lambda place: -standing[place])
    difference = np.zeros((len(levels), len(levels)))
    found = np.where(pairs["p_adjusted"].to_numpy(float) <= alpha, ratio, 0.0)
    difference[first, second], difference[second, first] = found, -found
    difference = difference[np.ix_(order, order)]
    bounds = [0, *_cuts(difference > 0), len(order)]
    return [
        LevelGroup(tuple(levels[place] for place in order[start:end]), not difference[start:end, start:end].any())
        for start, end in pairwise(bounds)
    ]


def _cuts(is_greater: Any) -> list[int]:
    """Return each place at which all levels above are greater than all levels from there on.

    Args:
        is_greater: L×L, True where the level of the row is significantly greater than that of the column.
    """
    size = len(is_greater)
    last_equal = size - 1 - np.argmin(is_greater[:, ::-1], axis=1)  # the diagonal is False: there is such a column
    return [place for place in range(1, size) if last_equal[:place].max() < place]


def _standing(first: Any, second: Any, ratio: Any, count: int) -> list[float]:
    """Return the mean log ratio of each level to the others, and to itself.

    Args:
        first, second: places of both levels of each pair.
        ratio: log ratio of each pair; null where the levels share no cell.
        count: number of levels.
    """
    known = ~np.isnan(ratio)
    owner = np.stack([first[known], second[known]], axis=1).ravel()
    values = np.stack([ratio[known], -ratio[known]], axis=1).ravel()[np.argsort(owner, kind="stable")]
    ends = np.cumsum(np.bincount(owner, minlength=count))
    return [float(np.mean([0.0, *part])) for part in np.split(values, ends[:-1])]
