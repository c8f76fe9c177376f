"""Rows cell by cell: put into the order of the cells once, for every metric."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.cell_statistics import Clusters
from analysis.row_codes import numbered_codes


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
        return Clusters(number.astype(np.intp), cell)

    def medians(self, values: Any) -> Any:
        """Return the median of each cell's values, nulls left out; NaN for a cell without values."""
        ordered = values[self.order]
        return np.array([_median(ordered[start:end]) for start, end in itertools.pairwise(self.starts)], np.float64)


def cell_rows(rows: pd.DataFrame, factors: Sequence[str]) -> CellRows:
    """Return the cell of each row; all rows are one cell where there are no factors."""
    number, count = numbered_codes(rows, factors)
    order = np.argsort(number, kind="stable")
    return CellRows(number, order, np.searchsorted(number[order], np.arange(count + 1)))


def _median(values: Any) -> float:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else np.nan
