"""Cells of the earlier run, each with the reason where it could not be compared.

A cell that was lost or failed is no cell that is as fast as before. Knows cells and statuses. Does not know tests.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import pandas as pd

from analysis.cell_averages import is_scored
from analysis.cell_factors import EFFECTIVE, grouped
from analysis.column_titles import title_of
from analysis.comparison.cells import Key, label
from analysis.load import SweepRows
from sweeps.wording import counted

NO_SWEEP: Final = "the sweep is not in this run"
_NO_CELL: Final = "not in this run"
_MOST_NAMED: Final = 3
"""Cells that a sentence names; compare.csv and the page hold the others."""


def earlier_cells(
    run: SweepRows | None,
    against: SweepRows,
    factors: Sequence[str],
    shown: Sequence[str],
    outcomes: Iterable[Mapping[str, Any]] = (),
    metric: str | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield a record per measured cell of the earlier run: sweep, cell, and why_not, None where it was compared.

    Args:
        run: the sweep in the new run; None where the new run lacks it.
        against: the sweep in the earlier run.
        factors: that cells are matched by.
        shown: factors that names of cells show.
        outcomes: records of the cells that both runs have.
        metric: that is compared; None where no metric has values in both runs.
    """
    reasons = {outcome["cell"]: _why_not_tested(outcome) for outcome in outcomes}
    measured = against.ok if metric is None else against.ok[against.ok[metric].notna()]
    for key, _ in grouped(measured, factors):
        name = label(factors, shown, key)
        why = reasons[name] if name in reasons else NO_SWEEP if run is None else _why_lacking(run, factors, key)
        yield {"sweep": against.name, "cell": name, "why_not": why}


def not_compared(cells: pd.DataFrame) -> str:
    """Return the sentence on the cells of the earlier run that could not be compared; '' where all could."""
    lost = cells[cells["why_not"].notna()]
    if cells.empty:
        return "The earlier run holds no measurement to compare with."
    if lost.empty:
        return ""
    named = [f"{cell}: {why}" for cell, why in zip(lost["cell"], lost["why_not"], strict=True)]
    if cells["sweep"].nunique() > 1:
        named = [f"{sweep}, {name}" for sweep, name in zip(lost["sweep"], named, strict=True)]
    more = [f"and {len(named) - _MOST_NAMED:,} more"] if len(named) > _MOST_NAMED else []
    listed = "; ".join([*named[:_MOST_NAMED], *more])
    return f"{len(lost):,} of {counted(len(cells), 'cell')} of the earlier run could not be compared: {listed}."


def _why_not_tested(outcome: Mapping[str, Any]) -> str | None:
    """Return the reason of a cell of both runs that was not tested; equal scores need no test."""
    is_decided = not pd.isna(outcome["p"]) or outcome.get("difference") == 0
    return None if is_decided else str(outcome["reason"])


def _why_lacking(run: SweepRows, factors: Sequence[str], key: Key) -> str:
    """Return why a run has no values of a cell: its status there, or that it is not in the run."""
    rows = run.rows
    for name, level in zip(factors, key, strict=True):
        if name not in EFFECTIVE:  # null in a row that failed
            rows = rows[rows[name].isna() if level is None else (rows[name] == level).fillna(False).astype(bool)]
    if rows.empty:
        return _NO_CELL
    statuses = rows["status"].astype(str).value_counts()
    if "ok" not in statuses:
        return ", ".join(f"{status} ({counted(int(count), 'row')})" for status, count in statuses.items())
    differing = [title_of(name) for name in factors if name in EFFECTIVE]
    if is_scored(run):
        return "no text was scored by both runs under equal conditions"
    return f"measured with another {' or '.join(differing)}" if differing else "no value in this run"
