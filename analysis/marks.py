"""Words beside a mean: its interval, too few rows to tell one, and reasons to doubt it.

Knows the statistics of a cell. Does not know tables or the page.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import pandas as pd

from analysis.cell_statistics import FEWEST
from analysis.column_titles import Scale, number

MARK: Final = "⚠"
"""Mark in front of the reasons to doubt a mean."""
TOO_FEW: Final = "too few to tell"
"""Stands in the place of an interval."""


def interval_text(cell: Mapping[Any, Any], scale: Scale) -> str:
    """Return '(22.9 – 24.8)', the 95% interval of the mean; '' where there are too few rows or records."""
    if cell["n"] < FEWEST or pd.isna(cell["ci95_low"]):
        return ""
    return f"({number(cell['ci95_low'], scale.divisor)} – {number(cell['ci95_high'], scale.divisor)})"


def reasons_of(cell: Mapping[Any, Any]) -> str:
    """Return why a mean is to be doubted, as '⚠ sd 14% of the mean; 2 of 3 rows beside up to 1 other worker'."""
    reasons = list(_unsteadiness(cell))
    if beside := int(cell["rows_beside_others"]):
        workers = int(cell["most_neighbours"])
        others = "1 other worker" if workers == 1 else f"up to {workers} other workers"
        reasons.append(f"{beside} of {cell['n']} rows beside {others}")
    return f"{MARK} {'; '.join(reasons)}" if reasons else ""


def unsteadiness_of(cell: Mapping[Any, Any]) -> str:
    """Return why a cell is unsteady, as '⚠ sd 14% of the mean'; '' for a steady one."""
    reasons = list(_unsteadiness(cell))
    return f"{MARK} {'; '.join(reasons)}" if reasons else ""


def _unsteadiness(cell: Mapping[Any, Any]) -> Iterator[str]:
    """Yield what is unsteady in a cell."""
    if cell["sd_above_limit"]:
        yield f"sd {abs(cell['sd'] / cell['mean']):.0%} of the mean" if cell["mean"] else "sd above a mean of 0"
    if cell["range_above_limit"]:
        farthest = max(cell["mean"] - cell["min"], cell["max"] - cell["mean"]) / cell["mean"]
        yield f"a row {farthest:.0%} away from the mean"


def few_rows_note(counts: Iterable[int]) -> str:
    """Return a sentence on the intervals of cells of so many rows each."""
    known = sorted(set(counts))
    if not known:
        return ""
    n = f"n = {known[0]}" if len(known) == 1 else f"n = {known[0]} to {known[-1]}"
    if known[-1] < FEWEST:
        return f"{n} rows a cell: {TOO_FEW} an interval."
    few = f" Cells of fewer than {FEWEST} rows: {TOO_FEW}." if known[0] < FEWEST else ""
    return f"{n} rows a cell; in brackets the 95% interval of the mean.{few}"
