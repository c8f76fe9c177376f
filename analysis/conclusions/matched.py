"""Matched cells: cells that differ in one factor, or in two, and are equal in all others.

A factor is judged only by such cells, so that a missing cell never turns the effect of one factor into that of
another. Factors that change together count as one factor. The sums of squares are those of type II in the model of all
interactions. Knows cells and factors. Does not know tests or sentences.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from analysis.log_cells import LogCells

Term = tuple[str, ...]
"""A factor, or several factors that change together and count as one."""


def codes(table: pd.DataFrame, names: Sequence[str]) -> Any:
    """Return the number of each cell's combination of levels; null is a level."""
    combined = np.zeros(len(table), int)
    for name in names:
        own, levels = pd.factorize(table[name], use_na_sentinel=False)
        combined = np.unique(combined * len(levels) + own, return_inverse=True)[1]
    return combined


@dataclass(frozen=True)
class Basis:
    """Directions in which cell means differ by one term, with everything else held equal."""

    columns: Any
    """I×r, orthonormal in the metric of the cells' numbers of values."""
    possible: int
    """Degrees of freedom of a grid without missing cells; fewer columns: some levels cannot be compared."""

    @property
    def is_complete(self) -> bool:
        """Tell whether all levels can be compared."""
        return bool(self.columns.shape[1] == self.possible > 0)


def main_basis(cells: LogCells, term: Term, others: Sequence[Term]) -> Basis:
    """Return the basis of one term, adjusted for every combination of the other terms."""
    own, blocks = codes(cells.table, term), codes(cells.table, _flat(others))
    return Basis(_within(cells.n, [own], blocks, []), int(own.max(initial=0)))


def interaction_basis(cells: LogCells, first: Term, second: Term, others: Sequence[Term]) -> Basis:
    """Return the basis of the interaction of two terms, adjusted for everything that does not contain both."""
    pair, a, b = codes(cells.table, first + second), codes(cells.table, first), codes(cells.table, second)
    blocks = codes(cells.table, _flat(others))
    return Basis(_within(cells.n, [pair], blocks, [a, b]), int(a.max(initial=0)) * int(b.max(initial=0)))


def separable_terms(cells: LogCells) -> tuple[tuple[Term, ...], tuple[Term, ...]]:
    """Return the terms, with factors that change together joined, and the terms that can be compared nowhere."""
    terms: list[Term] = [(name,) for name in cells.factors]
    while True:
        lost = [term for term in terms if not main_basis(cells, term, _without(terms, term)).is_complete]
        if (joined := _confounded(cells, terms, lost)) is None:
            return tuple(terms), tuple(lost)
        terms = [term for term in terms if term not in joined] + [joined[0] + joined[1]]


def _confounded(cells: LogCells, terms: Sequence[Term], lost: Sequence[Term]) -> tuple[Term, Term] | None:
    """Return a term that cannot be compared, and one that must be let go so that it can; None for no such two.

    Args:
        cells: of one metric.
        terms: all terms.
        lost: those of them that cannot be compared while all others are held equal.
    """
    for term in lost:
        others = _without(terms, term)
        for other in others:
            if main_basis(cells, term, _without(others, other)).is_complete:
                return term, other
    return None


def _within(n: Any, targets: list[Any], blocks: Any, adjusted: list[Any]) -> Any:
    """Return an orthonormal basis of the targets' indicators, made free of the blocks and of `adjusted` in each."""
    pieces = np.zeros((len(n), sum(int(target.max(initial=0)) + 1 for target in targets)))
    root = np.sqrt(n)
    order = np.argsort(blocks, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(blocks[order])) + 1):
        if len(rows) < 2:
            continue
        nuisance = root[rows, None] * np.hstack([np.ones((len(rows), 1)), *(_indicators(a[rows]) for a in adjusted)])
        wanted = root[rows, None] * np.hstack([_indicators(t[rows], int(t.max()) + 1) for t in targets])
        u, sizes, _ = np.linalg.svd(nuisance, full_matrices=False)
        u = u[:, sizes > 1e-9 * sizes[0]]
        pieces[rows] = wanted - u @ (u.T @ wanted)
    u, sizes, _ = np.linalg.svd(pieces, full_matrices=False)
    return u[:, sizes > 1e-7 * max(root.max(initial=1.0), 1.0)]


def _indicators(numbers: Any, width: int | None = None) -> Any:
    """Return a column for each number, 1 where a cell has this number."""
    if width is None:
        numbers = np.unique(numbers, return_inverse=True)[1]
        width = int(numbers.max()) + 1
    return np.eye(width)[numbers]


def _flat(terms: Sequence[Term]) -> list[str]:
    """Return the factors of all terms."""
    return [name for term in terms for name in term]


def _without(terms: Sequence[Term], left_out: Term) -> list[Term]:
    """Return the other terms."""
    return [term for term in terms if term != left_out]


def pairs_of(terms: Sequence[Term]) -> list[tuple[Term, Term]]:
    """Return every two terms."""
    return list(combinations(terms, 2))
