"""Make the table of all cells of a sweep: the most telling columns first, the others on demand.

Knows averages. Does not know rows or HTML.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import pandas as pd

from analysis.cell_averages import Averages
from analysis.column_titles import NULL, Scale, axis_title, number, scale_of, title_of
from analysis.level_labels import level_text
from analysis.marks import TOO_FEW, interval_text, reasons_of, unsteadiness_of
from analysis.tables import MAX_TABLE_ROWS, Table

_SPREAD: Final = ("median", "sd", "min", "max")


def cells_table(averages: Averages, file_name: str) -> Table | None:
    """Return the table of cells; None if nothing was measured.

    First the factors, then the mean of the first headline with the reasons to doubt it, n and interval. On demand: its
    spread, and the means of all other metrics. The CSV file holds every statistic of every metric.
    """
    if not averages.metrics:
        return None
    factors, (headline, *others) = list(averages.factors), averages.metrics
    scales = {name: scale_of(name, _of(averages, name)["mean"]) for name in averages.metrics}
    cells = _by_cell(averages, factors)
    shown = list(cells.items())[:MAX_TABLE_ROWS]
    spread = [f"{name} of {title_of(headline)}" for name in _SPREAD]
    return Table(
        title="All cells",
        headers=(
            *(*map(title_of, factors), axis_title(headline, scales[headline]), "n", "95% interval"),
            *(*spread, *(axis_title(name, scales[name]) for name in others)),
        ),
        rows=tuple(
            (
                *map(level_text, factors, key),
                *_headline(metrics.get(headline), scales[headline]),
                *(_mean(metrics.get(name), scales[name]) for name in others),
            )
            for key, metrics in shown
        ),
        names=len(factors),
        csv=f"tables/{file_name}-averages.csv",
        left_out=len(cells) - len(shown),
        on_demand=len(spread) + len(others),
        columns=(*factors, headline, *[""] * (2 + len(spread)), *others),
    )


def _of(averages: Averages, metric: str) -> pd.DataFrame:
    """Return the cells of one metric."""
    return averages.cells[averages.cells["metric"] == metric]


def _by_cell(averages: Averages, factors: list[str]) -> dict[tuple[Any, ...], dict[str, Mapping[Any, Any]]]:
    """Return the statistics by cell and metric, cells in the order of the averages."""
    found: dict[tuple[Any, ...], dict[str, Mapping[Any, Any]]] = {}
    for cell in averages.cells.to_dict("records"):
        key = tuple(None if pd.isna(cell[name]) else cell[name] for name in factors)
        found.setdefault(key, {})[str(cell["metric"])] = cell
    return found


def _headline(cell: Mapping[Any, Any] | None, scale: Scale) -> Iterator[str]:
    """Yield mean with the reasons to doubt it, n, interval, and spread of the first headline."""
    if cell is None:
        yield from (NULL, "0", NULL, *[NULL] * len(_SPREAD))
        return
    yield f"{number(cell['mean'], scale.divisor)} {reasons_of(cell)}".rstrip()
    yield str(cell["n"])
    yield interval_text(cell, scale).strip("()") or TOO_FEW
    yield from (number(cell[name], scale.divisor) for name in _SPREAD)


def _mean(cell: Mapping[Any, Any] | None, scale: Scale) -> str:
    """Return the mean of another metric, and why it is unsteady."""
    return NULL if cell is None else f"{number(cell['mean'], scale.divisor)} {unsteadiness_of(cell)}".rstrip()
