"""Factors of a sweep ranked by their effect on a metric, with the levels that differ and the best configuration.

All tests on factors, interactions and pairs of levels are one family (Holm) and get half of the 5%; the comparisons of
single cells get the other half. So in a sweep without any effect, a false sentence appears in at most 5% of cases.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy import stats

from analysis.conclusions.contrast_tests import quadratic_test
from analysis.conclusions.fastest import Best, best_cell
from analysis.conclusions.levels import LevelGroup, level_groups, level_pairs
from analysis.conclusions.matched import (
    Basis,
    Term,
    interaction_basis,
    main_basis,
    pairs_of,
    separable_terms,
)
from analysis.conclusions.separated import Separated, separated
from analysis.directions import Direction, direction_of
from analysis.log_cells import FEWEST, LogCells, log_cells
from analysis.multiplicity import holm

ALPHA: Final = 0.05
MAX_CELLS: Final = 4000
"""Cells beyond which interactions are not tested: the time would grow with the square."""
_COLUMNS: Final = ("term", "kind", "df", "share", "partial_eta2", "statistic", "p", "reason")
_PAIR_COLUMNS: Final = {
    **dict.fromkeys(("term", "level", "other"), object),
    **dict.fromkeys(("shared", "greater", "log_ratio", "error", "df", "p"), float),
}
"""Types of the columns of level_pairs, for a frame without pairs."""


@dataclass(frozen=True)
class Effects:
    """Conclusions on one metric of a sweep."""

    metric: str
    direction: Direction | None
    cells: LogCells
    ranking: pd.DataFrame
    """A row per factor and per interaction of two, the greatest share first. Columns: term (factors), kind (factor,
    interaction, or part: a factor of a joined term, compared where all else is equal), df, share (of the variation of
    the log values), partial_eta2, statistic, p, p_adjusted, reason (why there is no p)."""
    pairs: pd.DataFrame
    """A row per pair of levels (see level_pairs), with p_adjusted, ratio, ratio_low and ratio_high (95%). The columns
    are the same where no two levels could be compared."""
    groups: dict[Term, list[LevelGroup]]
    """Groups of levels, greatest values first, of the factors with a significant effect."""
    part_groups: tuple[tuple[Term, tuple[LevelGroup, ...]], ...]
    """The same for factors of joined terms, once for each set of levels that can be compared with each other."""
    best: Best | None
    joined: tuple[Term, ...]
    """Factors that change together: each tuple counts as one factor."""
    lost: tuple[Term, ...]
    """Factors that cannot be compared as a whole with all else equal."""

    @property
    def found(self) -> pd.DataFrame:
        """Return the rows of the ranking with a significant effect."""
        return self.ranking[self.ranking["p_adjusted"] <= ALPHA]


def effects(
    rows: pd.DataFrame,
    factors: Sequence[str],
    metric: str,
    *,
    direction: Direction | None = None,
    alpha: float = ALPHA,
) -> Effects:
    """Return the effects of factors on a metric.

    Args:
        rows: of one sweep, with the factors and the metric. Only ok rows enter.
        factors: columns that tell cells apart (`Averages.factors`).
        metric: a column of positive numbers.
        direction: its better side; by default by its name.
        alpha: share of false claims of all sentences together. With several metrics of a sweep, give each its part.
    """
    cells = log_cells(rows, factors, metric)
    replicated = cells.only_replicated
    direction = direction or direction_of(metric)
    shrink = ALPHA / alpha * 2  # adjusted p values are compared with 5%, whatever part of it this family has
    terms, lost = separable_terms(replicated)
    joined = tuple(term for term in terms if len(term) > 1)
    parts = separated(replicated, tuple(dict.fromkeys((*joined, *lost))))
    ranking = _ranking(replicated, [term for term in terms if term not in lost], lost, parts)
    pairs = _pairs(replicated, terms, lost, parts)
    adjusted = np.minimum(holm([*ranking["p"], *pairs["p"]]) * shrink, 1.0)
    ranking["p_adjusted"], pairs["p_adjusted"] = adjusted[: len(ranking)], adjusted[len(ranking) :]
    ranking = ranking.sort_values("share", ascending=False, kind="stable", ignore_index=True)
    significant = ranking[ranking["p_adjusted"] <= ALPHA]
    whole = significant.loc[significant["kind"] == "factor", "term"]
    return Effects(
        metric=metric,
        direction=direction,
        cells=cells,
        ranking=ranking,
        pairs=pairs,
        groups={term: level_groups(pairs[pairs["term"] == term], ALPHA) for term in whole},
        part_groups=_part_groups(parts, pairs, set(significant.loc[significant["kind"] == "part", "term"])),
        best=best_cell(cells, direction.sign, alpha / 2) if direction else None,
        joined=joined,
        lost=lost,
    )


def _pairs(cells: LogCells, terms: Sequence[Term], lost: Sequence[Term], parts: Sequence[Separated]) -> pd.DataFrame:
    """Return every two levels of each term and part that are compared, with their ratio."""
    compared = [level_pairs(cells, term, [o for o in terms if o != term]) for term in terms if term not in lost]
    filled = [pairs for pairs in (*compared, *(part.pairs for part in parts)) if len(pairs)]
    if filled:
        return _with_ratios(pd.concat(filled, ignore_index=True))
    return _with_ratios(pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in _PAIR_COLUMNS.items()}))


def _part_groups(
    parts: Sequence[Separated], pairs: pd.DataFrame, significant: set[Term]
) -> tuple[tuple[Term, tuple[LevelGroup, ...]], ...]:
    """Return the groups of levels of each significant part, for each set of its levels that can be compared."""
    return tuple(
        (part.term, tuple(level_groups(pairs[(pairs["term"] == part.term) & pairs["level"].isin(levels)], ALPHA)))
        for part in parts
        if part.term in significant
        for levels in part.components
    )


def _ranking(cells: LogCells, terms: Sequence[Term], lost: Sequence[Term], parts: Sequence[Separated]) -> pd.DataFrame:
    """Return a row for each factor, interaction and part, without adjusted p values."""
    if cells.table.empty or not cells.factors:
        return pd.DataFrame(columns=list(_COLUMNS))
    every = [*terms, *lost]
    records = [
        _tested(cells, term, "factor", main_basis(cells, term, [other for other in every if other != term]))
        for term in terms
    ]
    records += [_tested(cells, part.term, "part", part.basis) for part in parts]
    if len(cells.table) <= MAX_CELLS:
        for first, second in pairs_of(terms):
            others = [other for other in every if other not in (first, second)]
            basis = interaction_basis(cells, first, second, others)
            records.append(_tested(cells, first + second, "interaction", basis))
    return pd.DataFrame(records, columns=list(_COLUMNS))


def _tested(cells: LogCells, term: Term, kind: str, basis: Basis) -> dict[str, Any]:
    """Return the row of one term. Interactions need a grid without gaps in the cells that they compare."""
    n, mean, var = cells.n, cells.mean, cells.var
    is_judged = basis.is_complete or kind == "part"
    error = float(np.sum((n - 1) * var))
    total = error + float(np.sum(n * (mean - np.average(mean, weights=n)) ** 2))
    ss = float(np.sum((basis.columns.T @ (np.sqrt(n) * mean)) ** 2)) if is_judged else np.nan
    test = quadratic_test(basis.columns, mean, var, n)
    reason = _reason(cells, term, basis, test.p) if is_judged else "too many cells are missing"
    return {
        "term": term,
        "kind": kind,
        "df": basis.columns.shape[1],
        "share": ss / total if total > 0 else np.nan,
        "partial_eta2": ss / (ss + error) if ss + error > 0 else np.nan,
        "statistic": test.statistic,
        "p": np.nan if reason else test.p,
        "reason": reason,
    }


def _reason(cells: LogCells, term: Term, basis: Basis, p: float) -> str | None:
    """Return why a term is not tested; None where it is."""
    is_compared = np.abs(basis.columns).max(axis=1) > 1e-9
    fewest = cells.table[is_compared].groupby(list(term), dropna=False)["n"].sum().min()
    if fewest < FEWEST:
        return f"too few to tell, a level has {fewest} values and {FEWEST} are needed"
    return "the repetitions of every cell gave equal values" if np.isnan(p) else None


def _with_ratios(pairs: pd.DataFrame) -> pd.DataFrame:
    """Add the ratio of both levels with its 95% interval, each by itself."""
    half_width = stats.t.ppf(0.975, pairs["df"].clip(lower=1)) * pairs["error"]
    return pairs.assign(
        ratio=np.exp(pairs["log_ratio"]),
        ratio_low=np.exp(pairs["log_ratio"] - half_width),
        ratio_high=np.exp(pairs["log_ratio"] + half_width),
    )
