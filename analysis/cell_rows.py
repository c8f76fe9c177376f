"""Rows cell by cell: put into the order of the cells once, for every metric."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from analysis.cell_statistics import Clusters
from analysis.row_codes import numbered_codes

_MOMENTS: Final = ("count", "mean", "median", "std", "min", "max")


@dataclass(frozen=True)
class CellRows:
    """The cell of each row."""

    number: Any
    """Number of each row's cell."""
    order: Any
    """Places of the rows, those of the first cell first."""
    starts: Any
    """Place in that order at which each cell begins, and the number of rows."""

    @property
    def firsts(self) -> Any:
        """Return the place of the first row of each cell."""
        return self.order[self.starts[:-1]]

    def places(self, cell: int) -> Any:
        """Return the places of the rows of a cell, in their order."""
        return self.order[self.starts[cell] : self.starts[cell + 1]]

    def clusters(self, column: "pd.Series[Any]") -> Clusters:
        """Return the rows of each cell that share a value of a column, such as record_id. Null is a value."""
        number, count = numbered_codes(pd.DataFrame({"cell": self.number, "value": column.array}), ["cell", "value"])
        cell = np.empty(count, np.intp)
        cell[number] = self.number
        return Clusters(number[self.order].astype(np.intp), cell)

    def ordered(self, values: Any) -> Any:
        """Return values in the order of the cells."""
        return values[self.order]

    def moments(self, ordered: Any) -> pd.DataFrame:
        """Return count, mean, median, std, min and max of the values of each cell, nulls left out.

        Args:
            ordered: values in the order of the cells.
        """
        parts = (ordered[start:end] for start, end in itertools.pairwise(self.starts))
        with np.errstate(over="ignore", invalid="ignore"):
            return pd.DataFrame([_moments(part) for part in parts], columns=_MOMENTS)


def cell_rows(rows: pd.DataFrame, factors: Sequence[str]) -> CellRows:
    """Return the cell of each row; all rows are one cell where there are no factors."""
    number, count = numbered_codes(rows, factors)
    order = np.argsort(number, kind="stable")
    return CellRows(number, order, np.searchsorted(number[order], np.arange(count + 1)))


def _moments(values: Any) -> tuple[float, ...]:
    known = values[~np.isnan(values)] if np.isnan(np.min(values, initial=0)) else values
    if not len(known):
        return (0, *[np.nan] * (len(_MOMENTS) - 1))
    spread = float(known.std(ddof=1)) if len(known) > 1 else np.nan
    return (len(known), float(known.mean()), float(np.median(known)), spread, float(known.min()), float(known.max()))
