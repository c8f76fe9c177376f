"""Factors that change together, taken apart again as far as the cells allow.

A CPU that was measured without quantization only, and GPUs with 4 and 8 bits only: device and quantization cannot be
compared over all their levels. The GPUs can be compared with each other, and 4 bits with 8. Knows cells and terms. Does
not know tests or sentences.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from analysis.conclusions.levels import Level, level_pairs
from analysis.conclusions.matched import Basis, Term, main_basis
from analysis.log_cells import LogCells


@dataclass(frozen=True)
class Separated:
    """One factor, compared only in the cells that are equal in every other factor."""

    term: Term
    basis: Basis
    pairs: pd.DataFrame
    """A row per pair of levels that share a cell (see level_pairs)."""

    @property
    def components(self) -> list[frozenset[Level]]:
        """Return the sets of levels that are connected by shared cells. Levels of two sets cannot be compared."""
        found: list[frozenset[Level]] = []
        for pair in self.pairs.to_dict("records"):
            ends = frozenset((pair["level"], pair["other"]))
            touched = [one for one in found if one & ends]
            found = [one for one in found if not one & ends] + [ends.union(*touched)]
        return found


def separated(cells: LogCells, terms: Sequence[Term]) -> list[Separated]:
    """Return the factors of joined terms, and of terms that cannot be judged, of which some levels share cells.

    Args:
        cells: of one metric.
        terms: joined terms, and terms that cannot be compared as a whole.
    """
    made = []
    for name in (name for term in terms for name in term):
        others = [(other,) for other in cells.factors if other != name]
        basis = main_basis(cells, (name,), others)
        if basis.columns.shape[1] == 0:
            continue
        pairs = level_pairs(cells, (name,), others)
        made.append(Separated((name,), basis, pairs[pairs["shared"] > 0].reset_index(drop=True)))
    return made
